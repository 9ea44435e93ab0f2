"""What only an admin may ask for: looked at for every kind of request."""

from collections.abc import Mapping
from typing import Any, Final

from indexer.errors import IndexerError
from tests.support.access_model import id_of, link_of
from tests.worker.handlers.test_spaces import parts
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import Refusal
from worker.protocol import messages
from worker.protocol.error_codes import Code, code_of
from worker.protocol.messages import REQUESTS, Asker, Request, SpaceSettings
from worker.services import Parts

__all__ = ["parts"]

ADMINS_ONLY: Final = {
    messages.Crawl,
    messages.ChangeSettings,
    messages.PreviewRetrain,
    messages.Retrain,
    messages.Rollback,
}

EXAMPLES: Final[Mapping[type[Request[Any]], Mapping[str, Any]]] = {
    messages.Find: {"queries": ("clip",)},
    messages.Submit: {"link": link_of("v0")},
    messages.Crawl: {"link": link_of("list")},
    messages.Library: {},
    messages.Forget: {"mine": True},
    messages.Status: {},
    messages.Vote: {"queries": ("clip",), "moment_id": "none", "kind": "up"},
    messages.ReadTerms: {},
    messages.ReadSettings: {},
    messages.ChangeSettings: {"settings": SpaceSettings()},
    messages.Leave: {},
    messages.PreviewRetrain: {},
    messages.Retrain: {},
    messages.ReadModels: {},
    messages.Rollback: {},
    messages.Standing: {"video_id": id_of("v0")},
}


def test_what_is_an_admin_s_needs_one_at_the_worker(parts: Parts) -> None:
    """Each kind of request is either everybody's or refused without an admin, whatever a frontend let through."""
    anybody, refused = Asker(space="discord:1", person="ann"), set()
    for kind in REQUESTS:
        try:
            ANSWERS[kind.task](parts, kind(asker=anybody, **EXAMPLES[kind]))
        except (Refusal, IndexerError) as error:
            refused |= {kind} if code_of(error) is Code.ADMINS_ONLY else set()
    assert refused == ADMINS_ONLY
