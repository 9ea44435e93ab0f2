"""Search in Slack: the answer, its cards and its buttons."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bots.chat.stores import ChatStores
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from bots.slack.run import RunningApp, running_app
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import SNOW
from tests.support.slack.blockkit import check_options
from tests.support.slack.methods import TEAM, ShownMessage, UploadedFile
from tests.support.slack.server import FakeSlack
from tests.support.slack.world import ALL, ANN, BOB, KIM, MENTION, SECRET, SPACE, ask, make_file, make_film
from worker.protocol.search import Find
from worker.protocol.spaces import SpaceSettings
from worker.settings import Settings


async def test_search_is_answered_with_cards(app: RunningApp, server: FakeSlack) -> None:
    """Only the user sees them, each with its picture as a Slack file and the reasons for the match."""
    shown = await ask(server, "dog")
    assert "Results for “dog”" in shown.text
    assert "Dogs in snow" in shown.text
    assert "0:00–0:06 · 0:18 · ▰▰▰ strong match · looks like it · 1 more inside" in shown.text
    assert "added by Bob, " in shown.text
    day = {"type": "date", "timestamp": 1795167000, "format": "{date_short}", "fallback": "2026-11-20"}
    assert day in shown.payload["blocks"][2]["elements"][0]["elements"]
    assert [server.files[id].alt for id in shown.files] == ["Dogs in snow, 0:00–0:06", "The goal, 0:06–0:12"]
    assert [each["url"] for each in shown.buttons("Open")] == [
        "https://video.example/snow#t=0",
        "https://video.example/goal#t=6",
    ]
    assert (shown.payload["unfurl_links"], shown.payload["unfurl_media"]) == (False, False)
    assert server.posted == []


async def test_weak_results_are_called_the_closest(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    client.weak = True
    assert "No good match" in (await ask(server, "dog")).text


async def test_each_hit_says_how_well_it_matches(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    """The button for the next page says if that has weaker matches."""
    client.videos, client.weaker_follow = [make_film(number) for number in range(7)], True
    shown = await ask(server, "dog")
    assert translate(Msg.STRONG_MATCH) in shown.text
    assert len(shown.buttons(translate(Msg.SHOW_WEAKER))) == 1


async def test_search_without_hits_or_words_is_answered_with_a_sentence(app: RunningApp, server: FakeSlack) -> None:
    assert "Nothing found" in (await ask(server, "submarine")).text
    assert "nothing to search for" in (await ask(server, "find ,")).text


async def test_page_buttons_replace_the_page(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    client.videos = [make_film(number) for number in range(7)]
    shown = await ask(server, "dog")
    assert (shown.text.count("Film"), shown.buttons("Back")) == (5, [])
    await server.press(shown, shown.buttons("Next")[0])
    await server.wait_for(lambda: shown.edits == 1)
    assert (shown.text.count("Film"), shown.buttons("Next")) == (2, [])
    await server.press(shown, shown.buttons("Back")[0])
    await server.wait_for(lambda: shown.edits == 2)
    assert shown.text.count("Film") == 5
    assert len(server.shown) == 1


async def test_card_buttons_answer_the_user_who_pressed_them(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    shown = await ask(server, "dog")
    await server.press(shown, shown.buttons("More like this")[0])
    like = (await server.wait_for(lambda: server.shown_to(ANN)[1:]))[0]
    assert "Results for “dog”" in like.text
    await server.press(shown, shown.buttons("Less like this")[0])
    await server.wait_for(lambda: server.shown_to(ANN)[2:])
    searches = [each for each in client.requests if isinstance(each, Find)]
    examples = (f"moment:{SNOW.moment_id(0)}",)
    assert [(each.queries, each.like, each.unlike) for each in searches] == [
        (("dog",), (), ()),
        (("dog",), examples, ()),
        (("dog",), (), examples),
    ]
    await server.press(shown, shown.buttons("Search inside")[0])
    inside = (await server.wait_for(lambda: server.shown_to(ANN)[3:]))[0]
    assert inside.text.count("Dogs in snow") == 2
    await server.press(shown, shown.buttons("👍")[0], user=BOB)
    await server.press(shown, shown.buttons("👎")[1])
    await server.wait_for(
        lambda: len(client.votes) == 2 and len(server.shown_to(BOB)) == 1 and len(server.shown_to(ANN)) == 5
    )
    assert "Thanks" in server.shown_to(BOB)[0].text
    assert {(vote.caller.user_id, vote.kind, vote.queries, vote.moment_id) for vote in client.votes} == {
        (BOB, "up", ("dog",), SNOW.moment_id(0)),
        (ANN, "down", ("dog",), client.videos[1].moment_id(1)),
    }
    assert shown.edits == 0


async def test_opened_link_is_recorded_without_a_reply(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    shown = await ask(server, "dog")
    assert await server.press(shown, shown.buttons("Open")[1]) is None
    await app.requests.tasks.wait_until_idle()
    (vote,) = client.votes
    seen = client.videos[1].moment_id(1)
    assert (vote.caller.user_id, vote.kind, vote.queries, vote.moment_id) == (ANN, "opened", ("dog",), seen)
    assert len(server.shown) == 1


async def test_share_posts_a_link_that_slack_unfurls(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    shown = await ask(server, "dog", channel=SECRET)
    await server.press(shown, shown.buttons("Share")[0])
    (posted,) = await server.wait_for(lambda: server.posted)
    assert posted.channel == SECRET
    assert posted.payload["text"] == (
        "Ann shared a result for “dog”: Dogs in snow (0:00–0:06)\n<https://video.example/snow#t=0>"
    )
    assert [bool(posted.payload[name]) for name in ("mrkdwn", "unfurl_links", "unfurl_media")] == [False, True, True]
    assert [vote.kind for vote in client.votes] == ["shared"]


async def test_share_in_a_closed_channel_uses_the_response_url(app: RunningApp, server: FakeSlack) -> None:
    server.closed.add(SECRET)
    shown = await ask(server, "dog", channel=SECRET)
    await server.press(shown, shown.buttons("Share")[0])
    (posted,) = await server.wait_for(lambda: server.posted)
    assert (posted.channel, "https://video.example/snow#t=0" in posted.text) == (SECRET, True)


async def test_public_answers_name_the_user_and_failures_stay_private(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    client.settings[SPACE] = SpaceSettings(answers="public")
    await server.command("dog")
    (posted,) = await server.wait_for(lambda: server.posted)
    assert "Ann: dog" in posted.text
    assert "Dogs in snow" in posted.text
    server.closed.add(SECRET)
    await server.command("dog", channel=SECRET)
    (_, second) = await server.wait_for(lambda: server.posted[1:] and server.posted)
    assert "Dogs in snow" in second.text
    assert "nothing to search for" in (await ask(server, "find ,")).text


async def test_mention_is_answered_in_its_thread(app: RunningApp, server: FakeSlack, client: FakeClient) -> None:
    event = {"type": "app_mention", "user": ANN, "channel": ALL, "ts": "9.1", "thread_ts": "9.0"}
    await server.event(event | {"text": "<@U0000BOT> dog"})
    (alone,) = await server.wait_for(lambda: server.shown_to(ANN))
    assert (alone.payload["thread_ts"], "Dogs in snow" in alone.text) == ("9.0", True)
    client.settings[SPACE] = SpaceSettings(answers="public")
    await app.requests.chat.stores.settings.invalidate_settings(SPACE)
    await server.event(event | {"text": "<@U0000BOT> dog"})
    (open_,) = await server.wait_for(lambda: server.posted)
    assert open_.payload["thread_ts"] == "9.0"
    shown = alone
    await server.press(shown, shown.buttons("Share")[0])
    (_, shared) = await server.wait_for(lambda: server.posted[1:] and server.posted)
    assert shared.payload["thread_ts"] == "9.0"


async def test_direct_message_is_answered_in_place(app: RunningApp, server: FakeSlack) -> None:
    """In the conversation with the app, and in threads of the assistant pane."""
    message = {"type": "message", "channel_type": "im", "user": ANN, "channel": "D0000ANN", "ts": "5.0"}
    await server.event(message | {"text": "dog"})
    await server.event(message | {"text": "ball", "thread_ts": "4.0"})
    first, second = await server.wait_for(
        lambda: server.posted[1:] and sorted(server.posted, key=lambda each: each.text)
    )
    assert {first.channel, second.channel} == {"D0000ANN"}
    threads = {each.payload.get("thread_ts"): each.text for each in server.posted}
    assert "Dogs in snow" in threads[None]
    assert "The goal" in threads["4.0"]


async def test_assistant_pane_opens_with_the_help(app: RunningApp, server: FakeSlack) -> None:
    thread = {"user_id": ANN, "channel_id": "D0000ANN", "thread_ts": "6.0", "context": {}}
    await server.event({"type": "assistant_thread_started", "assistant_thread": thread})
    (posted,) = await server.wait_for(lambda: server.posted)
    assert (posted.payload["thread_ts"], "/reel index LINK" in posted.text) == ("6.0", True)


async def test_search_form_suggests_videos_and_answers_in_the_chosen_channel(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    long = "https://video.example/" + "x" * 200
    client.videos.append(replace(make_film(9, "Long dog"), link=long))
    await server.send("interactive", server.interaction("shortcut", ANN) | {"callback_id": "search"})
    (view,) = await server.wait_for(lambda: [each for each in server.views if "submit" in each])
    suggestion = server.interaction("block_suggestion", ANN) | {"action_id": "in", "block_id": "in", "value": "dog"}
    offered = (await server.send("interactive", suggestion))["options"]
    assert check_options(offered) == []
    assert [each["text"]["text"] for each in offered] == ["Dogs in snow", "Long dog"]
    values: dict[str, Any] = {
        name: {name: {"type": "plain_text_input", "value": None}} for name in ("words", "like", "unlike")
    }
    values["words"]["words"]["value"] = "dog"
    values |= {"in": {"in": {"type": "external_select", "selected_option": offered[1]}}}
    looks: dict[str, Any] = {"type": "static_select", "selected_option": {"value": "looks"}}
    values |= {"only": {"only": looks}}
    values |= {"where": {"where": {"type": "conversations_select", "selected_conversation": ALL}}}
    where = {"block_id": "where", "action_id": "where", "channel_id": ALL, "response_url": server.response(ALL, ANN)}
    body = server.interaction("view_submission", ANN) | {"response_urls": [where]}
    body["view"] = {"id": "V1", **view, "state": {"values": values}}
    assert await server.send("interactive", body) is None
    (shown,) = await server.wait_for(lambda: server.shown_to(ANN))
    assert (shown.channel, "Long dog" in shown.text, "Dogs in snow" in shown.text) == (ALL, True, False)
    for nothing in (" ", "...", "<@U1> :partyparrot:"):
        values["words"]["words"]["value"] = nothing
        assert (await server.send("interactive", body))["errors"].keys() == {"words"}
    server.files["F0000007"] = UploadedFile(b"x")
    body["view"]["id"] = "V2"
    values |= {"file": {"file": {"type": "file_input", "files": [make_file("F0000007", "film.mp4")]}}}
    assert await server.send("interactive", body) is None
    await server.wait_for(lambda: server.shown_to(ANN)[1:])
    [find] = [each for each in client.requests if isinstance(each, Find) and each.clip]
    assert (find.clip, find.queries, find.only) == ("eA==", (), "looks")


@pytest.mark.parametrize(
    ("text", "queries", "title"),
    [("", (), "Results for your picture"), ("the same, but a dog", ("a dog",), "Results for “a dog”")],
)
async def test_message_with_a_picture_finds_what_is_similar(
    app: RunningApp, server: FakeSlack, client: FakeClient, text: str, queries: tuple[str, ...], title: str
) -> None:
    server.files["F0000007"] = UploadedFile(b"x")
    asked = MENTION | {"text": f"<@U0000BOT> {text}", "files": [make_file("F0000007", "photo.png")]}
    await server.event(asked)
    await server.wait_for(lambda: any(title in each.text for each in server.shown))
    [find] = [each for each in client.requests if isinstance(each, Find)]
    assert (find.picture, find.queries) == ("eA==", queries)


@pytest.mark.parametrize(
    ("content", "file", "answer"),
    [
        (None, {"id": "F0000007"}, "can't open that Slack file"),
        (b"x", {"id": "F0000007", "team": "T0000009"}, "can't open that Slack file"),
        (bytes(8_000_001), {"id": "F0000007"}, "That picture can't be read"),
    ],
)
async def test_picture_that_is_lost_foreign_or_too_large_is_refused(
    app: RunningApp,
    server: FakeSlack,
    client: FakeClient,
    content: bytes | None,
    file: dict[str, str],
    answer: str,
) -> None:
    """Another workspace's picture is not opened, although this app may be installed there, too."""
    if content is not None:
        server.files["F0000007"] = UploadedFile(content)
    await server.event(MENTION | {"files": [make_file(name="photo.png", **file)]})
    await server.wait_for(lambda: any(answer in each.text for each in server.shown))
    assert not any(isinstance(each, Find) for each in client.requests)


