"""The command line as plain processes, working through a running owner of the data."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bots.cli import app
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.support.fake_client import GOAL, SNOW, FakeClient, generation
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import CallFailedError, Find, Submit
from worker.settings import Settings


def reelseek(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from bots.cli.app import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | env)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_find_json(running: Settings, client: FakeClient) -> None:
    """The JSON of a search has the documented keys, and paths that lead to the thumbnails."""
    done = reelseek("find", "dog", "--limit", "1", "--in", SNOW.link, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [answer] = lines(done)
    assert list(answer) == ["query", "took_ms", "hits"]
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
            "why": ["looks like it"],
            "thumbnail": f"{running.data_dir}/blobs/thumbnails/{SNOW.id}.jpg",
            "more": 0,
        }
    ]
    assert client.asked == [Find(caller=app.CALLER, queries=("dog",), in_link=SNOW.link, limit=1)]


def test_find_in_words(running: Settings) -> None:
    """Without `--json` a person reads titles, times and whole links; finding nothing is an answer too."""
    done = reelseek("find", "cat")
    assert done.returncode == 0
    assert all(text in done.stdout for text in (SNOW.title, "0:12–0:18", f"{SNOW.link}#t=12", "looks like it"))
    nothing = reelseek("find", "zebra")
    assert (nothing.returncode, nothing.stdout.strip()) == (0, translate(Msg.NO_HITS))


def test_a_refused_search_is_no_success(running: Settings) -> None:
    """What was not done ends with a status other than 0 and says why, in JSON too."""
    done = reelseek("find", " ", "--json")
    assert done.returncode == 1
    assert lines(done) == [
        {"code": "empty_query", "sentence": translate(ErrorCode.EMPTY_QUERY), "correlation_id": None}
    ]


def test_index_json(running: Settings, client: FakeClient, tmp_path: Path) -> None:
    """Each link has one object, local files are links, and one failure makes the whole no success."""
    clip = tmp_path / "a clip.mp4"
    clip.touch()
    client.sites = {"https://video.example/gone": ErrorCode.NOT_FOUND}
    done = reelseek("index", "a clip.mp4", "https://video.example/gone", SNOW.link, "nonsense", "--json")
    assert done.returncode == 1
    answers = {answer.pop("link"): answer for answer in lines(done)}
    assert answers == {
        clip.as_uri(): {"status": "indexed", "code": None, "sentence": "Added “a%20clip.mp4”.", "moments": 1},
        SNOW.link: {
            "status": "already",
            "code": None,
            "sentence": "“Dogs in snow” is in the library already.",
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
    assert all(isinstance(request, Submit) and request.local_files for request in client.asked)


def test_library_and_forget(running: Settings) -> None:
    """The library is listed whole; what was forgotten is gone."""
    done = reelseek("forget", GOAL.link, "--json")
    assert (done.returncode, lines(done)) == (0, [{"links": [GOAL.link], "sentence": f"Forgotten: {GOAL.link}"}])
    [shelf] = lines(reelseek("library", "--json"))
    assert (shelf["total"], [video["title"] for video in shelf["videos"]]) == (2, [SNOW.title, "A talk"])
    assert "words only" in reelseek("library").stdout


def test_surprises_reach_the_log_not_the_person(running: Settings, client: FakeClient) -> None:
    """A failure shows a sentence and a reference; neither stream holds a traceback."""
    client.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    done = reelseek("library")
    assert done.returncode == 1
    assert translate(ErrorCode.STORE_UNAVAILABLE) in done.stdout
    assert "abc123" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


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
def test_wrong_use_is_a_sentence(
    settings: Settings, arguments: list[str], env: dict[str, str], status: int, words: str
) -> None:
    """What the operator got wrong is named, without a traceback."""
    done = reelseek(*arguments, **env)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("env", "spoken"),
    [
        ({"LC_ALL": "ko_KR.UTF-8", "LANG": "zh_CN.UTF-8"}, "ko"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, "en"),
    ],
)
def test_the_language_of_the_environment(settings: Settings, env: dict[str, str], spoken: str) -> None:
    """The command line speaks the language that the environment names."""
    done = reelseek("library", REELSEEK_WEB_PORT="many", PYTHONUTF8="1", **env)
    with use_locale(spoken):
        assert translate(Msg.BAD_SETTING, name="REELSEEK_WEB_PORT", why="") in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_closes_what_it_has_open(number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM cancel the work, whose last lines still run, also where they are repeated meanwhile."""
    closed, told = [], []

    async def work() -> bool:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.to_thread(lambda: None)
            closed.append(number)
        return True

    assert asyncio.run(app.stoppable(work(), lambda: told.append(number))) is None
    assert closed == told == [number]


def test_work_that_ends_gives_its_result() -> None:
    """Nothing is lost by being able to stop."""

    async def work() -> int:
        return 7

    assert asyncio.run(app.stoppable(work())) == 7


def test_web_serves_until_it_is_stopped(running: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`reelseek web` says where it listens, answers there, and Ctrl-C is a good end."""
    monkeypatch.setenv("REELSEEK_WEB_PORT", "0")
    command = [sys.executable, "-c", "from bots.cli.app import main; main()", "web"]
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
def test_a_bot_without_its_token_says_so(settings: Settings, platform: str, redis: str) -> None:
    """One sentence that says which setting is missing, and status 2."""
    env = {"REELSEEK_REDIS_URL": redis} if redis else {}
    done = reelseek(platform, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "REELSEEK_" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_models_are_shown_and_gone_back(running: Settings, client: FakeClient) -> None:
    """The shell can do what an admin can in the chat."""
    client.models.insert(0, generation("starter-1", live=False))
    shown = reelseek("model")
    assert shown.returncode == 0
    assert [line.split(",")[0] for line in shown.stdout.splitlines()] == ["starter-1", "starter-0"]
    assert reelseek("model", "rollback").returncode == 0


def test_a_backup_is_taken_back(settings: Settings, tmp_path: Path) -> None:
    """Two commands; what cannot be done is a sentence, and changes nothing."""
    made = reelseek("backup", str(tmp_path / "kept"))
    assert (made.returncode, str(tmp_path / "kept") in made.stdout) == (0, True)
    back = reelseek("restore", str(tmp_path / "kept"), REELSEEK_DATA_DIR=str(tmp_path / "new"))
    assert (back.returncode, back.stdout) == (0, "Restored: 0 videos and 0 moments. Start Reelseek.\n")
    none = reelseek("restore", str(tmp_path / "nothing"))
    assert (none.returncode, translate(ErrorCode.BACKUP_DAMAGED) in none.stderr.replace("\n", " ")) == (1, True)
