"""Background tasks, the acknowledgement gate, and shared calls."""

import asyncio
from functools import partial

import pytest

from bots.chat.background_tasks import AcknowledgementGate, BackgroundTasks, run_periodically, running_tasks
from bots.chat.single_flight import SingleFlight


async def test_gate_opens_once_the_last_acknowledgement_is_done() -> None:
    """An answer waits while any event is being acknowledged."""
    gate = AcknowledgementGate(quiet_s=0)
    with gate.acknowledging():
        with gate.acknowledging():
            answer = asyncio.create_task(gate.wait_until_quiet())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not answer.done()
    await asyncio.wait_for(answer, 10)


async def test_gate_that_is_open_lets_answers_pass_at_once() -> None:
    await asyncio.wait_for(AcknowledgementGate().wait_until_quiet(), 10)


async def test_stopped_tasks_are_cancelled() -> None:
    """At the end of the block no task runs any more, and neither does a tracked one."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("started")

    async def event(tasks: BackgroundTasks) -> None:
        with tasks.track_current(), tasks.track_current():
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("tracked")

    async with running_tasks() as tasks:
        tasks.start(work())
        handler = asyncio.create_task(event(tasks))
        await asyncio.sleep(0)
    assert sorted(ended) == ["started", "tracked"]
    assert handler.done()


async def test_stop_waits_until_a_task_is_recoverable() -> None:
    """A task that could not be taken over yet is cancelled only after it can be."""
    recoverable = asyncio.Event()
    seen = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(recoverable.is_set())

    async def wait_until_recoverable(task: asyncio.Task[object]) -> None:
        asyncio.get_running_loop().call_soon(recoverable.set)
        await recoverable.wait()

    tasks = BackgroundTasks(wait_until_recoverable)
    tasks.start(work())
    await asyncio.sleep(0)
    await tasks.stop()
    assert seen == [True]


async def test_stop_waits_for_the_end_of_a_short_task() -> None:
    """A task that ends before it is recoverable is not cancelled."""
    done = []

    async def never(task: asyncio.Task[object]) -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(True)

    tasks = BackgroundTasks(never)
    tasks.start(work())
    await tasks.stop()
    assert done == [True]


async def test_single_flight_shares_one_call_per_key() -> None:
    """Callers of one key get one result, and a cancelled caller does not cancel it for the others."""
    calls, release = [], asyncio.Event()

    async def call(name: str) -> str:
        calls.append(name)
        await release.wait()
        return name

    flight = SingleFlight()
    cancelled, *others = [asyncio.create_task(flight.run(key, partial(call, key))) for key in ("a", "a", "b")]
    await asyncio.sleep(0)
    cancelled.cancel()
    release.set()
    assert await asyncio.gather(*others) == ["a", "b"]
    assert calls == ["a", "b"]
    assert await flight.run("a", lambda: call("a")) == "a"
    assert calls == ["a", "b", "a"]


async def test_single_flight_raises_the_failure_for_every_caller() -> None:
    async def fail() -> None:
        raise ValueError("no answer")

    flight = SingleFlight()
    results = await asyncio.gather(*(flight.run("key", fail) for _ in range(2)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="no answer"):
        await flight.run("key", fail)


async def test_periodic_work_runs_again_after_a_failure() -> None:
    """One failure does not end the recovery of requests, or of watched channels, for as long as the bot runs."""
    runs = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("unexpected")
        done.set()

    async with running_tasks() as tasks:
        tasks.start(run_periodically(work, every_s=0))
        await asyncio.wait_for(done.wait(), 10)
