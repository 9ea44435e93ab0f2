"""What the doctor sees and says."""

from pathlib import Path

import pytest

from tests.conftest import free_port
from worker.doctor import Check, check
from worker.settings import Settings


def by_name(settings: Settings) -> dict[str, Check]:
    return {each.name: each for each in check(settings)}


@pytest.mark.usefixtures("no_dotenv")
def test_a_good_installation_is_good(tmp_path: Path) -> None:
    """Where nothing is missing each part is good, and the model is named with where its figures stand."""
    checks = by_name(Settings(data_dir=tmp_path))
    assert [name for name, each in checks.items() if not each.ok] == []
    assert "docs/starter-model.md" in checks["model"].detail


@pytest.mark.usefixtures("no_dotenv")
def test_what_is_missing_is_named_with_its_cure(tmp_path: Path) -> None:
    """An unwritable data folder, missing parts and servers that do not answer are each told with how to mend them."""
    (tmp_path / "file").touch()
    checks = by_name(
        Settings(
            data_dir=tmp_path / "file" / "data",
            parts_dir=tmp_path,
            redis_url=f"redis://127.0.0.1:{free_port()}/0",
            qdrant_url=f"http://127.0.0.1:{free_port()}",
        )
    )
    broken = {name: each for name, each in checks.items() if not each.ok}
    assert {"data folder", "model", "samples", "Redis", "Qdrant"} <= set(broken)
    assert all(each.mend and each.detail for each in broken.values())


def test_a_durable_redis_is_good(clean_redis: str, tmp_path: Path) -> None:
    """A Redis with its append-only file on is good."""
    assert by_name(Settings(data_dir=tmp_path, redis_url=clean_redis))["Redis"].ok
