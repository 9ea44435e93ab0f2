"""Handlers of a space's settings and votes, and of the bot's removal from it."""

from datetime import UTC, datetime

from indexer.store.generations import GenerationStore
from indexer.store.moments import MomentStore
from indexer.store.records import VoteRecord
from indexer.store.spaces import SpaceStore
from worker.handlers.access import require_admin
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Ack
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import RecordVote
from worker.protocol.spaces import (
    ChangeSettings,
    GetRetentionPolicy,
    GetSettings,
    RecordBotRemoval,
    RetentionPolicy,
    SpaceSettings,
)
from worker.settings import Settings
from worker.vision_model import VisionModel

SECONDS_PER_DAY = 86400


def record_vote(spaces: SpaceStore, generations: GenerationStore, moments: MomentStore, request: RecordVote) -> Ack:
    """Store the caller's vote on a moment. Raises `RequestRefusedError` if the caller cannot see the moment."""
    caller, generation = request.caller, generations.get_live()
    visible = moments.get(generation, caller.scopes, [request.moment_id]) if generation else []
    if not visible:
        raise RequestRefusedError(ErrorCode.NOT_IN_LIBRARY)
    moment = visible[0].payload
    spaces.put_vote(
        VoteRecord(
            space=caller.space,
            user_id=caller.user_id,
            queries=request.queries,
            video_id=moment["video_id"],
            start_s=moment["start_s"],
            end_s=moment["end_s"],
            vote=request.kind,
            at=datetime.now(UTC).isoformat(),
            private_channel=caller.private_channel,
            moment_id=request.moment_id,
        )
    )
    return Ack()


def get_retention_policy(
    settings: Settings, vision: VisionModel | None, request: GetRetentionPolicy
) -> RetentionPolicy:
    """Return how long this installation keeps data."""
    return RetentionPolicy(
        leave_grace_days=settings.leave_grace_days,
        adapter_scope=settings.adapter_scope,
        keep_queries_days=settings.keep_queries_days,
        keep_results_days=settings.results_ttl_s / SECONDS_PER_DAY,
        keep_frames_days=settings.keep_frames_days,
        vision_host=vision.host if vision else None,
    )


def get_settings(spaces: SpaceStore, request: GetSettings) -> SpaceSettings:
    """Return the settings of the caller's space."""
    return load_settings(spaces, request.caller.space)


def change_settings(spaces: SpaceStore, request: ChangeSettings) -> SpaceSettings:
    """Store the settings of the caller's space. Raises `RequestRefusedError` if the caller is not an admin."""
    require_admin(request.caller)
    spaces.put_settings(request.caller.space, request.settings.model_dump(mode="json"))
    return load_settings(spaces, request.caller.space)


def load_settings(spaces: SpaceStore, space: str) -> SpaceSettings:
    """Return the settings of a space; defaults apply until an admin changes them."""
    return SpaceSettings.model_validate(spaces.get_settings(space))


def record_bot_removal(spaces: SpaceStore, request: RecordBotRemoval) -> Ack:
    """Record that the bot was removed from the caller's space, or that it is back."""
    at = datetime.fromtimestamp(request.at, UTC)
    if request.is_back:
        spaces.record_bot_return(request.caller.space, at)
    else:
        spaces.record_bot_removal(request.caller.space, at)
    return Ack()
