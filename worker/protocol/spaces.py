"""Requests about a space: its settings, what is kept of it, and the removal of the bot."""

import time
from typing import Literal

from pydantic import Field

from worker.protocol.base import Ack, Request, WireModel


class SpaceSettings(WireModel):
    """Settings that the admins of a space choose."""

    watched: tuple[str, ...] = ()
    """Ids of channels whose links are submitted automatically."""
    submitters: Literal["everyone", "admins"] = "everyone"
    language: Literal["en", "ko", "zh"] | None = None
    """Language of what the whole space reads. None: the platform's."""
    answers: Literal["private", "public"] = "private"
    private_channels: Literal["closed", "open"] = "closed"
    """Whether links from private channels are found only there (`closed`) or in the whole space."""


class GetSettings(Request[SpaceSettings]):
    """Get the space's settings."""

    task = "get_settings"
    answer = SpaceSettings


class ChangeSettings(Request[SpaceSettings]):
    """Replace the space's settings. Admins only."""

    task = "change_settings"
    answer = SpaceSettings
    settings: SpaceSettings


class RetentionPolicy(WireModel):
    """How long the installation keeps data. None: until it is deleted."""

    leave_grace_days: float
    """From the removal of the bot to the deletion of the space's data."""
    adapter_scope: Literal["space", "installation"]
    keep_queries_days: float | None = None
    """Votes, with their queries."""
    keep_results_days: float = 30
    """Results that were shown in chats."""
    keep_frames_days: float | None = None
    """Sampled frames; thumbnails are kept."""
    vision_host: str | None = None
    """The model server that gets frames and words of moments when someone asks what happens in them."""


class GetRetentionPolicy(Request[RetentionPolicy]):
    """Get the installation's retention policy."""

    task = "get_retention_policy"
    answer = RetentionPolicy


class RecordBotRemoval(Request[Ack]):
    """Record that the bot was removed from the space, or with `is_back` that it was added again.

    The space's data is deleted after the installation's grace period. If two requests arrive in the wrong order, the
    one with the later `at` counts.
    """

    task = "record_bot_removal"
    answer = Ack
    is_back: bool = False
    at: float = Field(default_factory=time.time)
    """When it happened (Unix time)."""
