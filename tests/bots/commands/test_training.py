"""Sentences about the end of a retrain."""

import pytest

from bots.commands.replies import TrainingProgress
from bots.commands.training import make_progress_reply
from bots.i18n.translate import use_locale
from worker.protocol.updates import RetrainFinished, RetrainOutcome


@pytest.mark.parametrize(("language", "said"), [("en", "stopped at step 7"), ("ko", "7단계"), ("zh", "第 7 步")])
def test_retrain_that_diverged_says_at_which_step(language: str, said: str) -> None:
    """The best weights from before that step were tested as usual."""
    with use_locale(language):
        reply = make_progress_reply(RetrainFinished(outcome=RetrainOutcome.NOT_BETTER, diverged_at=7))
        usual = make_progress_reply(RetrainFinished(outcome=RetrainOutcome.NOT_BETTER))
    assert isinstance(reply, TrainingProgress)
    assert isinstance(usual, TrainingProgress)
    assert reply.text.startswith(usual.text)
    assert said in reply.text
