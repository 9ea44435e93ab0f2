"""Tests of the words in a file and in files next to it: subtitles, chapters, and the names of languages."""

import unicodedata
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from indexer.captions import MAX_CAPTION_CHARS, normalize_language
from indexer.decode import sidecars
from indexer.decode.embedded_words import CaptionReader
from indexer.types import Caption, DecodeResult
from tests.support.indexer import media
from tests.support.indexer.decoding import decode_here
from tests.support.indexer.film import Film, Pictures, Subtitles, write_film

pytestmark = pytest.mark.unit

PICTURES = Pictures((0, 0.5, 1, 1.5, 1.9))
SRT = "1\n00:00:00,500 --> 00:00:01,500\n{}\n"
VTT = "WEBVTT\n\n00:00.500 --> 00:01.500\n{}\n"
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.50,0:00:01.50,Default,,0,0,0,,{{\\i1}}{}\n"
)
SMI = "<SAMI><BODY><SYNC Start=500><P Class=KRCC>{}<SYNC Start=1500><P Class=KRCC>&nbsp;</BODY></SAMI>"


def read_speech(decoded: DecodeResult) -> list[str]:
    return [caption.text for caption in decoded.speech]


# ---- inside ----


@pytest.mark.parametrize(
    ("extension", "codec"),
    [
        ("mkv", "subrip"),
        ("mkv", "ass"),
        ("mkv", "webvtt"),
        ("webm", "webvtt"),
        ("mp4", "mov_text"),
        ("mov", "mov_text"),
    ],
)
def test_subtitle_track_is_read(tmp_path: Path, extension: str, codec: str) -> None:
    pictures = Pictures(PICTURES.times, codec="libvpx" if extension == "webm" else "mpeg4")
    film = Film([pictures, Subtitles([(0.5, 1.5, "강아지가 달린다")], "kor", codec)])
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", film))
    assert decoded.speech == (Caption(0.5, 1.5, "강아지가 달린다"),)


def test_tags_of_subtitles_are_dropped(tmp_path: Path) -> None:
    subrip = Subtitles([(0, 1, "<i>The dog</i> runs")], "eng")
    ass = Subtitles([(0, 1, r"{\pos(1,2)\b1}강아지{\b0}\N두 마리")], "kor", "ass")
    shape = Subtitles([(0, 1, r"{\p1}m 0 0 l 10 0")], None, "ass")
    decoded = decode_here(write_film(tmp_path / "a.mkv", Film([PICTURES, subrip, ass, shape])))
    assert sorted(read_speech(decoded)) == ["The dog runs", "강아지\n두 마리"]


def test_one_track_in_each_language_of_queries_is_read(tmp_path: Path) -> None:
    """French words are not, because others are there. A forced track has only a part of the words."""
    tracks = [
        Subtitles([(0, 1, "bonjour")], "fre"),
        Subtitles([(0, 1, "signs only")], "eng", disposition=Disposition.forced),
        Subtitles([(0, 1, "hello")], "eng"),
        Subtitles([(0, 1, "안녕")], "kor"),
        Subtitles([(0, 1, "你好")], "chi"),
    ]
    decoded = decode_here(write_film(tmp_path / "a.mkv", Film([PICTURES, *tracks])))
    assert sorted(read_speech(decoded)) == ["hello", "你好", "안녕"]


def test_only_track_is_read_in_any_language(tmp_path: Path) -> None:
    film = Film([PICTURES, Subtitles([(0, 1, "bonjour")], "fre"), Subtitles([(0, 1, "hallo")], "ger")])
    assert read_speech(decode_here(write_film(tmp_path / "a.mkv", film))) == ["bonjour"]


@pytest.mark.parametrize("extension", ["mkv", "mp4"])
def test_chapters_are_read(tmp_path: Path, extension: str) -> None:
    film = Film([PICTURES], chapters={"Start": (0, 1), "The goal": (1, 2)})
    decoded = decode_here(write_film(tmp_path / f"a.{extension}", film))
    assert decoded.chapters == (Caption(0, 1, "Start"), Caption(1, 2, "The goal"))


def test_captions_are_bounded(tmp_path: Path) -> None:
    """In length, number and bytes."""
    lines = [(index / 100, index / 100 + 0.01, "a" * 2000) for index in range(100)]
    path = write_film(tmp_path / "a.mkv", Film([PICTURES, Subtitles(lines)]))
    few, short = CaptionReader(max_captions=60), CaptionReader(max_bytes=20_000)
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            few.read(packet)
            short.read(packet)
    assert (len(few.captions), {len(each.text) for each in few.captions}) == (60, {MAX_CAPTION_CHARS})
    assert 0 < len(short.captions) < 11


