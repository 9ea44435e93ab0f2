"""Terminals that cannot show every character: all output is shown, with other characters in their place."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bots.cli.encodings import decode_arguments, replace_unknown_characters
from bots.cli.json_output import print_checks
from bots.cli.render import ProgressBars, Terminal
from bots.commands.doctor import CheckLine
from bots.commands.replies import LinkProgress
from bots.main import main

TEXT = "강아지 🐶 小狗 café ━"
ENCODINGS = ["euc_kr", "gbk", "cp949", "ascii", "cp437", "utf-8"]


def use_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Let stdout and stderr be strict streams in an encoding, and prepare them as every command does."""
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
        monkeypatch.setattr(sys, name, stream)
    replace_unknown_characters()


def read_bytes(stream: object) -> bytes:
    assert isinstance(stream, io.TextIOWrapper)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_loses_nothing(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Characters that the encoding does not have are JSON escapes."""
    use_encoding(monkeypatch, encoding)
    print_checks([CheckLine(TEXT, True, TEXT)])
    [check] = json.loads(read_bytes(sys.stdout).decode(encoding))["checks"]
    assert (check["name"], check["detail"]) == (TEXT, TEXT)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_answers_and_progress_bars_are_shown(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    use_encoding(monkeypatch, encoding)
    terminal = Terminal(Console(highlight=False), Console(stderr=True, highlight=False, force_terminal=True))
    terminal.answers.print(TEXT)
    terminal.complain(f"{TEXT} \udcb0")
    with ProgressBars(terminal) as bars:
        bars.update(LinkProgress("https://videos.example/강아지", "임베딩", 0.5))
    assert TEXT.encode(encoding, "replace") in read_bytes(sys.stdout)
    assert b"%" in read_bytes(sys.stderr)


@pytest.mark.parametrize(("encoding", "language"), [("ascii", "ko_KR"), ("euc_kr", "zh_CN"), ("gbk", "ko_KR")])
def test_help_and_errors_are_shown(monkeypatch: pytest.MonkeyPatch, encoding: str, language: str) -> None:
    """Also in a language that the encoding does not have."""
    monkeypatch.setenv("LC_ALL", language)
    use_encoding(monkeypatch, encoding)
    for arguments, status in ((["--help"], 0), (["find", "--limit", "x"], 2)):
        monkeypatch.setattr(sys, "argv", ["reelseek", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        assert (exited.value.code or 0) == status
    assert read_bytes(sys.stdout)


def decode(monkeypatch: pytest.MonkeyPatch, argument: bytes, locale_name: str) -> str:
    monkeypatch.setattr(sys, "argv", ["reelseek", argument.decode("utf-8", "surrogateescape")])
    decode_arguments(locale_name)
    return sys.argv[1]


@pytest.mark.parametrize(
    ("words", "encoding", "locale_name"),
    [("강아지", "euc_kr", "ko_KR.EUC-KR"), ("강아지", "euc_kr", "ko_KR.eucKR@x"), ("小狗", "gbk", "zh_CN.GBK")],
)
def test_arguments_of_a_locale_that_is_not_installed_are_decoded(
    monkeypatch: pytest.MonkeyPatch, words: str, encoding: str, locale_name: str
) -> None:
    """Python then takes UTF-8 for the encoding, and keeps bytes that are none."""
    assert decode(monkeypatch, words.encode(encoding), locale_name) == words
    assert decode(monkeypatch, words.encode(), locale_name) == words


@pytest.mark.parametrize("locale_name", ["", "C", "xx.nonsense"])
def test_arguments_in_an_unknown_encoding_have_their_bytes_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locale_name: str
) -> None:
    """But not those of a file that has such a name."""
    assert decode(monkeypatch, b"\xb0\xa1.mp4", locale_name) == "\ufffd\ufffd.mp4"
    file = bytes(tmp_path / "x.mp4").replace(b"x.mp4", b"\xb0\xa1.mp4")
    with Path(os.fsdecode(file)).open("wb"):
        assert os.fsencode(decode(monkeypatch, file, locale_name)) == file
