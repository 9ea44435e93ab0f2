"""Liveness, readiness and metrics over HTTP."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.servers.network import free_port
from worker.ops.health import STUCK_AFTER_S, BrokerCheck, Check, Heartbeat, PortTakenError, serve_checks
from worker.ops.metrics import Metrics
from worker.settings import Settings


def settings(folder: Path, port: int | None) -> Settings:
    return Settings(data_dir=folder, metrics_port=port)


def get(url: str) -> tuple[int, str]:
    """Return status and body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def constant_check(is_ok: bool) -> Check:
    return lambda: is_ok


@pytest.mark.parametrize(
    ("ready", "status"), [({"redis": True, "model": True}, 200), ({"redis": True, "model": False}, 503)]
)
def test_ready_returns_each_check_and_503_if_one_fails(tmp_path: Path, ready: Mapping[str, bool], status: int) -> None:
    """Liveness does not depend on readiness."""
    checks = {name: constant_check(is_ok) for name, is_ok in ready.items()}
    with serve_checks(settings(tmp_path, 0), Metrics(), {"loop": constant_check(True)}, checks) as address:
        assert get(f"{address}/ready") == (status, json.dumps(ready))
        assert get(f"{address}/health") == (200, '{"loop": true}')
        assert get(f"{address}/elsewhere")[0] == 404


def test_metrics_are_served_in_the_prometheus_format(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.observe_batch("texts", 3)
    with serve_checks(settings(tmp_path, 0), metrics, {}, {}) as address:
        status, text = get(f"{address}/metrics")
    assert status == 200
    assert 'reelseek_encode_batch_items_sum{kind="texts"} 3.0' in text.splitlines()


def test_without_a_port_nothing_is_served(tmp_path: Path) -> None:
    with serve_checks(settings(tmp_path, None), Metrics(), {}, {}) as address:
        assert address is None


def test_taken_port_raises_an_error_with_its_address(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)), serve_checks(settings(tmp_path, port), Metrics(), {}, {}):
            pass


@pytest.mark.unit
def test_heartbeat_is_stuck_only_if_it_has_started_and_stopped() -> None:
    """A process that is still starting is not stuck."""
    now = 0.0
    heartbeat = Heartbeat(lambda: now)
    assert (heartbeat.is_recent(), heartbeat.is_stuck()) == (False, False)
    heartbeat.beat()
    assert (heartbeat.is_recent(), heartbeat.is_stuck()) == (True, False)
    now = STUCK_AFTER_S + 1
    assert (heartbeat.is_recent(), heartbeat.is_stuck()) == (False, True)


def test_stuck_worker_is_alive_while_redis_is_away(clean_redis: str) -> None:
    """A loop that waits for Redis is not stuck."""
    now = 0.0
    loop = Heartbeat(lambda: now)
    loop.beat()
    now = STUCK_AFTER_S + 1
    assert not BrokerCheck(clean_redis).make_loop_check(loop)()
    assert BrokerCheck(f"redis://127.0.0.1:{free_port()}/0").make_loop_check(loop)()
