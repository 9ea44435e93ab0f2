"""What bots and workers take from the environment alike: proxies and certificate authorities."""

from indexer.sandbox.environment import find_environment_proxy as find_environment_proxy
from indexer.sandbox.environment import use_named_authorities as use_named_authorities
