"""SSRF tests: no link, page or manifest makes the fetcher connect to an internal address."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yt_dlp.extractor.youtube.jsc._builtin.deno import DenoJCP

from indexer.errors import AddressRefusedError
from indexer.fetch.ydl_session import find_js_runtime
from indexer.sandbox.guard import SsrfGuard
from tests.support.indexer import media
from tests.support.indexer.concurrent_fetches import LOOPBACK, build_request, fetch_all
from tests.support.indexer.pages import M3U8, hls_playlist, html_page, open_graph_tags
from tests.support.servers.site import Site, run_site


@dataclass(frozen=True)
class Trap:
    """Listener on every address of this machine, for streams and datagrams, and on a Unix socket."""

    streams: socket.socket
    datagrams: socket.socket
    local: socket.socket
    port: int

    def was_contacted(self) -> bool:
        """Return whether a connection was made or a datagram sent.

        The kernel completes connections by itself.
        """
        for listener in (self.streams, self.local):
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                continue
            return True
        try:
            self.datagrams.recv(1)
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    streams = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = streams.getsockname()[1]
    datagrams, local = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)
    with closing(streams), closing(datagrams), closing(local):
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        datagrams.bind(("::", port))
        local.bind(str(tmp_path / "trap.sock"))
        local.listen()
        for listener in (streams, datagrams, local):
            listener.setblocking(False)
        yield Trap(streams, datagrams, local, port)


# ---- every spelling of a host, at the connection ----

SPELLINGS = [
    *("127.0.0.2", "127.2", "127.0.2", "2130706434", "0x7f000002", "0x7f.0.0.2", "0177.0.0.2", "017700000002"),
    *("127.0.0.2.", "00127.0.0.2", "0", "0.0.0.0", "１２７.0.0.2", "①②⑦.⓪.⓪.②", "127。0。0。2", "127%2e0%2e0%2e2"),
    *("localhost", "LOCALHOST.", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "x@localhost", "ⓛocalhost"),
    *("[::1]", "[::]", "[0:0::1]", "[::1%25lo]", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[::127.0.0.2]"),
    *("[64:ff9b::127.0.0.2]", "[2002:7f00:2::]", "[2001:0:7f00:2::]", "[::ffff:0:127.0.0.2]", "[fe80::1%25lo]"),
    *("127.0.0.1@127.0.0.2", "127.0.0.1:80@127.0.0.2", "127.0.0.1%00@127.0.0.2", "127.0.0.1\\@127.0.0.2"),
    *(
        "127.0.0.1\t.127.0.0.2",
        "127.0.0.\r\n2",
        "127.0.0.2%0d%0a",
        "127.0.0.2 ",
        " 127.0.0.2",
        "xn--127-0-0-2",
        "a" * 5000,
    ),
    *("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"),
]

SEND_REQUESTS = """
import json, sys
from ipaddress import ip_network
import yt_dlp
from yt_dlp.networking import Request
from indexer.fetch.ydl_session import YtDlpLogger, build_ydl_options
from indexer.fetch.ytdlp_internals import disable_native_transports
from indexer.sandbox.guard import SsrfGuard, install_audit_hook
args = json.load(sys.stdin)
install_audit_hook(SsrfGuard((ip_network(args["allowed"]),)))
options = build_ydl_options({"folder": ".", "cookies_file": None, "proxy": None}, None, YtDlpLogger())
with yt_dlp.YoutubeDL(options) as ydl:
    disable_native_transports(ydl)
    for handler in [*ydl._request_director.handlers.values()]:
        scheme = "ws" if "ws" in handler._SUPPORTED_URL_SCHEMES else "http"
        for address in args["addresses"]:
            try:
                handler.send(Request(f"{scheme}://{address}", extensions={"timeout": 0.3}))
            except BaseException as error:
                print(handler.RH_NAME, type(error).__name__)
