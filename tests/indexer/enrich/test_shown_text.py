"""Lines of text on the screen over time."""

from dataclasses import dataclass

import pytest

from indexer.enrich.shown_text import ReadFrame, merge_lines, split_standing
from indexer.types import Caption


@dataclass(frozen=True)
class FakeShownLine:
    text: str
    confidence: float = 0.9
    box: tuple[float, float, float, float] = (0.1, 0.8, 0.9, 0.9)


def make_frames(*texts: str | tuple[str, ...], every_s: float = 2.0) -> list[ReadFrame]:
    """Return frames of `every_s` seconds, each with its lines."""
    lines = [(each,) if isinstance(each, str) else each for each in texts]
    return [
        ReadFrame(every_s * number, every_s * (number + 1), [FakeShownLine(text) for text in each if text])
        for number, each in enumerate(lines)
    ]


def test_line_of_successive_frames_is_one_line() -> None:
    """Errors of reading, case and width make no other line."""
    lines = merge_lines(
        make_frames("PREHEAT THE OVEN", "Preheat the 0ven", "ＰＲＥＨＥＡＴ the oven", "Slice the bread")
    )
    assert [(line.start_s, line.end_s) for line in lines] == [(0, 6), (6, 8)]
    assert lines[1].text == "Slice the bread"


def test_line_that_is_written_sign_by_sign_is_one_line() -> None:
    [line] = merge_lines(make_frames("만두를", "만두를 빚어", "만두를 빚어 보세요"))
    assert line == Caption(0, 6, "만두를 빚어 보세요")


@pytest.mark.parametrize(("first", "second"), [("Step 1", "Step 2"), ("2 : 1", "2 : 2"), ("Round 1", "Round 12")])
def test_other_number_is_another_line(first: str, second: str) -> None:
    assert [line.text for line in merge_lines(make_frames(first, second))] == [first, second]


def test_line_that_is_missed_in_a_frame_goes_on() -> None:
    assert merge_lines(make_frames("Breaking news", "", "Breaking news")) == (Caption(0, 6, "Breaking news"),)


def test_line_that_comes_back_later_is_another_line() -> None:
    lines = merge_lines(make_frames("Breaking news", "", "", "", "Breaking news"))
    assert [(line.start_s, line.end_s) for line in lines] == [(0, 2), (8, 10)]


def test_uncertain_and_empty_lines_are_left_out() -> None:
    frame = ReadFrame(0, 2, [FakeShownLine("l|!", 0.3), FakeShownLine("  ")])
    assert merge_lines([frame]) == ()


def test_text_that_is_visible_for_minutes_counts_once() -> None:
    """A logo may disappear now and then. Subtitles are no such text."""
    logo = [Caption(at_s, at_s + 20, "NEWS 24") for at_s in (0.0, 40.0, 80.0)]
    subtitles = [Caption(at_s, at_s + 3, f"line {at_s:g}") for at_s in range(0, 100, 3)]
    assert split_standing([*logo, *subtitles]) == (tuple(subtitles), (logo[0],))
