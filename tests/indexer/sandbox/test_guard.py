"""Tests of the SSRF guard and the audit hook: no private address, no program but one."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import (
    AddressRefusedError,
    FakeAddressError,
    NotALinkError,
    SchemeRefusedError,
    SiteUnreachableError,
    VideoNotFoundError,
)
from indexer.sandbox.guard import SsrfGuard, resolve_host

PRIVATE = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "１２７.0.0.1",
    "10.0.0.8",
    "172.16.3.4",
    "192.168.1.1",
    "3232235777",
    "169.254.169.254",
    "0xa9fea9fe",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
]


def guard_resolving(addresses: dict[str, Iterable[str]]) -> SsrfGuard:
    """Return a guard whose resolver knows only these names."""
    return SsrfGuard(resolve=lambda host: addresses[host])


@pytest.mark.parametrize("host", PRIVATE)
def test_ssrf_guard_refuses_private_address_in_every_spelling(host: str) -> None:
    """Loopback, private, link-local, metadata and reserved addresses are refused in every notation."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url(f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:4700::6810:85e5]", "[64:ff9b::8.8.8.8]", "[::ffff:8.8.8.8]"])
def test_ssrf_guard_allows_public_address(host: str) -> None:
    """Public addresses are allowed, also IPv6 forms of a public IPv4 address."""
    SsrfGuard().check_url(f"https://{host}:8443/a")


def test_ssrf_guard_refuses_name_with_a_private_address() -> None:
    """One private address among the addresses of a name is enough."""
    guard = guard_resolving(
        {"inner.example": ["10.0.0.1"], "mixed.example": ["8.8.8.8", "::1"], "outer.example": ["8.8.8.8"]}
    )
    guard.check_url("https://outer.example/")
    for host in ("inner.example", "mixed.example"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "address", ["198.18.0.7", "198.19.255.1", "fc00::12", "fdfe:dcba:9876::5", "::ffff:198.18.0.7"]
)
def test_placeholder_of_a_fake_ip_proxy_is_refused_with_its_own_sentence(address: str) -> None:
    """Unless the network is allowed. A link that contains such an address itself is refused like a private one."""
    with pytest.raises(FakeAddressError):
        SsrfGuard(resolve=lambda host: [address]).check_url("https://www.youtube.com/watch?v=1")
    with pytest.raises(AddressRefusedError) as refused:
        SsrfGuard().check_url(f"http://[{address}]/" if ":" in address else f"http://{address}/")
    assert not isinstance(refused.value, FakeAddressError)
    allowed = tuple(map(ip_network, ("198.18.0.0/15", "fc00::/18", "fdfe:dcba:9876::/48")))
    SsrfGuard(allowed, resolve=lambda host: [address]).check_url("https://www.youtube.com/watch?v=1")


def test_ssrf_guard_refuses_localhost() -> None:
    """With the system's own resolver."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url("http://localhost/")


def test_ssrf_guard_with_unknown_name_raises_not_found() -> None:
    """`.invalid` never exists: not found if the resolver says so, unreachable if it does not respond."""
    with pytest.raises((VideoNotFoundError, SiteUnreachableError)):
        SsrfGuard().check_url("https://no-such-host.invalid/")


@pytest.mark.parametrize("label", ["a" * 64, "a..b", "..."])
def test_resolve_host_with_invalid_name_raises_indexer_error(label: str) -> None:
    """A name that no resolver accepts is an `IndexerError`, not a crash."""
    with pytest.raises((NotALinkError, VideoNotFoundError)):
        resolve_host(f"{label}.example")


def test_ssrf_guard_refuses_user_name_in_link() -> None:
    """`https://site@elsewhere/` looks like a link to another host."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url("https://youtube.com:pw@93.184.216.34/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://93.184.216.34/", "gopher://93.184.216.34/"])
def test_ssrf_guard_refuses_other_schemes(url: str) -> None:
    with pytest.raises(SchemeRefusedError):
        SsrfGuard().check_url(url)


def test_ssrf_guard_allows_only_configured_private_networks() -> None:
    """An allowed network is reachable, also mapped to IPv6; its neighbour is not."""
    guard = SsrfGuard((ip_network("10.1.2.0/24"), ip_network("fd12::/16")))
    for host in ("10.1.2.9", "[::ffff:10.1.2.9]", "[fd12::5]"):
        guard.check_url(f"http://{host}/")
    for host in ("10.1.3.9", "[fd13::5]", "127.0.0.1"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"http://{host}/")


