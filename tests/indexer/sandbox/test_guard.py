"""The guard: no private address in any spelling, at the first look or at the connection; no program but one."""

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


def names(found: dict[str, Iterable[str]]) -> SsrfGuard:
    """A guard whose resolver knows just these names."""
    return SsrfGuard(resolve=lambda host: found[host])


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    """Loopback, private, link-local, metadata and reserved addresses never pass, however they are written."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url(f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:4700::6810:85e5]", "[64:ff9b::8.8.8.8]", "[::ffff:8.8.8.8]"])
def test_a_public_address_passes(host: str) -> None:
    """What is public passes, also as IPv6 form of a public IPv4 address."""
    SsrfGuard().check_url(f"https://{host}:8443/a")


def test_a_name_is_as_private_as_what_it_resolves_to() -> None:
    """One private address among a name's addresses refuses the name."""
    guard = names({"inner.example": ["10.0.0.1"], "mixed.example": ["8.8.8.8", "::1"], "outer.example": ["8.8.8.8"]})
    guard.check_url("https://outer.example/")
    for host in ("inner.example", "mixed.example"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"https://{host}/")


def test_localhost_is_refused_by_the_systems_own_resolver() -> None:
    """The name that every machine resolves to itself does not pass."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url("http://localhost/")


def test_a_name_that_does_not_exist_is_told() -> None:
    """`.invalid` never exists: not found where the resolver says so, unreachable where it does not answer."""
    with pytest.raises((VideoNotFoundError, SiteUnreachableError)):
        SsrfGuard().check_url("https://no-such-host.invalid/")


@pytest.mark.parametrize("label", ["a" * 64, "a..b", "..."])
def test_a_name_that_can_not_be_is_no_link(label: str) -> None:
    """What no resolver takes as a name is told, not crashed on."""
    with pytest.raises((NotALinkError, VideoNotFoundError)):
        resolve_host(f"{label}.example")


def test_a_user_name_in_a_link_is_refused() -> None:
    """`https://site@elsewhere/` reads like another host than it is."""
    with pytest.raises(AddressRefusedError):
        SsrfGuard().check_url("https://youtube.com:pw@93.184.216.34/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://93.184.216.34/", "gopher://93.184.216.34/"])
def test_other_schemes_are_refused(url: str) -> None:
    """Only http and https are looked at further."""
    with pytest.raises(SchemeRefusedError):
        SsrfGuard().check_url(url)


def test_the_operators_networks_pass_and_nothing_beside_them() -> None:
    """An allowed network is reachable, mapped to IPv6 too; its neighbour is not."""
    guard = SsrfGuard((ip_network("10.1.2.0/24"), ip_network("fd12::/16")))
    for host in ("10.1.2.9", "[::ffff:10.1.2.9]", "[fd12::5]"):
        guard.check_url(f"http://{host}/")
    for host in ("10.1.3.9", "[fd13::5]", "127.0.0.1"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"http://{host}/")


def test_behind_a_proxy_an_unknown_name_is_left_to_it() -> None:
    """Where only the proxy resolves names, a name passes here; an address or a name known as private does not."""

    def resolve(host: str) -> list[str]:
        if host == "inner.example":
            return ["10.0.0.1"]
        raise SiteUnreachableError(host)

    guard = SsrfGuard(proxy="http://proxy.example:3128", resolve=resolve)
    guard.check_url("https://outer.example/")
    for host in ("inner.example", "127.0.0.1"):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"https://{host}/")


@settings(deadline=None)  # a busy machine is no failure
@given(st.ip_addresses())
def test_no_address_python_calls_private_passes(address: object) -> None:
    """Whatever address comes: what passes is global, or an IPv6 form of an IPv4 address that is."""
    found = ip_address(str(address))
    try:
        SsrfGuard().check_address(found)
    except AddressRefusedError:
        return
    inner = ip_address(int(found) & 0xFFFFFFFF) if found in ip_network("64:ff9b::/96") else found
    assert inner.is_global or getattr(found, "sixtofour", None) or getattr(found, "ipv4_mapped", None)


# ---- inside a process that is guarded ----


def guarded(install: str, act: str) -> str:
    """The name of the error that `act` ends with in a process of its own, and what was recorded of it."""
    code = f"""
import json, os, socket, subprocess, sys
from ipaddress import ip_network
from indexer.sandbox.guard import Guard, close_off, install_guard
noted = {install}
try:
    {act}
except BaseException as error:
    print(json.dumps([type(error).__name__, len(noted or [])]))
else:
    print(json.dumps(["done", len(noted or [])]))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    name, noted = json.loads(said)
    return f"{name} {noted}"


@pytest.fixture
def port() -> Iterable[int]:
    """Somebody who listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_connection_to_a_private_address_is_refused_and_noted(port: int) -> None:
    """The hook sees the address really connected to, also when a library swallows its refusal."""
    connect = f"socket.create_connection(('127.0.0.1', {port}))"
    assert guarded("install_guard(Guard())", connect) == "AddressRefused 1"
    assert guarded("install_guard(Guard((ip_network('127.0.0.1/32'),)))", connect) == "done 0"
    assert guarded("install_guard(Guard((ip_network('127.0.0.2/32'),)))", connect) == "AddressRefused 1"


@pytest.mark.parametrize(
    "act",
    [
        "socket.socket().connect(('localhost', 1))",
        "socket.socket().connect_ex(('169.254.169.254', 80))",
        "socket.socket(socket.AF_INET6).connect(('::1', 1))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 9))",
        "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    ],
)
def test_every_way_of_connecting_is_seen(act: str) -> None:
    """Names, datagrams and sockets of the machine itself are refused like addresses."""
    assert guarded("install_guard(Guard())", act) == "AddressRefused 1"


def test_the_operators_proxy_may_be_private(port: int) -> None:
    """A proxy on a private address is reached; its neighbours are not."""
    install = f"install_guard(Guard(proxy='http://localhost:{port}', resolve=lambda host: ['127.0.0.1']))"
    assert guarded(install, f"socket.create_connection(('127.0.0.1', {port}))") == "done 0"
    assert guarded(install, "socket.create_connection(('127.0.0.1', 1))") == "AddressRefused 1"


@pytest.mark.parametrize(
    "act",
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
def test_no_program_is_started(act: str) -> None:
    """Nothing a site sends can make a program run, in either kind of child."""
    assert guarded("install_guard(Guard())", act) == "PermissionError 0"
    assert guarded("close_off()", act) == "PermissionError 0"


def test_the_allowed_program_runs() -> None:
    """The JavaScript runtime is started by its full path, and only so."""
    install = "install_guard(Guard(), frozenset({sys.executable}))"
    assert guarded(install, "subprocess.run([sys.executable, '-c', ''], check=True)") == "done 0"
    assert guarded(install, "subprocess.run(['python3', '-c', ''], check=True)") == "PermissionError 0"


def test_a_closed_off_process_reaches_nothing(port: int) -> None:
    """The decoder's child connects to no address at all, public or not."""
    for host in ("127.0.0.1", "93.184.216.34"):
        assert guarded("close_off()", f"socket.create_connection(('{host}', {port}), timeout=5)") == "PermissionError 0"
