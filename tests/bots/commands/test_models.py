"""Listing models, and switching to another one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bots.commands.models import manage_models
from bots.commands.replies import TextReply, TrainingProgress
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.replies import collect, collect_sentence
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.updates import RetrainFinished, RetrainOutcome, RetrainProgress, RetrainStage, Update

ADMIN = Caller(space="discord:1", user_id="zoe", is_admin=True)


@dataclass
class SwitchingClient(FakeClient):
    """A client whose switch ends with `end`."""

    end: RetrainFinished = field(
        default_factory=lambda: RetrainFinished(outcome=RetrainOutcome.SWITCHED, generation="multilingual-1")
    )

    async def follow(self, job_id: str) -> AsyncIterator[Update]:
        yield RetrainProgress(stage=RetrainStage.FETCH, step=250_000_000, steps=1_500_000_000, left_s=100.0)
        yield RetrainProgress(stage=RetrainStage.EMBED, step=3, steps=9, left_s=75.0)
        yield self.end


async def switch(end: RetrainFinished) -> list[str]:
    """Return the texts of all replies to a switch on the command line."""
    replies = await collect(manage_models(SwitchingClient(end=end), ADMIN, "use", to="multilingual", by_operator=True))
    assert {reply.task for reply in replies if isinstance(reply, TrainingProgress)} == {"multilingual"}
    assert all(isinstance(reply, TrainingProgress) for reply in replies)
    return [reply.text for reply in replies if isinstance(reply, TrainingProgress)]


async def test_switch_shows_progress_time_left_and_how_to_go_back() -> None:
    """The answer also says what stays as it was."""
    end = RetrainFinished(
        outcome=RetrainOutcome.SWITCHED, generation="multilingual-1", moments_without_frames=12, spaces_with_own_model=2
    )
    begun, download, progress, done = await switch(end)
    assert "multilingual" in begun
    assert download == "downloading the model · 250 MB/1.5 GB · 1:40 left"
    assert ("3/9" in progress, "1:15 left" in progress) == (True, True)
    assert "Searches use multilingual-1 now. `/model rollback` goes back." in done
    assert ("deleted: 12." in done, "own model: 2." in done) == (True, True)


@pytest.mark.parametrize("overridden", [RetrainOutcome.NOT_BETTER, RetrainOutcome.FORGETS, RetrainOutcome.TOO_FEW])
async def test_forced_adapter_says_what_that_overrides(overridden: RetrainOutcome) -> None:
    end = RetrainFinished(outcome=RetrainOutcome.SWITCHED, generation="base-1", overridden=overridden)
    assert "It is used as you asked, although" in (await switch(end))[-1]


async def test_chat_may_not_use_what_the_operator_has_not_allowed() -> None:
    reply = await collect_sentence(manage_models(FakeClient(), ADMIN, "use", to="multilingual"))
    assert (reply.ok, reply.code) == (False, ErrorCode.PRESET_NOT_ALLOWED)


async def test_use_without_a_name_says_how_to_type_it() -> None:
    reply = await collect_sentence(manage_models(FakeClient(), ADMIN, "use"))
    assert (reply.ok, "use NAME" in reply.text) == (False, True)


async def test_list_has_the_presets_and_the_generations() -> None:
    presets, generations = await collect(manage_models(FakeClient(), ADMIN, "list"))
    assert isinstance(presets, TextReply)
    assert "starter · en · size unknown · ready to use" in presets.text
    assert isinstance(generations, TextReply)
    assert "starter-0" in generations.text
