"""What frontends need to know about the links of sites."""

from indexer.link.attachments import is_signed_until as is_signed_until
from indexer.link.attachments import link_to_message as link_to_message
from indexer.link.attachments import strip_signature as strip_signature
from indexer.link.sites import has_plain_addresses as has_plain_addresses
