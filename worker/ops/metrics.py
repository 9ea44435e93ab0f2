"""What an operator can watch: Prometheus metrics of one process, and of the queues that all processes share.

No label ever holds a space, a person, a query or a link.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import redis
from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.queue.app import QUEUES, SENT_AT

REDIS_WITHIN_S: Final = 2.0
SEARCH_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
JOB_SECONDS: Final = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 14400)
WAIT_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 1, 3, 10, 30, 60, 300, 900, 3600, 14400)
BATCH_ITEMS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Of one process: its entry point builds them and hands them on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._waits = self._seconds("reelseek_queue_wait_seconds", "From sent to begun.", WAIT_SECONDS, "queue")
        self._tasks = self._count("reelseek_tasks", "Tasks by how they ended.", "task", "outcome")
        self._failures = self._count("reelseek_failures", "Failed tasks by their code.", "task", "code")
        self._stages = self._seconds(
            "reelseek_job_stage_seconds", "Of one stage of a job.", JOB_SECONDS, "task", "stage"
        )
        self._search = self._seconds("reelseek_search_seconds", "Of a search, by stage.", SEARCH_SECONDS, "stage")
        self._batches = self._seconds("reelseek_encode_batch_items", "Encoded in one call.", BATCH_ITEMS, "kind")
        self._acknowledged = self._seconds(
            "reelseek_acknowledge_seconds", "From hearing to acknowledging.", SEARCH_SECONDS, "platform"
        )
        self._answer = self._seconds(
            "reelseek_answer_seconds", "From asked to the last reply.", WAIT_SECONDS, "platform", "command"
        )
        self._answers = self._count("reelseek_answers", "Answers by how they ended.", "platform", "command", "outcome")

    def watch_queues(self, redis_url: str) -> None:
        """Shows the queues, too: read at each scrape, so they are seen also when nobody works on them."""
        self.registry.register(_Queues(redis_url))

    # ---- workers ----

    def measured(self, run: Callable[..., dict[str, Any]], name: str) -> Callable[..., dict[str, Any]]:
        """The same bound task; how long its messages waited and how it ended is counted."""

        @wraps(run)
        def task(task: Task, *args: Any) -> dict[str, Any]:
            self._waited(task)
            outcome = "broken"
            try:
                answer = run(task, *args)
                outcome = "failed" if answer.get("kind") == "failed" else "done"
            except Retry:
                outcome = "retried"
                raise
            except Ignore:
                outcome = "copy"
                raise
            except Reject:
                outcome = "given_back"
                raise
            finally:
                self._tasks.labels(name, outcome).inc()
            if outcome == "failed":
                self._failures.labels(name, answer["code"]).inc()
            return answer

        return task

    def _waited(self, task: Task) -> None:
        sent_at = (task.request.headers or {}).get(SENT_AT)
        # A retry waits for its time on purpose.
        if isinstance(sent_at, float) and not task.request.eta:
            queue = task.request.delivery_info["routing_key"]
            self._waits.labels(queue).observe(max(0.0, time.time() - sent_at))

    @contextmanager
    def stages(self, job: str) -> Iterator[Callable[[str], None]]:
        """Inside, the yielded call says which stage begins; one lasts until the next, or the end."""
        current, since_s = "", time.monotonic()

        def begin(stage: str) -> None:
            nonlocal current, since_s
            if stage != current:
                now_s = time.monotonic()
                if current:
                    self._stages.labels(job, current).observe(now_s - since_s)
                current, since_s = stage, now_s

        try:
            yield begin
        finally:
            begin("")

    @contextmanager
    def search(self, stage: str) -> Iterator[None]:
        """Measures a stage of a search; an `indexer.ports.Timed`."""
        with self._search.labels(stage).time():
            yield

    def batch(self, kind: str, items: int) -> None:
        """Texts, frames or clips that were encoded in one call."""
        self._batches.labels(kind).observe(items)

    # ---- frontends ----

    @contextmanager
    def acknowledging(self, platform: str) -> Iterator[None]:
        with self._acknowledged.labels(platform).time():
            yield

    @contextmanager
    def answering(self, platform: str, command: str) -> Iterator["Answering"]:
        """Measures an answer, and counts it by the outcome that is set inside."""
        answering = Answering()
        try:
            with self._answer.labels(platform, command).time():
                yield answering
        except BaseException:
            answering.outcome = "given_back"
            raise
        finally:
            self._answers.labels(platform, command, answering.outcome).inc()

    # ---- making them ----

    def _seconds(self, name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)

    def _count(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)


@dataclass
class Answering:
    """An answer that is being given."""

    outcome: str = "answered"


class _Queues(Collector):
    """How many messages wait in each queue, and for how long the first of them has."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_connect_timeout=REDIS_WITHIN_S, socket_timeout=REDIS_WITHIN_S
        )

    def describe(self) -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily("reelseek_queue_messages", "Messages that wait.", labels=["queue"]),
            GaugeMetricFamily("reelseek_queue_oldest_seconds", "How long the first has waited.", labels=["queue"]),
        ]

    def collect(self) -> list[GaugeMetricFamily]:
        """Without Redis there is nothing to say, and the process's own metrics are told all the same."""
        lengths, ages = self.describe()
        try:
            for queue in QUEUES:
                # kombu pushes on the left and takes from the right.
                lengths.add_metric([queue], self._redis.llen(queue))
                ages.add_metric([queue], _age_s(self._redis.lindex(queue, -1)))
        except redis.RedisError:
            return []
        return [lengths, ages]


def _age_s(message: bytes | str | None) -> float:
    """Of a message as kombu writes it; 0 where none waits, or it says no time."""
    if message is None:
        return 0.0
    try:
        return max(0.0, time.time() - float(json.loads(message)["headers"][SENT_AT]))
    except (ValueError, KeyError, TypeError):
        return 0.0
