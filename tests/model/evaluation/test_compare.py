"""Pairs as an encoder has them, and base against adapter, held against the naive way of working them out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.pairs import Pair
from model.errors import PairsUnreadable
from model.evaluation.compare import Encoded, compare, encode, iou, moment_recall
from model.ports import Clip, Picture, TextVectors, Vector


class ByColour:
    """A picture is its mean colour, a text `r g b` the colour it names, motion what changes along a clip."""

    generation = "colours"
    frame_size = 3

    def __init__(self, motion_size: int | None = None) -> None:
        self.motion_size = motion_size

    def texts(self, texts: Sequence[str]) -> list[TextVectors]:
        frames = [unit(np.array(text.split()[:3], np.float32)) for text in texts]
        motions = [unit(np.array(text.split()[3:], np.float32)) if self.motion_size else None for text in texts]
        return [TextVectors(*each) for each in zip(frames, motions, strict=True)]

    def frames(self, pictures: Sequence[Picture]) -> Vector:
        return np.stack([unit(picture.reshape(-1, 3).mean(0).astype(np.float32)) for picture in pictures])

    def clips(self, clips: Sequence[Clip]) -> Vector:
        ends = [(self.frames([clip.pictures[-1]]) - self.frames([clip.pictures[0]]))[0] for clip in clips]
        return np.stack([unit(change[:2] + 1e-6) for change in ends])


def unit(vector: Vector) -> Vector:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def colours(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, colour in {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}.items():
        found[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (8, 8), colour).save(found[name])
    return found


def test_a_text_and_a_picture_stand_once_however_many_pairs_they_are_in(colours: dict[str, Path]) -> None:
    """A text of two pictures finds either, and neither counts as wrong for the other."""
    red, green, blue = ((colours[name],) for name in ("red", "green", "blue"))
    pairs = [
        Pair("1 1 0", red, "a"),
        Pair("1 1 0", green, "b"),
        Pair("0 0 1", blue, "c"),
        Pair("0 1 9", blue, "c"),
    ]
    seen: list[float] = []
    encoded = encode(pairs, ByColour(), seen.append)
    assert encoded.relevant.tolist() == [[True, True, False], [False, False, True], [False, False, True]]
    assert (encoded.text_sources, encoded.image_sources) == (("a", "c", "c"), ("a", "b", "c"))
    figures = encoded.report()
    assert (figures.text_to_image.r1, figures.image_to_text.r1) == (1, 1)
    assert (figures.text_to_image.queries, figures.image_to_text.queries) == (3, 3)
    assert seen[-1] == 1


def test_a_clip_is_the_mean_of_its_frames(colours: dict[str, Path]) -> None:
    """As the index stores a moment: unit vectors, their mean, of length one."""
    encoded = encode([Pair("1 1 0", (colours["red"], colours["green"]), "a")], ByColour())
    assert encoded.images == pytest.approx(np.array([[0.5**0.5, 0.5**0.5, 0]]))


def test_motion_counts_as_much_as_looks(colours: dict[str, Path]) -> None:
    """Two clips of the same pictures in another order are told apart where the generation has motion vectors."""
    there, back = (colours["red"], colours["green"]), (colours["green"], colours["red"])
    pairs = [Pair("1 1 0 -1 1", there, "a"), Pair("1 1 0 1 -1", back, "b")]
    encoded = encode(pairs, ByColour(motion_size=2))
    assert encoded.report().text_to_image.r1 == 1
    assert encode(pairs, ByColour()).report().text_to_image.r1 == 0
    assert encoded.texts @ encoded.images.T == pytest.approx(np.array([[1, 0], [0, 1]]), abs=1e-3)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The person learns which file is broken."""
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(PairsUnreadable, match=r"broken\.png"):
        encode([Pair("1 1 0", (tmp_path / "broken.png",), "a")], ByColour())