async def test_search_form_opens_before_slack_says_who_asks(app: RunningApp, server: FakeSlack) -> None:
    """Slack lets the app open a window for 3 seconds only. It is filled in afterwards, in the user's language."""
    server.gates["users.info"] = asyncio.Event()
    await server.send("interactive", server.interaction("shortcut", KIM) | {"callback_id": "search"})
    (view,) = await server.wait_for(lambda: server.views)
    assert "submit" not in view
    server.clock = lambda: time.time() + 3.5
    server.gates["users.info"].set()
    await server.wait_for(lambda: "submit" in server.views[0])
    assert server.views[0]["submit"]["text"] == "찾기"
    fields = [each["block_id"] for each in server.views[0]["blocks"]]
    assert fields == ["words", "file", "like", "unlike", "in", "only", "where"]


async def test_search_form_that_comes_too_late_is_answered_by_a_message(app: RunningApp, server: FakeSlack) -> None:
    """The window cannot be opened any more, because the app was busy, for example."""
    pressed = server.interaction("shortcut", KIM) | {"callback_id": "search"}
    server.clock = lambda: time.time() + 3.5
    await server.send("interactive", pressed)
    (shown,) = await server.wait_for(lambda: server.shown)
    with use_locale("ko"):
        assert (shown.channel, shown.text) == (KIM.replace("U", "D", 1), translate(Msg.WINDOW_EXPIRED))
    assert server.views == []


