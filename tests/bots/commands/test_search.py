"""The commands, over a library in memory."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bots.commands import job_progress
from bots.commands import search as core
from bots.commands.registry import COMMANDS, guide
from bots.commands.replies import (
    Card,
    Help,
    LibraryPage,
    LinkOutcome,
    LinkProgress,
    Removed,
    Replies,
    Reply,
    Results,
    Search,
    TextReply,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import GOAL, SNOW, TALK, FakeClient, FakeVideo
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError


async def all_of(replies: Replies) -> list[Reply]:
    return [reply async for reply in replies]


async def cards_of(replies: Replies) -> tuple[Card, ...]:
    [results] = await all_of(replies)
    assert isinstance(results, Results)
    return results.cards


async def sentence_of(replies: Replies) -> TextReply:
    [sentence] = await all_of(replies)
    assert isinstance(sentence, TextReply)
    return sentence


async def test_find_gives_cards(client: FakeClient, caller: Caller) -> None:
    """A found moment comes as a card that says what, where, who and why."""
    [card] = await cards_of(core.find(client, caller, "cat sleeps"))
    assert card == Card(
        title="Dogs in snow",
        link=SNOW.link,
        moment_link=f"{SNOW.link}#t=12",
        moment_id=SNOW.moment_id(2),
        start_s=12,
        end_s=18,
        time="0:12–0:18",
        length="0:18",
        added="added by ada, Nov 20, 2026",
        why=("looks like it",),
        score=1.0,
        more=0,
        thumbnail=f"thumbnails/{SNOW.id}.jpg",
    )


async def test_find_takes_several_queries(client: FakeClient, caller: Caller) -> None:
    """Commas, of any keyboard, part the queries."""
    cards = await cards_of(core.find(client, caller, " cat ,ball，ships、 "))
    assert {card.title for card in cards} == {SNOW.title, GOAL.title, TALK.title}
    assert client.asked == [messages.Find(caller=caller, queries=("cat", "ball", "ships"))]


async def test_find_takes_one_sentence(client: FakeClient, caller: Caller) -> None:
    """A sentence keeps its commas."""
    await cards_of(core.find(client, caller, " a cat, in the snow ", several=False))
    assert client.asked == [messages.Find(caller=caller, queries=("a cat, in the snow",))]


async def test_find_goes_towards_and_away(client: FakeClient, caller: Caller) -> None:
    """`like` alone is a query too, and `unlike` pushes away."""
    cards = await cards_of(core.find(client, caller, "", like="dog", unlike="crowd, cheer"))
    assert [card.title for card in cards] == [SNOW.title]


async def test_more_like_a_moment(client: FakeClient, caller: Caller) -> None:
    """A moment's own id stands for what it shows."""
    cards = await cards_of(core.find(client, caller, "", like=f"moment:{GOAL.moment_id(1)}"))
    assert cards[0].title == GOAL.title


async def test_find_inside_one_video(client: FakeClient, caller: Caller) -> None:
    """A search can stay inside one video, and then shows each of its moments."""
    cards = await cards_of(core.find(client, caller, "dog", in_link=SNOW.link))
    assert [card.start_s for card in cards] == [0, 6]


async def test_words_are_the_reason(client: FakeClient, caller: Caller) -> None:
    """A moment found by its words shows them, and one known by its words only says so."""
    [card] = await cards_of(core.find(client, caller, "ships"))
    assert card.why == ("the words “she speaks of ships”",)
    assert card.words_only


@pytest.mark.parametrize(("words", "like"), [("", ""), (" , ,", ""), ("\n", " ")])
async def test_an_empty_query_is_not_sent(client: FakeClient, caller: Caller, words: str, like: str) -> None:
    """Nothing to look for is answered at once."""
    sentence = await sentence_of(core.find(client, caller, words, like=like))
    assert (sentence.ok, sentence.code) == (False, ErrorCode.EMPTY_QUERY)
    assert client.asked == []


@pytest.mark.parametrize("box", ["words", "like", "unlike"])
async def test_an_endless_query_is_not_sent(client: FakeClient, caller: Caller, box: str) -> None:
    """10,000 characters are a query, one more is too much, in any box."""
    boxes = {"words": "dog", "like": "", "unlike": ""}
    await cards_of(core.find(client, caller, **boxes | {box: "x" * 9_996 + " dog"}))
    sentence = await sentence_of(core.find(client, caller, **boxes | {box: "x" * 10_001}))
    assert sentence == TextReply(translate(ErrorCode.QUERY_TOO_LONG), ok=False, code=ErrorCode.QUERY_TOO_LONG)
    assert len(client.asked) == 1


async def test_more_goes_page_by_page(client: FakeClient, caller: Caller) -> None:
    """The next page holds what the first did not, and after the last there is a sentence."""
    [first] = await all_of(core.find(client, caller, "a dog", limit=1))
    assert isinstance(first, Results)
    [second] = await all_of(core.more(client, caller, first.next))
    assert isinstance(second, Results)
    assert [card.title for card in first.cards + second.cards] == [SNOW.title, GOAL.title]
    assert second.next is None
    assert (await sentence_of(core.more(client, caller, second.next))).text == translate(Msg.NO_MORE)


