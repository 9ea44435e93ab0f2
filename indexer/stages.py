"""Stages of the indexer's work. This module loads nothing else, so that frontends may import it."""

from enum import StrEnum


class IndexStage(StrEnum):
    """Stages of indexing one video, in order; the first is before its job runs, the last three are its enrich job's."""

    WAITING = "waiting"
    FETCH = "fetch"
    DECODE = "decode"
    EMBED = "embed"
    STORE = "store"
    LISTEN = "listen"
    """Recognition of speech."""
    READ = "read"
    """Recognition of text on the screen."""
    TAG = "tag"
    """Recognition of sounds."""


class SearchStage(StrEnum):
    """Stages of one search, in order: encode the query, find nearest vectors, fuse the ranks, read the hits."""

    ENCODE = "encode"
    NEAREST = "nearest"
    FUSE = "fuse"
    GATHER = "gather"
