"""Subtitles: which track is taken, and its text without tags and repetition."""

from typing import Any

import pytest

from indexer.fetch.subtitles import MAX_CAPTION_CHARS, MAX_CAPTIONS, SubtitleTrack, choose_track, parse_captions
from indexer.ingest.ingest import MAX_SAID_CHARS, _said
from indexer.ingest.segmentation import Segment
from indexer.types import Caption, FetchResult
from tests.support.indexer_fakes import a_video

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:01.990 align:start position:0%

hello<00:00:00.480><c> and</c><00:00:00.640><c> welcome</c>

00:00:01.990 --> 00:00:02.000 align:start position:0%
hello and welcome


00:00:02.000 --> 00:00:04.070 align:start position:0%
hello and welcome
to<00:00:02.159><c> this</c><00:00:02.320><c> talk</c>

00:00:04.070 --> 00:00:04.080 align:start position:0%
to this talk

"""


def tracks(*names: str, ext: str = "vtt") -> dict[str, list[dict[str, str]]]:
    return {name: [{"ext": "json3", "url": f"{name}.json3"}, {"ext": ext, "url": f"{name}.{ext}"}] for name in names}


def picked(**info: Any) -> str | None:
    track = choose_track(info)
    return track.source["url"] if track else None


def test_what_people_wrote_comes_first() -> None:
    """A track in any language that people wrote is better than what a machine heard."""
    assert picked(subtitles=tracks("fr"), automatic_captions=tracks("en")) == "fr.vtt"


@pytest.mark.parametrize(
    ("language", "names", "url"),
    [
        ("ko", ("en", "ko"), "ko.vtt"),
        ("de-AT", ("en", "de"), "de.vtt"),
        (None, ("zh-Hans", "ko", "fr"), "ko.vtt"),
        (None, ("zh-Hant", "fr"), "zh-Hant.vtt"),
        (None, ("en-GB", "ko"), "en-GB.vtt"),
        (None, ("fr", "live_chat"), "fr.vtt"),
    ],
)
def test_the_videos_own_language_comes_first(language: str | None, names: tuple[str, ...], url: str) -> None:
    """Then English, Korean, Chinese, then any other; a chat is no speech."""
    assert picked(language=language, subtitles=tracks(*names)) == url


def test_what_was_heard_comes_before_its_translations() -> None:
    """A site offers a machine's captions in a hundred languages; the one that was spoken is marked."""
    heard = tracks("en", "ko", "af", "pt-orig", "pt")
    assert picked(automatic_captions=heard) == "pt-orig.vtt"
    assert picked(language="ko", automatic_captions=tracks("en", "ko-orig", "ko")) == "ko-orig.vtt"
    assert picked(automatic_captions=tracks("af", "sw")) is None


def test_only_formats_that_can_be_read_are_taken() -> None:
    """SubRip before WebVTT, and nothing else."""
    both = {"en": [{"ext": "vtt", "url": "a.vtt"}, {"ext": "srt", "url": "a.srt"}]}
    assert picked(subtitles=both) == "a.srt"
    assert picked(subtitles={"en": [{"ext": "json3", "url": "x"}]}) is None
    assert picked() is None


def test_captions_have_times_and_plain_text() -> None:
    """Tags are dropped and entities resolved."""
    text = "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>The <i>dog</i> &amp; I\nrun\n"
    assert parse_captions(text, SubtitleTrack({"ext": "vtt"}, automatic=False)) == (Caption(1.0, 2.5, "The dog & I\nrun"),)


def test_rolling_captions_say_each_line_once() -> None:
    """A machine's captions repeat the last line above the new one; each is kept where it first stood."""
    assert parse_captions(ROLLING, SubtitleTrack({"ext": "vtt"}, automatic=True)) == (
        Caption(0.16, 1.99, "hello and welcome"),
        Caption(2.0, 4.07, "to this talk"),
    )


def test_a_refrain_that_people_wrote_stays() -> None:
    """Only a machine's repetition is taken out."""
    text = "1\n00:00:01,000 --> 00:00:02,000\nla la\n\n2\n00:00:02,000 --> 00:00:03,000\nla la\n"
    assert [each.text for each in parse_captions(text, SubtitleTrack({"ext": "srt"}, automatic=False))] == ["la la", "la la"]


@pytest.mark.parametrize("ext", ["srt", "vtt"])
def test_what_is_no_subtitle_gives_none(ext: str) -> None:
    """A web page in place of a subtitle file has no captions."""
    assert parse_captions("<html>not found</html>", SubtitleTrack({"ext": ext}, automatic=False)) == ()


def test_subtitles_without_end_are_cut() -> None:
    """So many captions, each so long, and no more: each moment looks through all of them."""
    lines = (
        f"{number % 60:02}:00.000 --> 59:59.000\n{'a' * 2000 if not number else 'b'}\n" for number in range(20_100)
    )
    found = parse_captions("WEBVTT\n\n" + "\n".join(lines), SubtitleTrack({"ext": "vtt"}, automatic=False))
    assert len(found) == MAX_CAPTIONS
    assert max(len(caption.text) for caption in found) == MAX_CAPTION_CHARS


def test_a_moment_keeps_no_book() -> None:
    """Captions that all claim the whole video do not stand with each of its moments."""
    speech = tuple(Caption(0, 7200, "word " * 100) for _ in range(1000))
    said = _said(a_video("goal"), FetchResult(a_video("goal"), None, speech=speech), Segment(0, 8, ()))
    assert len(said["speech"]) == MAX_SAID_CHARS
