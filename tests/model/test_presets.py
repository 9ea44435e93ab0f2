"""Presets are pinned, and their generations keep their names."""

import re

from model.loader import compute_generation
from model.preset_files import find_preset
from model.presets import PRESETS, STARTER, HubModel


def test_every_model_is_pinned_to_a_commit() -> None:
    """At a full commit hash, and no two models at the same one."""
    models = [model for preset in PRESETS.values() for model in preset.models if isinstance(model, HubModel)]
    assert set(PRESETS) == {"base", "large", "multilingual", "chinese"}
    assert all(re.fullmatch("[0-9a-f]{40}", model.revision) for model in models)
    assert len({model.revision for model in models}) == len(models)


def test_only_english_presets_have_motion() -> None:
    """X-CLIP reads English only."""
    assert all((preset.languages == ("en",)) == (preset.motion is not None) for preset in PRESETS.values())


def test_generations_keep_their_names() -> None:
    """Stored libraries use these names: they may change only if a model does."""
    assert {name: compute_generation(find_preset(name), None) for name in (STARTER, *PRESETS)} == {
        "starter": "starter-d1fe5963",
        "base": "base-5bfd9335",
        "large": "large-812fa584",
        "multilingual": "multilingual-add561ff",
        "chinese": "chinese-1c75feff",
    }
