"""Submitting links and waiting for their jobs."""

from typing import Final

from bots.commands.client import Client
from worker.protocol.base import Caller
from worker.protocol.library import Submit, Submitted
from worker.protocol.updates import Indexed, JobFailed

ANN: Final = Caller(space="local:ann", user_id="ann")
BOB: Final = Caller(space="local:bob", user_id="bob")


async def submit(client: Client, link: str, caller: Caller = ANN) -> Submitted:
    return await client.call(Submit(caller=caller, link=link))


async def wait_for_outcome(client: Client, submitted: Submitted) -> Indexed | JobFailed:
    """Return how the job of a submission ended."""
    if submitted.indexed:
        return submitted.indexed
    assert submitted.job_id
    updates = [update async for update in client.follow(submitted.job_id)]
    assert isinstance(updates[-1], Indexed | JobFailed)
    return updates[-1]
