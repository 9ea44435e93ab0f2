"""Videos that people upload to Discord: signed again if the signature has expired before they are fetched."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import DiscordFileError, FetchError, SiteUnreachableError
from tests.support.servers.site import Site, run_site
from worker.discord_files import sign_address
from worker.protocol.error_codes import ErrorCode
from worker.settings import Settings

FILE = "https://cdn.discordapp.com/attachments/1/2/clip.mp4"
NOW = 1_800_000_000.0
EXPIRED = f"{FILE}?ex={int(NOW) - 1:x}&is=1&hm=a&"
FRESH = f"{FILE}?ex={int(NOW) + 86400:x}&is=1&hm=a&"

pytestmark = pytest.mark.usefixtures("no_dotenv")


@pytest.fixture
def site() -> Iterator[Site]:
    with run_site() as site:
        yield site


def answer(site: Site, refreshed: str | None, status: int = HTTPStatus.OK) -> None:
    body = {"refreshed_urls": [{"original": FILE, "refreshed": refreshed}]}
    site.put("/attachments/refresh-urls", json.dumps(body), kind="application/json", status=status)


def sign(site: Site, address: str, **settings: Any) -> str:
    own = Settings(discord_token="good", **settings)
    return sign_address(own, address, api_url=site.base, clock=lambda: NOW)


@pytest.mark.parametrize("address", [EXPIRED, FILE, f"{FILE}?ex=zz&is=1&hm=a&"])
def test_address_without_a_valid_signature_is_signed_again(site: Site, address: str) -> None:
    answer(site, FRESH)
    assert sign(site, address) == FRESH


@pytest.mark.parametrize(
    "address", [FRESH, "https://video.example/a.mp4?ex=1", f"https://video.example/?next={EXPIRED}"]
)
def test_other_addresses_are_fetched_as_they_are_without_a_question(site: Site, address: str) -> None:
    assert sign(site, address) == address
    assert site.requested_paths == []


def test_expired_address_without_a_token_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DiscordFileError) as raised:
        sign_address(Settings(data_dir=tmp_path), EXPIRED, clock=lambda: NOW)
    assert raised.value.code == ErrorCode.DISCORD_FILE


@pytest.mark.parametrize(
    ("refreshed", "status", "error"),
    [
        (None, HTTPStatus.OK, DiscordFileError),
        (FRESH, HTTPStatus.UNAUTHORIZED, DiscordFileError),
        (FRESH, HTTPStatus.TOO_MANY_REQUESTS, SiteUnreachableError),
        (FRESH, HTTPStatus.BAD_GATEWAY, SiteUnreachableError),
    ],
)
def test_address_that_discord_does_not_sign_is_an_error_or_is_retried(
    site: Site, refreshed: str | None, status: int, error: type[FetchError]
) -> None:
    answer(site, refreshed, status)
    with pytest.raises(error):
        sign(site, EXPIRED)


def test_discord_out_of_reach_is_tried_again() -> None:
    with pytest.raises(SiteUnreachableError):
        sign_address(Settings(discord_token="good"), EXPIRED, api_url="http://127.0.0.1:9", clock=lambda: NOW)
