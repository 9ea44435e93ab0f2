"""Users, guilds and channels of the fake Discord, and how to read its messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.support.discord import limits

APPLICATION: Final = 900
VIEW, MANAGE_GUILD = 1 << 10, 1 << 5
STAMP: Final = "2026-11-21T10:00:00.000000+00:00"


@dataclass(frozen=True)
class FakeUser:
    """A user of the fake Discord."""

    id: int
    name: str
    is_admin: bool = False
    locale: str = "en-US"

    @property
    def user_json(self) -> dict[str, Any]:
        return {"id": str(self.id), "username": self.name.lower(), "discriminator": "0", "avatar": None,
                "global_name": self.name}  # fmt: skip

    @property
    def member_json(self) -> dict[str, Any]:
        permissions = VIEW | (MANAGE_GUILD if self.is_admin else 0)
        return {
            "user": self.user_json,
            "nick": None,
            "roles": [str(ADMINS)] if self.is_admin else [],
            "joined_at": STAMP,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "avatar": None,
            "permissions": str(permissions),
        }


ADA, BOB, EVE = FakeUser(11, "Ada"), FakeUser(12, "Bob"), FakeUser(13, "Eve", is_admin=True)
GUILD, OTHER_GUILD = 7 * 10**17, 8 * 10**17
SPACE: Final = f"discord:{GUILD}"
ADMINS: Final = 71
GENERAL, SECRET, CLIPS = 101, 102, 103
ATTACHMENT: Final = 9 * 10**17
SIGNATURE: Final = "ex=6a000000&is=69000000&hm=0a1b2c&"
BOT: Final = {"id": str(APPLICATION), "username": "reelseek", "discriminator": "0", "avatar": None, "bot": True}


def make_guild(guild_id: int) -> dict[str, Any]:
    """Make a guild with a public channel, a private one, and one for clips."""
    hidden = [{"id": str(guild_id), "type": 0, "allow": "0", "deny": str(VIEW)}]
    channels = [(GENERAL, "general", []), (SECRET, "secret", hidden), (CLIPS, "clips", [])]
    return {
        "id": str(guild_id),
        "name": f"server {guild_id}",
        "owner_id": "1",
        "member_count": 3,
        "large": False,
        "unavailable": False,
        "preferred_locale": "en-US",
        "features": [],
        "roles": [
            {"id": str(id), "name": name, "permissions": str(permissions), "position": position, "color": 0,
             "hoist": False, "managed": False, "mentionable": False, "flags": 0}
            for position, (id, name, permissions) in enumerate(
                [(guild_id, "@everyone", VIEW), (ADMINS, "admins", VIEW | MANAGE_GUILD)]
            )
        ],
        "channels": [
            {"id": str(guild_id + id), "type": 0, "name": name, "position": 0, "permission_overwrites": overwrites,
             "nsfw": False, "parent_id": None, "topic": None}
            for id, name, overwrites in channels
        ],
        "members": [{**FakeUser(APPLICATION, "reelseek").member_json, "user": BOT}],
        "threads": [], "emojis": [], "stickers": [], "presences": [], "voice_states": [], "stage_instances": [],
        "guild_scheduled_events": [], "soundboard_sounds": [],
    }  # fmt: skip


def make_attachment(name: str = "clip.mp4", media_type: str | None = "video/mp4", number: int = 1) -> dict[str, Any]:
    """Make an attachment with a signed address, as Discord sends it."""
    address = f"https://cdn.discordapp.com/attachments/{GUILD + CLIPS}/{ATTACHMENT + number}/{name}"
    described = {"id": str(ATTACHMENT + number), "filename": name, "size": 9000, "url": f"{address}?{SIGNATURE}",
                 "proxy_url": f"{address}?{SIGNATURE}"}  # fmt: skip
    return described | ({"content_type": media_type} if media_type else {})


def make_snapshot(content: str = "", **fields: Any) -> dict[str, Any]:
    """Make what a forwarded message shows of the original one."""
    shown = {"type": 0, "content": content, "embeds": [], "attachments": [], "timestamp": STAMP,
             "edited_timestamp": None, "flags": 0, "mentions": [], "mention_roles": [], "components": []}  # fmt: skip
    return {"message": shown | fields}


def texts(message: Mapping[str, Any]) -> str:
    """Return all texts of a message, with the labels of its buttons."""
    parts = [message["content"]]
    for each in limits.walk_components(message["components"]):
        parts += [str(each[name]) for name in ("content", "label") if each.get(name)]
    return "\n".join(parts)


def labels(message: Mapping[str, Any]) -> list[str]:
    """Return the labels of a message's buttons."""
    return [each["label"] for each in limits.walk_components(message["components"]) if each.get("label")]


def is_ephemeral(message: Mapping[str, Any]) -> bool:
    return bool(message["flags"] & limits.EPHEMERAL)


def partial_member(user: FakeUser) -> dict[str, Any]:
    return {name: value for name, value in user.member_json.items() if name not in ("user", "permissions")}
