"""Commands that add, list and remove videos, over a library in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bots.commands import library
from bots.commands.findings import TopicsPage
from bots.commands.job_progress import index_and_follow
from bots.commands.replies import LibraryPage, LinkOutcome, LinkProgress, LinkStatus, Removed, Replies, Reply
from bots.commands.search import find
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import A, FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, FakeVideo
from tests.support.bots.replies import collect, collect_cards, collect_sentence
from worker.protocol.base import Caller, Request
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetVideoStatus, Sense, Submit
from worker.protocol.updates import IndexProgress, IndexStage, JobFailed, Joined, Update


async def test_index_reports_growing_progress_and_ends_with_the_outcome(client: FakeClient, caller: Caller) -> None:
    replies = await collect(library.index(client, caller, ["https://video.example/something"]))
    done = [reply.done for reply in replies if isinstance(reply, LinkProgress)]
    assert done == sorted(done)
    assert len(done) == 2
    assert replies[-1] == LinkOutcome(
        "https://video.example/something", LinkStatus.INDEXED, "Added “something”.", moments=1
    )
    assert await collect_cards(find(client, caller, "something"))


async def test_index_follows_links_concurrently_to_one_outcome_each(caller: Caller) -> None:
    client = FakeClient(gate=threading.Event(), videos=[SNOW])
    slow = "https://video.example/slow"
    replies = library.index(client, caller, [slow, SNOW.link, "ftp://x/y.mp4"])
    first = [await anext(replies) for _ in range(3)]
    assert {(reply.link, reply.status) for reply in first if isinstance(reply, LinkOutcome)} == {
        (SNOW.link, "already"),
        ("ftp://x/y.mp4", "failed"),
    }
    assert client.gate
    client.gate.set()
    assert [reply.link for reply in await collect(replies) if isinstance(reply, LinkOutcome)] == [slow]


async def test_failed_job_ends_with_the_sentence_and_correlation_id_of_its_code(caller: Caller) -> None:
    link = "https://video.example/live"
    client = FakeClient(sites={link: ErrorCode.LIVE_STREAM})
    outcome = (await collect(library.index(client, caller, [link])))[-1]
    assert outcome == LinkOutcome(
        link,
        LinkStatus.FAILED,
        translate(ErrorCode.LIVE_STREAM),
        code=ErrorCode.LIVE_STREAM,
        correlation_id="fa11ed00",
    )


async def test_words_only_video_counts_as_added_and_says_why(caller: Caller) -> None:
    link = "https://video.example/talk"
    client = FakeClient(sites={link: FakeVideo(link, "A talk", ("ships",), words_only=True)})
    outcome = (await collect(library.index(client, caller, [link])))[-1]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.ok
    assert "title and description" in outcome.text
    assert translate(ErrorCode.BLOCKED) in outcome.text


async def test_first_video_of_a_post_with_several_is_marked(caller: Caller) -> None:
    link = "https://x.com/i/status/1"
    client = FakeClient(sites={link: FakeVideo(link, "Take #1", ("ships",), is_first_of_several=True)})
    outcome = (await collect(library.index(client, caller, [link])))[-1]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.text == "Added “Take #1”. That post has several videos; this is the first."


async def test_added_video_is_listened_to_before_its_outcome(caller: Caller) -> None:
    """It can be searched meanwhile, and is not shown as done."""
    video = FakeVideo("https://video.example/talk", "A talk", ("ships",), pending_senses=(Sense.SAID,))
    client = FakeClient(sites={video.link: video}, enrich_gate=threading.Event())
    replies = library.index(client, caller, [video.link])
    stages = [reply.stage async for reply in _until_added(replies)]
    assert stages == ["downloading", "analysing the moments", "Added; still listening…"]
    assert await collect_cards(find(client, caller, "ships"))
    [page] = await collect(library.list_library(client, caller))
    assert isinstance(page, LibraryPage)
    assert [(entry.state, entry.pending_senses) for entry in page.entries] == [
        ("searchable, still listening", (Sense.SAID,))
    ]
    assert "Still being listened to: 1." in (await collect_sentence(library.show_status(client, caller))).text

    client.is_listening_stalled = True
    assert "No worker does that" in (await collect_sentence(library.show_status(client, caller))).text

    assert client.enrich_gate
    client.enrich_gate.set()
    client.is_listening_stalled = False
    listening, outcome = await collect(replies)
    assert listening == LinkProgress(video.link, "Added; listening to the speech…", 0.3, is_added=True)
    assert outcome == LinkOutcome(video.link, LinkStatus.INDEXED, "Added “A talk”.", moments=1)
    assert (await collect_sentence(library.show_status(client, caller))).text.endswith("Nothing is waiting.")


async def _until_added(replies: Replies) -> AsyncIterator[LinkProgress]:
    """Yield the progress up to the reply that the video is added."""
    async for reply in replies:
        assert isinstance(reply, LinkProgress)
        yield reply
        if reply.is_added:
            return


async def test_known_video_that_is_still_listened_to_is_followed(caller: Caller) -> None:
    video = FakeVideo("https://video.example/talk", "A talk", ("ships",), pending_senses=(Sense.SAID,))
    replies = await collect(library.index(FakeClient(videos=[video]), caller, [video.link]))
    assert [reply.stage for reply in replies if isinstance(reply, LinkProgress)] == [
        "Added; still listening…",
        "Added; listening to the speech…",
    ]
    assert replies[-1] == LinkOutcome(video.link, LinkStatus.ALREADY, "“A talk” is already in the library.", moments=1)


async def test_sense_that_failed_is_named_with_the_reason(caller: Caller) -> None:
    """In the outcome, in the library and in the status."""
    failed = {Sense.SHOWN: ErrorCode.MODEL_MISSING}
    video = FakeVideo(
        "https://video.example/talk", "A talk", ("x",), pending_senses=(Sense.SAID,), failed_senses=failed
    )
    client = FakeClient(sites={video.link: video})
    outcome = (await collect(library.index(client, caller, [video.link])))[-1]
    reason = f"The text on its screen couldn't be read: {translate(ErrorCode.MODEL_MISSING)}"
    assert isinstance(outcome, LinkOutcome)
    assert outcome.ok
    assert outcome.text == f"Added “A talk”. {reason}"
    [page] = await collect(library.list_library(client, caller))
    assert isinstance(page, LibraryPage)
    assert [(entry.state, entry.problem, entry.failed_senses) for entry in page.entries] == [
        ("ready", reason, (Sense.SHOWN,))
    ]
    status = (await collect_sentence(library.show_status(client, caller))).text
    assert "Not recognized: text on the screen in 1 video." in status


async def test_enrich_repeats_what_failed_in_all_videos(caller: Caller) -> None:
    """Named videos are recognized again completely. Videos that lack nothing are only reported."""
    admin = caller.model_copy(update={"is_admin": True})
    client = FakeClient(videos=[replace(SNOW, failed_senses={Sense.SAID: ErrorCode.INTERNAL}), GOAL])
    replies = await collect(library.enrich(client, admin, is_all=True))
    assert {reply.link for reply in replies if isinstance(reply, LinkProgress)} == {SNOW.link}
    assert {reply.link for reply in replies if isinstance(reply, LinkOutcome)} == {SNOW.link, GOAL.link}
    replies = await collect(library.enrich(client, admin, [GOAL.link]))
    assert {reply.link for reply in replies if isinstance(reply, LinkProgress)} == {GOAL.link}
    assert not (await collect_sentence(library.enrich(client, admin))).ok


@pytest.mark.parametrize("count", [1, 2])
async def test_next_link_starts_when_a_video_is_added_and_still_listened_to(caller: Caller, count: int) -> None:
    """The same video may be submitted twice: each of its requests makes room once."""
    video = FakeVideo("https://video.example/talk", "A talk", ("ships",), pending_senses=(Sense.SAID,))
    client = FakeClient(sites={video.link: video}, enrich_gate=threading.Event())
    links = [video.link] * count + ["https://video.example/next"]
    replies = library.submit_links(client, [Submit(caller=caller, link=link) for link in links], max_unfinished=1)
    found = [await anext(replies)]
    while not isinstance(found[-1], LinkOutcome):
        found.append(await anext(replies))
    assert found[-1].link == links[-1]
    assert client.enrich_gate
    client.enrich_gate.set()
    assert len([reply for reply in await collect(replies) if isinstance(reply, LinkOutcome)]) == count


async def test_index_without_links_is_refused_without_a_request(client: FakeClient, caller: Caller) -> None:
    assert not (await collect_sentence(library.index(client, caller, []))).ok
    assert client.requests == []


async def test_index_passes_titles_and_local_files_to_the_worker(client: FakeClient, caller: Caller) -> None:
    """Only the command line uses them; chats send neither."""
    await collect(
        library.index(client, caller, ["file:///a.mp4"], titles={"file:///a.mp4": "A"}, local_files=True, at=7)
    )
    assert client.requests == [Submit(caller=caller, link="file:///a.mp4", title="A", local_files=True, at=7)]


async def test_closed_index_leaves_no_task(caller: Caller) -> None:
    gate, before = threading.Event(), asyncio.all_tasks()
    replies = library.index(FakeClient(gate=gate), caller, ["https://video.example/slow"])
    await anext(replies)
    await replies.aclose()
    left = asyncio.all_tasks() - before
    gate.set()
    assert not left


class EndingClient(FakeClient):
    """A client whose jobs end without an outcome."""

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        yield IndexProgress(stage=IndexStage.WAITING, done=0)


async def test_job_whose_updates_end_without_an_outcome_fails(caller: Caller) -> None:
    outcome = (await collect(library.index(EndingClient(), caller, ["https://video.example/x"])))[-1]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.code is ErrorCode.INTERNAL


def ignore(reply: Reply) -> None:
    pass


class SilentlyListeningClient(FakeClient):
    """A client whose enrich job sends no updates, and is done after two status requests."""

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        await asyncio.Event().wait()
        yield IndexProgress(stage=IndexStage.WAITING, done=0)

    async def call(self, request: Request[A]) -> A:
        if [type(each) for each in self.requests].count(GetVideoStatus) == 2:
            self.videos = [replace(video, pending_senses=()) for video in self.videos]
        return await super().call(request)


async def test_silent_enrich_job_is_done_only_if_the_record_is(caller: Caller) -> None:
    client = SilentlyListeningClient(videos=[replace(SNOW, pending_senses=(Sense.SAID,))])
    outcome = await index_and_follow(client, Submit(caller=caller, link=SNOW.link), ignore, silence_s=0.01)
    assert outcome.status == "already"
    assert [type(each) for each in client.requests].count(GetVideoStatus) == 3


class SilentClient(FakeClient):
    """A client whose job sends no updates, although its video was indexed."""

    video = FakeVideo("https://videos.example/new", "New", ("something",))

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        self.videos.append(self.video)
        await asyncio.Event().wait()
        yield IndexProgress(stage=IndexStage.WAITING, done=0)


async def test_silent_job_gets_its_outcome_from_the_record(caller: Caller) -> None:
    client = SilentClient()
    request = Submit(caller=caller, link=client.video.link)
    outcome = await index_and_follow(client, request, ignore, silence_s=0.01)
    assert (outcome.status, outcome.moments) == ("indexed", 1)


class LateFailureClient(FakeClient):
    """A client whose job begins with the failure of an earlier attempt, which was stored late, `late` times."""

    late = 1
    is_indexed_meanwhile = False

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        if self.late == 0:
            async for update in super().follow(job_id):
                yield update
            return
        self.late -= 1
        if self.is_indexed_meanwhile:
            self.videos.append(SNOW)
        yield JobFailed(code=ErrorCode.NOT_FOUND, correlation_id="01d00000")


@pytest.mark.parametrize(
    ("site", "status", "code"),
    [(SNOW, LinkStatus.INDEXED, None), (ErrorCode.LIVE_STREAM, LinkStatus.FAILED, ErrorCode.LIVE_STREAM)],
)
async def test_failure_of_an_earlier_attempt_is_not_shown(
    caller: Caller, site: FakeVideo | ErrorCode, status: LinkStatus, code: ErrorCode | None
) -> None:
    """The record says that the video waits, so its job is followed further."""
    client = LateFailureClient(sites={SNOW.link: site})
    outcome = await index_and_follow(client, Submit(caller=caller, link=SNOW.link), ignore)
    assert (outcome.status, outcome.code) == (status, code)


async def test_failure_of_a_video_that_is_indexed_is_not_shown(caller: Caller) -> None:
    client = LateFailureClient()
    client.is_indexed_meanwhile = True
    outcome = await index_and_follow(client, Submit(caller=caller, link=SNOW.link), ignore)
    assert outcome.status == LinkStatus.INDEXED


async def test_job_that_fails_again_without_a_record_ends_with_its_failure(caller: Caller) -> None:
    """A worker with another signing key, for example, answers all jobs with a failure and records none."""
    client = LateFailureClient()
    client.late = 9
    outcome = await index_and_follow(client, Submit(caller=caller, link=SNOW.link), ignore)
    assert (outcome.code, outcome.correlation_id) == (ErrorCode.NOT_FOUND, "01d00000")


async def test_library_lists_videos_with_state_and_problem(client: FakeClient, caller: Caller) -> None:
    """Words narrow the list."""
    client.videos[1] = replace(GOAL, failed=ErrorCode.CORRUPT)
    [page] = await collect(library.list_library(client, caller))
    assert isinstance(page, LibraryPage)
    assert [(entry.title, entry.state) for entry in page.entries] == [
        ("Dogs in snow", "ready"),
        ("The goal", "failed"),
        ("A talk", "words only"),
    ]
    assert [entry.problem for entry in page.entries] == [
        None,
        translate(ErrorCode.CORRUPT),
        translate(ErrorCode.BLOCKED),
    ]
    [narrowed] = await collect(library.list_library(client, caller, "talk"))
    assert isinstance(narrowed, LibraryPage)
    assert [entry.title for entry in narrowed.entries] == ["A talk"]


async def test_empty_library_tells_how_to_add_a_video(caller: Caller) -> None:
    empty = await collect_sentence(library.list_library(FakeClient(), caller))
    assert empty.text == translate(Msg.EMPTY_LIBRARY)
    unmatched = await collect_sentence(library.list_library(FakeClient(), caller, "x"))
    assert unmatched.text == translate(Msg.NO_VIDEO_MATCHES)


async def test_forget_removes_a_video(client: FakeClient, caller: Caller) -> None:
    """A second time it is not in the library, and without a link there is nothing to remove."""
    [removed] = await collect(library.forget(client, caller, GOAL.link))
    assert removed == Removed((GOAL.link,), f"Removed: {GOAL.link}")
    assert (await collect_sentence(library.forget(client, caller, GOAL.link))).code is ErrorCode.NOT_IN_LIBRARY
    assert not (await collect_sentence(library.forget(client, caller, ""))).ok


async def test_status_counts_videos_and_moments(client: FakeClient, caller: Caller) -> None:
    sentence = await collect_sentence(library.show_status(client, caller))
    assert sentence.text == "3 videos, 6 moments. Model: starter. Nothing is waiting."


async def test_suggestions_are_empty_if_the_worker_is_too_slow(client: FakeClient, caller: Caller) -> None:
    """Discord and Slack give three seconds."""
    assert await library.suggest_videos(client, caller, "snow") == [(SNOW.title, SNOW.link)]
    client.silent = True
    async with asyncio.timeout(3):
        assert await library.suggest_videos(client, caller, "snow") == []


class JoiningClient(FakeClient):
    """Its jobs find that every link leads to the video `SNOW`."""

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        yield Joined(link=SNOW.link)


async def test_link_that_leads_to_a_known_video_ends_as_that_video(caller: Caller) -> None:
    client = JoiningClient(videos=[SNOW])
    replies = await collect(library.index(client, caller, ["https://short.example/a"]))
    assert replies == [
        LinkOutcome(SNOW.link, LinkStatus.ALREADY, translate(Msg.ALREADY, title=SNOW.title), moments=len(SNOW.moments))
    ]
    first, second = (request for request in client.requests if isinstance(request, Submit))
    assert (first.link, second.link, first.at) == ("https://short.example/a", SNOW.link, second.at)


async def test_topic_that_no_word_fits_is_named_by_its_number(caller: Caller) -> None:
    client = FakeClient([SNOW, FakeVideo("https://video.example/x", "?", ("qwzx",))])
    [page] = await collect(library.show_topics(client, caller))
    assert isinstance(page, TopicsPage)
    assert page.items[1].name == "Topic 2"
