"""All stores of an installation, composed over one vector store.

Collections: `records` holds videos, submissions, generations, spaces, votes and followed lists, without vectors.
`moments4_<generation>` holds moments, and the alias `moments` points to the generation that is searched.
`moments4_<generation>@<space>` holds only what one space may find, embedded by its own adapter.
"""

from dataclasses import dataclass
from typing import Final

from indexer.senses import Sense
from indexer.store.enrichment import EnrichmentStore
from indexer.store.generations import GenerationStore, RetrainStore
from indexer.store.joining import JoinStore, adopt_stored_links
from indexer.store.migrations.migrate import migrate
from indexer.store.moments import MomentStore
from indexer.store.publishing import MomentPublisher
from indexer.store.records import RECORDS
from indexer.store.reembedding import ReembeddingStore
from indexer.store.removals import RemovalStore
from indexer.store.spaces import FollowedListStore, SpaceStore
from indexer.store.submissions import SubmissionStore
from indexer.store.videos import VideoStore
from indexer.vectors.vector_store import VectorStore

INDEXED_KEYS: Final = (
    "kind",
    "space",
    "scope",
    "video_id",
    "user_id",
    "message_id",
    "status",
    "removal_pending",
    "enrichment_due",
    *(sense.value for sense in Sense),
)
"""Payload keys of records that filters use."""
MEANING_SIZE: Final = 512
"""Size of the vectors of the sentence encoder that all presets use."""


@dataclass(frozen=True)
class Stores:
    """The stores, by what they hold."""

    enrichment: EnrichmentStore
    followed_lists: FollowedListStore
    joins: JoinStore
    generations: GenerationStore
    moments: MomentStore
    publisher: MomentPublisher
    reembedding: ReembeddingStore
    removals: RemovalStore
    retrains: RetrainStore
    spaces: SpaceStore
    submissions: SubmissionStore
    videos: VideoStore


def open_stores(vectors: VectorStore, meaning_size: int = MEANING_SIZE) -> Stores:
    """Create or migrate the records and moments, and return the stores over them.

    Moments of earlier versions get room for vectors of `meaning_size`. Raises `NewerStoreError` if a later version of
    Reelseek has written the records.
    """
    vectors.ensure(RECORDS, {}, (), INDEXED_KEYS, tenant="space")
    videos, generations = VideoStore(vectors), GenerationStore(vectors)
    publisher = MomentPublisher(vectors, generations, videos)
    reembedding = ReembeddingStore(vectors, generations, videos, publisher)
    migrate(vectors, reembedding, meaning_size)
    generations.renew_codes()
    submissions = SubmissionStore(vectors, videos, generations, publisher)
    joins = JoinStore(submissions.aliases, videos, submissions, publisher)
    adopt_stored_links(vectors, joins)
    return Stores(
        enrichment=EnrichmentStore(vectors, generations),
        followed_lists=FollowedListStore(vectors),
        joins=joins,
        generations=generations,
        moments=MomentStore(vectors, generations),
        publisher=publisher,
        reembedding=reembedding,
        removals=RemovalStore(vectors, videos, submissions, publisher),
        retrains=RetrainStore(vectors),
        spaces=SpaceStore(vectors),
        submissions=submissions,
        videos=videos,
    )
