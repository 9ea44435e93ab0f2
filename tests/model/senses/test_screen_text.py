"""PP-OCRv6 and Tesseract on their real parts: drawn text, a picture without text, Hangul."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.packages import default_artifacts_dir
from model.ports import Picture
from model.senses.parts import OCR
from model.senses.screen_text import Array, Network, ScreenTextReader, TextNetworks
from model.senses.tesseract import find_tesseract, read_korean_line

pytestmark = pytest.mark.integration

FONTS = [
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    *Path("/usr/share/fonts").rglob("NotoSansCJK*"),
]
FONT = next((font for font in FONTS if font.exists()), None)


@pytest.fixture(scope="module")
def networks() -> TextNetworks:
    if not OCR.is_complete(default_artifacts_dir()):
        pytest.skip("PP-OCRv6 was not fetched")
    return TextNetworks.load(OCR.find(default_artifacts_dir()))


@pytest.fixture(scope="module")
def reader(networks: TextNetworks) -> ScreenTextReader:
    return ScreenTextReader(networks)


@dataclass
class RecordingNetwork:
    """A network that records the widths and heights of its pictures."""

    run: Network
    sizes: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, pictures: Array) -> Array:
        self.sizes.append(pictures.shape[:1:-1])
        return self.run(pictures)


def draw(*lines: str, font: Path | None = None, size: int = 36) -> Image.Image:
    picture = Image.new("RGB", (640, 360), "#dfe6ea")
    face = ImageFont.truetype(str(font), size) if font else ImageFont.load_default(size)
    for row, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 70 * row), line, fill="#203040", font=face)
    return picture


def to_array(picture: Image.Image) -> Picture:
    return np.asarray(picture)


def test_lines_are_read_in_order_with_their_boxes(reader: ScreenTextReader) -> None:
    lines = reader.read(to_array(draw("Chapter one", "Room 204, Thursday")))
    assert [line.text for line in lines] == ["Chapter one", "Room 204, Thursday"]
    assert all(line.confidence > 0.9 for line in lines)
    left, top, right, bottom = lines[1].box
    assert 0.03 < left < 0.1 < right < 0.8
    assert 110 / 360 - 0.05 < top < bottom < 160 / 360 + 0.05


def test_picture_without_text_has_no_lines(networks: TextNetworks) -> None:
    """Only the small picture is looked at."""
    detect = RecordingNetwork(networks.detect)
    reader = ScreenTextReader(replace(networks, detect=detect))
    assert reader.read(np.full((360, 640, 3), 200, np.uint8)) == []
    assert detect.sizes == [(256, 128)]


def test_line_that_stays_is_read_once(networks: TextNetworks) -> None:
    """Also over slight noise. Another digit at the same place is another line."""
    recognize = RecordingNetwork(networks.recognize)
    reader = ScreenTextReader(replace(networks, recognize=recognize))
    first = to_array(draw("Score: 3 to 5")).astype(np.int16)
    noise = np.random.default_rng(0).integers(-3, 4, first.shape)
    for picture in (first, first + noise):
        [line] = reader.read(np.clip(picture, 0, 255).astype(np.uint8))
        assert line.text == "Score: 3 to 5"
    assert len(recognize.sizes) == 1
    [line] = reader.read(to_array(draw("Score: 3 to 6")))
    assert line.text == "Score: 3 to 6"


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (640, 40, 3)])
def test_picture_of_any_shape_is_read(reader: ScreenTextReader, shape: tuple[int, int, int]) -> None:
    assert reader.read(np.zeros(shape, np.uint8)) == []


@pytest.fixture
def tesseract() -> str:
    program = find_tesseract()
    if program is None or FONT is None:
        pytest.skip("Tesseract with Korean, or a font with Hangul, is not installed")
    return program


def test_hangul_is_read_by_tesseract(reader: ScreenTextReader, tesseract: str) -> None:
    lines = reader.read(to_array(draw("도서관 앞에서 만나요", font=FONT)))
    assert [line.text for line in lines] == ["도서관 앞에서 만나요"]


def test_chinese_text_is_read(reader: ScreenTextReader, tesseract: str) -> None:
    lines = reader.read(to_array(draw("采购食品杂货", font=FONT)))
    assert [line.text for line in lines] == ["采购食品杂货"]


def test_line_without_hangul_is_none(tesseract: str) -> None:
    assert read_korean_line(tesseract, draw("12:45", size=40).crop((30, 30, 200, 100))) is None


def test_missing_tesseract_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_tesseract.__wrapped__() is None
