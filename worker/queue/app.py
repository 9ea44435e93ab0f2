"""The Celery application. Tasks and queues are the same whether the broker is Redis or this process's memory."""

import time
from typing import Any, Final

from celery import Celery
from celery.result import AsyncResult
from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError

from worker.protocol.queues import QUEUES, SENT_AT
from worker.queue.errors import translate_queue_errors
from worker.queue.memory_backend import MemoryResultStore
from worker.queue.signing import TaskSigner
from worker.settings import Settings

RESULT_EXPIRES_S: Final = 3600
"""Results contain links and titles. Their caller deletes them; results without a caller expire."""

VISIBILITY_TIMEOUT_S: Final = 3600
"""After this time Redis redelivers a message whose worker died, and also that of a job that runs longer.

`worker.job_leases` makes such a copy do nothing.
"""

RESULT_RETRIES: Final = 40
"""About a minute."""

MEMORY_POLLING_S: Final = 0.01
"""How long kombu's in-memory transport sleeps between polls; every call waits for it."""


class _App(Celery):  # type: ignore[misc]  # celery has no types
    """Celery with the time of sending in every message's headers."""

    def send_task(self, *args: Any, headers: dict[str, Any] | None = None, **options: Any) -> AsyncResult:
        return super().send_task(*args, headers={**(headers or {}), SENT_AT: time.time()}, **options)


def make_app(settings: Settings, results: MemoryResultStore | None = None) -> Celery:
    """Make an application that can send tasks; `worker.runtime.tasks.register_tasks` makes it able to run them.

    In the embedded form, the applications of the process share the states of their tasks in `results`.
    """
    app = _App("reelseek", set_as_current=False)
    exchange = Exchange("reelseek")
    app.conf.update(
        task_queues=[Queue(name, exchange, routing_key=name) for name in QUEUES],
        task_create_missing_queues=False,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        result_expires=RESULT_EXPIRES_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        memory_results=results,
        signer=TaskSigner(settings.signing_key.get_secret_value()) if settings.signing_key else None,
        **_choose_transport(settings),
    )
    return app


def count_waiting(app: Celery, queue: str) -> int:
    """Return how many messages of a queue no worker has taken yet. Raises `QueueUnavailableError`."""
    with translate_queue_errors(), app.connection_or_acquire() as connection:
        try:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # a queue without messages does not exist
            return 0


def may_have_lost_messages(settings: Settings, app: Celery, queue: str) -> bool:
    """Return whether messages of queued jobs may be lost. Raises `QueueUnavailableError`.

    If the queue is empty, the message of a job that counts as queued was lost with its worker, or a worker has just
    taken it; then a copy does nothing. In the embedded form, a message is lost only with its process.
    """
    return settings.redis_url is not None and not count_waiting(app, queue)


def forget_result(app: Celery, job_id: str) -> None:
    """Delete the state of a job from the result backend. Raises `QueueUnavailableError`."""
    with translate_queue_errors():
        app.AsyncResult(job_id).forget()


def _choose_transport(settings: Settings) -> dict[str, object]:
    if settings.redis_url is None:
        return {
            "broker_url": "memory://localhost/",
            "broker_transport_options": {"polling_interval": MEMORY_POLLING_S},
            "result_backend": "worker.queue.memory_backend:MemoryBackend",
            "result_backend_thread_safe": True,
        }
    url = settings.redis_url.get_secret_value()
    return {
        "broker_url": url,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 30,
        },
        "result_backend": f"worker.queue.redis_backend:RedisResultBackend+{url}",
        "redis_socket_connect_timeout": 5,
        "redis_retry_on_timeout": True,
        # A finished job reports its result when Redis is back; otherwise Celery would report it as failed.
        "result_backend_always_retry": True,
        "result_backend_max_retries": RESULT_RETRIES,
        "result_backend_base_sleep_between_retries_ms": 500,
        "result_backend_max_sleep_between_retries_ms": 2000,
    }