"""


def send_requests(addresses: list[str], allowed: str, folder: Path) -> list[str]:
    """Send requests through each transport of yt-dlp, in a child process with the audit hook."""
    args = json.dumps({"addresses": addresses, "allowed": allowed})
    command = [sys.executable, "-c", SEND_REQUESTS]
    done = subprocess.run(command, input=args, capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.splitlines()


def test_ssrf_audit_hook_refuses_every_spelling_of_a_host(trap: Trap, tmp_path: Path) -> None:
    """Octal, hex, mapped, full-width, with a user name or a line break: through each transport of yt-dlp."""
    addresses = [f"{host}:{trap.port}/" for host in SPELLINGS]
    errors = send_requests(
        [*addresses, f"127.0.0.2:{trap.port}/\r\nHost: x", "127.0.0.2\\@192.0.2.1/"], "192.0.2.0/24", tmp_path
    )
    assert not trap.was_contacted()
    assert {f"{name} AddressRefusedError" for name in ("requests", "urllib", "websockets")} <= {*errors}


def test_trap_notices_an_allowed_connection(trap: Trap, tmp_path: Path) -> None:
    """If the operator allows the network, the same request connects."""
    send_requests([f"127.2:{trap.port}/"], "127.0.0.2/32", tmp_path)
    assert trap.was_contacted()


@pytest.mark.parametrize("port", [1, 22, 25, 110, 143, 465, 587, 993, 6000, 6667, 10080])
def test_ssrf_guard_refuses_port_of_another_service(port: int) -> None:
    """No link reaches a mail server, shell or chat server, not even in an allowed network."""
    for guard in (SsrfGuard(), SsrfGuard((ip_network("93.184.216.34/32"),))):
        with pytest.raises(AddressRefusedError):
            guard.check_url(f"http://93.184.216.34:{port}/")


def test_ssrf_guard_allows_web_ports() -> None:
    """The two default ports, and those that sites use instead."""
    for url in (
        "http://93.184.216.34/",
        "https://93.184.216.34/",
        "http://93.184.216.34:8080/",
        "https://8.8.8.8:8443/",
    ):
        SsrfGuard().check_url(url)


# ---- every place in which a page or a manifest can name an address ----


def dash_manifest(url: str) -> str:
    return (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
        f'<Period><AdaptationSet mimeType="video/mp4"><BaseURL>{url}</BaseURL><SegmentTemplate media="$Number$.m4s" '
        'initialization="i.mp4" duration="1" timescale="1"/><Representation id="1" bandwidth="1" width="640" '
        'height="360" codecs="avc1.42c00d"/></AdaptationSet></Period></MPD>'
    )


DASH, XML = "application/dash+xml", "text/xml"


def serve_ssrf_attempts(site: Site, inside: str) -> dict[str, str]:
    """Return links on an allowed site by the way in which each of them leads to the address `inside`."""
    video, hop = site.url("/v.mp4"), site.redirect("/hop", f"{inside}/hop")
    site.redirect("/hop.vtt", f"{inside}/en.vtt")
    og_video = open_graph_tags(video=video, title="A talk")
    track = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="{}"></video>'
    return {
        "redirect": site.redirect("/r", f"{inside}/v.mp4"),
        "second redirect": site.redirect("/rr", hop),
        "refresh": site.put("/meta", html_page(f'<meta http-equiv="refresh" content="0; url={inside}/">')),
        "video": site.put("/video", html_page(open_graph_tags(video=f"{inside}/v.mp4"))),
        "player": site.put("/player", html_page(f'<meta name="twitter:player:stream" content="{inside}/v.mp4">')),
        "picture": site.put("/picture", html_page(og_video + open_graph_tags(image=f"{inside}/t.jpg"))),
        "picture's redirect": site.put("/picture2", html_page(og_video + open_graph_tags(image=hop))),
        "subtitles": site.put("/track", html_page(body=track.format(f"{inside}/en.vtt"))),
        "subtitles' redirect": site.put("/track2", html_page(body=track.format("/hop.vtt"))),
        "variant": site.put("/a.m3u8", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{inside}/b.m3u8", kind=M3U8),
        "segment": site.put("/s.m3u8", hls_playlist("#EXTINF:2,", f"{inside}/s.ts"), kind=M3U8),
        "segment's redirect": site.put("/s2.m3u8", hls_playlist("#EXTINF:2,", hop), kind=M3U8),
        "first part": site.put(
            "/m.m3u8", hls_playlist(f'#EXT-X-MAP:URI="{inside}/i.mp4"', "#EXTINF:2,", video), kind=M3U8
        ),
        "key": site.put(
            "/k.m3u8", hls_playlist(f'#EXT-X-KEY:METHOD=AES-128,URI="{inside}/key"', "#EXTINF:2,", video), kind=M3U8
        ),
        "dash": site.put("/d.mpd", dash_manifest(f"{inside}/"), kind=DASH),
        "feed": site.put(
            "/feed", f"<rss><channel><title>F</title><item><link>{inside}/a</link></item></channel></rss>", kind=XML
        ),
        "user name": site.redirect("/user", inside.replace("//", "//127.0.0.1@")),
        "schemeless": site.redirect("/slashes", inside.removeprefix("http:")),
        "ftp": site.redirect("/ftp", inside.replace("http:", "ftp:")),
        "file": site.redirect("/file", "file:///etc/passwd"),
        "line break": site.redirect("/crlf", f"{inside}/%0d%0aHost:%20x"),
    }


def test_ssrf_through_page_or_manifest_is_refused(site: Site, trap: Trap, clip: bytes, tmp_path: Path) -> None:
    """Redirects, frames, pictures, subtitles, manifests, keys and feeds cause no connection."""
    site.put("/v.mp4", clip, kind="video/mp4")
    inside = f"http://127.0.0.2:{trap.port}"
    links = serve_ssrf_attempts(site, inside)
    requests = [build_request(link, tmp_path / str(number)) for number, link in enumerate(links.values())]
    requests.append(build_request(site.redirect("/list", f"{inside}/feed"), tmp_path / "list", max_links=5))
    responses = fetch_all(requests, tmp_path)
    assert not trap.was_contacted()
    errors = {name: each.get("error") for name, each in zip(links, responses, strict=False)}
    assert {name for name, error in errors.items() if error != "AddressRefusedError"} <= {"ftp", "file"}
    assert all(errors.values())
    assert responses[-1] == {"error": "AddressRefusedError"}


# ---- the operator's proxy ----


def test_proxy_receives_every_request(site: Site, clip: bytes, tmp_path: Path) -> None:
    """Page, video, thumbnail, subtitles, manifest, segments, key and list are requested through the proxy."""
    host = "http://video.example"
    site.put("/v.mp4", clip, kind="video/mp4")
    site.put("/t.jpg", media.encode_jpeg(), kind="image/jpeg")
    site.put("/en.vtt", "WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n", kind="text/vtt")
    site.put("/key", b"k" * 16)
    site.put("/s.ts", b"\0" * 1024, kind="video/mp2t")
    track = '<video src="/v.mp4"><track kind="subtitles" srclang="en" src="/en.vtt"></video>'
    site.put("/watch", html_page(open_graph_tags(image=f"{host}/t.jpg"), body=track))
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{host}/key",IV=0x00'
    site.put("/v.m3u8", hls_playlist("#EXTINF:2,", f"{host}/s.ts", key, "#EXTINF:2,", f"{host}/s.ts"), kind=M3U8)
    site.put(
        "/feed", "<rss><channel><title>F</title><item><link>http://a.example/</link></item></channel></rss>", kind=XML
    )
    proxied: dict[str, Any] = {"proxy": site.base, "allow_networks": []}
    fetch_all(
        [
            build_request(f"{host}/watch", tmp_path / "page", **proxied),
            build_request(f"{host}/v.m3u8", tmp_path / "stream", **proxied),
            build_request(f"{host}/feed", tmp_path / "list", max_links=5, **proxied),
        ],
        tmp_path,
    )
    assert {"/watch", "/v.mp4", "/t.jpg", "/en.vtt", "/v.m3u8", "/s.ts", "/key", "/feed"} <= {*site.requested_paths}


def test_audit_hook_with_proxy_refuses_every_other_address(site: Site, trap: Trap, tmp_path: Path) -> None:
    """Public and allowed addresses are refused, too."""
    code = """
