"""Looks at the lists that spaces follow: what a channel, playlist or feed has published is submitted to its space.

Every process notices which lists are due and sends their looks to the queue `index`; a lease keeps a list from having
two. A look that is lost with its worker is sent again when the lease has expired. A look is idempotent: a video is
submitted again if the worker is killed before the list's record says that it was seen.
"""

import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from celery import Celery, Task
from celery.exceptions import Reject

from indexer.errors import LinkRefusedError, StoreUnavailableError
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.link.canonical import canonicalize
from indexer.store.records import FollowedList
from indexer.store.spaces import FollowedListStore, SpaceStore
from worker.job_leases import JobLeases
from worker.jobs.progress import hold_or_ignore
from worker.protocol.base import Ack, Caller, WireModel
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.library import Submit, Submitted
from worker.protocol.queues import LOOK_TASK
from worker.protocol.updates import IndexOutcome
from worker.queue.errors import QueueUnavailableError
from worker.queue.signing import send_signed

LOOK_EVERY: Final = timedelta(hours=1)
MAX_PAUSE: Final = timedelta(days=1)
"""The pause doubles with each look that fails, up to this."""
LIST_TIMEOUT_S: Final = 120.0
MAX_LISTED: Final = 500
"""Videos of a list that a look reads."""
MAX_NEW: Final = 10
"""Videos that one look adds at most; the next look goes on."""
MAX_SEEN: Final = 4 * MAX_LISTED
KEY_CHARS: Final = 13

log = structlog.get_logger()


@dataclass(frozen=True)
class LookQueue:
    """Sends the looks that are due to the queue `index`."""

    app: Celery
    leases: JobLeases
    spaces: SpaceStore
    lists: FollowedListStore

    def enqueue_due(self, now: datetime | None = None) -> None:
        """Send a look for each list that is due, except those of spaces that the bot was removed from."""
        now = now or datetime.now(UTC)
        if due := self.lists.list_due(now):
            departed = self.spaces.list_removed_before(now)
            for list_id, space in due.items():
                if space not in departed:
                    self._enqueue(list_id)

    def _enqueue(self, list_id: str) -> None:
        with self.leases.queue(list_id) as is_free:
            if is_free:
                send_signed(self.app, LOOK_TASK, list_id, queue="index")


@dataclass(frozen=True)
class LookJob:
    """Looks at one followed list. `submit` is the handler of `Submit`."""

    leases: JobLeases
    lists: FollowedListStore
    fetcher: YtDlpFetcher
    submit: Callable[[Submit], WireModel]
    stopping: threading.Event

    def __call__(self, task: Task, list_id: str) -> Ack:
        """Look at a list, unless another worker does. Raises Celery's `Ignore`, or `Reject` to put the message back."""
        with hold_or_ignore(self.leases, list_id, uuid.uuid4().hex):
            self._look_or_requeue(list_id)
        self.leases.release_job(list_id)
        return Ack()

    def _look_or_requeue(self, list_id: str) -> None:
        try:
            self.look(list_id)
        except Exception:
            if self.stopping.is_set():  # A child process that was killed by the shutdown can fail in any way.
                self.leases.requeue(list_id)
                raise Reject("shutting down", requeue=True) from None
            self.leases.release_job(list_id)
            raise

    def look(self, list_id: str, now: datetime | None = None) -> None:
        """Submit what is new in a list that is due, and record how that went."""
        now = now or datetime.now(UTC)
        followed = self.lists.get(list_id)
        if followed is None or datetime.fromisoformat(followed.due_at) > now:
            return
        try:
            listed = self._list_videos(followed.link)
            new = choose_new(list(listed), followed.seen)
            added = sum(self._submit(followed, listed[key], now) for key in new[:MAX_NEW])
        except Exception as error:
            if not self.stopping.is_set():
                self._record_failure(followed, error, now)
            raise
        seen = [key for key in listed if key not in new[MAX_NEW:]]
        seen += [key for key in followed.seen if key not in listed]
        self.lists.update(
            list_id,
            seen=seen[:MAX_SEEN],
            added=followed.added + added,
            failures=0,
            code=None,
            looked_at=now.isoformat(),
            due_at=(now + LOOK_EVERY).isoformat(),
        )
        log.info("list.looked_at", space=followed.space, list_id=list_id, listed=len(listed), added=added)

    def _list_videos(self, link: str) -> dict[str, str]:
        """Return the links of a list's videos by their keys, in the list's order."""
        with TemporaryDirectory() as folder:
            links = replace(self.fetcher, timeout_s=LIST_TIMEOUT_S).list_links(link, Path(folder), MAX_LISTED)
        return video_keys(links)

    def _submit(self, followed: FollowedList, link: str, now: datetime) -> bool:
        """Submit a video on behalf of its follower. Returns whether it is new in the space.

        A video that is refused counts as seen, so that it does not keep others from being added.
        """
        if self.lists.get(followed.id) is None:  # Unfollowed meanwhile.
            return False
        caller = Caller(
            space=followed.space,
            user_id=followed.user_id,
            display_name=followed.user_name,
            private_channel=followed.private_channel,
            is_admin=True,
        )
        try:
            # As of the time of the look: whatever its follower removes from then on stays removed.
            submitted = self.submit(Submit(caller=caller, link=link, at=now.timestamp()))
        except (StoreUnavailableError, QueueUnavailableError):
            raise
        except Exception as error:
            if error_code_of(error) is ErrorCode.INTERNAL:
                raise
            log.info("list.video_refused", space=followed.space, link=link, code=error_code_of(error))
            return False
        indexed = submitted.indexed if isinstance(submitted, Submitted) else None
        return indexed is None or indexed.status is not IndexOutcome.ALREADY

    def _record_failure(self, followed: FollowedList, error: Exception, now: datetime) -> None:
        """Record why a look failed, and let the next one wait longer."""
        failures = followed.failures + 1
        pause = min(LOOK_EVERY * 2 ** min(failures, 10), MAX_PAUSE)
        self.lists.update(
            followed.id,
            failures=failures,
            code=str(error_code_of(error)),
            looked_at=now.isoformat(),
            due_at=(now + pause).isoformat(),
        )


def choose_new(listed: Sequence[str], seen: Collection[str]) -> list[str]:
    """Return the keys of the videos that a list has published since it was seen.

    If a list is longer than the part that is read, the videos after the last known one may be old ones that moved up:
    they are left out. If none of more than `MAX_NEW` videos is known, the site has changed its addresses, and none is
    new.
    """
    known = [number for number, key in enumerate(listed) if key in seen]
    if not known and len(listed) > MAX_NEW:
        return []
    end = known[-1] if known and len(listed) >= MAX_LISTED else len(listed)
    return [key for key in listed[:end] if key not in seen]


def video_keys(links: Sequence[str]) -> dict[str, str]:
    """Return links by the keys of their videos, in their order. Links that lead to no video are left out."""
    keys: dict[str, str] = {}
    for link in links:
        with suppress(LinkRefusedError):
            keys.setdefault(canonicalize(link).video_id[:KEY_CHARS], link)
    return keys
