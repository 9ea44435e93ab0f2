"""A worker process that is real but for its encoder: `python -m tests.whole.light`, with the settings of Reelseek."""

import threading
from contextlib import closing
from typing import Any, cast

from model.encoders import Encoder as ModelEncoder
from tests.indexer.fakes import FakeEncoder
from worker.app import make_app
from worker.compose import Parts
from worker.models import train_preset
from worker.running import work
from worker.settings import Settings
from worker.tasks import register


def light_parts(settings: Settings, stopping: threading.Event) -> Parts:
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    return Parts(settings, make_app(settings), stopping, load, train_preset)


def main() -> None:
    stopping = threading.Event()
    with closing(light_parts(Settings(), stopping)) as parts:
        register(parts.app, parts)
        work(parts.app, ["search", "index"], lambda: print("worker.ready", flush=True), stopping)


if __name__ == "__main__":
    main()
