"""The sum that `benchmarks.faults` checks: what is stored, against what each space asked for and was told."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from benchmarks.faults_plan import Clip, Plan
from indexer.link.canonical import canonicalize
from indexer.store.library import Library
from indexer.store.moments import MOMENTS
from indexer.store.records import RECORDS, VideoRecord
from indexer.vectors.vector_store import Filter, StoredPoint, VectorStore

Told = Mapping[str, Any]
"""An outcome as it was shown: `status` and `code`."""


@dataclass
class Ledger:
    """What was asked for and told, by space and link."""

    told: dict[tuple[str, int], Told] = field(default_factory=dict)
    """The last word."""
    ever_told: dict[int, set[str]] = field(default_factory=dict)
    """By link every status that anybody was told."""
    forgotten: set[tuple[str, int]] = field(default_factory=set)
    unsure: set[tuple[str, int]] = field(default_factory=set)
    """What a revived errand added while it was being forgotten: either may have come last."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def tell(self, space: str, link: int, told: Told) -> None:
        self.told[space, link] = told
        self.ever_told.setdefault(link, set()).add(told["status"])

    def wanted_by(self, link: int, recorded: Sequence[str]) -> list[str]:
        spaces = {space for space, each in self.told if each == link and (space, link) not in self.forgotten}
        unsure = {space for space, each in self.unsure if each == link}
        return sorted((spaces - unsure) | (unsure & set(recorded)))


@dataclass(frozen=True)
class Stores:
    """All that is in the stores in the end."""

    records: Mapping[str, VideoRecord]
    scopes: Mapping[str, list[str]]
    moments: Mapping[str, list[StoredPoint]]
    blobs: Mapping[str, set[str]]
    work: list[str]
    redis: Mapping[str, int]
    """By key the milliseconds left, -1 for ever."""


def read(points: VectorStore, data: Path, connection: "redis.Redis[str]") -> Stores:
    library = Library(points)
    submissions = list(points.scroll(RECORDS, Filter({"kind": "submission"})))
    scopes: dict[str, list[str]] = {}
    for each in submissions:
        scopes.setdefault(each.payload["video_id"], []).append(each.payload["scope"])
    moments: dict[str, list[StoredPoint]] = {}
    for stored in points.scroll(MOMENTS, Filter()) if library.generation else ():
        moments.setdefault(stored.payload["video_id"], []).append(stored)
    ids = [each.id for each in points.scroll(RECORDS, Filter({"kind": "video"}), ())]
    blobs: dict[str, set[str]] = {}
    for path in (data / "blobs" / "videos").glob("*/*"):
        blobs.setdefault(path.parent.name, set()).add(f"videos/{path.parent.name}/{path.name}")
    return Stores(
        {id: record for id in ids if (record := library.video(id))},
        scopes,
        moments,
        blobs,
        [path.name for path in (data / "work").glob("*")],
        {key: connection.pttl(key) for key in connection.scan_iter()},
    )


def check(plan: Plan, links: Sequence[str], clips: Sequence[Clip], ledger: Ledger, stores: Stores) -> Iterator[str]:
    """What is wrong, a line each."""
    ids = [canonicalize(link).video_id for link in links]
    yield from (f"a record that nobody asked for: {id}" for id in stores.records.keys() - set(ids))
    for link, id in enumerate(ids):
        for wrong in _of_link(ledger, link, id, clips[plan.clips[link]], stores):
            yield f"link {link} ({plan.kinds[link]}, {id}): {wrong}"
    yield from (f"left in the work folder: {name}" for name in stores.work)
    yield from _of_redis(stores.redis)


def _of_link(ledger: Ledger, link: int, id: str, clip: Clip, stores: Stores) -> Iterator[str]:
    record, moments, blobs = stores.records.get(id), stores.moments.get(id, []), stores.blobs.get(id, set())
    wanted = ledger.wanted_by(link, stores.scopes.get(id, []))
    if sorted(stores.scopes.get(id, [])) != wanted:
        yield f"is wanted by {wanted}, and recorded for {stores.scopes.get(id)}"
    if not wanted:
        if record or moments or blobs:
            yield f"was forgotten, and left {record}, {len(moments)} moments, {len(blobs)} blobs"
        return
    if record is None:
        yield "has no record"
        return
    told = {space: ledger.told[space, link] for space in wanted}
    match record.status:
        case "indexed":
            kept = {key for stored in moments for key in stored.payload["frames"]}
            if (len(moments), record.moments, len(kept), len(blobs)) != (
                clip.moments,
                clip.moments,
                clip.pictures,
                clip.pictures,
            ):
                yield f"has {len(moments)} moments of {clip.moments}, {len(kept)}/{len(blobs)} blobs of {clip.pictures}"
            if kept != blobs:
                yield "has other blobs than its moments say"
            if any(stored.payload["open"] != "yes" or sorted(stored.payload["spaces"]) != wanted for stored in moments):
                yield f"is not open to {wanted}: {[(s.payload['open'], s.payload['spaces']) for s in moments]}"
            for space, last in told.items():
                if last["status"] == "failed":
                    ledger.counts["told that it failed, and found all the same"] += 1
                    if len(ledger.ever_told[link]) == 1:
                        yield f"is indexed, but {space} and all others were told {last['code']}"
        case "failed":
            if moments or blobs:
                yield f"failed with {record.code}, and left {len(moments)} moments, {len(blobs)} blobs"
            if any(last["status"] != "failed" for last in told.values()):
                yield f"failed with {record.code}, but {told} was told"
        case status:
            yield f"is {status}; {told} was told"


def _of_redis(keys: Mapping[str, int]) -> Iterator[str]:
    ours = ("reelseek:lease:", "reelseek:errand", "unacked")
    rounds = "reelseek:lease:due:"  # when they are due again
    left = [key for key in keys if key.startswith(ours) or key in ("index", "search")]
    yield from (f"left in Redis: {key}" for key in left if not key.startswith(rounds))
    kept = ("_kombu.binding",)
    yield from (f"never lapses in Redis: {key}" for key, left in keys.items() if left < 0 and not key.startswith(kept))
