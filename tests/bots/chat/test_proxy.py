"""Proxies of the environment."""

import pytest

from worker.environment import find_environment_proxy as find_proxy

pytestmark = pytest.mark.unit

PROXY = "http://user:secret@proxy.example:3128"
API = "https://discord.com/api/v10"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert find_proxy(API) is None
    monkeypatch.setenv(name, PROXY)
    assert find_proxy(API) == PROXY


@pytest.mark.parametrize(
    ("excluded", "url"),
    [
        ("discord.com", API),
        (".discord.com, other.example", API),
        ("*", API),
        ("localhost,127.0.0.1", "http://127.0.0.1:8000/api"),
    ],
)
def test_hosts_of_no_proxy_are_reached_directly(monkeypatch: pytest.MonkeyPatch, excluded: str, url: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", excluded)
    assert find_proxy(url) is None
    assert find_proxy("https://slack.com/api/") == (None if excluded == "*" else PROXY)


def test_empty_proxy_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "")
    assert find_proxy(API) is None
