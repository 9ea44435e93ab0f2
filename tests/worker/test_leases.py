"""One job for one video: the same promises on both kinds of lease."""

import threading

import pytest

from worker.leases import JobLeases, LeaseStore, LeasesUnavailableError, MemoryLeaseStore, RedisLeaseStore


@pytest.fixture(params=["memory", "redis"])
def leases(request: pytest.FixtureRequest) -> LeaseStore:
    if request.param == "memory":
        return MemoryLeaseStore()
    return RedisLeaseStore(request.getfixturevalue("clean_redis"))


def test_a_lease_has_one_holder(leases: LeaseStore) -> None:
    """A held lease can't be taken, by its own holder neither, until it is dropped."""
    assert leases.take("a", "x", 60)
    assert not leases.take("a", "y", 60)
    assert not leases.take("a", "x", 60)
    leases.drop("a", "x")
    assert leases.take("a", "y", 60)


def test_only_the_holder_renews_and_drops(leases: LeaseStore) -> None:
    """What somebody else holds is neither prolonged nor given back."""
    leases.take("a", "x", 60)
    assert not leases.renew("a", "y", 60)
    leases.drop("a", "y")
    assert not leases.take("a", "z", 60)
    assert leases.renew("a", "x", 60)


def test_a_lease_lapses(leases: LeaseStore) -> None:
    """A holder that died loses the lease; it can't be renewed after that."""
    assert leases.take("a", "x", 60)
    assert leases.renew("a", "x", 0.001)
    while not leases.take("a", "y", 60):
        pass
    assert not leases.renew("a", "x", 60)


def test_a_video_is_queued_once(leases: LeaseStore) -> None:
    """A second submission finds the job of the first; after its end the video can be queued again."""
    job_leases = JobLeases(leases)
    assert job_leases.queue("v")
    assert not job_leases.queue("v")
    job_leases.done("v")
    assert job_leases.queue("v")


def test_a_copy_of_a_running_job_is_told(leases: LeaseStore) -> None:
    """While a job runs, a second delivery of it learns so; afterwards it may run."""
    job_leases = JobLeases(leases)
    job_leases.queue("v")
    with job_leases.running("v", "first") as mine, job_leases.running("v", "copy") as copy:
        assert (mine, copy) == (True, False)
    with job_leases.running("v", "later") as later:
        assert later


def test_a_claim_of_a_killed_sender_lapses(leases: LeaseStore) -> None:
    """Who claimed a video and then sent nothing holds it for seconds; a job that was sent, for long."""
    job_leases = JobLeases(leases, running_s=0.05)
    assert job_leases.queue("v")
    job_leases.queued("v")
    job_leases.queue("w")
    while not job_leases.queue("w"):
        pass
    assert not job_leases.queue("v")


def test_a_retry_s_claim_lapses_with_its_worker(leases: LeaseStore) -> None:
    """A job that its worker keeps for a while is made again where it does not come back."""
    job_leases = JobLeases(leases, running_s=0.05)
    job_leases.queue("v")
    job_leases.queued("v")
    with job_leases.running("v", "first"):
        job_leases.requeue("v", after_s=0.01)
    while not job_leases.queue("v"):
        pass


class Through:
    """The leases themselves, for something to happen on the way to them."""

    def __init__(self, leases: LeaseStore) -> None:
        self.leases = leases

    def take(self, name: str, owner: str, seconds: float) -> bool:
        return self.leases.take(name, owner, seconds)

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        return self.leases.renew(name, owner, seconds)

    def drop(self, name: str, owner: str) -> None:
        self.leases.drop(name, owner)


class Watched(Through):
    """Tells when a lease was taken a second time."""

    def __init__(self, leases: LeaseStore) -> None:
        super().__init__(leases)
        self.taken: list[str] = []
        self.again = threading.Event()

    def take(self, name: str, owner: str, seconds: float) -> bool:
        taken = super().take(name, owner, seconds)
        if taken and name in self.taken:
            self.again.set()
        self.taken += [name] if taken else []
        return taken


class Flaky(Through):
    """Redis is away for the second and the third renewal."""

    def __init__(self, leases: LeaseStore) -> None:
        super().__init__(leases)
        self.renewals, self.outlived = 0, threading.Event()

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        self.renewals += 1
        if self.renewals in (2, 3):
            raise LeasesUnavailableError
        if self.renewals == 6:
            self.outlived.set()
        return super().renew(name, owner, seconds)


def test_a_lost_lease_is_taken_anew(leases: LeaseStore) -> None:
    """A running job gets back what a jumping clock took, unless another has it by now."""
    watched = Watched(leases)
    job_leases = JobLeases(watched, running_s=0.3)
    with job_leases.running("v", "first"):
        leases.drop("run:v", "first")
        assert watched.again.wait(10)
        assert job_leases.held("v", "first")
    with job_leases.running("w", "first"):
        leases.drop("run:w", "first")
        assert leases.take("run:w", "second", 60)
        assert not job_leases.held("w", "first")


def test_renewing_outlives_an_outage(leases: LeaseStore) -> None:
    """Redis away for a moment does not end the renewing."""
    flaky = Flaky(leases)
    with JobLeases(flaky, running_s=0.3).running("v", "first"):
        assert flaky.outlived.wait(10)
