"""Adding videos from Slack: what is said meanwhile, and what follows its message."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from bots.chat.store import ChatRequest
from bots.commands.replies import IndexingProgress, LinkOutcome, LinkProgress, LinkStatus
from bots.slack.run import RunningApp
from tests.bots.slack.conftest import SPACE
from tests.support.fake_client import FakeClient
from tests.support.slack.server import Slack
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.protocol.spaces import SpaceSettings

ANN, BOB = "U0000ANN", "U0000BOB"
ALL, SECRET = "C0000ALL", "G0000SEC"
NEW, OTHER = "https://video.example/new", "https://video.example/other"


@pytest.fixture
def gate(client: FakeClient) -> threading.Event:
    """Jobs stand still after their first progress until it is set."""
    client.gate = threading.Event()
    return client.gate


@pytest.fixture
def watched(client: FakeClient) -> FakeClient:
    """The public channel's links are added by themselves."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,))
    return client


def links(client: FakeClient) -> list[str]:
    return [video.link for video in client.videos]


def message(text: str, ts: str = "7.1", user: str = BOB, **more: Any) -> dict[str, Any]:
    own = {"type": "message", "channel": ALL, "channel_type": "channel", "user": user, "ts": ts, "text": text}
    return own | more


def change(kind: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "message", "subtype": kind, "channel": ALL, "channel_type": "channel", "ts": "8.0", **more}


async def test_alone_it_is_told_when_work_begins_and_ends(
    app: RunningApp, server: Slack, client: FakeClient, gate: threading.Event
) -> None:
    """Slack lets no app edit what one person alone sees: `/reel index` has a first and a last word there."""
    await server.command(f"index {NEW}")
    (first,) = await server.until(lambda: server.to(ANN))
    assert "downloading" in first.text
    assert NEW in first.text
    gate.set()
    (_, last) = await server.until(lambda: server.to(ANN)[1:] and server.to(ANN))
    assert "✅ Added “new”." in last.text
    assert (links(client)[0], client.videos[0].name) == (NEW, "Ann")
    assert server.posted == []


async def test_for_all_one_message_goes_through_the_stages(
    app: RunningApp, server: Slack, client: FakeClient, gate: threading.Event
) -> None:
    """Where answers are public, one message is edited to its end."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command(f"index {NEW} {OTHER}")
    (posted,) = await server.until(lambda: server.posted)
    assert "Ann: /reel index" in posted.text
    gate.set()
    await server.until(lambda: "Added “new”" in posted.text and "Added “other”" in posted.text)
    assert posted.edits >= 1
    assert len(server.shown) == 1


async def test_links_sent_to_the_app_itself(app: RunningApp, server: Slack, gate: threading.Event) -> None:
    """In the app's own conversation a link is added, and one message edited through the stages."""
    await server.event(message(f"<{NEW}>", user=ANN, channel="D0000ANN", channel_type="im"))
    (posted,) = await server.until(lambda: server.posted)
    assert "downloading" in posted.text
    gate.set()
    await server.until(lambda: "Added" in posted.text)
    assert len(server.shown) == 1


