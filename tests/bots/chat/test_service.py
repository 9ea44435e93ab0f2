"""Shared request handling of chat frontends, on a real Redis and a library in memory."""

import asyncio
import re
import threading
from dataclasses import replace

import pytest

from bots.chat.requests import ChatRequest
from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.commands.replies import (
    Confirmation,
    IndexingProgress,
    LinkOutcome,
    Removed,
    Results,
    SettingsView,
    TextReply,
    TrainingProgress,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_platform import VIDEOS, RecordingResponder, ask
from tests.support.bots.fake_videos import GOAL, SNOW, FakeVideo, generation
from tests.support.worker.callers import ADMIN, ANN
from worker.protocol.base import Caller, CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import TrainingDataSummary
from worker.protocol.spaces import RetentionPolicy, SpaceSettings


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=list(VIDEOS))


async def test_progress_of_several_links_is_one_throttled_reply(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """All links share one reply that changes, and its final state has every outcome."""
    client.sites = {"http://a.example/2": ErrorCode.NOT_FOUND}
    links = [f"http://a.example/{number}" for number in range(3)]
    seen = await ask(chat, responder, "index", links=links)
    assert all(isinstance(reply, IndexingProgress) for reply in seen)
    last = seen[-1]
    assert isinstance(last, IndexingProgress)
    assert last.is_final
    assert sorted(line.status for line in last.lines if isinstance(line, LinkOutcome)) == [
        "failed",
        "indexed",
        "indexed",
    ]
    assert len(seen) < 9


async def test_newest_progress_is_shown_without_a_further_update(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """Progress that came too soon after an edit is shown as soon as the next edit is allowed."""
    client.gate = threading.Event()
    links = ["http://a.example/1", "http://a.example/2"]
    asked = asyncio.create_task(ask(chat, responder, "index", links=links))
    async with asyncio.timeout(20):
        while not (
            responder.shown
            and isinstance(work := responder.shown[-1], IndexingProgress)
            and len(work.lines) == len(links)
        ):
            responder.was_shown.clear()
            await responder.was_shown.wait()
    client.gate.set()
    await asked


async def test_rate_limit_exceeded_tells_when_to_retry(chat: ChatService, responder: RecordingResponder) -> None:
    """The reply names the seconds to wait, and the search does not run."""
    await ask(chat, responder, "index", links=[f"http://a.example/{number}" for number in range(20)])
    [reply] = await ask(chat, responder, "find", words="dog")
    assert isinstance(reply, TextReply)
    assert (reply.ok, reply.code) == (False, ErrorCode.TOO_MANY)
    assert re.search(r"\d+ s\b", reply.text)


async def test_search_by_picture_counts_as_five_requests(chat: ChatService, responder: RecordingResponder) -> None:
    shown = [(await ask(chat, responder, "find", words="", picture="cGljdHVyZQ=="))[0] for _ in range(5)]
    assert [isinstance(reply, TextReply) for reply in shown] == [False] * 4 + [True]


@pytest.mark.parametrize("code", [ErrorCode.QUEUE_UNAVAILABLE, ErrorCode.NO_WORKER, ErrorCode.STORE_UNAVAILABLE])
async def test_failed_call_is_answered_with_its_reference(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, code: ErrorCode
) -> None:
    """A missing worker, queue or store is answered with a sentence and a reference, and the request is done."""
    client.broken = CallFailedError(code, "abcd1234")
    [reply] = await ask(chat, responder, "find", words="dog")
    assert reply == TextReply(translate(code), ok=False, code=code, correlation_id="abcd1234")
    assert await chat.stores.requests.claim_stale("discord") == []


async def test_unexpected_exception_is_answered_with_a_reference(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    client.broken = RuntimeError("a fault of ours")
    [reply] = await ask(chat, responder, "status")
    assert isinstance(reply, TextReply)
    assert (reply.code, len(reply.correlation_id or "")) == (ErrorCode.INTERNAL, 8)


async def test_refused_reply_is_followed_by_one_error(chat: ChatService, responder: RecordingResponder) -> None:
    """The error is sent once and the request is done, because the platform would refuse the same again."""
    responder.refuses = True
    _, reply = await ask(chat, responder, "status")
    assert isinstance(reply, TextReply)
    assert (reply.code, reply.ok) == (ErrorCode.INTERNAL, False)
    assert await chat.stores.requests.claim_stale("discord") == []


async def test_replies_use_the_locale_of_the_request(chat: ChatService, responder: RecordingResponder) -> None:
    await chat.serve(ChatRequest("discord", "press", {"token": "x", "action": "next"}, ANN, "ko", {}), responder)
    with use_locale("ko"):
        assert responder.shown == [TextReply(translate(Msg.TOO_OLD), ok=False)]


async def test_bot_removal_is_retried_until_the_workers_record_it(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """While the workers are away the request stays in the queue, and nothing is shown."""
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "")
    assert await ask(chat, responder, "leave", ADMIN) == []
    client.broken = None
    [request] = await chat.stores.requests.claim_stale("discord")
    assert request.command == "leave"
    await chat.serve(request, responder)
    assert client.removed_spaces == {"discord:1"}
    await ask(chat, responder, "leave", ADMIN, is_back=True)
    assert client.removed_spaces == set()


async def test_library_follows_the_links_of_a_watched_message(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """Written, edited and deleted: the library has the links that the message has."""
    links = ["http://a.example/1", "http://a.example/2"]

    def here() -> set[str]:
        return {video.link for video in client.videos if video.message_id == "m1"}

    await ask(chat, responder, "watch", message_id="m1", links=links)
    assert here() == set(links)
    await ask(chat, responder, "watch", message_id="m1", links=links[:1])
    assert here() == set(links[:1])
    assert await ask(chat, responder, "watch", message_id="m1", links=[]) == []
    assert here() == set()


# ---- settings ----


async def test_changed_settings_apply_at_once(chat: ChatService, responder: RecordingResponder) -> None:
    """The cached settings are invalidated by the change."""
    assert (await chat.settings(ANN)).answers == "private"
    [options] = await ask(chat, responder, "settings", ADMIN, name="answers", value="public")
    assert isinstance(options, SettingsView)
    assert options.text == translate(Msg.SETTING_CHANGED)
    assert (await chat.settings(ANN)).answers == "public"


async def test_settings_fall_back_to_defaults_without_workers(chat: ChatService, client: FakeClient) -> None:
    """An acknowledgement must not wait for workers, and answers are private by default."""
    client.broken = CallFailedError(ErrorCode.NO_WORKER, "")
    assert await chat.settings(ANN) == SpaceSettings()


@pytest.mark.parametrize(
    ("args", "text"),
    [({"name": "colour", "value": "red"}, "colour"), ({"name": "answers", "value": "loud"}, "private, public")],
)
async def test_invalid_setting_is_refused_with_the_accepted_values(
    chat: ChatService, responder: RecordingResponder, args: dict[str, str], text: str
) -> None:
    [reply] = await ask(chat, responder, "settings", ADMIN, **args)
    assert isinstance(reply, TextReply)
    assert not reply.ok
    assert text in reply.text


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("settings", {"name": "answers", "value": "public"}),
        ("retrain", {}),
        ("retrain", {"action": "start"}),
        ("retrain", {"action": "cancel"}),
        ("model", {"action": "rollback"}),
    ],
)
async def test_admin_commands_are_refused_to_other_users(
    chat: ChatService, responder: RecordingResponder, command: str, args: dict[str, str]
) -> None:
    [reply] = await ask(chat, responder, command, **args)
    assert isinstance(reply, TextReply)
    assert reply.code is ErrorCode.ADMINS_ONLY


# ---- retrain and model ----


async def test_retrain_is_previewed_confirmed_and_followed(chat: ChatService, responder: RecordingResponder) -> None:
    """The preview has a button; after that the progress is shown to the end, with a picture."""
    [confirm] = await ask(chat, responder, "retrain", ADMIN)
    assert isinstance(confirm, Confirmation)
    assert "120" in confirm.text
    updates = await ask(chat, responder, confirm.command, ADMIN, **confirm.args)
    assert all(isinstance(update, TrainingProgress) for update in updates)
    last = updates[-1]
    assert isinstance(last, TrainingProgress)
    assert (last.is_final, last.picture) == (True, f"thumbnails/{SNOW.id}.jpg")
    assert "50 %" in last.text
    assert "60 %" in last.text


async def test_second_retrain_follows_the_running_one(chat: ChatService, responder: RecordingResponder) -> None:
    """The running retrain is followed instead, and it can be cancelled once."""
    await ask(chat, responder, "retrain", ADMIN, action="start")
    first = (await ask(chat, responder, "retrain", ADMIN, action="start"))[0]
    assert isinstance(first, TrainingProgress)
    assert first.text == translate(Msg.RETRAIN_RUNS)
    assert await ask(chat, responder, "retrain", ADMIN, action="cancel") == [TextReply(translate(Msg.RETRAIN_ENDS))]
    assert await ask(chat, responder, "retrain", ADMIN, action="cancel") == [TextReply(translate(Msg.RETRAIN_NONE))]


@pytest.mark.parametrize("args", [{"action": "rollbak"}, {"action": "promote"}])
async def test_unknown_model_action_is_refused_with_the_known_ones(
    chat: ChatService, responder: RecordingResponder, client: FakeClient, args: dict[str, str]
) -> None:
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    [reply] = await ask(chat, responder, "model", ADMIN, **args)
    assert isinstance(reply, TextReply)
    assert (reply.ok, "promote NAME" in reply.text, client.models[0].live) == (False, True, True)


async def test_retrain_with_too_few_pairs_tells_how_many_are_missing(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    client.training_data = TrainingDataSummary(
        pairs=12, videos=2, users=1, pairs_by_kind={"title": 12}, missing_pairs=88
    )
    [reply] = await ask(chat, responder, "retrain", ADMIN)
    assert isinstance(reply, TextReply)
    assert reply.code is ErrorCode.TOO_FEW_PAIRS
    assert "88" in reply.text


async def test_preview_tells_how_many_pairs_are_left_out(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    client.training_data = client.training_data.model_copy(update={"unrelated": 31})
    [reply] = await ask(chat, responder, "retrain", ADMIN)
    assert isinstance(reply, Confirmation)
    assert "about 31 of them" in reply.text


async def test_models_are_listed_and_rolled_back(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """The live model is marked, and a rollback names the model that is live then."""
    old = client.models[0].model_copy(update={"live": False})
    new = old.model_copy(update={"name": "starter-1", "live": True, "r5_before": 0.5, "r5": 0.6, "questions": 40})
    client.models = [new, old]
    [reply] = await ask(chat, responder, "model", ADMIN)
    assert isinstance(reply, TextReply)
    first, second = reply.text.splitlines()
    assert all(part in first for part in ("starter-1", "60 %", translate(Msg.MODEL_LIVE)))
    assert translate(Msg.MODEL_PLAIN) in second
    [back] = await ask(chat, responder, "model", ADMIN, action="rollback")
    assert back == TextReply(translate(Msg.ROLLED_BACK, name="starter-0"))


async def test_privacy_names_retention_periods_in_every_language(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """Votes and frames are mentioned only if they are deleted after some time."""
    client.policy = RetentionPolicy(
        leave_grace_days=7, adapter_scope="space", keep_queries_days=2.5, keep_results_days=2.5, keep_frames_days=90
    )
    for locale, words in (("en", "only one picture"), ("ko", "한 장만"), ("zh", "只保留一张")):
        responder.shown.clear()
        await chat.serve(ChatRequest("discord", "privacy", {}, ANN, locale, {"channel": "5"}), responder)
        [reply] = responder.shown
        assert isinstance(reply, TextReply)
        assert reply.text.count("2.5") == 2
        assert "90" in reply.text
        assert words in reply.text
    client.policy = RetentionPolicy(leave_grace_days=7, adapter_scope="space")
    [reply] = await ask(chat, responder, "privacy")
    assert isinstance(reply, TextReply)
    assert "only one picture" not in reply.text


async def test_privacy_tells_who_can_find_a_video_and_how_to_remove_it(
    chat: ChatService, responder: RecordingResponder
) -> None:
    [reply] = await ask(chat, responder, "privacy")
    assert isinstance(reply, TextReply)
    assert all(
        part in reply.text
        for part in (
            "7 days",
            "forget mine",
            "private channel",
            translate(Msg.PRIVACY_TRAINING),
            translate(Msg.PRIVACY_LIKED),
        )
    )


async def test_forget_only_own_removes_the_videos_of_the_caller(
    chat: ChatService, responder: RecordingResponder, client: FakeClient
) -> None:
    """Videos of other users stay and cannot be removed."""
    client.videos = [replace(SNOW, space="discord:1", submitter="ann"), *VIDEOS[1:]]
    [reply] = await ask(chat, responder, "forget", only_own=True)
    assert isinstance(reply, Removed)
    assert reply.links == (SNOW.link,)
    [refused] = await ask(chat, responder, "forget", link=GOAL.link)
    assert isinstance(refused, TextReply)
    assert refused.code is ErrorCode.NOT_YOURS


async def test_burst_of_requests_is_answered_once_each(client: FakeClient, clean_redis: str) -> None:
    """Each of 200 users of one space gets one answer, and no result of another space."""
    client.videos.append(FakeVideo("https://video.example/theirs", "Theirs", ("a dog of others",), space="slack:2"))
    async with open_chat_stores(clean_redis, "20/minute", "150/minute") as one:
        chat, responders = ChatService(client, one), [RecordingResponder() for _ in range(200)]
        people = [Caller(space="discord:1", user_id=str(number)) for number in range(200)]
        await asyncio.gather(
            *(
                chat.serve(ChatRequest("discord", "find", {"words": "dog"}, person, "en", {}), responder)
                for person, responder in zip(people, responders, strict=True)
            )
        )
    assert all(len(responder.shown) == 1 for responder in responders)
    answers = [responder.shown[0] for responder in responders if isinstance(responder.shown[0], Results)]
    assert len(answers) == 150
    assert all(card.title != "Theirs" for answer in answers for card in answer.cards)
