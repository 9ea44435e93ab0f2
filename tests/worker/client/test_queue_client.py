"""Calls and followed jobs, over both kinds of queue and through the relay."""

import asyncio
import json
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from indexer.stages import IndexStage
from tests.support.servers.network import free_port
from tests.support.servers.processes import SIGNING_KEY
from tests.support.servers.redis import running_redis
from tests.support.worker.echo_worker_process import CALLER, INDEXED, EchoQueues
from worker.client import relay
from worker.client.queue_client import QueueClient, connect_client
from worker.protocol.base import Caller, CallFailedError, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus
from worker.protocol.queues import INDEX_TASK
from worker.protocol.updates import IndexProgress
from worker.queue.signing import send_signed
from worker.queue.task_states import state_key
from worker.redis_client import redis_client
from worker.settings import Settings

PROGRESS = IndexProgress(stage=IndexStage.FETCH, done=0.5)


def status_request(user_id: str) -> GetStatus:
    """Return a request whose answer depends on the caller's id; see `tests.support.worker.echo_worker_process`."""
    return GetStatus(caller=Caller(space="local:test", user_id=user_id))


async def test_call_returns_the_answer(client: QueueClient) -> None:
    assert (await client.call(status_request("starter"))).videos == 1


async def test_a_thousand_pending_calls_use_no_thread_each(client: QueueClient) -> None:
    """1,000 calls at once each get their own answer, without a thread for each."""
    answers = await asyncio.gather(*(client.call(status_request(f"p{i}")) for i in range(1_000)))
    assert [answer.preset for answer in answers] == [f"p{i}" for i in range(1_000)]
    assert threading.active_count() < 60


async def test_refused_call_raises_the_worker_s_code_and_correlation_id(client: QueueClient) -> None:
    with pytest.raises(CallFailedError) as failed:
        await client.call(status_request("refused"))
    assert (failed.value.code, failed.value.correlation_id) == (ErrorCode.NOT_IN_LIBRARY, "abc")


async def test_task_that_raises_is_an_internal_failure(client: QueueClient) -> None:
    """The caller gets the code `internal`, and nothing of the exception's message."""
    with pytest.raises(CallFailedError) as failed:
        await client.call(status_request("broken"))
    assert failed.value.code is ErrorCode.INTERNAL
    assert "secret" not in str(failed.value)


async def test_follow_yields_progress_then_the_result(client: QueueClient, queues: EchoQueues) -> None:
    """A job's updates arrive while it runs and end with its result. A late follower gets only the result."""
    send_signed(queues.sender, INDEX_TASK, "v", task_id="job", queue="index")
    updates = []
    async with aclosing(client.follow("job")) as following:
        async for update in following:
            updates.append(update)
            queues.open_gate()
    assert updates == [PROGRESS, INDEXED]
    assert [update async for update in client.follow("job")] == [INDEXED]


async def test_call_without_a_worker_fails_with_no_worker(tmp_path: Path, clean_redis: str) -> None:
    url = f"{clean_redis.removesuffix('/0')}/1"  # a database that the echo process does not serve
    settings = Settings.model_validate({"data_dir": tmp_path, "redis_url": url, "search_timeout_s": 0.3})
    async with connect_client(settings) as client:
        with pytest.raises(CallFailedError) as failed:
            await client.call(status_request("x"))
    assert failed.value.code is ErrorCode.NO_WORKER


