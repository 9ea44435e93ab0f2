"""A queue that no worker serves, on a real Redis."""

from pathlib import Path

import pytest
from celery import Celery
from pydantic import SecretStr

from tests.support.servers.network import free_port
from worker.ops.stalled import is_stalled
from worker.protocol.queues import ENRICH_TASK
from worker.queue.app import make_app
from worker.settings import Settings


@pytest.fixture
def settings(clean_redis: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, redis_url=SecretStr(clean_redis), signing_key=SecretStr("k" * 32))


@pytest.fixture
def app(settings: Settings) -> Celery:
    return make_app(settings)


def test_queue_without_a_worker_is_stalled(settings: Settings, app: Celery) -> None:
    """After a while, and only if something waits. Other queues are not."""
    assert not is_stalled(settings, "enrich", after_s=0)
    app.send_task(ENRICH_TASK, queue="enrich")
    assert is_stalled(settings, "enrich", after_s=0)
    assert not is_stalled(settings, "enrich")
    assert not is_stalled(settings, "index", after_s=0)


def test_queue_whose_worker_is_busy_is_not_stalled(settings: Settings, app: Celery) -> None:
    for _ in range(2):
        app.send_task(ENRICH_TASK, queue="enrich")
    with app.connection_for_read() as connection:
        channel = connection.channel()
        taken = channel.basic_get("enrich")
        assert not is_stalled(settings, "enrich", after_s=0)
        channel.basic_ack(taken.delivery_tag)
        assert is_stalled(settings, "enrich", after_s=0)


def test_embedded_form_and_absent_redis_are_not_stalled(settings: Settings) -> None:
    away = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    for url in (None, away):
        assert not is_stalled(settings.model_copy(update={"redis_url": url}), "enrich", after_s=0)
