"""What sending costs Redis."""

from pathlib import Path

import redis

from worker.queue.app import make_app
from worker.queue.signing import send
from worker.settings import Settings


def test_whoever_sends_subscribes_to_nothing(clean_redis: str, tmp_path: Path) -> None:
    """Sending tasks asks Redis for nothing about their results."""
    app = make_app(Settings(data_dir=tmp_path, redis_url=clean_redis, signing_key="k" * 32))  # type: ignore[arg-type]
    with redis.Redis.from_url(clean_redis) as connection:
        connection.config_resetstat()
        for number in range(3):
            send(app, "reelseek.index", "v", task_id=f"job {number}", queue="index")
        assert connection.llen("index") == 3
        assert {"cmdstat_subscribe", "cmdstat_unsubscribe"}.isdisjoint(connection.info("commandstats"))
