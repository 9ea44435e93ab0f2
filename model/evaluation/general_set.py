"""The general set: evaluation pairs on which an adapter must not get worse.

It is independent of what a space's videos are about. An installation has no photographs of everyday scenes to
test with, and none may be distributed with it. Every installation does have the sample clips of
`model.starter.samples`, pinned by hash. The captions are ours, four per clip in three languages
(`runs/general.tsv`). The set also contains simple generated drawings of a coloured shape, with captions from
a template: they show whether the words for colours and shapes keep their meaning, and they are distractors
for the clips. The set is therefore the same everywhere and never grows.

Limits: 12 clips, 8 of them of people outdoors from one source, and 30 drawings. The set detects a model that
broke or narrowed, but not one that forgot a rare concept. Random LoRA weights on the starter's tower that
change the picture vectors to a cosine of .98, .85 or .31 with the originals change its mean reciprocal rank
of .754 by +.004, +.023 and -.423, give or take .03, .04 and .10. If the samples are part of a library, a
retrain may have used their pictures (with their titles, not with these captions). A preset is tested only in
its own languages.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from model.data.pairs import Pair
from model.data.video_frames import extract_frames
from model.packages import default_artifacts_dir
from model.presets import BasePreset
from model.starter.samples import find_samples

SENTENCES_FILE = Path(__file__).parents[1] / "runs" / "general.tsv"
_SIDE = 224
_BOX = (42, 42, 182, 182)

TextByLanguage: TypeAlias = Mapping[str, str]
"""By ISO 639-1 language code."""

COLOURS: Mapping[str, TextByLanguage] = MappingProxyType(
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
_SHAPES: Sequence[tuple[TextByLanguage, Callable[[ImageDraw.ImageDraw, str], None]]] = (
    ({"en": "circle", "ko": "동그라미", "zh": "圆形"}, lambda pen, colour: pen.ellipse(_BOX, colour)),
    ({"en": "square", "ko": "네모", "zh": "正方形"}, lambda pen, colour: pen.rectangle(_BOX, colour)),
    (
        {"en": "triangle", "ko": "세모", "zh": "三角形"},
        lambda pen, colour: pen.polygon([(112, 36), (194, 182), (30, 182)], colour),
    ),
    ({"en": "star", "ko": "별", "zh": "星星"}, lambda pen, colour: pen.polygon(_STAR, colour)),
    ({"en": "heart", "ko": "하트", "zh": "爱心"}, lambda pen, colour: pen.polygon(_HEART, colour)),
)
_TEMPLATES: TextByLanguage = MappingProxyType({"en": "a {} {}", "ko": "{} {}", "zh": "{}的{}"})


def build_general_set(preset: BasePreset, work: Path, artifacts_dir: Path | None = None) -> list[Pair]:
    """Build the set in the preset's languages and write its pictures into `work`.

    Missing sample clips are left out.
    """
    work.mkdir(parents=True, exist_ok=True)
    clips = _read_clips(preset.languages, work, artifacts_dir or default_artifacts_dir())
    return [*_draw_shapes(preset.languages, work), *clips]


def _read_clips(languages: Sequence[str], work: Path, artifacts_dir: Path) -> list[Pair]:
    with SENTENCES_FILE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    described = {row["file"] for row in rows}
    files = [path for path, _ in find_samples(artifacts_dir) if path.name in described]
    clips = {path.name: extract_frames(path, work) for path in files}
    return [
        Pair(row[language], clips[row["file"]], row["file"])
        for row in rows
        if row["file"] in clips
        for language in languages
        if language in row
    ]


def _draw_shapes(languages: Sequence[str], work: Path) -> list[Pair]:
    pairs = []
    for colour, names in COLOURS.items():
        for shape, draw in _SHAPES:
            file = work / f"{names['en']}-{shape['en']}.png"
            image = Image.new("RGB", (_SIDE, _SIDE), "white")
            draw(ImageDraw.Draw(image), colour)
            image.save(file)
            for language in languages:
                if language in _TEMPLATES:
                    text = _TEMPLATES[language].format(names[language], shape[language])
                    pairs.append(Pair(text, (file,), file.stem))
    return pairs
