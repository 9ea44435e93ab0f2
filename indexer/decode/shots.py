"""Shot detection: finds hard cuts while the frames of a video are decoded.

Measured on 308 s of 103 real clips joined with hard cuts (640×360, h264, 102 known cuts). Each detector got
the frames that the decoder produces anyway, subsampled to about 64×36. Cost is CPU time on top of decoding,
on a busy machine:

    detector                                found   not at a join   cost
    this one                                97 %      9             +20 %
    PySceneDetect 0.7.2 AdaptiveDetector    95 %     21             +30 %
    PySceneDetect 0.7.2 ContentDetector     95 %     16             +30 %

Some of the cuts that are not at a join are true cuts inside a clip. PySceneDetect costs more, finds fewer
cuts, and needs OpenCV (61 MB). All three look for hard cuts only and ignore slow fades.
"""

from collections import deque

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

MIN_CUT_DISTANCE_S = 0.5

_COLUMNS, _ROWS = 64, 36
_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
_MIN_STEP_S = 0.03
_NEIGHBOURS = 2
_MIN_CHANGE = 5.0
"""Minimum mean distance of brightness and colours at a cut, in levels of 256."""
_MIN_RATIO_TO_NEIGHBOURS = 3.0
"""Minimum ratio of the change at a cut to the mean change around it. A pan or a flicker changes all frames
alike.
"""


class ShotDetector:
    """Detector of hard cuts: a frame that differs from the previous one far more than its neighbours do.

    The measure is the earth mover's distance between colour histograms. Unlike a count of pixels that changed
    their bin, it stays small if compression shifts a plain surface by one level.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._previous: npt.NDArray[np.float64] | None = None
        self._changes: deque[tuple[float, float]] = deque(maxlen=2 * _NEIGHBOURS + 1)
        self._shot_start_s = 0.0
        self._next_s = 0.0

    def add_frame(self, frame: VideoFrame, at_s: float) -> float | None:
        """Add the next frame in time order.

        Returns the second of a cut, `_NEIGHBOURS` comparisons after it passed.
        """
        if at_s < self._next_s:
            return None
        self._next_s = at_s + _MIN_STEP_S
        colours = self._compute_histograms(frame)
        change = 0.0 if self._previous is None else float(np.abs(colours - self._previous).sum(axis=1).mean())
        self._previous = colours
        self._changes.append((at_s, change))
        if len(self._changes) < 2 * _NEIGHBOURS + 1:
            return None
        cut_s, peak = self._changes[_NEIGHBOURS]
        around = (sum(change for _, change in self._changes) - peak) / (2 * _NEIGHBOURS)
        is_too_close = cut_s - self._shot_start_s < MIN_CUT_DISTANCE_S
        if peak < max(_MIN_CHANGE, _MIN_RATIO_TO_NEIGHBOURS * around) or is_too_close:
            return None
        self._shot_start_s = cut_s
        return cut_s

    def _compute_histograms(self, frame: VideoFrame) -> npt.NDArray[np.float64]:
        """Return cumulative histograms of brightness and both colour channels, of shape (3, 256).

        Subsamples the decoder's own planes; scaling them down first costs twice as much.
        """
        if frame.format.name not in _PLANAR:
            frame = self._reformatter.reformat(frame, _COLUMNS, _ROWS, "yuv420p", interpolation="POINT")
        samples = map(_subsample, frame.planes)
        return np.cumsum([np.bincount(sample, minlength=256) / sample.size for sample in samples], axis=1)


def _subsample(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return pixels[:: max(1, plane.height // _ROWS), : plane.width : max(1, plane.width // _COLUMNS)].ravel()
