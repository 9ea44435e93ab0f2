"""What a moment is found by besides looks and motion: speech, text on the screen, and sounds.

The wire protocol and the frontends use it too, so this module imports nothing heavy.
"""

from dataclasses import dataclass
from enum import StrEnum


class Sense(StrEnum):
    """What is recognized in a video after its looks."""

    SAID = "said"
    SHOWN = "shown"
    HEARD = "heard"


class SenseStatus(StrEnum):
    """How far the recognition of one sense has come for a video."""

    PENDING = "pending"
    DONE = "done"
    """Also if there was nothing to recognize."""
    FAILED = "failed"
    OFF = "off"
    """The settings exclude it, or the video has no sound track or no pictures."""


@dataclass(frozen=True)
class SoundTag:
    """A sound with its range in the video, in seconds."""

    name: str
    """Display name of its AudioSet class."""
    score: float
    """0 to 1."""
    start_s: float
    end_s: float

    @property
    def sentence(self) -> str:
        """What a query about this sound would say. The word "sound" tells it from queries about looks."""
        return f"the sound of {self.name.lower()}"
