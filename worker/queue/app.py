"""The Celery application: the same tasks and queues whether the broker is Redis or this process's own memory."""

import time
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError

from worker.queue.memory_backend import MemoryResultStore
from worker.queue.signing import Signing
from worker.settings import Settings

QUEUES = ("search", "index", "train")
SENT_AT = "sent_at"
"""Header of every message: seconds since 1970, for the metrics."""

# Answers hold links and titles. Who asked takes them away; those that nobody waits for any more go by themselves.
RESULT_EXPIRES_S = 3600

# A message whose worker died comes back after this long. Long jobs may outlast it: `worker.leases` keeps the copy idle.
VISIBILITY_TIMEOUT_S = 3600

# For a minute or so.
RESULT_RETRIES = 40

# kombu's in-memory transport sleeps this long between looks, and every call waits for it.
MEMORY_POLLING_S = 0.01


class _App(Celery):  # type: ignore[misc]  # celery has no types
    """Celery, whose messages say when they were sent."""

    def send_task(self, *args: Any, headers: dict[str, Any] | None = None, **options: Any) -> AsyncResult:
        return super().send_task(*args, headers={**(headers or {}), SENT_AT: time.time()}, **options)


def make_app(settings: Settings, results: MemoryResultStore | None = None) -> Celery:
    """An application that can send tasks; `worker.runtime.tasks.register` makes it able to run them.

    Embedded, `results` is where the applications of this process share the states of their tasks.
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
        signing=Signing(settings.signing_key.get_secret_value()) if settings.signing_key else None,
        **_transport(settings),
    )
    return app


def waiting(app: Celery, queue: str) -> int:
    """How many messages no worker has taken yet."""
    with app.connection_or_acquire() as connection:
        try:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # there is no queue where nothing waits
            return 0


def _transport(settings: Settings) -> dict[str, object]:
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
        "result_backend": f"worker.queue.redis_backend:RedisResults+{url}",
        "redis_socket_connect_timeout": 5,
        "redis_retry_on_timeout": True,
        # A job that is done says so as soon as Redis is back; else Celery would call it failed.
        "result_backend_always_retry": True,
        "result_backend_max_retries": RESULT_RETRIES,
        "result_backend_base_sleep_between_retries_ms": 500,
        "result_backend_max_sleep_between_retries_ms": 2000,
    }