def test_ssrf_guard_with_proxy_allows_unresolvable_name() -> None:
    """Only the proxy may be able to resolve names. Known private names and addresses are still refused."""

    def resolve(host: str) -> list[str]:
        if host == "inner.example":
            return ["10.0.0.1"]
        raise SiteUnreachableError(host)

    guard = SsrfGuard(proxy="http://proxy.example:3128", resolve=resolve)
    guard.check_url("https://outer.example/")
    for host in ("inner.example", "127.0.0.1"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"https://{host}/")


@settings(deadline=None)  # no failure on a busy machine
@given(st.ip_addresses())
def test_ssrf_guard_never_allows_address_that_is_not_global(address: object) -> None:
    """Every allowed address is global, or an IPv6 form of an IPv4 address."""
    parsed = ip_address(str(address))
    try:
        SsrfGuard().check_address(parsed)
    except AddressRefusedError:
        return
    inner = ip_address(int(parsed) & 0xFFFFFFFF) if parsed in ip_network("64:ff9b::/96") else parsed
    assert inner.is_global or getattr(parsed, "sixtofour", None) or getattr(parsed, "ipv4_mapped", None)


# ---- audit hooks, inside a child process ----


def run_hooked(install: str, action: str) -> str:
    """Run `install` and then `action` in a child process. Returns the error's name and the number of records."""
    code = f"""
import json, os, socket, subprocess, sys
from ipaddress import ip_network
from indexer.sandbox.guard import SsrfGuard, forbid_network_and_exec, install_audit_hook
recorded = {install}
try:
    {action}
except BaseException as error:
    print(json.dumps([type(error).__name__, len(recorded or [])]))
else:
    print(json.dumps(["done", len(recorded or [])]))
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    name, count = json.loads(output)
    return f"{name} {count}"


@pytest.fixture
def port() -> Iterable[int]:
    """Return a port on loopback that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_audit_hook_refuses_and_records_private_connection(port: int) -> None:
    """The hook checks the address of the real connection. The record survives a library that swallows the error."""
    connect = f"socket.create_connection(('127.0.0.1', {port}))"
    assert run_hooked("install_audit_hook(SsrfGuard())", connect) == "AddressRefusedError 1"
    assert run_hooked("install_audit_hook(SsrfGuard((ip_network('127.0.0.1/32'),)))", connect) == "done 0"
    assert (
        run_hooked("install_audit_hook(SsrfGuard((ip_network('127.0.0.2/32'),)))", connect) == "AddressRefusedError 1"
    )


@pytest.mark.parametrize(
    "action",
    [
        "socket.socket().connect(('localhost', 1))",
        "socket.socket().connect_ex(('169.254.169.254', 80))",
        "socket.socket(socket.AF_INET6).connect(('::1', 1))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 9))",
        "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    ],
)
def test_audit_hook_covers_every_kind_of_connection(action: str) -> None:
    """Host names, datagrams and Unix sockets are refused, too."""
    assert run_hooked("install_audit_hook(SsrfGuard())", action) == "AddressRefusedError 1"


def test_audit_hook_allows_private_proxy_only(port: int) -> None:
    """A proxy on a private address is reachable; its neighbours are not."""
    install = f"install_audit_hook(SsrfGuard(proxy='http://localhost:{port}', resolve=lambda host: ['127.0.0.1']))"
    assert run_hooked(install, f"socket.create_connection(('127.0.0.1', {port}))") == "done 0"
    assert run_hooked(install, "socket.create_connection(('127.0.0.1', 1))") == "AddressRefusedError 1"


@pytest.mark.parametrize(
    "action",
    [
        "subprocess.run(['true'])",
        "subprocess.run('true', shell=True)",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.spawnv(os.P_WAIT, '/bin/true', ['true'])",
        "os.fork()",
    ],
)
def test_audit_hook_refuses_programs(action: str) -> None:
    """No program can be started, in either kind of child."""
    assert run_hooked("install_audit_hook(SsrfGuard())", action) == "PermissionError 0"
    assert run_hooked("forbid_network_and_exec()", action) == "PermissionError 0"


def test_audit_hook_allows_listed_program_by_full_path() -> None:
    """The JavaScript runtime is allowed by its absolute path only."""
    install = "install_audit_hook(SsrfGuard(), frozenset({sys.executable}))"
    assert run_hooked(install, "subprocess.run([sys.executable, '-c', ''], check=True)") == "done 0"
    assert run_hooked(install, "subprocess.run(['python3', '-c', ''], check=True)") == "PermissionError 0"


def test_forbid_network_and_exec_refuses_every_connection(port: int) -> None:
    """The decoder's child can connect to no address, public or not."""
    for host in ("127.0.0.1", "93.184.216.34"):
        assert (
            run_hooked("forbid_network_and_exec()", f"socket.create_connection(('{host}', {port}), timeout=5)")
            == "PermissionError 0"
        )
