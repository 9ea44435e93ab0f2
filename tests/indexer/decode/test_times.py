"""Tests of times as players count them: time stamps that restart, leap, are wrong once, or begin late."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from indexer.errors import TooLongError
from tests.support.indexer import media
from tests.support.indexer.decoding import bottom_colour, decode_here, frame_times
from tests.support.indexer.film import Film, Pictures, Subtitles, write_film
from tests.support.indexer.media import BLUE, RED

pytestmark = pytest.mark.unit

TWO_SECONDS = [index / 10 for index in range(20)]
LAST_TIME_STAMP_S = 2**33 / 90_000 - 100


def write_parts(folder: Path, *starts_s: float, seconds: float = 10) -> Path:
    """Write an MPEG-TS of red and blue parts whose time stamps begin at `starts_s`."""
    colours = (RED, BLUE) * len(starts_s)
    parts = [
        media.write_transport_stream(folder / "part", start_s, seconds=seconds, colour=colour)
        for start_s, colour in zip(starts_s, colours, strict=False)
    ]
    (folder / "a.ts").write_bytes(b"".join(parts))
    return folder / "a.ts"


@pytest.mark.parametrize(
    "starts_s",
    [(0, 0), (0, 600), (600, 0), (0, 10_800), (10_800, 0), (LAST_TIME_STAMP_S, 0), (0, LAST_TIME_STAMP_S), (300, 10)],
    ids=str,
)
def test_joined_parts_follow_each_other(tmp_path: Path, starts_s: Sequence[float]) -> None:
    """The second part of `cat a.ts b.ts` starts where the first one ends, wherever its time stamps begin."""
    decoded = decode_here(write_parts(tmp_path, *starts_s))
    assert decoded.duration_s == pytest.approx(20, abs=0.15)
    assert frame_times(decoded) == pytest.approx(range(20), abs=0.15)
    assert decoded.cuts_s == pytest.approx([10], abs=0.15)


@pytest.mark.parametrize("starts_s", [(0, 0), (0, 300), (300, 10)], ids=str)
def test_joined_fragments_of_mp4_follow_each_other(tmp_path: Path, starts_s: Sequence[float]) -> None:
    """As HLS delivers them: one header, and fragments whose time stamps restart or leap at a discontinuity."""
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont", "avoid_negative_ts": "disabled"}
    parts = []
    for start_s, colour in zip(starts_s, (RED, BLUE), strict=True):
        pictures = Pictures([start_s + at_s for at_s in TWO_SECONDS], colour, codec="libx264")
        parts.append(write_film(tmp_path / "part.mp4", Film([pictures], options=options)).read_bytes())
    header_sizes = [part.index(b"moof") - 4 for part in parts]
    (tmp_path / "a.mp4").write_bytes(parts[0] + parts[1][header_sizes[1] :])
    decoded = decode_here(tmp_path / "a.mp4")
    assert decoded.duration_s == pytest.approx(4, abs=0.15)
    assert decoded.cuts_s == pytest.approx([2], abs=0.15)
    assert bottom_colour(decoded, -1)[2] > 150


@pytest.mark.parametrize("times", [(0, 30, 90, 91, 120), (0, 0.1, 0.2, 4, 4.1, 12), range(0, 60, 10)], ids=str)
@pytest.mark.parametrize("sound_s", [None, (0, 121)], ids=["silent", "with sound"])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_slides_that_are_reordered_keep_their_times(
    tmp_path: Path, extension: str, sound_s: tuple[float, float] | None, times: Sequence[float]
) -> None:
    """Frames that are shown for many seconds are decoded long before, if there are B-frames."""
    slides = Pictures(times, codec="libx264", options={"bf": "2", "b_strategy": "0"})
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", Film([slides], sound_s)))
    assert {round(at_s) for at_s in times} == {round(at_s) for at_s in frame_times(decoded)}
    assert decoded.duration_s == pytest.approx(121 if sound_s else times[-1], abs=0.5)


def test_many_short_parts_follow_each_other(tmp_path: Path) -> None:
    """HLS with a discontinuity after each segment, such as advertisements in a stream."""
    decoded = decode_here(write_parts(tmp_path, 0, 500, 2, 502, 4, 0, seconds=2))
    assert decoded.duration_s == pytest.approx(12, abs=0.3)
    assert decoded.cuts_s == pytest.approx([2, 4, 6, 8, 10], abs=0.3)


def test_joined_parts_with_sound_keep_both_together(tmp_path: Path) -> None:
    parts = []
    for start_s in (0.0, 900.0):
        pictures = Pictures([start_s + 2 + at_s for at_s in TWO_SECONDS])
        parts.append(write_film(tmp_path / "part.ts", Film([pictures], (start_s, start_s + 4))).read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    decoded = decode_here(tmp_path / "a.ts")
    assert decoded.duration_s == pytest.approx(8, abs=0.3)
    assert frame_times(decoded)[0] == pytest.approx(2, abs=0.2)
    assert any(at_s == pytest.approx(6, abs=0.3) for at_s in frame_times(decoded))
    assert not any(4.2 < at_s < 5.7 for at_s in frame_times(decoded))


@pytest.mark.parametrize(
    ("number", "seconds"),
    [(number, seconds) for number in (0, 1, 50) for seconds in (600, 10_800, -600, 5)] + [(99, 600), (99, -600)],
)
def test_one_wrong_time_stamp_is_ignored(tmp_path: Path, number: int, seconds: float) -> None:
    """Ten seconds stay ten, and a film is not too long because one picture claims to be three hours ahead."""
    stream = media.write_transport_stream(tmp_path / "part", 700, seconds=10)
    (tmp_path / "a.ts").write_bytes(media.shift_time_stamp(stream, number, seconds))
    decoded = decode_here(tmp_path / "a.ts", max_duration_s=100.0)
    assert decoded.duration_s == pytest.approx(10, abs=0.2)
    assert 10 <= len(decoded.frames) <= 17
    assert frame_times(decoded)[-1] == pytest.approx(9, abs=0.2)


def test_long_frame_is_not_a_leap(tmp_path: Path) -> None:
    """A picture may stay for long, if the file says so or if the sound goes on."""
    slides = Pictures([0, 40, 80], codec="ffv1")
    assert frame_times(decode_here(write_film(tmp_path / "a.mkv", Film([slides])))) == [0, 40, 80]
    assert frame_times(decode_here(write_film(tmp_path / "a.mp4", Film([Pictures([0, 40, 80])])))) == [0, 40, 80]
    slides = Pictures([0, 40, 80])
    decoded = decode_here(write_film(tmp_path / "a.ts", Film([slides], (0, 100))))
    assert frame_times(decoded) == pytest.approx([0, 40, 80], abs=0.1)
    assert decoded.duration_s == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize("extension", ["mkv", "mp4", "ts"])
def test_pictures_that_begin_after_the_sound_keep_their_time(tmp_path: Path, extension: str) -> None:
    """So do captions, and the end of the sound is the end of the film."""
    film = Film([Pictures([5 + at_s for at_s in TWO_SECONDS])], (0, 9))
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", film))
    assert frame_times(decoded)[0] == pytest.approx(5, abs=0.05)
    assert decoded.duration_s == pytest.approx(9, abs=0.15)


def test_file_that_begins_late_as_a_whole_starts_at_zero(tmp_path: Path) -> None:
    """Pictures, sound, subtitles and chapters together."""
    film = Film(
        [Pictures([100 + at_s for at_s in TWO_SECONDS]), Subtitles([(101, 102, "hello")])],
        (100, 102),
        chapters={"Intro": (100, 101)},
        options={"avoid_negative_ts": "disabled"},
    )
    decoded = decode_here(write_film(tmp_path / "a.mkv", film))
    assert frame_times(decoded)[0] == 0
    assert [(each.start_s, each.end_s) for each in decoded.speech] == [(1, 2)]
    assert [(each.start_s, each.end_s) for each in decoded.chapters] == [(0, 1)]


@pytest.mark.parametrize("extension", ["mkv", "mp4"])
def test_still_picture_with_long_sound_lasts_as_long(tmp_path: Path, extension: str) -> None:
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", Film([Pictures([0])], (0, 30))))
    assert decoded.duration_s == pytest.approx(30, abs=0.1)
    assert frame_times(decoded) == [0]


def test_sound_over_the_limit_raises_too_long(tmp_path: Path) -> None:
    with pytest.raises(TooLongError):
        decode_here(write_film(tmp_path / "a.mkv", Film([Pictures([0])], (0, 30))), max_duration_s=20.0)


def test_edit_list_hides_what_players_do_not_show(tmp_path: Path) -> None:
    """An mp4 whose first time stamps are negative starts at 0, without the frames before it."""
    film = Film([Pictures([at_s - 1 for at_s in TWO_SECONDS])], options={"avoid_negative_ts": "disabled"})
    decoded = decode_here(write_film(tmp_path / "a.mp4", film))
    assert frame_times(decoded)[0] == pytest.approx(0, abs=0.11)
    assert decoded.duration_s == pytest.approx(1, abs=0.15)


def test_joined_parts_keep_their_colours(tmp_path: Path) -> None:
    decoded = decode_here(write_parts(tmp_path, 0, 0))
    assert bottom_colour(decoded, 2)[0] > 150
    assert bottom_colour(decoded, -2)[2] > 150
