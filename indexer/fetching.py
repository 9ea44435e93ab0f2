"""Fetches one link inside a child process: `python -m indexer.fetching`, started by `indexer.fetch`.

Everything a site sends is hostile. Each connection this process makes is checked by the guard, nothing may be started
but the JavaScript runtime that yt-dlp solves a site's riddles with (it runs without access to network or files), and
yt-dlp never hands a download to another program.
"""

import io
import itertools
import json
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import astuple
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

# curl_cffi connects in native code, where the guard does not see it. Marked as missing, yt-dlp does without.
sys.modules["curl_cffi"] = None  # type: ignore[assignment]

import yt_dlp  # noqa: E402 - after the line above, on purpose
from PIL import Image, UnidentifiedImageError  # noqa: E402
from yt_dlp.networking.exceptions import RequestError  # noqa: E402
from yt_dlp.utils import YoutubeDLError  # noqa: E402

from indexer.child import Share, serve  # noqa: E402
from indexer.errors import (  # noqa: E402
    Blocked,
    IndexerError,
    LiveStream,
    NoPictures,
    NoVideo,
    PlaylistRefused,
    Private,
    TooLarge,
    TooLong,
)
from indexer.failures import meaning, meaning_of_words  # noqa: E402
from indexer.guard import Guard, install_guard  # noqa: E402
from indexer.speech import MAX_SPEECH_BYTES, captions, pick_track  # noqa: E402
