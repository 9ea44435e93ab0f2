"""What a frontend may load."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "qdrant_client", "qdrant_edge", "yt_dlp", "av", "onnxruntime", "openvino")
MODULES = (
    "bots.commands.search",
    "bots.cli.app",
    "bots.cli.demo",
    "bots.cli.console",
    "bots.discord.run",
    "bots.slack.run",
    "bots.web.page",
    "bots.web.serve",
    "bots.web.__main__",
)


@pytest.mark.parametrize("module", MODULES)
def test_frontends_are_light(module: str) -> None:
    """A bot process never loads what only workers need, and importing a module says nothing."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
