"""Adding videos from Slack: progress, watched channels and edited messages."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from bots.chat.requests import ChatRequest
from bots.commands.replies import IndexingProgress, LinkOutcome, LinkProgress, LinkStatus
from bots.slack.run import RunningApp
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import FakeVideo
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, BOB, NEW_LINK, SECRET, SPACE
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Sense, Submit
from worker.protocol.spaces import SpaceSettings

OTHER_LINK = "https://video.example/other"


@pytest.fixture
def gate(client: FakeClient) -> threading.Event:
    """Let jobs wait after their first progress until it is set."""
    client.gate = threading.Event()
    return client.gate


@pytest.fixture
def watched(client: FakeClient) -> FakeClient:
    """Let the public channel be watched."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,))
    return client


def links(client: FakeClient) -> list[str]:
    return [video.link for video in client.videos]


def message(text: str, ts: str = "7.1", user: str = BOB, **more: Any) -> dict[str, Any]:
    own = {"type": "message", "channel": ALL, "channel_type": "channel", "user": user, "ts": ts, "text": text}
    return own | more


def change(kind: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "message", "subtype": kind, "channel": ALL, "channel_type": "channel", "ts": "8.0", **more}


async def test_private_index_shows_its_start_and_its_end(
    app: RunningApp, server: FakeSlack, client: FakeClient, gate: threading.Event
) -> None:
    """Slack lets no app edit what it showed to one user."""
    await server.command(f"index {NEW_LINK}")
    (first,) = await server.wait_for(lambda: server.shown_to(ANN))
    assert "downloading" in first.text
    assert NEW_LINK in first.text
    gate.set()
    (_, last) = await server.wait_for(lambda: server.shown_to(ANN)[1:] and server.shown_to(ANN))
    assert "✅ Added “new”." in last.text
    assert (links(client)[0], client.videos[0].name) == (NEW_LINK, "Ann")
    assert server.posted == []


