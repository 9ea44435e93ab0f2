"""Stored results, rate limits, deduplication, notes and cached settings, on a real Redis."""

import pytest

from bots.chat.results import StoredResults
from bots.chat.stores import ChatStores, open_chat_stores
from bots.commands.replies import Results, Search
from tests.support.servers.network import free_port
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import SpaceSettings

ANN = Caller(space="discord:1", user_id="ann")
BOB = Caller(space="discord:1", user_id="bob")
ELSEWHERE = Caller(space="slack:2", user_id="ann")
RESULTS = Results(Search(("dog",)), (), Search(("dog",), offset=5), 3.0)


async def test_results_are_loaded_by_another_process(first: ChatStores, second: ChatStores) -> None:
    """A token finds its results in its own space; another space and a made-up token find nothing."""
    token = await first.results.save_results(ANN, RESULTS)
    assert await second.results.load_results(ANN.space, token) == StoredResults(None, RESULTS)
    assert await second.results.load_results(ANN.space, "nonsense") is None
    assert await second.results.load_results(ELSEWHERE.space, token) is None
    assert len(token) < 20


async def test_user_rate_limit_exceeded_tells_when_to_retry(first: ChatStores) -> None:
    """The fourth request in a minute must wait. Another user, and the same user elsewhere, need not."""
    check = first.limits.check_rate_limit
    assert [await check(ANN) for _ in range(3)] == [None] * 3
    retry_after_s = await check(ANN)
    assert retry_after_s is not None
    assert 1 <= retry_after_s <= 60
    assert await check(BOB) is None
    assert await check(ELSEWHERE) is None


async def test_space_rate_limit_counts_all_users_and_processes(first: ChatStores, second: ChatStores) -> None:
    """The sixth request of a space in a minute must wait, for every user and in every process."""
    users = [Caller(space="discord:1", user_id=str(number)) for number in range(6)]
    waits = [
        await stores.limits.check_rate_limit(user) for user, stores in zip(users, [first, second] * 3, strict=True)
    ]
    assert [wait is None for wait in waits] == [True] * 5 + [False]


async def test_rate_limit_counts_the_cost_of_a_request(first: ChatStores) -> None:
    """Three links count as three requests. A request that costs more than the limit passes alone."""
    assert await first.limits.check_rate_limit(ANN, cost=3) is None
    assert await first.limits.check_rate_limit(ANN) is not None
    assert await first.limits.check_rate_limit(ELSEWHERE, cost=50) is None


async def test_duplicate_event_is_recognized_by_every_process(first: ChatStores, second: ChatStores) -> None:
    """An event that was delivered to two processes is new to one of them only."""
    assert sorted([await first.seen_events.mark_seen("Ev1"), await second.seen_events.mark_seen("Ev1")]) == [
        False,
        True,
    ]


async def test_settings_are_cached_until_they_are_invalidated(first: ChatStores, second: ChatStores) -> None:
    """With cached settings an acknowledgement need not wait for a worker."""
    assert await first.settings.get_settings("discord:1") is None
    settings = SpaceSettings(answers="public", watched=("5",))
    await first.settings.put_settings("discord:1", settings)
    assert await second.settings.get_settings("discord:1") == settings
    await second.settings.invalidate_settings("discord:1")
    assert await first.settings.get_settings("discord:1") is None


async def test_notes_are_found_by_space_and_key(first: ChatStores, second: ChatStores) -> None:
    """Another key or another space finds nothing, and a deleted note is gone."""
    await first.notes.set_note("slack:2", "file:1", "F123")
    assert await second.notes.get_note("slack:2", "file:1") == "F123"
    assert await second.notes.get_note("slack:2", "file:2") is None
    assert await second.notes.get_note("slack:22", "file:1") is None
    await second.notes.delete_note("slack:2", "file:1")
    assert await first.notes.get_note("slack:2", "file:1") is None


async def test_store_without_redis_raises_a_code() -> None:
    """An unreachable Redis is reported with an error code, like every other failure."""
    async with open_chat_stores(f"redis://127.0.0.1:{free_port()}/0", "3/minute", "5/minute") as stores:
        for call in (
            stores.results.save_results(ANN, RESULTS),
            stores.limits.check_rate_limit(ANN),
            stores.seen_events.mark_seen("Ev1"),
        ):
            with pytest.raises(CallFailedError) as failed:
                await call
            assert failed.value.code is ErrorCode.QUEUE_UNAVAILABLE
