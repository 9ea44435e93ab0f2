"""What the doctor looks at in Slack, and how each is mended."""

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.slack.run import SCOPES
from bots.slack.workspaces import API, WorkspaceClients
from worker.ops.doctor import DoctorCheck
from worker.settings import Settings

_REINSTALL = (
    "At api.slack.com/apps, choose the app, put slack-manifest.yaml under App Manifest, and Reinstall to Workspace."
)


async def check(settings: Settings, api: str = API) -> list[DoctorCheck]:
    """The tokens that these settings hold; nothing where Slack isn't used."""
    checks = []
    async with aiohttp.ClientSession() as session:
        teams = WorkspaceClients(session, api)
        if settings.slack_bot_token is not None:
            checks += await _bot(teams, settings.slack_bot_token.get_secret_value())
        if settings.slack_app_token is not None:
            checks.append(await _app(teams, settings.slack_app_token.get_secret_value()))
    return checks


async def _bot(teams: WorkspaceClients, token: str) -> list[DoctorCheck]:
    mend = "Set REELSEEK_SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) under OAuth & Permissions."
    try:
        known = await teams.client(token).auth_test()
    except SlackApiError as error:
        return [DoctorCheck("Slack bot token", False, str(error.response["error"]), mend)]
    except (aiohttp.ClientError, TimeoutError) as error:
        return [DoctorCheck("Slack bot token", False, str(error) or "no answer", "Check the connection to slack.com.")]
    granted = {scope.strip() for scope in known.headers.get("x-oauth-scopes", "").split(",")}
    missing = [scope for scope in SCOPES if scope not in granted]
    return [
        DoctorCheck("Slack bot token", True, f"{known['user']} in {known['team']}"),
        DoctorCheck("Slack scopes", not missing, f"missing: {', '.join(missing)}" if missing else "all", _REINSTALL),
    ]


async def _app(teams: WorkspaceClients, token: str) -> DoctorCheck:
    mend = (
        "Set REELSEEK_SLACK_APP_TOKEN to an App-Level Token (xapp-…) with connections:write, under Basic Information."
    )
    try:
        await teams.client(None).apps_connections_open(app_token=token)
    except SlackApiError as error:
        return DoctorCheck("Slack app token", False, str(error.response["error"]), mend)
    except (aiohttp.ClientError, TimeoutError) as error:
        return DoctorCheck("Slack app token", False, str(error) or "no answer", "Check the connection to slack.com.")
    return DoctorCheck("Slack app token", True, "Socket Mode opens")
