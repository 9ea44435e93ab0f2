"""The web chat's page, run by Streamlit without a browser."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from html import escape

import pytest
from streamlit.testing.v1 import AppTest

from bots.commands.registry import COMMANDS, Command
from bots.i18n.messages import Msg
from bots.i18n.translate import count, date, translate, use_locale
from bots.web.async_bridge import AsyncBridge
from tests.support.fake_client import GOAL, SNOW, FakeClient, FakeVideo
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import CallFailedError, Find


def script(bridge):  # type: ignore[no-untyped-def]  # Streamlit runs this text alone, without our imports
    from bots.web import layout
    from bots.web.session import in_their_language

    layout.frame()
    in_their_language(layout.chat)(bridge)


@asynccontextmanager
async def connecting(client: FakeClient) -> AsyncIterator[FakeClient]:
    yield client


@pytest.fixture
def page(client: FakeClient) -> Iterator[AppTest]:
    """The page as a visitor first sees it."""
    with closing(AsyncBridge(connecting(client))) as bridge:
        yield AppTest.from_function(script, args=(bridge,), default_timeout=20).run()


def ask(page: AppTest, words: str, like: str = "", unlike: str = "") -> AppTest:
    page.text_input(key="words").set_value(words)
    page.text_input(key="like").set_value(like)
    page.text_input(key="unlike").set_value(unlike)
    return page.button[0].click().run()


def seen(page: AppTest) -> str:
    """All HTML of the page."""
    assert not page.exception
    return "\n".join(element.proto.body for element in page.get("html"))


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_every_command_is_there(page: AppTest, command: Command) -> None:
    """No command of the core is missing from the page's box."""
    html = seen(ask(page, f"/{command.name} {GOAL.link}"))
    assert "rs-question" in html
    assert escape(translate(Msg.UNKNOWN_COMMAND, name=command.name)) not in html


def test_welcome_shows_the_library(page: AppTest) -> None:
    """A newcomer sees what to do, and what there is to find."""
    html = seen(page)
    assert translate(Msg.WELCOME) in html
    assert html.count('class="rs-card"') == 3


def test_a_card_says_what_where_and_why(page: AppTest) -> None:
    """A search is answered by cards, each with picture, title, time and reason."""
    html = seen(ask(page, "cat sleeps"))
    assert all(text in html for text in ("data:image/jpeg", SNOW.title, "0:12–0:18", "looks like it", "cat sleeps"))


def test_weak_results_say_so(page: AppTest, client: FakeClient) -> None:
    """Where nothing stands out, what is shown is called the nearest."""
    client.weak = True
    assert translate(Msg.WEAK) in seen(ask(page, "cat sleeps"))


def test_boxes_steer(page: AppTest, client: FakeClient) -> None:
    """Several queries, "more like" and "less like" go into one search."""
    html = seen(ask(page, "dog, ships", like="snow", unlike="crowd"))
    assert "dog, ships · more like snow · less like crowd" in html
    [find] = [request for request in client.asked if isinstance(request, Find)]
    assert (find.queries, find.like, find.unlike) == (("dog", "ships"), ("snow",), ("crowd",))


def test_more_like_this(page: AppTest, client: FakeClient) -> None:
    """A card's moment can be the next question."""
    press(ask(page, "cat"), translate(Msg.MORE_LIKE_THIS))
    find = client.asked[-1]
    assert isinstance(find, Find)
    assert find.like == (f"moment:{SNOW.moment_id(2)}",)


def test_a_played_moment_is_noted(page: AppTest, client: FakeClient) -> None:
    """That a moment was played for these words is taken down, and nothing is said of it."""
    goal = replace(GOAL, link="https://video.example/kick.mp4")
    client.videos = [goal]
    said = len(press(ask(page, "ball"), translate(Msg.PLAY)).get("html"))
    assert len(press(page, translate(Msg.CLOSE)).get("html")) == said
    (vote,) = client.votes
    assert (vote.kind, vote.queries, vote.moment_id) == ("opened", ("ball",), goal.moment_id(0))


def test_search_inside_a_video(page: AppTest, client: FakeClient) -> None:
    """The further moments of a video are one press away, with the same words."""
    html = seen(press(ask(page, "dog"), translate(Msg.MORE_INSIDE, count=1)))
    assert f"dog · inside “{SNOW.title}”" in html
    find = client.asked[-1]
    assert isinstance(find, Find)
    assert (find.queries, find.in_link) == (("dog",), SNOW.link)


def test_next_page(page: AppTest, client: FakeClient) -> None:
    """The next page follows under the first."""
    client.videos = [FakeVideo(f"https://video.example/{n}", f"Dog {n}", ("dog",)) for n in range(8)]
    ask(page, "dog")
    assert "Dog 5" in seen(page)
    assert "Dog 6" not in seen(page)
    html = seen(press(page, translate(Msg.SHOW_MORE)))
    assert "Dog 0" in html
    assert "Dog 7" in html
    assert translate(Msg.SHOW_MORE) not in [button.label for button in page.button]


def test_links_in_the_box_are_added(page: AppTest, client: FakeClient) -> None:
    """A pasted link is added, and the box is empty for the next one."""
    html = seen(ask(page, "https://video.example/x"))
    assert "Added “x”." in html
    assert page.text_input(key="words").value == ""
    assert client.videos[0].submitter == "web"


