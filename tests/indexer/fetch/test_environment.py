"""Tests of what the environment says to everything that fetches: certificate authorities and proxies."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import AddressRefusedError, FakeAddressError, SiteUnreachableError
from indexer.sandbox.environment import build_child_environment, find_environment_proxy, use_named_authorities
from indexer.sandbox.guard import SsrfGuard
from tests.support.indexer.fetch import Fetch
from tests.support.servers.site import Site, run_site
from tests.support.servers.tls import build_server_context

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *PROXIES, *(name.lower() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secure_site(tmp_path: Path) -> Iterator[tuple[Site, Path]]:
    """Run a site whose certificate is of a company's own authority."""
    context, authority = build_server_context(tmp_path)
    with run_site(context) as site:
        yield site, authority


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_site_with_a_certificate_of_the_named_authority_is_fetched(
    fetch: Fetch, secure_site: tuple[Site, Path], clip: bytes, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    site, authority = secure_site
    monkeypatch.setenv(variable, str(authority))
    result = fetch(site.put("/v.mp4", clip, kind="video/mp4"))
    assert result.media is not None
    assert result.media.read_bytes() == clip


def test_unknown_authority_is_refused(fetch: Fetch, secure_site: tuple[Site, Path], clip: bytes) -> None:
    with pytest.raises(SiteUnreachableError):
        fetch(secure_site[0].put("/v.mp4", clip, kind="video/mp4"))


def test_child_gets_absolute_paths_of_authorities_and_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first variable wins. A folder of authorities is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELSEEK_SLACK_TOKEN", "secret")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "company.pem")
    expected = {"PATH", "SSL_CERT_FILE"}
    assert build_child_environment().keys() == expected
    assert build_child_environment()["SSL_CERT_FILE"] == str(tmp_path / "company.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own.pem")
    assert build_child_environment()["SSL_CERT_FILE"] == "/etc/own.pem"
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path))
    assert build_child_environment()["SSL_CERT_DIR"] == str(tmp_path)


def test_process_trusts_what_any_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bots and workers, too: their libraries read OpenSSL's variables only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "company.pem")
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(variable, "")
    use_named_authorities()
    assert os.environ["SSL_CERT_FILE"] == str(tmp_path / "company.pem")
    assert "SSL_CERT_DIR" not in os.environ


def test_proxy_of_environment_is_used(fetch: Fetch, site: Site, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the proxy is reached, and it resolves the name."""
    site.put("/v.mp4", clip, kind="video/mp4")
    monkeypatch.setenv("HTTP_PROXY", site.base)
    result = fetch("http://no-such-host.invalid/v.mp4", allow_networks=())
    assert result.media is not None
    assert site.requested_paths


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", None])
def test_placeholder_address_of_a_name_is_no_reason_behind_a_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """Behind a "fake-IP" proxy that is also named as a proxy, the proxy resolves the names."""
    guard = SsrfGuard(proxy=None if variable else "http://127.0.0.1:7890", resolve=lambda host: ["198.18.0.7"])
    if variable:
        with pytest.raises(FakeAddressError):
            guard.check_url("https://video.example/1")
        monkeypatch.setenv(variable, "http://127.0.0.1:7890")
    guard.check_url("https://video.example/1")
    with pytest.raises(AddressRefusedError):
        guard.check_url("https://198.18.0.7/1")


def test_host_of_no_proxy_is_reached_directly(
    fetch: Fetch, site: Site, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert fetch(site.put("/v.mp4", clip, kind="video/mp4")).media is not None


def test_operators_proxy_comes_before_that_of_environment(
    fetch: Fetch, site: Site, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("/v.mp4", clip, kind="video/mp4")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "video.example")
    assert (
        fetch("http://video.example/v.mp4", proxy=site.base, resolve=lambda host: ["93.184.216.34"]).media is not None
    )


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "https://a.example/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "http://a.example/", "http://q:2"),
        ({"HTTP_PROXY": "http://q:2"}, "https://a.example/", "http://q:2"),
        ({"https_proxy": "http://p:1"}, "https://a.example/", "http://p:1"),
        ({"all_proxy": "socks5://s:3"}, "http://a.example/", "socks5://s:3"),
        ({"HTTPS_PROXY": "p:1"}, "https://a.example/", "http://p:1"),
        ({"HTTPS_PROXY": ""}, "https://a.example/", None),
        ({}, "https://a.example/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.example, .a.example"}, "https://x.a.example/v", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.example/", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "a.example:8443"}, "https://a.example:8443/", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.org"}, "https://a.example/", "http://p:1"),
    ],
)
def test_proxy_of_environment_is_chosen_as_documented(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert find_environment_proxy(url) == proxy
