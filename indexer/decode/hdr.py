"""Tone mapping of HDR video (PQ, HLG, BT.2020) to what an ordinary screen (BT.709, sRGB) shows.

Curves of SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG, with the system gamma of ITU-R BT.2100); a diffuse white is 203 nits
(ITU-R BT.2408). Brighter light is compressed by the Mobius curve, on the largest channel, so that hues stay.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorPrimaries, ColorTrc

_Floats = npt.NDArray[np.float32]

_WHITE_NITS: Final = 203.0
_PEAK_NITS: Final = 1000.0
_KNEE: Final = 0.3
"""Light, in parts of white, from which the curve bends."""
_SYSTEM_GAMMA: Final = 1.2
_SDR_GAMMA: Final = 2.4

_TO_BT709: Final = {
    int(ColorPrimaries.BT2020): np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
    ),
    int(ColorPrimaries.SMPTE432): np.array(
        [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]], np.float32
    ),
}
"""Conversion of light in BT.2020 and in Display P3 to BT.709."""
_BT2020_LUMA: Final = np.array([0.2627, 0.6780, 0.0593], np.float32)


class ColourCode(NamedTuple):
    """Primaries and transfer characteristics of a picture, by the numbers of ITU-T H.273."""

    primaries: int
    transfer: int

    @property
    def is_wide(self) -> bool:
        """Whether a picture may have more light or colours than an ordinary screen."""
        return self.transfer in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67) or self.primaries in _TO_BT709


def map_to_sdr(pixels: npt.NDArray[np.uint16], code: ColourCode) -> npt.NDArray[np.uint8]:
    """Return the RGB pixels (height, width, 3) of a picture, 16 bits each, as sRGB of 8 bits."""
    primaries, trc = code
    light = _decode_table(trc)[pixels]
    if trc == ColorTrc.ARIB_STD_B67:
        light *= np.maximum(light @ _BT2020_LUMA, 1e-6)[..., None] ** (_SYSTEM_GAMMA - 1) * (_PEAK_NITS / _WHITE_NITS)
    is_hdr = trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
    matrix = _TO_BT709.get(primaries, _TO_BT709[int(ColorPrimaries.BT2020)] if is_hdr else None)
    if matrix is not None:
        light = np.maximum(light @ matrix.T, 0.0)
    signal = _encode_srgb(_compress(light)) if is_hdr else np.minimum(light, 1.0) ** (1 / _SDR_GAMMA)
    return (signal * 255 + 0.5).astype(np.uint8)


@cache
def _decode_table(trc: int) -> _Floats:
    """Return the light of each 16-bit value: in parts of white, or of the peak for HLG."""
    signal = np.arange(65536, dtype=np.float32) / 65535
    if trc == ColorTrc.SMPTE2084:
        power = signal ** (32 / 2523)
        nits = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (8192 / 1305)
        return (np.minimum(nits, _PEAK_NITS) / _WHITE_NITS).astype(np.float32)
    if trc == ColorTrc.ARIB_STD_B67:
        bright = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
        return np.where(signal <= 0.5, signal**2 / 3, bright).astype(np.float32)
    return (signal**_SDR_GAMMA).astype(np.float32)


def _compress(light: _Floats) -> _Floats:
    """Map light of up to the peak to 0 to 1, by the Mobius curve: linear up to the knee."""
    peak = _PEAK_NITS / _WHITE_NITS
    a = -(_KNEE**2) * (peak - 1) / (_KNEE**2 - 2 * _KNEE + peak)
    b = (_KNEE**2 - 2 * _KNEE * peak + peak) / (peak - 1)
    largest = light.max(axis=-1, keepdims=True)
    curved = (b * b + 2 * b * _KNEE + _KNEE**2) / (b - a) * (largest + a) / (largest + b)
    mapped = np.where(largest > _KNEE, curved, largest)
    scaled: _Floats = light * (mapped / np.maximum(largest, 1e-6))
    return scaled


def _encode_srgb(light: _Floats) -> _Floats:
    light = np.clip(light, 1e-6, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
