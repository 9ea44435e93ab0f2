"""One job for one video, whoever asks and however often a message is delivered.

A claim is held by a queued job for as long as messages live, and by a running job only while its worker does: it is
renewed every few seconds, so a killed worker's claim lapses and the job is made again from the store's record.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import redis
from redis.exceptions import LockError
from redis.lock import Lock

QUEUED_S = 3600.0
RUNNING_S = 30.0


class Leases(Protocol):
    """Named locks that lapse. All are atomic."""

    def take(self, name: str, owner: str, seconds: float) -> bool:
        """Takes a free lease; False if somebody else holds it."""
        ...

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Prolongs a lease that `owner` holds; False if it lapsed or is somebody else's."""
        ...

    def drop(self, name: str, owner: str) -> None:
        """Gives a lease back; nothing happens if `owner` does not hold it."""
        ...


class MemoryLeases:
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


class RedisLeases:
    """Leases that all processes of an installation share."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=5)

    def _lock(self, name: str, owner: str, seconds: float) -> Lock:
        lock = Lock(self._redis, f"reelseek:lease:{name}", timeout=seconds, blocking=False, thread_local=False)
        lock.local.token = owner.encode()
        return lock

    def take(self, name: str, owner: str, seconds: float) -> bool:
        return bool(self._lock(name, owner, seconds).acquire(token=owner))

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        try:
            return bool(self._lock(name, owner, seconds).extend(seconds, replace_ttl=True))
        except LockError:
            return False

    def drop(self, name: str, owner: str) -> None:
        try:
            self._lock(name, owner, 1).release()
        except LockError:
            return


class Claims:
    """Who works on which video."""

    def __init__(self, leases: Leases, running_s: float = RUNNING_S) -> None:
        self._leases, self._running_s = leases, running_s

    def queue(self, video_id: str) -> bool:
        """Claims a video for a job about to be sent; False if one is queued or running already."""
        return self._leases.take(f"job:{video_id}", "job", QUEUED_S)

    @contextmanager
    def running(self, video_id: str, owner: str) -> Iterator[bool]:
        """Holds the video while its job runs. False: a copy of this job already does; leave it alone."""
        name = f"run:{video_id}"
        if not self._leases.take(name, owner, self._running_s):
            yield False
            return
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(name, owner, video_id, stop), daemon=True)
        self._leases.renew(f"job:{video_id}", "job", self._running_s)
        renewer.start()
        try:
            yield True
        finally:
            stop.set()
            renewer.join()
            self._leases.drop(name, owner)

    def _renew(self, name: str, owner: str, video_id: str, stop: threading.Event) -> None:
        while not stop.wait(self._running_s / 3):
            self._leases.renew(name, owner, self._running_s)
            self._leases.renew(f"job:{video_id}", "job", self._running_s)

    def requeue(self, video_id: str) -> None:
        """The running job goes back to the queue (a retry, a shutdown)."""
        self._leases.renew(f"job:{video_id}", "job", QUEUED_S)

    def done(self, video_id: str) -> None:
        self._leases.drop(f"job:{video_id}", "job")
