"""Tests of the libraries that a process loads at its start."""

import subprocess
import sys

MODEL_LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "onnxruntime",
    "openvino",
    "sklearn",
    "scipy",
    "pandas",
    "matplotlib",
)
WORKER_LIBRARIES = (*MODEL_LIBRARIES, "numpy", "qdrant_client", "qdrant_edge", "yt_dlp", "av")
FRONTENDS = (
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
WORKERS = ("worker.runtime.embedded", "worker.runtime.process")


def test_modules_load_no_library_that_they_may_not_need() -> None:
    """Frontends load no library of workers, and workers none of models before they load one. Imports print nothing."""
    code = f"""
import importlib, sys
for modules, libraries in (({FRONTENDS!r}, {WORKER_LIBRARIES!r}), ({WORKERS!r}, {MODEL_LIBRARIES!r})):
    for module in modules:
        importlib.import_module(module)
        print(module, [name for name in libraries if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.splitlines(), done.stderr) == ([f"{module} []" for module in (*FRONTENDS, *WORKERS)], "")
