"""Measure what a few votes add to searches with other words, and what they do to other searches.

    python -m benchmarks.recall.votes FOLDER [--seeds 5] [--half judge|choose]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language: paraphrases of each
other). All clips are indexed under neutral names, so that no file name can help. Only questions about one half of the
clips are counted (by a hash of the file name): `choose` was used to choose the constants of `indexer/search/votes.py`,
`judge` was not. In each run, every second clip of that half gets one voter: a person asks in one language, chosen at
random, and sees a page of five hits. If the clip is on it, they like it, and dislike the first hit if that is another
one. One vote in ten is wrong: it likes a hit at random that is not the clip. Prints R@1 and R@5 without and with these
votes for the same questions, for their paraphrases (the other languages), for the questions about the other clips of
the half, and for those about all clips that no voter asked for, each with the least and the greatest change of a run.
Finally, the time of a search without votes and with 1,000 of them.
"""

import argparse
import asyncio
import csv
import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Final, TypeAlias

from tests.support.indexer.local_clips import CALLER, index_clips
from worker.client.queue_client import QueueClient
from worker.ops.logs import configure_logging
from worker.protocol.library import Forget
from worker.protocol.search import Find, Hit, RecordVote, VoteKind
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

PAGE: Final = 5
WRONG_SHARE: Final = 0.1
MANY_VOTES: Final = 1_000

Question: TypeAlias = tuple[str, str]
"""A file and a language."""


@dataclass(frozen=True)
class Library:
    """The indexed clips and the words of each question."""

    client: QueueClient
    files: Mapping[str, str]
    """File name of each link."""
    words: Mapping[Question, str]

    async def find(self, question: Question) -> Sequence[Hit]:
        request = Find(caller=CALLER, queries=(self.words[question],), limit=PAGE)
        return (await self.client.call(request)).hits

    async def find_rank(self, question: Question) -> int:
        """Return the rank of a question's clip, or one more than the page has."""
        files = [self.files[hit.link] for hit in await self.find(question)]
        return files.index(question[0]) + 1 if question[0] in files else PAGE + 1

    async def vote(self, user_id: str, question: Question, hit: Hit, kind: VoteKind) -> None:
        caller = CALLER.model_copy(update={"user_id": user_id})
        vote = RecordVote(caller=caller, queries=(self.words[question],), moment_id=hit.moment_id, kind=kind)
        await self.client.call(vote)

    async def forget_votes(self, user_ids: Sequence[str]) -> None:
        for user_id in user_ids:
            caller = CALLER.model_copy(update={"user_id": user_id})
            await self.client.call(Forget(caller=caller, only_own=True))


async def cast_votes(library: Library, asked: Sequence[Question], rng: random.Random) -> list[str]:
    """Let one voter judge the hits of each question. Returns the voters."""
    voters = [f"voter-{number}" for number in range(len(asked))]
    for user_id, question in zip(voters, asked, strict=True):
        hits = await library.find(question)
        right = [hit for hit in hits if library.files[hit.link] == question[0]]
        wrong = [hit for hit in hits if hit not in right]
        if rng.random() < WRONG_SHARE:
            await library.vote(user_id, question, rng.choice(wrong), "up")
        elif right:
            await library.vote(user_id, question, right[0], "up")
            if hits[0] != right[0]:
                await library.vote(user_id, question, hits[0], "down")
    return voters


def print_recall(name: str, runs: Sequence[Sequence[tuple[int, int]]]) -> None:
    """Print R@1 and R@5 before and after, from the ranks before and after of each run."""
    line = [f"{name:<40}"]
    for limit in (1, PAGE):
        before, after = ([mean(ranks[which] <= limit for ranks in run) for run in runs] for which in (0, 1))
        changes = [b - a for a, b in zip(before, after, strict=True)]
        line.append(f"R@{limit} {mean(before):.3f} -> {mean(after):.3f} ({min(changes):+.3f} to {max(changes):+.3f})")
    print("  ".join(line), f"({mean(map(len, runs)):.0f} questions)", flush=True)


async def measure_votes(library: Library, files: Sequence[str], languages: Sequence[str], seeds: int) -> None:
    before = {question: await library.find_rank(question) for question in library.words}
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    for seed in range(seeds):
        rng = random.Random(seed)
        voted = rng.sample(list(files), len(files) // 2)
        asked = [(file, rng.choice(languages)) for file in voted]
        voters = await cast_votes(library, asked, rng)
        after = {question: await library.find_rank(question) for question in library.words}
        await library.forget_votes(voters)
        chosen = {
            "same question": asked,
            "paraphrases": [(file, each) for file in voted for each in languages if (file, each) not in asked],
            "other clips of the half": [(file, each) for file in files if file not in voted for each in languages],
            "all clips without votes": [question for question in library.words if question[0] not in voted],
        }
        for name, questions in chosen.items():
            groups.setdefault(name, []).append([(before[each], after[each]) for each in questions])
    for name, runs in groups.items():
        print_recall(name, runs)


async def measure_time(library: Library) -> None:
    """Print the time of searches without votes, with many, and of the first searches with many."""
    questions, rng = list(library.words), random.Random(0)
    times = [await time_searches(library, questions)]
    voters = [f"voter-{number}" for number in range(20)]
    cast = 0
    while cast < MANY_VOTES:
        question = rng.choice(questions)
        for hit in await library.find(question):
            await library.vote(rng.choice(voters), (question), hit, rng.choice(["up", "down"]))
            cast += 1
    times += [await time_searches(library, questions), await time_searches(library, questions)]
    await library.forget_votes(voters)
    print(f"median search: {times[0]:.1f} ms without votes, {times[1]:.1f} and then {times[2]:.1f} ms with {cast}")


async def time_searches(library: Library, questions: Sequence[Question]) -> float:
    times = []
    for question in questions:
        start_s = time.perf_counter()
        await library.find(question)
        times.append(1000 * (time.perf_counter() - start_s))
    return median(times)


def is_in_half(file: str, half: str) -> bool:
    return (hashlib.md5(file.encode(), usedforsecurity=False).digest()[0] % 2 == 0) == (half == "judge")


async def main(folder: Path, seeds: int, half: str, work: Path) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    languages = [column for column in rows[0] if column != "file"]
    names: dict[str, str] = {}
    for number, row in enumerate(rows):
        clip = work / f"{number:04d}{Path(row['file']).suffix}"
        shutil.copy(folder / row["file"], clip)
        names[clip.name] = row["file"]
    settings = Settings(data_dir=work / "data", log_level="warning", search_timeout_s=300)
    configure_logging(settings, to_file=True)
    async with run_embedded_worker(settings) as client:
        indexed = await index_clips(client, [work / name for name in names])
        words = {(row["file"], language): row[language] for row in rows for language in languages}
        library = Library(client, {link: names[name] for link, name in indexed.items()}, words)
        files = sorted(file for file in names.values() if is_in_half(file, half))
        print(f"{len(rows)} clips in the library, {len(files)} in the half `{half}`, {seeds} runs", flush=True)
        await measure_votes(library, files, languages, seeds)
        await measure_time(library)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--half", choices=["judge", "choose"], default="judge")
    parser.add_argument("--work", type=Path, help="keep the indexed clips in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(main(arguments.folder, arguments.seeds, arguments.half, folder))
