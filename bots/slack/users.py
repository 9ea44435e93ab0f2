"""Who asks, and from where, as Slack says: names, languages, admins, and which channels are private."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp
import structlog
from pydantic import BaseModel
from slack_sdk.errors import SlackApiError

from bots.chat.store import ChatStore
from bots.i18n.messages import Msg
from bots.slack.workspaces import WorkspaceClients
from worker.protocol.messages import Caller, CallFailedError

KEEP_PERSON_S: Final = 3600
KEEP_PRIVATE_S: Final = 86400
KEEP_PUBLIC_S: Final = 600
"""Short: a channel that is made private must not go on as a public one."""

T = TypeVar("T")
log = structlog.get_logger()


class Person(BaseModel):
    name: str = ""
    locale: str = ""
    is_admin: bool = False
    outside: bool = False


@dataclass(frozen=True)
class SlackUserRef:
    """Who asks, as far as that is said by what Slack sent."""

    user_id: str
    team: str
    """The workspace that is asked."""
    org: str = ""
    """The organisation that the workspace is part of, if any."""
    inside: bool = False
    """The person is said to be of this workspace or its organisation; False: it is not said."""
    name: str = ""


@dataclass(frozen=True)
class ResolvedUser:
    """Who asks, and how to speak to that person."""

    caller: Caller
    locale: str
    barred: Msg | None
    """What to tell who gets nothing of the library: somebody of another workspace, with which a channel is shared, and
    whoever may be that, as long as Slack does not say."""


@dataclass(frozen=True)
class UserDirectory:
    teams: WorkspaceClients
    chat_store: ChatStore
    _asking: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def caller(self, who: SlackUserRef, channel: str = "", *, anew: bool = False) -> ResolvedUser:
        """Only `anew` is Slack asked for admins; otherwise nobody is one."""
        found = await self._person(who, anew)
        known = found or Person()
        caller = Caller(
            space=f"slack:{who.team}",
            user_id=who.user_id,
            name=known.name or who.name or who.user_id,
            private_channel=channel if channel and await self._private(who.team, channel) else "",
            is_admin=anew and known.is_admin,
        )
        unsure = found is None and not who.inside
        return ResolvedUser(caller, known.locale, Msg.OUTSIDE if known.outside else Msg.UNSURE if unsure else None)

    async def _person(self, who: SlackUserRef, anew: bool) -> Person | None:
        """None: Slack does not say now, and did not lately."""
        noted = await self._noted(who.team, "person", who.user_id)
        known = Person.model_validate_json(noted) if noted else None
        if known and not anew:
            return known
        return await self._once(f"{who.team} {who.user_id}", lambda: self._asked_person(who)) or known

    async def _asked_person(self, who: SlackUserRef) -> Person | None:
        team, person = who.team, who.user_id
        try:
            web = await self.teams.web(team)
            user = (await web.users_info(user=person, include_locale=True))["user"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            log.warning("slack.person_unknown", team=team, user_id=person, error=error)
            return None
        profile = user.get("profile", {})
        found = Person(
            name=profile.get("display_name") or profile.get("real_name") or user.get("name", ""),
            locale=user.get("locale", ""),
            is_admin=bool(user.get("is_admin") or user.get("is_owner")),
            outside=_outside(user, who),
        )
        await self._note(team, "person", found.model_dump_json(exclude={"is_admin"}), KEEP_PERSON_S, person)
        return found

    async def _private(self, team: str, channel: str) -> bool:
        """Whether not everybody in the workspace may read along. What Slack doesn't show us is private."""
        if known := await self._noted(team, f"channel:{channel}"):
            return known == "private"
        return await self._once(f"{team} {channel}", lambda: self._asked_private(team, channel))

    async def _asked_private(self, team: str, channel: str) -> bool:
        try:
            web = await self.teams.web(team)
            found = (await web.conversations_info(channel=channel))["channel"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            # Its error for a channel that the bot can't see is no fault, and every other one must not open a channel.
            log.info("slack.channel_unknown", team=team, channel=channel, error=error)
            return True
        private = bool(found.get("is_private") or found.get("is_im") or found.get("is_mpim"))
        kept_s = KEEP_PRIVATE_S if private else KEEP_PUBLIC_S
        await self._note(team, f"channel:{channel}", "private" if private else "public", kept_s)
        return private

    async def _once(self, what: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Slack limits how often it is asked: who wants to know the same at the same time waits for the one answer."""
        if what not in self._asking:
            task = asyncio.create_task(ask())
            self._asking[what] = task
            task.add_done_callback(lambda _: self._asking.pop(what, None))
        found: T = await asyncio.shield(self._asking[what])
        return found

    async def _noted(self, team: str, note: str, person: str = "") -> str | None:
        try:
            return await self.chat_store.noted(f"slack:{team}", note, user_id=person)
        except CallFailedError:  # asked of Slack then
            return None

    async def _note(self, team: str, note: str, value: str, seconds: int, person: str = "") -> None:
        try:
            await self.chat_store.note(f"slack:{team}", note, value, seconds, user_id=person)
        except CallFailedError:
            log.info("slack.not_noted", note=note)


def _outside(user: Mapping[str, Any], who: SlackUserRef) -> bool:
    """Whether a user is of another workspace, and not of another one of the same organisation."""
    org = user.get("enterprise_user", {}).get("enterprise_id", "")
    elsewhere = user.get("is_stranger") or user.get("team_id", who.team) != who.team
    return bool(elsewhere) and not (org and org == who.org)
