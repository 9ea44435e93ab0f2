"""Lines of Hangul by Tesseract, a program that may be installed: PP-OCRv6 knows no Hangul."""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import structlog
from PIL import Image, ImageOps

log = structlog.get_logger()

Gray: TypeAlias = npt.NDArray[np.floating]

_TIMEOUT_S: Final = 5.0
_LANGUAGE: Final = "kor"
_HANGUL: Final = re.compile(r"[가-힣]")
_HEIGHT_PX, _MARGIN_PX = 56, 12
_CLEAR: Final = 0.85
"""Confidence from which the line is not read a second time."""
_OUTLINED_FROM: Final = 200
"""Brightness from which pixels are the letters of a bright subtitle with a dark outline."""
_MIN_SPACE: Final = 0.2
"""Gap between words in parts of the line's height. Tesseract splits Korean words into their syllables."""
_NOISE: Final = "'\"`|:;.,<>[](){}-_~* "


@dataclass(frozen=True)
class KoreanLine:
    """A line that Tesseract read, with its confidence from 0 to 1."""

    text: str
    confidence: float


@cache
def find_tesseract() -> str | None:
    """Return the path of Tesseract if it is installed with Korean, else None."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=_TIMEOUT_S)
    return program if _LANGUAGE in listed.stdout.split() else None


def read_korean_line(program: str, crop: Image.Image) -> KoreanLine | None:
    """Read a picture of one line. Returns None if there is no Hangul in it, or if the program takes too long."""
    best = None
    for picture in _prepare(crop):
        line = _run(program, picture)
        if line and (best is None or line.confidence > best.confidence):
            best = line
        if best and best.confidence >= _CLEAR:
            break
    return best


def _prepare(crop: Image.Image) -> Iterator[Image.Image]:
    """Yield the line as dark letters on a bright ground, and then only what is brightest in it, as dark letters."""
    width = max(1, round(crop.width * _HEIGHT_PX / crop.height))
    gray = np.asarray(crop.convert("L").resize((width, _HEIGHT_PX), Image.Resampling.BICUBIC), np.float32)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    middle = (float(gray.min()) + float(gray.max())) / 2
    yield _frame(gray if np.median(border) > middle else 255 - gray)
    yield _frame(255 * (1 - np.clip((gray - _OUTLINED_FROM) / (250 - _OUTLINED_FROM), 0, 1)))


def _frame(gray: Gray) -> Image.Image:
    fill = int(np.median(np.concatenate([gray[0], gray[-1]])))
    return ImageOps.expand(Image.fromarray(gray.astype(np.uint8)), _MARGIN_PX, fill)


def _run(program: str, picture: Image.Image) -> KoreanLine | None:
    png = io.BytesIO()
    picture.save(png, "PNG")
    try:
        done = subprocess.run(
            [program, "stdin", "stdout", "-l", _LANGUAGE, "--psm", "7", "tsv"],
            input=png.getvalue(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=_build_environment(),
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        log.warning("senses.tesseract_failed", error=str(error))
        return None
    return _parse(done.stdout.decode(errors="replace"))


def _build_environment() -> dict[str, str]:
    """Return what Tesseract needs of the environment, which may hold tokens."""
    kept = {name: os.environ[name] for name in ("PATH", "TESSDATA_PREFIX") if name in os.environ}
    return kept | {"OMP_THREAD_LIMIT": "1"}


def _parse(tsv: str) -> KoreanLine | None:
    """Return the line in Tesseract's TSV, with words joined if the gap between them is not a space."""
    header, *lines = [line.split("\t") for line in tsv.splitlines()] or [[]]
    words = [dict(zip(header, line, strict=False)) for line in lines]
    words = [word for word in words if word.get("text", "").strip(_NOISE)]
    text = _join(words).strip()
    if not _HANGUL.search(text):
        return None
    weights = [len(word["text"]) for word in words]
    confidences = [float(word["conf"]) / 100 for word in words]
    return KoreanLine(text, float(np.average(confidences, weights=weights)))


def _join(words: Sequence[dict[str, str]]) -> str:
    text, last_right = "", 0
    for word in words:
        left, right = int(word["left"]), int(word["left"]) + int(word["width"])
        if text and left - last_right > _MIN_SPACE * _HEIGHT_PX:
            text += " "
        text += word["text"].strip()
        last_right = right
    return text
