"""A Redis that breaks off between two commands: the request fails with the sentence for it, and can be repeated."""

import pytest
from celery import Celery
from pydantic import SecretStr

from tests.support.servers.network import free_port
from tests.support.worker.callers import ANN
from tests.support.worker.services import create_fake_generation, handle, local_link
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.library import Forget, Submit
from worker.queue.app import count_waiting, make_app
from worker.queue.errors import QueueUnavailableError
from worker.queue.signing import send_signed
from worker.services import Services

LINK = local_link("goal")


@pytest.fixture
def away(services: Services) -> Celery:
    """Return an application without a Redis, which gives up at once."""
    url = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    app = make_app(services.settings.model_copy(update={"redis_url": url}))
    app.conf.update(result_backend_max_retries=0, task_publish_retry=False)
    return app


def test_link_whose_job_cannot_be_sent_can_be_submitted_again(services: Services, away: Celery) -> None:
    """The lease of the job is free again."""
    create_fake_generation(services)
    app, services.app = services.app, away
    with pytest.raises(QueueUnavailableError) as raised:
        handle(services, Submit(caller=ANN, link=LINK))
    assert error_code_of(raised.value) is ErrorCode.QUEUE_UNAVAILABLE
    services.app = app
    waiting = count_waiting(app, "index")
    assert handle(services, Submit(caller=ANN, link=LINK)).job_id
    assert count_waiting(app, "index") == waiting + 1


def test_removal_whose_result_cannot_be_deleted_can_be_repeated(services: Services, away: Celery) -> None:
    create_fake_generation(services)
    handle(services, Submit(caller=ANN, link=LINK))
    app, services.app = services.app, away
    with pytest.raises(QueueUnavailableError):
        handle(services, Forget(caller=ANN, link=LINK))
    services.app = app
    services.make_video_removal().resume_removals()
    assert services.stores.videos.list_all() == []


def test_task_that_cannot_be_sent_or_counted_raises_queue_unavailable(away: Celery) -> None:
    with pytest.raises(QueueUnavailableError):
        send_signed(away, "reelseek.test", queue="search")
    with pytest.raises(QueueUnavailableError):
        count_waiting(away, "search")
