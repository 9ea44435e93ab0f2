"""What only an admin may ask for: looked at for every kind of request."""

from collections.abc import Mapping
from typing import Any, Final

from indexer.errors import IndexerError
from tests.support.access_model import id_of, link_of
from tests.worker.handlers.test_spaces import services
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import RequestRefusedError
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import REQUESTS, Caller, Request, SpaceSettings
from worker.services import Services

__all__ = ["parts"]

ADMINS_ONLY: Final = {
    messages.ListPlaylist,
    messages.ChangeSettings,
    messages.PreviewRetrain,
    messages.Retrain,
    messages.Rollback,
}

EXAMPLES: Final[Mapping[type[Request[Any]], Mapping[str, Any]]] = {
    messages.Find: {"queries": ("clip",)},
    messages.Submit: {"link": link_of("v0")},
    messages.ListPlaylist: {"link": link_of("list")},
    messages.ListLibrary: {},
    messages.Forget: {"mine": True},
    messages.GetStatus: {},
    messages.RecordVote: {"queries": ("clip",), "moment_id": "none", "kind": "up"},
    messages.GetRetentionPolicy: {},
    messages.GetSettings: {},
    messages.ChangeSettings: {"settings": SpaceSettings()},
    messages.RecordBotRemoval: {},
    messages.PreviewRetrain: {},
    messages.Retrain: {},
    messages.ListModels: {},
    messages.Rollback: {},
    messages.GetVideoStatus: {"video_id": id_of("v0")},
}


def test_what_is_an_admin_s_needs_one_at_the_worker(services: Services) -> None:
    """Each kind of request is either everybody's or refused without an admin, whatever a frontend let through."""
    anybody, refused = Caller(space="discord:1", user_id="ann"), set()
    for kind in REQUESTS:
        try:
            ANSWERS[kind.task](services, kind(caller=anybody, **EXAMPLES[kind]))
        except (RequestRefusedError, IndexerError) as error:
            refused |= {kind} if error_code_of(error) is ErrorCode.ADMINS_ONLY else set()
    assert refused == ADMINS_ONLY
