"""Videos that people upload or share instead of sending a link."""

from typing import Any

import pytest

from bots.slack.run import RunningApp
from tests.support.bots.fake_client import FakeClient
from tests.support.slack.methods import TEAM
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, BOB, MENTION, NEW_LINK, SPACE
from worker.protocol.library import Submit
from worker.protocol.spaces import SpaceSettings

OTHER_LINK = "https://video.example/other"


def make_file(name: str = "clip.mp4", media_type: str = "video/mp4", **fields: Any) -> dict[str, Any]:
    address = f"https://files.slack.com/files-pri/{TEAM}-F0000001/{name}"
    described = {"id": "F0000001", "name": name, "mimetype": media_type, "mode": "hosted", "user": BOB}
    return described | {"url_private": address, "url_private_download": address} | fields


def make_share(text: str = "", **fields: Any) -> dict[str, Any]:
    """Make the attachment of a shared message."""
    origin = f"https://x.slack.com/archives/{ALL}/p1700000000000100"
    return {"is_share": True, "is_msg_unfurl": True, "from_url": origin, "text": text, "author_id": ANN, **fields}


CLIP = make_file()
LINK_BLOCK = {"type": "rich_text", "elements": [
    {"type": "rich_text_section", "elements": [{"type": "link", "url": NEW_LINK, "text": "new"}]}
]}  # fmt: skip


def message(text: str = "", ts: str = "7.1", **more: Any) -> dict[str, Any]:
    own = {"type": "message", "channel": ALL, "channel_type": "channel", "user": BOB, "ts": ts, "text": text}
    return own | more


@pytest.fixture
def watched(client: FakeClient) -> FakeClient:
    """Let the public channel be watched."""
    client.settings[SPACE] = SpaceSettings(watched=(ALL,))
    return client


def list_submitted(client: FakeClient) -> list[str]:
    return [each.link for each in client.requests if isinstance(each, Submit)]


@pytest.mark.parametrize(
    "file",
    [CLIP, make_file("IMG_1.MOV", "video/quicktime"), make_file("talk.mkv", "application/octet-stream"),
     make_file("wave.gif", "image/gif"), make_file("cut.mp4", mode="external", url_private=NEW_LINK)],
)  # fmt: skip
async def test_video_uploaded_to_a_watched_channel_is_added_and_marked(
    app: RunningApp, server: FakeSlack, watched: FakeClient, file: dict[str, Any]
) -> None:
    await server.event(message(subtype="file_share", files=[file]))
    await server.wait_for(lambda: server.reactions == [(ALL, "7.1", "white_check_mark")])
    assert list_submitted(watched) == [file["url_private"]]
    assert watched.videos[0].submitter == BOB


async def test_link_to_the_page_of_a_file_is_its_address(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    """Slack's "Copy link" gives the page. With a preview, the message has the file as well: it is one video."""
    page = f"https://acme.slack.com/files/{ANN}/F0000001/clip.mp4"
    await server.event(message(f"look <{page}|clip.mp4>", files=[CLIP]))
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(watched) == [CLIP["url_private"]]


async def test_uploads_that_are_no_videos_are_ignored(app: RunningApp, server: FakeSlack, watched: FakeClient) -> None:
    files = [make_file("photo.png", "image/png"), make_file("main.ts", "video/mp2t"), make_file("a.m4a", "audio/mp4"),
             make_file(mode="tombstone"), make_file(mode="hidden_by_limit")]  # fmt: skip
    await server.event(message(subtype="file_share", files=files))
    await app.requests.tasks.wait_until_idle()
    assert list_submitted(watched) == []


async def test_upload_that_is_deleted_from_its_message_is_removed(
    app: RunningApp, server: FakeSlack, watched: FakeClient
) -> None:
    before = message(f"<{OTHER_LINK}>", subtype="file_share", files=[CLIP])
    await server.event(before)
    await server.wait_for(lambda: server.reactions)
    after = message(f"<{OTHER_LINK}>", files=[make_file(mode="tombstone")])
    change = {"type": "message", "subtype": "message_changed", "channel": ALL, "channel_type": "channel", "ts": "8.0"}
    await server.event(change | {"message": after, "previous_message": before})
    await server.wait_for(lambda: server.calls_of("reactions.add")[1:])
    assert {video.link for video in watched.videos if video.message_id} == {OTHER_LINK}


@pytest.mark.parametrize(
    ("share", "link"),
    [
        (make_share(f"see <{NEW_LINK}|new>"), NEW_LINK),
        (make_share(files=[CLIP]), CLIP["url_private"]),
        (make_share(message_blocks=[{"team": TEAM, "channel": ALL, "message": {"blocks": [LINK_BLOCK]}}]), NEW_LINK),
    ],
)
async def test_shared_video_counts_as_the_sharers(
    app: RunningApp, server: FakeSlack, watched: FakeClient, share: dict[str, Any], link: str
) -> None:
    await server.event(message(attachments=[share]))
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(watched) == [link]
    assert watched.videos[0].submitter == BOB


async def test_preview_of_a_link_is_not_a_second_link(app: RunningApp, server: FakeSlack, watched: FakeClient) -> None:
    preview = {"from_url": NEW_LINK, "original_url": NEW_LINK, "title_link": OTHER_LINK, "text": f"<{OTHER_LINK}>"}
    await server.event(message(f"<{NEW_LINK}>", attachments=[preview]))
    await server.wait_for(lambda: server.reactions)
    assert list_submitted(watched) == [NEW_LINK]


async def test_message_shortcut_adds_uploads_shares_and_what_an_app_posted(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    button = {"type": "actions", "elements": [{"type": "button", "text": {}, "url": OTHER_LINK}]}
    for number, shown in enumerate(
        [{"text": "", "files": [CLIP]}, {"text": "", "attachments": [make_share(f"<{NEW_LINK}>")]},
         {"text": "new videos", "blocks": [button], "bot_id": "B9"}]
    ):  # fmt: skip
        body = server.interaction("message_action", ANN) | {"callback_id": "index", "channel": {"id": ALL, "name": "a"}}
        body["message"] = shown | {"ts": f"7.{number}"}
        await server.send("interactive", body | {"response_url": server.response(ALL, ANN)})
    await app.requests.tasks.wait_until_idle()
    assert sorted(list_submitted(client)) == sorted([CLIP["url_private"], NEW_LINK, OTHER_LINK])


@pytest.mark.parametrize("words", ["", " index", " please add this"])
async def test_mention_with_a_file_adds_it(app: RunningApp, server: FakeSlack, client: FakeClient, words: str) -> None:
    await server.event(MENTION | {"text": f"<@U0000BOT>{words}", "files": [CLIP]})
    await app.requests.tasks.wait_until_idle()
    assert list_submitted(client) == [CLIP["url_private"]]


async def test_direct_message_with_a_file_adds_it(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    direct = message(subtype="file_share", files=[CLIP], user=ANN, channel="D0000ANN", channel_type="im")
    await server.event(direct)
    await server.wait_for(lambda: [shown for shown in server.posted if "Added" in shown.text])
    assert list_submitted(client) == [CLIP["url_private"]]
