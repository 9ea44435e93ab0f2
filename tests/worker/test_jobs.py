"""One job for each waiting video, also when the queue fails."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from tests.conftest import free_port
from worker.app import make_app
from worker.claims import Claims, MemoryLeases
from worker.compose import Parts
from worker.jobs import send_index
from worker.settings import Settings


def test_a_job_that_was_not_sent_holds_no_claim(tmp_path: Path) -> None:
    """Where the queue can't be reached, the video can be queued again as soon as it can."""
    app = make_app(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    claims = Claims(MemoryLeases())
    with pytest.raises((OperationalError, RedisError)):
        send_index(cast(Parts, SimpleNamespace(claims=claims, app=app)), "video")
    assert claims.queue("video")
