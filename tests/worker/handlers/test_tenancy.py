"""Tenancy: no answer contains what another space, or another private channel, has submitted.

Hypothesis sends random requests of every kind to the handlers over a real store, and compares the answers with a
simple model of who may see what. For a long run:
`python -m pytest tests/worker/handlers/test_tenancy.py --hypothesis-profile=long`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.worker.services import open_services
from tests.support.worker.tenancy_machine import TenancyMachine
from worker.protocol.requests import REQUESTS
from worker.services import Services
from worker.settings import Settings

SERVER_EXAMPLES: Final = 3
"""Runs on a Qdrant server, which is slow; too few to contain every kind of request."""


@pytest.fixture(params=["edge", "server"])
def services(request: pytest.FixtureRequest, fast_folder: Path) -> Iterator[Services]:
    """One for all runs of a test, because a store is emptied faster than it is created."""
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    chosen = Settings(data_dir=folder, qdrant_url=url, allow_networks=("127.0.0.0/8",))
    with open_services(chosen) as opened:
        yield opened
        opened.app.control.purge()
        for collection in opened.vectors.collections() if url else ():
            opened.vectors.drop(collection)
    shutil.rmtree(folder)


def choose_run_settings(services: Services) -> settings:
    """Return the settings of short runs that are always the same, or of the profile `long` if it is chosen."""
    examples = 40 if services.settings.qdrant_url is None else SERVER_EXAMPLES
    short = settings(derandomize=True, max_examples=examples, phases=[Phase.generate])
    chosen = settings.default if settings.get_current_profile_name() == "long" else short
    return settings(chosen, deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(0)
def test_answers_contain_no_data_of_other_spaces_or_private_channels(services: Services) -> None:
    """It holds whatever was submitted, indexed, removed, voted on, configured or left before."""
    machine: Any = type("TenancyRun", (TenancyMachine,), {"services": services, "sent": set()})
    chosen = choose_run_settings(services)
    run_state_machine_as_test(machine, settings=chosen)
    if chosen.max_examples > SERVER_EXAMPLES:
        assert machine.sent == set(REQUESTS), "each kind of request is part of the run"
