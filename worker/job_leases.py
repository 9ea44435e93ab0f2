"""Leases that keep one video (or one retrain) from having two jobs, and one message from being handled twice.

A queued job holds its lease for as long as messages are kept. A running job holds its leases only while its worker
lives: they are renewed every few seconds. If the worker is killed, they expire and the job is queued again from the
store's record.

Leases only avoid duplicate work. If a clock jumps or Redis loses its last second, a lease can end too early and a job
can run twice. That is harmless: jobs are idempotent, and stored data does not depend on a lease.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from worker.leases import LeaseStore, LeasesUnavailableError

QUEUED_TTL_S: Final = 3600.0
RUNNING_TTL_S: Final = 30.0

_QUEUED: Final = "queued"
_RETRY_LATER: Final = "later"
_RUNNING: Final = "running"

log = structlog.get_logger()


class JobLeases:
    """Leases by job id, which is a video's id for an index job.

    A running job holds two: `job:ID` (there is a job, queued or running) and `run:ID` (this worker runs it).
    """

    def __init__(self, leases: LeaseStore, running_ttl_s: float = RUNNING_TTL_S) -> None:
        self._leases, self._running_ttl_s = leases, running_ttl_s

    def try_queue(self, job_id: str) -> bool:
        """Acquire the lease of a job that is about to be sent. Returns False if one is queued or running already.

        The lease is short until `confirm_queued`: if the sender is killed in between, nothing was sent.
        """
        return self._leases.acquire(_job(job_id), _QUEUED, self._running_ttl_s)

    def confirm_queued(self, job_id: str) -> None:
        """Prolong the lease of a job that was sent. Does nothing if the job already runs."""
        self._leases.renew(_job(job_id), _QUEUED, QUEUED_TTL_S)

    @contextmanager
    def queue(self, job_id: str) -> Iterator[bool]:
        """Acquire the lease of a job that the block sends. Yields False if one is queued or running already.

        If the block fails, nothing was sent, and the next caller may try again.
        """
        if not self.try_queue(job_id):
            yield False
            return
        try:
            yield True
        except BaseException:
            self.release_job(job_id)
            raise
        self.confirm_queued(job_id)

    def release_lost(self, job_id: str) -> None:
        """Release a queued job whose message is lost. Does nothing if it runs or is to be retried later."""
        self._release(_job(job_id), _QUEUED)

    def requeue(self, job_id: str, after_s: float | None = None) -> None:
        """Turn a running job into a queued one.

        With `after_s` its worker keeps the message for that many seconds, and the lease is short: the worker may die.
        """
        self._release(_job(job_id), _RUNNING)
        owner, ttl_s = (_QUEUED, QUEUED_TTL_S) if after_s is None else (_RETRY_LATER, after_s + self._running_ttl_s)
        with suppress(LeasesUnavailableError):
            self._leases.acquire(_job(job_id), owner, ttl_s)

    def release_job(self, job_id: str) -> None:
        """Release a job that ended, in whichever state it was. Without Redis its lease expires by itself."""
        for owner in (_RUNNING, _QUEUED, _RETRY_LATER):
            self._release(_job(job_id), owner)

    def acquire_turn(self, name: str, every_s: float) -> bool:
        """Return whether this process may do a periodic task now, which one of all processes does every `every_s`."""
        return self._leases.acquire(f"due:{name}", "round", every_s)

    def mark_seen(self, message_id: str, ttl_s: float) -> bool:
        """Deduplicate messages. Returns True if this one was not seen in the last `ttl_s` seconds."""
        return self._leases.acquire(f"message:{message_id}", "worker", ttl_s)

    @contextmanager
    def hold(self, job_id: str, owner: str) -> Iterator[bool]:
        """Hold both leases of a running job for the block, renewed by a thread.

        Yields False if another process runs the job: this one is a copy and must leave it alone.
        """
        if not self._leases.acquire(_run(job_id), owner, self._running_ttl_s):
            yield False
            return
        for waiting in (_QUEUED, _RETRY_LATER):
            self._leases.release(_job(job_id), waiting)
        self._renew_or_acquire(_job(job_id), _RUNNING)
        stop = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(job_id, owner, stop), daemon=True)
        renewer.start()
        try:
            yield True
        finally:
            stop.set()
            renewer.join()
            self._release(_run(job_id), owner)

    def is_held(self, job_id: str, owner: str) -> bool:
        """Return whether `owner` still runs the job. Another process may have taken over from one that stalled.

        Acquires the lease again if it expired and is free. Returns False if Redis cannot be reached.
        """
        with suppress(LeasesUnavailableError):
            return self._renew_or_acquire(_run(job_id), owner)
        return False

    def _renew_until(self, job_id: str, owner: str, stop: threading.Event) -> None:
        while not stop.wait(self._running_ttl_s / 3):
            try:
                self._renew_or_acquire(_run(job_id), owner)
                self._renew_or_acquire(_job(job_id), _RUNNING)
            except LeasesUnavailableError as error:
                log.warning("lease.renewal_failed", job_id=job_id, error=error)

    def _renew_or_acquire(self, name: str, owner: str) -> bool:
        """Renew a lease, or acquire it again if it expired and is free."""
        return self._leases.renew(name, owner, self._running_ttl_s) or self._leases.acquire(
            name, owner, self._running_ttl_s
        )

    def _release(self, name: str, owner: str) -> None:
        with suppress(LeasesUnavailableError):
            self._leases.release(name, owner)


def _job(job_id: str) -> str:
    return f"job:{job_id}"


def _run(job_id: str) -> str:
    return f"run:{job_id}"
