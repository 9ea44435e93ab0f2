"""Videos that people upload to Slack: fetched with the token of their own workspace, for its space only."""

from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot, FileInstallationStore

from indexer.errors import SlackFileError
from indexer.sandbox.guard import SsrfGuard
from worker.handlers.access import resolve_submitted_link
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Submit
from worker.settings import Settings
from worker.slack_files import make_headers

FILE = "https://files.slack.com/files-pri/T0000001-F0000001/clip.mp4"
TOKEN = "xoxb-1-good"

pytestmark = pytest.mark.usefixtures("no_dotenv")


def test_token_of_the_settings_is_used_for_slacks_files_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, slack_bot_token=TOKEN)
    assert make_headers(settings, FILE) == {"Authorization": f"Bearer {TOKEN}"}
    for other in (
        "https://video.example/files-pri/T0000001-F0000001/clip.mp4",
        "https://files.slack.com.example/files-pri/T0000001-F1/clip.mp4",
        "http://files.slack.com/files-pri/T0000001-F1/clip.mp4",
        f"https://video.example/?next={FILE}",
    ):
        assert make_headers(settings, other) == {}


def test_token_of_many_workspaces_is_that_of_the_files_workspace(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, slack_client_id="1.2")
    store = FileInstallationStore(base_dir=str(tmp_path / "slack" / "installations"), client_id="1.2")
    for number in (1, 2):
        store.save_bot(
            Bot(bot_token=f"xoxb-{number}", team_id=f"T000000{number}", bot_id="B1", bot_user_id="U1", installed_at=1.0)
        )
    assert make_headers(settings, FILE) == {"Authorization": "Bearer xoxb-1"}
    assert make_headers(settings, FILE.replace("T0000001", "T0000002")) == {"Authorization": "Bearer xoxb-2"}
    with pytest.raises(SlackFileError):
        make_headers(settings, FILE.replace("T0000001", "T0000003"))


def test_file_without_a_token_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SlackFileError) as raised:
        make_headers(Settings(data_dir=tmp_path), FILE)
    assert raised.value.code == ErrorCode.SLACK_FILE


@pytest.mark.parametrize("space", ["slack:T0000002", "discord:1", "local:me"])
@pytest.mark.parametrize("link", [FILE, f"{FILE}?t=xoxe-1", FILE.replace("clip", "download/clip")])
def test_file_of_another_workspace_is_refused(space: str, link: str) -> None:
    guard = SsrfGuard(resolve=lambda host: ["93.184.216.34"])
    own = Submit(caller=Caller(space="slack:T0000001", user_id="U1"), link=link)
    assert resolve_submitted_link(guard, own).url == FILE
    other = Submit(caller=Caller(space=space, user_id="U1"), link=link)
    with pytest.raises(RequestRefusedError) as raised:
        resolve_submitted_link(guard, other)
    assert raised.value.code == ErrorCode.SLACK_FILE
