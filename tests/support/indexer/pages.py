"""Web pages and manifests for the local test site."""

import json

M3U8 = "application/vnd.apple.mpegurl"


def html_page(*tags: str, title: str = "A page", body: str = "Words.") -> str:
    """Return an HTML page with `tags` in its head."""
    return f"<!doctype html><html><head><title>{title}</title>{''.join(tags)}</head><body>{body}</body></html>"


def open_graph_tags(**properties: str) -> str:
    """Return Open Graph tags."""
    return "".join(f'<meta property="og:{name}" content="{value}">' for name, value in properties.items())


def json_ld_video(**properties: object) -> str:
    """Return a JSON-LD script that describes a video."""
    data = {"@context": "https://schema.org", "@type": "VideoObject", "name": "A video", **properties}
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


def hls_playlist(*lines: str) -> str:
    """Return an HLS playlist of a finished stream."""
    return "\n".join(("#EXTM3U", "#EXT-X-TARGETDURATION:3", *lines, "#EXT-X-ENDLIST"))


def make_rss_feed(*urls: str) -> str:
    """Return a feed whose items link to `urls`."""
    items = "".join(f"<item><title>{url}</title><link>{url}</link></item>" for url in urls)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>'
