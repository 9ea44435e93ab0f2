"""The command line `reelseek`."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from bots.cli import json_output, model_commands
from bots.cli.environment import settings as _settings
from bots.cli.environment import terminal as _terminal
from bots.cli.render import checked
from bots.commands import admin, search
from bots.connect import CommandError, connect, serve_health
from bots.i18n.messages import Msg
from bots.i18n.translate import count, translate, use_locale
from bots.web.serve import WebFailed, serving
from worker.ops.logs import bind_correlation_id
from worker.ops.shutdown import exit_after_grace_period
from worker.protocol.messages import Caller
from worker.settings import Settings

T = TypeVar("T")
CALLER: Final = Caller(space="local:me", user_id="cli", is_admin=True)
STOPPED_STATUS: Final = 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=translate(Msg.ABOUT))
app.add_typer(model_commands.app)
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def up() -> None:
    """Start everything: the worker, the samples on the first start, and the web chat."""
    settings = _settings()

    from bots.cli.demo import up as start

    if settings.redis_url is not None:
        raise CommandError(translate(Msg.UP_IS_EMBEDDED))
    _last(start(settings, CALLER, _terminal()))


@app.command()
def index(
    links: Annotated[list[str], typer.Argument(metavar="LINK…", help="Links of videos, or files of this machine.")],
    as_json: AsJson = False,
) -> None:
    """Add videos."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            replies = search.index(client, CALLER, [_link(link) for link in links], local_files=True)
            return await (json_output.outcomes(replies) if as_json else _terminal().show(replies))

    _once(work())


