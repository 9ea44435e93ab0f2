"""HLS playlists that change their initialization segment, as they do around advertisements.

yt-dlp writes all segments into one file and refuses an initialization segment (`#EXT-X-MAP`) after the first one. Here,
each further one is written like a media segment: readers of fragmented MP4 go on with the fragments after it.
"""

from typing import Final

import yt_dlp
from yt_dlp.utils import parse_m3u8_attributes

from indexer.fetch.downloads import download_bytes
from indexer.fetch.ydl_session import InfoDict

_MAX_PLAYLIST_BYTES: Final = 16 * 1024**2
_MAP: Final = "#EXT-X-MAP:"


def prepare_playlist(ydl: yt_dlp.YoutubeDL, info: InfoDict) -> InfoDict:
    """Return the description of a video whose playlist, if it has one, yt-dlp can download. Raises yt-dlp's errors."""
    if info.get("protocol") != "m3u8_native" or info.get("hls_media_playlist_data"):
        return info
    playlist = download_bytes(ydl, info["url"], _MAX_PLAYLIST_BYTES).decode(errors="replace")
    inlined = inline_initialization(playlist)
    return info if inlined == playlist else info | {"hls_media_playlist_data": inlined}


def inline_initialization(playlist: str) -> str:
    """Return a media playlist with one initialization segment: others become media segments, repeats are left out."""
    current, lines = None, []
    for line in playlist.splitlines(keepends=True):
        if not line.startswith(_MAP):
            lines.append(line)
            continue
        if line.strip() == current:
            continue
        lines += [line] if current is None else _make_segment(line)
        current = line.strip()
    return "".join(lines)


def _make_segment(line: str) -> list[str]:
    attributes = parse_m3u8_attributes(line[len(_MAP) :].strip())
    byte_range = attributes.get("BYTERANGE")
    return [
        "#EXTINF:0,\n",
        *([f"#EXT-X-BYTERANGE:{byte_range}\n"] if byte_range else []),
        f"{attributes.get('URI', '')}\n",
    ]
