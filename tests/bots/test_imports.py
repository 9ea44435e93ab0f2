"""Tests of the modules that a frontend loads."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "qdrant_client", "qdrant_edge", "yt_dlp", "av", "onnxruntime", "openvino")
MODULES = (
    "bots.commands.search",
    "bots.cli.app",
    "bots.cli.core_commands",
    "bots.main",
    "bots.cli.demo",
    "bots.cli.console",
    "bots.discord.run",
    "bots.slack.run",
    "bots.web.page",
    "bots.web.serve",
    "bots.web.__main__",
)


@pytest.mark.parametrize("module", MODULES)
def test_frontend_modules_load_no_library_of_workers(module: str) -> None:
    """Importing a module prints nothing."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