@app.command()
def crawl(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Link of a playlist, a channel or a feed.")],
    most: Annotated[int, typer.Option(min=1, max=500, help="How many of its videos at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Add the videos of a playlist, a channel or a feed."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            replies = search.crawl(client, CALLER, link, most=most)
            return await (json_output.outcomes(replies) if as_json else _terminal().show(replies))

    _once(work())


@app.command()
def find(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What happens in the moment.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many moments.")] = 5,
    in_link: Annotated[str | None, typer.Option("--in", metavar="LINK", help="Only inside this video.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find moments."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            inside = _link(in_link) if in_link else None
            replies = search.find(client, CALLER, words, in_link=inside, limit=limit, several=False)
            if as_json:
                return await json_output.found(replies, words, settings.blobs_address)
            return await _terminal().show(replies)

    _once(work())


@app.command()
def library(as_json: AsJson = False) -> None:
    """Show the videos that can be searched."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            replies = search.library(client, CALLER, limit=None)
            return await (json_output.shelf(replies) if as_json else _terminal().show(replies))

    _once(work())


@app.command()
def forget(
    link: Annotated[str, typer.Argument(metavar="LINK", help="The link that the library shows.")],
    as_json: AsJson = False,
) -> None:
    """Take a video out of the library."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            replies = search.forget(client, CALLER, _link(link))
            return await (json_output.forgot(replies) if as_json else _terminal().show(replies))

    _once(work())


@app.command()
def model(
    action: Annotated[str, typer.Argument(metavar="[list|rollback|promote]")] = "list",
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model to promote.")] = "",
) -> None:
    """Show the models that are kept, go back to the one before, or put another one in use."""
    settings = _settings()

    async def work() -> bool:
        async with connect(settings) as client:
            return await _terminal().show(
                admin.model(client, CALLER, "status" if action == "list" else action, to=name)
            )

    _once(work())


Folder = Annotated[Path, typer.Argument(metavar="FOLDER")]


@app.command()
def backup(folder: Folder) -> None:
    """Write all that must not be lost into a new folder. Embedded, stop Reelseek first."""
    settings = _settings()

    from worker.ops.backup import backup as write

    write(settings, folder)
    _terminal().say(Msg.SAVED, file=folder)


@app.command()
def restore(folder: Folder) -> None:
    """Take a backup back, into an empty library. Stop Reelseek first."""
    settings = _settings()

    from worker.ops.backup import restore as read

    held = read(settings, folder)
    videos = count(held.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    moments = count(held.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    _terminal().say(Msg.RESTORED, videos=videos, moments=moments)


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="Which queues to work on, parted by commas.")] = "search,index,train",
) -> None:
    """Work for an installation on Redis."""
    settings = _settings(to_file=False)
    if settings.redis_url is None:
        raise CommandError(translate(Msg.WORKER_NEEDS_REDIS))

    from worker.queue.app import QUEUES

    names = [name.strip() for name in queues.split(",") if name.strip()]
    if unknown := set(names) - set(QUEUES):
        raise typer.BadParameter(translate(Msg.UNKNOWN_QUEUE, name=", ".join(unknown), all=", ".join(QUEUES)))

    from worker.ops.health import PortTakenError
    from worker.runtime.process import run_worker

    try:
        run_worker(settings, names)
    except PortTakenError as taken:
        raise CommandError(translate(Msg.PORT_TAKEN, why=taken), 2) from taken


@app.command()
def web() -> None:
    """Serve the web chat."""
    settings = _settings(to_file=Settings().redis_url is None)

    async def work() -> None:
        with serve_health(settings) as vitals:
            async with connect(settings, for_others=True), serving(settings) as served:
                _terminal().say(Msg.WEB_READY, address=await served.ready())
                async with vitals.beating(served.healthy):
                    await served.ended()

    _last(work())


@app.command()
def discord(
    invite: Annotated[bool, typer.Option("--invite", help="Print the link that adds the bot to a server.")] = False,
) -> None:
    """Serve Discord."""
    settings = _settings(to_file=False)

    from bots.discord import run

    if invite:
        print(asyncio.run(run.invite(settings)))
        return
    _last(run.run(settings))


@app.command()
def slack() -> None:
    """Serve Slack."""
    settings = _settings(to_file=False)

    from bots.slack import run

    _last(run.run(settings))


@app.command()
def console() -> None:
    """Chat in this terminal."""
    settings = _settings()

    from bots.cli.console import prompt, talk

    async def work() -> None:
        async with connect(settings, for_others=True) as client:
            await talk(client, _terminal(), prompt())

    _last(work())


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check each part and say how to mend it."""
    # The log goes to the terminal: a folder that can't be written is one of the things to find.
    settings = _settings(to_file=False)

    from bots.discord.check import check as discord
    from bots.slack.check import check as slack
    from worker.ops.doctor import check

    checks = [*check(settings), *asyncio.run(discord(settings)), *asyncio.run(slack(settings))]
    if as_json:
        json_output.checks(checks)
    else:
        _terminal().answers.print(checked(checks))
    raise typer.Exit(0 if all(each.ok for each in checks) else 1)


def main() -> None:
    """The entry point. Whatever happens, a person reads a sentence, in the language of their environment."""
    with use_locale(next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")):
        _run()


def _run() -> None:
    try:
        app()
    except CommandError as ended:
        _complain(str(ended), ended.status)
    except ValidationError as invalid:
        for error in invalid.errors():
            name = f"REELSEEK_{'_'.join(map(str, error['loc'][:1])).upper()}"
            _terminal().complain(translate(Msg.BAD_SETTING, name=name, why=error["msg"]))
        raise SystemExit(2) from invalid
    except WebFailed as failed:
        _complain(translate(Msg.WEB_FAILED, why=failed))
    except Exception as error:
        told = search.surprised(error)
        _complain(f"{told.text} {translate(Msg.REFERENCE, incident=told.correlation_id)}")


def _complain(sentence: str, status: int = 1) -> NoReturn:
    _terminal().complain(sentence)
    raise SystemExit(status)


def _link(text: str) -> str:
    """A file of this machine as its address; anything else as it was typed."""
    path = Path(text).expanduser()
    return path.resolve().as_uri() if "://" not in text and path.exists() else text


def _once(work: Coroutine[Any, Any, bool]) -> NoReturn:
    """Ends the process with status 0 only if `work` was done."""
    with bind_correlation_id():
        done = asyncio.run(stoppable(work))
    raise typer.Exit(STOPPED_STATUS if done is None else 0 if done else 1)


def _last(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Runs `work` until it is stopped, which is how it should end."""
    asyncio.run(stoppable(work))
    raise typer.Exit(0)


async def stoppable(work: Coroutine[Any, Any, T], told: Callable[[], None] = exit_after_grace_period) -> T | None:
    """The result of `work`, or None after Ctrl-C or SIGTERM: then it is cancelled, and closes what it has open."""
    running = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:  # a second one would break off what closes
            stopped = True
            told()
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await running
    except asyncio.CancelledError:
        if not stopped:
            raise
        return None
