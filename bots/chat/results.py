"""Search results that were shown, kept so that the buttons under them work later and in every process."""

import secrets
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter
from redis.asyncio import Redis

from bots.chat.redis_calls import fail_with_code, parse_stored
from bots.commands.replies import Results
from worker import user_data
from worker.protocol.base import Caller

RESULTS_TTL_S: Final = 30 * 86400.0


@dataclass(frozen=True)
class StoredResults:
    """Results that a user was shown, and the private channel in which they were shown, if any."""

    private_channel: str | None
    results: Results

    def is_visible_to(self, caller: Caller) -> bool:
        """Return whether `caller` can have seen these results. A token that came from elsewhere is a guess."""
        return self.private_channel in (None, caller.private_channel)


STORED_RESULTS: Final = TypeAdapter(StoredResults)


class ResultStore:
    """Shown results by token. Methods raise `CallFailedError` if Redis cannot be reached."""

    def __init__(self, redis: Redis, ttl_s: float) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    @fail_with_code
    async def save_results(self, caller: Caller, results: Results) -> str:
        """Store results. Returns the token that finds them again from the caller's space.

        They are deleted after the time to live, or earlier with the data of the caller.
        """
        token = user_data.hash_user(caller.user_id) + secrets.token_urlsafe(9)
        body = STORED_RESULTS.dump_json(StoredResults(caller.private_channel, results))
        await self._redis.set(_results_key(caller.space, token), body, px=int(1000 * self._ttl_s))
        return token

    @fail_with_code
    async def load_results(self, space: str, token: str) -> StoredResults | None:
        """Return the results of a token, or None if this space has none under it."""
        raw = await self._redis.get(_results_key(space, token))
        return parse_stored(STORED_RESULTS, raw) if raw else None


def _results_key(space: str, token: str) -> str:
    return user_data.make_key_by_hash(space, token[: user_data.USER_HASH_CHARS], "shown", token)
