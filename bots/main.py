"""The `reelseek` command: joins the command line with the frontends that it can start."""

import asyncio
import os
import sys
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bots.cli import app as cli
from bots.cli.encodings import decode_arguments, replace_unknown_characters
from bots.cli.environment import CALLER, load_settings, open_terminal
from bots.cli.help import translate_help
from bots.cli.process import run_until_stopped
from bots.commands.errors import error_reply
from bots.connect import (
    CONFIGURATION_ERROR,
    CommandError,
    connect,
    require_package,
    requiring_extra,
    run_embedded,
    serve_health,
)
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from worker.environment import use_named_authorities
from worker.settings import Settings


def main() -> None:
    """Run the command line in the language of the environment. Every failure ends with a sentence."""
    replace_unknown_characters()
    use_named_authorities()
    locale_name = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), None)
    decode_arguments(locale_name)
    with use_locale(locale_name):
        try:
            run_command_line()
        except CommandError as error:
            _exit(str(error), error.status)
        except ValidationError as error:
            _exit("\n".join(map(_describe_setting_error, error.errors())), CONFIGURATION_ERROR)
        except Exception as error:
            reply = error_reply(error)
            _exit(f"{reply.text} {translate(Msg.REFERENCE, correlation_id=reply.correlation_id)}")


def run_command_line() -> None:
    """Parse the arguments of the process and run the command that they name."""
    command = typer.main.get_command(build_app())
    translate_help(command)
    command()


def build_app() -> typer.Typer:
    """Return the command line with all commands."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=CliMsg.ABOUT)
    app.command("up", help=CliMsg.UP_HELP)(up)
    cli.add_commands(app)
    app.command("web", help=CliMsg.WEB_HELP)(web)
    app.command("discord", help=CliMsg.DISCORD_HELP)(discord)
    app.command("slack", help=CliMsg.SLACK_HELP)(slack)
    app.command("doctor", help=CliMsg.DOCTOR_HELP)(doctor)
    return app


def up() -> None:
    """Run the worker and the web chat, with samples on the first start."""
    settings = load_settings()
    if settings.redis_url is not None:
        raise CommandError(translate(CliMsg.UP_IS_EMBEDDED))
    require_package("streamlit", "web")
    run_until_stopped(_run_demo(settings))


async def _run_demo(settings: Settings) -> None:
    """Run until the task is cancelled, or until the web chat exits, which raises `CommandError`."""
    from bots.cli.demo import introduce, mention_other_preset, offer_larger_preset, show_library_topics
    from bots.web.serve import WebServerError, run_web_server
    from worker.samples import list_samples

    terminal = open_terminal()
    terminal.say(CliMsg.UP_HELLO, data=settings.data_dir.absolute(), preset=settings.preset)
    async with run_embedded(settings, serve_relay=True) as client:
        try:
            async with run_web_server(settings) as server:
                await introduce(client, CALLER, list_samples(settings), server.wait_until_ready, terminal)
                await mention_other_preset(client, CALLER, settings, terminal)
                await offer_larger_preset(settings, terminal)
                await show_library_topics(client, CALLER, terminal)
                await server.wait_until_exit()
        except WebServerError as error:
            raise CommandError(translate(CliMsg.WEB_FAILED, why=error)) from error


def web() -> None:
    """Run the web chat."""
    require_package("streamlit", "web")
    settings = load_settings(to_file=Settings().redis_url is None)
    run_until_stopped(_run_web(settings))


async def _run_web(settings: Settings) -> None:
    from bots.web.serve import WebServerError, run_web_server

    with serve_health(settings) as health:
        try:
            async with connect(settings, serve_relay=True), run_web_server(settings) as server:
                open_terminal().say(CliMsg.WEB_READY, address=await server.wait_until_ready())
                async with health.watch_connection(server.is_healthy):
                    await server.wait_until_exit()
        except WebServerError as error:
            raise CommandError(translate(CliMsg.WEB_FAILED, why=error)) from error


def discord(
    invite: Annotated[bool, typer.Option("--invite", help=CliMsg.DISCORD_INVITE_HELP)] = False,
) -> None:
    """Run the Discord bot."""
    settings = load_settings(to_file=False)

    with requiring_extra("discord"):
        from bots.discord import run

    if invite:
        print(asyncio.run(run.fetch_invite_link(settings)))
        return
    run_until_stopped(run.run(settings))


def slack() -> None:
    """Run the Slack app."""
    settings = load_settings(to_file=False)

    with requiring_extra("slack"):
        from bots.slack import run

    run_until_stopped(run.run(settings))


def doctor(as_json: Annotated[bool, typer.Option("--json", help=CliMsg.JSON_HELP)] = False) -> None:
    """Check every part that the settings use. Exits with status 1 if something has to be fixed."""
    # The log goes to the terminal: a data folder that is not writable is one of the problems to find.
    settings = load_settings(to_file=False)

    from bots.cli import json_output
    from bots.cli.render import render_checks
    from bots.commands.doctor import check_terminal, describe_check
    from worker.ops.doctor import run_checks

    checks = [describe_check(check) for check in run_checks(settings)]
    checks.append(check_terminal(sys.stdout.encoding))
    if settings.discord_token is not None:
        with requiring_extra("discord"):
            from bots.discord.check import check_discord
        checks += asyncio.run(check_discord(settings))
    if settings.slack_bot_token is not None or settings.slack_app_token is not None:
        with requiring_extra("slack"):
            from bots.slack.check import check_slack
        checks += asyncio.run(check_slack(settings))
    if as_json:
        json_output.print_checks(checks)
    else:
        open_terminal().answers.print(render_checks(checks))
    raise typer.Exit(0 if all(each.is_ok for each in checks) else 1)


def _describe_setting_error(error: ErrorDetails) -> str:
    name = f"REELSEEK_{'_'.join(map(str, error['loc'][:1])).upper()}"
    return translate(CliMsg.BAD_SETTING, name=name, why=error["msg"])


def _exit(sentence: str, status: int = 1) -> NoReturn:
    open_terminal().complain(sentence)
    raise SystemExit(status)
