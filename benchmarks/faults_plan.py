"""What `benchmarks.faults` does to whom, all of it drawn from the seed: links, who asks for what, and the faults."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from aiohttp import web

from indexer.decode.decoder import PyAvDecoder
from indexer.ingest.segmentation import cut_into_segments
from tests.support.media import BLUE, GREEN, RED, WHITE, video
from tests.support.site import Site

SPACES: Final = ("discord:1", "discord:2", "slack:T3")
COLOURS: Final = (RED, GREEN, BLUE, WHITE)
SLOW_S: Final = 2.0
JOBS_A_FAULT: Final = 8
LEAST_FAULTS: Final = 6

Kind: TypeAlias = Literal["good", "slow", "flaky", "gone", "page", "corrupt"]
KINDS: Final[Sequence[Kind]] = ("good", "slow", "flaky", "gone", "page", "corrupt")
SHARES: Final = (78, 6, 5, 4, 3, 4)

STAGES: Final = ("fetch", "decode", "embed", "store", "answer")
FAULTS: Final = (
    "kill index",
    "kill search",
    "kill front",
    "kill child",
    "pause index",
    "kill redis",
    "cut power of redis",
    "kill qdrant",
    "fill disk",
    "jump clock",
    "repeat messages",
)
WEIGHTS: Final = (6, 2, 4, 2, 1, 2, 1, 2, 1, 1, 2)


@dataclass(frozen=True)
class Clip:
    """A file, and what must come of it: moments and pictures."""

    content: bytes
    moments: int
    pictures: int


@dataclass(frozen=True)
class Ask:
    """What a space says at one time. `hasty`: the links are forgotten while they are worked on."""

    what: Literal["index", "forget", "find", "hasty"]
    space: str
    links: tuple[int, ...]


@dataclass(frozen=True)
class Fault:
    what: str
    stage: str
    which: int
    delay_s: float
    away_s: float


@dataclass(frozen=True)
class Plan:
    """`kinds` and `clips` by number of the link; `asks` in their order."""

    kinds: tuple[Kind, ...]
    clips: tuple[int, ...]
    asks: tuple[Ask, ...]
    faults: tuple[Fault, ...]


def draw(seed: int, jobs: int, files: int) -> Plan:
    rng = random.Random(seed)
    kinds = tuple(rng.choices(KINDS, SHARES, k=jobs))
    clips = tuple(rng.randrange(files) for _ in kinds)
    asks: list[tuple[float, Ask]] = []
    for link in range(jobs):
        if rng.random() < 0.06:
            asks.append((link, Ask("hasty", rng.choice(SPACES), (link,))))
            continue
        spaces = rng.sample(SPACES, rng.choices((1, 2, 3), (6, 3, 1))[0])
        for space in spaces:
            at = link + rng.random() * 10
            asks += [
                (at + again * rng.random() * 20, Ask("index", space, (link,))) for again in range(rng.choice((1, 1, 2)))
            ]
        if rng.random() < 0.12:
            leaving = spaces if rng.random() < 0.7 else spaces[:1]
            asks += [(link + 31 + rng.random() * 30, Ask("forget", space, (link,))) for space in leaving]
    asks += [(rng.random() * jobs, Ask("find", rng.choice(SPACES), ())) for _ in range(jobs // 10)]
    ordered = [ask for _, ask in sorted(asks, key=lambda each: each[0])]
    number = max(LEAST_FAULTS, jobs // JOBS_A_FAULT)
    kinds_of_fault = [*FAULTS, *rng.choices(FAULTS, WEIGHTS, k=max(0, number - len(FAULTS)))]
    rng.shuffle(kinds_of_fault)
    faults = tuple(
        Fault(what, rng.choice(STAGES), rng.randrange(2), rng.random() * 0.05, rng.random() * 3)
        for what in kinds_of_fault[:number]
    )
    return Plan(kinds, clips, tuple(_joined(ordered, rng)), faults)


def _joined(asks: Sequence[Ask], rng: random.Random) -> list[Ask]:
    """Some people send two links at once."""
    joined: list[Ask] = []
    for ask in asks:
        last = joined[-1] if joined else None
        if (
            last
            and (last.what, last.space) == (ask.what, ask.space) == ("index", ask.space)
            and len(last.links) < 3
            and ask.links[0] not in last.links
            and rng.random() < 0.7
        ):
            joined[-1] = Ask("index", ask.space, last.links + ask.links)
        else:
            joined.append(ask)
    return joined


def clips(folder: Path, files: int, rng: random.Random) -> list[Clip]:
    """Small videos of one or two shots, with what the real decoder finds in each."""
    decoder = PyAvDecoder(max_pixels=10**6, max_duration_s=60, timeout_s=60, memory_limit_bytes=2 * 1024**3)
    made = []
    for number in range(files):
        shots = rng.sample(COLOURS, rng.choice((1, 2)))
        path = video(folder / f"{number}.mp4", 2.0 * len(shots), rate=2, size=(64, 64), shots=shots)
        pictures = folder / f"{number}"
        pictures.mkdir()
        decoded = decoder.decode(path, pictures, lambda *_: None)
        made.append(Clip(path.read_bytes(), len(cut_into_segments(decoded)), len(decoded.frames)))
    return made


def serve(site: Site, plan: Plan, clips: Sequence[Clip]) -> list[str]:
    """The address of each link, behind which the site is as the plan says."""
    return [_serve(site, f"/v{link}.mp4", kind, clips[plan.clips[link]]) for link, kind in enumerate(plan.kinds)]


def _serve(site: Site, path: str, kind: Kind, clip: Clip) -> str:
    match kind:
        case "good":
            return site.put(path, clip.content, kind="video/mp4")
        case "corrupt":
            return site.put(path, clip.content[:200] + b"\0" * 2000, kind="video/mp4")
        case "page":
            return site.put(path, "<html><title>Nothing to see</title></html>")
        case "gone":
            return site.url(path)
        case "slow" | "flaky":
            return _serve_badly(site, path, kind, clip)


def _serve_badly(site: Site, path: str, kind: Kind, clip: Clip) -> str:
    """`slow` is sent in drops; `flaky` fails at first."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if kind == "flaky" and site.asked.count(path) <= 2:
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        response.content_length = len(clip.content)
        await response.prepare(request)
        with suppress(ConnectionError):  # the child that fetches was killed
            for start in range(0, len(clip.content), 256):
                await response.write(clip.content[start : start + 256])
                await asyncio.sleep(SLOW_S * 256 / len(clip.content) if kind == "slow" else 0)
        return response

    site.answers[path] = answer
    return site.url(path)
