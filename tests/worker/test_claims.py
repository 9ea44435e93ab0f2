"""One job for one video: the same promises on both kinds of lease."""

import pytest

from worker.claims import Claims, Leases, MemoryLeases, RedisLeases


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