async def test_a_failed_link_is_explained(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """A link that can't be added is answered with why, which link, and a reference."""
    client.sites = {NEW: ErrorCode.PRIVATE}
    await server.command(f"index {NEW}")
    last = (await server.until(lambda: [each for each in server.to(ANN) if "⚠️" in each.text]))[0]
    assert "That video is private" in last.text
    assert NEW in last.text
    assert "Reference fa11ed00" in last.text


async def test_alone_there_are_two_messages_at_most(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """Alone, one is shown a work's begin and its end, whatever lies between; only its end where it is over at once."""
    caller = Caller(space=SPACE, user_id=ANN, display_name="Ann")
    place = {"delivery": "private", "channel": ALL, "url": server.response(ALL, ANN)}
    request = ChatRequest("slack", "index", {"links": [NEW]}, caller, "en", place)
    stages = [IndexingProgress((LinkProgress(NEW, stage, 0.5),)) for stage in ("downloading", "looking", "learning")]
    with app.requests.responder.track(request):
        for reply in [*stages, IndexingProgress((LinkOutcome(NEW, LinkStatus.INDEXED, "Added."),), is_final=True)]:
            await app.requests.responder.show(request, reply)
    assert ["downloading" in server.shown[0].text, "Added." in server.shown[1].text] == [True, True]
    await server.command(f"index {client.videos[0].link}")
    await server.until(lambda: server.shown[2:])
    await app.requests.tasks.wait_until_idle()
    assert len(server.shown) == 3


async def test_many_links_at_once(app: RunningApp, server: Slack) -> None:
    """A hundred links are all told of, within the blocks that Slack takes."""
    await server.command("index " + " ".join(f"{NEW}/{number}" for number in range(100)))
    last = (await server.until(lambda: [each for each in server.to(ANN) if each.text.count("✅") > 100]))[0]
    assert all(f"“{number}”" in last.text for number in range(100))


async def test_the_links_of_a_message(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """The shortcut on a message adds each of its links, and says so where it has none."""
    body = server.interaction("message_action", ANN) | {"callback_id": "index", "channel": {"id": ALL, "name": "all"}}
    body["message"] = {"ts": "7.0", "text": f"look: <{NEW}|new> and <{OTHER}>", "user": BOB}
    await server.send("interactive", body | {"response_url": server.response(ALL, ANN)})
    await server.until(lambda: {NEW, OTHER} <= set(links(client)))
    empty = body | {"message": {"ts": "7.1", "text": "no link"}, "trigger_id": "another"}
    await server.send("interactive", empty | {"response_url": server.response(ALL, ANN)})
    await server.until(lambda: "Which video?" in server.to(ANN)[-1].text)


async def test_a_watched_channel_adds_links_by_itself(app: RunningApp, server: Slack, watched: FakeClient) -> None:
    """A person's link is added and the message marked, without a word; other channels and bots are left alone."""
    await server.event(message(f"see <{NEW}>", ts="7.1"))
    await server.until(lambda: server.reactions == [(ALL, "7.1", "white_check_mark")])
    assert links(watched)[0] == NEW
    await server.event(message(f"<{OTHER}>", channel=SECRET, channel_type="group"))
    await server.event(message(f"<{OTHER}>", bot_id="B9"))
    await server.event(message(f"<@U0000BOT> <{OTHER}>"))
    await server.event(message("no link", ts="7.9"))
    await app.requests.tasks.wait_until_idle()
    assert OTHER not in links(watched)
    assert server.shown == []


async def test_what_goes_wrong_is_told_to_the_author_alone(app: RunningApp, server: Slack, watched: FakeClient) -> None:
    """A link that fails is explained to who sent it; one that is no video at all is passed over."""
    watched.sites = {NEW: ErrorCode.BLOCKED, OTHER: ErrorCode.NO_VIDEO}
    await server.event(message(f"<{NEW}> <{OTHER}>"))
    (shown,) = await server.until(lambda: server.to(BOB))
    assert NEW in shown.text
    assert OTHER not in shown.text
    assert server.reactions == []


async def test_the_submission_follows_its_message(app: RunningApp, server: Slack, watched: FakeClient) -> None:
    """Edited, the message's new links are added and its old ones taken back; deleted, all of them are."""
    before, after = message(f"<{NEW}>"), message(f"<{OTHER}>")
    await server.event(before)
    await server.until(lambda: server.reactions)
    await server.event(change("message_changed", message=after, previous_message=before))
    await server.until(lambda: server.called("reactions.add")[1:])
    assert (OTHER in links(watched), NEW in links(watched)) == (True, False)
    await server.event(change("message_deleted", previous_message=after))
    await app.requests.tasks.wait_until_idle()
    assert OTHER not in links(watched)


async def test_a_deleted_message_counts_after_the_watch_has_ended(
    app: RunningApp, server: Slack, watched: FakeClient
) -> None:
    """What a watched channel had added goes with its message when the channel is watched no more."""
    await server.event(message(f"<{NEW}>"))
    await server.until(lambda: server.reactions)
    watched.settings.clear()
    await app.requests.chat.stores.settings.invalidate_settings(SPACE)
    await server.event(message(f"<{OTHER}>", ts="7.5"))
    await server.event(change("message_deleted", previous_message=message(f"<{NEW}>")))
    await app.requests.tasks.wait_until_idle()
    assert not {NEW, OTHER} & set(links(watched))


async def test_only_admins_may_add_where_the_space_says_so(app: RunningApp, server: Slack, client: FakeClient) -> None:
    """With `submitters admins`, Slack itself is asked whether who sent a link is one."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,), submitters="admins")
    await server.event(message(f"<{NEW}>", ts="7.1", user=ANN))
    await server.event(message(f"<{OTHER}>", ts="7.2", user=BOB))
    await app.requests.tasks.wait_until_idle()
    submits = [each for each in client.asked if isinstance(each, Submit)]
    assert {each.caller.user_id: each.caller.is_admin for each in submits} == {ANN: True, BOB: False}
