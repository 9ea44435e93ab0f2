"""The table of handlers: which function answers which request, and with which services."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from indexer.search.votes import VoteReader
from worker.handlers import describe, following, library, models, presets, search, spaces, topics
from worker.protocol.base import Request, WireModel
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
from worker.services import Services

Handler: TypeAlias = Callable[[Any], WireModel]
Handlers: TypeAlias = Mapping[type[Request[Any]], Handler]


def build_handlers(services: Services) -> Handlers:
    """Bind every request to its handler and to the services that this handler uses."""
    return {
        **_bind_search(services),
        **_bind_library(services),
        **_bind_spaces(services),
        **_bind_models(services),
    }


def _bind_search(services: Services) -> Handlers:
    moments, submissions = services.stores.moments, services.stores.submissions
    votes = VoteReader(services.stores.spaces)
    reader = describe.MomentReader(moments, submissions, services.models, services.tagger, services.blobs)
    return {
        Find: partial(
            search.find,
            moments,
            submissions,
            votes,
            services.models,
            services.metrics,
            services.make_clip_decoder(),
            services.tagger,
            services.vision is not None,
        ),
        Describe: partial(describe.describe, reader, services.vision),
        Ask: partial(describe.ask, reader, votes, services.vision),
        ListTopics: partial(topics.list_topics, moments, services.topics, services.models),
        RecordVote: partial(spaces.record_vote, services.stores.spaces, services.stores.generations, moments),
    }


def _bind_library(services: Services) -> Handlers:
    settings, stores, user_data, fetcher = services.settings, services.stores, services.user_data, services.fetcher
    submissions, lists = stores.submissions, stores.followed_lists
    index_queue, enrich_queue = services.make_index_queue(), services.make_enrich_queue()
    removal = services.make_video_removal()
    return {
        Submit: partial(
            library.submit,
            submissions,
            stores.spaces,
            user_data,
            services.guard,
            index_queue,
            enrich_queue,
            removal,
        ),
        Enrich: partial(library.enrich, submissions, stores.videos, index_queue, enrich_queue, services.wanted_senses),
        GetVideoStatus: partial(library.get_video_status, submissions, stores.videos, index_queue, enrich_queue),
        ListPlaylist: partial(library.list_playlist, fetcher, settings.search_timeout_s),
        StopCrawls: partial(library.stop_crawls, stores.spaces),
        FollowList: partial(following.follow_list, lists, stores.spaces, fetcher, settings.search_timeout_s),
        UnfollowList: partial(following.unfollow_list, lists),
        ListFollowed: partial(following.list_followed, lists),
        ListLibrary: partial(library.list_library, submissions),
        Forget: partial(library.forget, submissions, stores.removals, stores.spaces, lists, user_data, removal),
        GetStatus: partial(library.get_status, submissions, stores.generations, settings),
    }


def _bind_spaces(services: Services) -> Handlers:
    store = services.stores.spaces
    return {
        GetRetentionPolicy: partial(spaces.get_retention_policy, services.settings, services.vision),
        GetSettings: partial(spaces.get_settings, store),
        ChangeSettings: partial(spaces.change_settings, store),
        RecordBotRemoval: partial(spaces.record_bot_removal, store),
    }


def _bind_models(services: Services) -> Handlers:
    settings, stores = services.settings, services.stores
    index_queue, retrain_queue = services.make_index_queue(), services.make_retrain_queue()
    return {
        PreviewRetrain: partial(models.preview_retrain, settings, stores, services.models),
        Retrain: partial(models.retrain, settings, stores, retrain_queue),
        ListModels: partial(models.list_models, settings, stores.generations),
        ListPresets: partial(presets.list_presets, settings),
        UseModel: partial(models.use_model, settings, stores, retrain_queue),
        Rollback: partial(models.rollback, settings, stores.generations, index_queue, retrain_queue),
    }
