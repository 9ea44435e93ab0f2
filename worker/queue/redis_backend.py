"""Celery's results in Redis, of which `worker.queue.task_states` hears."""

from celery.backends.redis import RedisBackend


class RedisResultBackend(RedisBackend):  # type: ignore[misc]  # celery has no types
    """Celery would subscribe to each task that is sent, for `AsyncResult.get`, and read none of what then comes."""

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Nothing is subscribed to."""
