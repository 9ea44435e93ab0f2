"""What everything that fetches takes from the environment: certificate authorities and proxies."""

import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name certificate authorities, as a PEM file or a folder. The first ones win."""


def build_child_environment() -> dict[str, str]:
    """Return the variables that a child process needs. All others, which may hold tokens, are kept from it."""
    path = {"PATH": os.environ["PATH"]} if "PATH" in os.environ else {}
    return path | _find_authorities(os.environ)


def names_authorities() -> bool:
    """Return whether the environment names certificate authorities, such as a company's own."""
    return bool(_find_authorities(os.environ))


def use_named_authorities() -> None:
    """Let all libraries of this process trust the certificate authorities that the environment names.

    They read OpenSSL's variables. An empty one is removed: with it, OpenSSL would trust no authority.
    """
    found = _find_authorities(os.environ)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        os.environ.pop(name, None)
        os.environ |= {name: found[name]} if name in found else {}


def find_environment_proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a link: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.

    Returns None without one, and if NO_PROXY lists the host.
    """
    address = urlsplit(url)
    if urllib.request.proxy_bypass_environment(address.netloc.rpartition("@")[2]):  # type: ignore[attr-defined]
        return None
    proxies = urllib.request.getproxies_environment()
    names = ("https", "http", "all") if address.scheme == "https" else ("http", "all")
    proxy = next((proxies[name] for name in names if proxies.get(name)), None)
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _find_authorities(environment: Mapping[str, str]) -> dict[str, str]:
    """Return certificate authorities as OpenSSL's own variables, with absolute paths: a child works elsewhere."""
    found: dict[str, str] = {}
    for name in _AUTHORITIES:
        if environment.get(name):
            path = Path(environment[name]).absolute()
            is_folder = name == "SSL_CERT_DIR" or path.is_dir()
            found.setdefault("SSL_CERT_DIR" if is_folder else "SSL_CERT_FILE", str(path))
    return found
