"""What a preset costs here, before its weights are fetched."""

from pathlib import Path

import pytest

from model.encoders.hub_cost import measure_preset_cost
from model.errors import ArtifactsMissingError
from model.evaluation.published import AUTHORS_FIGURES, find_larger_preset
from model.presets import PRESETS, HubModel, Preset
from tests.support.model import tiny_models


def test_cost_is_measured_without_the_weights(tmp_path: Path) -> None:
    """The hub is asked for sizes and architectures only. The download is that of the files that are fetched."""
    for name in ("clip", "xclip"):
        tiny_models.FAMILIES[name](tmp_path / "tiny" / name)
    frame, motion = (HubModel(f"tiny/{name}", tiny_models.COMMIT) for name in ("clip", "xclip"))
    with tiny_models.serve_hub(tmp_path) as hub:
        cost = measure_preset_cost(Preset("pair", ("en",), frame, motion), tmp_path / "parts", "cpu", 0.1, hub.endpoint)
    assert not any("safetensors" in path for path in hub.requests)
    files = [file for name in ("clip", "xclip") for file in (tmp_path / "tiny" / name).iterdir()]
    assert cost.download_bytes == sum(file.stat().st_size for file in files)
    weights = sum(file.stat().st_size for file in files if file.suffix == ".safetensors")
    assert weights / 3 < cost.memory_bytes < 1.1 * weights
    assert cost.pictures_per_s > 0


def test_hub_out_of_reach_raises_artifacts_missing(tmp_path: Path) -> None:
    with tiny_models.serve_hub(tmp_path) as hub:
        endpoint = hub.endpoint
    with pytest.raises(ArtifactsMissingError, match="not in reach"):
        measure_preset_cost(PRESETS["multilingual"], tmp_path, "cpu", 0.1, endpoint)


def test_larger_preset_for_a_language_has_a_figure_with_its_source() -> None:
    assert {language: find_larger_preset(language) for language in ("en", "ko", "zh", "fr")} == {
        "en": "multilingual",
        "ko": "multilingual",
        "zh": "chinese",
        "fr": None,
    }
    assert all(figure.source for figures in AUTHORS_FIGURES.values() for figure in figures)
    assert set(AUTHORS_FIGURES) == set(PRESETS)
