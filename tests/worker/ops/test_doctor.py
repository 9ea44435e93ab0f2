"""What the doctor sees and says."""

from pathlib import Path

import pytest

from model.evaluation import published
from tests.support.network import free_port
from worker.ops.doctor import DoctorCheck, check
from worker.settings import Settings


def by_name(settings: Settings) -> dict[str, DoctorCheck]:
    return {each.name: each for each in check(settings)}


@pytest.mark.usefixtures("no_dotenv")
def test_a_good_installation_is_good(tmp_path: Path) -> None:
    """Where nothing is missing each part is good."""
    checks = by_name(Settings(data_dir=tmp_path))
    assert [name for name, each in checks.items() if not each.ok] == []


@pytest.mark.usefixtures("no_dotenv")
def test_the_model_is_named_with_its_figures(tmp_path: Path) -> None:
    """The starter comes with its measured shares in each language, and a preset nobody measured says so."""
    starter = by_name(Settings(data_dir=tmp_path))["model"].detail
    measured = published.read("starter")
    assert measured
    assert "preset starter" in starter
    for share in (*measured.first.values(), *measured.among_five.values()):
        assert f"{share:.0%}" in starter
    base = by_name(Settings(data_dir=tmp_path, preset="base"))["model"].detail
    assert "preset base" in base
    assert "not measured" in base


def test_the_figures_are_those_of_the_model_card() -> None:
    """What the doctor says of the starter stands in the table of docs/starter-model.md, language by language."""
    card = (Path(__file__).parents[3] / "docs" / "starter-model.md").read_text(encoding="utf-8")
    through_the_product = card.partition("Through the product's own index and search")[2]
    measured = published.read("starter")
    assert measured
    for language, share in measured.first.items():
        row = f"| {language} | {share:.3f} | {measured.among_five[language]:.3f} |".replace(" 0.", " .")
        assert row in through_the_product


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
    assert (
        broken["model"].mend == broken["samples"].mend == f"Run `python -m model.starter.artifacts --into {tmp_path}`."
    )


def test_a_durable_redis_is_good(clean_redis: str, tmp_path: Path) -> None:
    """A Redis with its append-only file on is good."""
    assert by_name(Settings(data_dir=tmp_path, redis_url=clean_redis))["Redis"].ok
