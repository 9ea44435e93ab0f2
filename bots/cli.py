"""The command line `reelseek`."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text as Line

from bots import core
from bots import reply as r
from bots.client import Client
from bots.terminal import Terminal
from bots.words import Text, say
from worker.messages import Asker
from worker.settings import Settings

ASKER: Final = Asker(space="local:me", person="cli")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=say(Text.TAGLINE))
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
