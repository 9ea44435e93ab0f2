"""Users who send requests, for tests of handlers and jobs."""

from typing import Final

from worker.protocol.base import Caller

ANN: Final = Caller(space="discord:1", user_id="ann", display_name="Ann")
BOB: Final = Caller(space="discord:1", user_id="bob")
ADMIN: Final = Caller(space="discord:1", user_id="zoe", is_admin=True)
ANN_IN_PRIVATE_CHANNEL: Final = Caller(space="discord:1", user_id="ann", display_name="Ann", private_channel="55")
OTHER_SPACE: Final = Caller(space="slack:2", user_id="kim", is_admin=True)
"""An admin of another space."""
