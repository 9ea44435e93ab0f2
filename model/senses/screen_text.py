"""Text in pictures by PP-OCRv6 (PaddleOCR): a detector of lines and a recognizer of their characters.

It knows Latin, Chinese and Japanese characters. Lines of Hangul get a low confidence; they go to Tesseract if it is
installed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.encoders.openvino_runtime import openvino
from model.errors import ArtifactsMissingError
from model.ports import Picture
from model.senses.strokes import Look
from model.senses.tesseract import find_tesseract, read_korean_line
from model.senses.text_boxes import Box, find_boxes

Array: TypeAlias = npt.NDArray[np.float32]
Network: TypeAlias = Callable[[Array], Array]
"""Takes pictures (1, 3, height, width)."""

_GATE_SIDE_PX, _SIDE_PX = 256, 640
"""Long side of the picture in which text is looked for at first, and of the one in which lines are found."""
_STEP_PX: Final = 32
"""The detector takes sides that are multiples of this."""
_LINE_HEIGHT_PX, _LINE_STEP_PX, _MAX_LINE_PX = 48, 96, 1920
_MIN_CONFIDENCE: Final = 0.6
_MAX_UNCLEAR: Final = 0.8
"""Confidence below which a line may be Hangul."""
_MAX_LINES: Final = 40
_MIN_OVERLAP: Final = 0.6
"""Share of both boxes together that a line which stays has in common with its former box."""
_MAX_DIFFERENCE: Final = 12.0
"""Maximum mean difference of brightness between two pictures of a line, of 256 levels, in any part of it."""
_UPRIGHT_RATIO: Final = 1.5
"""A box that is this much higher than wide holds text that runs downwards."""


@dataclass(frozen=True)
class TextLine:
    """A line of text. `box` has its left, top, right and bottom edge as shares of the picture's sides."""

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class _ReadLine:
    """A line of the last picture. If it could not be read, `text` is empty or wrong."""

    box: Box
    text: str
    confidence: float

    @property
    def is_readable(self) -> bool:
        return self.confidence >= _MIN_CONFIDENCE and bool(self.text.strip())


