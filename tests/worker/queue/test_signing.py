"""Signed tasks: forged messages on a real Redis, handled by a real worker."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from celery import Celery

from tests.support.servers.processes import REELSEEK, Process, run_process
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus
from worker.protocol.queues import CATCH_UP_TASK, INDEX_TASK, RETRAIN_TASK, request_task
from worker.protocol.requests import REQUESTS
from worker.protocol.spaces import ChangeSettings, GetSettings, SpaceSettings
from worker.protocol.updates import JobFailed
from worker.queue.app import make_app
from worker.queue.signing import ForgedTaskError, TaskSigner
from worker.settings import Settings

TASK: Final = request_task(ChangeSettings)
KEY, OTHER_KEY = "k" * 32, "o" * 32


@dataclass(frozen=True)
class Installation:
    """A worker process, and a sender that can write any message to its queue."""

    app: Celery
    worker: Process

    def send(self, task: str, *arguments: object, task_id: str | None = None) -> dict[str, Any]:
        """Send a message, signed or not, and return the worker's answer."""
        task_id = task_id or uuid.uuid4().hex
        self.app.send_task(task, list(arguments), task_id=task_id, queue="train")
        # Celery takes a process that has run workers in threads, as other tests do, for a task.
        answer: dict[str, Any] = self.app.AsyncResult(task_id).get(timeout=30, disable_sync_subtasks=False)
        return answer

    def get_submitters(self, space: str) -> str:
        """Return a setting of the space."""
        request = GetSettings(caller=Caller(space=space, user_id="ann")).model_dump(mode="json")
        task = request_task(GetSettings)
        return SpaceSettings.model_validate(self.send(task, TaskSigner(KEY).sign(task, "1", request))).submitters


@pytest.fixture(scope="module")
def installation(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("data")
    environment = {"REELSEEK_REDIS_URL": redis_url, "REELSEEK_SIGNING_KEY": KEY}
    app = make_app(Settings.model_validate({"data_dir": folder, "redis_url": redis_url, "signing_key": KEY}))
    # Every worker has every task; only this one needs no model to start.
    with run_process([REELSEEK, "worker", "--queues", "train"], folder, **environment) as worker:
        worker.wait_for("worker.ready")
        yield Installation(app, worker)


def body(is_admin: bool) -> dict[str, Any]:
    """Return the body of a request that only admins may send."""
    caller = Caller(space="local:test", user_id="eve", is_admin=is_admin)
    return ChangeSettings(caller=caller, settings=SpaceSettings(submitters="admins")).model_dump(mode="json")


FORGERIES: Final[dict[str, Callable[[], object]]] = {
    "no signature": lambda: body(is_admin=True),
    "text": lambda: "not signed",
    "another key": lambda: TaskSigner(OTHER_KEY).sign(TASK, "1", body(is_admin=True)),
    "signed for another task": lambda: TaskSigner(KEY).sign(request_task(GetStatus), "1", body(is_admin=True)),
    "changed content": lambda: TaskSigner(KEY).sign(TASK, "1", body(is_admin=False)).replace("false", "true"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_task_is_refused_and_changes_nothing(installation: Installation, forgery: str) -> None:
    """The answer has the code `forged` and a correlation id that the log has too."""
    answer = JobFailed.model_validate(installation.send(TASK, FORGERIES[forgery]()))
    assert answer.code is ErrorCode.FORGED
    assert installation.get_submitters("local:test") == "everyone"
    assert answer.correlation_id is not None
    assert "task.forged" in installation.worker.wait_for(answer.correlation_id)


def test_redelivered_request_is_not_handled_again(installation: Installation) -> None:
    """A copy that arrives after a later request does not undo that request."""

    def sign_change(submitters: str) -> str:
        caller = Caller(space="local:again", user_id="eve", is_admin=True)
        settings = SpaceSettings.model_validate({"submitters": submitters})
        request = ChangeSettings(caller=caller, settings=settings).model_dump(mode="json")
        return TaskSigner(KEY).sign(TASK, "1", request)

    first = sign_change("admins")
    installation.send(TASK, first, task_id="once")
    installation.send(TASK, sign_change("everyone"))
    installation.app.send_task(TASK, [first], task_id="once", queue="train")
    assert installation.get_submitters("local:again") == "everyone"


@pytest.mark.parametrize("task", [*map(request_task, REQUESTS), INDEX_TASK, RETRAIN_TASK, CATCH_UP_TASK])
def test_every_task_requires_a_signature(installation: Installation, task: str) -> None:
    assert installation.send(task, "video")["code"] == ErrorCode.FORGED
    assert installation.send(task)["code"] == ErrorCode.FORGED


def test_signed_request_is_handled(installation: Installation) -> None:
    """The body of the forgeries, signed: it is refused for a user who is not an admin, and accepted for an admin."""
    signed = {is_admin: TaskSigner(KEY).sign(TASK, "1", body(is_admin)) for is_admin in (False, True)}
    assert installation.send(TASK, signed[False])["code"] == ErrorCode.ADMINS_ONLY
    assert installation.send(TASK, signed[True])["submitters"] == "admins"
    assert installation.get_submitters("local:test") == "admins"


@pytest.mark.unit
def test_signature_expires() -> None:
    """Old signatures are refused, with allowance for clock skew. The error does not contain what was signed."""
    signed = TaskSigner(KEY).sign(TASK, "1", "a secret")
    assert TaskSigner(KEY).verify(TASK, signed, 0.0) == ("1", "a secret")
    with pytest.raises(ForgedTaskError) as refused:
        TaskSigner(KEY).verify(TASK, signed, -120.0)
    assert "secret" not in str(refused.value)


@pytest.mark.unit
@pytest.mark.usefixtures("no_dotenv")
@pytest.mark.parametrize("key", ["", "short"])
def test_redis_url_without_a_long_key_is_invalid(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says how to make a key. The embedded form needs none."""
    monkeypatch.setenv("REELSEEK_SIGNING_KEY", key)
    with pytest.raises(ValueError, match="openssl rand -hex 32"):
        Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0"})
    assert Settings(data_dir=tmp_path).redis_url is None
