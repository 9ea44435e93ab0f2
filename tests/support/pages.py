"""Pages and manifests as web sites have them."""

import json

M3U8 = "application/vnd.apple.mpegurl"


def page(*tags: str, title: str = "A page", body: str = "Words.") -> str:
    return f"<!doctype html><html><head><title>{title}</title>{''.join(tags)}</head><body>{body}</body></html>"


def og(**properties: str) -> str:
    return "".join(f'<meta property="og:{name}" content="{value}">' for name, value in properties.items())


def linked_data(**properties: object) -> str:
    data = {"@context": "https://schema.org", "@type": "VideoObject", "name": "A video", **properties}
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


def hls(*lines: str) -> str:
    return "\n".join(("#EXTM3U", "#EXT-X-TARGETDURATION:3", *lines, "#EXT-X-ENDLIST"))
