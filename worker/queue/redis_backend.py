"""A Celery result backend in Redis. `worker.queue.task_states` reads the states that it publishes."""

from celery.backends.redis import RedisBackend


class RedisResultBackend(RedisBackend):  # type: ignore[misc]  # celery has no types
    """Celery's backend without its subscriptions.

    Celery subscribes to each task that is sent, for `AsyncResult.get`, and never reads what is then published.
    """

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Do not subscribe."""
