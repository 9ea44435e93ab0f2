"""Only what this installation sent is done: forged tasks on a real Redis, worked on by the real tasks."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.support.processes import REELSEEK, Process, running
from worker.jobs.index import TASK as INDEX
from worker.jobs.retrain import CATCH_UP
from worker.jobs.retrain import TASK as RETRAIN
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import REQUESTS, Caller, ChangeSettings, GetSettings, JobFailed, SpaceSettings
from worker.queue.app import make_app
from worker.queue.signing import ForgedTaskError, Signing
from worker.settings import Settings

NAME = f"reelseek.{ChangeSettings.task}"
KEY, OTHER_KEY = "k" * 32, "o" * 32


@dataclass(frozen=True)
class Installation:
    """A worker process, and a way to its queue."""

    app: Celery
    worker: Process

    def answer(self, task: str, *arguments: object, task_id: str = "") -> dict[str, Any]:
        """What the worker makes of a message as anyone with access to Redis can write it."""
        task_id = task_id or uuid.uuid4().hex
        self.app.send_task(task, list(arguments), task_id=task_id, queue="train")
        # Celery takes a process that has ever run workers in threads, as other tests do, for a task.
        answer: dict[str, Any] = self.app.AsyncResult(task_id).get(timeout=30, disable_sync_subtasks=False)
        return answer

    @property
    def submitters(self) -> str:
        """What the space has decided."""
        name = f"reelseek.{GetSettings.task}"
        read = GetSettings(caller=Caller(space="local:test", user_id="ann")).model_dump(mode="json")
        return SpaceSettings.model_validate(self.answer(name, Signing(KEY).seal(name, "1", read))).submitters


@pytest.fixture(scope="module")
def installation(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("data")
    given = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_SIGNING_KEY": KEY}
    app = make_app(Settings(data_dir=folder, redis_url=redis_url, signing_key=KEY))  # type: ignore[arg-type]
    # Every worker knows every task; this one alone needs no model to start.
    with running([REELSEEK, "worker", "--queues", "train"], folder, **given) as worker:
        worker.wait_for("worker.ready")
        yield Installation(app, worker)


def body(is_admin: bool) -> dict[str, Any]:
    """What an admin may ask for, and others may not."""
    caller = Caller(space="local:test", user_id="eve", is_admin=is_admin)
    return ChangeSettings(caller=caller, settings=SpaceSettings(submitters="admins")).model_dump(mode="json")


FORGERIES = {
    "no key": lambda: body(is_admin=True),
    "words": lambda: "not signed",
    "another key": lambda: Signing(OTHER_KEY).seal(NAME, "1", body(is_admin=True)),
    "signed for another task": lambda: Signing(KEY).seal("reelseek.status", "1", body(is_admin=True)),
    "another asker": lambda: Signing(KEY).seal(NAME, "1", body(is_admin=False)).replace("false", "true"),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_task_changes_nothing(installation: Installation, how: str) -> None:
    """It is refused with a code, and the log has the id that the answer carries."""
    answer = JobFailed.model_validate(installation.answer(NAME, FORGERIES[how]()))
    assert answer.code is ErrorCode.FORGED
    assert installation.submitters == "everyone"
    assert "task.forged" in installation.worker.wait_for(answer.correlation_id)


def test_a_message_that_comes_again_is_not_done_again(installation: Installation) -> None:
    """Delivered once more after something else was decided, it does not undo that."""

    def decided(submitters: str) -> str:
        caller = Caller(space="local:again", user_id="eve", is_admin=True)
        settings = SpaceSettings.model_validate({"submitters": submitters})
        return Signing(KEY).seal(NAME, "1", ChangeSettings(caller=caller, settings=settings).model_dump(mode="json"))

    first = decided("admins")
    installation.answer(NAME, first, task_id="once")
    installation.answer(NAME, decided("everyone"))
    installation.app.send_task(NAME, [first], task_id="once", queue="train")
    read = GetSettings(caller=Caller(space="local:again", user_id="ann")).model_dump(mode="json")
    name = f"reelseek.{GetSettings.task}"
    assert installation.answer(name, Signing(KEY).seal(name, "1", read))["submitters"] == "everyone"


@pytest.mark.parametrize("task", [*(f"reelseek.{each.task}" for each in REQUESTS), INDEX, RETRAIN, CATCH_UP])
def test_every_task_wants_a_signature(installation: Installation, task: str) -> None:
    """Requests and jobs alike."""
    assert installation.answer(task, "video")["code"] == ErrorCode.FORGED
    assert installation.answer(task)["code"] == ErrorCode.FORGED


def test_what_is_signed_is_done(installation: Installation) -> None:
    """The same bodies, signed: somebody is refused as no admin, an admin is not."""
    sealed = {is_admin: Signing(KEY).seal(NAME, "1", body(is_admin)) for is_admin in (False, True)}
    assert installation.answer(NAME, sealed[False])["code"] == ErrorCode.ADMINS_ONLY
    assert installation.answer(NAME, sealed[True])["submitters"] == "admins"
    assert installation.submitters == "admins"


def test_a_signature_grows_old() -> None:
    """What was signed too long ago is refused, whatever two clocks differ, and what it held is not said."""
    sealed = Signing(KEY).seal(NAME, "1", "a secret")
    assert Signing(KEY).open(NAME, sealed, 0.0) == ("1", "a secret")
    with pytest.raises(ForgedTaskError) as refused:
        Signing(KEY).open(NAME, sealed, -120.0)
    assert "secret" not in str(refused.value)


@pytest.mark.usefixtures("no_dotenv")
@pytest.mark.parametrize("key", ["", "short"])
def test_redis_wants_a_key(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a good key nothing of the grown form starts, and it is said how to make one; embedded needs none."""
    monkeypatch.setenv("REELSEEK_SIGNING_KEY", key)
    with pytest.raises(ValueError, match="openssl rand -hex 32"):
        Settings(redis_url="redis://127.0.0.1:1/0")
    assert Settings(data_dir=tmp_path).redis_url is None
