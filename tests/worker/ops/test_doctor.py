"""The doctor's checks of an installation."""

import sys
from pathlib import Path

import pytest

from model.evaluation.published import read_published_figures
from tests.support.network import free_port
from worker.ops.doctor import DoctorCheck, DoctorCheckName, DoctorOutcome, run_checks
from worker.settings import Settings


def check_all(settings: Settings) -> dict[DoctorCheckName, DoctorCheck]:
    return {check.name: check for check in run_checks(settings)}


@pytest.mark.usefixtures("no_dotenv")
def test_complete_installation_passes_every_check(tmp_path: Path) -> None:
    checks = check_all(Settings(data_dir=tmp_path))
    assert [check for check in checks.values() if not check.is_ok] == []


@pytest.mark.usefixtures("no_dotenv")
def test_model_check_contains_the_published_figures_of_the_preset(tmp_path: Path) -> None:
    """The starter has figures for each language. A preset that was not measured has none."""
    starter = check_all(Settings(data_dir=tmp_path))[DoctorCheckName.MODEL].parameters
    figures = read_published_figures("starter")
    assert figures is not None
    assert (starter["preset"], starter["figures"]) == ("starter", figures)
    base = check_all(Settings(data_dir=tmp_path, preset="base"))[DoctorCheckName.MODEL]
    assert base.outcome is DoctorOutcome.MODEL_FROM_HUB
    assert base.parameters == {"preset": "base", "figures": None}


def test_published_figures_are_those_of_the_model_card() -> None:
    """They are in the table of docs/starter-model.md, language by language."""
    card = (Path(__file__).parents[3] / "docs" / "starter-model.md").read_text(encoding="utf-8")
    through_the_product = card.partition("Through the product's own index and search")[2]
    figures = read_published_figures("starter")
    assert figures
    for language, share in figures.first.items():
        row = f"| {language} | {share:.3f} | {figures.among_five[language]:.3f} |".replace(" 0.", " .")
        assert row in through_the_product


@pytest.mark.usefixtures("no_dotenv")
def test_missing_parts_fail_with_what_a_fix_needs(tmp_path: Path) -> None:
    """An unwritable data folder, missing model files, and servers that do not answer are all reported."""
    (tmp_path / "file").touch()
    checks = check_all(
        Settings.model_validate(
            {
                "data_dir": tmp_path / "file" / "data",
                "parts_dir": tmp_path,
                "redis_url": f"redis://127.0.0.1:{free_port()}/0",
                "qdrant_url": f"http://127.0.0.1:{free_port()}",
                "signing_key": "k" * 32,
            }
        )
    )
    failed = {name: check for name, check in checks.items() if not check.is_ok}
    assert {name: check.outcome for name, check in failed.items()} == {
        DoctorCheckName.DATA_FOLDER: DoctorOutcome.DATA_FOLDER_UNWRITABLE,
        DoctorCheckName.MODEL: DoctorOutcome.MODEL_MISSING,
        DoctorCheckName.SAMPLES: DoctorOutcome.SAMPLES_MISSING,
        DoctorCheckName.BLOB_STORE: DoctorOutcome.BLOB_STORE_UNAVAILABLE,
        DoctorCheckName.REDIS: DoctorOutcome.REDIS_UNAVAILABLE,
        DoctorCheckName.QDRANT: DoctorOutcome.QDRANT_UNAVAILABLE,
    }
    assert all(check.parameters for check in failed.values())
    command = f"python -m model.starter.artifacts --into {tmp_path}"
    assert failed[DoctorCheckName.MODEL].parameters["command"] == command
    assert failed[DoctorCheckName.SAMPLES].parameters["command"] == command


@pytest.mark.usefixtures("no_dotenv")
def test_check_of_a_package_that_is_not_installed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot's machine does not have torch and does not need it."""
    monkeypatch.setitem(sys.modules, "torch", None)
    device = check_all(Settings(data_dir=tmp_path))[DoctorCheckName.DEVICE]
    assert (device.outcome, device.is_ok) == (DoctorOutcome.NOT_INSTALLED, True)
    assert device.parameters == {"module": "torch"}


def test_redis_with_append_only_file_passes(clean_redis: str, tmp_path: Path) -> None:
    settings = {"data_dir": tmp_path, "redis_url": clean_redis, "signing_key": "k" * 32}
    assert check_all(Settings.model_validate(settings))[DoctorCheckName.REDIS].outcome is DoctorOutcome.REDIS_READY
