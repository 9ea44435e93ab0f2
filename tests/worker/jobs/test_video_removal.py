"""Removing a video with all its data although workers are killed meanwhile: on the embedded store and a real Redis."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from indexer.blobs import video_prefix
from indexer.errors import StoreUnavailableError
from indexer.link.canonical import canonicalize
from indexer.store.records import NewSubmission, VoteRecord, submission_id
from indexer.store.removals import LATE_WRITES_S
from indexer.store.stores import open_stores
from indexer.vectors.vector_store import Filter
from indexer.vectors.write_deadline import first_write_before
from tests.support.indexer.fakes import InterruptedVectorStore, make_moments, make_video, raise_store_unavailable
from tests.support.worker.callers import ANN, OTHER_SPACE
from tests.support.worker.services import FAKE, create_fake_generation, handle, local_link, open_services
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Forget, Submit, Submitted
from worker.redis_client import redis_client
from worker.services import Services
from worker.settings import Settings
from worker.user_data import RedisUserDataKeys, make_key

LINK = local_link("goal")
WRITES = 7
"""Number of writes to the store when the last space removes a video."""
WRITES_UNTIL_RECORDED = 1
"""Number of writes after which another worker goes on with the removal."""


@pytest.fixture
def services(tmp_path: Path, clean_redis: str) -> Iterator[Services]:
    with open_services(Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))) as opened:
        create_fake_generation(opened)
        opened.user_data = RedisUserDataKeys(redis_client(clean_redis))
        yield opened


@pytest.fixture
def connection(clean_redis: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(clean_redis) as opened:
        yield opened


def submit(services: Services, caller: Caller, at: float) -> Submitted:
    return handle(services, Submit(caller=caller, link=LINK, at=at))


def forget(services: Services, at: float) -> None:
    handle(services, Forget(caller=ANN, link=LINK, at=at))


def add_video_with_data(services: Services, connection: redis.Redis) -> str:
    """Add a video with a picture, a vote and a result that a chat shows. Returns its id."""
    video_id = submit(services, ANN, at=1).video_id
    video = replace(make_video("goal"), id=video_id, link=LINK)
    services.stores.publisher.publish_moments(video, make_moments(video, "goal"), FAKE)
    services.blobs.put(f"{video_prefix(video_id)}0.jpg", b"picture")
    vote = VoteRecord(ANN.space, "bob", ("goal",), video_id, 0.0, 5.0, "up", datetime.now(UTC).isoformat())
    services.stores.spaces.put_vote(vote)
    store_result(connection, "before")
    return video_id


def result_key(name: str) -> str:
    return make_key(ANN.space, "bob", "results", name)


def store_result(connection: redis.Redis, name: str) -> None:
    """Store a result that contains the link, as a frontend does."""
    connection.set(result_key(name), f'{{"cards": [{{"link": "{LINK}"}}]}}')


def remaining_data(services: Services, connection: redis.Redis, video_id: str) -> list[str]:
    """Return the ids and keys of everything that is still stored of the video."""
    moments = services.vectors.scroll(FAKE.collection_name, Filter({"video_id": video_id}), ())
    records = [point for point in services.vectors.scroll("records", Filter()) if video_id in str(point)]
    results = [key.decode() for key in connection.scan_iter() if LINK.encode() in (connection.get(key) or b"")]
    blobs = services.blobs.list_names(video_prefix(video_id))
    return [*(point.id for point in (*moments, *records)), *blobs, *results]


class KilledBeforeDeletingResults(RedisUserDataKeys):
    """The worker is killed before it deletes stored results."""

    def delete_with_links(self, space: str | None, links: Sequence[str]) -> None:
        raise_store_unavailable()


@pytest.mark.parametrize("killed_before_write", range(1, WRITES + 1))
def test_removal_of_killed_worker_is_resumed(
    services: Services, connection: redis.Redis, killed_before_write: int
) -> None:
    """If the removal was recorded, another worker deletes everything. Before that, nothing is deleted."""
    video_id, stores = add_video_with_data(services, connection), services.stores
    services.stores = open_stores(
        InterruptedVectorStore(services.vectors, killed_before_write, raise_store_unavailable)
    )
    with pytest.raises(StoreUnavailableError):
        forget(services, at=2)
    services.stores = stores
    store_result(connection, "between")
    services.make_video_removal().resume_removals()
    is_kept = killed_before_write <= WRITES_UNTIL_RECORDED
    assert stores.submissions.has(ANN.space, video_id) is is_kept
    assert bool(remaining_data(services, connection, video_id)) is is_kept


def test_removal_killed_before_stored_results_are_deleted_is_resumed(
    services: Services, connection: redis.Redis, clean_redis: str
) -> None:
    """The video's record is deleted last, so that another worker finds what is left."""
    video_id = add_video_with_data(services, connection)
    user_data = services.user_data
    services.user_data = KilledBeforeDeletingResults(redis_client(clean_redis))
    with suppress(StoreUnavailableError):
        forget(services, at=2)
    services.user_data = user_data
    assert result_key("before") in remaining_data(services, connection, video_id)
    services.make_video_removal().resume_removals()
    assert remaining_data(services, connection, video_id) == []


