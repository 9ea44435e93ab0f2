"""What every chat platform's frontend does alike, on a real Redis, over a library in memory."""

import asyncio
import threading
from dataclasses import replace

import pytest
import redis.asyncio

from bots.chat.service import ChatService
from bots.chat.store import ChatRequest, open_chat_store
from bots.commands.replies import (
    Confirmation,
    IndexingProgress,
    LinkOutcome,
    Removed,
    Reply,
    Results,
    SettingsView,
    TextReply,
    TrainingProgress,
)
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.conftest import becomes
from tests.support.fake_client import GOAL, SNOW, FakeClient, FakeVideo, generation
from tests.support.fake_platform import ANN, HERE, Screen, ask
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, RetentionPolicy

ADMIN = Caller(space="discord:1", user_id="zoe", is_admin=True)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(videos=list(HERE))


async def test_links_are_told_of_together_and_not_too_often(
    front: ChatService, screen: Screen, client: FakeClient
) -> None:
    """All links of one request are one reply that changes; its last state has every outcome."""
    client.sites = {"http://a.example/2": ErrorCode.NOT_FOUND}
    links = [f"http://a.example/{number}" for number in range(3)]
    seen = await ask(front, screen, "index", links=links)
    assert all(isinstance(reply, IndexingProgress) for reply in seen)
    last = seen[-1]
    assert isinstance(last, IndexingProgress)
    assert last.over
    assert sorted(line.status for line in last.lines if isinstance(line, LinkOutcome)) == [
        "failed",
        "indexed",
        "indexed",
    ]
    assert len(seen) < 9


async def test_the_newest_progress_is_shown_though_nothing_follows(
    front: ChatService, screen: Screen, client: FakeClient
) -> None:
    """What came too soon after an edit is shown once the next edit may be, and not only with the next progress."""
    client.gate = threading.Event()
    links = ["http://a.example/1", "http://a.example/2"]
    asked = asyncio.create_task(ask(front, screen, "index", links=links))
    async with asyncio.timeout(20):
        while not (
            screen.seen and isinstance(work := screen.seen[-1], IndexingProgress) and len(work.lines) == len(links)
        ):
            screen.any.clear()
            await screen.any.wait()
    client.gate.set()
    await asked


async def test_who_asks_too_much_is_told_when_to_come_back(front: ChatService, screen: Screen) -> None:
    """A sentence with seconds, and the question is not asked."""
    await ask(front, screen, "index", links=[f"http://a.example/{number}" for number in range(20)])
    [reply] = await ask(front, screen, "find", words="dog")
    assert isinstance(reply, TextReply)
    assert (reply.ok, reply.code) == (False, ErrorCode.TOO_MANY)
    assert "seconds" in reply.text


async def test_a_picture_costs_more_than_words(front: ChatService, screen: Screen) -> None:
    """Of what may be asked in a minute, it takes five."""
    shown = [(await ask(front, screen, "find", words="", picture="cGljdHVyZQ=="))[0] for _ in range(5)]
    assert [isinstance(reply, TextReply) for reply in shown] == [False] * 4 + [True]


@pytest.mark.parametrize("code", [ErrorCode.QUEUE_UNAVAILABLE, ErrorCode.NO_WORKER, ErrorCode.STORE_UNAVAILABLE])
async def test_what_fails_is_told(front: ChatService, screen: Screen, client: FakeClient, code: ErrorCode) -> None:
    """Worker gone, queue gone, store gone: a sentence with a reference, and the errand is over."""
    client.broken = CallFailedError(code, "abcd1234")
    [reply] = await ask(front, screen, "find", words="dog")
    assert reply == TextReply(translate(code), ok=False, code=code, correlation_id="abcd1234")
    assert await front.chat_store.abandoned("discord") == []


