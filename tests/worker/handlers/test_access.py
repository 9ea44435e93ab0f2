"""Admin rights and registration, checked for every kind of request."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from indexer.errors import IndexerError
from tests.support.worker.access_model import link_of, video_id_of
from tests.support.worker.services import handle
from worker.handlers.errors import RequestRefusedError
from worker.handlers.registry import build_handlers
from worker.protocol.base import Caller, Request
from worker.protocol.describe import Ask, Describe
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.following import FollowList, ListFollowed, UnfollowList
from worker.protocol.library import (
    Enrich,
    Forget,
    GetStatus,
    GetVideoStatus,
    ListLibrary,
    ListPlaylist,
    StopCrawls,
    Submit,
)
from worker.protocol.models import ListModels, ListPresets, PreviewRetrain, Retrain, Rollback, UseModel
from worker.protocol.requests import REQUESTS
from worker.protocol.search import Find, RecordVote
from worker.protocol.spaces import ChangeSettings, GetRetentionPolicy, GetSettings, RecordBotRemoval, SpaceSettings
from worker.protocol.topics import ListTopics
from worker.services import Services

ADMIN_REQUESTS: Final = {
    Enrich,
    ListPlaylist,
    StopCrawls,
    FollowList,
    UnfollowList,
    ListFollowed,
    ChangeSettings,
    PreviewRetrain,
    Retrain,
    Rollback,
    UseModel,
}

EXAMPLES: Final[Mapping[type[Request[Any]], Mapping[str, Any]]] = {
    Find: {"queries": ("clip",)},
    Submit: {"link": link_of("v0")},
    Enrich: {"link": link_of("v0")},
    ListPlaylist: {"link": link_of("list")},
    StopCrawls: {},
    FollowList: {"link": link_of("list")},
    UnfollowList: {"link": link_of("list")},
    ListFollowed: {},
    ListLibrary: {},
    Forget: {"only_own": True},
    GetStatus: {},
    RecordVote: {"queries": ("clip",), "moment_id": "none", "kind": "up"},
    GetRetentionPolicy: {},
    GetSettings: {},
    ChangeSettings: {"settings": SpaceSettings()},
    RecordBotRemoval: {},
    PreviewRetrain: {},
    Retrain: {},
    ListModels: {},
    ListPresets: {},
    UseModel: {"preset": "base"},
    Rollback: {},
    GetVideoStatus: {"video_id": video_id_of("v0")},
    ListTopics: {},
    Describe: {"moment_id": "m0"},
    Ask: {"question": "what is red?"},
}


def is_refused_for_members(services: Services, request: Request[Any]) -> bool:
    try:
        handle(services, request)
    except (RequestRefusedError, IndexerError) as error:
        return error_code_of(error) is ErrorCode.ADMINS_ONLY
    return False


def test_admin_requests_are_refused_for_members(services: Services) -> None:
    """The worker checks admin rights, independently of the frontend. All other requests are open to members."""
    member = Caller(space="discord:1", user_id="ann")
    requests = {kind: kind(caller=member, **EXAMPLES[kind]) for kind in REQUESTS}
    assert {kind for kind, request in requests.items() if is_refused_for_members(services, request)} == ADMIN_REQUESTS


def test_every_request_has_a_handler_with_its_answer(services: Services) -> None:
    handlers = build_handlers(services)
    assert set(handlers) == set(REQUESTS)
    for kind, handler in handlers.items():
        signature = inspect.signature(handler, eval_str=True)
        assert signature.return_annotation is kind.answer
        assert [each.annotation for each in signature.parameters.values()] == [kind]
