"""Tests of subtitles: the choice of a track, and its text without tags and repetition."""

from typing import Any

import pytest

from indexer.captions import MAX_CAPTION_CHARS, MAX_CAPTIONS, parse_captions
from indexer.fetch.subtitles import choose_track
from indexer.types import Caption

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


def make_tracks(*names: str, ext: str = "vtt") -> dict[str, list[dict[str, str]]]:
    return {name: [{"ext": "json3", "url": f"{name}.json3"}, {"ext": ext, "url": f"{name}.{ext}"}] for name in names}


def choose_url(**info: Any) -> str | None:
    track = choose_track(info)
    return track.source["url"] if track else None


def test_choose_track_prefers_human_subtitles() -> None:
    """Subtitles by people in any language come before machine-made captions."""
    assert choose_url(subtitles=make_tracks("fr"), automatic_captions=make_tracks("en")) == "fr.vtt"


@pytest.mark.parametrize(
    ("language", "names", "url"),
    [
        ("ko", ("en", "ko"), "ko.vtt"),
        ("de-AT", ("en", "de"), "de.vtt"),
        ("kor", ("en", "ko"), "ko.vtt"),
        ("ko", ("eng", "kor"), "kor.vtt"),
        ("ger", ("en", "deu"), "deu.vtt"),
        (None, ("fra", "zho", "kor"), "kor.vtt"),
        (None, ("fra", "chi"), "chi.vtt"),
        (None, ("zh_Hant", "fre", "eng"), "eng.vtt"),
        (None, ("zh-Hans", "ko", "fr"), "ko.vtt"),
        (None, ("zh-Hant", "fr"), "zh-Hant.vtt"),
        (None, ("en-GB", "ko"), "en-GB.vtt"),
        (None, ("fr", "live_chat"), "fr.vtt"),
    ],
)
def test_choose_track_prefers_language_of_video(language: str | None, names: tuple[str, ...], url: str) -> None:
    """Then English, Korean, Chinese, then any other. A live chat is not speech."""
    assert choose_url(language=language, subtitles=make_tracks(*names)) == url


def test_choose_track_prefers_original_to_translation() -> None:
    """A site offers machine-made captions in a hundred languages; the spoken one is marked `-orig`."""
    automatic = make_tracks("en", "ko", "af", "pt-orig", "pt")
    assert choose_url(automatic_captions=automatic) == "pt-orig.vtt"
    assert choose_url(language="ko", automatic_captions=make_tracks("en", "ko-orig", "ko")) == "ko-orig.vtt"
    assert choose_url(automatic_captions=make_tracks("af", "sw")) is None


def test_choose_track_accepts_srt_and_vtt_only() -> None:
    """SubRip comes before WebVTT."""
    both = {"en": [{"ext": "vtt", "url": "a.vtt"}, {"ext": "srt", "url": "a.srt"}]}
    assert choose_url(subtitles=both) == "a.srt"
    assert choose_url(subtitles={"en": [{"ext": "json3", "url": "x"}]}) is None
    assert choose_url() is None


def test_parse_captions_returns_times_and_plain_text() -> None:
    """Tags are dropped and entities resolved."""
    text = "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>The <i>dog</i> &amp; I\nrun\n"
    assert parse_captions(text, "vtt") == (Caption(1.0, 2.5, "The dog & I\nrun"),)


def test_parse_captions_deduplicates_rolling_lines() -> None:
    """Machine-made captions repeat the last line above the new one. The first appearance is kept."""
    assert parse_captions(ROLLING, "vtt", is_automatic=True) == (
        Caption(0.16, 1.99, "hello and welcome"),
        Caption(2.0, 4.07, "to this talk"),
    )


def test_parse_captions_keeps_repetition_of_human_subtitles() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nla la\n\n2\n00:00:02,000 --> 00:00:03,000\nla la\n"
    assert [each.text for each in parse_captions(text, "srt")] == [
        "la la",
        "la la",
    ]


@pytest.mark.parametrize("ext", ["srt", "vtt"])
def test_parse_captions_of_web_page_returns_none(ext: str) -> None:
    assert parse_captions("<html>not found</html>", ext) == ()


def test_parse_captions_limits_number_and_length() -> None:
    """Each moment looks through all captions."""
    lines = (
        f"{number % 60:02}:00.000 --> 59:59.000\n{'a' * 2000 if not number else 'b'}\n" for number in range(20_100)
    )
    found = parse_captions("WEBVTT\n\n" + "\n".join(lines), "vtt")
    assert len(found) == MAX_CAPTIONS
    assert max(len(caption.text) for caption in found) == MAX_CAPTION_CHARS
