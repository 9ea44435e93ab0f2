"""What chat frontends must not lose when they restart, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import redis

from bots.chat.store import ChatRequest, ChatStore, StoredResults, open_chat_store
from bots.commands.replies import Results, Search
from tests.support.network import free_port
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, SpaceSettings

ANN = Caller(space="discord:1", user_id="ann")
BOB = Caller(space="discord:1", user_id="bob")
ELSEWHERE = Caller(space="slack:2", user_id="ann")
ERRAND = ChatRequest("discord", "find", {"words": "개"}, ANN, "ko", {"channel": "5"})
RESULTS = Results(Search(("dog",)), (), Search(("dog",), offset=5), 3.0)


@pytest.fixture
async def first(clean_redis: str) -> AsyncIterator[ChatStore]:
    async with open_chat_store(clean_redis, "3/minute", "5/minute") as one:
        yield one


@pytest.fixture
async def second(clean_redis: str) -> AsyncIterator[ChatStore]:
    """Another bot process."""
    async with open_chat_store(clean_redis, "3/minute", "5/minute") as one:
        yield one


def crash(url: str) -> None:
    """The process that held errands is dead, and its leases lapsed."""
    with redis.Redis.from_url(url) as connection:
        for lease in connection.scan_iter("reelseek:errand:*:lease"):
            connection.delete(lease)


async def test_shown_results_outlive_the_process(first: ChatStore, second: ChatStore) -> None:
    """A button of an older message finds what it was for; a made-up token finds nothing."""
    token = await first.keep(ANN, RESULTS)
    assert await second.shown(ANN.space, token) == StoredResults("", RESULTS)
    assert await second.shown(ANN.space, "nonsense") is None
    assert await second.shown(ELSEWHERE.space, token) is None
    assert len(token) < 20


async def test_a_person_waits_after_too_much(first: ChatStore) -> None:
    """The fourth question in a minute must wait, and is told how long; another person need not."""
    assert [await first.wait_s(ANN) for _ in range(3)] == [0.0] * 3
    assert 1 <= await first.wait_s(ANN) <= 60
    assert await first.wait_s(BOB) == 0
    assert await first.wait_s(ELSEWHERE) == 0


async def test_a_space_waits_after_too_much(first: ChatStore, second: ChatStore) -> None:
    """All together may ask so much, whichever process hears them."""
    people = [Caller(space="discord:1", user_id=str(number)) for number in range(6)]
    waits = [
        await open_chat_store.wait_s(person)
        for person, open_chat_store in zip(people, [first, second] * 3, strict=True)
    ]
    assert [wait > 0 for wait in waits] == [False] * 5 + [True]


async def test_much_at_once_counts_as_much(first: ChatStore) -> None:
    """Three links are three; more than the limit at once is let through alone."""
    assert await first.wait_s(ANN, cost=3) == 0
    assert await first.wait_s(ANN) > 0
    assert await first.wait_s(ELSEWHERE, cost=50) == 0


async def test_an_event_is_first_once(first: ChatStore, second: ChatStore) -> None:
    """Delivered to two processes, it is acted on by one."""
    assert sorted([await first.first("Ev1"), await second.first("Ev1")]) == [False, True]


async def test_settings_are_remembered(first: ChatStore, second: ChatStore) -> None:
    """So that an acknowledgement need not wait for a worker."""
    assert await first.settings("discord:1") is None
    decided = SpaceSettings(answers="public", watched=("5",))
    await first.keep_settings("discord:1", decided)
    assert await second.settings("discord:1") == decided
    await second.forget_settings("discord:1")
    assert await first.settings("discord:1") is None


async def test_notes_are_kept(first: ChatStore, second: ChatStore) -> None:
    """A short text is found again by its key."""
    await first.note("slack:2", "file:1", "F123")
    assert await second.noted("slack:2", "file:1") == "F123"
    assert await second.noted("slack:2", "file:2") is None
    assert await second.noted("slack:22", "file:1") is None


async def test_an_answered_errand_is_over(first: ChatStore, second: ChatStore, clean_redis: str) -> None:
    """Nobody answers it again."""
    async with first.held(ERRAND):
        pass
    crash(clean_redis)
    assert await second.abandoned("discord") == []


async def test_a_dead_process_s_errand_is_taken_up_once(first: ChatStore, clean_redis: str) -> None:
    """Not while it is held, then by one process only, with all it needs to answer; other platforms leave it."""
    async with open_chat_store(clean_redis, "3/minute", "5/minute") as dying:
        holding = dying.held(ERRAND)
        await holding.__aenter__()
        assert await first.abandoned("discord") == []
        crash(clean_redis)
        assert await first.abandoned("slack") == []
        assert await first.abandoned("discord") == [ERRAND]
        assert await first.abandoned("discord") == []
        await holding.__aexit__(None, None, None)


async def test_a_stopped_process_gives_its_errands_back(first: ChatStore, second: ChatStore) -> None:
    """Cancelled in the middle, it lets the next one answer at once."""
    started = asyncio.Event()

    async def work() -> None:
        async with first.held(ERRAND):
            started.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await started.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert await second.abandoned("discord") == [ERRAND]


async def test_its_own_errands_are_never_taken_up(first: ChatStore, clean_redis: str) -> None:
    """A lease that lapsed while Redis was away does not make the holder answer twice."""
    async with first.held(ERRAND):
        crash(clean_redis)
        assert await first.abandoned("discord") == []


async def test_an_errand_that_could_not_be_taken_is_taken_up_later(first: ChatStore, clean_redis: str) -> None:
    """Redis takes nothing just when a process takes up what another one left: it looks again."""
    async with open_chat_store(clean_redis, "3/minute", "5/minute") as dying:
        holding = dying.held(ERRAND)
        await holding.__aenter__()
        crash(clean_redis)
        assert await first.abandoned("discord") == [ERRAND]
        with redis.Redis.from_url(clean_redis) as connection:
            connection.config_set("min-replicas-to-write", 1)
            try:
                with pytest.raises(CallFailedError):
                    async with first.held(ERRAND):
                        pass
            finally:
                connection.config_set("min-replicas-to-write", 0)
        crash(clean_redis)
        assert await first.abandoned("discord") == [ERRAND]
        await holding.__aexit__(None, None, None)


async def test_what_nobody_asked_for_waits_for_redis(first: ChatStore, second: ChatStore, clean_redis: str) -> None:
    """That the bot was removed is taken down as soon as Redis takes it: nobody is there to tell it again."""
    leave = replace(ERRAND, command="leave", args={})
    done = asyncio.Event()

    async def serve() -> None:
        async with first.held(leave):
            done.set()

    with redis.Redis.from_url(clean_redis) as connection:
        connection.config_set("min-replicas-to-write", 1)
        try:
            serving = asyncio.create_task(serve())
            with pytest.raises(CallFailedError):
                async with second.held(ERRAND):
                    pass
            assert not done.is_set()
        finally:
            connection.config_set("min-replicas-to-write", 0)
    await asyncio.wait_for(serving, 20)
    assert done.is_set()


async def test_without_redis_there_is_a_code() -> None:
    """What can't be reached is told as a code, like everything else that fails."""
    async with open_chat_store(f"redis://127.0.0.1:{free_port()}/0", "3/minute", "5/minute") as one:
        for failing in (one.keep(ANN, RESULTS), one.wait_s(ANN), one.first("Ev1")):
            with pytest.raises(CallFailedError) as failed:
                await failing
            assert failed.value.code is ErrorCode.QUEUE_UNAVAILABLE
