"""All sites whose links Reelseek knows."""

from typing import Final

from yarl import URL

from indexer.link.file_sites import FILE_SITES
from indexer.link.site import Site, bare_host
from indexer.link.social_sites import SOCIAL_SITES
from indexer.link.video_sites import VIDEO_SITES

SITES: Final = (*VIDEO_SITES, *SOCIAL_SITES, *FILE_SITES)
"""The first site that owns a host wins, so a subdomain that is a site of its own precedes its domain."""


def find_site(url: URL) -> Site | None:
    """Return the site that a link belongs to, or None if it is not one of `SITES`."""
    return _find_by_host(bare_host(url))


def has_plain_addresses(host: str) -> bool:
    """Return whether a host belongs to a site whose addresses have ASCII letters only."""
    site = _find_by_host(host.lower())
    return site is not None and not site.has_file_names


def _find_by_host(host: str) -> Site | None:
    return next((site for site in SITES if site.owns(host)), None)