async def test_a_search_continues_inside_a_video(client: FakeClient, caller: Caller) -> None:
    """The same words, asked inside one video, start at its best moment."""
    search = Search(queries=("dog",), offset=1).inside(GOAL.link)
    cards = await cards_of(core.more(client, caller, search))
    assert [card.title for card in cards] == [GOAL.title]


async def test_index_follows_to_the_end(client: FakeClient, caller: Caller) -> None:
    """A link's progress only grows, and ends with what became of it; then it is found."""
    replies = await all_of(core.index(client, caller, ["https://video.example/something"]))
    done = [reply.done for reply in replies if isinstance(reply, LinkProgress)]
    assert done == sorted(done)
    assert len(done) == 2
    assert replies[-1] == LinkOutcome("https://video.example/something", "indexed", "Added “something”.", moments=1)
    assert await cards_of(core.find(client, caller, "something"))


async def test_links_are_followed_side_by_side(caller: Caller) -> None:
    """A slow link does not hold up the others, and each has one outcome."""
    client = FakeClient(gate=threading.Event(), videos=[SNOW])
    slow = "https://video.example/slow"
    replies = core.index(client, caller, [slow, SNOW.link, "ftp://x/y.mp4"])
    seen = [await anext(replies) for _ in range(3)]
    assert {(o.link, o.status) for o in seen if isinstance(o, LinkOutcome)} == {
        (SNOW.link, "already"),
        ("ftp://x/y.mp4", "failed"),
    }
    assert client.gate
    client.gate.set()
    assert [reply.link for reply in await all_of(replies) if isinstance(reply, LinkOutcome)] == [slow]


async def test_a_failed_job_says_why(caller: Caller) -> None:
    """What fails on the way ends with the sentence of its code and the incident."""
    link = "https://video.example/live"
    client = FakeClient(sites={link: ErrorCode.LIVE_STREAM})
    outcome = (await all_of(core.index(client, caller, [link])))[-1]
    assert outcome == LinkOutcome(
        link, "failed", translate(ErrorCode.LIVE_STREAM), code=ErrorCode.LIVE_STREAM, correlation_id="fa11ed00"
    )


async def test_words_only_says_why(caller: Caller) -> None:
    """A video of which only the words could be had counts as added, and the sentence is honest about it."""
    link = "https://video.example/talk"
    client = FakeClient(sites={link: FakeVideo(link, "A talk", ("ships",), words_only=True)})
    outcome = (await all_of(core.index(client, caller, [link])))[-1]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.ok
    assert "title and description" in outcome.text
    assert translate(ErrorCode.BLOCKED) in outcome.text


async def test_no_link_is_a_sentence(client: FakeClient, caller: Caller) -> None:
    """Nothing to add is answered at once."""
    assert not (await sentence_of(core.index(client, caller, []))).ok
    assert client.asked == []


async def test_titles_and_paths_are_passed_on(client: FakeClient, caller: Caller) -> None:
    """The operator's own files and titles reach the worker; chat never sends either."""
    await all_of(core.index(client, caller, ["file:///a.mp4"], titles={"file:///a.mp4": "A"}, local_files=True, at=7))
    assert client.asked == [messages.Submit(caller=caller, link="file:///a.mp4", title="A", local_files=True, at=7)]


async def test_leaving_stops_the_listening(caller: Caller) -> None:
    """Who stops reading leaves no task behind."""
    gate, before = threading.Event(), asyncio.all_tasks()
    replies = core.index(FakeClient(gate=gate), caller, ["https://video.example/slow"])
    await anext(replies)
    await replies.aclose()
    left = asyncio.all_tasks() - before
    gate.set()
    assert not left


async def test_library_shows_what_there_is(client: FakeClient, caller: Caller) -> None:
    """Videos are listed with their state and what is wrong with them, and narrowed by words."""
    client.videos[1] = replace(GOAL, failed=ErrorCode.CORRUPT)
    [shelf] = await all_of(core.library(client, caller))
    assert isinstance(shelf, LibraryPage)
    assert [(entry.title, entry.state) for entry in shelf.entries] == [
        ("Dogs in snow", "ready"),
        ("The goal", "failed"),
        ("A talk", "words only"),
    ]
    assert [entry.problem for entry in shelf.entries] == [
        None,
        translate(ErrorCode.CORRUPT),
        translate(ErrorCode.BLOCKED),
    ]
    [narrow] = await all_of(core.library(client, caller, "talk"))
    assert isinstance(narrow, LibraryPage)
    assert [entry.title for entry in narrow.entries] == ["A talk"]


async def test_an_empty_library_says_what_to_do(caller: Caller) -> None:
    """Where nothing is, a sentence tells how to begin."""
    assert (await sentence_of(core.library(FakeClient(), caller))).text == translate(Msg.EMPTY_LIBRARY)
    assert (await sentence_of(core.library(FakeClient(), caller, "x"))).text == translate(Msg.NOTHING_ON_SHELF)


async def test_spaces_are_apart(client: FakeClient) -> None:
    """What one space added, another does not find."""
    other = Caller(space="discord:1", user_id="ada")
    assert await cards_of(core.find(client, other, "dog")) == ()


