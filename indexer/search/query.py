"""A search query, and its vectors: each text of the query, moved towards and away from examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np

from indexer.generation_id import GenerationId
from indexer.hits import OnlyKind
from indexer.ports import Encoder
from indexer.search.calibration import Background
from indexer.store.moments import DenseName, MomentStore
from indexer.store.records import Scopes
from indexer.types import Clip, Picture, Vector
from indexer.vectors.vector_store import StoredPoint
from text.negation import split_negation

DenseVectors: TypeAlias = Mapping[DenseName, Vector]

PICTURE_VECTORS: Final[tuple[DenseName, ...]] = ("frame", "motion")
MOMENT_PREFIX: Final = "moment:"
TOPIC_PREFIX: Final = "topic:"

SHOWN_WEIGHT: Final = 0.6
"""Weight of pictures and liked moments in a query with words, which say what is different (docs/starter-model.md)."""
UNLIKE_WEIGHT: Final = 0.5
"""Weight of counter-examples; that of the query's words and of examples in words is 1. Rocchio (1971) has less, too."""

_MIN_NORM: Final = 1e-12


@dataclass(frozen=True)
class SearchQuery:
    """What to search for, and where.

    A hit matches any of `texts`, and the best hits match all of them. It is similar to the examples `like`, to
    `picture` and to the frames of `clip`, and different from `unlike`. An example is a text, or the id of a moment
    written `moment:<id>`. A moment written `topic:<id>` is an example that is found itself.
    """

    scopes: Scopes
    texts: Sequence[str] = ()
    like: Sequence[str] = ()
    unlike: Sequence[str] = ()
    picture: Picture | None = None
    clip: Sequence[Picture] = ()
    video_id: str | None = None
    """Find moments of this video only, instead of the best moment of each video."""
    only: OnlyKind | None = None
    """Find moments only by this kind of match."""
    tags: tuple[str, ...] = ()
    """Find only moments with all of these tags, in English."""
    limit: int = 5
    offset: int = 0

    @property
    def has_examples(self) -> bool:
        """Whether more than texts says what to find."""
        return bool(self.like or self.unlike or self.clip) or self.picture is not None

    @property
    def texts_and_sentence(self) -> Sequence[str]:
        """The texts, and if there are several, first all of them as one sentence."""
        return _add_sentence(self.texts)


@dataclass(frozen=True)
class ExampleMoments:
    """The moments that a query names as examples, with their vectors."""

    like: Sequence[StoredPoint]
    unlike: Sequence[StoredPoint]
    topics: Sequence[StoredPoint] = ()
    """Examples of topics. They are found themselves."""

    @property
    def ids(self) -> set[str]:
        """Ids of all examples."""
        return {moment.id for moment in (*self.like, *self.unlike)}

    @property
    def liked_videos(self) -> tuple[str, ...]:
        """Sorted ids of the videos of the examples to be similar to."""
        return tuple(sorted({moment.payload["video_id"] for moment in self.like}))


@dataclass(frozen=True)
class TextQuery:
    """One text of a query and its vectors."""

    text: str
    vectors: DenseVectors
    """Those of pictures are moved by the examples. A sound is looked for by the meaning of the text."""
    unwanted: str = ""
    """Words that a moment found by its words must not have."""
    backgrounds: Mapping[DenseName, Background] = field(default_factory=dict)
    """The level of each vector's cosines in the library."""


def read_examples(moments: MomentStore, generation: GenerationId, query: SearchQuery) -> ExampleMoments:
    """Read those moments named as examples that the query's scopes may see."""
    like, unlike = (
        moments.get(generation, query.scopes, _parse_moment_ids(examples), with_vectors=True)
        for examples in (query.like, query.unlike)
    )
    topics = _parse_moment_ids(query.like, TOPIC_PREFIX)
    return ExampleMoments(like, unlike, moments.get(generation, query.scopes, topics, with_vectors=True))


