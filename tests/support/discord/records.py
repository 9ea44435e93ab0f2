"""Interactions as the fake Discord keeps them, and the faults that tests plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.discord.world import FakeUser


@dataclass
class FakeInteraction:
    """One interaction as Discord sees it."""

    id: int
    token: str
    user: FakeUser
    at: float
    kind: int
    guild: int
    channel: int
    source: dict[str, Any] | None = None
    """The message whose button was pressed."""
    sent_at: float = 0.0
    acknowledged_s: float | None = None
    """Seconds from the event to the callback, in real time."""
    response: dict[str, Any] | None = None
    original: dict[str, Any] | None = None
    """The message that answers it."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """Every state of every message that answered it, oldest first."""


@dataclass
class Fault:
    """A planned answer to the next matching requests. With status 0, the connection breaks."""

    method: str
    address: str
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1


class RefusedError(Exception):
    """Discord refuses a request with this HTTP status, error code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
