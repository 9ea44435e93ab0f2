"""Users and channels as Slack describes them: names, languages, admins, and which channels are private."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import structlog
from pydantic import BaseModel
from slack_sdk.errors import SlackApiError

from bots.chat.notes import NoteStore
from bots.chat.single_flight import SingleFlight
from bots.i18n.messages import Msg
from bots.slack.workspaces import WorkspaceClients
from worker.protocol.base import Caller, CallFailedError

PROFILE_TTL_S: Final = 3600
PRIVATE_CHANNEL_TTL_S: Final = 86400
PUBLIC_CHANNEL_TTL_S: Final = 600
"""Short, because a channel that becomes private must not be treated as public for long."""

log = structlog.get_logger()


class UserProfile(BaseModel):
    """What Slack says about a user."""

    name: str | None = None
    locale: str | None = None
    is_admin: bool = False
    is_outsider: bool = False
    """Whether the user belongs to another workspace or organization, with which a channel is shared."""


@dataclass(frozen=True)
class SlackUserRef:
    """A user as identified by an event."""

    user_id: str
    team: str
    """The workspace in which the event happened."""
    org: str | None = None
    """The organization of that workspace, if it has one."""
    is_member: bool = False
    """Whether the event itself says that the user belongs to this workspace or its organization."""
    name: str | None = None


@dataclass(frozen=True)
class ResolvedUser:
    """A user as the caller of a request."""

    caller: Caller
    locale: str | None
    denied_reason: Msg | None
    """Why the user may see nothing of the library: an outsider, or possibly one while Slack does not answer."""


@dataclass(frozen=True)
class UserDirectory:
    """Looks up users and channels, with a cache and with one call at a time for the same thing."""

    workspaces: WorkspaceClients
    notes: NoteStore
    _flight: SingleFlight = field(default_factory=SingleFlight)

    async def resolve(self, ref: SlackUserRef, channel: str | None = None, *, refresh: bool = False) -> ResolvedUser:
        """Return the caller of a request in `channel`. Without `refresh` no caller is an admin."""
        found = await self._get_profile(ref, refresh)
        profile = found or UserProfile()
        caller = Caller(
            space=f"slack:{ref.team}",
            user_id=ref.user_id,
            display_name=profile.name or ref.name or ref.user_id,
            private_channel=channel if channel and await self._is_private(ref.team, channel) else None,
            is_admin=refresh and profile.is_admin,
        )
        is_unverified = found is None and not ref.is_member
        reason = Msg.OUTSIDE if profile.is_outsider else Msg.UNSURE if is_unverified else None
        return ResolvedUser(caller, profile.locale, reason)

    async def _get_profile(self, ref: SlackUserRef, refresh: bool) -> UserProfile | None:
        """Return a profile. None: Slack does not answer, and none is cached."""
        note = await self._get_note(ref.team, "person", ref.user_id)
        cached = UserProfile.model_validate_json(note) if note else None
        if cached and not refresh:
            return cached
        return await self._flight.run((ref.team, "user", ref.user_id), lambda: self._fetch_profile(ref)) or cached

    async def _fetch_profile(self, ref: SlackUserRef) -> UserProfile | None:
        try:
            web = await self.workspaces.web_client(ref.team)
            user = (await web.users_info(user=ref.user_id, include_locale=True))["user"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            log.warning("slack.user_unknown", team=ref.team, user_id=ref.user_id, error=error)
            return None
        names = user.get("profile", {})
        profile = UserProfile(
            name=names.get("display_name") or names.get("real_name") or user.get("name"),
            locale=user.get("locale"),
            is_admin=bool(user.get("is_admin") or user.get("is_owner")),
            is_outsider=_is_outsider(user, ref),
        )
        # Rights are left out: they must be current.
        cached = profile.model_dump_json(exclude={"is_admin"})
        await self._set_note(ref.team, "person", cached, PROFILE_TTL_S, ref.user_id)
        return profile

    async def _is_private(self, team: str, channel: str) -> bool:
        """Return whether some members of the workspace cannot read a channel. One that Slack hides is private."""
        if cached := await self._get_note(team, f"channel:{channel}"):
            return cached == "private"
        return await self._flight.run((team, "channel", channel), lambda: self._fetch_is_private(team, channel))

    async def _fetch_is_private(self, team: str, channel: str) -> bool:
        try:
            web = await self.workspaces.web_client(team)
            info = (await web.conversations_info(channel=channel))["channel"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            # Expected for a channel that the bot cannot see. No other error may make a channel public either.
            log.info("slack.channel_unknown", team=team, channel=channel, error=error)
            return True
        is_private = bool(info.get("is_private") or info.get("is_im") or info.get("is_mpim"))
        ttl_s = PRIVATE_CHANNEL_TTL_S if is_private else PUBLIC_CHANNEL_TTL_S
        await self._set_note(team, f"channel:{channel}", "private" if is_private else "public", ttl_s)
        return is_private

    async def _get_note(self, team: str, key: str, user_id: str | None = None) -> str | None:
        try:
            return await self.notes.get_note(f"slack:{team}", key, user_id=user_id)
        except CallFailedError:
            return None  # Slack is asked instead.

    async def _set_note(self, team: str, key: str, value: str, ttl_s: int, user_id: str | None = None) -> None:
        try:
            await self.notes.set_note(f"slack:{team}", key, value, ttl_s, user_id=user_id)
        except CallFailedError:
            log.info("slack.not_cached", key=key)


def _is_outsider(user: Mapping[str, Any], ref: SlackUserRef) -> bool:
    """Return whether a user belongs to another workspace, unless it is one of the same organization."""
    org = user.get("enterprise_user", {}).get("enterprise_id", "")
    is_elsewhere = user.get("is_stranger") or user.get("team_id", ref.team) != ref.team
    return bool(is_elsewhere) and not (org and org == ref.org)
