"""Settings of a space, votes, and the retention policy."""

import pytest

from tests.support.worker.callers import ADMIN, ANN, OTHER_SPACE
from tests.support.worker.services import add_video, handle
from worker.handlers.errors import RequestRefusedError
from worker.handlers.spaces import get_retention_policy
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Find, RecordVote
from worker.protocol.spaces import ChangeSettings, GetRetentionPolicy, GetSettings, SpaceSettings
from worker.services import Services
from worker.settings import Settings


def test_settings_are_changed_by_admins_of_the_space_only(services: Services) -> None:
    """All members can read them."""
    with pytest.raises(RequestRefusedError) as refused:
        handle(services, ChangeSettings(caller=ANN, settings=SpaceSettings(answers="public")))
    assert refused.value.code is ErrorCode.ADMINS_ONLY
    handle(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(answers="public", watched=("7",))))
    assert handle(services, GetSettings(caller=ANN)) == SpaceSettings(answers="public", watched=("7",))
    assert handle(services, GetSettings(caller=OTHER_SPACE)) == SpaceSettings()


def test_vote_on_moment_of_another_space_is_refused(services: Services) -> None:
    add_video(services, "goal", ANN)
    [hit] = handle(services, Find(caller=ANN, queries=("goal",))).hits
    with pytest.raises(RequestRefusedError):
        handle(services, RecordVote(caller=OTHER_SPACE, queries=("goal",), moment_id=hit.moment_id, kind="up"))


def test_retention_policy_shows_the_settings_of_the_installation() -> None:
    """Results in chats are kept 30 days at most, and no longer than votes."""
    policy = get_retention_policy(Settings(), None, GetRetentionPolicy(caller=ANN))
    assert (policy.leave_grace_days, policy.adapter_scope) == (7, "space")
    assert (policy.keep_queries_days, policy.keep_results_days, policy.keep_frames_days) == (None, 30, None)
    settings = Settings(keep_queries_days=2.5, keep_frames_days=90.0)
    policy = get_retention_policy(settings, None, GetRetentionPolicy(caller=ANN))
    assert (policy.keep_queries_days, policy.keep_results_days, policy.keep_frames_days) == (2.5, 2.5, 90)
