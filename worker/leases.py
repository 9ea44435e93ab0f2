"""One job for one video, whoever asks and however often a message is delivered.

A claim is held by a queued job for as long as messages live, and by a running job only while its worker does: it is
renewed every few seconds, so a killed worker's claim lapses and the job is made again from the store's record.

A clock that jumps, or a Redis that forgot its last second, may end a claim too early. Then a job may run twice, which
changes nothing: the claim saves work, and what is stored does not depend on it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import redis
import structlog
from redis.backoff import ConstantBackoff
from redis.exceptions import LockError, RedisError
from redis.lock import Lock
from redis.retry import Retry

QUEUED_S = 3600.0
RUNNING_S = 30.0
WAITING = ("queued", "later")
AWAY_S = 20
"""A Redis that is away for no longer than this is waited for."""

log = structlog.get_logger()


class LeasesUnavailableError(Exception):
    """Redis is away."""

    code = "queue_unavailable"


class LeaseStore(Protocol):
    """Named locks that lapse. All are atomic, and may raise `LeasesUnavailableError`."""

    def take(self, name: str, owner: str, seconds: float) -> bool:
        """Takes a free lease; False if somebody else holds it."""
        ...

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Prolongs a lease that `owner` holds; False if it lapsed or is somebody else's."""
        ...

    def drop(self, name: str, owner: str) -> None:
        """Gives a lease back; nothing happens if `owner` does not hold it."""
        ...


class MemoryLeaseStore:
    """Leases within one process."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def _owner(self, name: str) -> str | None:
        owner, until_s = self._held.get(name, (None, 0.0))
        return owner if until_s > time.monotonic() else None

    def take(self, name: str, owner: str, seconds: float) -> bool:
        with self._lock:
            if self._owner(name) is not None:
                return False
            self._held = {each: held for each, held in self._held.items() if held[1] > time.monotonic()}
            self._held[name] = (owner, time.monotonic() + seconds)
            return True

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        with self._lock:
            if self._owner(name) != owner:
                return False
            self._held[name] = (owner, time.monotonic() + seconds)
            return True

    def drop(self, name: str, owner: str) -> None:
        with self._lock:
            if self._owner(name) == owner:
                del self._held[name]


class RedisLeaseStore:
    """Leases that all processes of an installation share."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=5, retry=Retry(ConstantBackoff(1), AWAY_S))

    def _lock(self, name: str, owner: str, seconds: float) -> Lock:
        lock = Lock(self._redis, f"reelseek:lease:{name}", timeout=seconds, blocking=False, thread_local=False)
        lock.local.token = owner.encode()
        return lock

    def take(self, name: str, owner: str, seconds: float) -> bool:
        with _translated():
            return bool(self._lock(name, owner, seconds).acquire(token=owner))

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        with _translated(), suppress(LockError):
            return bool(self._lock(name, owner, seconds).extend(seconds, replace_ttl=True))
        return False

    def drop(self, name: str, owner: str) -> None:
        with _translated(), suppress(LockError):
            self._lock(name, owner, 1).release()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise LeasesUnavailableError(str(error)) from error


class JobLeases:
    """Who works on which video. A running job has two leases: one says that there is a job, one who runs it."""

    def __init__(self, leases: LeaseStore, running_s: float = RUNNING_S) -> None:
        self._leases, self._running_s = leases, running_s

    def queue(self, video_id: str) -> bool:
        """Claims a video for a job about to be sent; False if one is queued or running already.

        The claim is short until the job is `queued`: whoever is killed in between sent nothing.
        """
        return self._leases.take(_job(video_id), "queued", self._running_s)

    def queued(self, video_id: str) -> None:
        """The job was sent. Nothing happens if it runs by now."""
        self._leases.renew(_job(video_id), "queued", QUEUED_S)

    def lost(self, video_id: str) -> None:
        """No message of a queued job is left. Nothing happens if it runs, or is to run again later."""
        self._drop(_job(video_id), "queued")

    def requeue(self, video_id: str, after_s: float | None = None) -> None:
        """The running job goes back to the queue. With `after_s` its worker keeps it so long, and may die."""
        self._drop(_job(video_id), "running")
        owner, seconds = ("queued", QUEUED_S) if after_s is None else ("later", after_s + self._running_s)
        with suppress(LeasesUnavailableError):
            self._leases.take(_job(video_id), owner, seconds)

    def done(self, video_id: str) -> None:
        """There is no job any more. Without Redis the claim lapses by itself."""
        for owner in ("running", *WAITING):
            self._drop(_job(video_id), owner)

    def due(self, name: str, every_s: float) -> bool:
        """Whether it is this process's turn to do something that is done once in a while, by one of all processes."""
        return self._leases.take(f"due:{name}", "round", every_s)

    def first(self, message: str, lives_s: float) -> bool:
        """Whether this message has not been delivered before."""
        return self._leases.take(f"message:{message}", "worker", lives_s)

    @contextmanager
    def running(self, video_id: str, owner: str) -> Iterator[bool]:
        """Holds the video while its job runs. False: a copy of this job already does; leave it alone."""
        if not self._leases.take(_run(video_id), owner, self._running_s):
            yield False
            return
        for waiting in WAITING:
            self._leases.drop(_job(video_id), waiting)
        self._hold(_job(video_id), "running")
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(video_id, owner, stop), daemon=True)
        renewer.start()
        try:
            yield True
        finally:
            stop.set()
            renewer.join()
            self._drop(_run(video_id), owner)

    def held(self, video_id: str, owner: str) -> bool:
        """Whether `owner` still runs the job: another may have taken it over from a process that stood still."""
        with suppress(LeasesUnavailableError):
            return self._hold(_run(video_id), owner)
        return False

    def _renew(self, video_id: str, owner: str, stop: threading.Event) -> None:
        while not stop.wait(self._running_s / 3):
            try:
                self._hold(_run(video_id), owner)
                self._hold(_job(video_id), "running")
            except LeasesUnavailableError as error:
                log.warning("claim.not_renewed", video_id=video_id, error=error)

    def _hold(self, name: str, owner: str) -> bool:
        """Renews a lease, or takes it anew where it lapsed and nobody else did."""
        return self._leases.renew(name, owner, self._running_s) or self._leases.take(name, owner, self._running_s)

    def _drop(self, name: str, owner: str) -> None:
        with suppress(LeasesUnavailableError):
            self._leases.drop(name, owner)


def _job(video_id: str) -> str:
    return f"job:{video_id}"


def _run(video_id: str) -> str:
    return f"run:{video_id}"
