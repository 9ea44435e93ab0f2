"""Assignment of lines and sounds to moments."""

import pytest

from indexer.enrich.assignment import MAX_CHARS, MAX_TAGS, MomentRange, assign_lines, assign_sounds
from indexer.senses import SoundTag
from indexer.types import Caption

MOMENTS = [MomentRange("first", 0, 8), MomentRange("second", 8, 16), MomentRange("third", 16, 20)]


@pytest.mark.parametrize(
    ("start_s", "end_s", "moments"),
    [
        (1, 4, ["first"]),
        (7.8, 11, ["second"]),
        (6, 10, ["first", "second"]),
        (0, 20, ["first", "second", "third"]),
        (7.9, 8.1, ["first"]),
        (16, 16, ["third"]),
        (25, 27, ["third"]),
    ],
)
def test_line_belongs_to_the_moments_with_much_of_it(start_s: float, end_s: float, moments: list[str]) -> None:
    """A line after the last moment belongs to the last: the site's duration may be wrong."""
    line = Caption(start_s, end_s, "words")
    assert assign_lines([line], MOMENTS) == dict.fromkeys(moments, (line,))


def test_standing_line_belongs_to_the_moment_in_which_it_begins() -> None:
    line, standing = Caption(1, 4, "hello"), Caption(0, 20, "NEWS 24")
    assert assign_lines([line], MOMENTS, [standing]) == {"first": (standing, line)}


def test_words_only_video_has_one_moment_for_all_lines() -> None:
    lines = (Caption(1, 4, "one"), Caption(60, 64, "two"))
    assert assign_lines(lines, [MomentRange("only", 0, 0)]) == {"only": lines}


def test_text_of_a_moment_is_limited() -> None:
    lines = [Caption(number / 1000, 7, "x" * 99) for number in range(100)]
    assigned = assign_lines(lines, MOMENTS)["first"]
    assert sum(len(line.text) for line in assigned) <= MAX_CHARS
    assert assigned == tuple(lines[: len(assigned)])


def test_each_sound_counts_once_with_its_highest_score() -> None:
    dogs = [SoundTag("Dog", 0.5, 0, 1), SoundTag("Dog", 0.9, 3, 4)]
    rain = SoundTag("Rain", 0.7, 1, 7)
    assert assign_sounds([*dogs, rain], MOMENTS) == {"first": (dogs[1], rain)}


def test_sounds_of_a_moment_are_limited_to_the_loudest() -> None:
    sounds = [SoundTag(f"sound {number}", number / 100, 0, 5) for number in range(MAX_TAGS + 3)]
    assert assign_sounds(sounds, MOMENTS)["first"] == tuple(sounds[:2:-1])
