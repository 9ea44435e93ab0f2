"""How a command gets at the workers: over Redis, through a running `reelseek up`, or by being the worker itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from bots.commands.client import Client
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.client import relay
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.ops.health import FrontendHealth


class CommandError(Exception):
    """A command that cannot go on, for a reason that is already a sentence; `status` is what the process ends with."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


@asynccontextmanager
async def connect(settings: Settings, for_others: bool = False) -> AsyncIterator[Client]:
    """A client, whatever that takes. Raises `CommandError`.

    `for_others`: a process that has to own the data lets other commands work through it meanwhile.
    """
    async with AsyncExitStack() as stack:
        if settings.redis_url is not None:
            from worker.client.queue_client import connect

            client: Client = await stack.enter_async_context(connect(settings))
        else:
            try:
                client = await stack.enter_async_context(relay.connect(settings))
            except relay.NoRelayError:
                client = await stack.enter_async_context(run_embedded(settings, for_others))
        yield client


@asynccontextmanager
async def run_embedded(settings: Settings, for_others: bool) -> AsyncIterator[Client]:
    """The worker in this process. Raises `CommandError` where another process owns the data."""
    # Seconds of imports that a command through a running `reelseek up` never waits for.
    from worker.runtime.embedded import DataFolderInUseError, embedded

    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(embedded(settings))
        except DataFolderInUseError as error:
            raise CommandError(translate(Msg.IN_USE)) from error
        if for_others:
            await stack.enter_async_context(relay.serve(client, settings))
        yield client


@contextmanager
def serve_health(settings: Settings) -> Iterator["FrontendHealth"]:
    """Where an operator sees how a frontend is. Raises `CommandError` where its port is taken."""
    # Celery and Redis, which a command through a running `reelseek up` does not need.
    from worker.ops.health import PortTakenError, frontend

    with ExitStack() as stack:
        try:
            vitals = stack.enter_context(frontend(settings))
        except PortTakenError as taken:
            raise CommandError(translate(Msg.PORT_TAKEN, why=taken), 2) from taken
        yield vitals