def test_nothing_is_read_if_the_operator_wants_no_speech(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", Film([PICTURES, Subtitles([(0, 1, "hello")])]))
    (tmp_path / "a.srt").write_text(SRT.format("hello"))
    assert decode_here(path, wants_speech=False).speech == ()


# ---- sidecars ----


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("film.srt", SRT),
        ("film.ko.srt", SRT),
        ("film.kor.SRT", SRT),
        ("Film.ko-KR.vtt", VTT),
        ("film.korean.ass", ASS),
        ("film.ko.sdh.ass", ASS),
        ("film.vtt", VTT),
        ("film.smi", SMI),
    ],
)
def test_subtitle_file_beside_a_film_is_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text.format("강아지가 달린다"))
    decoded = decode_here(media.write_video(tmp_path / "film.mkv", 2))
    assert decoded.speech == (Caption(0.5, 1.5, "강아지가 달린다"),)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("영상.한국어.srt", "ko"),
        ("영상.简体中文.srt", "zh"),
        ("영상.zht.srt", "zh"),
        ("영상.en.hi.cc.default.srt", "en"),
        ("영상.en(sdh).srt", "en"),
        ("영상 [ko].srt", "ko"),
        ("영상.ja.[cc].srt", "ja"),
        ("영상.chs&eng.ass", "zh"),
        ("영상.简体&英文.srt", "zh"),
        ("영상.繁中.srt", "zh"),
        ("영상.big5.srt", "zh"),
        ("영상.mkv.ko.srt", "ko"),
        ("영상.mkv.srt", None),
        (unicodedata.normalize("NFD", "영상.ko.srt"), "ko"),
    ],
)
def test_name_of_a_subtitle_file_is_understood(tmp_path: Path, name: str, language: str | None) -> None:
    """Languages by their own names, any number of marks, and Hangul that is stored in parts."""
    (tmp_path / name).touch()
    assert [each.language for each in sidecars.find_sidecars(tmp_path / "영상.mkv")] == [language]


@pytest.mark.parametrize(
    "name",
    [
        "film2.srt",
        "film 2.srt",
        "film-ko.srt",
        "film [director's cut].srt",
        "film.part2.srt",
        "other.srt",
        "film.txt",
        "film.mkv.frames",
    ],
)
def test_file_of_another_film_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SRT.format("hello"))
    path = media.write_video(tmp_path / "film.mkv", 2)
    if name.endswith(".frames"):
        path = path.rename(tmp_path / "film.avi.mkv")
    assert decode_here(path).speech == ()


def test_files_in_several_languages_are_read_before_tracks(tmp_path: Path) -> None:
    film = Film([PICTURES, Subtitles([(0, 1, "inside")], "eng"), Subtitles([(0, 1, "里面")], "zho")])
    path = write_film(tmp_path / "film.mkv", film)
    (tmp_path / "film.en.srt").write_text(SRT.format("beside"))
    (tmp_path / "film.kor.srt").write_text(SRT.format("옆에"))
    (tmp_path / "film.fr.srt").write_text(SRT.format("à côté"))
    assert sorted(read_speech(decode_here(path))) == ["beside", "里面", "옆에"]


@pytest.mark.parametrize("text", [SRT.replace("\n", "\r"), VTT, ASS, SMI.lower()])
def test_subtitle_file_is_read_by_its_content(tmp_path: Path, text: str) -> None:
    """Some have the ending of another format, or the line ends of old Macs."""
    (tmp_path / "film.srt").write_bytes(text.format("hello").encode())
    [[caption]] = sidecars.read_sidecars(tmp_path / "film.mkv").values()
    assert (caption.start_s, caption.text) == (0.5, "hello")


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("film.srt", "utf-8-sig", "강아지가 눈 위를 달린다"),
        ("film.srt", "utf-16", "강아지가 눈 위를 달린다"),
        ("film.srt", "cp949", "강아지가 눈 위를 달린다"),
        ("film.ko.srt", "euc-kr", "강아지"),
        ("film.zh.srt", "gb18030", "小狗在雪地里奔跑"),
        ("film.cht.srt", "big5", "小狗在雪地裡奔跑"),
    ],
)
def test_subtitle_file_in_any_encoding_is_read(tmp_path: Path, name: str, encoding: str, text: str) -> None:
    (tmp_path / name).write_bytes(SRT.format(text).encode(encoding))
    assert read_speech(decode_here(media.write_video(tmp_path / "film.mkv", 2))) == [text]


def test_broken_or_large_subtitle_file_does_no_harm(tmp_path: Path) -> None:
    """Of a large file, the beginning is read."""
    (tmp_path / "film.en.srt").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "film.ko.srt").write_text(SRT.format("안녕") + "\n" * 1000 + SRT.format("나중"))
    tracks = sidecars.read_sidecars(tmp_path / "film.mkv", max_bytes=1000)
    assert [caption.text for captions in tracks.values() for caption in captions] == ["안녕"]


# ---- languages ----


@pytest.mark.parametrize(
    ("names", "language"),
    [
        (("en", "eng", "en-US", "en_GB", "EN", "English"), "en"),
        (("ko", "kor", "ko-KR", "Korean"), "ko"),
        (("zh", "chi", "zho", "zh-Hans", "zh_TW", "cmn", "yue", "chs"), "zh"),
        (("de", "ger", "deu"), "de"),
        ((None, "", "und", "mul"), None),
    ],
)
def test_all_names_of_a_language_are_normalized_to_one(names: tuple[str | None, ...], language: str | None) -> None:
    assert {normalize_language(name) for name in names} == {language}
