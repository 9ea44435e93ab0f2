"""What goes wrong around the app: everybody gets an answer or a sentence, nobody two."""

import asyncio
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from bots.chat.stores import ChatStores, open_chat_stores
from bots.slack.run import RunningApp, running_app
from tests.bots.slack.conftest import SPACE
from tests.bots.slack.test_find import ALL, ANN, BOB, asked
from tests.support.fake_client import FakeClient
from tests.support.network import free_port
from tests.support.slack.server import Slack
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import SpaceSettings
from worker.settings import Settings

NEW = "https://video.example/new"
MENTION = {"type": "app_mention", "user": ANN, "channel": ALL, "ts": "9.1", "text": "<@U0000BOT> dog"}


@dataclass
class Clock:
    """The wall's, moved on by `ahead_s`."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def started(
    server: Slack,
    client: FakeClient,
    kept: ChatStores,
    settings: Settings,
    clock: Clock | None = None,
    ping_s: float = 5,
) -> AsyncIterator[RunningApp]:
    """An app process."""
    api = f"{server.address}/api/"
    async with running_app(settings, client, kept, api_url=api, ping_interval_s=ping_s, clock=clock or Clock()) as running:
        yield running


@pytest.fixture
def gate(client: FakeClient) -> Iterator[threading.Event]:
    client.gate = threading.Event()
    yield client.gate
    client.gate.set()


# ---- Socket Mode ----


async def test_a_silently_dead_socket_is_noticed(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings
) -> None:
    """A connection that answers no ping any more is given up, and a new one made; then all works again."""
    async with started(server, client, kept, settings, ping_s=0.5):
        await server.until(lambda: server.sockets)
        before, server.deaf = server.connections, True
        await server.until(lambda: server.connections > before)
        server.deaf = False
        await server.until(lambda: server.sockets)
        # What went to a connection that was given up is sent again, as Slack does.
        async with asyncio.timeout(20):
            while not server.to(ANN):
                with suppress(TimeoutError, ConnectionError):
                    await server.event(MENTION, id="Ev5", patience_s=1)


async def test_an_operator_sees_the_connection(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings
) -> None:
    """Whether Slack reaches the app, what was acknowledged, and what was answered can be watched."""
    async with started(server, client, kept, settings, ping_s=0.5) as app:

        async def lost() -> bool:
            return not await app.connected()

        await server.until(lambda: server.sockets)
        assert await app.connected()
        await server.drop()
        await wait_until(lost)
        await wait_until(app.connected)
        await asked(server, "dog")
        await app.requests.tasks.wait_until_idle()
        seen = app.requests.chat.metrics.registry.get_sample_value
        assert seen("reelseek_acknowledge_seconds_count", {"platform": "slack"}) == 1
        assert seen("reelseek_answers_total", {"platform": "slack", "command": "find", "outcome": "answered"}) == 1


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_slack_asks_for_a_new_connection(app: RunningApp, server: Slack, reason: str) -> None:
    """Told that its connection will be closed, the app opens another and loses nothing."""
    await server.until(lambda: server.sockets)
    before = server.connections
    await server.say({"type": "disconnect", "reason": reason, "debug_info": {}})
    await server.until(lambda: server.connections > before)
    assert "Dogs in snow" in (await asked(server, "dog")).text


async def test_dropped_in_the_middle_of_an_answer(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, gate: threading.Event
) -> None:
    """Work goes on while the connection is gone, and its last word is said once."""
    async with started(server, client, kept, settings, ping_s=0.5) as app:
        await server.command(f"index {NEW}")
        await server.until(lambda: server.to(ANN))
        before = server.connections
        await server.drop()
        gate.set()
        await server.until(lambda: server.connections > before)
        await app.requests.tasks.wait_until_idle()
        assert sum("Added" in shown.text for shown in server.to(ANN)) == 1


async def test_the_same_event_three_times(app: RunningApp, server: Slack) -> None:
    """What Slack delivers again is acknowledged again, and acted on once."""
    for attempt in range(3):
        await server.event(MENTION, id="Ev1", retry_attempt=attempt, retry_reason="timeout" if attempt else "")
    await app.requests.tasks.wait_until_idle()
    assert len(server.to(ANN)) == 1


async def test_two_processes_share_the_work(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings
) -> None:
    """An event that reaches two processes is answered by one."""
    async with started(server, client, kept, settings) as one, started(server, client, kept, settings) as two:
        await server.until(lambda: len(server.sockets) == 2)
        await asyncio.gather(*(server.event(MENTION, id="Ev2", socket=number) for number in (0, 1)))
        await one.requests.tasks.wait_until_idle()
        await two.requests.tasks.wait_until_idle()
        assert len(server.to(ANN)) == 1


# ---- what the answer needs ----


async def test_no_worker_can_be_reached(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Where the queue is gone, the asker reads so, with a reference; and is served again when it is back."""
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
    assert "Reelseek cannot be reached right now" in (await asked(server, "dog")).text
    assert "Reference beef0000" in server.shown[-1].text
    client.broken = None
    assert "Dogs in snow" in (await asked(server, "dog")).text