async def test_call_without_redis_fails_with_queue_unavailable(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    settings = Settings.model_validate({"data_dir": tmp_path, "redis_url": url, "search_timeout_s": 10})
    async with connect_client(settings) as client:
        with pytest.raises(CallFailedError) as failed:
            await client.call(status_request("x"))
    assert failed.value.code is ErrorCode.QUEUE_UNAVAILABLE


async def test_follow_continues_after_a_restart_of_redis(tmp_path: Path) -> None:
    """An update that is published after the restart arrives, and nothing is yielded twice."""
    with running_redis(tmp_path) as server:
        settings = Settings.model_validate({"data_dir": tmp_path, "redis_url": server.url, "signing_key": SIGNING_KEY})
        async with connect_client(settings) as client, aclosing(client.follow("job")) as following:
            publish_state(server.url, "PROGRESS", PROGRESS)
            assert await anext(following) == PROGRESS
            following_on = asyncio.ensure_future(anext(following))
            server.stop()
            server.start()
            publish_state(server.url, "SUCCESS", INDEXED)
            assert await following_on == INDEXED


def publish_state(url: str, status: str, result: WireModel) -> None:
    """Store and publish a state of the task `job`, as Celery does."""
    state = json.dumps({"status": status, "result": result.model_dump(mode="json")})
    with redis_client(url) as connection:
        connection.set(state_key("job"), state)
        connection.publish(state_key("job"), state)


class TestRelay:
    """The relay's client behaves as the owner's own client."""

    @pytest.fixture
    def queue_settings(self, tmp_path: Path) -> Settings:
        return Settings(data_dir=tmp_path)

    async def test_call_returns_answers_and_raises_refusals(
        self, client: QueueClient, queue_settings: Settings
    ) -> None:
        async with relay.serve_relay(client, queue_settings), connected(queue_settings) as other:
            assert (await other.call(status_request("starter"))).videos == 1
            with pytest.raises(CallFailedError) as failed:
                await other.call(status_request("refused"))
        assert failed.value.code is ErrorCode.NOT_IN_LIBRARY

    async def test_follow_yields_each_update_while_the_job_runs(
        self, client: QueueClient, queues: EchoQueues, queue_settings: Settings
    ) -> None:
        send_signed(queues.sender, INDEX_TASK, "v", task_id="job", queue="index")
        updates = []
        async with relay.serve_relay(client, queue_settings), connected(queue_settings) as other:
            async for update in other.follow("job"):
                updates.append(update)
                queues.open_gate()
        assert updates == [PROGRESS, INDEXED]

    async def test_thumbnail_returns_the_stored_bytes(self, client: QueueClient, queue_settings: Settings) -> None:
        """A picture that is not stored is a `KeyError`."""
        client._blobs.put("videos/a/1.jpg", b"jpeg")
        async with relay.serve_relay(client, queue_settings), connected(queue_settings) as other:
            assert await other.thumbnail("videos/a/1.jpg") == b"jpeg"
            with pytest.raises(KeyError):
                await other.thumbnail("videos/a/2.jpg")

    async def test_client_is_lost_only_if_the_owner_is_gone(
        self, client: QueueClient, queue_settings: Settings
    ) -> None:
        """A refused call does not make the client look for another owner."""
        owner = AsyncExitStack()
        await owner.enter_async_context(relay.serve_relay(client, queue_settings))
        async with connected(queue_settings) as other:
            with pytest.raises(CallFailedError):
                await other.call(status_request("refused"))
            assert not other.is_lost
            await owner.aclose()
            with pytest.raises(CallFailedError) as failed:
                await other.call(status_request("starter"))
        assert failed.value.code is ErrorCode.NO_WORKER
        assert other.is_lost

    async def test_request_without_the_key_is_refused(self, client: QueueClient, queue_settings: Settings) -> None:
        """The key is in a file that only its user can read."""
        async with relay.serve_relay(client, queue_settings):
            address_file = queue_settings.data_dir / "owner.json"
            assert stat.S_IMODE(address_file.stat().st_mode) == 0o600
            url = f"http://127.0.0.1:{json.loads(address_file.read_text())['port']}/call/{GetStatus.task}"
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json=status_request("x").model_dump()) as response,
            ):
                assert response.status == 401

    async def test_connecting_without_an_owner_raises(self, tmp_path: Path) -> None:
        """The address file of a killed owner makes no difference."""
        settings = Settings(data_dir=tmp_path)
        with pytest.raises(relay.NoRelayError):
            async with connect_client(settings):
                pass
        (tmp_path / "owner.json").write_text(f'{{"port": {free_port()}, "key": "k"}}')
        with pytest.raises(relay.NoRelayError):
            async with connect_client(settings):
                pass


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[relay.RelayClient]:
    """Connect through the relay."""
    async with connect_client(settings) as client:
        assert isinstance(client, relay.RelayClient)
        yield client


def test_caller_without_a_well_formed_space_is_invalid() -> None:
    assert CALLER.space == "local:test"
    with pytest.raises(ValueError, match="space"):
        Caller(space="everyone", user_id="ann")
