"""Checks of the Slack set-up for `reelseek doctor`."""

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.commands.doctor import CheckLine
from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from bots.slack.run import SCOPES
from bots.slack.workspaces import API_URL, WorkspaceClients
from worker.settings import Settings


async def check_slack(settings: Settings, api_url: str = API_URL) -> list[CheckLine]:
    """Check the tokens in the settings. Returns nothing if none is set."""
    checks = []
    async with aiohttp.ClientSession() as session:
        workspaces = WorkspaceClients(session, api_url)
        if settings.slack_bot_token is not None:
            checks += await _check_bot(workspaces, settings.slack_bot_token.get_secret_value())
        if settings.slack_app_token is not None:
            checks.append(await _check_app(workspaces, settings.slack_app_token.get_secret_value()))
    return checks


async def _check_bot(workspaces: WorkspaceClients, token: str) -> list[CheckLine]:
    try:
        account = await workspaces.make_client(token).auth_test()
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        return [_explain_failure(CliMsg.SLACK_BOT_TOKEN, error, CliMsg.FIX_SLACK_BOT_TOKEN)]
    detail = translate(CliMsg.SLACK_ACCOUNT, user=account["user"], team=account["team"])
    granted = {scope.strip() for scope in account.headers.get("x-oauth-scopes", "").split(",")}
    return [CheckLine(translate(CliMsg.SLACK_BOT_TOKEN), True, detail), _check_scopes(granted)]


def _check_scopes(granted: set[str]) -> CheckLine:
    missing = [scope for scope in SCOPES if scope not in granted]
    if not missing:
        return CheckLine(translate(CliMsg.SLACK_SCOPES), True, translate(CliMsg.SCOPES_ALL))
    detail = translate(CliMsg.MISSING, names=", ".join(missing))
    return CheckLine(translate(CliMsg.SLACK_SCOPES), False, detail, translate(CliMsg.FIX_SLACK_SCOPES))


async def _check_app(workspaces: WorkspaceClients, token: str) -> CheckLine:
    try:
        await workspaces.make_client(None).apps_connections_open(app_token=token)
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        return _explain_failure(CliMsg.SLACK_APP_TOKEN, error, CliMsg.FIX_SLACK_APP_TOKEN)
    return CheckLine(translate(CliMsg.SLACK_APP_TOKEN), True, translate(CliMsg.SOCKET_MODE_WORKS))


def _explain_failure(name: CliMsg, error: Exception, advice: CliMsg) -> CheckLine:
    """Return what Slack's error means: `advice` if Slack refused the token, else a problem of the connection."""
    if isinstance(error, SlackApiError):
        return CheckLine(translate(name), False, str(error.response["error"]), translate(advice))
    detail = str(error) or translate(CliMsg.NO_ANSWER)
    return CheckLine(translate(name), False, detail, translate(CliMsg.FIX_SLACK_CONNECTION))