@dataclass(frozen=True)
class _ReadPicture:
    """The last picture that was examined, and what was read in it."""

    gray: Array
    look: Look
    lines: Sequence[_ReadLine]

    @property
    def has_text(self) -> bool:
        return any(line.is_readable for line in self.lines)

    def find_unchanged(self, gray: Array, box: Box) -> _ReadLine | None:
        """Return the line that is still at this place of another picture, or None."""
        if gray.shape != self.gray.shape:
            return None
        near = (line for line in self.lines if _measure_overlap(line.box, box) >= _MIN_OVERLAP)
        return next((line for line in near if self._is_unchanged(gray, line.box)), None)

    def _is_unchanged(self, gray: Array, box: Box) -> bool:
        height, width = gray.shape
        rows, columns = (
            slice(int(box.top * height), int(box.bottom * height)),
            slice(int(box.left * width), int(box.right * width)),
        )
        difference = np.abs(gray[rows, columns] - self.gray[rows, columns]).mean(axis=0)
        part = max(1, min(rows.stop - rows.start, len(difference)) // 2)
        means = np.convolve(difference, np.full(part, 1 / part), "valid")
        return float(means.max(initial=0.0)) <= _MAX_DIFFERENCE


@dataclass(frozen=True)
class TextNetworks:
    """The networks of PP-OCRv6 and the characters that the second one knows, the first of which is none.

    `detect` returns the probability of text (1, 1, height, width), `recognize` those of the characters of one line
    (1, steps, characters).
    """

    detect: Network
    recognize: Network
    characters: Sequence[str]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the part from its folder. Raises `ArtifactsMissingError`."""
        core, threads = openvino.Core(), {"INFERENCE_NUM_THREADS": 1}
        try:
            detector = core.compile_model(folder / "PP-OCRv6_det_small.onnx", "CPU", threads)
            recognizer = core.read_model(folder / "PP-OCRv6_rec_small.onnx")
            characters = str(recognizer.get_rt_info(["framework", "character"]).astype(str)).split("\n")
            compiled = core.compile_model(recognizer, "CPU", threads)
        except RuntimeError as error:
            raise ArtifactsMissingError(
                "{model} cannot be read: delete {folder} and start again", model="PP-OCRv6", folder=folder
            ) from error
        return cls(partial(_infer, detector), partial(_infer, compiled), ["", *characters, " "])


def _infer(compiled: openvino.CompiledModel, pictures: Array) -> Array:
    probabilities: Array = compiled.create_infer_request().infer([pictures])[0]
    return probabilities


class ScreenTextReader:
    """Reader of text on the CPU, with one thread."""

    def __init__(self, networks: TextNetworks) -> None:
        self._networks = networks
        self._tesseract = find_tesseract()
        nothing = np.zeros((1, 1), np.float32)
        self._last = _ReadPicture(nothing, Look.take(nothing), ())

    def read(self, picture: Picture) -> list[TextLine]:
        """Return the lines of text of a picture (height, width, 3), in reading order.

        A line that is unchanged since the last picture is not read again. After a picture without text, one in which
        none can have appeared is not examined.
        """
        image = Image.fromarray(picture)
        gray = np.asarray(image.convert("L"), np.float32)
        look = Look.take(gray)
        if not self._last.has_text and not look.may_show_more(self._last.look):
            return []
        read = []
        for box in self._find_lines(image):
            known = self._last.find_unchanged(gray, box)
            read.append(known or self._read_line(_crop(image, box), box))
        self._last = _ReadPicture(gray, look, read)
        return [TextLine(line.text.strip(), round(line.confidence, 3), line.box) for line in read if line.is_readable]

    def _find_lines(self, image: Image.Image) -> list[Box]:
        """Return the boxes of the lines, none if no text is seen in the small picture."""
        return self._find_boxes(image, _SIDE_PX)[:_MAX_LINES] if self._find_boxes(image, _GATE_SIDE_PX) else []

    def _read_line(self, crop: Image.Image, box: Box) -> _ReadLine:
        text, confidence = self._recognize(crop)
        if confidence < _MAX_UNCLEAR and self._tesseract:
            line = read_korean_line(self._tesseract, crop)
            if line and line.confidence >= _MIN_CONFIDENCE:
                return _ReadLine(box, line.text, line.confidence)
        return _ReadLine(box, text, confidence)

    def _find_boxes(self, image: Image.Image, side_px: int) -> list[Box]:
        """Return the boxes of the lines as shares of the picture's sides."""
        scale = side_px / max(image.size)
        width, height = (max(_STEP_PX, round(side * scale / _STEP_PX) * _STEP_PX) for side in image.size)
        pixels = _to_input(image.resize((width, height), Image.Resampling.BILINEAR), (0.485, 0.456, 0.406), 0.226)
        probabilities = self._networks.detect(pixels)[0, 0]
        return [
            Box(b.left / width, b.top / height, b.right / width, b.bottom / height) for b in find_boxes(probabilities)
        ]

    def _recognize(self, crop: Image.Image) -> tuple[str, float]:
        """Return the text of one line and its confidence, the mean of its characters' probabilities."""
        width = min(_MAX_LINE_PX, max(1, round(crop.width * _LINE_HEIGHT_PX / crop.height)))
        pixels = _to_input(crop.resize((width, _LINE_HEIGHT_PX), Image.Resampling.BICUBIC), (0.5, 0.5, 0.5), 0.5)
        pixels = np.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, -width % _LINE_STEP_PX)))
        probabilities = self._networks.recognize(pixels)[0]
        best = probabilities.argmax(axis=1)
        is_new = (best != 0) & (best != np.concatenate([[0], best[:-1]]))
        text = "".join(self._networks.characters[index] for index in best[is_new])
        return text, float(probabilities.max(axis=1)[is_new].mean()) if is_new.any() else 0.0


def _measure_overlap(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    common = max(0.0, width) * max(0.0, height)
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in (one, other)]
    return common / (sum(areas) - common)


def _crop(image: Image.Image, box: Box) -> Image.Image:
    width, height = image.size
    crop = image.crop(
        (
            int(box.left * width),
            int(box.top * height),
            max(int(box.left * width) + 1, round(box.right * width)),
            max(int(box.top * height) + 1, round(box.bottom * height)),
        )
    )
    return crop.rotate(90, expand=True) if crop.height > _UPRIGHT_RATIO * crop.width else crop


def _to_input(image: Image.Image, mean: tuple[float, float, float], deviation: float) -> Array:
    """Return an RGB picture as the networks take it: (1, 3, height, width), blue first."""
    pixels = (np.asarray(image, np.float32)[..., ::-1] / 255 - mean) / deviation
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
