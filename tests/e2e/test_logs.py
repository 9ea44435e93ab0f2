"""What an operator reads: one id from the chat to the store, and nothing of what people say, ask and share."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from bots.chat.service import ChatService
from bots.chat.store import open_chat_store
from bots.discord.bot import Bot
from tests.bots.discord.conftest import running as connected
from tests.e2e.conftest import Site
from tests.support.clips import clip
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import Server, serving
from tests.support.discord.world import ADA, SECRET, texts
from tests.support.fake_encoder_worker import LIGHT
from tests.support.processes import SIGNING_KEY, Process, json_lines, working
from worker.client.queue_client import connect
from worker.ops.logs import configure
from worker.settings import Settings


@contextmanager
def logging_to(settings: Settings) -> Iterator[Path]:
    """As a bot's process does it, in this one."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in list(logging.root.manager.loggerDict)}
    configure(settings, to_file=True)
    try:
        yield settings.data_dir / "reelseek.log"
    finally:
        root.handlers[0].close()
        root.handlers = handlers
        root.setLevel(level)
        for name in list(logging.root.manager.loggerDict):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
        structlog.configure(**before)


@pytest.fixture
def settings(clean_redis: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=clean_redis, data_dir=tmp_path / "bot", search_timeout_s=20)  # type: ignore[arg-type]


@pytest.fixture
def worker(clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    with working(LIGHT, clean_redis, tmp_path) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(wait_s=60) as served:
        yield served


@pytest.mark.timeout(240)
async def test_one_id_and_no_words(worker: Process, server: Server, settings: Settings, site: Site) -> None:
    """A private channel adds, asks, votes and fails: bot, worker and reply share an id; no log has a word of it."""
    clip(site.folder / "redsecretclip.mp4", "red")
    (site.folder / "brokensecretclip.mp4").write_bytes(b"no video")
    with logging_to(settings) as file:
        assert settings.redis_url
        async with (
            connect(settings) as client,
            open_chat_store(settings.redis_url.get_secret_value(), "500/minute", "500/minute") as kept,
            connected(Bot(ChatService(client, kept)), server),
        ):
            added = await server.command(ADA, "index", link=f"{site.url}/redsecretclip.mp4", channel=SECRET)
            await server.answered(added, "Added")
            found = await server.command(ADA, "find", words="scarlettish wallpaper", channel=SECRET)
            shown = await server.answered(found, "redsecretclip")
            await server.answered(await server.press(ADA, shown, "Fits"), "Thanks")
            failed = await server.command(ADA, "index", link=f"{site.url}/brokensecretclip.mp4", channel=SECRET)
            told = texts(await server.answered(failed, "Reference"))
        bot_log = file.read_text()

    id = told.split("Reference ")[1].split()[0]
    lines = [*json_lines(bot_log), *(json.loads(line) for line in worker.lines if line.startswith("{"))]
    events = [line["event"] for line in lines if line.get("correlation_id") == id]
    assert "errand.begun" in events
    assert {"index.failed", "task.done"} <= set(events)
    assert any("exception" in line for line in lines)
    secrets = [TOKEN, "token-", "scarlettish", "secretclip", site.url.partition("//")[2], SIGNING_KEY]
    assert not [line for line in (*bot_log.splitlines(), *worker.lines) if any(each in line for each in secrets)]


def test_third_parties_are_cut_short(tmp_path: Path) -> None:
    """What a library warns of keeps its first line, without addresses; what an exception says is for debugging only."""

    def said(level: str) -> str:
        settings = Settings(data_dir=tmp_path / level, log_level=level)  # type: ignore[arg-type]
        with logging_to(settings) as file:
            logging.getLogger("discord.http").warning("slow down: POST https://discord/webhooks/1/atoken\nmore words")
            error = ValueError("https://site.example/private")
            structlog.get_logger().warning("it.failed", error=error, exc_info=error)
            return file.read_text()

    quiet = said("info")
    assert "slow down: POST (address)" in quiet
    assert quiet.count("ValueError") == 2
    assert not [each for each in ("atoken", "more words", "private") if each in quiet]
    assert "site.example/private" in said("debug")
