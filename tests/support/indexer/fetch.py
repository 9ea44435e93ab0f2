"""Types and networks of the tests of fetching."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Final, TypeAlias

from indexer.types import FetchResult

Fetch: TypeAlias = Callable[..., FetchResult]
"""Fetches a link with limits that keywords may change; the fixture `fetch`."""

LOOPBACK: Final = IPv4Network("127.0.0.1/32")
