"""Logs: one correlation id from the chat to the store, and no words, links or tokens of people."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from bots.chat.service import ChatService
from bots.chat.stores import open_chat_stores
from bots.discord.bot import Bot
from tests.support.discord.bot import run_bot
from tests.support.discord.gateway import TOKEN
from tests.support.discord.server import FakeDiscord, run_fake_discord
from tests.support.discord.world import ADA, SECRET, texts
from tests.support.indexer.clips import serve_clip
from tests.support.servers.processes import SIGNING_KEY, Process, parse_json_lines, run_worker
from tests.support.servers.site import Site
from tests.support.worker.fake_encoder_worker import FAKE_ENCODER_WORKER
from worker.client.queue_client import connect_client
from worker.ops.logs import configure_logging
from worker.settings import Settings


@contextmanager
def log_to_file(settings: Settings) -> Iterator[Path]:
    """Configure logging of this process as a bot does, for the block. Yields the log file."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in list(logging.root.manager.loggerDict)}
    configure_logging(settings, to_file=True)
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
    return Settings(redis_url=clean_redis, data_dir=tmp_path / "bot", search_timeout_s=20)


@pytest.fixture
def worker(clean_redis: str, tmp_path: Path) -> Iterator[Process]:
    with run_worker(FAKE_ENCODER_WORKER, clean_redis, tmp_path) as process:
        yield process


@pytest.fixture
async def server() -> AsyncIterator[FakeDiscord]:
    async with run_fake_discord(timeout_s=60) as served:
        yield served


@pytest.mark.timeout(240)
async def test_logs_share_one_id_and_contain_no_private_words(
    worker: Process, server: FakeDiscord, settings: Settings, clean_redis: str, site: Site
) -> None:
    """A private channel adds, searches, votes and fails: bot, worker and reply have the same correlation id."""
    red = serve_clip(site, "redsecretclip.mp4", "red")
    broken = site.put("/brokensecretclip.mp4", b"no video", kind="video/mp4")
    with log_to_file(settings) as log_file:
        async with (
            connect_client(settings) as client,
            open_chat_stores(clean_redis, "500/minute", "500/minute") as stores,
            run_bot(Bot(ChatService(client, stores)), server),
        ):
            await server.wait_for_answer(await server.command(ADA, "index", link=red, channel=SECRET), "Added")
            found = await server.command(ADA, "find", words="scarlettish wallpaper", channel=SECRET)
            shown = await server.wait_for_answer(found, "redsecretclip")
            await server.wait_for_answer(await server.press(ADA, shown, "Good match"), "Thanks")
            failed = await server.command(ADA, "index", link=broken, channel=SECRET)
            reply = texts(await server.wait_for_answer(failed, "Reference"))
        bot_log = log_file.read_text()

    correlation_id = reply.split("Reference ")[1].split()[0]
    lines = [*parse_json_lines(bot_log), *(json.loads(line) for line in worker.lines if line.startswith("{"))]
    events = [line["event"] for line in lines if line.get("correlation_id") == correlation_id]
    assert "request.started" in events
    assert {"index.failed", "task.done"} <= set(events)
    assert any("exception" in line for line in lines)
    secrets = [TOKEN, "token-", "scarlettish", "secretclip", site.url("").partition("//")[2], SIGNING_KEY]
    assert not [line for line in (*bot_log.splitlines(), *worker.lines) if any(each in line for each in secrets)]


def test_third_party_log_messages_are_shortened(tmp_path: Path) -> None:
    """A library's warning keeps its first line, without addresses; an exception's message is logged at level debug."""

    def log_at(level: str) -> str:
        settings = Settings(data_dir=tmp_path / level, log_level=level)
        with log_to_file(settings) as log_file:
            logging.getLogger("discord.http").warning("slow down: POST https://discord/webhooks/1/atoken\nmore words")
            error = ValueError("https://site.example/private")
            structlog.get_logger().warning("it.failed", error=error, exc_info=error)
            return log_file.read_text()

    info = log_at("info")
    assert "slow down: POST (address)" in info
    assert info.count("ValueError") == 2
    assert not [each for each in ("atoken", "more words", "private") if each in info]
    assert "site.example/private" in log_at("debug")
