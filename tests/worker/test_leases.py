"""One job for one video: the same promises on both kinds of lease."""

import threading

import pytest

from worker.leases import Claims, Leases, LeasesUnavailable, MemoryLeases, RedisLeases


@pytest.fixture(params=["memory", "redis"])
def leases(request: pytest.FixtureRequest) -> Leases:
    if request.param == "memory":
        return MemoryLeases()
    return RedisLeases(request.getfixturevalue("clean_redis"))


def test_a_lease_has_one_holder(leases: Leases) -> None:
    """A held lease can't be taken, by its own holder neither, until it is dropped."""
    assert leases.take("a", "x", 60)
    assert not leases.take("a", "y", 60)
    assert not leases.take("a", "x", 60)
    leases.drop("a", "x")
    assert leases.take("a", "y", 60)


def test_only_the_holder_renews_and_drops(leases: Leases) -> None:
    """What somebody else holds is neither prolonged nor given back."""
    leases.take("a", "x", 60)
    assert not leases.renew("a", "y", 60)
    leases.drop("a", "y")
    assert not leases.take("a", "z", 60)
    assert leases.renew("a", "x", 60)


def test_a_lease_lapses(leases: Leases) -> None:
    """A holder that died loses the lease; it can't be renewed after that."""
    assert leases.take("a", "x", 60)
    assert leases.renew("a", "x", 0.001)
    while not leases.take("a", "y", 60):
        pass
    assert not leases.renew("a", "x", 60)


def test_a_video_is_queued_once(leases: Leases) -> None:
    """A second submission finds the job of the first; after its end the video can be queued again."""
    claims = Claims(leases)
    assert claims.queue("v")
    assert not claims.queue("v")
    claims.done("v")
    assert claims.queue("v")


def test_a_copy_of_a_running_job_is_told(leases: Leases) -> None:
    """While a job runs, a second delivery of it learns so; afterwards it may run."""
    claims = Claims(leases)
    claims.queue("v")
    with claims.running("v", "first") as mine, claims.running("v", "copy") as copy:
        assert (mine, copy) == (True, False)
    with claims.running("v", "later") as later:
        assert later


def test_a_claim_of_a_killed_sender_lapses(leases: Leases) -> None:
    """Who claimed a video and then sent nothing holds it for seconds; a job that was sent, for long."""
    claims = Claims(leases, running_s=0.05)
    assert claims.queue("v")
    claims.queued("v")
    claims.queue("w")
    while not claims.queue("w"):
        pass
    assert not claims.queue("v")


def test_a_retry_s_claim_lapses_with_its_worker(leases: Leases) -> None:
    """A job that its worker keeps for a while is made again where it does not come back."""
    claims = Claims(leases, running_s=0.05)
    claims.queue("v")
    claims.queued("v")
    with claims.running("v", "first"):
        claims.requeue("v", after_s=0.01)
    while not claims.queue("v"):
        pass


class Through:
    """The leases themselves, for something to happen on the way to them."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases

    def take(self, name: str, owner: str, seconds: float) -> bool:
        return self.leases.take(name, owner, seconds)

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        return self.leases.renew(name, owner, seconds)

    def drop(self, name: str, owner: str) -> None:
        self.leases.drop(name, owner)


class Watched(Through):
    """Tells when a lease was taken a second time."""

    def __init__(self, leases: Leases) -> None:
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

    def __init__(self, leases: Leases) -> None:
        super().__init__(leases)
        self.renewals, self.outlived = 0, threading.Event()

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        self.renewals += 1
        if self.renewals in (2, 3):
            raise LeasesUnavailable
        if self.renewals == 6:
            self.outlived.set()
        return super().renew(name, owner, seconds)


def test_a_lost_lease_is_taken_anew(leases: Leases) -> None:
    """A running job gets back what a jumping clock took, unless another has it by now."""
    watched = Watched(leases)
    claims = Claims(watched, running_s=0.3)
    with claims.running("v", "first"):
        leases.drop("run:v", "first")
        assert watched.again.wait(10)
        assert claims.held("v", "first")
    with claims.running("w", "first"):
        leases.drop("run:w", "first")
        assert leases.take("run:w", "second", 60)
        assert not claims.held("w", "first")


def test_renewing_outlives_an_outage(leases: Leases) -> None:
    """Redis away for a moment does not end the renewing."""
    flaky = Flaky(leases)
    with Claims(flaky, running_s=0.3).running("v", "first"):
        assert flaky.outlived.wait(10)
