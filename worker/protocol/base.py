"""Base types of the wire. What crosses between frontends and workers is one of these models, as JSON; nothing else is.

A frontend sends a `Request` and gets that request's answer. A submitted link or a retrain becomes a job, and the
frontend follows the updates (`worker.protocol.updates`) of the job's id.
"""

from typing import ClassVar, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from worker.protocol.error_codes import ErrorCode

SPACE_NAME: Final = r"discord:[0-9]{1,20}|slack:[A-Z][A-Z0-9]{0,20}|local:[A-Za-z0-9_-]{1,64}"
"""Pattern of the whole name of a space that an operator can name."""
LOCAL_SPACE: Final = "local:me"
"""The space of an installation without chats: `reelseek up`, its web chat, and commands without `--space`."""


class WireModel(BaseModel):
    """Base of everything that crosses the wire. Unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=WireModel, covariant=True)


class Caller(WireModel):
    """The user of a request, and the space it comes from."""

    space: str = Field(pattern=r"^(discord|slack|local):[\w-]+$")
    user_id: str
    """The platform's id, because names change."""
    display_name: str | None = None
    """Name of the user as other members of the space see it. None if it is not known."""
    private_channel: str | None = Field(default=None, pattern=r"^[\w-]+$")
    """Id of the private channel that the request comes from. None: the whole space can read the channel."""
    is_admin: bool = False
    """Checked with the platform at each request."""

    @property
    def name(self) -> str:
        """Return the name to show for the user, or the platform's id if it is not known."""
        return self.display_name or self.user_id

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return what can be found from here: the space's videos, and those submitted in this private channel."""
        return (self.space, f"{self.space}/{self.private_channel}") if self.private_channel else (self.space,)


class Request(WireModel, Generic[A]):
    """A call to the workers that is answered with an `A`."""

    task: ClassVar[str]
    """Name of the request on the wire."""
    answer: ClassVar[type[WireModel]]
    """The class of `A`."""
    caller: Caller


class Ack(WireModel):
    """Answer of a request that returns nothing."""


class CallFailedError(Exception):
    """Raised in the caller if a request failed or was not answered."""

    def __init__(self, code: ErrorCode, correlation_id: str | None) -> None:
        super().__init__(f"{code} ({correlation_id})")
        self.code = code
        self.correlation_id = correlation_id
