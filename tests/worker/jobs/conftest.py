"""A worker with a library that can be retrained with the toy model."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.model.toy_model import PausableLoader, ToyTrainer
from tests.support.worker.services import open_services
from tests.support.worker.toy_library import fill_library, make_toy_settings
from worker.services import Services


@pytest.fixture
def trainer() -> ToyTrainer:
    return ToyTrainer()


@pytest.fixture
def loader() -> PausableLoader:
    return PausableLoader()


@pytest.fixture
def restart_worker(tmp_path: Path, trainer: ToyTrainer, loader: PausableLoader) -> Iterator[Callable[[], Services]]:
    """Open the services of a worker process, after those of the former process were closed."""
    with ExitStack() as stack:

        def restart() -> Services:
            stack.close()
            return stack.enter_context(open_services(make_toy_settings(tmp_path), loader, trainer))

        yield restart


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the data folder of an installation with many videos."""
    folder = tmp_path_factory.mktemp("library")
    with open_services(make_toy_settings(folder), PausableLoader(), ToyTrainer()) as opened:
        fill_library(opened)
    return folder


@pytest.fixture
def services(restart_worker: Callable[[], Services], library_folder: Path, tmp_path: Path) -> Services:
    """Start a worker on a copy of `library_folder`."""
    shutil.copytree(library_folder, tmp_path, dirs_exist_ok=True)
    return restart_worker()