import socket, sys
from ipaddress import ip_network
from indexer.sandbox.guard import SsrfGuard, install_audit_hook
proxy, port = sys.argv[1], int(sys.argv[2])
install_audit_hook(SsrfGuard((ip_network("127.0.0.0/8"),), proxy))
for address in (("127.0.0.2", port), ("127.0.0.1", port), ("93.184.216.34", 443)):
    try:
        socket.create_connection(address, timeout=1)
    except ValueError:
        pass
    except Exception as error:
        print(type(error).__name__)
socket.create_connection(("127.0.0.1", int(proxy.rpartition(":")[2])))
"""
    output = subprocess.check_output([sys.executable, "-c", code, site.base, str(trap.port)], text=True)
    assert output.split() == ["AddressRefusedError"] * 3
    assert not trap.was_contacted()


def test_unresolvable_proxy_raises_unreachable(tmp_path: Path) -> None:
    """A proxy with an unknown name is not the fault of a link, so the job is retried."""
    (response,) = fetch_all(
        [build_request("http://video.example/", tmp_path / "a", proxy="http://proxy.invalid:3128")], tmp_path
    )
    assert response == {"error": "SiteUnreachableError"}


# ---- the only program that may run ----


def test_js_runtime_has_no_permissions(trap: Trap, tmp_path: Path) -> None:
    """A site's script, run as yt-dlp runs it, opens no connection, file or process and reads no variable."""
    (tmp_path / "cookies.txt").write_text("secret")
    port, local = trap.port, tmp_path / "trap.sock"
    attempts = [
        f'fetch("http://127.0.0.2:{port}/")',
        f'Deno.connect({{hostname: "127.0.0.2", port: {port}}})',
        f'Deno.connect({{transport: "unix", path: "{local}"}})',
        f'new Promise((_, no) => new WebSocket("ws://127.0.0.2:{port}/").onerror = no)',
        f'import("http://127.0.0.2:{port}/a.js")',
        f'import("file://{tmp_path}/cookies.txt")',
        f'import("node:fs").then(fs => fs.readFileSync("{tmp_path}/cookies.txt"))',
        f'import("node:net").then(net => new Promise((_, no) => net.connect({port}, "127.0.0.2").on("error", no)))',
        'Deno.readTextFile("cookies.txt")',
        'Deno.writeTextFile("written", "x")',
        'new Deno.Command("true").output()',
        "Deno.env.toObject()",
    ]
    script = "".join(
        f"try {{ await ({each}); console.log('DONE', {index}) }} catch (e) {{ console.log('refused') }}\n"
        for index, each in enumerate(attempts)
    )
    runtime = find_js_runtime()
    assert runtime is not None
    command = [runtime, "run", *DenoJCP._DENO_BASE_OPTIONS, "--no-npm", "--cached-only", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True)
    assert done.stdout.split() == ["refused"] * len(attempts)
    assert not trap.was_contacted()
    assert not (tmp_path / "written").exists()


