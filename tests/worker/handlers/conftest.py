"""Services of a worker for tests of handlers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.worker.services import open_services
from worker.services import Services
from worker.settings import Settings

pytest.register_assert_rewrite("tests.support.worker.tenancy_machine")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with open_services(Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))) as opened:
        yield opened
