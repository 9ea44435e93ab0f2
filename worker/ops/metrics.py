"""Prometheus metrics of one process, and of the queues that all processes share.

No label contains a space, a user, a query or a link.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, Final

import redis
from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.protocol.queues import QUEUES, SENT_AT
from worker.redis_client import PROBE, redis_client

SEARCH_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
JOB_SECONDS: Final = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 14400)
WAIT_SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 1, 3, 10, 30, 60, 300, 900, 3600, 14400)
BATCH_ITEMS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class TaskOutcome(StrEnum):
    """How one run of a task ended."""

    DONE = "done"
    FAILED = "failed"
    """With an error code."""
    RETRIED = "retried"
    COPY = "copy"
    """A duplicate message; nothing was done."""
    GIVEN_BACK = "given_back"
    """The worker shuts down; the message goes back to the queue."""
    BROKEN = "broken"
    """An error that the task did not catch."""


class AnswerOutcome(StrEnum):
    """How a frontend's answer to a user ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The rate limit was exceeded."""
    FAILED = "failed"
    GIVEN_BACK = "given_back"
    """The frontend shuts down; another process answers."""


@dataclass
class TimedAnswer:
    """An answer that is being given. Set `outcome` if it is not `ANSWERED`."""

    outcome: AnswerOutcome = AnswerOutcome.ANSWERED


class Metrics:
    """Metrics of one process. Its entry point makes them and passes them on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._waits = self._make_histogram(
            "reelseek_queue_wait_seconds", "From sending a message to its start.", WAIT_SECONDS, "queue"
        )
        self._tasks = self._make_counter("reelseek_tasks", "Tasks by outcome.", "task", "outcome")
        self._failures = self._make_counter("reelseek_failures", "Failed tasks by error code.", "task", "code")
        self._stages = self._make_histogram(
            "reelseek_job_stage_seconds", "Duration of a stage of a job.", JOB_SECONDS, "task", "stage"
        )
        self._search = self._make_histogram(
            "reelseek_search_seconds", "Duration of a stage of a search.", SEARCH_SECONDS, "stage"
        )
        self._batches = self._make_histogram(
            "reelseek_encode_batch_items", "Number of items encoded in one call.", BATCH_ITEMS, "kind"
        )
        self._acknowledgements = self._make_histogram(
            "reelseek_acknowledge_seconds", "From receiving an event to acknowledging it.", SEARCH_SECONDS, "platform"
        )
        self._answer = self._make_histogram(
            "reelseek_answer_seconds", "From the request to the last reply.", WAIT_SECONDS, "platform", "command"
        )
        self._answers = self._make_counter("reelseek_answers", "Answers by outcome.", "platform", "command", "outcome")

    def watch_queues(self, redis_url: str) -> None:
        """Add the queues. They are read at each scrape, so they are seen even if no worker runs."""
        self.registry.register(_QueueCollector(redis_url))

    # ---- workers ----

    def instrument(self, run: Callable[..., dict[str, Any]], name: str) -> Callable[..., dict[str, Any]]:
        """Wrap a bound task: observe how long its messages waited, and count its outcomes."""

        @wraps(run)
        def task(task: Task, *args: Any) -> dict[str, Any]:
            self._observe_wait(task)
            outcome = TaskOutcome.BROKEN
            try:
                answer = run(task, *args)
                outcome = TaskOutcome.FAILED if answer.get("kind") == "failed" else TaskOutcome.DONE
            except Retry:
                outcome = TaskOutcome.RETRIED
                raise
            except Ignore:
                outcome = TaskOutcome.COPY
                raise
            except Reject:
                outcome = TaskOutcome.GIVEN_BACK
                raise
            finally:
                self._tasks.labels(name, outcome).inc()
            if outcome is TaskOutcome.FAILED:
                self._failures.labels(name, answer["code"]).inc()
            return answer

        return task

    def _observe_wait(self, task: Task) -> None:
        sent_at = (task.request.headers or {}).get(SENT_AT)
        # A retry waits on purpose.
        if isinstance(sent_at, float) and not task.request.eta:
            queue = task.request.delivery_info["routing_key"]
            self._waits.labels(queue).observe(max(0.0, time.time() - sent_at))

    @contextmanager
    def time_stages(self, job: str) -> Iterator[Callable[[str], None]]:
        """Time the stages of a job. Call what is yielded when a stage begins; it lasts until the next, or the end."""
        current, started_s = "", time.monotonic()

        def begin_stage(stage: str) -> None:
            nonlocal current, started_s
            if stage != current:
                now_s = time.monotonic()
                if current:
                    self._stages.labels(job, current).observe(now_s - started_s)
                current, started_s = stage, now_s

        try:
            yield begin_stage
        finally:
            begin_stage("")

    @contextmanager
    def time_search_stage(self, stage: str) -> Iterator[None]:
        """Time a stage of a search; an `indexer.ports.StageTimer`."""
        with self._search.labels(stage).time():
            yield

    def observe_batch(self, kind: str, items: int) -> None:
        """Observe how many texts, frames or clips were encoded in one call."""
        self._batches.labels(kind).observe(items)

    # ---- frontends ----

    @contextmanager
    def time_acknowledgement(self, platform: str) -> Iterator[None]:
        """Time the acknowledgement of an event."""
        with self._acknowledgements.labels(platform).time():
            yield

    @contextmanager
    def time_answer(self, platform: str, command: str) -> Iterator[TimedAnswer]:
        """Time an answer, and count it by the outcome that is set in the block."""
        answer = TimedAnswer()
        try:
            with self._answer.labels(platform, command).time():
                yield answer
        except BaseException:
            answer.outcome = AnswerOutcome.GIVEN_BACK
            raise
        finally:
            self._answers.labels(platform, command, answer.outcome).inc()

    # ---- construction ----

    def _make_histogram(self, name: str, description: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, description, labels, buckets=buckets, registry=self.registry)

    def _make_counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, registry=self.registry)


class _QueueCollector(Collector):
    """How many messages wait in each queue, and how long the oldest has waited."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis_client(redis_url, PROBE)

    def describe(self) -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily("reelseek_queue_messages", "Waiting messages.", labels=["queue"]),
            GaugeMetricFamily("reelseek_queue_oldest_seconds", "Age of the oldest waiting message.", labels=["queue"]),
        ]

    def collect(self) -> list[GaugeMetricFamily]:
        """Read the queues. Returns nothing if Redis is away, so that the process's own metrics are still served."""
        lengths, ages = self.describe()
        try:
            for queue in QUEUES:
                # kombu pushes on the left and pops on the right.
                lengths.add_metric([queue], self._redis.llen(queue))
                ages.add_metric([queue], _measure_age_s(self._redis.lindex(queue, -1)))
        except redis.RedisError:
            return []
        return [lengths, ages]


def _measure_age_s(message: bytes | str | None) -> float:
    """Return the age of a message in kombu's format; 0 if there is no message or it contains no time."""
    if message is None:
        return 0.0
    try:
        return max(0.0, time.time() - float(json.loads(message)["headers"][SENT_AT]))
    except (ValueError, KeyError, TypeError):
        return 0.0
