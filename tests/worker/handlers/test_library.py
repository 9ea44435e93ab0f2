"""Submitting, listing and removing videos."""

import pytest

from indexer.errors import NotSubmitterError
from tests.support.worker.callers import ADMIN, ANN, BOB, OTHER_SPACE
from tests.support.worker.services import add_video, handle
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Forget, ListLibrary
from worker.protocol.search import Find, RecordVote
from worker.protocol.spaces import ChangeSettings, SpaceSettings
from worker.services import Services


def find_moment(services: Services, caller: Caller) -> str:
    """Return the id of the one moment that the caller finds."""
    [hit] = handle(services, Find(caller=caller, queries=("goal",))).hits
    return hit.moment_id


def list_titles(services: Services, caller: Caller, only_own: bool = False) -> list[str]:
    entries = handle(services, ListLibrary(caller=caller, only_own=only_own)).entries
    return sorted(entry.title for entry in entries)


def test_list_of_own_submissions_leaves_out_those_of_others(services: Services) -> None:
    add_video(services, "goal", ANN)
    add_video(services, "dog", BOB)
    assert list_titles(services, BOB, only_own=True) == ["dog"]


def test_submit_is_refused_for_non_admins_if_space_allows_only_admins(services: Services) -> None:
    """The worker checks it, independently of the frontend. Other spaces are not affected."""
    handle(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(submitters="admins")))
    with pytest.raises(RequestRefusedError) as refused:
        add_video(services, "goal", ANN)
    assert refused.value.code is ErrorCode.SUBMITTERS_ONLY
    add_video(services, "goal", ADMIN)
    add_video(services, "goal", OTHER_SPACE)


def test_forget_link_is_allowed_for_submitter_and_admins_only(services: Services) -> None:
    """The votes on the video are deleted with it."""
    link = add_video(services, "goal", ANN)
    moment_id = find_moment(services, ANN)
    handle(services, RecordVote(caller=BOB, queries=("goal",), moment_id=moment_id, kind="up"))
    with pytest.raises(NotSubmitterError):
        handle(services, Forget(caller=BOB, link=link))
    assert handle(services, Forget(caller=ADMIN, link=link)).links == (link,)
    assert handle(services, Find(caller=ANN, queries=("goal",))).hits == ()
    assert services.stores.spaces.list_votes() == []


def test_forget_own_submissions_deletes_own_votes(services: Services) -> None:
    """Submissions of others are kept."""
    add_video(services, "goal", BOB)
    handle(services, RecordVote(caller=ANN, queries=("goal",), moment_id=find_moment(services, ANN), kind="down"))
    assert handle(services, Forget(caller=ANN, only_own=True)).links == ()
    assert services.stores.spaces.list_votes() == []
    assert list_titles(services, ANN) == ["goal"]


def test_forget_message_removes_links_that_are_no_longer_in_it(services: Services) -> None:
    """After an edit, the links that the message still contains are kept."""
    kept = add_video(services, "goal", ANN, message_id="m1")
    add_video(services, "dog", ANN, message_id="m1")
    handle(services, Forget(caller=ANN, message_id="m1", kept_links=(kept, "no link")))
    assert list_titles(services, ANN) == ["goal"]
    handle(services, Forget(caller=ANN, message_id="m1"))
    assert list_titles(services, ANN) == []
