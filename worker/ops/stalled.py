"""Queues in Redis whose messages wait although no worker is busy with others."""

import json
import time
from typing import Final

import redis

from worker.protocol.queues import SENT_AT
from worker.redis_client import PROBE, redis_client
from worker.settings import Settings

STALLED_AFTER_S: Final = 900.0

_TAKEN_KEY: Final = "unacked"
"""Key of the messages that workers have taken, by kombu: each is JSON of the message, its exchange and its queue."""


def is_stalled(settings: Settings, queue: str, after_s: float = STALLED_AFTER_S) -> bool:
    """Return whether the oldest message of a queue has waited for `after_s` while no worker has taken another one.

    Then no worker serves the queue. False in the embedded form, whose own process has the workers, and if Redis is
    away, which other checks report.
    """
    if settings.redis_url is None:
        return False
    try:
        with redis_client(settings.redis_url.get_secret_value(), PROBE) as client:
            oldest, taken = client.lindex(queue, -1), client.hvals(_TAKEN_KEY)
    except redis.RedisError:
        return False
    if oldest is None or time.time() - json.loads(oldest)["headers"][SENT_AT] < after_s:
        return False
    return queue not in (json.loads(message)[-1] for message in taken)
