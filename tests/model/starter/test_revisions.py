"""Revisions of the starter: a library is served by the weights that embedded it, after an upgrade, too."""

import shutil
from pathlib import Path

import pytest

from model.loader import compute_generation, find_preset_of, is_outdated
from model.preset_files import find_preset
from model.presets import STARTER_TEXT_MAP, StarterPreset, list_starter_revisions
from model.starter.text_map import TextMap


@pytest.fixture
def upgrade(tmp_path: Path) -> str:
    """Write a newer revision, as a later version would bring it. Returns the generation of the former one."""
    former = compute_generation(find_preset("starter"), None)
    shutil.copy(STARTER_TEXT_MAP, tmp_path / f"{former}.safetensors")
    TextMap(16).save(tmp_path / "starter.safetensors")
    return former


def test_former_revision_keeps_its_generation_and_its_weights(upgrade: str, tmp_path: Path) -> None:
    newest, former = list_starter_revisions(tmp_path)[0], find_preset_of("starter", upgrade, weights_dir=tmp_path)
    assert compute_generation(newest, None) != upgrade
    assert compute_generation(former, None) == upgrade
    assert (is_outdated(former), is_outdated(newest)) == (True, False)
    assert isinstance(former, StarterPreset)
    assert TextMap.read(former.text_map).linear.weight.abs().sum() > 0


def test_adapter_of_a_former_revision_is_found(upgrade: str, tmp_path: Path) -> None:
    """By the generation that it makes with the weights it was trained on."""
    adapter = tmp_path / "adapter"
    (adapter / "frame").mkdir(parents=True)
    (adapter / "frame" / "adapter_model.safetensors").write_bytes(b"weights")
    former = find_preset_of("starter", upgrade, weights_dir=tmp_path)
    made = compute_generation(former, adapter)
    assert find_preset_of("starter", made, adapter, weights_dir=tmp_path) == former
    assert compute_generation(list_starter_revisions(tmp_path)[0], adapter) != made