def test_the_library_can_be_narrowed(page: AppTest) -> None:
    """The library shows all videos, or those of some title."""
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    assert seen(page).count('class="rs-card"') == 3
    page.text_input(key="filter").set_value("goal").run()
    assert seen(page).count('class="rs-card"') == 1
    page.text_input(key="filter").set_value("zebra").run()
    assert translate(Msg.NOTHING_ON_SHELF) in seen(page)


def test_forget(page: AppTest, client: FakeClient) -> None:
    """A video can be taken out of the library, and the page says so."""
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    page.button(key=f"forget-library-{GOAL.link}").click().run()
    assert f"Forgotten: {GOAL.link}" in seen(page)
    assert GOAL not in client.videos


def test_a_video_of_the_library_can_be_searched_alone(page: AppTest, client: FakeClient) -> None:
    """From the library the box can be kept to one video, and freed again."""
    page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
    page.button(key=f"inside-library-{GOAL.link}").click().run()
    ask(page, "dog")
    assert [request.in_link for request in client.asked if isinstance(request, Find)] == [GOAL.link]
    page.button(key="anywhere").click().run()
    ask(page, "dog")
    assert [request.in_link for request in client.asked if isinstance(request, Find)] == [GOAL.link, None]


@pytest.mark.parametrize("view", [Msg.SEARCH, Msg.LIBRARY, Msg.HELP])
def test_failures_are_sentences(page: AppTest, client: FakeClient, view: Msg) -> None:
    """A failed call is told in each view, with its reference."""
    client.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    page.segmented_control(key="view").set_value(view).run()
    html = seen(ask(page, "dog") if view is Msg.SEARCH else page)
    assert translate(ErrorCode.STORE_UNAVAILABLE) in html
    assert "Reference abc123" in html


def test_strangers_words_are_text(page: AppTest, client: FakeClient) -> None:
    """What a stranger wrote is shown, never run."""
    evil = "<img src=x onerror=alert(1)>"
    client.videos = [FakeVideo("https://video.example/x", evil, (evil.lower(),), words_only=True)]
    html = seen(ask(page, evil))
    assert evil not in html
    assert html.count(escape(evil)) >= 3


def test_a_missing_thumbnail_leaves_an_empty_frame(page: AppTest, client: FakeClient) -> None:
    """A picture that is gone from the store does not take the card with it."""
    client.videos = [FakeVideo("https://video.example/bare", "Bare", ("cat",))]
    client.lose_thumbnails = True  # after the welcome, whose pictures are kept
    html = seen(ask(page, "cat"))
    assert "Bare" in html
    assert "data:image" not in html


@pytest.mark.parametrize("locale", ["ko-KR", "zh-CN"])
def test_the_visitors_language(page: AppTest, locale: str) -> None:
    """The page, its answers and what its buttons do are in the language of the visitor's browser."""
    page.context = {"locale": locale}
    page.run()
    with use_locale(locale):
        assert translate(Msg.WELCOME) in seen(page)
        html = seen(ask(page, "dog", like="snow"))
        assert f"dog · {translate(Msg.ASKED_LIKE, what='snow')}" in html
        assert translate(Msg.LOOKS) in html
        assert translate(Msg.ASKED_INSIDE, what=SNOW.title) in seen(press(page, translate(Msg.MORE_INSIDE, count=1)))
        assert translate(Msg.UNKNOWN_COMMAND, name="nope") in seen(ask(page, "/nope"))
        page.segmented_control(key="view").set_value(Msg.HELP).run()
        assert translate(Msg.FIND_HELP) in seen(page)
        page.segmented_control(key="view").set_value(Msg.LIBRARY).run()
        html = seen(page)
        assert all(text in html for text in (count(3, Msg.VIDEOS_ONE, Msg.VIDEOS), date("2026-11-20")))
        page.button(key=f"forget-library-{GOAL.link}").click().run()
        assert translate(Msg.FORGOTTEN_ONE, link=GOAL.link) in seen(page)


def test_buttons_keep_the_language(page: AppTest, client: FakeClient) -> None:
    """What a button asks for is answered in the visitor's language too."""
    client.videos = [FakeVideo(f"https://video.example/{n}", f"Dog {n}", ("dog",)) for n in range(8)]
    page.context = {"locale": "ko"}
    page.run()
    with use_locale("ko"):
        ask(page, "dog")
        assert seen(press(page, translate(Msg.SHOW_MORE))).count(translate(Msg.LOOKS)) == 8
        html = seen(press(page, translate(Msg.MORE_LIKE_THIS)))
    assert translate(Msg.LOOKS) not in html
    assert "더 비슷하게: “Dog" in html


def test_visitors_do_not_share_a_language(client: FakeClient) -> None:
    """Two visitors of one page, who come in turn, each read their own."""
    with closing(AsyncBridge(connecting(client))) as bridge:
        pages = [AppTest.from_function(script, args=(bridge,), default_timeout=20) for _ in range(2)]
        pages[0].context = {"locale": "ko-KR"}
        for page in pages * 2:
            page.run()
    assert [translate(Msg.WELCOME) in seen(page) for page in pages] == [False, True]
