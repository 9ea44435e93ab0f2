"""The list of presets: sizes, what is here, figures with their source, and files with a mistake."""

from pathlib import Path

from tests.support.model import tiny_models
from tests.support.worker.callers import ANN
from worker.handlers.presets import list_presets
from worker.protocol.models import ListPresets, PresetSummary
from worker.settings import Settings


def describe(settings: Settings, by_operator: bool = True) -> dict[str, PresetSummary]:
    presets = list_presets(settings, ListPresets(caller=ANN, by_operator=by_operator)).presets
    return {preset.name: preset for preset in presets}


def test_presets_are_listed_with_sizes_and_figures(tmp_path: Path) -> None:
    """Those of the hub are to be downloaded. Each figure names its source."""
    found = describe(Settings(data_dir=tmp_path, parts_dir=tmp_path))
    assert list(found) == ["starter", "base", "large", "multilingual", "chinese"]
    assert (found["multilingual"].bytes, found["multilingual"].is_here) == (1_500_751_880, False)
    assert found["multilingual"].models == ("google/siglip2-base-patch16-224",)
    assert all("(" in figure for preset in found.values() for figure in preset.figures)
    assert "English 61% and 89%" in found["starter"].figures[0]


def test_own_preset_is_listed_beside_one_with_a_mistake(tmp_path: Path) -> None:
    tiny_models.save_clip(tmp_path / "clip")
    (tmp_path / "mine.toml").write_text('name = "mine"\nlanguages = ["en"]\n[frame]\nfolder = "clip"\n')
    (tmp_path / "wrong.toml").write_text('name = "wrong"\n')
    found = describe(Settings(data_dir=tmp_path, presets_dir=tmp_path, parts_dir=tmp_path))
    mine, wrong = found["mine"], found["wrong"]
    assert (mine.is_here, mine.models) == (True, (str(tmp_path / "clip"),))
    assert mine.bytes == (tmp_path / "clip" / "model.safetensors").stat().st_size
    assert wrong.problem is not None
    assert "wrong.toml" in wrong.problem
    assert not any(each.is_allowed for each in describe(Settings(data_dir=tmp_path), by_operator=False).values())
