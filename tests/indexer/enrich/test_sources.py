"""Sources of the senses in the blob store."""

from pathlib import Path

import pytest

from indexer.blobs import BlobStore, video_prefix
from indexer.enrich.sources import KeptSources, SenseSources, SourceStore, WantedSenses, sources_prefix
from indexer.senses import Sense, SenseStatus
from indexer.types import Caption, SampledFrame
from tests.support.indexer.fakes import video_id

VIDEO = video_id("talk")


@pytest.fixture
def store(tmp_path: Path) -> SourceStore:
    return SourceStore(BlobStore(str(tmp_path / "blobs")))


@pytest.fixture
def sources(tmp_path: Path) -> SenseSources:
    for name in ("sound.flac", "first.jpg", "second.jpg"):
        (tmp_path / name).write_text(name)
    frames = (SampledFrame(0.0, tmp_path / "first.jpg"), SampledFrame(2.5, tmp_path / "second.jpg"))
    return SenseSources((Caption(0, 2, "hello"),), tmp_path / "sound.flac", frames)


def test_sources_are_read_back(store: SourceStore, sources: SenseSources, tmp_path: Path) -> None:
    kept = store.keep(VIDEO, sources)
    assert store.find(VIDEO) == kept
    assert (kept.captions, kept.has_sound, list(kept.frame_keys)) == (sources.captions, True, [0.0, 2.5])
    assert store.blobs.get(kept.frame_keys[2.5]) == b"second.jpg"
    folder = tmp_path / "work"
    folder.mkdir()
    assert store.read_sound(kept, folder).read_text() == "sound.flac"


def test_new_sources_replace_the_ones_before(store: SourceStore, sources: SenseSources) -> None:
    store.keep(VIDEO, sources)
    store.keep(VIDEO, SenseSources())
    assert store.find(VIDEO) == KeptSources(VIDEO, (), False, {})
    assert store.blobs.list_names(sources_prefix(VIDEO)) == ["sources.json"]


def test_sources_are_deleted_alone_or_with_the_video(store: SourceStore, sources: SenseSources) -> None:
    store.blobs.put(f"{video_prefix(VIDEO)}0.jpg", b"thumbnail")
    store.keep(VIDEO, sources)
    store.delete(VIDEO)
    assert store.find(VIDEO) is None
    assert list(store.blobs.all_keys()) == [f"{video_prefix(VIDEO)}0.jpg"]
    store.keep(VIDEO, sources)
    store.blobs.delete_prefix(video_prefix(VIDEO))
    assert list(store.blobs.all_keys()) == []


def test_incomplete_sources_do_not_count(store: SourceStore, sources: SenseSources) -> None:
    """The process was killed while it kept them."""
    store.keep(VIDEO, sources)
    store.blobs.delete(f"{sources_prefix(VIDEO)}sources.json")
    assert store.find(VIDEO) is None


PENDING, OFF = SenseStatus.PENDING, SenseStatus.OFF


@pytest.mark.parametrize(
    ("wanted", "captions", "has_sound", "has_frames", "statuses"),
    [
        (WantedSenses(), False, True, True, {Sense.SAID: PENDING, Sense.SHOWN: PENDING, Sense.HEARD: PENDING}),
        (WantedSenses(), False, False, True, {Sense.SAID: OFF, Sense.SHOWN: PENDING, Sense.HEARD: OFF}),
        (WantedSenses(), True, False, False, {Sense.SAID: PENDING, Sense.SHOWN: OFF, Sense.HEARD: OFF}),
        (WantedSenses(frozenset({Sense.SAID}), listens=False), False, True, True, {Sense.SAID: OFF}),
        (WantedSenses(frozenset({Sense.SAID}), listens=False), True, True, True, {Sense.SAID: PENDING}),
        (WantedSenses(frozenset()), True, True, True, {}),
    ],
)
def test_wanted_senses_with_a_source_are_pending(
    wanted: WantedSenses, captions: bool, has_sound: bool, has_frames: bool, statuses: dict[Sense, SenseStatus]
) -> None:
    """A sense that the settings exclude has no status, so that it is made up for once they want it."""
    kept = KeptSources(
        VIDEO, (Caption(0, 1, "hello"),) if captions else (), has_sound, {0.0: "key"} if has_frames else {}
    )
    assert wanted.choose_statuses(kept) == statuses
