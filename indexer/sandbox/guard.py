"""A submitted link is hostile: which addresses it may reach, and which programs may run for it.

An address is looked at twice. `SsrfGuard.check_url` refuses early and in words; `install_audit_hook`, inside the child that
fetches, looks at every connection that is really made, so that redirects and names that change their address are
covered too. With a proxy the operator chose, the child reaches nothing but the proxy; it is the proxy that connects
then, and has to refuse private addresses itself.

Reachable ports are those that web sites are served on: 80, 443, and from 1024 upwards but for the few that the Fetch
standard keeps browsers from (https://fetch.spec.whatwg.org/#port-blocking). No link makes us speak to a mail server.
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
    NotALinkError,
    SchemeRefusedError,
    SiteUnreachableError,
    VideoNotFoundError,
)

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
HostResolver: TypeAlias = Callable[[str], Iterable[str]]
"""All addresses of a host name. Raises `VideoNotFoundError` or `SiteUnreachableError`."""

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_BUT_INTERNAL = (
    IPv4Network("168.63.129.16/32"),  # Azure's host agent, from inside its machines
    IPv4Network("192.0.0.0/24"),  # Oracle's metadata; for protocols, yet Python counts most of it as global
)

_WEB_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024
_BLOCKED_PORTS = frozenset({1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080})
_BLOCKED_PORTS |= frozenset(range(6665, 6670))

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_RUNS_PROGRAM = frozenset({"subprocess.Popen", "os.posix_spawn"})
_STARTS_PROCESS = frozenset({"os.exec", "os.fork", "os.forkpty", "os.spawn", "os.system", "os.startfile", "pty.spawn"})


def resolve_host(host: str) -> list[str]:
    """The system's resolver. A name that does not exist is `VideoNotFoundError`; a resolver that fails may answer later."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        missing = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        raise (VideoNotFoundError if error.errno in missing else SiteUnreachableError)(f"{host}: {error}") from error
    except UnicodeError as error:
        raise NotALinkError(f"{host}: {error}") from error
    return [str(address[4][0]) for address in found]


@dataclass(frozen=True)
class SsrfGuard:
    """`allow_networks` are reachable although not public; `proxy` is an address the operator chose."""

    allow_networks: Networks = ()
    proxy: str | None = None
    resolve: HostResolver = resolve_host

    def check_url(self, url: str) -> None:
        """Raises `SchemeRefusedError`, `NotALinkError`, `AddressRefusedError`, `VideoNotFoundError` or `SiteUnreachableError`."""
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
        for address in self._addresses(parts.raw_host):
            self.check_address(address)

    def check_port(self, port: int) -> None:
        """Raises `AddressRefusedError`."""
        if port not in _WEB_PORTS and (port < _FIRST_FREE_PORT or port in _BLOCKED_PORTS):
            raise AddressRefusedError(f"no web site is served on port {port}")

    def check_address(self, address: Address) -> None:
        """Raises `AddressRefusedError`."""
        inner = _embedded(address)
        if any(a in network for network in self.allow_networks for a in (address, inner)):
            return
        if not _is_public(inner):
            raise AddressRefusedError(f"{address} is not public")

    def _addresses(self, host: str) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        try:
            return [ip_address(found) for found in self.resolve(host)]
        except (VideoNotFoundError, SiteUnreachableError):
            if self.proxy:  # where only the proxy resolves names, nothing is known here
                return []
            raise


def install_audit_hook(guard: SsrfGuard, programs: frozenset[str] = frozenset()) -> list[AddressRefusedError]:
    """Makes this process refuse, for the rest of its life, connections to addresses `guard` refuses and every program
    not in `programs` (absolute paths).

    The list returned collects the refused connections: a library may wrap the error, but not unmake it. Sockets
    that native code opens are not seen; the caller keeps such code from the network.
    """
    refused: list[AddressRefusedError] = []
    proxies = _endpoints(guard)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECTS and args[1] is not None:
            try:
                _check_connection(guard, proxies, args[0], args[1])
            except AddressRefusedError as error:
                refused.append(error)
                raise
        elif event in _STARTS_PROCESS or (event in _RUNS_PROGRAM and str(args[0]) not in programs):
            raise PermissionError(f"{event} {args[:1]} is refused")

    sys.addaudithook(hook)
    return refused


def forbid_network_and_exec() -> None:
    """Makes this process unable to connect to anything or to start a program, for the rest of its life."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECTS or event in _STARTS_PROCESS or event in _RUNS_PROGRAM:
            raise PermissionError(f"{event} is refused")

    sys.addaudithook(hook)


def _check_connection(guard: SsrfGuard, proxies: frozenset[tuple[str, int]], sock: socket.socket, target: Any) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise AddressRefusedError(f"a socket of family {sock.family}")
    try:
        address = ip_address(target[0])
    except ValueError as error:  # a name here would be resolved after this look at it
        raise AddressRefusedError(f"{target[0]!r} is no address") from error
    if guard.proxy:
        if (str(address), target[1]) not in proxies:
            raise AddressRefusedError(f"{address} port {target[1]} is not the proxy")
        return
    guard.check_port(target[1])
    guard.check_address(address)


def _endpoints(guard: SsrfGuard) -> frozenset[tuple[str, int]]:
    """Address and port of the proxy. Raises `SiteUnreachableError`, whatever is wrong with its name: no link is to blame."""
    if not guard.proxy:
        return frozenset()
    url = URL(guard.proxy)
    host, port = url.raw_host or "", url.explicit_port or url.port or 1080
    literal = _literal(host)
    try:
        found = [str(literal)] if literal else guard.resolve(host)
    except (VideoNotFoundError, NotALinkError) as error:
        raise SiteUnreachableError(f"the proxy: {error}") from error
    return frozenset((address, port) for address in found)


def _literal(host: str) -> Address | None:
    """The address that a host spells: dotted, decimal, hex, octal, short, IPv6 with or without a zone."""
    bare = host.strip("[]").removesuffix(".")
    try:
        return ip_address(bare)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(bare))
    except (OSError, ValueError):
        return None


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to (mapped, 6to4, NAT64), or the address itself."""
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
