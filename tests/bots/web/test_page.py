"""The page of the web chat, run by Streamlit without a browser."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from html import escape
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from bots.commands.definition import Command, Surface
from bots.commands.registry import list_commands
from bots.commands.search import ResultAction
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, format_date, translate, use_locale
from bots.web.async_bridge import AsyncBridge
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, FakeVideo
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Find


def script(bridge, spaces=()):  # type: ignore[no-untyped-def]  # Streamlit runs this text alone, without our imports
    from bots.web import layout
    from bots.web.session import in_visitor_language

    layout.configure_page()
    in_visitor_language(layout.show_chat)(bridge, spaces)


@asynccontextmanager
async def connecting(client: FakeClient) -> AsyncIterator[FakeClient]:
    yield client


@pytest.fixture
def page(client: FakeClient) -> Iterator[AppTest]:
    """Run the page as for a new visitor."""
    with closing(AsyncBridge(connecting(client))) as bridge:
        yield AppTest.from_function(script, args=(bridge,), default_timeout=20).run()


def ask(page: AppTest, words: str, like: str = "", unlike: str = "") -> AppTest:
    page.text_input(key="words").set_value(words)
    page.text_input(key="like").set_value(like)
    page.text_input(key="unlike").set_value(unlike)
    return page.button[0].click().run()


def html_of(page: AppTest) -> str:
    """Return all HTML of the page."""
    assert not page.exception
    return "\n".join(element.proto.body for element in page.get("html"))


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


@pytest.mark.parametrize("command", list_commands(Surface.TYPED), ids=lambda command: command.name)
def test_every_command_can_be_typed_into_the_box(page: AppTest, command: Command) -> None:
    html = html_of(ask(page, f"/{command.name} {GOAL.link}"))
    assert "rs-question" in html
    assert escape(translate(Msg.UNKNOWN_COMMAND, name=command.name)) not in html


def test_welcome_tells_what_to_do_and_shows_the_library(page: AppTest) -> None:
    html = html_of(page)
    assert translate(Msg.WELCOME) in html
    assert html.count('class="rs-card"') == 3


def test_card_has_picture_title_time_and_reason(page: AppTest) -> None:
    html = html_of(ask(page, "cat sleeps"))
    assert all(text in html for text in ("data:image/jpeg", SNOW.title, "0:12–0:18", "looks like it", "cat sleeps"))


def test_weak_results_are_announced_as_closest_moments(page: AppTest, client: FakeClient) -> None:
    client.weak = True
    assert translate(Msg.WEAK) in html_of(ask(page, "cat sleeps"))


def test_like_and_unlike_boxes_are_part_of_the_search(page: AppTest, client: FakeClient) -> None:
    html = html_of(ask(page, "dog, ships", like="snow", unlike="crowd"))
    assert "dog, ships · more like snow · less like crowd" in html
    [find] = [request for request in client.requests if isinstance(request, Find)]
    assert (find.queries, find.like, find.unlike) == (("dog", "ships"), ("snow",), ("crowd",))


@pytest.mark.parametrize("label", [Msg.MORE_LIKE_THIS, Msg.LESS_LIKE_THIS])
def test_more_or_less_like_this_searches_by_the_words_and_the_moment(
    page: AppTest, client: FakeClient, label: Msg
) -> None:
    press(ask(page, "cat"), translate(label))
    find = client.requests[-1]
    assert isinstance(find, Find)
    example = (f"moment:{SNOW.moment_id(2)}",)
    expected = (example, ()) if label is Msg.MORE_LIKE_THIS else ((), example)
    assert (find.queries, find.like, find.unlike) == (("cat",), *expected)


def test_uploaded_picture_or_clip_is_searched_with(page: AppTest, client: FakeClient) -> None:
    """With words and without, and a file that is too large is refused with a sentence."""
    for name, type, words in (("photo.png", "image/png", ""), ("film.mp4", "video/mp4", "this, but a dog")):
        page.file_uploader(key="file").set_value((name, b"x", type))
        html = html_of(ask(page, words))
        assert f"more like {name}" in html
    found = [each for each in client.requests if isinstance(each, Find)]
    assert [(each.picture, each.clip, each.queries) for each in found] == [
        ("eA==", None, ()),
        (None, "eA==", ("a dog",)),
    ]
    page.file_uploader(key="file").set_value(("film.mp4", bytes(8_000_001), "video/mp4"))
    assert escape(translate(ErrorCode.NOT_A_CLIP)) in html_of(ask(page, ""))


def test_played_moment_is_recorded_without_a_reply(page: AppTest, client: FakeClient) -> None:
    goal = replace(GOAL, link="https://video.example/kick.mp4")
    client.videos = [goal]
    shown = len(press(ask(page, "ball"), translate(Msg.PLAY)).get("html"))
    assert len(press(page, translate(Msg.CLOSE)).get("html")) == shown
    (vote,) = client.votes
    assert (vote.kind, vote.queries, vote.moment_id) == ("opened", ("ball",), goal.moment_id(0))


@pytest.mark.parametrize("action", ["up", "down", "share"])
def test_judged_or_shared_moment_is_recorded_as_a_vote(page: AppTest, client: FakeClient, action: str) -> None:
    """The visitor is thanked, and a shared moment shows its link."""
    html_of(ask(page, "ball"))
    key = f"{action}-0-0-{GOAL.moment_id(0)}"
    page.button(key=key).click().run()
    (vote,) = client.votes
    assert (vote.queries, vote.moment_id) == (("ball",), GOAL.moment_id(0))
    assert vote.kind == ("shared" if action == "share" else action)
    assert [code.value for code in page.code] == ([f"{GOAL.link}#t=0"] if action == "share" else [])
    assert [toast.value for toast in page.toast] == ([] if action == "share" else [translate(Msg.THANKS)])


def test_card_has_every_action_that_cards_have_in_chats(page: AppTest, client: FakeClient) -> None:
    client.model_answer = "A dog runs."
    buttons = {kind_of(button) for button in ask(page, "dog").button}
    assert set(get_args(ResultAction)) - {"next", "previous"} <= buttons


def test_failed_vote_says_why_and_marks_nothing(page: AppTest, client: FakeClient) -> None:
    ask(page, "ball")
    client.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    for action in ("up", "share"):
        page.button(key=f"{action}-0-0-{GOAL.moment_id(0)}").click().run()
        assert translate(ErrorCode.STORE_UNAVAILABLE) in page.toast[0].value
    assert not page.code
    assert {button.proto.type for button in page.button if button.key and "-0-0-" in button.key} <= {
        "secondary",
        "tertiary",
    }


def test_moment_without_words_or_web_link_is_neither_judged_nor_shared(page: AppTest, client: FakeClient) -> None:
    client.videos = [replace(GOAL, link="file:///clips/goal.mp4")]
    assert {"up", "down"} <= {kind_of(button) for button in ask(page, "ball").button}
    assert "share" not in {kind_of(button) for button in page.button}
    ask(page, "", like="ball")
    newest = [button for button in page.button if (button.key or "").split("-")[1:2] == ["1"]]
    assert not {"up", "down"} & {kind_of(button) for button in newest}


def kind_of(button: Button) -> str:
    """Return what a button of a card does."""
    return (button.key or "").partition("-")[0]


def test_page_shows_the_spaces_of_the_settings_each_with_its_own_conversation(client: FakeClient) -> None:
    """Videos of private channels are not shown, and the page says so."""
    server = replace(GOAL, space="discord:123", title="The goal of a server")
    client.videos += [server, replace(SNOW, space="discord:123", title="Secret snow", private_channel="9")]
    with closing(AsyncBridge(connecting(client))) as bridge:
        page = AppTest.from_function(script, args=(bridge, ("local:me", "discord:123")), default_timeout=20).run()
        assert page.selectbox(key="space").value == "local:me"
        ask(page, "ball")
        page.selectbox(key="space").set_value("discord:123").run()
        html = html_of(page)
        assert escape(translate(Msg.SPACE_HINT)) in html
        assert server.title in html
        assert 'class="rs-question"' not in html
        assert "Secret snow" not in html_of(ask(page, "dog"))
        page.button(key=f"up-0-0-{server.moment_id(1)}").click().run()
        assert {request.caller.space for request in client.votes} == {"discord:123"}
        page.selectbox(key="space").set_value("local:me").run()
        assert GOAL.title in html_of(page)
        assert html_of(page).count('class="rs-question"') == 1


def test_more_inside_repeats_the_search_within_the_video(page: AppTest, client: FakeClient) -> None:
    html = html_of(press(ask(page, "dog"), translate(Msg.MORE_INSIDE, count=1)))
    assert f"dog · {translate(Msg.ASKED_INSIDE, what=SNOW.title)}" in html
    find = client.requests[-1]
    assert isinstance(find, Find)
    assert (find.queries, find.in_link) == (("dog",), SNOW.link)


def test_next_page_is_appended_to_the_first(page: AppTest, client: FakeClient) -> None:
    client.videos = [FakeVideo(f"https://video.example/{n}", f"Dog {n}", ("dog",)) for n in range(8)]
    ask(page, "dog")
    assert "Dog 5" in html_of(page)
    assert "Dog 6" not in html_of(page)
    html = html_of(press(page, translate(Msg.SHOW_MORE)))
    assert "Dog 0" in html
    assert "Dog 7" in html
    assert translate(Msg.SHOW_MORE) not in [button.label for button in page.button]


def test_pasted_link_is_added_and_the_box_emptied(page: AppTest, client: FakeClient) -> None:
    html = html_of(ask(page, "https://video.example/x"))
    assert "Added “x”." in html
    assert page.text_input(key="words").value == ""
    assert client.videos[0].submitter == "web"


def test_library_can_be_filtered_by_title(page: AppTest) -> None:
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    assert html_of(page).count('class="rs-card"') == 3
    page.text_input(key="filter").set_value("goal").run()
    assert html_of(page).count('class="rs-card"') == 1
    page.text_input(key="filter").set_value("zebra").run()
    assert translate(Msg.NO_VIDEO_MATCHES) in html_of(page)


def test_removed_video_leaves_the_library(page: AppTest, client: FakeClient) -> None:
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    page.button(key=f"forget-library-{GOAL.link}").click().run()
    assert f"Removed: {GOAL.link}" in html_of(page)
    assert GOAL not in client.videos


def test_search_can_be_restricted_to_a_video_of_the_library(page: AppTest, client: FakeClient) -> None:
    """A button ends the restriction."""
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    page.button(key=f"inside-library-{GOAL.link}").click().run()
    ask(page, "dog")
    assert [request.in_link for request in client.requests if isinstance(request, Find)] == [GOAL.link]
    page.button(key="anywhere").click().run()
    ask(page, "dog")
    assert [request.in_link for request in client.requests if isinstance(request, Find)] == [GOAL.link, None]


@pytest.mark.parametrize("view", [Msg.SEARCH, Msg.LIBRARY, Msg.HELP])
def test_failed_call_shows_a_sentence_and_correlation_id_in_each_view(
    page: AppTest, client: FakeClient, view: Msg
) -> None:
    client.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    page.segmented_control(key="view").set_value(view).run()
    html = html_of(ask(page, "dog") if view is Msg.SEARCH else page)
    assert escape(translate(ErrorCode.STORE_UNAVAILABLE)) in html
    assert "Reference abc123" in html


def test_html_in_titles_is_escaped(page: AppTest, client: FakeClient) -> None:
    evil = "<img src=x onerror=alert(1)>"
    client.videos = [FakeVideo("https://video.example/x", evil, (evil.lower(),), words_only=True)]
    html = html_of(ask(page, evil))
    assert evil not in html
    assert html.count(escape(evil)) >= 3


def test_card_without_thumbnail_is_still_shown(page: AppTest, client: FakeClient) -> None:
    client.videos = [FakeVideo("https://video.example/bare", "Bare", ("cat",))]
    client.lose_thumbnails = True  # after the welcome, whose pictures are cached
    html = html_of(ask(page, "cat"))
    assert "Bare" in html
    assert "data:image" not in html


@pytest.mark.parametrize("locale", ["ko-KR", "zh-CN"])
def test_page_replies_and_buttons_are_in_the_language_of_the_browser(page: AppTest, locale: str) -> None:
    page.context = {"locale": locale}
    page.run()
    with use_locale(locale):
        assert translate(Msg.WELCOME) in html_of(page)
        html = html_of(ask(page, "dog", like="snow"))
        assert f"dog · {translate(Msg.ASKED_LIKE, what='snow')}" in html
        assert translate(Msg.LOOKS) in html
        assert translate(Msg.ASKED_INSIDE, what=SNOW.title) in html_of(press(page, translate(Msg.MORE_INSIDE, count=1)))
        assert translate(Msg.UNKNOWN_COMMAND, name="nope") in html_of(ask(page, "/nope"))
        page.segmented_control(key="view").set_value(Msg.HELP).run()
        assert translate(Msg.FIND_HELP) in html_of(page)
        page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
        html = html_of(page)
        assert all(text in html for text in (format_count(3, Msg.VIDEOS_ONE, Msg.VIDEOS), format_date("2026-11-20")))
        page.button(key=f"forget-library-{GOAL.link}").click().run()
        assert translate(Msg.FORGOTTEN_ONE, link=GOAL.link) in html_of(page)


def test_searches_of_buttons_are_answered_in_the_language_of_the_browser(page: AppTest, client: FakeClient) -> None:
    client.videos = [FakeVideo(f"https://video.example/{n}", f"Dog {n}", ("dog",)) for n in range(8)]
    page.context = {"locale": "ko"}
    page.run()
    with use_locale("ko"):
        ask(page, "dog")
        assert html_of(press(page, translate(Msg.SHOW_MORE))).count(translate(Msg.LOOKS)) == 8
        html = html_of(press(page, translate(Msg.MORE_LIKE_THIS)))
    assert translate(Msg.LOOKS) not in html
    assert "더 비슷하게: “Dog" in html


def test_two_visitors_keep_their_own_languages(client: FakeClient) -> None:
    with closing(AsyncBridge(connecting(client))) as bridge:
        pages = [AppTest.from_function(script, args=(bridge,), default_timeout=20) for _ in range(2)]
        pages[0].context = {"locale": "ko-KR"}
        for page in pages * 2:
            page.run()
    assert [translate(Msg.WELCOME) in html_of(page) for page in pages] == [False, True]
