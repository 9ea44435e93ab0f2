"""Followed lists: what they publish later is added, look by look, on both stores."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from celery.exceptions import Ignore, Reject

from indexer.errors import SiteUnreachableError, StoreUnavailableError
from indexer.fetch.fetcher import YtDlpFetcher
from indexer.store.records import FollowedList
from tests.support.worker.callers import ADMIN, ANN, BOB, OTHER_SPACE
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import handle, local_link, open_services
from worker.handlers.registry import build_handlers
from worker.jobs.following import LOOK_EVERY, MAX_LISTED, MAX_NEW, LookJob, choose_new
from worker.protocol.base import Caller
from worker.protocol.following import FollowList, ListFollowed, UnfollowList
from worker.protocol.library import Forget, ListLibrary, Submit
from worker.protocol.spaces import ChangeSettings, RecordBotRemoval, SpaceSettings
from worker.queue.app import count_waiting
from worker.services import Services
from worker.settings import Settings

LIST = "http://127.0.0.1/list"


@dataclass(frozen=True)
class FakeLists:
    """A fetcher whose lists are in memory."""

    lists: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    timeout_s: float = 0.0

    def list_links(self, link: str, folder: Path, max_links: int) -> list[str]:
        if link in self.errors:
            raise self.errors[link]
        return self.lists[link][:max_links]


@pytest.fixture
def site() -> FakeLists:
    """Return the lists that the services read."""
    return FakeLists()


@pytest.fixture(params=["edge", "server"])
def services(request: pytest.FixtureRequest, fast_folder: Path, site: FakeLists) -> Iterator[Services]:
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    settings = Settings(data_dir=folder, qdrant_url=url, allow_networks=("127.0.0.0/8",))
    with open_services(settings, fetcher=cast(YtDlpFetcher, site)) as opened:
        yield opened
        opened.app.control.purge()
        for collection in opened.vectors.collections() if url else ():
            opened.vectors.drop(collection)
    shutil.rmtree(folder)


def links(*names: str) -> list[str]:
    return [local_link(name) for name in names]


def make_job(services: Services) -> LookJob:
    return services.make_look_job(build_handlers(services)[Submit])


def look(services: Services, caller: Caller = ADMIN, hours: float = 1.5) -> FollowedList:
    """Look at the only list that the caller's scopes follow, as if `hours` hours had passed. Returns its record."""
    [followed] = services.stores.followed_lists.list_followed(caller.scopes)
    make_job(services).look(followed.id, datetime.now(UTC) + timedelta(hours=hours))
    [followed] = services.stores.followed_lists.list_followed(caller.scopes)
    return followed


def titles(services: Services, caller: Caller) -> set[str]:
    entries = handle(services, ListLibrary(caller=caller)).entries
    return {entry.link.rpartition("/")[2].removesuffix(".mp4") for entry in entries}


def test_what_is_published_later_is_added_to_the_space_once(services: Services, site: FakeLists) -> None:
    """What the list had before is not, and a forgotten video does not come back."""
    site.lists[LIST] = links("old")
    assert handle(services, FollowList(caller=ADMIN, link=f"{LIST}/#top")).is_new
    assert not handle(services, FollowList(caller=ADMIN, link=LIST)).is_new
    site.lists[LIST] = links("new", "old", "newer")
    assert look(services).added == 2
    assert titles(services, ANN) == {"new", "newer"}
    assert titles(services, OTHER_SPACE) == set()
    handle(services, Forget(caller=ADMIN, link=local_link("new")))
    assert look(services, hours=3).added == 2
    assert titles(services, ANN) == {"newer"}
    [entry] = handle(services, ListFollowed(caller=ADMIN)).lists
    assert (entry.link, entry.added, entry.code, entry.follower) == (LIST, 2, None, "zoe")


def test_look_is_not_repeated_before_it_is_due(services: Services, site: FakeLists) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = links("new", "old")
    assert look(services, hours=0.5).looked_at is None
    assert look(services, hours=1.5).added == 1


def test_look_adds_a_bounded_number_and_the_next_one_goes_on(services: Services, site: FakeLists) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = links(*map(str, range(MAX_NEW + 2)), "old")
    assert look(services).added == MAX_NEW
    assert look(services, hours=3).added == MAX_NEW + 2


def test_failed_look_is_listed_and_waits_longer(services: Services, site: FakeLists) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.errors[LIST] = SiteUnreachableError("away")
    for failures, hours in ((1, 2), (2, 4), (3, 8)):
        [before] = services.stores.followed_lists.list_followed("discord:1")
        now = datetime.fromisoformat(before.due_at)
        with pytest.raises(SiteUnreachableError):
            make_job(services).look(before.id, now)
        [entry] = handle(services, ListFollowed(caller=ADMIN)).lists
        assert entry.code == "unreachable"
        [after] = services.stores.followed_lists.list_followed("discord:1")
        assert (after.failures, datetime.fromisoformat(after.due_at) - now) == (failures, timedelta(hours=hours))
    site.errors.clear()
    assert (look(services, hours=100).failures, handle(services, ListFollowed(caller=ADMIN)).lists[0].code) == (0, None)


def test_refused_video_of_a_list_does_not_keep_others_from_being_added(services: Services, site: FakeLists) -> None:
    """A list can contain anything: files of the machine, private addresses, no links at all."""
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = ["file:///etc/passwd", "http://10.0.0.1/x.mp4", "nonsense", *links("good"), *links("old")]
    assert look(services).added == 1
    assert titles(services, ANN) == {"good"}


