"""Leases: the same promises for each kind of store, and job leases on them."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from redis.exceptions import RedisError

from tests.support.servers.network import free_port
from worker.job_leases import JobLeases
from worker.leases import (
    AsyncRedisLeaseStore,
    LeaseStore,
    LeasesUnavailableError,
    MemoryLeaseStore,
    RedisLeaseStore,
)
from worker.redis_client import CHAT, LEASES, async_redis_client, redis_client


@pytest.fixture(params=["memory", "redis"])
def leases(request: pytest.FixtureRequest) -> Iterator[LeaseStore]:
    if request.param == "memory":
        yield MemoryLeaseStore()
        return
    with redis_client(request.getfixturevalue("clean_redis"), LEASES) as client:
        yield RedisLeaseStore(client)


def test_lease_has_one_holder(leases: LeaseStore) -> None:
    """A held lease cannot be acquired, also not by its holder, until it is released."""
    assert leases.acquire("a", "x", 60)
    assert not leases.acquire("a", "y", 60)
    assert not leases.acquire("a", "x", 60)
    leases.release("a", "x")
    assert leases.acquire("a", "y", 60)


def test_lease_is_renewed_and_released_only_by_its_holder(leases: LeaseStore) -> None:
    leases.acquire("a", "x", 60)
    assert not leases.renew("a", "y", 60)
    leases.release("a", "y")
    assert not leases.acquire("a", "z", 60)
    assert leases.renew("a", "x", 60)


def test_lease_expires(leases: LeaseStore) -> None:
    """A holder that stopped renewing loses the lease and cannot renew it afterwards."""
    assert leases.acquire("a", "x", 60)
    assert leases.renew("a", "x", 0.001)
    while not leases.acquire("a", "y", 60):
        pass
    assert not leases.renew("a", "x", 60)


async def test_async_lease_has_one_holder_who_alone_renews_and_releases_it(clean_redis: str) -> None:
    """Asynchronous leases follow the rules of blocking ones, and exclude them."""
    client = async_redis_client(clean_redis, CHAT)
    leases, name = AsyncRedisLeaseStore(client), uuid.uuid4().hex
    with redis_client(clean_redis) as blocking_client:
        blocking = RedisLeaseStore(blocking_client)
        assert await leases.acquire(name, "x", 60)
        assert not blocking.acquire(name, "y", 60)
        assert not await leases.renew(name, "y", 60)
        await leases.release(name, "y")
        assert await leases.renew(name, "x", 60)
        await leases.release(name, "x")
        assert blocking.acquire(name, "y", 60)
        assert not await leases.acquire(name, "x", 60)
    await client.aclose()


async def test_async_lease_without_redis_raises_leases_unavailable() -> None:
    """The cause is the error of Redis."""
    client = async_redis_client(f"redis://127.0.0.1:{free_port()}/0", CHAT)
    with pytest.raises(LeasesUnavailableError) as unavailable:
        await AsyncRedisLeaseStore(client).acquire("a", "x", 60)
    assert isinstance(unavailable.value.__cause__, RedisError)
    await client.aclose()


def test_video_is_queued_once(leases: LeaseStore) -> None:
    """A second submission finds the job of the first. After the job's end, the video can be queued again."""
    job_leases = JobLeases(leases)
    assert job_leases.try_queue("v")
    assert not job_leases.try_queue("v")
    job_leases.release_job("v")
    assert job_leases.try_queue("v")


def test_copy_of_a_running_job_cannot_hold_its_lease(leases: LeaseStore) -> None:
    """A second delivery is refused while the job runs, and accepted afterwards."""
    job_leases = JobLeases(leases)
    job_leases.try_queue("v")
    with job_leases.hold("v", "first") as is_first_held, job_leases.hold("v", "copy") as is_copy_held:
        assert (is_first_held, is_copy_held) == (True, False)
    with job_leases.hold("v", "later") as is_held:
        assert is_held


def test_lease_of_a_killed_sender_expires_within_seconds(leases: LeaseStore) -> None:
    """Until a job is confirmed as sent its lease is short, then it is long."""
    job_leases = JobLeases(leases, running_ttl_s=0.05)
    assert job_leases.try_queue("v")
    job_leases.confirm_queued("v")
    job_leases.try_queue("w")
    while not job_leases.try_queue("w"):
        pass
    assert not job_leases.try_queue("v")


def test_lease_of_a_retry_expires_if_its_worker_dies(leases: LeaseStore) -> None:
    """A job that its worker keeps for a retry can be queued again if the worker does not retry it."""
    job_leases = JobLeases(leases, running_ttl_s=0.05)
    job_leases.try_queue("v")
    job_leases.confirm_queued("v")
    with job_leases.hold("v", "first"):
        job_leases.requeue("v", after_s=0.01)
    while not job_leases.try_queue("v"):
        pass


class LeaseStoreWrapper:
    """Passes every call on. Subclasses observe or fail some of them."""

    def __init__(self, leases: LeaseStore) -> None:
        self.leases = leases

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        return self.leases.acquire(name, owner, ttl_s)

    def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        return self.leases.renew(name, owner, ttl_s)

    def release(self, name: str, owner: str) -> None:
        self.leases.release(name, owner)


class ObservedLeases(LeaseStoreWrapper):
    """Sets an event when any lease is acquired a second time."""

    def __init__(self, leases: LeaseStore) -> None:
        super().__init__(leases)
        self.acquired: list[str] = []
        self.reacquired = threading.Event()

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        is_acquired = super().acquire(name, owner, ttl_s)
        if is_acquired and name in self.acquired:
            self.reacquired.set()
        self.acquired += [name] if is_acquired else []
        return is_acquired


class FlakyLeases(LeaseStoreWrapper):
    """Fails the second and the third renewal, and sets an event at the sixth."""

    def __init__(self, leases: LeaseStore) -> None:
        super().__init__(leases)
        self.renewals, self.recovered = 0, threading.Event()

    def renew(self, name: str, owner: str, ttl_s: float) -> bool:
        self.renewals += 1
        if self.renewals in (2, 3):
            raise LeasesUnavailableError
        if self.renewals == 6:
            self.recovered.set()
        return super().renew(name, owner, ttl_s)


def test_expired_lease_of_a_running_job_is_acquired_again_if_it_is_free(leases: LeaseStore) -> None:
    """A running job gets back a lease that ended too early, unless another process holds it by then."""
    observed = ObservedLeases(leases)
    job_leases = JobLeases(observed, running_ttl_s=0.3)
    with job_leases.hold("v", "first"):
        leases.release("run:v", "first")
        assert observed.reacquired.wait(10)
        assert job_leases.is_held("v", "first")
    with job_leases.hold("w", "first"):
        leases.release("run:w", "first")
        assert leases.acquire("run:w", "second", 60)
        assert not job_leases.is_held("w", "first")


def test_renewal_continues_after_an_outage_of_redis(leases: LeaseStore) -> None:
    flaky = FlakyLeases(leases)
    with JobLeases(flaky, running_ttl_s=0.3).hold("v", "first"):
        assert flaky.recovered.wait(10)
