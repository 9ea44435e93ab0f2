"""Access to files that people uploaded to Slack: only for the workspace that has them, with the app's token there.

The token stays in the settings or in the installation store. It is looked up for each download, so it is in no task,
record or log.
"""

import re
from collections.abc import Mapping
from typing import Final

from indexer.errors import SlackFileError
from worker.settings import Settings

_FILE: Final = re.compile(r"https://files\.slack\.com/files-pri/([TE][A-Z0-9]+)-")


def find_workspace(address: str) -> str | None:
    """Return the workspace that has the file at a canonical address, or None if it is not a file of Slack."""
    found = _FILE.match(address)
    return found[1] if found else None


def make_headers(settings: Settings, address: str) -> Mapping[str, str]:
    """Return the headers with which an address is fetched. Raises `SlackFileError` if a token is needed and missing."""
    workspace = find_workspace(address)
    if workspace is None:
        return {}
    token = _find_token(settings, workspace)
    if token is None:
        raise SlackFileError(f"no token of the workspace {workspace}")
    return {"Authorization": f"Bearer {token}"}


def _find_token(settings: Settings, workspace: str) -> str | None:
    """Return the app's token in a workspace: that of the settings, or of the store of an app with many workspaces."""
    if settings.slack_bot_token is not None:
        return settings.slack_bot_token.get_secret_value()
    try:
        from slack_sdk.oauth.installation_store import FileInstallationStore
    except ImportError:
        return None
    folder = settings.data_dir / "slack" / "installations"
    store = FileInstallationStore(base_dir=str(folder), client_id=settings.slack_client_id)
    bot = store.find_bot(enterprise_id=None, team_id=workspace)
    return bot.bot_token if bot else None
