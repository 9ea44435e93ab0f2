"""What an operator sees is what happened, and names nobody."""

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

from tests.support.network import free_port
from worker.ops.metrics import Metrics
from worker.queue.app import make_app
from worker.runtime.celery_worker import threads
from worker.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
DASHBOARD, ALERTS = DOCS / "grafana.json", DOCS / "alerts.yml"
LABELS = {"queue", "task", "outcome", "code", "stage", "kind", "platform", "command", "le"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def work(tmp_path: Path, metrics: Metrics) -> Iterator[Callable[[str], None]]:
    """A queue in memory, and a worker on it whose task does what its message says. The call returns when it ended."""
    settings, ended = Settings(data_dir=tmp_path), threading.Event()

    def task(_task: Task, what: str) -> dict[str, Any]:
        match what:
            case "refuse":
                return {"kind": "failed", "code": "not_found", "correlation_id": "abc"}
            case "copy":
                raise Ignore("a copy of this job is running")
            case "break":
                raise RuntimeError("a fault of ours")
            case _:
                return {"kind": "indexed"}

    measured = metrics.measured(task, "index")

    def told(task: Task, what: str) -> dict[str, Any]:
        try:
            return measured(task, what)
        finally:
            ended.set()

    app, sender = make_app(settings), make_app(settings)
    app.task(told, name="work", bind=True, shared=False)

    def send(what: str) -> None:
        ended.clear()
        sender.send_task("work", [what], queue="index")
        assert ended.wait(20)

    with threads({"index": app}, threading.Event()):
        yield send


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(("what", "outcome"), [("do", "done"), ("refuse", "failed"), ("break", "broken")])
def test_a_task_is_counted_by_how_it_ended(
    work: Callable[[str], None], metrics: Metrics, what: str, outcome: str
) -> None:
    """Each task counts once, a failure under its code too, and how long its message waited is known."""
    work(what)
    assert value(metrics, "reelseek_tasks_total", task="index", outcome=outcome) == 1
    assert value(metrics, "reelseek_failures_total", task="index", code="not_found") == (what == "refuse")
    assert value(metrics, "reelseek_queue_wait_seconds_count", queue="index") == 1
    assert value(metrics, "reelseek_queue_wait_seconds_sum", queue="index") < 20


def test_a_copy_is_no_failure(work: Callable[[str], None], metrics: Metrics) -> None:
    """A message that came twice is told apart from work that was done or went wrong."""
    work("copy")
    work("do")
    assert value(metrics, "reelseek_tasks_total", task="index", outcome="copy") == 1
    assert value(metrics, "reelseek_tasks_total", task="index", outcome="done") == 1


def test_a_stage_lasts_until_the_next(metrics: Metrics) -> None:
    """Each stage of a job is measured once, however often it tells, also where the job fails in it."""

    def job() -> None:
        with metrics.stages("index") as begin:
            for stage in ("fetch", "fetch", "decode", "embed", "embed"):
                begin(stage)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        job()
    counts = {
        stage: value(metrics, "reelseek_job_stage_seconds_count", task="index", stage=stage)
        for stage in ("fetch", "decode", "embed", "store")
    }
    assert counts == {"fetch": 1, "decode": 1, "embed": 1, "store": 0}


def test_an_answer_that_is_cut_off_counts_as_given_back(metrics: Metrics) -> None:
    """A frontend's answers are counted by outcome; one that a shutdown ends is nobody's success."""
    with metrics.answering("slack", "find"):
        pass
    with metrics.answering("slack", "find") as answering:
        answering.outcome = "refused"
    with pytest.raises(KeyboardInterrupt), metrics.answering("slack", "find"):
        raise KeyboardInterrupt
    counts = {
        outcome: value(metrics, "reelseek_answers_total", platform="slack", command="find", outcome=outcome)
        for outcome in ("answered", "refused", "given_back")
    }
    assert counts == {"answered": 1, "refused": 1, "given_back": 1}


def test_a_queue_that_nobody_works_on_is_seen(clean_redis: str, tmp_path: Path, metrics: Metrics) -> None:
    """How many messages wait, and since when the first one does, is read from Redis at each scrape."""
    sender = make_app(Settings(data_dir=tmp_path, redis_url=clean_redis))
    metrics.watch_queues(clean_redis)
    assert value(metrics, "reelseek_queue_oldest_seconds", queue="index") == 0
    for video in ("old", "new"):
        sender.send_task("reelseek.index", [video], queue="index")
    with redis.Redis.from_url(clean_redis) as connection:
        [taken_first] = connection.lrange("index", -1, -1)
        message = json.loads(taken_first)
        assert "old" in message["headers"]["argsrepr"]
        message["headers"]["sent_at"] -= 3600
        connection.lset("index", -1, json.dumps(message))
    assert value(metrics, "reelseek_queue_messages", queue="index") == 2
    assert 3600 < value(metrics, "reelseek_queue_oldest_seconds", queue="index") < 3660
    assert value(metrics, "reelseek_queue_messages", queue="search") == 0


def test_without_redis_the_process_is_seen_all_the_same(metrics: Metrics) -> None:
    """A scrape never fails because a store is away: the queues are missing, which is what is known of them."""
    metrics.watch_queues(f"redis://127.0.0.1:{free_port()}/0")
    names = {family.name for family in metrics.registry.collect()}
    assert "reelseek_tasks" in names
    assert "reelseek_queue_messages" not in names


def test_no_label_names_anybody(metrics: Metrics) -> None:
    """No metric has a label for a space, a person, a query or a link."""
    metrics.batch("texts", 3)
    with metrics.search("whole"), metrics.stages("index") as begin, metrics.answering("discord", "find"):
        begin("fetch")
    assert {
        label for family in metrics.registry.collect() for each in family.samples for label in each.labels
    } <= LABELS


def test_the_dashboard_asks_for_what_there_is(clean_redis: str, metrics: Metrics) -> None:
    """Dashboard and alerts name metrics and labels that exist."""
    metrics.watch_queues(clean_redis)
    families = {family.name for family in metrics.registry.collect()}
    queries = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]
    asked = {name for query in queries + alerts for name in re.findall(r"\b(?:reelseek|process)_\w+", query)}
    assert asked
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in asked} <= families
    grouped = {label for query in queries for by in re.findall(r"by \(([^)]+)\)", query) for label in by.split(", ")}
    assert grouped <= LABELS