class OwnRedis:
    """A Redis that can go and come back, with what it held."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        binary = shutil.which("redis-server") or pytest.skip("redis-server is not installed")
        self._command = [str(binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--appendonly", "yes", "--appendfsync", "always"]
        self._process: subprocess.Popen[str] | None = None

    def come(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert any("Ready to accept connections" in line for line in self._process.stdout)

    def go(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path)
    redis.come()
    yield redis
    redis.go()


async def test_redis_goes_and_comes_back(
    own_redis: OwnRedis, server: Slack, client: FakeClient, settings: Settings
) -> None:
    """Without Redis the asker reads that it can't be reached; with it back, also the old buttons work."""
    async with (
        open_chat_stores(own_redis.url, "30/minute", "300/minute") as kept,
        started(server, client, kept, settings),
    ):
        shown = await asked(server, "dog")
        own_redis.go()
        assert "Reelseek cannot be reached right now" in (await asked(server, "dog")).text
        own_redis.come()
        assert "Dogs in snow" in (await asked(server, "dog")).text
        await server.press(shown, shown.buttons("Search inside")[0])
        assert "Dogs in snow" in (await server.until(lambda: server.to(ANN)[3:]))[0].text


async def test_slack_limits_rates(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Told to wait, the app waits so long and then says what it had to say."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    limited = web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
    server.fails["chat.postMessage"].append(lambda: limited)
    await server.command("dog")
    (posted,) = await server.until(lambda: server.posted)
    first, second = server.called("chat.postMessage")
    assert second.at - first.at >= 1
    assert "Dogs in snow" in posted.text


async def test_slack_fails(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """A fault of Slack's is tried again; where it refuses an answer for good, the asker reads so, with a reference."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    server.fails["chat.postMessage"].append(lambda: web.Response(status=503))
    await server.command("dog")
    assert "Dogs in snow" in (await server.until(lambda: server.posted))[0].text
    server.fails["chat.postMessage"].append(lambda: web.json_response({"ok": False, "error": "fatal_error"}))
    assert "Something went wrong, and the cause was logged" in (await asked(server, "dog")).text
    assert "Reference" in server.shown[-1].text


async def test_a_message_that_can_not_be_edited_any_more(
    app: RunningApp, server: Slack, client: FakeClient, gate: threading.Event
) -> None:
    """Where somebody deleted the message of the work meanwhile, its end is told in a new one."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command(f"index {NEW}")
    await server.until(lambda: server.posted)
    server.shown.clear()
    gate.set()
    (posted,) = await server.until(lambda: server.posted)
    assert "Added" in posted.text


async def test_slack_does_not_say_who_asks(app: RunningApp, server: Slack) -> None:
    """Somebody that Slack tells nothing about is answered all the same, and is no admin."""
    assert "Dogs in snow" in (await asked(server, "dog", user="U000GONE")).text
    assert "Only admins" in (await asked(server, "settings language ko", user="U000GONE")).text


# ---- late ----


async def test_an_answer_after_16_minutes(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    """Slack still takes it where it was asked."""
    server.clock = clock
    async with started(server, client, kept, settings, clock) as app:
        await server.command(f"index {NEW}")
        await server.until(lambda: server.to(ANN))
        clock.ahead_s = 16 * 60
        gate.set()
        await app.requests.tasks.wait_until_idle()
        assert "Added" in server.to(ANN)[1].text
        assert server.posted == []


async def test_an_answer_after_31_minutes(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    """Slack takes no answer any more: a normal message to the same place says whose it is, and rings for nobody."""
    server.clock = clock
    async with started(server, client, kept, settings, clock) as app:
        await server.command(f"index {NEW}")
        await server.until(lambda: server.to(ANN))
        clock.ahead_s = 31 * 60
        gate.set()
        await app.requests.tasks.wait_until_idle()
        (posted,) = server.posted
        assert (posted.channel, "Ann: /reel index" in posted.text, "Added" in posted.text) == (ALL, True, True)


async def test_an_address_that_lapsed_early(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, clock: Clock
) -> None:
    """An answer whose address Slack refuses before its time is not lost either."""
    server.clock = clock
    async with started(server, client, kept, settings):
        clock.ahead_s = -3600
        body = server.response(ALL, ANN)
        server.responses[body.rsplit("/", 1)[1]].uses = 5
        clock.ahead_s = 0
        payload = {"command": "/reel", "text": "dog", "team_id": "T0000001", "user_id": ANN, "channel_id": ALL}
        await server.send("slash_commands", payload | {"response_url": body, "trigger_id": "t"})
        (posted,) = await server.until(lambda: server.posted)
        assert "Dogs in snow" in posted.text


async def test_a_place_that_is_closed_to_the_bot(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    """Late, and where the bot may post nothing, the answer goes to the asker's own conversation with it."""
    server.clock = clock
    server.closed.add(ALL)
    async with started(server, client, kept, settings, clock) as app:
        await server.command(f"index {NEW}")
        await server.until(lambda: server.to(ANN))
        clock.ahead_s = 31 * 60
        gate.set()
        await app.requests.tasks.wait_until_idle()
        assert server.posted[0].channel == ANN.replace("U", "D", 1)


async def test_a_restart_in_the_middle(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings, gate: threading.Event
) -> None:
    """What one process leaves unanswered the next one answers, once, by a normal message to the same place."""
    async with started(server, client, kept, settings):
        await server.command(f"index {NEW}")
        await server.until(lambda: server.to(ANN))
    async with started(server, client, kept, settings):
        gate.set()
        await server.until(lambda: any("Added" in shown.text for shown in server.posted))
    assert [(shown.channel, "Ann" in shown.text) for shown in server.posted] == [(ALL, True)]
    async with started(server, client, kept, settings) as third:
        await third.requests.tasks.wait_until_idle()
    assert len(server.shown) == 2


async def test_an_end_before_it_is_known_who_asks(
    server: Slack, client: FakeClient, kept: ChatStores, settings: Settings
) -> None:
    """A command that was acknowledged, and no more, when the process was told to end is answered all the same, once."""
    server.held.add("users.info")
    async with started(server, client, kept, settings):
        await server.command("dog")
    server.held.clear()
    async with started(server, client, kept, settings) as second:
        await server.until(lambda: any("Dogs in snow" in shown.text for shown in server.shown))
        await second.requests.tasks.wait_until_idle()
    assert len(server.shown) == 1


# ---- many ----


async def test_two_hundred_at_once(app: RunningApp, server: Slack) -> None:
    """Each of 200 people who ask at once gets one answer, and Slack is asked about their channel once."""
    people = [f"U{number:07}" for number in range(200)]
    for person in people:
        server.users[person] = {"name": person, "profile": {}, "locale": "en-US"}
    await asyncio.gather(*(server.command("dog", user=person) for person in people))
    await server.until(lambda: len({shown.to for shown in server.shown}) == 200, timeout_s=60)
    await app.requests.tasks.wait_until_idle()
    assert Counter(shown.to for shown in server.shown) == Counter(people)
    assert all("Dogs in snow" in shown.text for shown in server.shown)
    assert len(server.called("conversations.info")) == 1


async def test_one_person_asks_too_much(app: RunningApp, server: Slack) -> None:
    """Past the limit a sentence says when to try again; others are served."""
    for _ in range(30):
        await server.command("dog")
    await app.requests.tasks.wait_until_idle()
    assert "Try again in" in (await asked(server, "dog")).text
    assert "Dogs in snow" in (await asked(server, "dog", user=BOB)).text