def test_submit_from_before_the_removal_is_refused(services: Services, connection: redis.Redis) -> None:
    """A restarted frontend may recover an old request. Later requests, and those of other spaces, are accepted."""
    add_video_with_data(services, connection)
    forget(services, at=10)
    with pytest.raises(RequestRefusedError) as refused:
        submit(services, ANN, at=9)
    assert refused.value.code is ErrorCode.NOT_IN_LIBRARY
    assert submit(services, OTHER_SPACE, at=9).job_id
    assert submit(services, ANN, at=11).job_id


def interrupt(services: Services, nth: int, interrupt: Callable[[], object]) -> Callable[[], object]:
    """Call `interrupt` before the `nth` write from now on, with the store as it was. Returns what ends that."""
    stores = services.stores

    def call() -> None:
        services.stores, interrupted = stores, services.stores
        interrupt()
        services.stores = interrupted

    services.stores = open_stores(InterruptedVectorStore(services.vectors, nth, call))
    return lambda: setattr(services, "stores", stores)


def assert_nothing_is_left(services: Services, connection: redis.Redis) -> None:
    """Check that a job that was sent meanwhile, and the periodic tasks, remove what a late write has left."""
    video_id = canonicalize(LINK).video_id
    services.make_video_removal().resume_removals()
    for record in services.stores.videos.list_waiting():
        services.stores.publisher.record_failure(record.video_id, ErrorCode.UNREACHABLE)
    assert remaining_data(services, connection, video_id) == []


def test_forget_removes_a_submission_whose_worker_was_killed_before_its_record(
    services: Services, connection: redis.Redis
) -> None:
    """The worker was killed between the two writes of a submission, which was not acknowledged."""
    restore = interrupt(services, 2, raise_store_unavailable)
    with pytest.raises(StoreUnavailableError):
        submit(services, ANN, at=9)
    restore()
    with pytest.raises(RequestRefusedError) as refused:
        forget(services, at=10)
    assert refused.value.code is ErrorCode.NOT_IN_LIBRARY
    assert_nothing_is_left(services, connection)


@pytest.mark.parametrize("nth", [1, 2])
def test_submission_that_is_forgotten_while_it_is_written_stays_away(
    services: Services, connection: redis.Redis, nth: int
) -> None:
    """The worker delays the request until its caller has given up and removed the link."""

    def forget_link() -> None:
        with suppress(RequestRefusedError):
            forget(services, at=10)

    restore = interrupt(services, nth, forget_link)
    with pytest.raises(RequestRefusedError) as refused:
        submit(services, ANN, at=9)
    assert refused.value.code is ErrorCode.NOT_IN_LIBRARY
    restore()
    assert_nothing_is_left(services, connection)


@pytest.mark.parametrize("removed_by", [{"only_own": True}, {"message_id": "m1"}, {"link": LINK}])
@pytest.mark.parametrize("is_known", [False, True])
def test_submission_that_the_store_completes_late_is_removed(
    services: Services, connection: redis.Redis, removed_by: Mapping[str, Any], is_known: bool
) -> None:
    """The store holds the write while its client gives up; other spaces and later submissions keep the video."""
    if is_known:
        submit(services, OTHER_SPACE, at=1)
    now_s = time.time()
    with suppress(RequestRefusedError):
        handle(services, Forget(caller=ANN, at=now_s, **removed_by))
    services.stores.submissions.submit(
        NewSubmission(
            video_id := canonicalize(LINK).video_id,
            LINK,
            LINK,
            ANN.space,
            ANN.user_id,
            datetime.fromtimestamp(now_s - 1, UTC),
            message_id="m1",
        )
    )
    services.make_video_removal().resume_removals()
    assert not services.stores.submissions.has(ANN.space, video_id)
    assert services.stores.submissions.has(OTHER_SPACE.space, video_id) is is_known
    assert submit(services, ANN, at=time.time()).job_id
    services.make_video_removal().resume_removals()
    assert services.stores.submissions.has(ANN.space, video_id)


def test_submission_after_a_removal_that_failed_is_kept(services: Services) -> None:
    """The removal was recorded and then failed; who submits the link again is not deprived of it later."""
    video_id, now_s = submit(services, ANN, at=1).video_id, time.time()
    restore = interrupt(services, 2, raise_store_unavailable)
    with pytest.raises(StoreUnavailableError):
        forget(services, at=now_s)
    restore()
    submit(services, ANN, at=now_s + 1)
    services.make_video_removal().resume_removals()
    assert services.stores.submissions.has(ANN.space, video_id)


def test_removal_is_repeated_only_as_long_as_writes_can_come_late(services: Services) -> None:
    """Afterwards no stored data shows that the link was removed."""
    for at in (time.time(), time.time() - LATE_WRITES_S - 1):
        with pytest.raises(RequestRefusedError):
            forget(services, at=at)
    services.make_video_removal().resume_removals()
    [left] = services.stores.submissions.removal_requests().values()
    assert left.submission_ids == (submission_id(canonicalize(LINK).video_id, ANN.space),)


def test_request_whose_time_limit_is_over_writes_nothing(services: Services) -> None:
    """A request that has begun to write in time is completed."""
    with pytest.raises(StoreUnavailableError), first_write_before(time.time() - 1):
        submit(services, ANN, at=9)
    assert list(services.vectors.scroll("records", Filter({"kind": "submission"}))) == []
    with first_write_before(time.time() + 60):
        assert submit(services, ANN, at=9).job_id
