"""Faults around the Slack app: every request gets one answer or one sentence."""

import asyncio
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
from tests.support.bots.fake_client import FakeClient
from tests.support.servers.redis import RedisServer, running_redis
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, BOB, MENTION, NEW_LINK, SPACE, ask
from tests.support.waiting import wait_until
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.spaces import SpaceSettings
from worker.settings import Settings


@dataclass
class Clock:
    """The real time, moved on by `ahead_s`."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def started(
    server: FakeSlack,
    client: FakeClient,
    stores: ChatStores,
    settings: Settings,
    clock: Clock | None = None,
    ping_s: float = 5,
) -> AsyncIterator[RunningApp]:
    """Run an app process for the block."""
    api = f"{server.address}/api/"
    async with running_app(
        settings, client, stores, api_url=api, ping_interval_s=ping_s, clock=clock or Clock()
    ) as running:
        yield running


@pytest.fixture
def gate(client: FakeClient) -> Iterator[threading.Event]:
    client.gate = threading.Event()
    yield client.gate
    client.gate.set()


# ---- Socket Mode ----


async def test_silently_dead_socket_is_replaced(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    """A connection that answers no ping is closed and opened again, and events arrive again."""
    async with started(server, client, stores, settings, ping_s=0.5):
        await server.wait_for(lambda: server.sockets)
        before, server.is_unresponsive = server.connections, True
        await server.wait_for(lambda: server.connections > before)
        server.is_unresponsive = False
        await server.wait_for(lambda: server.sockets)
        # What went to a connection that was given up is sent again, as Slack does.
        async with asyncio.timeout(20):
            while not server.shown_to(ANN):
                with suppress(TimeoutError, ConnectionError):
                    await server.event(MENTION, id="Ev5", patience_s=1)


async def test_metrics_show_connection_acknowledgements_and_answers(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    async with started(server, client, stores, settings, ping_s=0.5) as app:

        async def lost() -> bool:
            return not await app.is_connected()

        await server.wait_for(lambda: server.sockets)
        assert await app.is_connected()
        await server.drop()
        await wait_until(lost, max_pause_s=0)
        await wait_until(app.is_connected)
        await ask(server, "dog")
        await app.requests.tasks.wait_until_idle()
        seen = app.requests.chat.metrics.registry.get_sample_value
        assert seen("reelseek_acknowledge_seconds_count", {"platform": "slack"}) == 1
        assert seen("reelseek_answers_total", {"platform": "slack", "command": "find", "outcome": "answered"}) == 1


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_disconnect_message_opens_a_new_connection(app: RunningApp, server: FakeSlack, reason: str) -> None:
    """Slack announces that it closes the connection, and the app loses no event."""
    await server.wait_for(lambda: server.sockets)
    before = server.connections
    await server.send_message({"type": "disconnect", "reason": reason, "debug_info": {}})
    await server.wait_for(lambda: server.connections > before)
    assert "Dogs in snow" in (await ask(server, "dog")).text


async def test_dropped_connection_does_not_lose_or_repeat_the_answer(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, gate: threading.Event
) -> None:
    async with started(server, client, stores, settings, ping_s=0.5) as app:
        await server.command(f"index {NEW_LINK}")
        await server.wait_for(lambda: server.shown_to(ANN))
        before = server.connections
        await server.drop()
        gate.set()
        await server.wait_for(lambda: server.connections > before)
        await app.requests.tasks.wait_until_idle()
        assert sum("Added" in shown.text for shown in server.shown_to(ANN)) == 1


async def test_duplicate_event_is_acknowledged_and_answered_once(app: RunningApp, server: FakeSlack) -> None:
    for attempt in range(3):
        await server.event(MENTION, id="Ev1", retry_attempt=attempt, retry_reason="timeout" if attempt else "")
    await app.requests.tasks.wait_until_idle()
    assert len(server.shown_to(ANN)) == 1


async def test_event_for_two_processes_is_answered_by_one(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    async with started(server, client, stores, settings) as one, started(server, client, stores, settings) as two:
        await server.wait_for(lambda: len(server.sockets) == 2)
        await asyncio.gather(*(server.event(MENTION, id="Ev2", socket=number) for number in (0, 1)))
        await one.requests.tasks.wait_until_idle()
        await two.requests.tasks.wait_until_idle()
        assert len(server.shown_to(ANN)) == 1


# ---- what the answer needs ----


async def test_unreachable_workers_are_reported_with_a_reference(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """The user is served again as soon as the workers are back."""
    client.broken = CallFailedError(ErrorCode.QUEUE_UNAVAILABLE, "beef0000")
    assert "Can't reach Reelseek right now" in (await ask(server, "dog")).text
    assert "Reference beef0000" in server.shown[-1].text
    client.broken = None
    assert "Dogs in snow" in (await ask(server, "dog")).text


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that the test can stop and start."""
    with running_redis(tmp_path) as server:
        yield server


