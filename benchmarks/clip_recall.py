"""How often a person's words find their clip, through the product's own index and search.

    python benchmarks/clip_recall.py FOLDER [--neutral-names]

FOLDER holds clips and `queries.tsv` (a column `file`, then one column of queries for each language). With
`--neutral-names` the clips are indexed under numbers, so that no file name can help. Prints R@1 / R@5 / R@10.
"""

import argparse
import asyncio
import csv
import shutil
import tempfile
import time
from pathlib import Path

from rich.progress import track

from worker.client.queue_client import QueueClient
from worker.ops.logs import configure
from worker.protocol.messages import Caller, Find, Indexed, JobFailed, Submit
from worker.runtime.embedded import embedded
from worker.settings import Settings

CALLER = Caller(space="local:recall", user_id="benchmark")
RANKS = (1, 5, 10)


async def index(client: QueueClient, clips: list[Path]) -> dict[str, str]:
    """Files by the link that they are found under."""
    links: dict[str, str] = {}
    jobs = []
    for clip in clips:
        submitted = await client.call(Submit(caller=CALLER, link=clip.as_uri(), local_files=True))
        links[submitted.link] = clip.name
        if submitted.job_id:
            jobs.append(submitted.job_id)
    for job in track(jobs, description="index"):
        async for update in client.follow(job):
            if isinstance(update, JobFailed):
                print(f"failed: {job} {update.code}")
            elif isinstance(update, Indexed) and not update.moments:
                print(f"empty: {update.link}")
    return links


async def recall(client: QueueClient, links: dict[str, str], queries: list[tuple[str, str]]) -> str:
    ranks, took_s = [], []
    for file, words in queries:
        start_s = time.perf_counter()
        found = await client.call(Find(caller=CALLER, queries=(words,), limit=max(RANKS)))
        took_s.append(time.perf_counter() - start_s)
        files = [links[hit.link] for hit in found.hits]
        ranks.append(files.index(file) + 1 if file in files else max(RANKS) + 1)
    shares = " / ".join(f"{sum(rank <= most for rank in ranks) / len(ranks):.3f}" for most in RANKS)
    return f"{shares}  ({len(ranks)} queries, median {1000 * sorted(took_s)[len(took_s) // 2]:.0f} ms)"


async def main(folder: Path, neutral_names: bool) -> None:
    with (folder / "queries.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with tempfile.TemporaryDirectory() as temporary:
        clips = {row["file"]: folder / row["file"] for row in rows}
        if neutral_names:
            for number, (name, clip) in enumerate(clips.items()):
                clips[name] = Path(temporary) / f"{number:04d}{clip.suffix}"
                shutil.copy(clip, clips[name])
        settings = Settings(data_dir=Path(temporary) / "data", log_level="warning")
        configure(settings, to_file=True)
        names = {clip.name: name for name, clip in clips.items()}
        async with embedded(settings) as client:
            start_s = time.perf_counter()
            links = {link: names[name] for link, name in (await index(client, list(clips.values()))).items()}
            print(f"{len(links)} clips indexed in {time.perf_counter() - start_s:.0f} s")
            for language in [column for column in rows[0] if column != "file"]:
                queries = [(row["file"], row[language]) for row in rows]
                print(f"{language}: R@1/5/10 {await recall(client, links, queries)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--neutral-names", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.folder, arguments.neutral_names))
