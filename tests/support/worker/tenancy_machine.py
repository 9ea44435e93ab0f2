"""A random sequence of requests to the handlers, compared with a simple model of who may see what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from indexer.errors import IndexerError
from indexer.ingest.evidence import put_evidence
from indexer.senses import SoundTag
from indexer.store.records import FollowedList
from indexer.types import Evidence
from indexer.vectors.vector_store import Filter
from tests.support.indexer.fakes import FakeEncoder, make_moments, make_video
from tests.support.worker.access_model import (
    MESSAGE_IDS,
    MOMENTS_PER_VIDEO,
    OBSERVERS,
    SEARCH_OPTIONS,
    VIDEOS,
    AccessModel,
    ModelVote,
    encode_picture,
    link_of,
    list_mentioned_spaces,
    list_mentioned_videos,
    moment_ids_of,
    question_of,
    video_id_of,
)
from tests.support.worker.exploring_rules import CALLERS, VIDEO_NAMES, ExploringRules
from tests.support.worker.services import FAKE, create_fake_generation, handle
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Ack, Caller, Request, WireModel
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.following import FollowedListing, FollowList, ListFollowed, UnfollowList
from worker.protocol.library import (
    Enrich,
    Forget,
    ForgetResult,
    GetStatus,
    GetVideoStatus,
    LibraryListing,
    LibraryStatus,
    ListLibrary,
    ListPlaylist,
    StopCrawls,
    Submit,
    Submitted,
)
from worker.protocol.models import (
    ListModels,
    ListPresets,
    ModelList,
    PresetList,
    PreviewRetrain,
    Retrain,
    Rollback,
    TrainingDataSummary,
    UseModel,
)
from worker.protocol.search import Find, MatchKind, RecordVote, SearchResults, VoteKind
from worker.protocol.spaces import (
    ChangeSettings,
    GetRetentionPolicy,
    GetSettings,
    RecordBotRemoval,
    RetentionPolicy,
    SpaceSettings,
)
from worker.services import Services

A = TypeVar("A", bound=WireModel)


class TenancyMachine(ExploringRules):
    """The handlers, compared with the model. A step is one request, or one event in the worker."""

    services: ClassVar[Services]
    sent: ClassVar[set[type[Request[Any]]]]
    """Kinds of requests that were sent, in any run."""

    def __init__(self) -> None:
        super().__init__()
        vectors = self.services.vectors
        for collection in vectors.collections():
            vectors.delete(collection, Filter())
        self.services.blobs.delete_prefix("videos/")
        self.model = AccessModel()

    def send(self, request: Request[A], also_mentionable: set[str] | None = None) -> A | ErrorCode:
        """Return the answer, or the code of the error.

        The answer may mention the videos that the caller sees afterwards, and those in `also_mentionable`.
        """
        self.sent.add(type(request))
        try:
            answer = handle(self.services, request)
        except (RequestRefusedError, IndexerError) as error:
            return error_code_of(error)
        assert list_mentioned_videos(answer) <= self.model.visible_names(request.caller) | (also_mentionable or set())
        assert list_mentioned_spaces(answer) <= {request.caller.space}
        return answer

    callers, videos = CALLERS, VIDEO_NAMES

    # ---- submissions and removals ----

    @initialize(submissions=st.lists(st.tuples(callers, videos), min_size=4, max_size=8))
    def start_with_indexed_videos(self, submissions: list[tuple[Caller, str]]) -> None:
        for caller, name in submissions:
            self.submit(caller, name, "m1")
            if name in self.model.waiting():
                self._finish_indexing(name)

    @rule(caller=callers, name=videos, message_id=st.sampled_from(MESSAGE_IDS))
    def submit(self, caller: Caller, name: str, message_id: str | None) -> None:
        was_visible = name in self.model.visible_names(caller)
        is_refused = self.model.settings(caller.space).submitters == "admins" and not caller.is_admin
        if not is_refused:
            self.model.submit(caller, name, message_id)
        answer = self.send(Submit(caller=caller, link=link_of(name), message_id=message_id))
        if is_refused:
            assert answer is ErrorCode.SUBMITTERS_ONLY
            return
        assert isinstance(answer, Submitted)
        assert (answer.job_id is None) == (name in self.model.indexed)
        # The answer must not reveal that another space has the video.
        assert answer.indexed is None or (answer.indexed.status == "already") == was_visible

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data())
    def finish_indexing(self, data: st.DataObject) -> None:
        """Finish the index job of a video, as a worker does."""
        self._finish_indexing(data.draw(st.sampled_from(sorted(self.model.waiting()))))

    def _finish_indexing(self, name: str) -> None:
        video = replace(make_video(name), id=video_id_of(name), link=link_of(name), title=f"title of {name}")
        create_fake_generation(self.services)
        self.services.blobs.put(f"videos/{video.id}/0.jpg", b"a picture")
        moments = make_moments(video, *[f"clip {name} {number}" for number in range(MOMENTS_PER_VIDEO)])
        assert self.services.stores.publisher.publish_moments(video, moments, FAKE)
        evidence = Evidence(heard=(SoundTag("Applause", 0.9, 0.0, 5.0),))
        put_evidence(self.services.stores.enrichment, FakeEncoder(), {moments[0].id: evidence})
        self.model.indexed.add(name)

    @precondition(lambda self: self.model.waiting())
    @rule(data=st.data())
    def fail_indexing(self, data: st.DataObject) -> None:
        """Fail the index job of a video."""
        name = data.draw(st.sampled_from(sorted(self.model.waiting())))
        self.services.stores.publisher.record_failure(video_id_of(name), ErrorCode.NOT_FOUND)
        self.model.failed.add(name)

    @rule(caller=callers, name=videos)
    def forget_link(self, caller: Caller, name: str) -> None:
        visible = [submission for submission in self.model.visible(caller) if submission.name == name]
        own = [submission for submission in visible if caller.is_admin or submission.user_id == caller.user_id]
        if own:
            self.model.remove(lambda submission: submission in own)
        answer = self.send(Forget(caller=caller, link=link_of(name)), {name})
        if own:
            assert isinstance(answer, ForgetResult)
        else:
            assert answer is (ErrorCode.NOT_YOURS if visible else ErrorCode.NOT_IN_LIBRARY)

    @rule(caller=callers)
    def forget_own(self, caller: Caller) -> None:
        user = (caller.space, caller.user_id)
        removed = self.model.remove(lambda submission: (submission.space, submission.user_id) == user)
        self.model.remove_votes(lambda vote: (vote.space, vote.user_id) == user)
        assert isinstance(self.send(Forget(caller=caller, only_own=True), removed), ForgetResult)

    @rule(caller=callers, message_id=st.sampled_from(MESSAGE_IDS[1:]), kept=st.sets(videos, max_size=2))
    def edit_message(self, caller: Caller, message_id: str, kept: set[str]) -> None:
        """Edit a chat message so that it contains only the links of `kept`."""
        message = (caller.space, message_id)
        removed = self.model.remove(
            lambda submission: (submission.space, submission.message_id) == message and submission.name not in kept
        )
        links = tuple(map(link_of, sorted(kept)))
        answer = self.send(Forget(caller=caller, message_id=message_id, kept_links=links), removed)
        assert isinstance(answer, ForgetResult)

    # ---- searches ----

    @rule(caller=callers, words=st.sampled_from(["clip", "v0", "title of v1"]), options=SEARCH_OPTIONS)
    def find(self, caller: Caller, words: str, options: dict[str, Any]) -> None:
        answer = self.send(Find(caller=caller, queries=(words,), **options))
        assert isinstance(answer, SearchResults)

    @rule(caller=callers, name=videos)
    def find_similar_to_moment(self, caller: Caller, name: str) -> None:
        """Search by example. A moment that the caller cannot see finds nothing."""
        like = tuple(f"moment:{moment_id}" for moment_id in moment_ids_of(name))
        answer = self.send(Find(caller=caller, like=like, limit=50))
        assert isinstance(answer, SearchResults)
        findable = self.model.findable_names(caller)
        assert list_mentioned_videos(answer) == (findable - {name} if name in findable else set())

    @rule(caller=callers, name=videos)
    def find_in_video(self, caller: Caller, name: str) -> None:
        answer = self.send(Find(caller=caller, queries=("clip",), in_link=link_of(name)))
        if name in self.model.visible_names(caller):
            assert isinstance(answer, SearchResults)
            assert list_mentioned_videos(answer) == self.model.findable_names(caller) & {name}
        else:
            assert answer is ErrorCode.NOT_IN_LIBRARY

    @rule(caller=callers, name=videos)
    def get_video_status(self, caller: Caller, name: str) -> None:
        answer = self.send(GetVideoStatus(caller=caller, video_id=video_id_of(name)))
        assert (answer is ErrorCode.NOT_IN_LIBRARY) is (name not in self.model.visible_names(caller))

    @rule(caller=callers, name=videos, only_missing=st.booleans())
    def enrich(self, caller: Caller, name: str, only_missing: bool) -> None:
        answer = self.send(Enrich(caller=caller, link=link_of(name), only_missing=only_missing))
        if not caller.is_admin:
            assert answer is ErrorCode.ADMINS_ONLY
        elif name in self.model.visible_names(caller) - self.model.failed:
            assert isinstance(answer, Submitted)
            assert (answer.job_id is None) == (name in self.model.indexed)
        else:
            assert answer is ErrorCode.NOT_IN_LIBRARY

    @rule(
        caller=callers, typed=st.sampled_from([None, "v1", "TITLE", link_of("v2"), "nothing"]), only_own=st.booleans()
    )
    def list_videos(self, caller: Caller, typed: str | None, only_own: bool) -> None:
        """List the library; the same request makes the suggestions while a user types."""
        answer = self.send(ListLibrary(caller=caller, search=typed, only_own=only_own, limit=200))
        assert isinstance(answer, LibraryListing)
        names = {
            submission.name
            for submission in self.model.visible(caller)
            if not only_own or submission.user_id == caller.user_id
        }
        titles = {name: f"title of {name}" if name in self.model.indexed else "" for name in names}
        expected = {name for name, title in titles.items() if (typed or "").casefold() in f"{title} {link_of(name)}"}
        assert list_mentioned_videos(answer) == expected
        assert answer.total == len(answer.entries) == len(expected)

    @rule(caller=callers, name=videos, kind=st.sampled_from(["up", "down", "opened", "shared"]))
    def vote(self, caller: Caller, name: str, kind: VoteKind) -> None:
        question = question_of(caller.space, caller.private_channel)
        is_first = not any(vote.name == name for vote in self.model.votes)
        answer = self.send(RecordVote(caller=caller, queries=(question,), moment_id=moment_ids_of(name)[0], kind=kind))
        if name not in self.model.findable_names(caller):
            assert answer is ErrorCode.NOT_IN_LIBRARY
            return
        assert isinstance(answer, Ack)
        self.model.votes.add(ModelVote(caller.space, caller.private_channel, caller.user_id, name))
        for observer in OBSERVERS if is_first else ():
            self.find_liked_questions(observer, question)
            if kind in ("up", "shared") and name in self.model.findable_names(observer):
                shown = self.find_liked_questions(observer, question, link_of(name))
                assert (question in shown) is (caller.scopes[-1] in observer.scopes)

    def find_liked_questions(self, caller: Caller, words: str, in_link: str | None = None) -> set[str | None]:
        """Search, and return the questions for which a hit was liked: only those that the caller may know."""
        results = self.send(Find(caller=caller, queries=(words,), in_link=in_link, limit=50))
        assert isinstance(results, SearchResults)
        shown = {why.snippet for hit in results.hits for why in hit.why if why.kind is MatchKind.LIKED}
        assert shown <= self.model.findable_questions(caller)
        return shown

    # ---- settings, departures and all other requests ----

    @rule(
        caller=callers,
        submitters=st.sampled_from(["everyone", "admins"]),
        private_channels=st.sampled_from(["closed", "open"]),
    )
    def change_settings(self, caller: Caller, submitters: Any, private_channels: Any) -> None:
        wanted = SpaceSettings(
            submitters=submitters, private_channels=private_channels, watched=(f"channel of {caller.space}",)
        )
        answer = self.send(ChangeSettings(caller=caller, settings=wanted))
        if caller.is_admin:
            self.model.changed_settings[caller.space] = wanted
        assert answer == (wanted if caller.is_admin else ErrorCode.ADMINS_ONLY)

    @rule(caller=callers, outcome=st.sampled_from(["returns", "in grace time", "purged"]))
    def remove_bot(self, caller: Caller, outcome: str) -> None:
        """Remove the bot from the space. In the end it is there again, so that the run can go on."""
        self.send(RecordBotRemoval(caller=caller))
        if outcome == "returns":
            self.send(RecordBotRemoval(caller=caller, is_back=True))
        if outcome == "purged":
            self.services.make_space_removal().purge_departed_spaces(datetime.now(UTC) + timedelta(days=8))
            self.model.remove(lambda submission: submission.space == caller.space)
            self.model.remove_votes(lambda vote: vote.space == caller.space)
            self.model.changed_settings.pop(caller.space, None)
        self.services.make_space_removal().purge_departed_spaces()
        self.services.stores.spaces.record_bot_return(caller.space, datetime.now(UTC))

    @rule(caller=callers)
    def send_other_requests(self, caller: Caller) -> None:
        """Send the other requests: their answers are about the caller's space, or mention no video."""
        self.check_visible_data(caller)
        assert self.send(GetSettings(caller=caller)) == self.model.settings(caller.space)
        assert isinstance(self.send(GetRetentionPolicy(caller=caller)), RetentionPolicy)
        assert isinstance(self.send(ListModels(caller=caller)), ModelList)
        assert isinstance(self.send(ListPresets(caller=caller)), PresetList)
        self.send_as_admin(UseModel(caller=caller, preset="base"), ErrorCode.PRESET_NOT_ALLOWED)
        # The scheme does not exist: a playlist comes from its site, not from the store.
        self.send_as_admin(
            ListPlaylist(caller=caller, link="list://of"), ErrorCode.SCHEME_REFUSED, ErrorCode.NOT_A_LINK
        )
        self.send_as_admin(StopCrawls(caller=caller))
        self.send_as_admin(Rollback(caller=caller), ErrorCode.NO_OTHER_MODEL)
        self.send_as_admin(Retrain(caller=caller), ErrorCode.TOO_FEW_PAIRS)
        summary = self.send_as_admin(PreviewRetrain(caller=caller))
        if isinstance(summary, TrainingDataSummary):
            own = {each.name for each in self.model.submissions.values() if each.space == caller.space}
            assert summary.videos <= len(own & self.model.indexed)
            votes = sum(vote.space == caller.space for vote in self.model.votes)
            assert summary.pairs_by_kind.get("vote", 0) <= votes

    @rule(caller=callers)
    def follow_and_list_and_unfollow(self, caller: Caller) -> None:
        """Follow a list, as its handler does once a site has answered. Another place does not see or end that."""
        link = f"list://of {caller.scopes[-1]}"
        self.send_as_admin(FollowList(caller=caller, link=link), ErrorCode.SCHEME_REFUSED, ErrorCode.NOT_A_LINK)
        now = datetime.now(UTC).isoformat()
        followed = FollowedList(
            caller.space, link, caller.user_id, now, due_at=now, private_channel=caller.private_channel
        )
        self.services.stores.followed_lists.put(followed)
        for observer in OBSERVERS:
            seen = self.send(ListFollowed(caller=observer.model_copy(update={"is_admin": True})))
            assert isinstance(seen, FollowedListing)
            assert bool(seen.lists) is (followed.scope in observer.scopes)
            if followed.scope not in observer.scopes:
                unfollow = UnfollowList(caller=observer.model_copy(update={"is_admin": True}), link=link)
                assert self.send(unfollow) is ErrorCode.NOT_FOLLOWED
        self.send_as_admin(ListFollowed(caller=caller))
        self.send_as_admin(UnfollowList(caller=caller, link=link))
        self.services.stores.followed_lists.delete(followed.id)

    def send_as_admin(self, request: Request[A], *expected: ErrorCode) -> A | ErrorCode:
        """Send a request that only admins may send. With `expected`, an admin gets one of these errors."""
        answer = self.send(request)
        assert request.caller.is_admin != (answer is ErrorCode.ADMINS_ONLY)
        assert not request.caller.is_admin or not expected or answer in expected
        return answer

    # ---- what must hold at any time ----

    def check_visible_data(self, caller: Caller) -> None:
        """Compare everything that the caller can see with the model, and its amount."""
        visible, findable = self.model.visible_names(caller), self.model.findable_names(caller)
        for request in (
            Find(caller=caller, queries=("clip",), limit=50),
            Find(caller=caller, picture=encode_picture(), limit=50),
            Find(caller=caller, queries=("applause",), only="heard", limit=50),
        ):
            results = self.send(request)
            assert isinstance(results, SearchResults)
            assert list_mentioned_videos(results) == findable
        first = self.send(Find(caller=caller, queries=("clip",), limit=1))
        assert isinstance(first, SearchResults)
        # Videos of other spaces do not take up places on a page.
        assert len(first.hits) == min(1, len(findable))
        listed = self.send(ListLibrary(caller=caller, limit=200))
        assert isinstance(listed, LibraryListing)
        assert list_mentioned_videos(listed) == visible
        status = self.send(GetStatus(caller=caller))
        assert isinstance(status, LibraryStatus)
        expected = (len(visible), MOMENTS_PER_VIDEO * len(findable), len(visible & self.model.waiting()))
        assert (status.videos, status.moments, status.waiting) == expected

    @invariant()
    def votes_stay_in_their_space(self) -> None:
        votes = {(vote.scope, vote.user_id, vote.video_id) for vote in self.services.stores.spaces.list_votes()}
        assert votes == {(vote.scope, vote.user_id, video_id_of(vote.name)) for vote in self.model.votes}

    def teardown(self) -> None:
        """Check every place, and that nothing is left of videos that no space wants."""
        for caller in OBSERVERS:
            self.check_visible_data(caller)
            self.find_liked_questions(caller, "query of discord in public")
        wanted = {video_id_of(submission.name) for submission in self.model.submissions.values()}
        vectors = self.services.vectors
        for collection in vectors.collections():
            stored = {point.payload.get("video_id") for point in vectors.scroll(collection, Filter())}
            assert stored - {None} <= wanted
        for name in VIDEOS:
            if video_id_of(name) not in wanted:
                with pytest.raises(KeyError):
                    self.services.blobs.get(f"videos/{video_id_of(name)}/0.jpg")
