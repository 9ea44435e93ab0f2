"""A worker's services in one process, for tests of handlers and jobs."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TypeVar, cast

from indexer.fetch.fetcher import YtDlpFetcher
from indexer.generation_id import GenerationId
from model.ports import Encoder as ModelEncoder
from tests.support.indexer.fakes import FakeEncoder, make_moments, make_video
from worker.handlers.registry import build_handlers
from worker.models.loading import ModelChoice, ModelLoader, ModelTrainer, train_preset
from worker.protocol.base import Caller, Request, WireModel
from worker.protocol.library import Submit
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings

A = TypeVar("A", bound=WireModel)

FAKE = GenerationId(FakeEncoder.generation)


def load_fake_encoder(settings: Settings, choice: ModelChoice, on_fetch: object = None) -> ModelEncoder:
    return cast(ModelEncoder, FakeEncoder())


@contextmanager
def open_services(
    settings: Settings,
    load: ModelLoader = load_fake_encoder,
    train: ModelTrainer = train_preset,
    fetcher: YtDlpFetcher | None = None,
) -> Iterator[Services]:
    """Open the services of a worker process without queues: jobs are sent, but no worker runs them."""
    app = make_app(settings, MemoryResultStore())
    with closing(Services(settings, app, threading.Event(), load, train, fetcher=fetcher)) as services:
        yield services


def create_fake_generation(services: Services) -> None:
    """Create the generation of `FakeEncoder`."""
    encoder = FakeEncoder()
    services.stores.generations.create(FAKE, encoder)


def handle(services: Services, request: Request[A]) -> A:
    """Return the answer of the request's handler."""
    return cast(A, build_handlers(services)[type(request)](request))


def local_link(name: str) -> str:
    """Return a link that the SSRF check accepts if `allow_networks` has 127.0.0.0/8."""
    return f"http://127.0.0.1/{name}.mp4"


def add_video(services: Services, name: str, caller: Caller, message_id: str | None = None) -> str:
    """Submit a video and store one moment for it, as its index job would. Returns its link."""
    link = local_link(name)
    submitted = handle(services, Submit(caller=caller, link=link, message_id=message_id))
    if submitted.job_id:
        video = replace(make_video(name), id=submitted.video_id, link=link)
        create_fake_generation(services)
        assert services.stores.publisher.publish_moments(video, make_moments(video, name), FAKE)
    return link