def embed_query(encoder: Encoder, query: SearchQuery, examples: ExampleMoments) -> list[TextQuery]:
    """Embed each text of the query; without texts return one query of the examples alone, if there are any.

    The things that a text does not want (`a dog but no people`) are counter-examples for all of them.
    """
    queries = [split_negation(text) for text in query.texts]
    unwanted = [part for each in queries for part in each.unwanted]
    like, unlike = _list_texts(query.like), _list_texts(query.unlike)
    towards = _embed(encoder, like)
    shown = [*map(_get_picture_vectors, (*examples.like, *examples.topics)), *_embed_pictures(encoder, query)]
    away = [*_embed(encoder, [*unlike, *unwanted]), *map(_get_picture_vectors, examples.unlike)]
    texts = _add_sentence([each.wanted for each in queries if each.wanted])
    embedded = list(zip(texts, _embed(encoder, texts), strict=True))
    if not embedded and (towards or shown or unwanted):
        embedded = [(" ".join(like), {})]
    return [
        TextQuery(text, {**vectors, **_apply_examples(vectors, towards, shown, away)}, " ".join(unwanted))
        for text, vectors in embedded
    ]


def _add_sentence(texts: Sequence[str]) -> Sequence[str]:
    """Return the texts, and if there are several, first all of them as one sentence."""
    return [", ".join(texts), *texts] if len(texts) > 1 else texts


def _parse_moment_ids(examples: Sequence[str], prefix: str = MOMENT_PREFIX) -> list[str]:
    ids = (_parse_id(each.removeprefix(prefix)) for each in examples if each.startswith(prefix))
    return [id for id in ids if id]


def _list_texts(examples: Sequence[str]) -> list[str]:
    return [each for each in examples if not each.startswith((MOMENT_PREFIX, TOPIC_PREFIX))]


def _parse_id(id: str) -> str | None:
    try:
        return str(UUID(id))
    except ValueError:
        return None


def _embed(encoder: Encoder, texts: Sequence[str]) -> list[DenseVectors]:
    embedded = encoder.encode_texts(texts) if texts else ()
    named: list[dict[DenseName, Vector | None]] = [
        {"frame": each.frame, "motion": each.motion, "meaning": each.meaning, "sound": each.meaning}
        for each in embedded
    ]
    return [{name: vector for name, vector in each.items() if vector is not None} for each in named]


def _embed_pictures(encoder: Encoder, query: SearchQuery) -> list[DenseVectors]:
    """Return the vectors of the query's picture and of its clip, which has a motion if the encoder knows motions."""
    shown: list[DenseVectors] = []
    if query.picture is not None:
        shown.append({"frame": encoder.encode_frames([query.picture])[0]})
    if query.clip:
        frames = encoder.encode_frames(query.clip)
        mean: Vector = frames.mean(axis=0)
        of_clip: dict[DenseName, Vector] = {"frame": mean / max(float(np.linalg.norm(mean)), _MIN_NORM)}
        if encoder.motion_size is not None:
            of_clip["motion"] = encoder.encode_clips([Clip(tuple(query.clip), frames)])[0]
        shown.append(of_clip)
    return shown


def _get_picture_vectors(moment: StoredPoint) -> DenseVectors:
    return {name: moment.dense[name] for name in PICTURE_VECTORS if name in moment.dense}


def _apply_examples(
    vectors: DenseVectors,
    towards: Sequence[DenseVectors],
    shown: Sequence[DenseVectors],
    away: Sequence[DenseVectors],
) -> DenseVectors:
    """Move a text's vectors of pictures towards and away from examples (Rocchio 1971). Returns unit vectors.

    The texts change the meaning of `shown`: the sum of both is nearest to the picture as the words describe it.
    """
    moved: dict[DenseName, Vector] = {}
    for name in PICTURE_VECTORS:
        wanted = [vectors[name]] if name in vectors else []
        wanted += [*_average(name, towards), *(SHOWN_WEIGHT * each for each in _average(name, shown))]
        wanted += [-UNLIKE_WEIGHT * each for each in _average(name, away)]
        if wanted:
            vector: Vector = np.sum(wanted, axis=0, dtype=np.float32)
            moved[name] = vector / max(float(np.linalg.norm(vector)), _MIN_NORM)
    return moved


def _average(name: DenseName, examples: Sequence[DenseVectors]) -> list[Vector]:
    """Return the mean of the examples' vectors as a list of one, or an empty list if there are none."""
    vectors = [each[name] for each in examples if name in each]
    return [np.mean(vectors, axis=0, dtype=np.float32)] if vectors else []
