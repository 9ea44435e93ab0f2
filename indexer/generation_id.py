"""The identity of a generation, and the names of its collection and aliases in the vector store."""

from dataclasses import dataclass
from typing import Final

LIVE_ALIAS: Final = "moments"
"""Alias of the moments that are searched now."""
PREVIOUS_ALIAS: Final = "before"
"""Alias of the moments that were searched before, kept for a rollback."""

_COLLECTION_PREFIX: Final = "moments4_"
"""With the schema in which the names of the vectors changed last: no server can add one to a collection."""
_OLD_COLLECTION_PREFIX: Final = "moments_"


@dataclass(frozen=True)
class GenerationId:
    """One adapter, or none, on one preset; with a `space`, a generation that only this space searches.

    Equal weights of two spaces are two generations, because each one holds the moments of its own space.
    """

    name: str
    """The name that the encoder gives to its weights."""
    space: str | None = None
    """None: all spaces of the installation search it."""

    @classmethod
    def parse(cls, text: str) -> "GenerationId":
        """Read what `str()` of an id has written: `name`, or `name@discord.123`."""
        name, _, slug = text.partition("@")
        return cls(name, slug.replace(".", ":") or None)

    @classmethod
    def of_collection(cls, collection: str) -> "GenerationId":
        """Return the generation whose moments a collection holds."""
        return cls.parse(collection.removeprefix(_COLLECTION_PREFIX))

    def __str__(self) -> str:
        return _make_scoped_name(self.name, self.space)

    @classmethod
    def of_old_collection(cls, collection: str) -> "GenerationId":
        """Return the generation whose moments a collection of an earlier schema holds."""
        return cls.parse(collection.removeprefix(_OLD_COLLECTION_PREFIX))

    @property
    def collection_name(self) -> str:
        """Name of the collection that holds the generation's moments."""
        return f"{_COLLECTION_PREFIX}{self}"


def is_moment_collection(collection: str) -> bool:
    """Tell collections of moments from the collection of records, and from other applications' collections."""
    return collection.startswith(_COLLECTION_PREFIX)


def is_old_moment_collection(collection: str) -> bool:
    """Tell collections of moments of earlier schemas from others."""
    return collection.startswith(_OLD_COLLECTION_PREFIX)


def alias_name(alias: str, space: str | None) -> str:
    """Return the name of an alias of the installation (None) or of one space."""
    return _make_scoped_name(alias, space)


def space_slug(space: str) -> str:
    """Return a space's id as names of collections and blobs take it.

    Qdrant allows no colon in a name, and a space's id contains no dot.
    """
    return space.replace(":", ".")


def _make_scoped_name(name: str, space: str | None) -> str:
    return f"{name}@{space_slug(space)}" if space else name
