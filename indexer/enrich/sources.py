"""Sources of speech, sounds and text on the screen: kept in the blob store until the enrich job is done."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.blobs import BlobStore, video_prefix
from indexer.senses import Sense, SenseStatus
from indexer.types import Caption, SampledFrame

_MANIFEST: Final = "sources.json"
"""Written last: without it, the sources are incomplete."""
_SOUND: Final = "sound.flac"


@dataclass(frozen=True)
class SenseSources:
    """The sources of one video: captions of its site, a FLAC file of its sound, and larger frames for reading."""

    captions: tuple[Caption, ...] = ()
    sound: Path | None = None
    frames: tuple[SampledFrame, ...] = ()


@dataclass(frozen=True)
class KeptSources:
    """The sources of one video that are in the blob store. `frame_keys` has their keys by their second."""

    video_id: str
    captions: tuple[Caption, ...]
    has_sound: bool
    frame_keys: Mapping[float, str]


@dataclass(frozen=True)
class WantedSenses:
    """The senses that the settings want. Without `listens`, speech is known from captions only."""

    senses: frozenset[Sense] = frozenset(Sense)
    listens: bool = True

    def choose_statuses(self, sources: SenseSources | KeptSources) -> dict[Sense, SenseStatus]:
        """Return which of the wanted senses are to be recognized, and which the video has no source for."""
        has_frames = bool(sources.frames if isinstance(sources, SenseSources) else sources.frame_keys)
        has_sound = bool(sources.sound if isinstance(sources, SenseSources) else sources.has_sound)
        has_source = {
            Sense.SAID: bool(sources.captions) or (self.listens and has_sound),
            Sense.SHOWN: has_frames,
            Sense.HEARD: has_sound,
        }
        return {
            sense: SenseStatus.PENDING if has_source[sense] else SenseStatus.OFF
            for sense in Sense
            if sense in self.senses
        }


def sources_prefix(video_id: str) -> str:
    """Return the prefix of the kept sources of a video. What deletes the blobs of a video deletes them, too."""
    return f"{video_prefix(video_id)}senses/"


@dataclass(frozen=True)
class SourceStore:
    """Keeps the sources of videos in the blob store."""

    blobs: BlobStore

    def keep(self, video_id: str, sources: SenseSources) -> KeptSources:
        """Store the sources of a video in place of those there were."""
        prefix = sources_prefix(video_id)
        self.delete(video_id)
        if sources.sound:
            self.blobs.put(prefix + _SOUND, sources.sound.read_bytes())
        keys = {frame.at_s: f"{prefix}{round(1000 * frame.at_s)}.jpg" for frame in sources.frames}
        for frame in sources.frames:
            self.blobs.put(keys[frame.at_s], frame.path.read_bytes())
        kept = KeptSources(video_id, sources.captions, sources.sound is not None, keys)
        self.blobs.put(prefix + _MANIFEST, json.dumps(_to_json(kept)).encode())
        return kept

    def find(self, video_id: str) -> KeptSources | None:
        """Return the kept sources of a video, or None if there are none."""
        try:
            stored = json.loads(self.blobs.get(sources_prefix(video_id) + _MANIFEST))
        except KeyError:
            return None
        return KeptSources(
            video_id,
            tuple(Caption(*each) for each in stored["captions"]),
            stored["has_sound"],
            dict(stored["frames"]),
        )

    def read_sound(self, sources: KeptSources, folder: Path) -> Path:
        """Write the sound of a video into a file of `folder`, and return its path. Raises `KeyError` without one."""
        file = folder / _SOUND
        file.write_bytes(self.blobs.get(sources_prefix(sources.video_id) + _SOUND))
        return file

    def delete(self, video_id: str) -> None:
        """Delete the kept sources of a video."""
        # The manifest first: if the process is killed in between, no incomplete sources are found.
        self.blobs.delete(sources_prefix(video_id) + _MANIFEST)
        self.blobs.delete_prefix(sources_prefix(video_id))


def _to_json(sources: KeptSources) -> dict[str, Any]:
    captions: Iterable[Sequence[Any]] = ((each.start_s, each.end_s, each.text) for each in sources.captions)
    return {
        "captions": list(captions),
        "has_sound": sources.has_sound,
        "frames": list(sources.frame_keys.items()),
    }
