"""The general set: what an adapter must not forget, whatever its community taught it.

An installation has no photographs of the world to test with, and none may ship with it. What every installation has are
the sample clips of `model.starter.artifacts`, pinned by hash; the sentences to them, four a clip in three languages, are ours
(`runs/general.tsv`). Beside them stand simple drawings, made here, of a shape in a colour with texts made by a pattern:
they show whether colours and forms still mean what they did, and make the search harder. So the set is the same
everywhere and never grows.

Its limits: 12 clips, 8 of them of people outdoors filmed by the same hands, and 30 drawings. It notices a model that
broke or narrowed, not one that forgot a rare thing: random LoRA weights on the starter's tower that turn the pictures'
vectors to a cosine of .98 with what they were, .85 or .31 move its mean reciprocal rank of .754 by +.004, +.023 and
-.423, give or take .03, .04 and .10. Where the samples are part of a library, a retrain may have seen their pictures
(with their titles, not with these sentences). A preset is only asked in the languages it reads.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from model.data.pairs import Pair
from model.data.video_frames import stills
from model.presets import PRESETS
from model.starter.artifacts import default_folder, sample_files

SENTENCES = Path(__file__).parents[1] / "runs" / "general.tsv"
_SIDE = 224
_BOX = (42, 42, 182, 182)

Words: TypeAlias = Mapping[str, str]
"""By language, ISO 639-1."""

COLOURS: Mapping[str, Words] = MappingProxyType(
    {
        "#d62728": {"en": "red", "ko": "빨간", "zh": "红色"},
        "#2ca02c": {"en": "green", "ko": "초록", "zh": "绿色"},
        "#1f5fd0": {"en": "blue", "ko": "파란", "zh": "蓝色"},
        "#f2d21b": {"en": "yellow", "ko": "노란", "zh": "黄色"},
        "#111111": {"en": "black", "ko": "검은", "zh": "黑色"},
        "#ff8cc6": {"en": "pink", "ko": "분홍", "zh": "粉色"},
    }
)
_STAR = [(112 + r * np.sin(i * np.pi / 5), 112 - r * np.cos(i * np.pi / 5)) for i, r in enumerate([84, 34] * 5)]
_HEART = [
    (112 + 5 * 16 * np.sin(t) ** 3, 106 - 5 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)))
    for t in np.linspace(0, 2 * np.pi, 60)
]
_SHAPES: Sequence[tuple[Words, Callable[[ImageDraw.ImageDraw, str], None]]] = (
    ({"en": "circle", "ko": "동그라미", "zh": "圆形"}, lambda pen, colour: pen.ellipse(_BOX, colour)),
    ({"en": "square", "ko": "네모", "zh": "正方形"}, lambda pen, colour: pen.rectangle(_BOX, colour)),
    (
        {"en": "triangle", "ko": "세모", "zh": "三角形"},
        lambda pen, colour: pen.polygon([(112, 36), (194, 182), (30, 182)], colour),
    ),
    ({"en": "star", "ko": "별", "zh": "星星"}, lambda pen, colour: pen.polygon(_STAR, colour)),
    ({"en": "heart", "ko": "하트", "zh": "爱心"}, lambda pen, colour: pen.polygon(_HEART, colour)),
)
_PATTERNS: Words = MappingProxyType({"en": "a {} {}", "ko": "{} {}", "zh": "{}的{}"})


def pairs(preset: str, work: Path, parts_dir: Path | None = None) -> list[Pair]:
    """The set in the preset's languages, its pictures written into `work`. Clips that are not there are left out."""
    work.mkdir(parents=True, exist_ok=True)
    languages = PRESETS[preset].languages if preset in PRESETS else tuple(_PATTERNS)
    return [*_drawn(languages, work), *_filmed(languages, work, parts_dir or default_folder())]


def _filmed(languages: Sequence[str], work: Path, parts_dir: Path) -> list[Pair]:
    with SENTENCES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    clips = {path.name: stills(path, work) for path, _ in sample_files(parts_dir)}
    return [
        Pair(row[language], clips[row["file"]], row["file"])
        for row in rows
        if row["file"] in clips
        for language in languages
        if language in row
    ]


def _drawn(languages: Sequence[str], work: Path) -> list[Pair]:
    found = []
    for colour, names in COLOURS.items():
        for shape, draw in _SHAPES:
            file = work / f"{names['en']}-{shape['en']}.png"
            image = Image.new("RGB", (_SIDE, _SIDE), "white")
            draw(ImageDraw.Draw(image), colour)
            image.save(file)
            for language in languages:
                if language in _PATTERNS:
                    text = _PATTERNS[language].format(names[language], shape[language])
                    found.append(Pair(text, (file,), file.stem))
    return found
