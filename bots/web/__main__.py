"""The page's own process: `python -m bots.web HOST PORT`. It ends with the process that started it."""

import os
import signal
import sys
import threading
from pathlib import Path

from streamlit.web import cli

OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
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
    host, port = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    options = OPTIONS | {"server.address": host, "server.port": port}
    page = Path(__file__).with_name("page.py")
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in options.items())])


def _end_with_parent() -> None:
    """The parent holds the other end of our input; when it is gone, however it went, the input ends."""
    # Not through `sys.stdin`: its lock would be held while the interpreter ends.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
