"""What only an admin may ask for: looked at for every kind of request."""

from collections.abc import Mapping
from typing import Any, Final

from indexer.errors import IndexerError
from tests.worker.test_decisions import parts
from tests.worker.world import id_of, link_of
from worker import messages
from worker.answers import ANSWERS
from worker.codes import Code, code_of
from worker.compose import Parts
from worker.decisions import Refusal
from worker.messages import REQUESTS, Asker, Request, SpaceSettings

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