async def test_public_index_edits_one_message(
    app: RunningApp, server: FakeSlack, client: FakeClient, gate: threading.Event
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command(f"index {NEW_LINK} {OTHER_LINK}")
    (posted,) = await server.wait_for(lambda: server.posted)
    assert "Ann: /reel index" in posted.text
    gate.set()
    await server.wait_for(lambda: "Added “new”" in posted.text and "Added “other”" in posted.text)
    assert posted.edits >= 1
    assert len(server.shown) == 1


async def test_link_in_a_direct_message_is_added(app: RunningApp, server: FakeSlack, gate: threading.Event) -> None:
    """One message is edited through the stages."""
    await server.event(message(f"<{NEW_LINK}>", user=ANN, channel="D0000ANN", channel_type="im"))
    (posted,) = await server.wait_for(lambda: server.posted)
    assert "downloading" in posted.text
    gate.set()
    await server.wait_for(lambda: "Added" in posted.text)
    assert len(server.shown) == 1


async def test_failed_link_is_reported_with_reason_link_and_reference(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.sites = {NEW_LINK: ErrorCode.PRIVATE}
    await server.command(f"index {NEW_LINK}")
    last = (await server.wait_for(lambda: [each for each in server.shown_to(ANN) if "⚠️" in each.text]))[0]
    assert "That video is private" in last.text
    assert NEW_LINK in last.text
    assert "Reference fa11ed00" in last.text


async def test_private_index_says_once_that_the_video_is_still_listened_to(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """It is shown as done only after that."""
    client.sites = {NEW_LINK: FakeVideo(NEW_LINK, "new", ("ships",), pending_senses=(Sense.SAID,))}
    client.gate, client.enrich_gate = threading.Event(), threading.Event()
    await server.command(f"index {NEW_LINK}")
    await server.wait_for(lambda: server.shown_to(ANN))
    client.gate.set()
    (_, added) = await server.wait_for(lambda: server.shown_to(ANN)[1:] and server.shown_to(ANN))
    assert "Added; " in added.text
    assert "✅" not in added.text
    client.enrich_gate.set()
    (_, _, last) = await server.wait_for(lambda: server.shown_to(ANN)[2:] and server.shown_to(ANN))
    assert "✅ Added “new”." in last.text


async def test_private_index_shows_at_most_two_messages(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    """One message if the work ends at once."""
    caller = Caller(space=SPACE, user_id=ANN, display_name="Ann")
    place = {"delivery": "private", "channel": ALL, "url": server.response(ALL, ANN)}
    request = ChatRequest("slack", "index", {"links": [NEW_LINK]}, caller, "en", place)
    stages = [
        IndexingProgress((LinkProgress(NEW_LINK, stage, 0.5),)) for stage in ("downloading", "looking", "learning")
    ]
    with app.requests.responder.track(request):
        for reply in [*stages, IndexingProgress((LinkOutcome(NEW_LINK, LinkStatus.INDEXED, "Added."),), is_final=True)]:
            await app.requests.responder.show(request, reply)
    assert ["downloading" in server.shown[0].text, "Added." in server.shown[1].text] == [True, True]
    await server.command(f"index {client.videos[0].link}")
    await server.wait_for(lambda: server.shown[2:])
    await app.requests.tasks.wait_until_idle()
    assert len(server.shown) == 3


async def test_hundred_links_are_reported_within_slacks_limits(app: RunningApp, server: FakeSlack) -> None:
    await server.command("index " + " ".join(f"{NEW_LINK}/{number}" for number in range(100)))
    last = (await server.wait_for(lambda: [each for each in server.shown_to(ANN) if each.text.count("✅") > 100]))[0]
    assert all(f"“{number}”" in last.text for number in range(100))


async def test_message_shortcut_adds_every_link(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    """A message without links is answered with a sentence."""
    body = server.interaction("message_action", ANN) | {"callback_id": "index", "channel": {"id": ALL, "name": "all"}}
    body["message"] = {"ts": "7.0", "text": f"look: <{NEW_LINK}|new> and <{OTHER_LINK}>", "user": BOB}
    await server.send("interactive", body | {"response_url": server.response(ALL, ANN)})
    await server.wait_for(lambda: {NEW_LINK, OTHER_LINK} <= set(links(client)))
    empty = body | {"message": {"ts": "7.1", "text": "no link"}, "trigger_id": "another"}
    await server.send("interactive", empty | {"response_url": server.response(ALL, ANN)})
    await server.wait_for(lambda: "Which video?" in server.shown_to(ANN)[-1].text)


async def test_link_in_a_watched_channel_is_added_and_marked(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    """Other channels and bots are ignored."""
    await server.event(message(f"see <{NEW_LINK}>", ts="7.1"))
    await server.wait_for(lambda: server.reactions == [(ALL, "7.1", "white_check_mark")])
    assert links(watched)[0] == NEW_LINK
    await server.event(message(f"<{OTHER_LINK}>", channel=SECRET, channel_type="group"))
    await server.event(message(f"<{OTHER_LINK}>", bot_id="B9"))
    await server.event(message(f"<@U0000BOT> <{OTHER_LINK}>"))
    await server.event(message("no link", ts="7.9"))
    await app.requests.tasks.wait_until_idle()
    assert OTHER_LINK not in links(watched)
    assert server.shown == []


@pytest.mark.parametrize(
    "error",
    ["cant_react", "no_reaction", "not_reactable", "too_many_reactions", "too_many_emoji", "is_archived",
     "not_in_channel", "channel_not_found", "message_not_found", "already_reacted", "missing_scope", "thread_locked"],
)  # fmt: skip
async def test_reaction_that_slack_refuses_is_left_out_silently(
    app: RunningApp, server: FakeSlack, watched: FakeClient, error: str
) -> None:
    server.fails["reactions.add"].append(lambda: web.json_response({"ok": False, "error": error}))
    await server.event(message(f"<{NEW_LINK}>"))
    await server.wait_for(lambda: server.calls_of("reactions.add"))
    await app.requests.tasks.wait_until_idle()
    assert NEW_LINK in links(watched)
    assert server.shown == []


async def test_post_with_several_videos_in_a_watched_channel_is_reported_to_its_author(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    watched.sites = {NEW_LINK: FakeVideo(NEW_LINK, "Take #1", ("ships",), is_first_of_several=True)}
    await server.event(message(f"<{NEW_LINK}> <{OTHER_LINK}>"))
    (shown,) = await server.wait_for(lambda: server.shown_to(BOB))
    assert "That post has several videos; this is the first." in shown.text
    assert OTHER_LINK not in shown.text
    assert len(server.reactions) == 1


async def test_failed_link_in_a_watched_channel_is_reported_to_its_author(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    """A link that leads to no video is ignored."""
    watched.sites = {NEW_LINK: ErrorCode.BLOCKED, OTHER_LINK: ErrorCode.NO_VIDEO}
    await server.event(message(f"<{NEW_LINK}> <{OTHER_LINK}>"))
    (shown,) = await server.wait_for(lambda: server.shown_to(BOB))
    assert NEW_LINK in shown.text
    assert OTHER_LINK not in shown.text
    assert server.reactions == []


async def test_library_follows_edits_and_deletion_of_a_message(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    before, after = message(f"<{NEW_LINK}>"), message(f"<{OTHER_LINK}>")
    await server.event(before)
    await server.wait_for(lambda: server.reactions)
    await server.event(change("message_changed", message=after, previous_message=before))
    await server.wait_for(lambda: server.calls_of("reactions.add")[1:])
    assert (OTHER_LINK in links(watched), NEW_LINK in links(watched)) == (True, False)
    await server.event(change("message_deleted", previous_message=after))
    await app.requests.tasks.wait_until_idle()
    assert OTHER_LINK not in links(watched)


async def test_deleted_message_removes_its_videos_after_the_watch_ended(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    await server.event(message(f"<{NEW_LINK}>"))
    await server.wait_for(lambda: server.reactions)
    watched.settings.clear()
    await app.requests.chat.stores.settings.invalidate_settings(SPACE)
    await server.event(message(f"<{OTHER_LINK}>", ts="7.5"))
    await server.event(change("message_deleted", previous_message=message(f"<{NEW_LINK}>")))
    await app.requests.tasks.wait_until_idle()
    assert not {NEW_LINK, OTHER_LINK} & set(links(watched))


async def test_links_are_added_by_admins_only_if_the_space_says_so(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """Slack is asked whether the author is an admin."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,), submitters="admins")
    await server.event(message(f"<{NEW_LINK}>", ts="7.1", user=ANN))
    await server.event(message(f"<{OTHER_LINK}>", ts="7.2", user=BOB))
    await app.requests.tasks.wait_until_idle()
    submits = [each for each in client.requests if isinstance(each, Submit)]
    assert {each.caller.user_id: each.caller.is_admin for each in submits} == {ANN: True, BOB: False}
