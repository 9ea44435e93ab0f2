"""The commands of `reelseek` that need no frontend: the core commands, backups, the worker, and model commands."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bots.cli import model_commands
from bots.cli.core_commands import SpaceName, add_core_commands
from bots.cli.environment import load_settings, make_caller, open_terminal
from bots.cli.process import run_until_stopped
from bots.connect import CommandError, connect, requiring_extra
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import format_count, translate
from worker.protocol.base import LOCAL_SPACE

Folder: TypeAlias = Annotated[Path, typer.Argument(metavar="FOLDER")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this package to the command line."""
    add_core_commands(app)
    app.command("backup", help=CliMsg.BACKUP_HELP)(backup)
    app.command("restore", help=CliMsg.RESTORE_HELP)(restore)
    app.command("worker", help=CliMsg.WORKER_HELP)(worker)
    app.command("console", help=CliMsg.CONSOLE_HELP)(console)
    model_commands.add_commands(app)


def backup(folder: Folder) -> None:
    """Write a backup into a new folder."""
    settings = load_settings()

    with requiring_extra("worker"):
        from worker.runtime.maintenance import back_up_installation

    back_up_installation(settings, folder)
    open_terminal().say(CliMsg.SAVED, file=folder)


def restore(folder: Folder) -> None:
    """Restore a backup into an empty library."""
    settings = load_settings()

    with requiring_extra("worker"):
        from worker.runtime.maintenance import restore_installation

    manifest = restore_installation(settings, folder)
    videos = format_count(manifest.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    moments = format_count(manifest.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    open_terminal().say(CliMsg.RESTORED, videos=videos, moments=moments)


def worker(
    queues: Annotated[str, typer.Option(help=CliMsg.WORKER_QUEUES_HELP)] = "search,index,train",
) -> None:
    """Run a worker process on Redis."""
    settings = load_settings(to_file=False)
    if settings.redis_url is None:
        raise CommandError(translate(CliMsg.WORKER_NEEDS_REDIS))

    from worker.protocol.queues import QUEUES

    names = [name.strip() for name in queues.split(",") if name.strip()]
    if unknown := set(names) - set(QUEUES):
        raise typer.BadParameter(translate(CliMsg.UNKNOWN_QUEUE, name=", ".join(unknown), all=", ".join(QUEUES)))

    with requiring_extra("worker"):
        from worker.ops.health import PortTakenError
        from worker.runtime.process import run_worker

    try:
        run_worker(settings, names)
    except PortTakenError as error:
        raise CommandError(translate(CliMsg.PORT_TAKEN, why=error), 2) from error


def console(space: SpaceName = LOCAL_SPACE) -> None:
    """Chat in this terminal."""
    caller, settings = make_caller(space, "console"), load_settings()

    from bots.cli.console import chat, create_prompt

    async def connect_and_chat() -> None:
        async with connect(settings, serve_relay=True) as client:
            await chat(client, caller, open_terminal(), create_prompt(), settings.blobs_address)

    run_until_stopped(connect_and_chat())
