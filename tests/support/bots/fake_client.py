"""An in-memory library that answers as the workers do. `tests/bots/test_fake_client.py` proves it against them."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from tests.support.bots.fake_followed import change_followed
from tests.support.bots.fake_videos import (
    ENRICH,
    SNOW,
    FakeVideo,
    build_entry,
    build_indexed,
    build_status,
    describe,
    generation,
    list_hits,
    list_topics,
    picture,
    read_words,
)
from worker.protocol.base import Ack, Caller, CallFailedError, Request, WireModel
from worker.protocol.describe import AnsweredQuestion, Ask, Describe
from worker.protocol.error_codes import ErrorCode
from worker.protocol.following import (
    FollowedListEntry,
    FollowList,
    ListFollowed,
    UnfollowList,
)
from worker.protocol.library import (
    Enrich,
    Forget,
    ForgetResult,
    GetStatus,
    GetVideoStatus,
    LibraryListing,
    ListLibrary,
    ListPlaylist,
    PlaylistLinks,
    Sense,
    StopCrawls,
    Submit,
    Submitted,
    VideoStatus,
)
from worker.protocol.models import (
    Generation,
    ListModels,
    ListPresets,
    ModelList,
    PresetList,
    PresetSummary,
    PreviewRetrain,
    Retrain,
    RetrainStarted,
    Rollback,
    TrainingDataSummary,
    UseModel,
)
from worker.protocol.search import Find, RecordVote, SearchResults
from worker.protocol.spaces import (
    ChangeSettings,
    GetRetentionPolicy,
    GetSettings,
    RecordBotRemoval,
    RetentionPolicy,
    SpaceSettings,
)
from worker.protocol.topics import ListTopics
from worker.protocol.updates import (
    Indexed,
    IndexOutcome,
    IndexProgress,
    IndexStage,
    JobFailed,
    RetrainFinished,
    RetrainOutcome,
    RetrainProgress,
    RetrainStage,
    Update,
)

A = TypeVar("A", bound=WireModel)


@dataclass
class FakeClient:
    """Videos are added by `Submit` and found by shared words. `sites` has the video or the error of each link."""

    videos: list[FakeVideo] = field(default_factory=list)
    sites: Mapping[str, FakeVideo | ErrorCode] = field(default_factory=dict)
    broken: Exception | None = None
    """Raised by every call."""
    gate: threading.Event | None = None
    """Jobs wait after their first progress until it is set, from any thread."""
    enrich_gate: threading.Event | None = None
    """Likewise for the jobs of videos with pending senses that follow."""
    is_listening_stalled: bool = False
    """No worker works on the videos with pending senses."""
    silent: bool = False
    """Calls never return."""
    answer_gate: asyncio.Event | None = None
    """Calls wait until it is set."""
    lose_thumbnails: bool = False
    listed: int = 3
    """Videos of every list."""
    requests: list[Request[WireModel]] = field(default_factory=list)
    settings: dict[str, SpaceSettings] = field(default_factory=dict)
    votes: list[RecordVote] = field(default_factory=list)
    policy: RetentionPolicy = field(default_factory=lambda: RetentionPolicy(leave_grace_days=7, adapter_scope="space"))
    removed_spaces: set[str] = field(default_factory=set)
    crawls_stopped_at: dict[str, float] = field(default_factory=dict)
    followed: dict[str, dict[str, FollowedListEntry]] = field(default_factory=dict)
    """The followed lists of each space, by link."""
    training_data: TrainingDataSummary = field(
        default_factory=lambda: TrainingDataSummary(
            pairs=120, videos=9, users=3, pairs_by_kind={"title": 100, "vote": 20}, missing_pairs=0
        )
    )
    training: bool = False
    tags: tuple[str, ...] = ()
    """The tags of all moments."""
    model_answer: str | None = None
    """What the model server answers. None: there is none, and it answers no question."""
    weak: bool = False
    """Whether search results have no good match."""
    weaker_follow: bool = False
    models: list[Generation] = field(default_factory=lambda: [generation("starter-0", live=True)])
    _jobs: dict[str, tuple[str, Submit]] = field(default_factory=dict)
    _failures: dict[str, JobFailed] = field(default_factory=dict)
    """How jobs failed, by the ids of their videos."""

    async def call(self, request: Request[A]) -> A:
        self.requests.append(cast(Request[WireModel], request))
        if self.silent:
            await asyncio.Event().wait()
        if self.answer_gate:
            await self.answer_gate.wait()
        if self.broken:
            raise self.broken
        match request:
            case Find():
                answer: WireModel = self._find(request)
            case Submit():
                answer = self._submit(request)
            case ListPlaylist():
                self._require_admin(request.caller)
                base = request.link if "://" in request.link else "https://video.example/found"
                count = min(self.listed, request.max_links)
                answer = PlaylistLinks(links=tuple(f"{base}/{number}" for number in range(count)))
            case StopCrawls():
                self._require_admin(request.caller)
                self.crawls_stopped_at[request.caller.space] = request.at
                answer = Ack()
            case FollowList() | UnfollowList() | ListFollowed():
                self._require_admin(request.caller)
                answer = change_followed(self.followed.setdefault(request.caller.space, {}), request)
            case ListLibrary():
                answer = self._list(request)
            case Describe():
                answer = describe(self._visible_to(request.caller), request, self.model_answer, self.tags)
            case Ask():
                hits = self._find(Find(caller=request.caller, queries=(request.question,))).hits
                answer = AnsweredQuestion(text=self.model_answer, hits=hits)
            case ListTopics():
                answer = list_topics(self._visible_to(request.caller))
            case Forget():
                answer = self._forget(request)
            case RecordVote():
                self.votes.append(request)
                answer = Ack()
            case GetRetentionPolicy():
                answer = self.policy
            case GetSettings():
                answer = self.settings.get(request.caller.space, SpaceSettings())
            case ChangeSettings():
                self._require_admin(request.caller)
                answer = self.settings[request.caller.space] = request.settings
            case RecordBotRemoval():
                if request.is_back:
                    self.removed_spaces.discard(request.caller.space)
                else:
                    self.removed_spaces.add(request.caller.space)
                answer = Ack()
            case PreviewRetrain():
                self._require_admin(request.caller)
                answer = self.training_data
            case Retrain():
                self._require_admin(request.caller)
                answer = self._retrain(request)
            case ListPresets():
                answer = PresetList(presets=(PresetSummary(name="starter", languages=("en",), is_here=True),))
            case UseModel():
                answer = self._use_model(request)
            case ListModels():
                answer = ModelList(generations=tuple(self.models))
            case Rollback():
                self._require_admin(request.caller)
                answer = self._rollback()
            case GetVideoStatus():
                answer = VideoStatus(update=self._find_outcome(request.video_id))
            case Enrich():
                self._require_admin(request.caller)
                answer = self._enrich(request)
            case GetStatus():
                answer = build_status(self.videos, self.is_listening_stalled)
            case _:
                raise AssertionError(f"no answer for {request}")
        return cast(A, answer)

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        if job_id == "retrain":
            yield RetrainProgress(stage=RetrainStage.TRAIN, step=5, steps=10, loss=1.25, left_s=65)
            if self.gate:
                await asyncio.to_thread(self.gate.wait)
            yield RetrainFinished(
                outcome=RetrainOutcome.PROMOTED,
                r5_before=0.5,
                r5=0.6,
                questions=40,
                picture=f"thumbnails/{SNOW.id}.jpg",
            )
            return
        if job_id.startswith(ENRICH):
            async for update in self._follow_enrichment(job_id.removeprefix(ENRICH)):
                yield update
            return
        link, submit = self._jobs[job_id]
        yield IndexProgress(stage=IndexStage.FETCH, done=0.5)
        if self.gate:
            await asyncio.to_thread(self.gate.wait)
        site = self.sites.get(link, FakeVideo(link, submit.title or link.rsplit("/", 1)[-1], ("something",)))
        if isinstance(site, ErrorCode):
            self._failures[job_id] = JobFailed(code=site)
            yield JobFailed(code=site, correlation_id="fa11ed00")
            return
        yield IndexProgress(stage=IndexStage.EMBED, done=0.5)
        caller = submit.caller
        video = replace(
            site,
            space=caller.space,
            private_channel=caller.private_channel,
            submitter=caller.user_id,
            name=caller.display_name,
            message_id=submit.message_id,
            title=submit.title or site.title,
        )
        self.videos.insert(0, video)
        yield build_indexed(video)

    async def _follow_enrichment(self, video_id: str) -> AsyncIterator[Update]:
        yield IndexProgress(stage=IndexStage.LISTEN, done=0.5)
        if self.enrich_gate:
            await asyncio.to_thread(self.enrich_gate.wait)
        self.videos = [replace(each, pending_senses=()) if each.id == video_id else each for each in self.videos]
        [video] = [each for each in self.videos if each.id == video_id]
        yield build_indexed(video)

    async def thumbnail(self, key: str) -> bytes:
        for video in self.videos:
            if key == f"thumbnails/{video.id}.jpg" and not self.lose_thumbnails:
                return video.thumbnail or picture((90, 120, 150))
        raise KeyError(key)

    def _find(self, find: Find) -> SearchResults:
        library = self._visible_to(find.caller)
        if find.in_link is not None:
            library = [video for video in library if video.link == find.in_link]
            if not library:
                raise CallFailedError(ErrorCode.NOT_IN_LIBRARY, "no7here0")
        if (find.picture or find.clip or find.frames) and not find.queries:
            find = find.model_copy(update={"queries": ("a",)})
        wanted, unwanted = read_words(self.videos, (*find.queries, *find.like)), read_words(self.videos, find.unlike)
        found = list_hits(library, wanted, unwanted, is_in_video=find.in_link is not None)
        hits = sorted((replace(hit, tags=self.tags) for hit in found), key=lambda hit: -hit.score)
        end = find.offset + find.limit
        return SearchResults(
            hits=tuple(hits[find.offset : end]),
            next_offset=end if len(hits) > end else None,
            weak=self.weak,
            weaker_follow=self.weaker_follow,
            picture=find.picture,
            frames=("ZnJhbWU=",) if find.clip else find.frames,
            can_describe=self.model_answer is not None,
        )

    def _visible_to(self, caller: Caller) -> list[FakeVideo]:
        return [
            video
            for video in self.videos
            if video.space == caller.space and video.private_channel in (None, caller.private_channel)
        ]

    def _require_admin(self, caller: Caller) -> None:
        if not caller.is_admin:
            raise CallFailedError(ErrorCode.ADMINS_ONLY, "n0adm1n0")

    def _retrain(self, request: Retrain) -> RetrainStarted:
        was_running = self.training
        if request.start:
            self.training = not request.cancel
        if request.cancel or not request.start:
            return RetrainStarted(job_id="retrain" if was_running else None)
        return RetrainStarted(job_id="retrain", is_new=not was_running)

    def _use_model(self, request: UseModel) -> RetrainStarted:
        self._require_admin(request.caller)
        if not request.by_operator:
            raise CallFailedError(ErrorCode.PRESET_NOT_ALLOWED, "n0tal10w")
        was_running, self.training = self.training, True
        return RetrainStarted(job_id="retrain", is_new=not was_running)

    def _rollback(self) -> ModelList:
        if len(self.models) < 2:
            raise CallFailedError(ErrorCode.NO_OTHER_MODEL, "n00ther0")
        live = next(number for number, each in enumerate(self.models) if each.live)
        to = min(live + 1, len(self.models) - 1)
        self.models = [each.model_copy(update={"live": number == to}) for number, each in enumerate(self.models)]
        return ModelList(generations=tuple(self.models))

    def _submit(self, submit: Submit) -> Submitted:
        link = submit.link
        if submit.is_crawled and submit.at <= self.crawls_stopped_at.get(submit.caller.space, 0.0):
            raise CallFailedError(ErrorCode.CRAWL_STOPPED, "st0pped0")
        if submit.local_files and link.startswith("file://"):
            pass
        elif "://" not in link:
            raise CallFailedError(ErrorCode.NOT_A_LINK, "n0tal1nk")
        elif not link.startswith(("http://", "https://")):
            raise CallFailedError(ErrorCode.SCHEME_REFUSED, "5cheme00")
        video_id = str(uuid.uuid5(uuid.NAMESPACE_URL, link))
        for video in self.videos:
            if video.link == link and video.space == submit.caller.space and not video.waiting:
                indexed = build_indexed(video).model_copy(update={"status": IndexOutcome.ALREADY})
                return Submitted(link=link, video_id=video_id, job_id=None, indexed=indexed)
        self._jobs[video_id] = (link, submit)
        return Submitted(link=link, video_id=video_id, job_id=video_id)

    def _find_outcome(self, video_id: str) -> Indexed | JobFailed | None:
        found = next((video for video in self.videos if video.id == video_id), None)
        return build_indexed(found) if found else self._failures.get(video_id)

    def _enrich(self, request: Enrich) -> Submitted:
        found = [video for video in self._visible_to(request.caller) if video.link == request.link]
        if not found:
            raise CallFailedError(ErrorCode.NOT_IN_LIBRARY, "no7here0")
        senses = tuple(found[0].failed_senses) if request.only_missing else tuple(Sense)
        video = replace(found[0], pending_senses=senses, failed_senses={})
        self.videos = [video if each == found[0] else each for each in self.videos]
        return Submitted(link=video.link, video_id=video.id, job_id=None, indexed=build_indexed(video))

    def _list(self, request: ListLibrary) -> LibraryListing:
        words = (request.search or "").lower().split()
        entries = [
            build_entry(video)
            for video in self._visible_to(request.caller)
            if all(word in video.title.lower() for word in words)
            and (not request.only_own or video.submitter == request.caller.user_id)
        ]
        page = entries[request.offset : request.offset + request.limit]
        return LibraryListing(entries=tuple(page), total=len(entries))

    def _forget(self, request: Forget) -> ForgetResult:
        caller = request.caller
        gone = [
            video
            for video in self.videos
            if video.space == caller.space
            and (
                video.link == request.link
                or (request.only_own and video.submitter == caller.user_id)
                or (
                    request.message_id
                    and video.message_id == request.message_id
                    and video.link not in request.kept_links
                )
            )
        ]
        if request.link and not gone:
            raise CallFailedError(ErrorCode.NOT_IN_LIBRARY, "no7here0")
        if request.link and not caller.is_admin and all(video.submitter != caller.user_id for video in gone):
            raise CallFailedError(ErrorCode.NOT_YOURS, "n0ty0ur5")
        self.videos = [video for video in self.videos if video not in gone]
        return ForgetResult(links=tuple(video.link for video in gone))
