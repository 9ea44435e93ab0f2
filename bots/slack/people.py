"""Who asks, and from where, as Slack says: names, languages, admins, and which channels are private."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp
import structlog
from pydantic import BaseModel
from slack_sdk.errors import SlackApiError

from bots.desk import Desk
from bots.slack.teams import Teams
from worker.messages import Asker, CallFailed

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
class Known:
    """Who asks, and how to speak to that person."""

    asker: Asker
    locale: str
    outside: bool
    """Of another workspace, with which a channel is shared: what is found here is none of theirs."""


@dataclass(frozen=True)
class People:
    teams: Teams
    desk: Desk
    _asking: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def asker(self, team: str, person: str, channel: str = "", *, name: str = "", anew: bool = False) -> Known:
        """Only `anew` is Slack asked for admins; otherwise nobody is one."""
        known = await self._person(team, person, anew)
        asker = Asker(
            space=f"slack:{team}",
            person=person,
            name=known.name or name or person,
            room=channel if channel and await self._private(team, channel) else "",
            admin=anew and known.admin,
        )
        return Known(asker, known.locale, known.outside)

    async def _person(self, team: str, person: str, anew: bool) -> Person:
        note = f"slack:{team}:person:{person}"
        if not anew and (known := await self._noted(note)):
            return Person.model_validate_json(known)
        return await self._once(note, lambda: self._asked_person(note, team, person))

    async def _asked_person(self, note: str, team: str, person: str) -> Person:
        try:
            web = await self.teams.web(team)
            user = (await web.users_info(user=person, include_locale=True))["user"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            log.warning("slack.person_unknown", team=team, person=person, error=error)
            return Person()
        profile = user.get("profile", {})
        found = Person(
            name=profile.get("display_name") or profile.get("real_name") or user.get("name", ""),
            locale=user.get("locale", ""),
            admin=bool(user.get("is_admin") or user.get("is_owner")),
            outside=bool(user.get("is_stranger") or user.get("team_id", team) != team)
            and "enterprise_user" not in user,
        )
        await self._note(note, found.model_dump_json(exclude={"admin"}), KEEP_PERSON_S)
        return found

    async def _private(self, team: str, channel: str) -> bool:
        """Whether not everybody in the workspace may read along. What Slack doesn't show us is private."""
        note = f"slack:{team}:channel:{channel}"
        if known := await self._noted(note):
            return known == "private"
        return await self._once(note, lambda: self._asked_private(note, team, channel))

    async def _asked_private(self, note: str, team: str, channel: str) -> bool:
        try:
            web = await self.teams.web(team)
            found = (await web.conversations_info(channel=channel))["channel"]
        except (SlackApiError, aiohttp.ClientError, TimeoutError, LookupError) as error:
            # Its error for a channel that the bot can't see is no fault, and every other one must not open a channel.
            log.info("slack.channel_unknown", team=team, channel=channel, error=error)
            return True
        private = bool(found.get("is_private") or found.get("is_im") or found.get("is_mpim"))
        await self._note(note, "private" if private else "public", KEEP_PRIVATE_S if private else KEEP_PUBLIC_S)
        return private

    async def _once(self, note: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Slack limits how often it is asked: who wants to know the same at the same time waits for the one answer."""
        if note not in self._asking:
            task = asyncio.create_task(ask())
            self._asking[note] = task
            task.add_done_callback(lambda _: self._asking.pop(note, None))
        found: T = await asyncio.shield(self._asking[note])
        return found

    async def _noted(self, note: str) -> str | None:
        try:
            return await self.desk.noted(note)
        except CallFailed:  # asked of Slack then
            return None

    async def _note(self, note: str, value: str, seconds: int) -> None:
        try:
            await self.desk.note(note, value, seconds)
        except CallFailed:
            log.info("slack.not_noted", note=note)