async def test_redis_outage_is_reported_and_buttons_work_afterwards(
    own_redis: RedisServer, server: FakeSlack, client: FakeClient, settings: Settings
) -> None:
    async with (
        open_chat_stores(own_redis.url, "30/minute", "300/minute") as stores,
        started(server, client, stores, settings),
    ):
        shown = await ask(server, "dog")
        own_redis.stop()
        assert "Can't reach Reelseek right now" in (await ask(server, "dog")).text
        own_redis.start()
        assert "Dogs in snow" in (await ask(server, "dog")).text
        await server.press(shown, shown.buttons("Search inside")[0])
        assert "Dogs in snow" in (await server.wait_for(lambda: server.shown_to(ANN)[3:]))[0].text


async def test_slack_rate_limit_is_obeyed(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    """The app waits as long as Slack demands, and then posts its message."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    limited = web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
    server.fails["chat.postMessage"].append(lambda: limited)
    await server.command("dog")
    (posted,) = await server.wait_for(lambda: server.posted)
    first, second = server.calls_of("chat.postMessage")
    assert second.at - first.at >= 1
    assert "Dogs in snow" in posted.text


async def test_slack_server_error_is_retried_and_a_refusal_is_reported(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    server.fails["chat.postMessage"].append(lambda: web.Response(status=503))
    await server.command("dog")
    assert "Dogs in snow" in (await server.wait_for(lambda: server.posted))[0].text
    server.fails["chat.postMessage"].append(lambda: web.json_response({"ok": False, "error": "fatal_error"}))
    assert "Something went wrong, and the cause was logged" in (await ask(server, "dog")).text
    assert "Reference" in server.shown[-1].text


async def test_deleted_progress_message_is_replaced_by_a_new_one(
    app: RunningApp, server: FakeSlack, client: FakeClient, gate: threading.Event
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command(f"index {NEW_LINK}")
    await server.wait_for(lambda: server.posted)
    server.shown.clear()
    gate.set()
    (posted,) = await server.wait_for(lambda: server.posted)
    assert "Added" in posted.text


async def test_user_without_a_profile_is_answered_and_is_no_admin(app: RunningApp, server: FakeSlack) -> None:
    assert "Dogs in snow" in (await ask(server, "dog", user="U000GONE")).text
    assert "Only admins" in (await ask(server, "settings language ko", user="U000GONE")).text


# ---- late ----


async def index_for(minutes: int, server: FakeSlack, app: RunningApp, clock: Clock, gate: threading.Event) -> None:
    """Index a link for Ann in a job that ends after this time."""
    await server.command(f"index {NEW_LINK}")
    await server.wait_for(lambda: server.shown_to(ANN))
    clock.ahead_s = minutes * 60
    gate.set()
    await app.requests.tasks.wait_until_idle()


async def test_answer_after_16_minutes_uses_the_response_url(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    server.clock = clock
    async with started(server, client, stores, settings, clock) as app:
        await index_for(16, server, app, clock, gate)
        assert "Added" in server.shown_to(ANN)[1].text
        assert server.posted == []


async def test_answer_after_31_minutes_is_posted_in_the_channel(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    """Slack accepts no answer any more. The message names the user without a mention."""
    server.clock = clock
    async with started(server, client, stores, settings, clock) as app:
        await index_for(31, server, app, clock, gate)
        (posted,) = server.posted
        assert (posted.channel, "Ann: /reel index" in posted.text, "Added" in posted.text) == (ALL, True, True)


async def test_answer_to_a_refused_response_url_is_posted_in_the_channel(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, clock: Clock
) -> None:
    server.clock = clock
    async with started(server, client, stores, settings):
        clock.ahead_s = -3600
        body = server.response(ALL, ANN)
        server.responses[body.rsplit("/", 1)[1]].uses = 5
        clock.ahead_s = 0
        payload = {"command": "/reel", "text": "dog", "team_id": "T0000001", "user_id": ANN, "channel_id": ALL}
        await server.send("slash_commands", payload | {"response_url": body, "trigger_id": "t"})
        (posted,) = await server.wait_for(lambda: server.posted)
        assert "Dogs in snow" in posted.text


async def test_late_answer_in_a_closed_channel_goes_to_the_user(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, clock: Clock, gate: threading.Event
) -> None:
    server.clock = clock
    server.closed.add(ALL)
    async with started(server, client, stores, settings, clock) as app:
        await index_for(31, server, app, clock, gate)
        assert server.posted[0].channel == ANN.replace("U", "D", 1)


async def test_restarted_app_answers_open_requests_once(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings, gate: threading.Event
) -> None:
    """The next process answers with a normal message in the same channel."""
    async with started(server, client, stores, settings):
        await server.command(f"index {NEW_LINK}")
        await server.wait_for(lambda: server.shown_to(ANN))
    async with started(server, client, stores, settings):
        gate.set()
        await server.wait_for(lambda: any("Added" in shown.text for shown in server.posted))
    assert [(shown.channel, "Ann" in shown.text) for shown in server.posted] == [(ALL, True)]
    async with started(server, client, stores, settings) as third:
        await third.requests.tasks.wait_until_idle()
    assert len(server.shown) == 2


async def test_request_is_recovered_if_the_app_stops_right_after_acknowledging(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> None:
    """The app stopped while Slack had not yet said who the user is."""
    server.delayed_methods.add("users.info")
    async with started(server, client, stores, settings):
        await server.command("dog")
    server.delayed_methods.clear()
    async with started(server, client, stores, settings) as second:
        await server.wait_for(lambda: any("Dogs in snow" in shown.text for shown in server.shown))
        await second.requests.tasks.wait_until_idle()
    assert len(server.shown) == 1


# ---- many ----


async def test_burst_of_200_users_is_answered_once_each(app: RunningApp, server: FakeSlack) -> None:
    """Slack is asked about their channel once."""
    people = [f"U{number:07}" for number in range(200)]
    for person in people:
        server.users[person] = {"name": person, "profile": {}, "locale": "en-US"}
    await asyncio.gather(*(server.command("dog", user=person) for person in people))
    await server.wait_for(lambda: len({shown.shown_to for shown in server.shown}) == 200, timeout_s=60)
    await app.requests.tasks.wait_until_idle()
    assert Counter(shown.shown_to for shown in server.shown) == Counter(people)
    assert all("Dogs in snow" in shown.text for shown in server.shown)
    assert len(server.calls_of("conversations.info")) == 1


async def test_rate_limit_exceeded_tells_when_to_retry(app: RunningApp, server: FakeSlack) -> None:
    """Other users are still served."""
    for _ in range(30):
        await server.command("dog")
    await app.requests.tasks.wait_until_idle()
    assert "Try again in" in (await ask(server, "dog")).text
    assert "Dogs in snow" in (await ask(server, "dog", user=BOB)).text
