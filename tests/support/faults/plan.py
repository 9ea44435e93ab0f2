"""What happens in a run of faults, all of it derived from the seed: links, requests and faults."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from aiohttp import web

from tests.support.faults.clips import ServedClip
from tests.support.servers.site import Site

SPACES: Final = ("discord:1", "discord:2", "slack:T3")
SLOW_S: Final = 2.0
JOBS_PER_FAULT: Final = 8
MIN_FAULTS: Final = 6

LinkKind: TypeAlias = Literal["good", "slow", "flaky", "missing", "page", "corrupt"]
LINK_KINDS: Final[Sequence[LinkKind]] = ("good", "slow", "flaky", "missing", "page", "corrupt")
LINK_WEIGHTS: Final = (78, 6, 5, 4, 3, 4)

STAGES: Final = ("fetch", "decode", "embed", "store", "answer")
ENRICH_STAGES: Final = ("listen", "read", "tag")
FAULTS: Final = (
    "kill index",
    "kill enrich",
    "kill search",
    "kill frontend",
    "kill child",
    "suspend index",
    "kill redis",
    "cut power of redis",
    "kill qdrant",
    "fill disk",
    "jump clock",
    "repeat messages",
)
FAULT_WEIGHTS: Final = (6, 4, 2, 4, 2, 1, 2, 1, 2, 1, 1, 2)


@dataclass(frozen=True)
class Action:
    """One request of a space. `index and remove` removes the links while they are indexed."""

    kind: Literal["index", "remove", "find", "index and remove"]
    space: str
    links: tuple[int, ...]


@dataclass(frozen=True)
class Fault:
    """A fault at a stage of some job, after `delay_s`; a killed process is down for `down_s`."""

    kind: str
    stage: str
    worker: int
    delay_s: float
    down_s: float


@dataclass(frozen=True)
class Plan:
    """`kinds` and `clips` by number of the link; `actions` and `faults` in their order."""

    kinds: tuple[LinkKind, ...]
    clips: tuple[int, ...]
    actions: tuple[Action, ...]
    faults: tuple[Fault, ...]


def make_plan(seed: int, jobs: int, files: int) -> Plan:
    rng = random.Random(seed)
    kinds = tuple(rng.choices(LINK_KINDS, LINK_WEIGHTS, k=jobs))
    clips = tuple(rng.randrange(files) for _ in kinds)
    timed: list[tuple[float, Action]] = []
    for link in range(jobs):
        if rng.random() < 0.06:
            timed.append((link, Action("index and remove", rng.choice(SPACES), (link,))))
            continue
        spaces = rng.sample(SPACES, rng.choices((1, 2, 3), (6, 3, 1))[0])
        for space in spaces:
            at = link + rng.random() * 10
            timed += [
                (at + repeat * rng.random() * 20, Action("index", space, (link,)))
                for repeat in range(rng.choice((1, 1, 2)))
            ]
        if rng.random() < 0.12:
            removing = spaces if rng.random() < 0.7 else spaces[:1]
            timed += [(link + 31 + rng.random() * 30, Action("remove", space, (link,))) for space in removing]
    timed += [(rng.random() * jobs, Action("find", rng.choice(SPACES), ())) for _ in range(jobs // 10)]
    ordered = [action for _, action in sorted(timed, key=lambda each: each[0])]
    number = max(MIN_FAULTS, jobs // JOBS_PER_FAULT)
    fault_kinds = [*FAULTS, *rng.choices(FAULTS, FAULT_WEIGHTS, k=max(0, number - len(FAULTS)))]
    rng.shuffle(fault_kinds)
    faults = tuple(
        Fault(
            kind,
            rng.choice(ENRICH_STAGES if kind == "kill enrich" else STAGES),
            rng.randrange(2),
            rng.random() * 0.05,
            rng.random() * 3,
        )
        for kind in fault_kinds[:number]
    )
    return Plan(kinds, clips, tuple(_join_links(ordered, rng)), faults)


def _join_links(actions: Sequence[Action], rng: random.Random) -> list[Action]:
    """Let some requests submit several links at once."""
    joined: list[Action] = []
    for action in actions:
        last = joined[-1] if joined else None
        if (
            last
            and (last.kind, last.space) == (action.kind, action.space) == ("index", action.space)
            and len(last.links) < 3
            and action.links[0] not in last.links
            and rng.random() < 0.7
        ):
            joined[-1] = Action("index", action.space, last.links + action.links)
        else:
            joined.append(action)
    return joined


def serve_links(site: Site, plan: Plan, clips: Sequence[ServedClip]) -> list[str]:
    """Serve each link as the plan says. Returns the addresses."""
    return [_serve(site, f"/v{link}.mp4", kind, clips[plan.clips[link]]) for link, kind in enumerate(plan.kinds)]


def _serve(site: Site, path: str, kind: LinkKind, clip: ServedClip) -> str:
    match kind:
        case "good":
            return site.put(path, clip.content, kind="video/mp4")
        case "corrupt":
            return site.put(path, clip.content[:200] + b"\0" * 2000, kind="video/mp4")
        case "page":
            return site.put(path, "<html><title>Nothing to see</title></html>")
        case "missing":
            return site.url(path)
        case "slow" | "flaky":
            return _serve_badly(site, path, kind, clip)


def _serve_badly(site: Site, path: str, kind: LinkKind, clip: ServedClip) -> str:
    """Serve a `slow` link in small parts; fail the first requests for a `flaky` one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if kind == "flaky" and site.requested_paths.count(path) <= 2:
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        response.content_length = len(clip.content)
        await response.prepare(request)
        with suppress(ConnectionError):  # the fetching child process was killed
            for start in range(0, len(clip.content), 256):
                await response.write(clip.content[start : start + 256])
                await asyncio.sleep(SLOW_S * 256 / len(clip.content) if kind == "slow" else 0)
        return response

    site.handlers[path] = answer
    return site.url(path)
