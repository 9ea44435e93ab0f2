"""What a frontend may count on when it calls and follows, on both kinds of queue and through the relay."""

import asyncio
import stat
import threading
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import free_port
from tests.support.echo_worker_process import INDEXED
from tests.worker.conftest import CALLER, Queues
from worker.client import relay
from worker.client.queue_client import QueueClient, connect
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, GetStatus, IndexProgress
from worker.queue.signing import send
from worker.settings import Settings


def asking(user_id: str) -> GetStatus:
    return GetStatus(caller=Caller(space="local:test", user_id=user_id))


async def test_call_answers(client: QueueClient) -> None:
    """A request comes back as its own answer."""
    assert (await client.call(asking("starter"))).videos == 1


async def test_a_thousand_calls_wait_without_threads(client: QueueClient) -> None:
    """1,000 calls pending at once each get their own answer, and the process gains no thread for each."""
    answers = await asyncio.gather(*(client.call(asking(f"p{i}")) for i in range(1_000)))
    assert [answer.preset for answer in answers] == [f"p{i}" for i in range(1_000)]
    assert threading.active_count() < 60


async def test_refusal_crosses_as_a_code(client: QueueClient) -> None:
    """A worker's refusal arrives with its code and its incident."""
    with pytest.raises(CallFailedError) as failed:
        await client.call(asking("refused"))
    assert (failed.value.code, failed.value.correlation_id) == (ErrorCode.NOT_IN_LIBRARY, "abc")


async def test_a_broken_task_is_an_internal_failure(client: QueueClient) -> None:
    """A task that raises is answered with `internal`, never with its traceback."""
    with pytest.raises(CallFailedError) as failed:
        await client.call(asking("broken"))
    assert failed.value.code is ErrorCode.INTERNAL
    assert "fault" not in str(failed.value)


async def test_follow_tells_progress_then_the_end(client: QueueClient, queues: Queues) -> None:
    """A job's updates arrive while it runs, and end with its result; a late follower gets the result alone."""
    send(queues.sender, "reelseek.index", "v", task_id="job", queue="index")
    updates = []
    async with aclosing(client.follow("job")) as following:
        async for update in following:
            updates.append(update)
            queues.let_go()
    assert updates == [IndexProgress(stage="fetch", done=0.5), INDEXED]
    assert [update async for update in client.follow("job")] == [INDEXED]


async def test_without_a_worker_the_caller_is_told(tmp_path: Path, clean_redis: str) -> None:
    """If nobody works on the queue the call ends in time with `no_worker`."""
    settings = Settings(data_dir=tmp_path, redis_url=clean_redis, search_timeout_s=0.3)
    async with connect(settings) as client:
        with pytest.raises(CallFailedError) as failed:
            await client.call(asking("x"))
    assert failed.value.code is ErrorCode.NO_WORKER


async def test_without_redis_the_caller_is_told(tmp_path: Path) -> None:
    """If Redis is gone the call ends with `queue_unavailable`."""
    settings = Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0", search_timeout_s=10)
    async with connect(settings) as client:
        with pytest.raises(CallFailedError) as failed:
            await client.call(asking("x"))
    assert failed.value.code is ErrorCode.QUEUE_UNAVAILABLE


class TestRelay:
    """The same promises hold in another process than the owner's."""

    @pytest.fixture
    def queue_settings(self, tmp_path: Path) -> Settings:
        return Settings(data_dir=tmp_path)

    async def test_call_and_refusal_pass(self, client: QueueClient, queue_settings: Settings) -> None:
        """Answers and refusals pass unchanged."""
        async with relay.serve(client, queue_settings), connect(queue_settings) as other:
            assert (await other.call(asking("starter"))).videos == 1
            with pytest.raises(CallFailedError) as failed:
                await other.call(asking("refused"))
        assert failed.value.code is ErrorCode.NOT_IN_LIBRARY

    async def test_follow_passes(self, client: QueueClient, queues: Queues, queue_settings: Settings) -> None:
        """Updates pass one by one, while the job runs."""
        send(queues.sender, "reelseek.index", "v", task_id="job", queue="index")
        updates = []
        async with relay.serve(client, queue_settings), connect(queue_settings) as other:
            async for update in other.follow("job"):
                updates.append(update)
                queues.let_go()
        assert updates == [IndexProgress(stage="fetch", done=0.5), INDEXED]

    async def test_thumbnail_passes(self, client: QueueClient, queue_settings: Settings) -> None:
        """A stored picture comes whole; one that is not there is a `KeyError`."""
        client._blobs.put("videos/a/1.jpg", b"jpeg")
        async with relay.serve(client, queue_settings), connect(queue_settings) as other:
            assert await other.thumbnail("videos/a/1.jpg") == b"jpeg"
            with pytest.raises(KeyError):
                await other.thumbnail("videos/a/2.jpg")

    async def test_only_an_owner_that_is_gone_is_lost(self, client: QueueClient, queue_settings: Settings) -> None:
        """A question that nobody answered in time is no reason to look for another owner."""
        owner = AsyncExitStack()
        await owner.enter_async_context(relay.serve(client, queue_settings))
        async with connect(queue_settings) as other:
            with pytest.raises(CallFailedError):
                await other.call(asking("refused"))
            assert not other.lost
            await owner.aclose()
            with pytest.raises(CallFailedError) as failed:
                await other.call(asking("starter"))
        assert failed.value.code is ErrorCode.NO_WORKER
        assert other.lost

    async def test_only_this_user_may_come_in(self, client: QueueClient, queue_settings: Settings) -> None:
        """The key lies in a file that only its user can read, and without it nothing is answered."""
        async with relay.serve(client, queue_settings), connect(queue_settings) as other:
            address = queue_settings.data_dir / "owner.json"
            assert stat.S_IMODE(address.stat().st_mode) == 0o600
            async with aiohttp.ClientSession() as session:
                url = str(other._session._base_url).rstrip("/")
                async with session.post(f"{url}/call/status", json=asking("x").model_dump()) as response:
                    assert response.status == 401

    async def test_no_owner_no_relay(self, tmp_path: Path) -> None:
        """Without an owner, or with the remains of a killed one, connecting says so."""
        settings = Settings(data_dir=tmp_path)
        with pytest.raises(relay.NoRelayError):
            async with connect(settings):
                pass
        (tmp_path / "owner.json").write_text(f'{{"port": {free_port()}, "key": "k"}}')
        with pytest.raises(relay.NoRelayError):
            async with connect(settings):
                pass


def test_asker_must_name_a_space() -> None:
    """A message without a well-formed space is no message."""
    assert CALLER.space == "local:test"
    with pytest.raises(ValueError, match="space"):
        Caller(space="everyone", user_id="ann")
