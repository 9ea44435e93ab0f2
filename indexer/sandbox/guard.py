"""SSRF guard and audit hook: which addresses a link may reach, and which programs a child may start.

A submitted link is hostile. Its address is checked twice. `SsrfGuard.check_url` refuses early, with a clear
error. `install_audit_hook`, inside the child that fetches, checks every connection that is really opened,
which also covers redirects and host names that change their address (DNS rebinding). If the operator
configured a proxy, the child can connect to nothing else; the proxy then makes the connections and has to
refuse private addresses itself.

Allowed ports are those that web sites use: 80, 443, and all from 1024 except the few that the Fetch standard
blocks in browsers (https://fetch.spec.whatwg.org/#port-blocking). No link can make Reelseek speak to a mail
server.
"""

import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeAlias

from yarl import URL

from indexer.errors import (
    AddressRefusedError,
    FakeAddressError,
    NotALinkError,
    SchemeRefusedError,
    SiteUnreachableError,
    VideoNotFoundError,
)
from indexer.sandbox.environment import find_environment_proxy

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
HostResolver: TypeAlias = Callable[[str], Iterable[str]]
"""Returns all addresses of a host name. Raises `VideoNotFoundError` or `SiteUnreachableError`."""

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_BUT_INTERNAL = (
    IPv4Network("168.63.129.16/32"),  # Azure's host agent, reachable from inside its machines
    IPv4Network("192.0.0.0/24"),  # Oracle's metadata service; reserved for protocols, but global for Python
)
_FAKE = (
    IPv4Network("198.18.0.0/15"),  # benchmarks of routers; the default of Clash, Surge, Shadowrocket and sing-box
    IPv6Network("fc00::/18"),  # sing-box
    IPv6Network("fdfe:dcba:9876::/48"),  # mihomo
)
"""Where "fake-IP" proxies take the addresses from that they give for every name."""

_WEB_PORTS = frozenset({80, 443})
_FIRST_UNPRIVILEGED_PORT = 1024
_BLOCKED_PORTS = frozenset({1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080})
_BLOCKED_PORTS |= frozenset(range(6665, 6670))

_CONNECT_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_RUN_PROGRAM_EVENTS = frozenset({"subprocess.Popen", "os.posix_spawn"})
_START_PROCESS_EVENTS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.spawn", "os.system", "os.startfile", "pty.spawn"}
)
"""Audit events (PEP 578). The two events that run a program tell its path, so that one program can be
allowed.
"""


def resolve_host(host: str) -> list[str]:
    """Resolve a host name with the system's resolver.

    Raises `VideoNotFoundError` if the name does not exist, `NotALinkError` if it is not a valid name, and
    `SiteUnreachableError` if the resolver fails, which is worth a retry.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        no_such_name = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        error_class = VideoNotFoundError if error.errno in no_such_name else SiteUnreachableError
        raise error_class(f"{host}: {error}") from error
    except UnicodeError as error:
        raise NotALinkError(f"{host}: {error}") from error
    return [str(address[4][0]) for address in found]


@dataclass(frozen=True)
class SsrfGuard:
    """Rules against server-side request forgery (SSRF): only public addresses and web ports are allowed.

    `allow_networks` are also allowed although they are not public. `proxy` is the address of the operator's
    proxy.
    """

    allow_networks: Networks = ()
    proxy: str | None = None
    resolve: HostResolver = resolve_host

    def check_url(self, url: str) -> None:
        """Check scheme, host, port and every address of the host.

        Raises `SchemeRefusedError`, `NotALinkError`, `AddressRefusedError`, `VideoNotFoundError` or
        `SiteUnreachableError`.
        """
        try:
            parts = URL(url)
        except ValueError as error:
            raise NotALinkError(f"{error}: {url!r}") from error
        if parts.scheme not in ("http", "https"):
            raise SchemeRefusedError(f"{parts.scheme}: is not http(s)")
        if not parts.raw_host:
            raise NotALinkError(f"no host: {url!r}")
        if parts.user is not None or parts.password is not None:
            raise AddressRefusedError(f"a link with a user name hides its host {parts.raw_host}")
        self.check_port(parts.port or 0)
        has_proxy = self.choose_proxy(url) is not None
        for address in self._resolve_addresses(parts.raw_host, has_proxy):
            try:
                self.check_address(address)
            except FakeAddressError as error:
                if _parse_literal(parts.raw_host):  # no proxy has made up this address
                    raise AddressRefusedError(str(error)) from error
                if not has_proxy:  # the proxy resolves the name itself
                    raise

    def check_port(self, port: int) -> None:
        """Raise `AddressRefusedError` unless web sites are served on this port."""
        if port not in _WEB_PORTS and (port < _FIRST_UNPRIVILEGED_PORT or port in _BLOCKED_PORTS):
            raise AddressRefusedError(f"no web site is served on port {port}")

    def check_address(self, address: Address) -> None:
        """Raise `AddressRefusedError` unless the address is public or allowed."""
        inner = _extract_ipv4(address)
        if any(a in network for network in self.allow_networks for a in (address, inner)):
            return
        if any(inner in network for network in _FAKE):
            raise FakeAddressError(f"{address} is a placeholder")
        if not _is_public(inner):
            raise AddressRefusedError(f"{address} is not public")

    def choose_proxy(self, url: str) -> str | None:
        """Return the proxy for a link: the operator's for all links, else the one that the environment names."""
        return self.proxy or find_environment_proxy(url)

    def _resolve_addresses(self, host: str, has_proxy: bool) -> list[Address]:
        literal = _parse_literal(host)
        if literal is not None:
            return [literal]
        try:
            return [ip_address(found) for found in self.resolve(host)]
        except (VideoNotFoundError, SiteUnreachableError):
            if has_proxy:  # perhaps only the proxy can resolve names
                return []
            raise


