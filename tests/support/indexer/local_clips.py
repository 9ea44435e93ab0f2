"""Indexing local clips through the product, for benchmarks of recall."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.progress import track

from worker.client.queue_client import QueueClient
from worker.protocol.base import Caller
from worker.protocol.library import Submit
from worker.protocol.updates import Indexed, JobFailed

CALLER: Final = Caller(space="local:recall", user_id="benchmark")


async def index_clips(client: QueueClient, clips: Sequence[Path]) -> dict[str, str]:
    """Index the clips, and wait until what they say, show and sound like is recognized.

    Returns their file names by the link under which they are found.
    """
    links: dict[str, str] = {}
    jobs = []
    for clip in clips:
        submitted = await client.call(Submit(caller=CALLER, link=clip.as_uri(), local_files=True))
        links[submitted.link] = clip.name
        if submitted.job_id:
            jobs.append(submitted.job_id)
    enrich_jobs = []
    for job in track(jobs, description="index"):
        update = await _follow(client, job)
        if update and not update.moments:
            print(f"empty: {update.link}")
        if update and update.enrich_job:
            enrich_jobs.append(update.enrich_job)
    for job in track(enrich_jobs, description="enrich"):
        update = await _follow(client, job)
        if update and update.failed_senses:
            print(f"{update.link}: {update.failed_senses}")
    return links


async def _follow(client: QueueClient, job: str) -> Indexed | None:
    async for update in client.follow(job):
        if isinstance(update, JobFailed):
            print(f"failed: {job} {update.code}")
        elif isinstance(update, Indexed):
            return update
    return None
