"""Answers of the command line as JSON, one object a line. Each function returns whether the thing was done."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from bots.commands.replies import Card, LibraryItem, LibraryPage, LinkOutcome, Removed, Replies, Results, TextReply

if TYPE_CHECKING:
    from worker.ops.doctor import DoctorCheck


async def found(replies: Replies, query: str, blobs: str) -> bool:
    """`{"query", "took_ms", "hits": […]}`; `blobs` is where the blob store lies."""
    async for reply in replies:
        if isinstance(reply, Results):
            hits = [_hit(card, blobs) for card in reply.cards]
            _print({"query": query, "took_ms": round(reply.took_ms, 1), "hits": hits})
            return True
        _refused(reply)
    return False


async def outcomes(replies: Replies) -> bool:
    """`{"link", "status", "code", "sentence", "moments"}` for each link, as soon as it is done."""
    ok = True
    async with aclosing(replies):
        async for reply in replies:
            if isinstance(reply, LinkOutcome):
                _print(
                    {
                        "link": reply.link,
                        "status": reply.status,
                        "code": reply.code,
                        "sentence": reply.text,
                        "moments": reply.moments,
                    }
                )
                ok = ok and reply.ok
            else:
                ok = _refused(reply) and ok
    return ok


async def shelf(replies: Replies) -> bool:
    """`{"total", "videos": [{"link", "title", "status", "moments", "sentence"}]}`"""
    async for reply in replies:
        if isinstance(reply, LibraryPage):
            _print({"total": reply.total, "videos": [_video(entry) for entry in reply.entries]})
        elif isinstance(reply, TextReply) and reply.ok:
            _print({"total": 0, "videos": []})
        else:
            return _refused(reply)
    return True


async def forgot(replies: Replies) -> bool:
    """`{"links", "sentence"}`"""
    async for reply in replies:
        if not isinstance(reply, Removed):
            return _refused(reply)
        _print({"links": reply.links, "sentence": reply.text})
    return True


def checks(made: Sequence["DoctorCheck"]) -> None:
    """`{"checks": [{"name", "ok", "detail", "mend"}]}`"""
    _print({"checks": [{"name": one.name, "ok": one.ok, "detail": one.detail, "mend": one.mend} for one in made]})


def _refused(reply: object) -> bool:
    """Prints `{"code", "sentence", "correlation_id"}` of a sentence that tells of a failure; progress is not printed."""
    if not isinstance(reply, TextReply):
        return True
    _print({"code": reply.code, "sentence": reply.text, "correlation_id": reply.correlation_id})
    return reply.ok


def _hit(card: Card, blobs: str) -> dict[str, Any]:
    return {
        "link": card.link,
        "moment_link": card.moment_link,
        "title": card.title,
        "start_s": card.start_s,
        "end_s": card.end_s,
        "score": card.score,
        "why": card.why,
        "thumbnail": f"{blobs}/{card.thumbnail}" if card.thumbnail else None,
        "more": card.more,
    }


def _video(entry: LibraryItem) -> dict[str, Any]:
    return {
        "link": entry.link,
        "title": entry.title,
        "status": entry.status,
        "moments": entry.moments,
        "sentence": entry.problem,
    }


def _print(answer: dict[str, Any]) -> None:
    # Flushed, so that a reader at the other end of a pipe sees each line when it is true.
    print(json.dumps(answer, ensure_ascii=False), flush=True)
