"""The second sentence encoder: read from its own file, equal to the package's program, and optional."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model.errors import ArtifactsMissingError
from model.packages import default_artifacts_dir
from model.presets import STARTER_E5_TEXT_MAP, STARTER_TEXT_MAP, list_starter_revisions
from model.starter import artifacts
from model.starter import encoder as starter
from model.starter.e5_encoder import E5_FEATURES, E5Encoder
from model.starter.e5_file import E5
from model.starter.sentence_encoder import FEATURES, SentenceEncoder
from model.starter.text_map import TextMap

GOLDEN = {
    "a dog jumps into the water": (0.0257, -0.0103, -0.0114, -0.0370, 0.1203, 0.0071, 0.0150, -0.0002),
    "강아지가 눈에서 노는 장면": (0.0421, -0.0520, -0.0516, -0.0368, 0.1243, -0.0025, 0.0329, 0.0300),
    "一只狗在雪地里玩耍": (0.0756, 0.0149, -0.0067, -0.0453, 0.0985, 0.0032, 0.0044, 0.0120),
}
"""The first numbers of the unit vectors that the package's own program returns, with its prefix for queries."""


@pytest.fixture(scope="module")
def e5() -> E5Encoder:
    folder = default_artifacts_dir()
    if not E5.is_complete(folder):
        pytest.skip("the second sentence encoder is missing")
    return E5Encoder(folder)


def test_mean_equals_the_vector_of_the_package(e5: E5Encoder) -> None:
    """It has the length of the other features."""
    means = e5(list(GOLDEN))[:, : E5_FEATURES // 2]
    torch.testing.assert_close(means.norm(dim=1), torch.full((3,), 20.0))
    for mean, expected in zip(means / 20, GOLDEN.values(), strict=True):
        np.testing.assert_allclose(mean[: len(expected)], expected, atol=3e-3)


def test_features_do_not_depend_on_the_batch(e5: E5Encoder) -> None:
    """Longer texts of the batch change nothing, nor do spaces."""
    alone, batch = e5(["a dog"]), e5(["a dog", "a  dog ", "x " * 300])
    assert torch.nn.functional.cosine_similarity(alone, batch[:2]).min() > 0.9999


@pytest.mark.parametrize("text", ["", "🐶", "\ud800 half", "ꦲꦏ ሰላም", "word " * 2_000])
def test_any_text_has_finite_features(e5: E5Encoder, text: str) -> None:
    features = e5([text])
    assert features.shape == (1, E5_FEATURES)
    assert features.isfinite().all()


def test_both_text_maps_have_the_same_picture_side() -> None:
    """So a library is searched with the second encoder or without it, and is not embedded again."""
    one, two = load_file(STARTER_TEXT_MAP), load_file(STARTER_E5_TEXT_MAP)
    for name in ("picture_centre", "weighing"):
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)
    assert [len(each["text_centre"]) for each in (one, two)] == [FEATURES, FEATURES + E5_FEATURES]


def test_without_the_second_encoder_the_other_map_serves(tmp_path: Path) -> None:
    """The vectors of texts are similar, and the generation is the same."""
    complete = default_artifacts_dir()
    try:
        (tmp_path / "tower").symlink_to(artifacts.find_tower(complete))
    except ArtifactsMissingError as missing:
        pytest.skip(f"the starter's files are missing: {missing}")
    [preset, *_] = list_starter_revisions()
    with_e5, without = (starter.load_starter(preset, folder, "cpu", None) for folder in (complete, tmp_path))
    assert with_e5.generation == without.generation
    [one], [two] = (encoder.encode_texts(["two dogs play in the snow"]) for encoder in (with_e5, without))
    assert 0.6 < float(one.frame @ two.frame) < 0.999
    np.testing.assert_allclose(one.meaning, two.meaning, atol=1e-6)


def test_map_of_an_adapter_that_needs_the_missing_encoder_is_refused(tmp_path: Path) -> None:
    """The message says which command fetches it."""
    text_map = TextMap(4, features=FEATURES + E5_FEATURES)
    with pytest.raises(ArtifactsMissingError, match=r"e5 is not in .*python -m model\.starter\.artifacts"):
        starter.load_text_encoder(SentenceEncoder(), text_map, tmp_path)
