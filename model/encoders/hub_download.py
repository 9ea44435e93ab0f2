"""Child process that downloads the files of a hub model: `python -m model.encoders.hub_download`.

`model.encoders.hub` starts it, because the hub's library cannot end a download before its files are complete. This
process can be ended at any time by SIGTERM, or with the process that started it, and leaves no incomplete files.
Complete files stay. It reads one request, the arguments of `snapshot_download`, as JSON from stdin, and writes lines of
JSON to stdout: `{"done": BYTES, "total": BYTES}` twice a second, and at last `{"folder": PATH}` or `{"error": TEXT}`.
"""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

import psutil
from httpx2 import HTTPError
from huggingface_hub import snapshot_download
from tqdm.auto import tqdm

REPORT_EVERY_S: Final = 0.5
_INCOMPLETE: Final = ".incomplete"
"""Suffix of the hub library's files while it writes them."""


class _ByteCounter(tqdm):  # type: ignore[misc]  # tqdm is untyped
    """Progress bar that counts bytes and is not drawn."""

    counters: ClassVar[list["_ByteCounter"]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A disabled bar would not count.
        super().__init__(*args, **{**kwargs, "disable": False, "file": StringIO()})
        if kwargs.get("unit") == "B":
            self.counters.append(self)


def main() -> None:
    """Download what the request names. The main thread only waits, so that it handles signals at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _exit())
    request: dict[str, Any] = json.load(sys.stdin)
    download = ThreadPoolExecutor(1).submit(lambda: snapshot_download(**request, tqdm_class=_ByteCounter))
    while not wait([download], REPORT_EVERY_S).done:
        counters = list(_ByteCounter.counters)
        _report(
            done=max((round(each.n) for each in counters), default=0),
            total=max((round(each.total or 0) for each in counters), default=0),
        )
    try:
        _report(folder=download.result())
    except (OSError, HTTPError) as error:
        _report(error=str(error).partition("\n")[0])


def _report(**message: object) -> None:
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:  # the process that started this one is gone
        _exit()


def _exit() -> NoReturn:
    """End the process without waiting for its threads, and remove the files that they have not completed."""
    for file in psutil.Process().open_files():
        if file.path.endswith(_INCOMPLETE):
            Path(file.path).unlink()
    os._exit(1)


if __name__ == "__main__":
    main()
