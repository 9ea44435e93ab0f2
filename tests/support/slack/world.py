"""The users, channels and videos of the fake workspace, and how a user asks there."""

from typing import Any, Final

from tests.support.bots.fake_videos import FakeVideo
from tests.support.slack.methods import TEAM, ShownMessage
from tests.support.slack.server import FakeSlack

SPACE: Final = f"slack:{TEAM}"
ANN, BOB, KIM = "U0000ANN", "U0000BOB", "U0000KIM"
"""An admin, a member, and a member whose language is Korean."""
ALL, SECRET = "C0000ALL", "G0000SEC"
"""A public and a private channel."""
NEW_LINK: Final = "https://video.example/new"
MENTION: Final[dict[str, Any]] = {
    "type": "app_mention",
    "user": ANN,
    "channel": ALL,
    "ts": "9.1",
    "text": "<@U0000BOT> dog",
}


def make_film(number: int, title: str | None = None) -> FakeVideo:
    """Return a video of Bob's in which a dog runs."""
    link = f"https://video.example/{number}"
    return FakeVideo(link, title or f"Film {number}", ("a dog runs",), space=SPACE, submitter=BOB, name="Bob")


def make_file(id: str, name: str, team: str = TEAM) -> dict[str, Any]:
    """Make an uploaded file, as Slack describes it in a message or in a form."""
    return {
        "id": id,
        "name": name,
        "mode": "hosted",
        "url_private": f"https://files.slack.com/files-pri/{team}-{id}/{name}",
    }


async def ask(server: FakeSlack, words: str, user: str = ANN, channel: str = ALL) -> ShownMessage:
    """Send `/reel words`. Returns the first message that the user is shown for it."""
    before = len(server.shown_to(user))
    await server.command(words, user, channel)
    shown: ShownMessage = (await server.wait_for(lambda: server.shown_to(user)[before:]))[0]
    return shown
