"""What frontends need to know about sites to find links in a text."""

from indexer.link.sites import has_plain_addresses as has_plain_addresses