def encoded(seed: int, noise: float, images: int = 30, each: int = 3) -> Encoded:
    random = np.random.default_rng(seed)
    pictures = np.stack([unit(one) for one in random.normal(size=(images, 8))])
    own = np.repeat(np.arange(images), each)
    texts = np.stack([unit(pictures[i] + noise * random.normal(size=8)) for i in own])
    names = tuple(f"video {i // 2}" for i in range(images))  # two moments of each
    return Encoded(texts, pictures, own[:, None] == np.arange(images), tuple(names[i] for i in own), names)


def naive_interval(base: Encoded, adapter: Encoded, draws: int) -> tuple[float, float]:
    """The difference in R@1 on texts of videos that are really drawn again, both models on the same draw."""

    def hit(one: Encoded, text: int) -> float:
        return float(one.relevant[text, int((one.texts[text] @ one.images.T).argmax())])

    gains: dict[str, list[float]] = {}
    for text, source in enumerate(base.text_sources):
        gains.setdefault(source, []).append(hit(adapter, text) - hit(base, text))
    random = np.random.default_rng(1)
    names = list(gains)
    found = [
        np.mean([gain for name in random.choice(len(names), len(names)) for gain in gains[names[name]]])
        for _ in range(draws)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return low, high


def test_the_interval_is_that_of_drawing_videos_again() -> None:
    """The paired interval agrees with a bootstrap that draws whole videos."""
    base, adapter = encoded(0, 0.5), encoded(0, 0.4)
    difference = compare(base, adapter).text_to_image["r1"]
    assert difference.value == pytest.approx(adapter.report().text_to_image.r1 - base.report().text_to_image.r1)
    assert difference.interval == pytest.approx(naive_interval(base, adapter, 3_000), abs=0.015)


def test_shares_are_as_unsure_as_their_videos_are_few() -> None:
    """Questions of one video count together in a share's interval, too: of half as many videos it is wider."""
    each = encoded(0, 0.5)
    apart = replace(each, text_sources=tuple(map(str, range(90))), image_sources=tuple(map(str, range(30))))
    few = replace(each, text_sources=tuple("abcd"[i // 25] for i in range(90)))
    widths = [high - low for low, high in (one.report().text_to_image.r1_interval for one in (few, each, apart))]
    assert widths[0] > 1.3 * widths[2]
    back = [high - low for low, high in (one.report().image_to_text.r1_interval for one in (each, apart))]
    assert back[0] != back[1]


def test_pairing_takes_out_what_both_find_hard() -> None:
    """The difference to itself is nothing, without any doubt, however unsure each figure is."""
    once = encoded(0, 0.5)
    comparison = compare(once, once)
    for one in (*comparison.text_to_image.values(), *comparison.image_to_text.values()):
        assert (one.value, one.interval) == (0, (0, 0))
    assert (comparison.texts, comparison.images, comparison.sources) == (90, 30, 15)


def test_only_the_same_pairs_can_be_compared() -> None:
    """Figures of different pairs are never set against each other."""
    with pytest.raises(ValueError, match="same pairs"):
        compare(encoded(0, 0.5), encoded(0, 0.5, images=20))


@pytest.mark.parametrize("seed", range(20))
def test_overlap_is_that_of_counting_moments_of_time(seed: int) -> None:
    """IoU agrees with counting milliseconds that lie in both spans and in either."""
    starts, lengths = np.random.default_rng(seed).integers(0, 60, (2, 2))
    spans = [range(int(start), int(start + length) + 1) for start, length in zip(starts, lengths, strict=True)]
    ticks = [set(span[:-1]) for span in spans]
    naive = len(ticks[0] & ticks[1]) / len(ticks[0] | ticks[1]) if ticks[0] | ticks[1] else 0
    assert iou(*((span[0], span[-1]) for span in spans)) == pytest.approx(naive)


def test_moment_recall_counts_what_overlaps_enough() -> None:
    """Half and seven tenths are enough for their figure; nothing found is a miss."""
    found = [(0.0, 10.0), (0.0, 7.0), (0.0, 5.0), (0.0, 4.9), (20.0, 30.0), None]
    recall = moment_recall(found, [(0.0, 10.0)] * 6)
    assert (recall.r1_iou_50, recall.r1_iou_70, recall.questions) == (3 / 6, 2 / 6, 6)
