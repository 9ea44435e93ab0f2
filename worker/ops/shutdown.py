"""A process that is told to end does so in order, and in any case before it would be killed."""

import os
import threading
from typing import Final

import structlog

GRACE_S: Final = 25.0
"""Docker, Kubernetes and systemd kill after 30 s or more, as docker-compose.yml is set."""

log = structlog.get_logger()


def exit_after_grace_period(grace_s: float = GRACE_S) -> None:
    """What is not done by then is left as a killed process leaves it: others take it up when its leases lapse."""
    timer = threading.Timer(grace_s, _end, [grace_s])
    timer.daemon = True
    timer.start()


def _end(grace_s: float) -> None:
    log.error("process.ended_in_the_middle", grace_s=grace_s)
    os._exit(1)
