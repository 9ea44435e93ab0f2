"""Access to files that people uploaded to Discord: an address whose signature has expired is signed again.

The signature of a link may expire while its job waits, or before the job is repeated.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import httpx

from indexer.errors import DiscordFileError, SiteUnreachableError
from indexer.link.attachments import is_signed_until, strip_signature
from worker.settings import Settings

API_URL: Final = "https://discord.com/api/v10"
MIN_REMAINING_S: Final = 60.0
TIMEOUT_S: Final = 15.0


def sign_address(
    settings: Settings, address: str, *, api_url: str = API_URL, clock: Callable[[], float] = time.time
) -> str:
    """Return the address to fetch: an attachment's with a valid signature, any other one as it is.

    Raises `DiscordFileError` if Discord does not sign it, or if there is no token to ask with, and
    `SiteUnreachableError` if Discord cannot be asked now.
    """
    unsigned = strip_signature(address)
    if unsigned is None or is_signed_until(address, clock() + MIN_REMAINING_S):
        return address
    if settings.discord_token is None:
        raise DiscordFileError(f"the signature has expired, and there is no token: {unsigned}")
    try:
        answer = httpx.post(
            f"{api_url}/attachments/refresh-urls",
            headers={"Authorization": f"Bot {settings.discord_token.get_secret_value()}"},
            json={"attachment_urls": [unsigned]},
            timeout=TIMEOUT_S,
        ).raise_for_status()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        is_transient = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise (SiteUnreachableError if is_transient else DiscordFileError)(str(error)) from error
    except httpx.HTTPError as error:
        raise SiteUnreachableError(f"Discord: {error}") from error
    signed = next((each.get("refreshed") for each in answer.json()["refreshed_urls"]), None)
    if not signed:
        raise DiscordFileError(f"not signed: {unsigned}")
    return str(signed)
