"""A library of videos that show numbers, large enough for a retrain with the toy model."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from indexer.generation_id import GenerationId
from indexer.store.records import NewSubmission
from indexer.types import Moment, SpanFrames
from tests.support.indexer.fakes import make_video, moment_id
from tests.support.model.toy_model import ToyEncoder, make_numbered_jpeg, make_numbered_picture
from tests.support.worker.callers import ADMIN, ANN
from tests.support.worker.recording_task import RecordingTask
from tests.support.worker.services import handle
from worker.protocol.base import Caller
from worker.protocol.models import Retrain
from worker.protocol.search import Find
from worker.protocol.updates import Update
from worker.services import Services
from worker.settings import Settings

VIDEO_COUNT: Final = 110
BASE: Final = GenerationId("base")
CORRELATION_ID: Final = "abc123"


def make_toy_settings(data_dir: Path) -> Settings:
    """Return the settings of a worker with the toy model. The general set of a retrain has no sample clips to read."""
    return Settings(data_dir=data_dir, parts_dir=data_dir / "no parts")


def create_base_generation(services: Services) -> None:
    services.stores.generations.create(BASE, ToyEncoder())


def fill_library(services: Services) -> None:
    """Add the videos 0 to `VIDEO_COUNT` - 1."""
    create_base_generation(services)
    for number in range(VIDEO_COUNT):
        add_numbered_video(services, number)


def add_numbered_video(
    services: Services, number: int, space: str = ANN.space, generation: GenerationId = BASE
) -> None:
    """Submit and index a video that shows a number; its title names it."""
    video = make_video(f"number {number}")
    key = f"videos/{video.id}/0.jpg"
    services.blobs.put(key, make_numbered_jpeg(number))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    services.stores.submissions.submit(
        NewSubmission(video.id, video.link, video.link, space, f"person{number % 5}", at)
    )
    [vector] = ToyEncoder().encode_frames([make_numbered_picture(number)])
    frames = SpanFrames((0.0,), vector[np.newaxis])
    moment = Moment(
        moment_id(video, 0), video.id, 0.0, 5.0, key, video.title, vector, frames=(key,), span_frames=frames
    )
    assert services.stores.publisher.publish_moments(video, [moment], generation)


def start_retrain(services: Services) -> None:
    handle(services, Retrain(caller=ADMIN))


def run_retrain(services: Services, task: RecordingTask | None = None, **fields: Any) -> Update:
    """Run the retrain job as the train worker does. `fields` replace those of the job."""
    return replace(services.make_retrain_job(), **fields)(task or RecordingTask(), CORRELATION_ID)


def find_number(services: Services, number: int, caller: Caller = ANN) -> str | None:
    """Return the title of the best hit for a number, by its picture alone; None if there is no hit."""
    found = handle(services, Find(caller=caller, queries=(f"number {number} please",)))
    return found.hits[0].title if found.hits else None


def search_results(services: Services, caller: Caller = ANN, step: int = 10) -> list[dict[str, Any]]:
    """Return the complete answers to searches for every `step`-th number."""
    queries = [f"number {number} please" for number in range(0, VIDEO_COUNT, step)]
    return [handle(services, Find(caller=caller, queries=(query,))).model_dump() for query in queries]
