"""The text map from sentence features to the picture space."""

from pathlib import Path

import pytest
import torch

from model.starter.sentence_encoder import FEATURES
from model.starter.text_map import SIZE, TextMap


@pytest.fixture
def text_map() -> TextMap:
    torch.manual_seed(0)
    text_map = TextMap(hidden=4)
    text_map.picture_centre.data = torch.randn(SIZE) * 0.1
    return text_map.eval()


def test_texts_and_pictures_are_unit_vectors(text_map: TextMap) -> None:
    """A dot product is therefore a cosine."""
    with torch.inference_mode():
        texts, pictures = (
            text_map.encode_texts(torch.randn(3, FEATURES)),
            text_map.encode_pictures(torch.randn(2, SIZE)),
        )
    assert texts.shape == (3, SIZE)
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(pictures.norm(dim=1), torch.ones(2))


def test_untrained_map_only_centres_pictures(text_map: TextMap) -> None:
    picture = torch.randn(1, SIZE)
    expected = torch.nn.functional.normalize(picture - text_map.picture_centre, dim=1)
    torch.testing.assert_close(text_map.encode_pictures(picture), expected)


def test_saved_map_is_read_back(text_map: TextMap, tmp_path: Path) -> None:
    """The file has half precision, and no partial file is left."""
    text_map.save(tmp_path / "map.safetensors")
    read = TextMap.read(tmp_path / "map.safetensors")
    features = torch.randn(5, FEATURES)
    with torch.inference_mode():
        cosine = (read.encode_texts(features) * text_map.encode_texts(features)).sum(1)
    assert cosine.min() > 0.9999
    assert [file.name for file in tmp_path.iterdir()] == ["map.safetensors"]
