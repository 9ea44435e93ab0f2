"""The command line, which works through a running owner of the data: in this process, and where it matters as one."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import typer

from bots.cli.environment import CALLER
from bots.commands.definition import Surface
from bots.commands.registry import list_commands
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from bots.main import build_app
from tests.support.bots.command_line import RUN_MAIN, Finished, run_here, run_process
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, generation
from tests.support.servers.processes import parse_json_lines
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.protocol.search import Find
from worker.settings import Settings

Run: TypeAlias = Callable[..., Finished]


@pytest.fixture
def reelseek(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: a process takes a second to start."""
    return partial(run_here, monkeypatch, capsys)


def json_lines(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.answers.splitlines()]


def test_find_prints_documented_json_with_paths_of_thumbnails(running: Settings, client: FakeClient) -> None:
    done = run_process("find", "dog", "--limit", "1", "--in", SNOW.link, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [answer] = parse_json_lines(done.stdout)
    assert list(answer) == ["query", "took_ms", "weak", "hits"]
    assert answer["query"] == "dog"
    assert answer["took_ms"] > 0
    assert answer["hits"] == [
        {
            "link": SNOW.link,
            "moment_link": f"{SNOW.link}#t=0",
            "title": SNOW.title,
            "start_s": 0,
            "end_s": 6,
            "score": 1.0,
            "strength": "strong",
            "why": ["looks like it"],
            "reasons": [{"kind": "looks", "snippet": None, "at_s": None, "end_s": None}],
            "opens_at_s": 0,
            "tags": [],
            "thumbnail": f"{running.data_dir}/blobs/thumbnails/{SNOW.id}.jpg",
            "more": 0,
        }
    ]
    assert client.requests == [Find(caller=CALLER, queries=("dog",), in_link=SNOW.link, limit=1)]


def test_find_prints_titles_times_and_links(running: Settings, reelseek: Run) -> None:
    """A search without results is a success."""
    done = reelseek("find", "cat")
    assert done.status == 0
    assert all(text in done.answers for text in (SNOW.title, "0:12–0:18", f"{SNOW.link}#t=12", "looks like it"))
    nothing = reelseek("find", "zebra")
    assert (nothing.status, nothing.answers.strip()) == (0, translate(Msg.NO_HITS))


def test_refused_search_exits_with_status_1_and_prints_its_code(running: Settings, reelseek: Run) -> None:
    done = reelseek("find", " ... ", "--json")
    assert done.status == 1
    assert json_lines(done) == [
        {"code": "empty_query", "sentence": translate(ErrorCode.EMPTY_QUERY), "correlation_id": None}
    ]


def test_index_prints_one_json_object_per_link(
    running: Settings, reelseek: Run, client: FakeClient, tmp_path: Path
) -> None:
    """Local files become links. One failed link makes the exit status 1."""
    clip = tmp_path / "a clip.mp4"
    clip.touch()
    client.sites = {"https://video.example/gone": ErrorCode.NOT_FOUND}
    done = reelseek("index", "a clip.mp4", "https://video.example/gone", SNOW.link, "nonsense", "--json")
    assert done.status == 1
    answers = {answer.pop("link"): answer for answer in json_lines(done)}
    assert answers == {
        clip.as_uri(): {"status": "indexed", "code": None, "sentence": "Added “a%20clip.mp4”.", "moments": 1},
        SNOW.link: {
            "status": "already",
            "code": None,
            "sentence": "“Dogs in snow” is already in the library.",
            "moments": 3,
        },
        "https://video.example/gone": {
            "status": "failed",
            "code": "not_found",
            "sentence": translate(ErrorCode.NOT_FOUND),
            "moments": 0,
        },
        "nonsense": {
            "status": "failed",
            "code": "not_a_link",
            "sentence": translate(ErrorCode.NOT_A_LINK),
            "moments": 0,
        },
    }
    assert all(request.local_files for request in client.requests if isinstance(request, Submit))


def test_commands_act_on_the_space_that_is_named(running: Settings, reelseek: Run, client: FakeClient) -> None:
    """As an admin of it. What they add is not in the library of this computer."""
    added = reelseek("index", "https://video.example/new", "--space", "discord:123", "--json")
    assert added.status == 0
    assert [
        json_lines(reelseek("library", "--json", *space))[0]["total"] for space in ([], ["--space", "discord:123"])
    ] == [
        3,
        1,
    ]
    crawled = reelseek("crawl", "https://video.example/list", "--most", "2", "--space", "slack:T1", "--json")
    assert [line["status"] for line in json_lines(crawled)] == ["indexed", "indexed"]
    assert {(request.caller.space, request.caller.is_admin) for request in client.requests} == {
        ("local:me", True),
        ("discord:123", True),
        ("slack:T1", True),
    }


def test_lists_are_followed_on_the_command_line(running: Settings, reelseek: Run) -> None:
    link, space = "https://video.example/channel", ["--space", "discord:123"]
    assert reelseek("follow", link, *space).status == 0
    [listed] = json_lines(reelseek("follow", "--json", *space))
    assert [each["link"] for each in listed["lists"]] == [link]
    assert json_lines(reelseek("follow", "--json")) == [{"lists": []}]
    assert reelseek("unfollow", link, *space).status == 0
    assert reelseek("unfollow", link, *space).status == 1


SPACE_COMMANDS = (
    "index x, crawl x, find x, library, topics, describe x, ask x, forget x, "
    "status, model, retrain, follow, unfollow x, console"
)


def test_every_command_on_a_library_takes_a_space() -> None:
    command = typer.main.get_command(build_app())
    for name in ("console", *(each.name for each in list_commands(Surface.COMMAND_LINE))):
        assert "space" in {parameter.name for parameter in command.commands[name].params}, name  # type: ignore[attr-defined]  # it is a group


@pytest.mark.parametrize(
    ("command", "space"),
    [
        *((command, "discord:me") for command in SPACE_COMMANDS.split(", ")),
        *(("library", space) for space in ("discord", "discord:", "slack:t1", "discord:1/55", "me", "", "slack:T1 x")),
    ],
)
def test_space_that_does_not_exist_is_refused_with_a_sentence(
    settings: Settings, reelseek: Run, command: str, space: str
) -> None:
    finished = reelseek(*command.split(), "--space", space)
    assert (finished.status, finished.answers) == (2, "")
    assert finished.notes.strip() == translate(CliMsg.BAD_SPACE, space=space)


def test_files_of_this_computer_are_added_to_other_spaces_only_if_the_operator_says_so(
    running: Settings, reelseek: Run, client: FakeClient, tmp_path: Path
) -> None:
    """A word can be the name of a file by chance. Without the option, the worker would refuse them as well."""
    (tmp_path / "dog.mp4").touch()
    refused = reelseek("index", "dog.mp4", "https://video.example/new", "--space", "discord:123")
    assert refused.status == 2
    assert translate(CliMsg.FILES_ARE_LOCAL, space="discord:123") in refused.notes
    assert client.requests == []
    assert reelseek("index", "https://video.example/new", "--space", "discord:123").status == 0
    assert reelseek("index", "dog.mp4", "--space", "discord:123", "--local-files").status == 0
    assert [request.local_files for request in client.requests if isinstance(request, Submit)] == [False, True]


def test_forgotten_video_is_no_longer_in_the_library(running: Settings, reelseek: Run) -> None:
    done = reelseek("forget", GOAL.link, "--json")
    assert (done.status, json_lines(done)) == (0, [{"links": [GOAL.link], "sentence": f"Removed: {GOAL.link}"}])
    [listing] = json_lines(reelseek("library", "--json"))
    assert (listing["total"], [video["title"] for video in listing["videos"]]) == (2, [SNOW.title, "A talk"])
    assert "words only" in reelseek("library").answers


def test_failure_prints_sentence_and_correlation_id_without_traceback(
    running: Settings, reelseek: Run, client: FakeClient
) -> None:
    client.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    done = reelseek("library")
    assert done.status == 1
    assert translate(ErrorCode.STORE_UNAVAILABLE) in done.answers
    assert "abc123" in done.answers
    assert "Traceback" not in done.answers + done.notes


def test_forget_mine_removes_what_the_command_line_added_to_the_space(
    running: Settings, client: FakeClient, reelseek: Run
) -> None:
    client.videos += [replace(SNOW, submitter="cli"), replace(SNOW, submitter="cli", space="discord:123")]
    forgotten = reelseek("forget", "--mine", "--space", "discord:123", "--json")
    assert json.loads(forgotten.answers)["links"] == [SNOW.link]
    assert [(video.space, video.submitter) for video in client.videos[-1:]] == [("local:me", "cli")]
    refused = reelseek("forget")
    assert (refused.status, refused.answers.strip()) == (1, translate(Msg.WHICH_LINK))


def test_retrain_of_a_space_is_previewed_run_and_cancelled(
    running: Settings, client: FakeClient, reelseek: Run
) -> None:
    """The preview names the command that starts it, and the result the file of the training curves."""
    space = ("--space", "discord:123")
    preview = reelseek("retrain", *space)
    assert preview.answers.splitlines()[-1] == "reelseek retrain start --space discord:123"
    curves = f"{running.data_dir}/blobs/thumbnails/{SNOW.id}.jpg"
    started = reelseek("retrain", "start", *space)
    assert translate(Msg.PROMOTED, before="50 %", after="60 %", questions=40) in started.answers.replace("\n", " ")
    assert translate(CliMsg.CURVES, file=curves) in started.answers
    answers = reelseek("retrain", "start", *space, "--json").answers.splitlines()
    assert json.loads(answers[-1])["picture"] == curves
    cancelled = reelseek("retrain", "cancel", *space)
    assert cancelled.answers.strip() == translate(Msg.RETRAIN_ENDS)
    assert {request.caller.space for request in client.requests} == {"discord:123"}


@pytest.mark.parametrize(
    ("arguments", "env", "status", "words"),
    [
        (["library"], {"REELSEEK_WEB_PORT": "many"}, 2, "REELSEEK_WEB_PORT"),
        (["library"], {"REELSEEK_DATA_DIR": "/proc/nowhere"}, 1, "/proc/nowhere"),
        (["worker"], {}, 1, "REELSEEK_REDIS_URL"),
        (["up"], {"REELSEEK_REDIS_URL": "redis://127.0.0.1:1"}, 1, "REELSEEK_REDIS_URL"),
        (["worker", "--queues", "serach"], {"REELSEEK_REDIS_URL": "redis://127.0.0.1:1"}, 2, "serach"),
    ],
)
def test_wrong_use_is_named_in_a_sentence_without_traceback(
    settings: Settings,
    reelseek: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    env: dict[str, str],
    status: int,
    words: str,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = reelseek(*arguments)
    assert done.status == status
    assert words in done.notes
    assert "Traceback" not in done.notes


@pytest.mark.parametrize(
    ("env", "language"),
    [
        ({"LC_ALL": "ko_KR.UTF-8", "LANG": "zh_CN.UTF-8"}, "ko"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, "en"),
    ],
)
def test_command_line_uses_the_language_of_the_environment(
    settings: Settings, reelseek: Run, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], language: str
) -> None:
    for name, value in (env | {"REELSEEK_WEB_PORT": "many"}).items():
        monkeypatch.setenv(name, value)
    done = reelseek("library")
    with use_locale(language):
        assert translate(CliMsg.BAD_SETTING, name="REELSEEK_WEB_PORT", why="") in done.notes


def test_web_prints_its_address_and_serves_until_ctrl_c(running: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status after Ctrl-C is 0."""
    monkeypatch.setenv("REELSEEK_WEB_PORT", "0")
    command = [sys.executable, "-c", RUN_MAIN, "web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=10) as response:
            assert response.read() == b"ok"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("platform", ["discord", "slack"])
@pytest.mark.parametrize("redis", ["", "redis://127.0.0.1:1/0"])
def test_bot_without_token_exits_with_status_2_and_names_the_setting(
    settings: Settings, reelseek: Run, monkeypatch: pytest.MonkeyPatch, platform: str, redis: str
) -> None:
    if redis:
        monkeypatch.setenv("REELSEEK_REDIS_URL", redis)
    done = reelseek(platform)
    assert (done.status, done.answers) == (2, "")
    assert "REELSEEK_" in done.notes
    assert len(done.notes.splitlines()) == 1


def test_model_lists_generations_and_rolls_back(running: Settings, reelseek: Run, client: FakeClient) -> None:
    client.models.insert(0, generation("starter-1", live=False))
    shown = reelseek("model")
    assert shown.status == 0
    assert [line.split(",")[0] for line in shown.answers.splitlines()] == ["starter-1", "starter-0"]
    assert reelseek("model", "rollback").status == 0


def test_backup_can_be_restored(
    settings: Settings, reelseek: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder without a backup is refused with a sentence."""
    made = reelseek("backup", str(tmp_path / "kept"))
    assert (made.status, str(tmp_path / "kept") in made.answers) == (0, True)
    monkeypatch.setenv("REELSEEK_DATA_DIR", str(tmp_path / "new"))
    back = reelseek("restore", str(tmp_path / "kept"))
    assert (back.status, back.answers) == (0, "Restored: 0 videos, 0 moments. You can start Reelseek now.\n")
    none = reelseek("restore", str(tmp_path / "nothing"))
    assert (none.status, translate(ErrorCode.BACKUP_DAMAGED) in none.notes.replace("\n", " ")) == (1, True)


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_help_is_in_the_language_of_the_environment(
    reelseek: Run, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setenv("COLUMNS", "200")
    commands = reelseek("--help")
    find = reelseek("find", "--help")
    assert (commands.status, find.status) == (0, 0)
    with use_locale(language):
        for text in (
            CliMsg.ABOUT,
            CliMsg.COMMANDS_TITLE,
            CliMsg.UP_HELP,
            Msg.FIND_HELP,
            CliMsg.DOCTOR_HELP,
            CliMsg.TRAIN_HELP,
        ):
            assert translate(text) in commands.answers
        for text in (
            CliMsg.ARGUMENTS_TITLE,
            CliMsg.OPTIONS_TITLE,
            Msg.CLI_WORDS_HELP,
            Msg.CLI_IN_HELP,
            CliMsg.CLI_HELP_HELP,
        ):
            assert translate(text) in find.answers


def test_every_option_has_a_help_that_is_translated() -> None:
    """Only the name of a folder speaks for itself."""
    sentences = frozenset(map(str, (*Msg, *CliMsg)))
    command = typer.main.get_command(build_app())
    for name, subcommand in command.commands.items():  # type: ignore[attr-defined]  # it is a group
        assert subcommand.help in sentences, name
        for parameter in subcommand.params:
            assert parameter.help in sentences or parameter.metavar == "FOLDER", (name, parameter.name)