def install_audit_hook(guard: SsrfGuard, programs: frozenset[str] = frozenset()) -> list[AddressRefusedError]:
    """Refuse, for the rest of this process's life, forbidden connections and all programs but `programs`.

    `programs` are absolute paths. Returns a list that collects the refused connections, because a library may
    wrap or swallow the error. Sockets that native code opens cause no audit event, so the caller must keep
    such code from the network.
    """
    refused: list[AddressRefusedError] = []
    proxies = _proxy_endpoints(guard)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECT_EVENTS and args[1] is not None:
            try:
                _check_connection(guard, proxies, args[0], args[1])
            except AddressRefusedError as error:
                refused.append(error)
                raise
        elif event in _START_PROCESS_EVENTS or (event in _RUN_PROGRAM_EVENTS and str(args[0]) not in programs):
            raise PermissionError(f"{event} {args[:1]} is refused")

    sys.addaudithook(hook)
    return refused


def forbid_network_and_exec() -> None:
    """Refuse, for the rest of this process's life, every connection and every program."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECT_EVENTS or event in _START_PROCESS_EVENTS or event in _RUN_PROGRAM_EVENTS:
            raise PermissionError(f"{event} is refused")

    sys.addaudithook(hook)


def _check_connection(guard: SsrfGuard, proxies: frozenset[tuple[str, int]], sock: socket.socket, target: Any) -> None:
    """Raise `AddressRefusedError` unless the guard, or the proxy rule, allows this connection."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise AddressRefusedError(f"a socket of family {sock.family}")
    try:
        address = ip_address(target[0])
    except ValueError as error:  # a host name here would be resolved after this check
        raise AddressRefusedError(f"{target[0]!r} is not an address") from error
    if guard.proxy:
        if (str(address), target[1]) not in proxies:
            raise AddressRefusedError(f"{address} port {target[1]} is not the proxy")
        return
    guard.check_port(target[1])
    guard.check_address(address)


def _proxy_endpoints(guard: SsrfGuard) -> frozenset[tuple[str, int]]:
    """Return address and port of the proxy.

    Raises `SiteUnreachableError` even if the proxy's name is wrong, because that is not the fault of a link.
    """
    if not guard.proxy:
        return frozenset()
    url = URL(guard.proxy)
    host, port = url.raw_host or "", url.explicit_port or url.port or 1080
    literal = _parse_literal(host)
    try:
        found = [str(literal)] if literal else guard.resolve(host)
    except (VideoNotFoundError, NotALinkError) as error:
        raise SiteUnreachableError(f"the proxy: {error}") from error
    return frozenset((address, port) for address in found)


def _parse_literal(host: str) -> Address | None:
    """Parse a host that is an address: dotted, decimal, hex, octal, short, or IPv6 with or without a zone."""
    bare = host.strip("[]").removesuffix(".")
    try:
        return ip_address(bare)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(bare))
    except (OSError, ValueError):
        return None


def _extract_ipv4(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 address (mapped, 6to4, NAT64), or else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _PUBLIC_BUT_INTERNAL):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
