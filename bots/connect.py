"""Ways to reach the workers: over Redis, through a running `reelseek up`, or with a worker in this process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from bots.commands.client import Client
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from worker.client import relay
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.ops.health import FrontendHealth

OUR_PACKAGES: Final = frozenset({"bots", "worker", "indexer", "model", "text"})
CONFIGURATION_ERROR: Final = 2
"""Exit status of a process whose settings are wrong."""


class CommandError(Exception):
    """A command cannot continue. The message is a sentence for the user, `status` the exit status of the process."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


@contextmanager
def requiring_extra(extra: str) -> Iterator[None]:
    """Raise `CommandError` if the block imports a package that only `pip install reelseek[extra]` installs."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in OUR_PACKAGES:
            raise
        raise CommandError(translate(CliMsg.NOT_INSTALLED, extra=extra)) from error


def require_package(name: str, extra: str) -> None:
    """Raise `CommandError` if a package is missing that a child process will need."""
    if find_spec(name) is None:
        raise CommandError(translate(CliMsg.NOT_INSTALLED, extra=extra))


@asynccontextmanager
async def connect(settings: Settings, serve_relay: bool = False) -> AsyncIterator[Client]:
    """Open a client in whichever way the settings allow. Raises `CommandError`.

    If this process becomes the owner of the data, `serve_relay` lets other commands use it meanwhile.
    """
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            from worker.client.queue_client import connect_client

            client: Client = await stack.enter_async_context(connect_client(settings))
        else:
            try:
                client = await stack.enter_async_context(relay.connect_relay(settings))
            except relay.NoRelayError:
                client = await stack.enter_async_context(run_embedded(settings, serve_relay))
        yield client


@asynccontextmanager
async def run_embedded(settings: Settings, serve_relay: bool) -> AsyncIterator[Client]:
    """Run the worker in this process. Raises `CommandError` if another process owns the data folder."""
    # Imported here because it takes seconds, which a command through a running `reelseek up` does not need.
    with requiring_extra("worker"):
        from worker.runtime.embedded import DataFolderInUseError, run_embedded_worker

    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(run_embedded_worker(settings))
        except DataFolderInUseError as error:
            raise CommandError(translate(CliMsg.IN_USE)) from error
        if serve_relay:
            await stack.enter_async_context(relay.serve_relay(client, settings))
        yield client


@contextmanager
def serve_health(settings: Settings) -> Iterator["FrontendHealth"]:
    """Serve the health checks and metrics of a frontend. Raises `CommandError` if their port is taken."""
    # Imported here because it loads Celery and Redis, which a command through a running `reelseek up` does not need.
    from worker.ops.health import PortTakenError, serve_frontend_health

    with ExitStack() as stack:
        try:
            health = stack.enter_context(serve_frontend_health(settings))
        except PortTakenError as error:
            raise CommandError(translate(CliMsg.PORT_TAKEN, why=error), CONFIGURATION_ERROR) from error
        yield health