async def test_forget(client: FakeClient, caller: Caller) -> None:
    """A forgotten video is said to be gone, and is."""
    [forgot] = await all_of(core.forget(client, caller, GOAL.link))
    assert forgot == Removed((GOAL.link,), f"Forgotten: {GOAL.link}")
    assert (await sentence_of(core.forget(client, caller, GOAL.link))).code is ErrorCode.NOT_IN_LIBRARY
    assert not (await sentence_of(core.forget(client, caller, ""))).ok


async def test_status(client: FakeClient, caller: Caller) -> None:
    """The state of the library is one sentence."""
    sentence = await sentence_of(core.status(client, caller))
    assert sentence.text == "3 videos and 6 moments, read by “starter”. Nothing is waiting."


async def test_a_playlist_s_videos_are_added(client: FakeClient, caller: Caller) -> None:
    """Each one by itself, followed to its end."""
    replies = await all_of(core.crawl(client, caller, "https://video.example/list", most=2))
    added = [reply.link for reply in replies if isinstance(reply, LinkOutcome)]
    assert added == ["https://video.example/list/0", "https://video.example/list/1"]


async def test_help_names_every_command(client: FakeClient, caller: Caller) -> None:
    """Whoever asks for help sees all there is."""
    [shown] = await all_of(guide(client, caller))
    assert isinstance(shown, Help)
    assert [name for name, _, _ in shown.lines] == [each.name for each in COMMANDS.values() if not each.is_admin]


def commands(client: FakeClient, caller: Caller) -> dict[str, Replies]:
    return {
        "find": core.find(client, caller, "dog"),
        "more": core.more(client, caller, Search(("dog",))),
        "index": core.index(client, caller, ["https://video.example/x"]),
        "library": core.library(client, caller),
        "forget": core.forget(client, caller, GOAL.link),
        "status": core.status(client, caller),
    }


async def test_every_failed_call_is_a_sentence(caller: Caller) -> None:
    """A failed call ends in the sentence of its code, with the incident to look up."""
    for replies in commands(FakeClient(broken=CallFailedError(ErrorCode.BUSY, "abc123")), caller).values():
        [reply] = await all_of(replies)
        assert isinstance(reply, TextReply | LinkOutcome)
        assert (reply.text, reply.code, reply.correlation_id) == (translate(ErrorCode.BUSY), ErrorCode.BUSY, "abc123")
        assert not reply.ok


async def test_every_surprise_is_a_sentence(caller: Caller) -> None:
    """What nobody foresaw ends in a sentence whose incident is in the log with the cause."""
    for replies in commands(FakeClient(broken=RuntimeError("secret")), caller).values():
        with capture_logs() as logs:
            [reply] = await all_of(replies)
        assert isinstance(reply, TextReply | LinkOutcome)
        assert reply.code is ErrorCode.INTERNAL
        assert "secret" not in reply.text
        assert [(log["correlation_id"], str(log["exc_info"])) for log in logs] == [(reply.correlation_id, "secret")]


class Silent(FakeClient):
    async def follow(self, job_id: str) -> Any:
        yield messages.IndexProgress(stage="waiting", done=0)


async def test_a_job_that_falls_silent_fails(caller: Caller) -> None:
    """Updates that end without an outcome are not taken for one."""
    outcome = (await all_of(core.index(Silent(), caller, ["https://video.example/x"])))[-1]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.code is ErrorCode.INTERNAL


@pytest.mark.parametrize("title", ["a\x1b[2Jb", "a\u202eb", "a\nb", "\x9ba b"])
async def test_titles_cannot_draw_over_the_screen(caller: Caller, title: str) -> None:
    """Control characters of a stranger's title are dropped; emoji and scripts stay."""
    video = FakeVideo("https://video.example/x", f"{title} 🎬 강아지", ("dog",))
    [card] = await cards_of(core.find(FakeClient([video]), caller, "dog"))
    assert card.title.isprintable()
    assert card.title.endswith("🎬 강아지")


class Unheard(FakeClient):
    """Nothing is heard of a job, but the record has what came of it."""

    new = FakeVideo("https://videos.example/new", "New", ("something",))

    async def follow(self, job_id: str) -> Any:
        self.videos.append(self.new)
        await asyncio.Event().wait()
        yield


async def test_after_a_long_silence_the_record_is_asked(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a job's last word was lost, the person is told what is on record."""
    client = Unheard()
    monkeypatch.setattr(job_progress, "SILENCE_S", 0.01)
    [reply] = await all_of(core.index(client, caller, [client.new.link]))
    assert isinstance(reply, LinkOutcome)
    assert (reply.status, reply.moments) == ("indexed", 1)


async def test_suggestions_come_in_time_or_not_at_all(client: FakeClient, caller: Caller) -> None:
    """While somebody types nobody waits: the platforms give three seconds."""
    assert await core.suggest(client, caller, "snow") == [(SNOW.title, SNOW.link)]
    client.silent = True
    async with asyncio.timeout(3):
        assert await core.suggest(client, caller, "snow") == []
