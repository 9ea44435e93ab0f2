"""`reelseek find`: a picture, a clip and examples."""

from pathlib import Path
from typing import Any

import pytest

from bots.cli.environment import CALLER
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from tests.support.bots.command_line import run_here
from tests.support.bots.fake_client import FakeClient
from worker.protocol.search import Find
from worker.settings import Settings


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("--picture", "{file}"), {"picture": "eA=="}),
        (("--clip", "{file}"), {"clip": "eA=="}),
        (("this, but at night", "--picture", "{file}"), {"picture": "eA==", "queries": ("at night",)}),
        (("dog", "--like", "snow", "--unlike", "ball"), {"queries": ("dog",), "like": ("snow",), "unlike": ("ball",)}),
    ],
)
def test_find_takes_a_picture_a_clip_and_examples(
    running: Settings,
    client: FakeClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    sent: dict[str, Any],
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    done = run_here(monkeypatch, capsys, "find", *(each.format(file=tmp_path / "file") for each in arguments))
    assert done.status == 0
    assert client.requests == [Find(caller=CALLER, **sent)]


def test_weaker_matches_follow_with_an_option_and_are_named_without_it(
    running: Settings, client: FakeClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client.weaker_follow = True
    first = run_here(monkeypatch, capsys, "find", "dog ships", "--limit", "1")
    assert translate(CliMsg.WEAKER_LEFT_OUT) in " ".join(first.answers.split())
    client.requests.clear()
    assert run_here(monkeypatch, capsys, "find", "dog ships", "--limit", "1", "--weaker").status == 0
    assert [request.offset for request in client.requests if isinstance(request, Find)] == [0, 1]


@pytest.mark.parametrize(
    ("size", "option", "sentence"),
    [
        (None, "--clip", "can't be opened"),
        (0, "--picture", "That picture can't be read"),
        (8_000_001, "--clip", "That clip can't be read"),
    ],
)
def test_file_that_cannot_be_searched_with_is_refused_without_a_request(
    running: Settings,
    client: FakeClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    size: int | None,
    option: str,
    sentence: str,
) -> None:
    if size is not None:
        (tmp_path / "file").write_bytes(bytes(size))
    done = run_here(monkeypatch, capsys, "find", option, str(tmp_path / "file"))
    assert (done.status, sentence in " ".join(done.notes.split())) == (2, True)
    assert client.requests == []
