"""Redis commands that sending a task costs."""

from pathlib import Path

import redis

from tests.support.servers.processes import SIGNING_KEY
from worker.protocol.queues import INDEX_TASK
from worker.queue.app import make_app
from worker.queue.signing import send_signed
from worker.settings import Settings


def test_sending_tasks_subscribes_to_no_results(clean_redis: str, tmp_path: Path) -> None:
    settings = {"data_dir": tmp_path, "redis_url": clean_redis, "signing_key": SIGNING_KEY}
    app = make_app(Settings.model_validate(settings))
    with redis.Redis.from_url(clean_redis) as connection:
        connection.config_resetstat()
        for number in range(3):
            send_signed(app, INDEX_TASK, "v", task_id=f"job {number}", queue="index")
        assert connection.llen("index") == 3
        assert {"cmdstat_subscribe", "cmdstat_unsubscribe"}.isdisjoint(connection.info("commandstats"))
