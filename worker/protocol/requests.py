"""The list of all requests."""

from typing import Any

from worker.protocol.base import Request
from worker.protocol.describe import Ask, Describe
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
from worker.protocol.search import Find, RecordVote
from worker.protocol.spaces import ChangeSettings, GetRetentionPolicy, GetSettings, RecordBotRemoval
from worker.protocol.topics import ListTopics

REQUESTS: tuple[type[Request[Any]], ...] = (
    Find,
    RecordVote,
    Submit,
    Enrich,
    GetVideoStatus,
    ListPlaylist,
    StopCrawls,
    FollowList,
    UnfollowList,
    ListFollowed,
    ListLibrary,
    ListTopics,
    Describe,
    Ask,
    Forget,
    GetStatus,
    GetSettings,
    ChangeSettings,
    GetRetentionPolicy,
    RecordBotRemoval,
    PreviewRetrain,
    Retrain,
    ListModels,
    ListPresets,
    UseModel,
    Rollback,
)
