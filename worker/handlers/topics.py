"""Handler of what a library is about."""

from indexer.generation_id import GenerationId
from indexer.store.moments import MomentStore
from indexer.topics.cache import TopicCache
from worker.models.cache import ModelCache
from worker.protocol.topics import ListTopics, Topic, TopicListing


def list_topics(moments: MomentStore, cache: TopicCache, models: ModelCache, request: ListTopics) -> TopicListing:
    """Return the topics of the videos that the caller can see.

    A topic is shown by the first of its moments that the caller can still see; without one, it is left out.
    """
    scopes = request.caller.scopes
    if moments.is_empty():
        return TopicListing(topics=())
    encoder = models.get_available(request.caller.space)
    made = cache.get(encoder, scopes)
    if made is None:
        return TopicListing(topics=(), is_pending=True)
    generation = GenerationId.parse(encoder.generation)
    ids = [id for topic in made.topics for id in topic.moment_ids]
    shown = {each.id: each for each in moments.get(generation, scopes, ids)}
    topics = []
    for topic in made.topics:
        example = next((shown[id] for id in topic.moment_ids if id in shown), None)
        if example is not None:
            topics.append(
                Topic(
                    names=topic.names,
                    moment_id=example.id,
                    thumbnail=example.payload["thumbnail"],
                    moments=topic.moments,
                    videos=topic.videos,
                )
            )
    return TopicListing(topics=tuple(topics))
