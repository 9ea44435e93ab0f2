"""What the local Discord keeps of an interaction, and how it refuses and fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.discord.world import Person


@dataclass
class Asked:
    """One interaction as the platform sees it."""

    id: int
    token: str
    user_id: Person
    at: float
    kind: int
    guild: int
    channel: int
    source: dict[str, Any] | None = None
    """The message whose button was pressed."""
    sent_at: float = 0.0
    acknowledged_s: float | None = None
    """Seconds from the event to the callback, by the machine's clock."""
    response: dict[str, Any] | None = None
    original: dict[str, Any] | None = None
    """The message that answers."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """Every state of every message that answered, oldest first."""


@dataclass
class Fault:
    """The next answers to some requests."""

    method: str
    address: str
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1


class Refused(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
