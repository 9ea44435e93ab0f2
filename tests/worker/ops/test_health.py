"""What a process says of itself over HTTP."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.network import free_port
from worker.ops.health import STUCK_AFTER_S, Broker, Check, Heartbeat, PortTakenError, serving
from worker.ops.metrics import Metrics
from worker.settings import Settings


def settings(folder: Path, port: int | None) -> Settings:
    return Settings(data_dir=folder, metrics_port=port)


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("ready", "status"), [({"redis": True, "model": True}, 200), ({"redis": True, "model": False}, 503)]
)
def test_ready_tells_each_check(tmp_path: Path, ready: Mapping[str, bool], status: int) -> None:
    """The status says whether all is well, the body what is not; being alive is asked for apart."""
    checks: dict[str, Check] = {name: lambda well=well: well for name, well in ready.items()}  # type: ignore[misc]
    with serving(settings(tmp_path, 0), Metrics(), {"loop": lambda: True}, checks) as address:
        assert asked(f"{address}/ready") == (status, json.dumps(ready))
        assert asked(f"{address}/health") == (200, '{"loop": true}')
        assert asked(f"{address}/elsewhere")[0] == 404


def test_metrics_are_served_as_prometheus_reads_them(tmp_path: Path) -> None:
    """`/metrics` has what was measured a moment ago."""
    metrics = Metrics()
    metrics.batch("texts", 3)
    with serving(settings(tmp_path, 0), metrics, {}, {}) as address:
        status, text = asked(f"{address}/metrics")
    assert status == 200
    assert 'reelseek_encode_batch_items_sum{kind="texts"} 3.0' in text.splitlines()


def test_nothing_listens_unless_it_is_wanted(tmp_path: Path) -> None:
    """Without a port in the settings, as in the embedded form, there is no server."""
    with serving(settings(tmp_path, None), Metrics(), {}, {}) as address:
        assert address is None


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """Where the port is taken, its address is in the error, for a person to read."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)), serving(settings(tmp_path, port), Metrics(), {}, {}):
            pass


def test_a_pulse_stands_still_only_once_it_has_begun() -> None:
    """A process that is still starting is not stuck; one whose loop has ended is."""
    now = 0.0
    pulse = Heartbeat(lambda: now)
    assert (pulse.beats(), pulse.stands_still()) == (False, False)
    pulse.beat()
    assert (pulse.beats(), pulse.stands_still()) == (True, False)
    now = STUCK_AFTER_S + 1
    assert (pulse.beats(), pulse.stands_still()) == (False, True)


def test_a_worker_that_waits_for_redis_lives(clean_redis: str) -> None:
    """A loop that stands still is stuck, but not while Redis is away: it waits for it."""
    now = 0.0
    loop = Heartbeat(lambda: now)
    loop.beat()
    now = STUCK_AFTER_S + 1
    assert not Broker(clean_redis).turning(loop)()
    assert Broker(f"redis://127.0.0.1:{free_port()}/0").turning(loop)()
