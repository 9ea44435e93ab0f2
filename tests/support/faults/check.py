"""The final check of a run of faults: what the stores hold, compared with the requests and their answers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import redis

from indexer.generation_id import LIVE_ALIAS
from indexer.link.canonical import canonicalize
from indexer.senses import Sense, SenseStatus
from indexer.store.enrichment import read_evidence
from indexer.store.records import RECORDS, VideoRecord
from indexer.store.stores import open_stores
from indexer.vectors.vector_store import Filter, StoredPoint, VectorStore
from tests.support.faults.clips import ServedClip
from tests.support.faults.plan import Plan
from tests.support.faults.world import QUEUES

Answer: TypeAlias = Mapping[str, Any]
"""An outcome as it was shown, with `status` and `code`."""


@dataclass
class Ledger:
    """Requests and their answers, by space and number of the link."""

    last_answers: dict[tuple[str, int], Answer] = field(default_factory=dict)
    all_statuses: dict[int, set[str]] = field(default_factory=dict)
    """By link, every status that any space was shown."""
    removed: set[tuple[str, int]] = field(default_factory=set)
    uncertain: set[tuple[str, int]] = field(default_factory=set)
    """Links that a revived request added while they were removed: either may have come last."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def record_answer(self, space: str, link: int, answer: Answer) -> None:
        self.last_answers[space, link] = answer
        self.all_statuses.setdefault(link, set()).add(answer["status"])

    def find_expected_scopes(self, link: int, stored: Sequence[str]) -> list[str]:
        """Return the spaces that must have the link. For uncertain ones, what is stored is right."""
        spaces = {space for space, each in self.last_answers if each == link and (space, link) not in self.removed}
        uncertain = {space for space, each in self.uncertain if each == link}
        return sorted((spaces - uncertain) | (uncertain & set(stored)))


@dataclass(frozen=True)
class StoredState:
    """Everything that is in the stores at the end."""

    records: Mapping[str, VideoRecord]
    scopes: Mapping[str, list[str]]
    moments: Mapping[str, list[StoredPoint]]
    blobs: Mapping[str, set[str]]
    work_files: list[str]
    redis_ttls_ms: Mapping[str, int]
    """By key; -1 for keys that never expire."""


def read_stores(vectors: VectorStore, data: Path, connection: redis.Redis) -> StoredState:
    stores = open_stores(vectors)
    scopes: dict[str, list[str]] = {}
    for submission in vectors.scroll(RECORDS, Filter({"kind": "submission"})):
        scopes.setdefault(submission.payload["video_id"], []).append(submission.payload["scope"])
    moments: dict[str, list[StoredPoint]] = {}
    for stored in vectors.scroll(LIVE_ALIAS, Filter()) if stores.generations.get_live() else ():
        moments.setdefault(stored.payload["video_id"], []).append(stored)
    ids = [each.id for each in vectors.scroll(RECORDS, Filter({"kind": "video"}), ())]
    blobs: dict[str, set[str]] = {}
    for path in (data / "blobs" / "videos").glob("*/**/*"):
        key = path.relative_to(data / "blobs")
        if path.is_file():
            blobs.setdefault(key.parts[1], set()).add(key.as_posix())
    return StoredState(
        {id: record for id in ids if (record := stores.videos.get(id))},
        scopes,
        moments,
        blobs,
        [path.name for path in (data / "work").glob("*")],
        {key: connection.pttl(key) for key in connection.scan_iter()},
    )


def find_differences(
    plan: Plan, links: Sequence[str], clips: Sequence[ServedClip], ledger: Ledger, state: StoredState
) -> Iterator[str]:
    """Yield a line for each broken promise."""
    ids = [canonicalize(link).video_id for link in links]
    yield from (f"a record without a request: {id}" for id in state.records.keys() - set(ids))
    for link, id in enumerate(ids):
        for difference in _check_link(ledger, link, id, clips[plan.clips[link]], state):
            yield f"link {link} ({plan.kinds[link]}, {id}): {difference}"
    yield from (f"left in the work folder: {name}" for name in state.work_files)
    yield from _check_redis(state.redis_ttls_ms)


def _check_link(ledger: Ledger, link: int, id: str, clip: ServedClip, state: StoredState) -> Iterator[str]:
    record, moments, blobs = state.records.get(id), state.moments.get(id, []), state.blobs.get(id, set())
    expected = ledger.find_expected_scopes(link, state.scopes.get(id, []))
    if sorted(state.scopes.get(id, [])) != expected:
        yield f"should belong to {expected}, and belongs to {state.scopes.get(id)}"
    if not expected:
        if record or moments or blobs:
            yield f"was removed, and left {record}, {len(moments)} moments, {len(blobs)} blobs"
        return
    if record is None:
        yield "has no record"
        return
    answers = {space: ledger.last_answers[space, link] for space in expected}
    match record.status:
        case "indexed":
            yield from _check_indexed(record, moments, blobs, clip, expected)
            for space, answer in answers.items():
                if answer["status"] == "failed":
                    ledger.counts["reported as failed, and found all the same"] += 1
                    if len(ledger.all_statuses[link]) == 1:
                        yield f"is indexed, but {space} and all others were shown {answer['code']}"
        case "failed":
            if moments or blobs:
                yield f"failed with {record.code}, and left {len(moments)} moments, {len(blobs)} blobs"
            if any(answer["status"] != "failed" for answer in answers.values()):
                yield f"failed with {record.code}, but {answers} was shown"
        case status:
            yield f"is {status}; {answers} was shown"


def _check_indexed(
    record: VideoRecord, moments: list[StoredPoint], blobs: set[str], clip: ServedClip, expected: list[str]
) -> Iterator[str]:
    frames = {key for stored in moments for key in stored.payload["frames"]}
    counts = len(moments), record.moments, len(frames), len(blobs)
    if counts != (clip.moments, clip.moments, clip.pictures, clip.pictures):
        yield f"has {len(moments)} moments of {clip.moments}, {len(frames)}/{len(blobs)} blobs of {clip.pictures}"
    if frames != blobs:
        yield "has other blobs than its moments say"
    if record.senses != dict.fromkeys(Sense, SenseStatus.DONE):
        yield f"has the senses {record.senses} {record.sense_codes}"
    ordered = sorted(moments, key=lambda moment: float(moment.payload["start_s"]))
    if (evidence := [read_evidence(moment.payload) for moment in ordered]) != clip.evidence:
        yield f"has the evidence {evidence} instead of {clip.evidence}"
    visibility = [(stored.payload["open"], sorted(stored.payload["spaces"])) for stored in moments]
    if any(each != ("yes", expected) for each in visibility):
        yield f"is not visible to {expected}: {visibility}"


def _check_redis(ttls_ms: Mapping[str, int]) -> Iterator[str]:
    temporary = ("reelseek:lease:", "reelseek:request", "unacked")
    periodic = "reelseek:lease:due:"  # when a periodic task is due again
    left = [key for key in ttls_ms if key.startswith(temporary) or key in QUEUES]
    yield from (f"left in Redis: {key}" for key in left if not key.startswith(periodic))
    permanent = ("_kombu.binding",)
    yield from (
        f"never expires: {key}" for key, ttl_ms in ttls_ms.items() if ttl_ms < 0 and not key.startswith(permanent)
    )
