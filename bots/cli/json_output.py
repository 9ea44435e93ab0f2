"""Replies as JSON on stdout, one object per line."""

import codecs
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bots.commands.findings import TopicItem, TopicsPage
from bots.commands.replies import (
    Card,
    Confirmation,
    CrawlProgress,
    FollowedPage,
    IndexingProgress,
    LibraryItem,
    LibraryPage,
    LinkOutcome,
    LinkProgress,
    Removed,
    Replies,
    Reply,
    Results,
    TextReply,
    TrainingProgress,
    is_success,
)

if TYPE_CHECKING:
    from bots.commands.doctor import CheckLine


async def print_replies(command: str, replies: Replies, blobs_address: str) -> bool:
    """Print the replies of a command as soon as they come. Returns False if one of them reports a failure.

    `blobs_address` is the address of the blob store, which completes the paths of thumbnails.
    """
    ok = True
    async with aclosing(replies):
        async for reply in replies:
            answer = _to_json(command, reply, blobs_address)
            if answer is not None:
                print_object(answer)
            ok = ok and is_success(reply)
    return ok


def print_checks(checks: Sequence["CheckLine"]) -> None:
    """Print `{"checks": [{"name", "ok", "detail", "advice"}]}`."""
    rows = [{"name": one.name, "ok": one.is_ok, "detail": one.detail, "advice": one.advice} for one in checks]
    print_object({"checks": rows})


def _to_json(command: str, reply: Reply, blobs_address: str) -> dict[str, Any] | None:
    """Return the JSON of a reply, or None for progress, which is not printed."""
    match reply:
        case LinkProgress() | IndexingProgress(is_final=False):
            return None
        case TrainingProgress(is_final=False) | CrawlProgress(is_final=False):
            return None
        case Results():
            return _convert_results(reply, blobs_address)
        case LinkOutcome():
            return _convert_outcome(reply)
        case LibraryPage():
            return {"total": reply.total, "videos": [_convert_item(entry) for entry in reply.entries]}
        case TextReply(ok=True) if command == "library":
            return {"total": 0, "videos": []}
        case TextReply(ok=True) if command == "topics":
            return {"topics": []}
        case TextReply():
            return {"code": reply.code, "sentence": reply.text, "correlation_id": reply.correlation_id}
        case FollowedPage():
            return {"lists": [item._asdict() for item in reply.items]}
        case TopicsPage():
            return {"topics": [_convert_topic(item, blobs_address) for item in reply.items]}
        case Removed():
            return {"links": reply.links, "sentence": reply.text}
        case Confirmation():
            return {"sentence": reply.text, "command": [reply.command, *reply.args.values()]}
        case TrainingProgress():
            return {"sentence": reply.text, "picture": _complete_address(reply.picture, blobs_address)}
        case _:
            return asdict(reply)


def _convert_results(results: Results, blobs_address: str) -> dict[str, Any]:
    return {
        "query": ", ".join(results.search.queries),
        "took_ms": round(results.took_ms, 1),
        "weak": results.weak,
        "hits": [_convert_card(card, blobs_address) for card in results.cards],
    }


def _convert_outcome(outcome: LinkOutcome) -> dict[str, Any]:
    return {
        "link": outcome.link,
        "status": outcome.status,
        "code": outcome.code,
        "sentence": outcome.text,
        "moments": outcome.moments,
    }


def _convert_card(card: Card, blobs_address: str) -> dict[str, Any]:
    return {
        "link": card.link,
        "moment_link": card.moment_link,
        "title": card.title,
        "start_s": card.start_s,
        "end_s": card.end_s,
        "score": card.score,
        "strength": card.strength,
        "why": card.why,
        "reasons": [
            {"kind": each.kind, "snippet": each.snippet, "at_s": each.at_s, "end_s": each.end_s}
            for each in card.reasons
        ],
        "opens_at_s": card.opens_at_s,
        "tags": card.tags.split(" · ") if card.tags else [],
        "thumbnail": _complete_address(card.thumbnail, blobs_address),
        "more": card.more,
    }


def _convert_topic(item: TopicItem, blobs_address: str) -> dict[str, Any]:
    topic = item.topic
    return {
        "name": item.name,
        "names": topic.names,
        "moments": topic.moments,
        "videos": topic.videos,
        "moment_id": topic.moment_id,
        "thumbnail": _complete_address(item.thumbnail, blobs_address),
    }


def _complete_address(key: str | None, blobs_address: str) -> str | None:
    return f"{blobs_address}/{key}" if key else None


def _convert_item(entry: LibraryItem) -> dict[str, Any]:
    return {
        "link": entry.link,
        "title": entry.title,
        "status": entry.status,
        "moments": entry.moments,
        "sentence": entry.problem,
    }


def print_object(answer: dict[str, Any]) -> None:
    """Print an object on a line of its own."""
    # In another encoding than UTF-8, JSON's own escapes lose nothing.
    is_unicode = codecs.lookup(sys.stdout.encoding).name.startswith("utf")
    # Flushed, so that a reader of a pipe gets each line at once.
    print(json.dumps(answer, ensure_ascii=not is_unicode), flush=True)