async def test_search_form_of_an_outsider_has_no_fields(app: RunningApp, server: FakeSlack) -> None:
    server.users["U0000OUT"] = {"name": "out", "profile": {}, "team_id": "T0000002", "is_stranger": True}
    await server.send("interactive", server.interaction("shortcut", "U0000OUT") | {"callback_id": "search"})
    await server.wait_for(lambda: server.calls_of("views.update"))
    assert [each["type"] for each in server.views[0]["blocks"]] == ["section"]
    assert "⏳" not in server.views[0]["blocks"][0]["text"]["text"]


async def test_titles_and_queries_cannot_notify_link_or_format(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """On a card, in a share and in the library."""
    title = "<!channel> <@U0000BOB> *bold* `code` :smile: <https://evil.example|click> & \u202etxet"
    client.videos = [make_film(1, title)]
    shown = await ask(server, "dog <!here> &lt;!channel&gt;")
    assert "<!channel> <@U0000BOB> *bold* `code` :smile: <https://evil.example|click> &" in shown.text
    assert "\u202e" not in shown.text
    await server.press(shown, shown.buttons("Share")[0])
    (posted,) = await server.wait_for(lambda: server.posted)
    assert "&lt;!channel&gt; &lt;@U0000BOB&gt;" in posted.payload["text"]
    assert "<!channel>" in (await ask(server, "library")).text
    # The local Slack refuses each text that would ping, and this fixture fails if it refused one.
    assert not any("mrkdwn" in str(block) for each in server.shown for block in each.payload.get("blocks", ()))


async def test_answers_use_the_locale_of_the_user_or_the_space(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    assert (await ask(server, "dog", user=KIM)).buttons("비슷한")
    client.settings[SPACE] = SpaceSettings(language="zh")
    await app.requests.chat.stores.settings.invalidate_settings(SPACE)
    assert "비슷한" not in (await ask(server, "dog", user=KIM)).text
    assert not (await ask(server, "dog")).buttons("More like this")


async def test_picture_is_uploaded_once_per_workspace(app: RunningApp, server: FakeSlack) -> None:
    first, second = await ask(server, "dog"), await ask(server, "dog", user=BOB)
    assert first.files == second.files
    assert len(server.files) == 2


async def test_refused_picture_is_left_out_and_uploaded_again(app: RunningApp, server: FakeSlack) -> None:
    first = await ask(server, "dog")
    server.files.clear()
    second = await ask(server, "dog")
    assert (second.files, "Dogs in snow" in second.text) == ([], True)
    assert server.refused
    server.refused.clear()
    third = await ask(server, "dog", user=BOB)
    assert third.files
    assert third.files != first.files


async def test_answer_does_not_wait_for_unprocessed_pictures(app: RunningApp, server: FakeSlack) -> None:
    server.looks = 10**9
    shown = await ask(server, "dog")
    assert (shown.files, "Dogs in snow" in shown.text) == ([], True)


async def test_videos_of_a_private_channel_are_found_only_there(
    app: RunningApp, server: FakeSlack, client: FakeClient
) -> None:
    """A button pressed elsewhere shows nothing of its results either."""
    client.videos = [replace(make_film(1), private_channel=SECRET)]
    shown = await ask(server, "dog", channel=SECRET)
    assert "Film 1" in shown.text
    assert "Nothing found" in (await ask(server, "dog", channel=ALL)).text
    assert "Nothing found" in (await ask(server, "dog", channel="C00UNKNOWN")).text
    elsewhere = ShownMessage(ALL, "1.0", shown.payload, shown_to=ANN)
    await server.press(elsewhere, shown.buttons("Search inside")[0])
    assert "have expired" in (await server.wait_for(lambda: server.shown_to(ANN)[3:]))[0].text


@pytest.fixture
async def restarted(
    server: FakeSlack, client: FakeClient, stores: ChatStores, settings: Settings
) -> AsyncIterator[tuple[ShownMessage, RunningApp]]:
    """Show results by an app that stopped, and start another one."""
    async with running_app(settings, client, stores, api_url=f"{server.address}/api/"):
        shown = await ask(server, "dog")
    async with running_app(settings, client, stores, api_url=f"{server.address}/api/") as running:
        yield shown, running


async def test_buttons_work_after_a_restart(restarted: tuple[ShownMessage, RunningApp], server: FakeSlack) -> None:
    shown, _ = restarted
    await server.press(shown, shown.buttons("Search inside")[0])
    assert "Dogs in snow" in (await server.wait_for(lambda: server.shown_to(ANN)[1:]))[0].text
    assert TEAM in SPACE
