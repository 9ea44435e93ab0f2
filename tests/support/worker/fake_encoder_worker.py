"""A worker process with the fake encoder, which loads at once: `FAKE_ENCODER_WORKER`, with Reelseek's own settings.

With a path as its argument, it prints `embedding` before it embeds frames, and then waits while a test holds a lock on
the file at that path.
"""

import fcntl
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from indexer.types import Picture, Vector
from model.ports import Encoder as ModelEncoder
from tests.support.indexer.fakes import FakeEncoder
from worker.models.loading import ModelChoice, train_preset
from worker.ops.logs import configure_logging
from worker.queue.app import make_app
from worker.runtime.process import run_worker
from worker.services import Services
from worker.settings import Settings

FAKE_ENCODER_WORKER: Final = (sys.executable, "-m", "tests.support.worker.fake_encoder_worker")


@dataclass(frozen=True)
class GatedEncoder(FakeEncoder):
    """Waits until the gate is open before it embeds frames."""

    gate: Path = Path()

    def encode_frames(self, pictures: Sequence[Picture]) -> Vector:
        print("embedding", flush=True)
        with self.gate.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
        return super().encode_frames(pictures)


def load_encoder(settings: Settings, choice: ModelChoice, on_fetch: object = None) -> ModelEncoder:
    gate = sys.argv[1:]
    return cast(ModelEncoder, GatedEncoder(gate=Path(gate[0])) if gate else FakeEncoder())


def open_fake_encoder_services(settings: Settings, stopping: threading.Event) -> Services:
    """Open the services of such a worker in this process."""
    return Services(settings, make_app(settings), stopping, load_encoder, train_preset)


def main() -> None:
    settings = Settings()
    configure_logging(settings, to_file=False)
    run_worker(settings, ["search", "index"], load_encoder)


if __name__ == "__main__":
    main()