async def test_a_fault_of_ours_is_told(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """An exception nobody foresaw is a sentence with a reference, too."""
    client.broken = RuntimeError("a fault of ours")
    [reply] = await ask(front, screen, "status")
    assert isinstance(reply, TextReply)
    assert (reply.code, len(reply.correlation_id or "")) == (ErrorCode.INTERNAL, 8)


async def test_a_platform_that_refuses_ends_nothing(front: ChatService, screen: Screen) -> None:
    """It is told once that something went wrong, and the errand is over: the same would be refused again."""
    screen.refuses = True
    _, told = await ask(front, screen, "status")
    assert isinstance(told, TextReply)
    assert (told.code, told.ok) == (ErrorCode.INTERNAL, False)
    assert await front.chat_store.abandoned("discord") == []


async def test_answers_are_in_the_asker_s_language(front: ChatService, screen: Screen) -> None:
    """Each errand speaks its own."""
    await front.serve(ChatRequest("discord", "press", {"token": "x", "action": "next"}, ANN, "ko", {}), screen)
    with use_locale("ko"):
        assert screen.seen == [TextReply(translate(Msg.TOO_OLD), ok=False)]


async def test_what_another_process_left_is_answered(
    front: ChatService, screen: Screen, client: FakeClient, clean_redis: str
) -> None:
    """A bot that was stopped while a video was worked on: the next one tells how it ended."""
    client.gate = threading.Event()
    request = ChatRequest("discord", "index", {"links": ["http://a.example/1"]}, ANN, "en", {"channel": "5"})
    async with open_chat_store(clean_redis, "20/minute", "100/minute") as other:
        stopped = asyncio.create_task(ChatService(client, other).serve(request, screen))
        await screen.any.wait()
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
    client.gate.set()
    over = asyncio.Event()

    class Next(Screen):
        async def show(self, request: ChatRequest, reply: Reply) -> None:
            await super().show(request, reply)
            if isinstance(reply, IndexingProgress) and reply.over:
                over.set()

    after = Next()
    async with front.picking_up("discord", after), asyncio.timeout(20):
        await over.wait()
    [outcome] = after.seen[-1].lines  # type: ignore[union-attr]
    assert isinstance(outcome, LinkOutcome)
    assert outcome.ok


async def picked_up(front: ChatService, screen: Screen, redis_url: str, request: ChatRequest) -> list[Reply]:
    """What is shown for an errand that another process left."""
    async with open_chat_store(redis_url, "20/minute", "100/minute") as other:
        with pytest.raises(RuntimeError):
            async with other.held(request):
                raise RuntimeError
    async with front.picking_up("discord", screen), redis.asyncio.Redis.from_url(redis_url) as connection:

        async def over() -> bool:
            return not await connection.exists("reelseek:errands:discord")

        await becomes(over)
    return list(screen.seen)


async def test_what_another_version_left_is_in_nobodys_way(
    front: ChatService, screen: Screen, clean_redis: str
) -> None:
    """An errand that can't be read is let go of, one that nobody can do is told of, and the others are answered."""
    unknown = ChatRequest("discord", "fly", {}, ANN, "en", {})
    async with redis.asyncio.Redis.from_url(clean_redis) as connection:
        await connection.set("reelseek:errand:old", '{"platform": "discord"}')
        await connection.sadd("reelseek:errands:discord", "old")  # type: ignore[misc]
    [told] = await picked_up(front, screen, clean_redis, unknown)
    assert isinstance(told, TextReply)
    assert told.code is ErrorCode.INTERNAL
    assert await front.chat_store.abandoned("discord") == []


async def test_leaving_is_tried_until_it_is_done(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """A space that was left while the workers were away is noted by whoever comes next; nobody is told."""
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "")
    assert await ask(front, screen, "leave", ADMIN) == []
    client.broken = None
    [request] = await front.chat_store.abandoned("discord")
    assert request.command == "leave"
    await front.serve(request, screen)
    assert client.left == {"discord:1"}
    await ask(front, screen, "leave", ADMIN, back=True)
    assert client.left == set()


async def test_a_watched_message_s_links_follow_it(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """Written, edited, deleted: the library has what the message has."""
    links = ["http://a.example/1", "http://a.example/2"]

    def here() -> set[str]:
        return {video.link for video in client.videos if video.message == "m1"}

    await ask(front, screen, "watch", message="m1", links=links)
    assert here() == set(links)
    await ask(front, screen, "watch", message="m1", links=links[:1])
    assert here() == set(links[:1])
    assert await ask(front, screen, "watch", message="m1", links=[]) == []
    assert here() == set()


# ---- settings ----


async def test_settings_change_for_everybody_at_once(front: ChatService, screen: Screen) -> None:
    """What was remembered of them is forgotten when they change."""
    assert (await front.settings(ANN)).answers == "private"
    [options] = await ask(front, screen, "settings", ADMIN, name="answers", value="public")
    assert isinstance(options, SettingsView)
    assert options.text == translate(Msg.SETTING_CHANGED)
    assert (await front.settings(ANN)).answers == "public"


async def test_settings_have_defaults_while_nobody_answers(front: ChatService, client: FakeClient) -> None:
    """An acknowledgement must not wait: then answers are private."""
    client.broken = CallFailedError(ErrorCode.NO_WORKER, "")
    assert await front.settings(ANN) == messages.SpaceSettings()


@pytest.mark.parametrize(
    ("args", "text"),
    [({"name": "colour", "value": "red"}, "colour"), ({"name": "answers", "value": "loud"}, "private, public")],
)
async def test_a_setting_that_can_not_be_is_told(
    front: ChatService, screen: Screen, args: dict[str, str], text: str
) -> None:
    """Which there are, and what each may be."""
    [reply] = await ask(front, screen, "settings", ADMIN, **args)
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
async def test_admins_only(front: ChatService, screen: Screen, command: str, args: dict[str, str]) -> None:
    """Others read a sentence."""
    [reply] = await ask(front, screen, command, **args)
    assert isinstance(reply, TextReply)
    assert reply.code is ErrorCode.ADMINS_ONLY


# ---- retrain and model ----


async def test_a_retrain_is_shown_asked_for_and_followed(front: ChatService, screen: Screen) -> None:
    """What would be learnt from, a button, and then how it goes until its end with a picture."""
    [confirm] = await ask(front, screen, "retrain", ADMIN)
    assert isinstance(confirm, Confirmation)
    assert "120" in confirm.text
    lessons = await ask(front, screen, confirm.command, ADMIN, **confirm.args)
    assert all(isinstance(lesson, TrainingProgress) for lesson in lessons)
    last = lessons[-1]
    assert isinstance(last, TrainingProgress)
    assert (last.over, last.picture) == (True, f"thumbnails/{SNOW.id}.jpg")
    assert "50 %" in last.text
    assert "60 %" in last.text


async def test_a_second_retrain_is_told_of_the_first(front: ChatService, screen: Screen) -> None:
    """It follows the one that runs; cancelling is answered, too."""
    await ask(front, screen, "retrain", ADMIN, action="start")
    first = (await ask(front, screen, "retrain", ADMIN, action="start"))[0]
    assert isinstance(first, TrainingProgress)
    assert first.text == translate(Msg.RETRAIN_RUNS)
    assert await ask(front, screen, "retrain", ADMIN, action="cancel") == [TextReply(translate(Msg.RETRAIN_ENDS))]
    assert await ask(front, screen, "retrain", ADMIN, action="cancel") == [TextReply(translate(Msg.RETRAIN_NONE))]


@pytest.mark.parametrize("training", [True, False])
async def test_a_retrain_that_was_left_is_followed(
    front: ChatService, screen: Screen, client: FakeClient, clean_redis: str, training: bool
) -> None:
    """A bot was stopped while it followed one: the next one follows it, and begins no second one."""
    client.training = training
    told = await picked_up(
        front, screen, clean_redis, ChatRequest("discord", "retrain", {"action": "start"}, ADMIN, "en", {})
    )
    if training:
        assert isinstance(told[-1], TrainingProgress)
        assert told[-1].over
    else:
        assert told == [TextReply(translate(Msg.RETRAIN_NONE))]
    assert client.training is training


async def test_a_way_back_that_was_left_is_not_gone_twice(
    front: ChatService, screen: Screen, client: FakeClient, clean_redis: str
) -> None:
    """Whether the process that ended had done it is told by the list."""
    new, old = generation("starter-1", live=True), generation("starter-0", live=False)
    client.models = [new, old]
    [told] = await picked_up(
        front, screen, clean_redis, ChatRequest("discord", "model", {"action": "rollback"}, ADMIN, "en", {})
    )
    assert isinstance(told, TextReply)
    assert len(told.text.splitlines()) == 2
    assert client.models == [new, old]


@pytest.mark.parametrize("args", [{"action": "rollbak"}, {"action": "promote"}])
async def test_what_no_model_command_does_is_told(
    front: ChatService, screen: Screen, client: FakeClient, args: dict[str, str]
) -> None:
    """A mistyped word changes nothing and names those there are."""
    client.models = [generation("starter-1", live=True), generation("starter-0", live=False)]
    [told] = await ask(front, screen, "model", ADMIN, **args)
    assert isinstance(told, TextReply)
    assert (told.ok, "promote NAME" in told.text, client.models[0].live) == (False, True, True)


async def test_too_little_to_learn_from_says_how_much_is_missing(
    front: ChatService, screen: Screen, client: FakeClient
) -> None:
    """The number, and how to get more."""
    client.material = messages.TrainingDataSummary(pairs=12, videos=2, people=1, kinds={"title": 12}, missing=88)
    [reply] = await ask(front, screen, "retrain", ADMIN)
    assert isinstance(reply, TextReply)
    assert reply.code is ErrorCode.TOO_FEW_PAIRS
    assert "88" in reply.text


async def test_models_are_listed_and_gone_back(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """Each with its figures, the one in use marked; going back names the one that is in use then."""
    old = client.models[0].model_copy(update={"live": False})
    new = old.model_copy(update={"name": "starter-1", "live": True, "r5_before": 0.5, "r5": 0.6, "questions": 40})
    client.models = [new, old]
    [reply] = await ask(front, screen, "model", ADMIN)
    assert isinstance(reply, TextReply)
    first, second = reply.text.splitlines()
    assert all(part in first for part in ("starter-1", "60 %", translate(Msg.MODEL_LIVE)))
    assert translate(Msg.MODEL_PLAIN) in second
    [back] = await ask(front, screen, "model", ADMIN, action="rollback")
    assert back == TextReply(translate(Msg.ROLLED_BACK, name="starter-0"))


async def test_privacy_names_what_goes_with_time(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """Only where it does, and in each language."""
    client.terms = RetentionPolicy(
        leave_grace_days=7, adapter_scope="space", keep_queries_days=2.5, keep_shown_days=2.5, keep_frames_days=90
    )
    for locale, words in (("en", "only one picture"), ("ko", "한 장만"), ("zh", "只保留一张")):
        screen.seen.clear()
        await front.serve(ChatRequest("discord", "privacy", {}, ANN, locale, {"channel": "5"}), screen)
        [reply] = screen.seen
        assert isinstance(reply, TextReply)
        assert reply.text.count("2.5") == 2
        assert "90" in reply.text
        assert words in reply.text
    client.terms = RetentionPolicy(leave_grace_days=7, adapter_scope="space")
    [reply] = await ask(front, screen, "privacy")
    assert isinstance(reply, TextReply)
    assert "only one picture" not in reply.text


async def test_privacy_names_what_is_kept_and_for_how_long(front: ChatService, screen: Screen) -> None:
    """Who finds it, who learns from it, and when it goes."""
    [reply] = await ask(front, screen, "privacy")
    assert isinstance(reply, TextReply)
    assert all(
        part in reply.text for part in ("7 days", "forget mine", "private channel", translate(Msg.PRIVACY_TRAINING))
    )


async def test_mine_are_forgotten(front: ChatService, screen: Screen, client: FakeClient) -> None:
    """All at once, and only mine."""
    client.videos = [replace(SNOW, space="discord:1", submitter="ann"), *HERE[1:]]
    [reply] = await ask(front, screen, "forget", mine=True)
    assert isinstance(reply, Removed)
    assert reply.links == (SNOW.link,)
    [refused] = await ask(front, screen, "forget", link=GOAL.link)
    assert isinstance(refused, TextReply)
    assert refused.code is ErrorCode.NOT_YOURS


async def test_many_ask_at_once_and_each_is_answered_once(client: FakeClient, clean_redis: str) -> None:
    """200 people of one space: an answer or a sentence each, nobody two, nobody another space's."""
    client.videos.append(FakeVideo("https://video.example/theirs", "Theirs", ("a dog of others",), space="slack:2"))
    async with open_chat_store(clean_redis, "20/minute", "150/minute") as one:
        front, screens = ChatService(client, one), [Screen() for _ in range(200)]
        people = [Caller(space="discord:1", user_id=str(number)) for number in range(200)]
        await asyncio.gather(
            *(
                front.serve(ChatRequest("discord", "find", {"words": "dog"}, person, "en", {}), screen)
                for person, screen in zip(people, screens, strict=True)
            )
        )
    assert all(len(screen.seen) == 1 for screen in screens)
    answers = [screen.seen[0] for screen in screens if isinstance(screen.seen[0], Results)]
    assert len(answers) == 150
    assert all(card.title != "Theirs" for answer in answers for card in answer.cards)  # type: ignore[union-attr]