def test_store_that_fails_does_not_make_a_video_seen(services: Services, site: FakeLists) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = links("new", "old")

    def fail(request: Submit) -> Any:
        raise StoreUnavailableError("away")

    [followed] = services.stores.followed_lists.list_followed("discord:1")
    with pytest.raises(StoreUnavailableError):
        services.make_look_job(fail).look(followed.id, datetime.now(UTC) + timedelta(hours=1.5))
    assert look(services, hours=9).added == 1


def test_list_followed_in_private_channel_adds_videos_there_only(services: Services, site: FakeLists) -> None:
    private = ADMIN.model_copy(update={"private_channel": "55"})
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=private, link=LIST))
    site.lists[LIST] = links("new", "old")
    look(services, private)
    assert titles(services, private) == {"new"}
    assert titles(services, ADMIN) == set()
    assert handle(services, ListFollowed(caller=ADMIN)).lists == ()
    assert handle(services, ListFollowed(caller=OTHER_SPACE)).lists == ()
    assert len(handle(services, ListFollowed(caller=private)).lists) == 1


def test_look_adds_in_a_space_where_only_admins_may_submit(services: Services, site: FakeLists) -> None:
    handle(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(submitters="admins")))
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = links("new", "old")
    assert look(services).added == 1


def test_unfollowed_list_is_not_looked_at_and_its_videos_stay(services: Services, site: FakeLists) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    site.lists[LIST] = links("new", "old")
    followed = look(services)
    handle(services, UnfollowList(caller=ADMIN, link=f"{LIST}/"))
    make_job(services).look(followed.id, datetime.now(UTC) + timedelta(hours=9))
    services.stores.followed_lists.update(followed.id, added=9)
    assert handle(services, ListFollowed(caller=ADMIN)).lists == ()
    assert titles(services, ANN) == {"new"}


@pytest.mark.parametrize("outcome", ["forget mine", "space leaves"])
def test_followed_lists_are_deleted_with_their_user_and_their_space(
    services: Services, site: FakeLists, outcome: str
) -> None:
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    handle(services, FollowList(caller=OTHER_SPACE, link=LIST))
    if outcome == "forget mine":
        handle(services, Forget(caller=BOB, only_own=True))
        assert len(handle(services, ListFollowed(caller=ADMIN)).lists) == 1
        handle(services, Forget(caller=ADMIN, only_own=True))
    else:
        handle(services, RecordBotRemoval(caller=ADMIN))
        services.make_look_queue().enqueue_due(datetime.now(UTC) + timedelta(hours=2))
        assert count_waiting(services.app, "index") == 1, "in the grace time, only the other space's list is due"
        services.make_space_removal().purge_departed_spaces(datetime.now(UTC) + timedelta(days=8))
    assert handle(services, ListFollowed(caller=ADMIN)).lists == ()
    assert len(handle(services, ListFollowed(caller=OTHER_SPACE)).lists) == 1


def test_due_look_is_queued_once_and_again_after_it_ran(services: Services, site: FakeLists) -> None:
    """All processes look for due lists; a lease keeps them from sending the same look."""
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    now, queue = datetime.now(UTC), services.make_look_queue()
    queue.enqueue_due(now)
    assert count_waiting(services.app, "index") == 0
    queue.enqueue_due(now + LOOK_EVERY)
    queue.enqueue_due(now + LOOK_EVERY)
    assert count_waiting(services.app, "index") == 1
    [followed] = services.stores.followed_lists.list_followed("discord:1")
    task = cast(Any, RecordingTask())
    with services.leases.hold(followed.id, "another worker"), pytest.raises(Ignore):
        make_job(services)(task, followed.id)
    make_job(services)(task, followed.id)
    queue.enqueue_due(now + LOOK_EVERY)
    assert count_waiting(services.app, "index") == 2


def test_look_that_is_interrupted_by_shutdown_goes_back_to_the_queue(services: Services, site: FakeLists) -> None:
    """It does not count as a failure of the list."""
    site.lists[LIST] = links("old")
    handle(services, FollowList(caller=ADMIN, link=LIST))
    [followed] = services.stores.followed_lists.list_followed("discord:1")
    services.stores.followed_lists.update(followed.id, due_at=datetime.now(UTC).isoformat())
    site.errors[LIST] = RuntimeError("killed")
    services.stopping.set()
    with pytest.raises(Reject) as rejected:
        make_job(services)(cast(Any, RecordingTask()), followed.id)
    assert rejected.value.requeue
    assert services.stores.followed_lists.list_followed("discord:1")[0].failures == 0


@pytest.mark.parametrize(
    ("listed", "seen", "new"),
    [
        (["c", "a", "b"], ["a", "b"], ["c"]),
        (["a", "b", "c"], ["a", "b"], ["c"]),
        (["z"], ["a"], ["z"]),
        ([], ["a"], []),
    ],
)
def test_new_videos_are_those_that_were_not_seen(listed: list[str], seen: list[str], new: list[str]) -> None:
    assert choose_new(listed, seen) == new


def numbered(first: int, last: int) -> Sequence[str]:
    return [str(number) for number in range(first, last)]


def test_old_videos_that_move_up_in_a_long_list_are_not_new() -> None:
    """The list is longer than what is read, and two of the videos that were read are deleted."""
    seen = numbered(0, MAX_LISTED)
    assert choose_new(["new", *numbered(2, MAX_LISTED + 1)], seen) == ["new"]


def test_list_without_any_known_video_has_nothing_new() -> None:
    """The site's addresses have changed: otherwise the whole list would be added."""
    assert choose_new(numbered(100, 200), numbered(0, 100)) == []
