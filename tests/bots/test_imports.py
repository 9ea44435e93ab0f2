"""Tests of the modules that a frontend loads."""

import subprocess
import sys

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


def test_frontend_modules_load_no_library_of_workers() -> None:
    """Importing a module prints nothing."""
    code = f"""
import importlib, sys
for module in {MODULES!r}:
    importlib.import_module(module)
    print(module, [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.splitlines(), done.stderr) == ([f"{module} []" for module in MODULES], "")
