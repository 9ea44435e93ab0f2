"""OpenVINO without its telemetry, which would report the import to Google Analytics."""

import sys

# A module that is None here cannot be imported, and OpenVINO works without it. OpenVINO has no setting for
# this.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402  # after the line above
from openvino import opset15  # noqa: E402

__all__ = ["openvino", "opset15"]
