"""What all tests share: their level, a real Redis, and the rule that CI skips nothing."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
import structlog
from hypothesis import settings

from tests.support.servers.network import free_port
from tests.support.servers.processes import QUICK_SENSES, SIGNING_KEY
from tests.support.servers.qdrant import qdrant_binary, qdrant_server
from tests.support.servers.redis import running_redis
from tests.support.servers.site import Site, run_site

settings.register_profile("long", max_examples=2_000, deadline=None)

LEVELS = ("unit", "integration", "e2e")
"""Markers. A module's own marker wins; else `tests/e2e` is e2e, and what uses one of the following is integration."""

INTEGRATION_FIXTURES = {
    "app",  # Slack's bot, connected
    "bot",  # Discord's bot, connected
    "browser",
    "clean_redis",
    "qdrant_url",
    "redis_url",
    "server",  # the local Discord or Slack
    "site",
}
INTEGRATION_PARAMETERS = {"redis", "server"}
"""Parameters of fixtures that have a form in process and one with a server."""
INTEGRATION_IMPORTS = (
    "aiohttp.web",
    "indexer.decode.decoder",
    "indexer.fetch.fetcher",
    "indexer.sandbox.parent",
    "model.starter.encoder",  # the real model
    "moto.server",
    "playwright",
    "subprocess",
    "tests.support.indexer.concurrent_fetches",
    "tests.support.model.toy_model",  # whole retrains
    "tests.support.servers.network",
    "tests.support.servers.processes",
    "tests.support.servers.qdrant",
    "tests.support.servers.redis",
    "tests.support.servers.site",
    "worker.runtime.embedded",  # the whole product in process
)
"""A test module that imports one of these, or something from it, starts a child process, a server or a long job."""

SLOW_FOLDERS = ("e2e", "worker", "model")

E2E_TIMEOUT_S = 300
"""These tests start several processes that load a model, which takes long on a busy machine."""

MEMORY_DISK = Path("/dev/shm")
MEMORY_DISK_MIN_BYTES = 4 * 1024**3


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put `tmp_path` on a disk in memory if there is room: stores sync their writes, which makes a real disk slow."""
    if MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_MIN_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY_DISK))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while all test modules are imported: that took a quarter of the time of each process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def level_of(item: pytest.Item) -> str:
    """Return the level of a test: its own marker, or what its folder, fixtures and imports say."""
    own = [level for level in LEVELS if item.get_closest_marker(level)]
    if own:
        return own[0]
    if "e2e" in item.path.parts:
        return "e2e"
    callspec = getattr(item, "callspec", None)
    parameters = {value for value in (callspec.params.values() if callspec else ()) if isinstance(value, str)}
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & INTEGRATION_FIXTURES or parameters & INTEGRATION_PARAMETERS or _imports_server(item):
        return "integration"
    return "unit"


def _imports_server(item: pytest.Item) -> bool:
    module = getattr(item, "module", None)
    return any(
        name == listed or name.startswith(f"{listed}.")
        for value in vars(module).values()
        for name in [value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))]
        for listed in INTEGRATION_IMPORTS
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its level; put slow folders first, so that at the end no core waits for the last of them."""
    for item in items:
        level = level_of(item)
        item.add_marker(level)
        if level == "e2e" and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(E2E_TIMEOUT_S))
    items.sort(key=_start_order)


def _start_order(item: pytest.Item) -> int:
    return next((order for order, folder in enumerate(SLOW_FOLDERS) if folder in item.path.parts), len(SLOW_FOLDERS))


@pytest.fixture(scope="session", autouse=True)
def english_locale() -> Iterator[None]:
    """Let the commands that tests start speak English, whatever the locale of this machine."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LC_ALL", "C.UTF-8")
        yield


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Let logged errors have short tracebacks: the default ones, with all local variables, take a second each."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])


@pytest.fixture(scope="session", autouse=True)
def quick_senses() -> Iterator[None]:
    """Let jobs recognize nothing but subtitles: the recognizers have tests of their own."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in QUICK_SENSES.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_signing_key() -> Iterator[None]:
    """Give all processes that tests start one signing key, as those of one installation have."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REELSEEK_SIGNING_KEY", SIGNING_KEY)
        yield


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Redis for this run, with the append-only file that docker-compose.yml sets. Yields its address.

    `REELSEEK_TEST_REDIS` names a server that runs already; tests empty it, so only one test process may use it.
    """
    if given := os.environ.get("REELSEEK_TEST_REDIS"):
        yield f"{given}/0"
        return
    with running_redis(tmp_path_factory.mktemp("redis"), appendfsync="everysec") as server:
        yield server.url


@pytest.fixture
def clean_redis(redis_url: str) -> str:
    """Empty the Redis of this run. Returns its address."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Qdrant server for this run, or use the one that `REELSEEK_TEST_QDRANT_URL` names. Yields its address."""
    if given := os.environ.get("REELSEEK_TEST_QDRANT_URL"):
        yield given
        return
    with qdrant_server(qdrant_binary(), tmp_path_factory.mktemp("qdrant"), free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def fast_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this run for stores; in memory if `pytest_configure` found room."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture
def site() -> Iterator[Site]:
    """Start a web site on loopback."""
    with run_site() as site:
        yield site


@pytest.fixture
def no_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to an empty folder, so that the developer's `.env` is not read."""
    monkeypatch.chdir(tmp_path)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run if tests were skipped and `REELSEEK_TEST_ALL` is set, as CI does."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("REELSEEK_TEST_ALL")
        and reporter is not None
        and reporter.stats.get("skipped")
        and not exitstatus
    ):
        reporter.write_line("REELSEEK_TEST_ALL is set, and tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
