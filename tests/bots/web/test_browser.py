"""The web chat in a real browser, with the real server, the real relay and an in-memory library."""

import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, translate, use_locale
from bots.web.serve import run_web_server
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, FakeVideo
from tests.support.loop_thread import enter_in_thread
from worker.client import relay
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.settings import Settings

FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS: Final = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("REELSEEK_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: install one, or set REELSEEK_TEST_CHROMIUM to its path")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as env:
        env.setenv("REELSEEK_DATA_DIR", str(folder))
        env.setenv("REELSEEK_WEB_PORT", "0")
        env.setenv("REELSEEK_WEB_SPACES", '["local:me", "discord:123"]')
        yield folder


@pytest.fixture(scope="module")
def address(data_dir: Path) -> Iterator[str]:
    """One web chat for all tests. Each test has its own owner of the data, which the page must find."""
    with enter_in_thread(run_server()) as address:
        yield address


@asynccontextmanager
async def run_server() -> AsyncIterator[str]:
    async with run_web_server(Settings()) as web:
        yield await web.wait_until_ready()


@pytest.fixture
def owner(client: FakeClient, data_dir: Path) -> Iterator[FakeClient]:
    with enter_in_thread(relay.serve_relay(client, Settings())):
        yield client


@pytest.fixture
def page(browser: Browser, address: str, owner: FakeClient) -> Iterator[Page]:
    """Open the page as a new visitor, and check that it loads nothing from other hosts."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        expect(page.locator(".rs-welcome h3")).to_have_text(translate(Msg.WELCOME_TITLE))
        yield page
        assert {urlsplit(url).hostname for url in requested if not url.startswith("data:")} <= {"127.0.0.1"}


def ask(page: Page, words: str) -> None:
    box = page.get_by_placeholder(translate(Msg.ASK_EXAMPLE))
    box.fill(words)
    box.press("Enter")


def test_search_shows_cards_with_picture_title_time_and_reason(page: Page) -> None:
    ask(page, "cat sleeps, kicks")
    card = page.locator(".rs-card", has_text=SNOW.title)
    expect(card).to_contain_text("looks like it")
    expect(card.locator("b")).to_have_text("0:12–0:18")
    picture = card.locator(".rs-picture").evaluate("it => getComputedStyle(it, '::after').backgroundImage")
    assert picture.startswith('url("data:image/jpeg;base64,')
    expect(page.locator(".rs-card")).to_have_count(2)


def test_card_is_judged_and_shared_and_another_space_is_chosen(page: Page, owner: FakeClient) -> None:
    ask(page, "cat")
    card = page.locator("[class*='st-key-card-']", has_text=SNOW.title)
    card.locator("[class*='st-key-up-'] button:visible").click()
    expect(page.get_by_test_id("stToast")).to_contain_text(translate(Msg.THANKS))
    card.locator("[class*='st-key-share-'] button:visible").click()
    expect(card.locator("code")).to_have_text(f"{SNOW.link}#t=12")
    assert [vote.kind for vote in owner.votes] == ["up", "shared"]
    page.locator(".st-key-space input").click()
    page.get_by_role("option", name="discord:123").click()
    expect(page.get_by_text(translate(Msg.SPACE_HINT))).to_be_visible()
    expect(page.locator(".rs-card")).to_have_count(0)


def test_local_file_plays_in_the_page_from_the_moment(page: Page, owner: FakeClient, tmp_path: Path) -> None:
    clip = tmp_path / "clip one.webm"
    write_film(clip)
    owner.videos.append(FakeVideo(clip.as_uri(), "A film", ("black", "a fox jumps")))
    ask(page, "fox")
    page.get_by_role("button", name=translate(Msg.PLAY)).click()
    video = page.locator("video")
    expect(video).to_be_visible()
    page.wait_for_function("document.querySelector('video').currentTime >= 6")
    assert video.evaluate("it => it.error") is None
    page.get_by_role("button", name=translate(Msg.CLOSE)).click()
    expect(video).to_have_count(0)


def test_pasted_link_shows_progress_and_outcome_while_other_searches_run(page: Page, owner: FakeClient) -> None:
    owner.gate = threading.Event()
    ask(page, "https://video.example/new")
    bar = page.get_by_role("progressbar")
    expect(page.get_by_text(f"https://video.example/new · {translate(Msg.FETCHING)}")).to_be_visible()
    expect(bar).to_have_count(1)
    ask(page, "cat")
    expect(page.locator(".rs-card", has_text=SNOW.title)).to_be_visible()
    owner.gate.set()
    expect(page.locator(".rs-sentence")).to_contain_text("Added “new”.")
    expect(bar).to_have_count(0)


def test_video_is_removed_only_after_confirmation(page: Page, owner: FakeClient) -> None:
    page.get_by_role("radio", name=translate(Msg.LIBRARY)).click()
    page.locator(".rs-quiet", has_text="3 videos").wait_for()
    row = page.locator("[class*='st-key-video-']", has_text=GOAL.title)
    row.get_by_role("button", name=translate(Msg.FORGET)).click()
    assert GOAL in owner.videos
    page.get_by_test_id("stPopoverBody").get_by_role("button", name=translate(Msg.FORGET)).click()
    expect(page.locator(".rs-sentence")).to_contain_text("Removed")
    assert GOAL not in owner.videos


def test_failure_shows_a_sentence_and_no_exception(page: Page, owner: FakeClient) -> None:
    owner.broken = CallFailedError(ErrorCode.STORE_UNAVAILABLE, "abc123")
    ask(page, "dog")
    expect(page.locator(".rs-sentence")).to_contain_text(translate(ErrorCode.STORE_UNAVAILABLE))
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_page_fits_a_narrow_screen(page: Page) -> None:
    """Nothing is cut off, and the cards form one column."""
    page.set_viewport_size({"width": 420, "height": 900})
    ask(page, "dog")
    expect(page.locator(".rs-card")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    boxes = [card.bounding_box() for card in page.locator(".rs-card").all()]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["x"] == boxes[1]["x"]


def test_page_is_in_the_language_of_the_browser(browser: Browser, address: str, owner: FakeClient) -> None:
    """Also while a link is added, and in its outcome."""
    owner.gate = threading.Event()
    with browser.new_context(locale="ko-KR") as context, use_locale("ko"):
        page = context.new_page()
        with page.expect_websocket() as socket:
            page.goto(address)
        expect(page.locator(".rs-welcome h3")).to_have_text(translate(Msg.WELCOME_TITLE))
        ask(page, f"https://video.example/new {SNOW.link}")
        expect(page.get_by_text(f"https://video.example/new · {translate(Msg.FETCHING)}")).to_be_visible()
        # Progress refreshes itself outside the script.
        for _ in range(20):
            socket.value.wait_for_event("framereceived")
        expect(page.locator(".rs-sentence")).to_contain_text(format_count(3, Msg.MOMENTS_ONE, Msg.MOMENTS))
        owner.gate.set()
        expect(page.locator(".rs-sentence").last).to_contain_text(translate(Msg.INDEXED, title="new"))
        page.get_by_role("radio", name=translate(Msg.HELP)).click()
        expect(page.locator(".rs-guide")).to_contain_text(translate(Msg.FIND_HELP))


def test_page_waits_until_an_owner_of_the_data_starts(
    browser: Browser, address: str, client: FakeClient, data_dir: Path
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_text(translate(Msg.STARTING), exact=True)).to_be_visible()
        with enter_in_thread(relay.serve_relay(client, Settings())):
            expect(page.locator(".rs-card")).to_have_count(3)


def write_film(path: Path) -> None:
    """Write twelve seconds of video that a browser can play."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for number in range(60):
            picture = np.full((36, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
