"""Short texts and space settings that frontends keep in Redis, named so that they are deleted with their space."""

from typing import Final

from redis.asyncio import Redis

from bots.chat.redis_calls import decode_text, fail_with_code
from worker import user_data
from worker.protocol.spaces import SpaceSettings
from worker.user_data import CHAT_REQUEST_TTL_S

SETTINGS_TTL_S: Final = 3600


class NoteStore:
    """Short texts by key, such as the id of a file that a platform was sent.

    A note belongs to a space, to a user in it, or to the whole installation (`space` is None). Methods raise
    `CallFailedError` if Redis cannot be reached.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @fail_with_code
    async def set_note(
        self, space: str | None, key: str, value: str, ttl_s: int = CHAT_REQUEST_TTL_S, *, user_id: str | None = None
    ) -> None:
        """Store a note for `ttl_s` seconds."""
        await self._redis.set(_note_key(space, key, user_id), value, ex=ttl_s)

    @fail_with_code
    async def get_note(self, space: str | None, key: str, *, user_id: str | None = None) -> str | None:
        """Return a note, or None if it is missing or expired."""
        raw = await self._redis.get(_note_key(space, key, user_id))
        return None if raw is None else decode_text(raw)

    @fail_with_code
    async def delete_note(self, space: str | None, key: str) -> None:
        """Delete a note of a space. Does nothing if it is missing."""
        await self._redis.delete(_note_key(space, key, None))


class SettingsCache:
    """Space settings as the workers last reported them. Methods raise `CallFailedError` if Redis cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @fail_with_code
    async def get_settings(self, space: str) -> SpaceSettings | None:
        """Return the cached settings. None: ask the workers."""
        raw = await self._redis.get(_settings_key(space))
        return SpaceSettings.model_validate_json(raw) if raw else None

    @fail_with_code
    async def put_settings(self, space: str, settings: SpaceSettings) -> None:
        """Cache settings for an hour."""
        await self._redis.set(_settings_key(space), settings.model_dump_json(), ex=SETTINGS_TTL_S)

    @fail_with_code
    async def invalidate_settings(self, space: str) -> None:
        """Drop the cached settings, because they may have changed."""
        await self._redis.delete(_settings_key(space))


def _note_key(space: str | None, key: str, user_id: str | None) -> str:
    return user_data.make_key(space or "", user_id, "note", key)


def _settings_key(space: str) -> str:
    return user_data.make_key(space, None, "settings", "")
