"""OpenVINO without its telemetry: its import alone tells Google Analytics of this machine."""

import sys

# What stands here as None can't be imported, and OpenVINO does without. It knows no setting that says so.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402  # after the line above
from openvino import opset15  # noqa: E402

__all__ = ["openvino", "opset15"]
