"""The error by which a handler refuses a request."""

from worker.protocol.error_codes import ErrorCode


class RequestRefusedError(Exception):
    """The request cannot be carried out, for a reason that the caller can act on."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code
