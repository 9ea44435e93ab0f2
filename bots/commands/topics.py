"""The command that shows what a library is about."""

from typing import Final

from bots.commands.client import Client
from bots.commands.errors import reply_on_error
from bots.commands.replies import Replies, ReplyButton, Search, TextReply, TopicItem, TopicsPage
from bots.commands.search import run_search
from bots.i18n.messages import Msg
from bots.i18n.translate import clean_text, format_count, translate
from bots.i18n.vocabulary import translate_words
from worker.protocol.base import Caller
from worker.protocol.topics import ListTopics, Topic, TopicListing

UNNAMED: Final = "…"
"""Name of a topic that no word fits."""
MOMENTS_SHOWN: Final = 3
"""Moments of a topic on one page, which every frontend can show."""


@reply_on_error
async def show_topics(client: Client, caller: Caller, topic: str = "") -> Replies:
    """Show the topics of what the caller can see, or the best moments of one of them.

    `topic` is its number in the list, from 1, or the id of the moment that stands for it, which buttons know.
    """
    topic = topic.strip()
    if topic and not topic.isdecimal():
        yield await run_search(client, caller, _search_topic(topic))
        return
    listing = await client.call(ListTopics(caller=caller))
    if not topic:
        yield _make_page(listing)
    elif 0 < int(topic) <= len(listing.topics):
        yield await run_search(client, caller, _search_topic(listing.topics[int(topic) - 1].moment_id))
    else:
        yield TextReply(translate(Msg.TOPIC_UNKNOWN, number=clean_text(topic)), ok=False)


def _search_topic(moment_id: str) -> Search:
    return Search(like=(f"topic:{moment_id}",), limit=MOMENTS_SHOWN)


def _make_page(listing: TopicListing) -> TextReply | TopicsPage:
    if not listing.topics:
        return TextReply(translate(Msg.TOPICS_PENDING if listing.is_pending else Msg.NO_TOPICS))
    return TopicsPage(translate(Msg.TOPICS_TITLE), tuple(map(_make_item, listing.topics)))


def _make_item(topic: Topic) -> TopicItem:
    moments = format_count(topic.moments, Msg.MOMENTS_ONE, Msg.MOMENTS)
    videos = format_count(topic.videos, Msg.VIDEOS_ONE, Msg.VIDEOS)
    name = translate_words(topic.names) or UNNAMED
    return TopicItem(
        name=name,
        about=f"{moments} · {videos}",
        button=ReplyButton(name, "topics", {"topic": topic.moment_id}),
        thumbnail=topic.thumbnail,
        topic=topic,
    )
