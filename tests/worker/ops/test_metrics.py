"""Metrics count what happens, and contain no personal data."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from celery import Task
from celery.exceptions import Ignore

from tests.support.servers.network import free_port
from worker.ops.metrics import AnswerOutcome, Metrics
from worker.protocol.queues import INDEX_TASK
from worker.queue.app import make_app
from worker.runtime.celery_worker import run_worker_threads
from worker.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
DASHBOARD, ALERTS = DOCS / "grafana.json", DOCS / "alerts.yml"
LABELS = {"queue", "task", "outcome", "code", "stage", "kind", "platform", "command", "le"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def run_task(tmp_path: Path, metrics: Metrics) -> Iterator[Callable[[str], None]]:
    """Run a task that does what its message says, on a queue in memory. The call returns when the task has ended."""
    settings, ended = Settings(data_dir=tmp_path), threading.Event()

    def task(_task: Task, action: str) -> dict[str, Any]:
        match action:
            case "refuse":
                return {"kind": "failed", "code": "not_found", "correlation_id": "abc"}
            case "copy":
                raise Ignore("a copy of this job is running")
            case "break":
                raise RuntimeError("an uncaught error")
            case _:
                return {"kind": "indexed"}

    instrumented = metrics.instrument(task, "index")

    def run(task: Task, action: str) -> dict[str, Any]:
        try:
            return instrumented(task, action)
        finally:
            ended.set()

    app, sender = make_app(settings), make_app(settings)
    app.task(run, name="work", bind=True, shared=False)

    def send(action: str) -> None:
        ended.clear()
        sender.send_task("work", [action], queue="index")
        assert ended.wait(20)

    with run_worker_threads({"index": app}, threading.Event()):
        yield send


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(("action", "outcome"), [("do", "done"), ("refuse", "failed"), ("break", "broken")])
def test_task_is_counted_once_by_its_outcome(
    run_task: Callable[[str], None], metrics: Metrics, action: str, outcome: str
) -> None:
    """A failure is also counted by its code, and the message's wait in the queue is observed."""
    run_task(action)
    assert value(metrics, "reelseek_tasks_total", task="index", outcome=outcome) == 1
    assert value(metrics, "reelseek_failures_total", task="index", code="not_found") == (action == "refuse")
    assert value(metrics, "reelseek_queue_wait_seconds_count", queue="index") == 1
    assert value(metrics, "reelseek_queue_wait_seconds_sum", queue="index") < 20


def test_duplicate_message_is_counted_as_copy_not_as_failure(run_task: Callable[[str], None], metrics: Metrics) -> None:
    run_task("copy")
    run_task("do")
    assert value(metrics, "reelseek_tasks_total", task="index", outcome="copy") == 1
    assert value(metrics, "reelseek_tasks_total", task="index", outcome="done") == 1


def test_stage_lasts_until_the_next_begins(metrics: Metrics) -> None:
    """Each stage is observed once, however often it is reported, and also if the job fails in it."""

    def job() -> None:
        with metrics.time_stages("index") as begin_stage:
            for stage in ("fetch", "fetch", "decode", "embed", "embed"):
                begin_stage(stage)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        job()
    counts = {
        stage: value(metrics, "reelseek_job_stage_seconds_count", task="index", stage=stage)
        for stage in ("fetch", "decode", "embed", "store")
    }
    assert counts == {"fetch": 1, "decode": 1, "embed": 1, "store": 0}


def test_answer_interrupted_by_shutdown_is_counted_as_given_back(metrics: Metrics) -> None:
    """Answers are counted by outcome."""
    with metrics.time_answer("slack", "find"):
        pass
    with metrics.time_answer("slack", "find") as answer:
        answer.outcome = AnswerOutcome.REFUSED
    with pytest.raises(KeyboardInterrupt), metrics.time_answer("slack", "find"):
        raise KeyboardInterrupt
    counts = {
        outcome: value(metrics, "reelseek_answers_total", platform="slack", command="find", outcome=outcome)
        for outcome in ("answered", "refused", "given_back")
    }
    assert counts == {"answered": 1, "refused": 1, "given_back": 1}


def test_queue_without_a_worker_shows_its_length_and_age(clean_redis: str, tmp_path: Path, metrics: Metrics) -> None:
    """Number of messages and age of the oldest one are read from Redis at each scrape."""
    sender = make_app(
        Settings.model_validate({"data_dir": tmp_path, "redis_url": clean_redis, "signing_key": "k" * 32})
    )
    metrics.watch_queues(clean_redis)
    assert value(metrics, "reelseek_queue_oldest_seconds", queue="index") == 0
    for video in ("old", "new"):
        sender.send_task(INDEX_TASK, [video], queue="index")
    with redis.Redis.from_url(clean_redis) as connection:
        [next_message] = connection.lrange("index", -1, -1)
        message = json.loads(next_message)
        assert "old" in message["headers"]["argsrepr"]
        message["headers"]["sent_at"] -= 3600
        connection.lset("index", -1, json.dumps(message))
    assert value(metrics, "reelseek_queue_messages", queue="index") == 2
    assert 3600 < value(metrics, "reelseek_queue_oldest_seconds", queue="index") < 3660
    assert value(metrics, "reelseek_queue_messages", queue="search") == 0


def test_scrape_without_redis_returns_the_metrics_of_the_process(metrics: Metrics) -> None:
    """The queues are missing from it."""
    metrics.watch_queues(f"redis://127.0.0.1:{free_port()}/0")
    names = {family.name for family in metrics.registry.collect()}
    assert "reelseek_tasks" in names
    assert "reelseek_queue_messages" not in names


@pytest.mark.unit
def test_no_label_identifies_a_user_a_space_a_query_or_a_link(metrics: Metrics) -> None:
    metrics.observe_batch("texts", 3)
    with (
        metrics.time_search_stage("whole"),
        metrics.time_stages("index") as begin_stage,
        metrics.time_answer("discord", "find"),
    ):
        begin_stage("fetch")
    assert {
        label for family in metrics.registry.collect() for each in family.samples for label in each.labels
    } <= LABELS


def test_dashboard_and_alerts_use_existing_metrics_and_labels(clean_redis: str, metrics: Metrics) -> None:
    metrics.watch_queues(clean_redis)
    families = {family.name for family in metrics.registry.collect()}
    queries = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]
    used = {name for query in queries + alerts for name in re.findall(r"\b(?:reelseek|process)_\w+", query)}
    assert used
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in used} <= families
    grouped = {label for query in queries for by in re.findall(r"by \(([^)]+)\)", query) for label in by.split(", ")}
    assert grouped <= LABELS
