"""Who asks, and from where, as Slack says: names, languages, admins, and which channels are private."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp
import structlog
from pydantic import BaseModel
from slack_sdk.errors import SlackApiError

from bots.chat.store import Desk
from bots.i18n.messages import Text
from bots.slack.workspaces import Teams
from worker.protocol.messages import Asker, CallFailed

KEEP_PERSON_S: Final = 3600
KEEP_PRIVATE_S: Final = 86400
KEEP_PUBLIC_S: Final = 600
"""Short: a channel that is made private must not go on as a public one."""

T = TypeVar("T")
log = structlog.get_logger()


class Person(BaseModel):
    name: str = ""
    locale: str = ""
    admin: bool = False
    outside: bool = False


@dataclass(frozen=True)
class Who:
    """Who asks, as far as that is said by what Slack sent."""

    person: str
    team: str
    """The workspace that is asked."""
    org: str = ""
    """The organisation that the workspace is part of, if any."""
    inside: bool = False
    """The person is said to be of this workspace or its organisation; False: it is not said."""
    name: str = ""


@dataclass(frozen=True)
class Known:
    """Who asks, and how to speak to that person."""

    asker: Asker
    locale: str
    barred: Text | None
    """What to tell who gets nothing of the library: somebody of another workspace, with which a channel is shared, and
    whoever may be that, as long as Slack does not say."""


@dataclass(frozen=True)
class People:
    teams: Teams
    desk: Desk
    _asking: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def asker(self, who: Who, channel: str = "", *, anew: bool = False) -> Known:
        """Only `anew` is Slack asked for admins; otherwise nobody is one."""
        found = await self._person(who, anew)
        known = found or Person()
        asker = Asker(
            space=f"slack:{who.team}",
            person=who.person,
            name=known.name or who.name or who.person,
            room=channel if channel and await self._private(who.team, channel) else "",
            admin=anew and known.admin,
        )
        unsure = found is None and not who.inside
        return Known(asker, known.locale, Text.OUTSIDE if known.outside else Text.UNSURE if unsure else None)

    async def _person(self, who: Who, anew: bool) -> Person | None:
        """None: Slack does not say now, and did not lately."""
        noted = await self._noted(who.team, "person", who.person)
        known = Person.model_validate_json(noted) if noted else None
        if known and not anew:
            return known
        return await self._once(f"{who.team} {who.person}", lambda: self._asked_person(who)) or known

    async def _asked_person(self, who: Who) -> Person | None:
        team, person = who.team, who.person
        try:
            web = await self.teams.web(team)
            user = (await web.users_info(user=person, include_locale=True))["user"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            log.warning("slack.person_unknown", team=team, person=person, error=error)
            return None
        profile = user.get("profile", {})
        found = Person(
            name=profile.get("display_name") or profile.get("real_name") or user.get("name", ""),
            locale=user.get("locale", ""),
            admin=bool(user.get("is_admin") or user.get("is_owner")),
            outside=_outside(user, who),
        )
        await self._note(team, "person", found.model_dump_json(exclude={"admin"}), KEEP_PERSON_S, person)
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
            return await self.desk.noted(f"slack:{team}", note, person=person)
        except CallFailed:  # asked of Slack then
            return None

    async def _note(self, team: str, note: str, value: str, seconds: int, person: str = "") -> None:
        try:
            await self.desk.note(f"slack:{team}", note, value, seconds, person=person)
        except CallFailed:
            log.info("slack.not_noted", note=note)


def _outside(user: Mapping[str, Any], who: Who) -> bool:
    """Whether a user is of another workspace, and not of another one of the same organisation."""
    org = user.get("enterprise_user", {}).get("enterprise_id", "")
    elsewhere = user.get("is_stranger") or user.get("team_id", who.team) != who.team
    return bool(elsewhere) and not (org and org == who.org)