# ---- headers and cookies ----


def test_line_break_in_address_smuggles_no_header(site: Site, clip: bytes, tmp_path: Path) -> None:
    """A line break in an address that a page names reaches no request as one."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.extend(request.headers)
        return web.Response(body=clip, content_type="video/mp4")

    site.handlers["/v.mp4"] = answer
    evil = f"{site.url('/v.mp4')}?a=&#13;&#10;X-Evil:%20yes&#13;&#10;&#13;&#10;GET /evil"
    fetch_all([build_request(site.put("/watch", html_page(open_graph_tags(video=evil))), tmp_path / "a")], tmp_path)
    assert "X-Evil" not in seen
    assert "/evil" not in site.requested_paths


def test_redirect_to_another_site_sends_no_cookies(site: Site, clip: bytes, tmp_path: Path) -> None:
    """The operator's cookies go only to their own site."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.cookies.get("session"))
        return web.Response(body=clip, content_type="video/mp4")

    with run_site() as other:
        other.handlers["/v.mp4"] = answer
        elsewhere = other.url("/v.mp4").replace("127.0.0.1", "localhost")
        cookies = tmp_path / "cookies.txt"
        cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2000000000\tsession\tabc\n")
        link = site.redirect("/r", elsewhere)
        allowed = [LOOPBACK, "::1/128"]
        fetch_all([build_request(link, tmp_path / "a", cookies_file=str(cookies), allow_networks=allowed)], tmp_path)
    assert seen
    assert set(seen) == {None}
