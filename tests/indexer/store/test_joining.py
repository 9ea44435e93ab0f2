"""Aliases of videos, and joining a video to the one that it is."""

from datetime import UTC, datetime

import pytest

from indexer.errors import NoVideoError
from indexer.link.canonical import Link, canonicalize
from indexer.store.joining import CANONICAL_FORMS
from indexer.store.records import IndexStatus, NewSubmission, RemovalRequest, VideoRecord, VoteRecord, submission_id
from indexer.store.stores import open_stores
from tests.support.indexer.fakes import OpenVectorStore

SHORT = canonicalize("https://vm.tiktok.com/ZMabc/")
VIDEO = canonicalize("https://www.tiktok.com/@ann/video/7234567890123456789")
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def new_submission(link: str, space: str = "discord:1", user_id: str = "ann") -> NewSubmission:
    canonical = canonicalize(link)
    return NewSubmission(
        canonical.video_id, canonical.url, canonical.fetch_url, space, user_id, AT, message_id="m1", user_name="Ann"
    )


def test_submissions_move_to_the_video_that_the_site_named(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    record = stores.submissions.submit(new_submission(SHORT.url))
    stores.submissions.submit(new_submission(SHORT.url, "discord:2", "bob"))
    [first, second] = stores.joins.join(record, VIDEO)
    assert {first.space, second.space} == {"discord:1", "discord:2"}
    assert stores.videos.get(SHORT.video_id) is None
    joined = stores.videos.get(VIDEO.video_id)
    assert joined == VideoRecord(VIDEO.video_id, VIDEO.url, VIDEO.fetch_url, "")
    assert joined.status == IndexStatus.WAITING
    [submission] = stores.submissions.of_video("discord:1", VIDEO.video_id)
    assert (submission.user_id, submission.message_id, submission.user_name) == ("ann", "m1", "Ann")
    assert not stores.submissions.has("discord:1", SHORT.video_id)
    assert stores.submissions.aliases.resolve(SHORT.video_id) == VIDEO.video_id


def test_first_submission_of_the_known_video_is_kept(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    stores.submissions.submit(new_submission(VIDEO.url, user_id="bob"))
    stores.joins.join(stores.submissions.submit(new_submission(SHORT.url)), VIDEO)
    [submission] = stores.submissions.of_video("discord:1", VIDEO.video_id)
    assert submission.user_id == "bob"


def test_join_repeated_after_a_crash_ends_the_same(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    record = stores.submissions.submit(new_submission(SHORT.url))
    stores.joins.join(record, VIDEO)
    assert stores.joins.join(record, VIDEO) == []
    assert len(stores.videos.list_all()) == 1


def test_link_that_was_forgotten_while_its_job_ran_is_not_moved(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    record = stores.submissions.submit(new_submission(SHORT.url))
    ids = (submission_id(SHORT.video_id, "discord:1"),)
    stores.removals.record_request(RemovalRequest("discord:1", datetime.now(UTC).isoformat(), submission_ids=ids))
    assert stores.joins.join(record, VIDEO) == []
    assert stores.videos.list_all() == []


def test_removed_video_has_no_aliases_and_says_their_ids(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    stores.joins.join(stores.submissions.submit(new_submission(SHORT.url)), VIDEO)
    removed = stores.removals.remove_video("discord:1", VIDEO.video_id)
    assert removed.video_ids == (VIDEO.video_id, SHORT.video_id)
    assert removed.links == (VIDEO.url,)
    assert stores.removals.finish_removal(VIDEO.video_id)
    assert stores.submissions.aliases.resolve(SHORT.video_id) == SHORT.video_id
    assert stores.submissions.aliases.list_of(VIDEO.video_id) == []


def test_two_addresses_that_lead_to_each_other_are_no_video(open_vector_store: OpenVectorStore) -> None:
    stores = open_stores(open_vector_store())
    stores.joins.join(stores.submissions.submit(new_submission(SHORT.url)), VIDEO)
    record = stores.videos.get(VIDEO.video_id)
    assert record is not None
    with pytest.raises(NoVideoError):
        stores.joins.join(record, SHORT)


def test_alias_of_an_alias_means_the_last_video(open_vector_store: OpenVectorStore) -> None:
    aliases = open_stores(open_vector_store()).submissions.aliases
    first, second, third = (canonicalize(f"https://example.com/{name}").video_id for name in "abc")
    aliases.put(first, second)
    aliases.put(second, third)
    assert aliases.resolve(first) == aliases.resolve(second) == aliases.resolve(third) == third
    assert aliases.list_of(third) == sorted([first, second])


def test_links_stored_by_an_earlier_version_are_found_by_every_address(open_vector_store: OpenVectorStore) -> None:
    """0.1.0 knew no forms of X: its id of a post is not the one that all forms of it have now."""
    stores = open_stores(vectors := open_vector_store())
    link = "https://twitter.com/ann/status/123"
    old = Link(link, link).video_id
    stores.videos.put(VideoRecord(old, link, link, "a post"))
    vectors.drop_alias(CANONICAL_FORMS)
    aliases = open_stores(vectors).submissions.aliases
    for form in (link, "https://x.com/ann/status/123", "https://fxtwitter.com/i/status/123"):
        assert aliases.resolve(canonicalize(form).video_id) == old


@pytest.mark.parametrize("second", ["https://x.com/i/status/123", "https://fxtwitter.com/ann/status/123"])
def test_stored_videos_that_are_one_now_are_joined(open_vector_store: OpenVectorStore, second: str) -> None:
    """Also if none of them has the id of today. The indexed one is kept, with what all spaces and users did."""
    stores = open_stores(vectors := open_vector_store())
    first = "https://twitter.com/ann/status/123"
    for link, space, user in ((first, "discord:1", "ann"), (second, "discord:1", "bob"), (second, "slack:T1", "cat")):
        id = Link(link, link).video_id
        stores.submissions.submit(NewSubmission(id, link, link, space, user, AT))
        stores.spaces.put_vote(VoteRecord(space, user, ("a dog",), id, 0.0, 8.0, "up", AT.isoformat()))
    kept, other = (Link(link, link).video_id for link in (first, second))
    stores.videos.update(kept, status=IndexStatus.INDEXED.value)
    vectors.drop_alias(CANONICAL_FORMS)
    for _ in range(2):
        stores = open_stores(vectors)
        assert [record.video_id for record in stores.videos.list_all()] == [kept]
        submitters = {each.space: each.user_id for each in stores.submissions.find({"video_id": kept})}
        assert submitters == {"discord:1": "ann", "slack:T1": "cat"}
        assert {vote.video_id for vote in stores.spaces.list_votes()} == {kept}
        assert stores.submissions.aliases.resolve(other) == kept
        assert stores.submissions.aliases.resolve(canonicalize(first).video_id) == kept
