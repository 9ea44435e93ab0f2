"""The proxy that the environment names, for the bots of all platforms."""

import urllib.request
from urllib.parse import urlsplit


def find_proxy(url: str) -> str | None:
    """Return the proxy for the API at `url`: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, in upper or lower case.

    Returns None without one, and if NO_PROXY lists the host.
    """
    if urllib.request.proxy_bypass(urlsplit(url).netloc.rpartition("@")[2]):
        return None
    proxies = urllib.request.getproxies()
    return next((proxies[scheme] for scheme in ("https", "http", "all") if proxies.get(scheme)), None)
