"""Places where people keep files: Dropbox, Google Drive, and the attachments of Discord and Slack."""

import re
from typing import Final

from yarl import URL

from indexer.link.site import Site, bare_host
from indexer.link.tracking import remove_tracking

_DRIVE_FILE: Final = re.compile(r"/(?:a/[^/]+/)?(?:file|video)/(?:u/\d+/)?d/([\w-]{10,})(?:/.*)?", re.ASCII)
_DRIVE_BY_ID: Final = re.compile(r"/(?:a/[^/]+/)?(?:u/\d+/)?(?:open|uc|download|leaf|vid|thumbnail)/?")
_SLACK_FILE: Final = re.compile(r"/files-(?:pri|tmb)/([TE][A-Z0-9]+)-(F[A-Z0-9]+)(?:-[0-9a-f]+)?/(?:download/)?(.*)")


def _read_discord_address(url: URL) -> str | None:
    """Return the address of an attachment without its signature, which expires and differs in each copy.

    Without the size and the form of the still picture, too, that `media.discordapp.net` makes of it on request.
    """
    if not url.path.startswith(("/attachments/", "/ephemeral-attachments/")):
        return None
    return str(url.with_query(None).with_scheme("https").with_host("cdn.discordapp.com").with_port(None))


def _read_slack_address(url: URL) -> str | None:
    found = _SLACK_FILE.fullmatch(url.raw_path) if bare_host(url) == "files.slack.com" else None
    return f"https://files.slack.com/files-pri/{found[1]}-{found[2]}/{found[3]}" if found else None


def _read_dropbox_address(url: URL) -> str | None:
    """Return the page of a file. It keeps the key that opens the file."""
    if not re.match(r"/(?:e/)?(?:scl/f[io]|sh?|t)/\w", url.path):
        return None
    page = remove_tracking(url).with_scheme("https").with_host("www.dropbox.com").with_port(None)
    path = re.sub(r"^/s/(?:raw|dl)/", "/s/", page.raw_path.removeprefix("/e"))
    return str(page.with_path(path, encoded=True, keep_query=True))


def _read_drive_address(url: URL) -> str | None:
    found = _DRIVE_FILE.fullmatch(url.path)
    file_id = found[1] if found else url.query.get("id", "") if _DRIVE_BY_ID.fullmatch(url.path) else ""
    if not re.fullmatch(r"[\w-]{10,}", file_id, re.ASCII):
        return None
    key = url.query.get("resourcekey", "")
    return f"https://drive.google.com/file/d/{file_id}/view" + (
        f"?resourcekey={key}" if re.fullmatch(r"[\w-]+", key) else ""
    )


FILE_SITES: Final = (
    Site(
        "Discord",
        ("cdn.discordapp.com", "media.discordapp.net", "cdn.discord.com"),
        _read_discord_address,
        "#t={s}",
        is_signed=True,
        has_file_names=True,
    ),
    Site("Slack", ("files.slack.com",), _read_slack_address, "#t={s}", has_file_names=True),
    Site("Dropbox", ("dropbox.com", "dl.dropboxusercontent.com"), _read_dropbox_address, has_file_names=True),
    Site(
        "Google Drive",
        ("drive.google.com", "docs.google.com", "drive.usercontent.google.com"),
        _read_drive_address,
        "t={s}",
    ),
)
