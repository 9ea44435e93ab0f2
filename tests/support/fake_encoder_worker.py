"""A worker process that is real but for its encoder, which is there at once: `LIGHT` with the settings of Reelseek.

With a file's path behind it, it says when it embeds, and waits while somebody holds a lock on that file.
"""

import fcntl
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from indexer.types import Picture, Vector
from model.ports import Encoder as ModelEncoder
from tests.support.indexer_fakes import FakeEncoder
from worker.model_cache import train_preset
from worker.ops.logs import configure
from worker.queue.app import make_app
from worker.runtime.process import run_worker
from worker.services import Services
from worker.settings import Settings

LIGHT: Final = (sys.executable, "-m", "tests.support.fake_encoder_worker")


@dataclass(frozen=True)
class GatedEncoder(FakeEncoder):
    gate: Path = Path()

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        print("embedding", flush=True)
        with self.gate.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
        return super().frames(pictures)


def load(*_: Any) -> ModelEncoder:
    gate = sys.argv[1:]
    return cast(ModelEncoder, GatedEncoder(gate=Path(gate[0])) if gate else FakeEncoder())


def light_parts(settings: Settings, stopping: threading.Event) -> Services:
    return Services(settings, make_app(settings), stopping, load, train_preset)


def main() -> None:
    settings = Settings()
    configure(settings, to_file=False)
    run_worker(settings, ["search", "index"], load)


if __name__ == "__main__":
    main()
