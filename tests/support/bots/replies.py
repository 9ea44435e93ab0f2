"""Replies of a command, for tests."""

from bots.commands.replies import Card, Replies, Reply, Results, TextReply


async def collect(replies: Replies) -> list[Reply]:
    """Return all replies."""
    return [reply async for reply in replies]


async def collect_cards(replies: Replies) -> tuple[Card, ...]:
    """Return the cards of the only reply, which must be search results."""
    [results] = await collect(replies)
    assert isinstance(results, Results)
    return results.cards


async def collect_sentence(replies: Replies) -> TextReply:
    """Return the only reply, which must be a sentence."""
    [sentence] = await collect(replies)
    assert isinstance(sentence, TextReply)
    return sentence


async def replies_of(*replies: Reply) -> Replies:
    """Yield these replies, as a command does."""
    for reply in replies:
        yield reply
