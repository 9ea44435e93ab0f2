"""`reelseek index --dry-run`: which videos the links in a text are."""

import json
from pathlib import Path
from typing import Any

import pytest

from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from tests.support.bots.command_line import run_here
from worker.protocol.error_codes import ErrorCode

PLAYLIST = translate(ErrorCode.PLAYLIST_REFUSED)
WATCH = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("REELSEEK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dry_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> list[dict[str, Any]]:
        finished = run_here(monkeypatch, capsys, "index", "--dry-run", "--json", *arguments)
        assert (finished.status, finished.notes) == (0, "")
        return [json.loads(line) for line in finished.answers.splitlines()]

    return run


def test_each_link_in_a_text_is_one_object(dry_run: Any) -> None:
    first, second = "https://youtu.be/dQw4w9WgXcQ", "https://m.bilibili.com/video/BV1Q541167Qg?p=2&vd_source=1"
    assert dry_run(f"이거봐{first}, (see {second}).", first) == [
        {"link": first, "canonical": WATCH, "jump": f"{WATCH}&t=75s", "refused": None},
        {
            "link": second,
            "canonical": "https://www.bilibili.com/video/BV1Q541167Qg?p=2",
            "jump": "https://www.bilibili.com/video/BV1Q541167Qg?p=2&t=75",
            "refused": None,
        },
    ]


def test_at_says_which_second_the_link_opens(dry_run: Any) -> None:
    [report] = dry_run("https://www.twitch.tv/videos/12", "--at", "3671.5")
    assert report["jump"] == "https://www.twitch.tv/videos/12?t=1h1m11s"
    [report] = dry_run(WATCH, "--at", "0")
    assert report["jump"] == WATCH


@pytest.mark.parametrize(
    ("link", "canonical", "code"),
    [
        ("https://www.youtube.com/@someone", None, ErrorCode.PLAYLIST_REFUSED),
        ("FILE:///etc/passwd", None, ErrorCode.SCHEME_REFUSED),
        ("http://127.0.0.1:8000/a.mp4", "http://127.0.0.1:8000/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("http://localhost/a.mp4", "http://localhost/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("file:///no/such/file.mp4", None, ErrorCode.NOT_A_LINK),
    ],
)
def test_refused_link_has_its_sentence(dry_run: Any, link: str, canonical: str | None, code: ErrorCode) -> None:
    assert dry_run(link) == [{"link": link, "canonical": canonical, "jump": None, "refused": translate(code)}]


@pytest.mark.parametrize("text", ["1.0/0.0", "a dog in snow", "me@example.com", "no-such-file.mp4", "x" * 5000])
def test_text_without_links_has_no_object(dry_run: Any, text: str) -> None:
    assert dry_run(text) == []


def test_local_file_is_its_address(dry_run: Any, folder: Path) -> None:
    clip = folder / "my clip.mp4"
    clip.touch()
    assert dry_run("my clip.mp4") == [
        {"link": clip.as_uri(), "canonical": clip.as_uri(), "jump": f"{clip.as_uri()}#t=75", "refused": None}
    ]


def test_sentences_without_json_and_nothing_is_stored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    finished = run_here(monkeypatch, capsys, "index", "--dry-run", f"{WATCH} https://www.youtube.com/@me")
    assert f"{WATCH}&t=75s" in finished.answers
    assert PLAYLIST in finished.answers
    assert run_here(monkeypatch, capsys, "index", "--dry-run", "none").notes.strip() == CliMsg.NO_LINK_IN_TEXT
    assert [each for each in folder.rglob("*") if each.is_file()] == []
