"""What all tests share: real servers on free ports, and the rule that CI skips nothing."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

settings.register_profile("long", max_examples=2_000, deadline=None)

SIGNING_KEY = "0123456789abcdef" * 4
SLOW_ROOMS = ("whole", "worker", "model")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def becomes(what: Callable[[], Awaitable[bool]]) -> None:
    """Returns once `what` is true; looks often enough to see what passes quickly."""
    async with asyncio.timeout(20):
        while not await what():  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms with the longest tests begin, so that at the end no core waits for the last of them."""

    def place(item: pytest.Item) -> int:
        return next((place for place, room in enumerate(SLOW_ROOMS) if room in item.path.parts), len(SLOW_ROOMS))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def english() -> Iterator[None]:
    """The commands that tests start speak English, whatever this machine speaks."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LC_ALL", "C.UTF-8")
        yield


@pytest.fixture(scope="session", autouse=True)
def one_signing_key() -> Iterator[None]:
    """All that tests start is of one installation."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REELSEEK_SIGNING_KEY", SIGNING_KEY)
        yield


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this test run, with the append-only file that operators are told to use."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = any("Ready to accept connections" in line for line in process.stdout)
        assert ready, "redis-server ended before it was ready"
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    """The Redis of this run, empty."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture
def no_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from the test alone, not from the developer's `.env`."""
    monkeypatch.chdir(tmp_path)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where `REELSEEK_TEST_ALL` is set (CI), a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("REELSEEK_TEST_ALL")
        and reporter is not None
        and reporter.stats.get("skipped")
        and not exitstatus
    ):
        reporter.write_line("REELSEEK_TEST_ALL is set, and tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
