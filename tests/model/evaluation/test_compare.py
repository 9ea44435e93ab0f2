"""Encodings and comparisons equal straightforward computations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.pairs import Pair
from model.errors import PairsUnreadableError
from model.evaluation.compare import EncodedPairs, compare_encodings, compute_iou, compute_moment_recall, encode_pairs
from tests.support.model.colour_encoder import ColourEncoder, make_encodings


@pytest.fixture
def colours(tmp_path: Path) -> dict[str, Path]:
    files = {}
    for name, colour in {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}.items():
        files[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (8, 8), colour).save(files[name])
    return files


def test_encoded_pairs_contain_each_text_and_picture_once(colours: dict[str, Path]) -> None:
    """A text of two pictures finds either, and neither counts as wrong for the other."""
    red, green, blue = ((colours[name],) for name in ("red", "green", "blue"))
    pairs = [
        Pair("1 1 0", red, "a"),
        Pair("1 1 0", green, "b"),
        Pair("0 0 1", blue, "c"),
        Pair("0 1 9", blue, "c"),
    ]
    progress: list[float] = []
    encoded = encode_pairs(pairs, ColourEncoder(), progress.append)
    assert encoded.relevant.tolist() == [[True, True, False], [False, False, True], [False, False, True]]
    assert (encoded.text_sources, encoded.image_sources) == (("a", "c", "c"), ("a", "b", "c"))
    figures = encoded.report()
    assert (figures.text_to_image.r1, figures.image_to_text.r1) == (1, 1)
    assert (figures.text_to_image.queries, figures.image_to_text.queries) == (3, 3)
    assert progress[-1] == 1


def test_texts_that_are_equal_for_a_model_are_one_text(colours: dict[str, Path]) -> None:
    """Case, width and punctuation at the ends make no difference to a model, so a text finds the pictures of both."""
    pairs = [Pair("1 0 0", (colours["red"],), "a"), Pair("１ 0  0!", (colours["green"],), "b")]
    encoded = encode_pairs(pairs, ColourEncoder())
    assert encoded.relevant.tolist() == [[True, True]]


def test_clip_vector_is_normalized_mean_of_its_frames(colours: dict[str, Path]) -> None:
    """The index stores clips in the same way."""
    encoded = encode_pairs([Pair("1 1 0", (colours["red"], colours["green"]), "a")], ColourEncoder())
    assert encoded.images == pytest.approx(np.array([[0.5**0.5, 0.5**0.5, 0]]))


def test_motion_and_frames_have_equal_weight(colours: dict[str, Path]) -> None:
    """Clips of the same pictures in another order are distinguished if there are motion vectors."""
    forward, backward = (colours["red"], colours["green"]), (colours["green"], colours["red"])
    pairs = [Pair("1 1 0 -1 1", forward, "a"), Pair("1 1 0 1 -1", backward, "b")]
    encoded = encode_pairs(pairs, ColourEncoder(motion_size=2))
    assert encoded.report().text_to_image.r1 == 1
    assert encode_pairs(pairs, ColourEncoder()).report().text_to_image.r1 == 0
    assert encoded.texts @ encoded.images.T == pytest.approx(np.array([[1, 0], [0, 1]]), abs=1e-3)


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(PairsUnreadableError, match=r"broken\.png"):
        encode_pairs([Pair("1 1 0", (tmp_path / "broken.png",), "a")], ColourEncoder())


def resample_interval(base: EncodedPairs, adapter: EncodedPairs, draws: int) -> tuple[float, float]:
    """Resample whole videos, and compute the difference in R@1 of both models on the same draw."""

    def hit(one: EncodedPairs, text: int) -> float:
        return float(one.relevant[text, int((one.texts[text] @ one.images.T).argmax())])

    gains: dict[str, list[float]] = {}
    for text, source in enumerate(base.text_sources):
        gains.setdefault(source, []).append(hit(adapter, text) - hit(base, text))
    random = np.random.default_rng(1)
    names = list(gains)
    differences = [
        np.mean([gain for name in random.choice(len(names), len(names)) for gain in gains[names[name]]])
        for _ in range(draws)
    ]
    low, high = np.quantile(differences, [0.025, 0.975])
    return low, high


def test_interval_equals_bootstrap_over_videos() -> None:
    base, adapter = make_encodings(0, 0.5), make_encodings(0, 0.4)
    difference = compare_encodings(base, adapter).text_to_image["r1"]
    assert difference.value == pytest.approx(adapter.report().text_to_image.r1 - base.report().text_to_image.r1)
    assert difference.interval == pytest.approx(resample_interval(base, adapter, 3_000), abs=0.015)


def test_interval_is_wider_for_fewer_videos() -> None:
    """Queries of one video count together in the interval of a share, too."""
    base = make_encodings(0, 0.5)
    independent = replace(base, text_sources=tuple(map(str, range(90))), image_sources=tuple(map(str, range(30))))
    few = replace(base, text_sources=tuple("abcd"[i // 25] for i in range(90)))
    widths = [high - low for low, high in (one.report().text_to_image.r1_interval for one in (few, base, independent))]
    assert widths[0] > 1.3 * widths[2]
    back = [high - low for low, high in (one.report().image_to_text.r1_interval for one in (base, independent))]
    assert back[0] != back[1]


def test_difference_to_itself_is_zero_with_certainty() -> None:
    """Pairing removes what both models find hard."""
    encodings = make_encodings(0, 0.5)
    comparison = compare_encodings(encodings, encodings)
    for one in (*comparison.text_to_image.values(), *comparison.image_to_text.values()):
        assert (one.value, one.interval) == (0, (0, 0))
    assert (comparison.texts, comparison.images, comparison.sources) == (90, 30, 15)


def test_encodings_of_different_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="same pairs"):
        compare_encodings(make_encodings(0, 0.5), make_encodings(0, 0.5, images=20))


@pytest.mark.parametrize("seed", range(20))
def test_iou_equals_counting_milliseconds(seed: int) -> None:
    starts, lengths = np.random.default_rng(seed).integers(0, 60, (2, 2))
    spans = [range(int(start), int(start + length) + 1) for start, length in zip(starts, lengths, strict=True)]
    ticks = [set(span[:-1]) for span in spans]
    expected = len(ticks[0] & ticks[1]) / len(ticks[0] | ticks[1]) if ticks[0] | ticks[1] else 0
    assert compute_iou(*((span[0], span[-1]) for span in spans)) == pytest.approx(expected)


def test_moment_recall_counts_sufficient_overlaps() -> None:
    """At exactly 0.5 and 0.7 a moment counts. Nothing found is a miss."""
    found = [(0.0, 10.0), (0.0, 7.0), (0.0, 5.0), (0.0, 4.9), (20.0, 30.0), None]
    recall = compute_moment_recall(found, [(0.0, 10.0)] * 6)
    assert (recall.r1_iou_50, recall.r1_iou_70, recall.questions) == (3 / 6, 2 / 6, 6)
