"""The process of the page: `python -m bots.web HOST PORT`. It ends when the process that started it ends."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from streamlit.web import cli

OPTIONS: Final = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.maxUploadSize": "8",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "logger.level": "error",
    "theme.light.primaryColor": "#3d5afe",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f5f6fa",
    "theme.light.textColor": "#1c2030",
    "theme.light.borderColor": "#e3e6ef",
    "theme.dark.primaryColor": "#5c6cff",
    "theme.dark.backgroundColor": "#12141c",
    "theme.dark.secondaryBackgroundColor": "#1b1e29",
    "theme.dark.textColor": "#e8eaf2",
    "theme.dark.borderColor": "#2c3040",
    "theme.baseRadius": "0.75rem",
}


def main() -> None:
    """Run the page until this process is stopped."""
    host, port = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    options = OPTIONS | {"server.address": host, "server.port": port}
    page = Path(__file__).with_name("page.py")
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in options.items())])


def _end_with_parent() -> None:
    """Stop this process when stdin is closed, which happens when the parent ends in any way."""
    # `sys.stdin` would hold its lock while the interpreter shuts down.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
