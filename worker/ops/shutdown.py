"""Graceful shutdown, with a hard exit before the supervisor kills the process."""

import os
import threading
from typing import Final

import structlog

GRACE_PERIOD_S: Final = 25.0
"""Docker (as set in docker-compose.yml), Kubernetes and systemd kill a process after 30 s or more."""

log = structlog.get_logger()


def exit_after_grace_period() -> None:
    """End the process in `GRACE_PERIOD_S` seconds if it has not ended by itself.

    Unfinished work is left as a killed process leaves it: other processes take it over when its leases expire.
    """
    timer = threading.Timer(GRACE_PERIOD_S, _exit)
    timer.daemon = True
    timer.start()


def _exit() -> None:
    log.error("shutdown.grace_period_exceeded", grace_period_s=GRACE_PERIOD_S)
    os._exit(1)
