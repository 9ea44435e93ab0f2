"""A worker process that is real but for its encoder, which is there at once: `LIGHT` with the settings of Reelseek."""

import sys
import threading
from typing import Any, Final, cast

from model.encoders import Encoder as ModelEncoder
from tests.indexer.fakes import FakeEncoder
from worker.app import make_app
from worker.compose import Parts
from worker.logs import configure
from worker.models import train_preset
from worker.run import run_worker
from worker.settings import Settings

LIGHT: Final = (sys.executable, "-m", "tests.whole.light")


def load(*_: Any) -> ModelEncoder:
    return cast(ModelEncoder, FakeEncoder())


def light_parts(settings: Settings, stopping: threading.Event) -> Parts:
    return Parts(settings, make_app(settings), stopping, load, train_preset)


def main() -> None:
    settings = Settings()
    configure(settings, to_file=False)
    run_worker(settings, ["search", "index"], load)


if __name__ == "__main__":
    main()
