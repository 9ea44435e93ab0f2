"""From the kept sources of a video to the evidence of its moments."""

import io
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from indexer.blobs import BlobStore
from indexer.enrich.pipeline import EnrichPipeline
from indexer.enrich.recognition import recognize_speech
from indexer.enrich.sources import SenseSources, SourceStore
from indexer.errors import CorruptFileError
from indexer.ingest.evidence import put_evidence
from indexer.senses import Sense, SenseStatus
from indexer.stages import IndexStage
from indexer.store.records import VideoRecord
from indexer.store.stores import Stores
from indexer.types import SAMPLE_RATE_HZ, Caption, SampledFrame, TimedWord
from tests.support.indexer.fake_recognizers import FakeSpeechRecognizer, make_fake_recognizers
from tests.support.indexer.fakes import FakeEncoder, index_video, search_library

SPACE = "discord:1"


def write_sound(path: Path, loud_seconds: Sequence[int], seconds: int) -> Path:
    """Write a sound file that is loud in these seconds and silent in the others."""
    samples = np.zeros(seconds * SAMPLE_RATE_HZ, np.int16)
    for second in loud_seconds:
        samples[second * SAMPLE_RATE_HZ : (second + 1) * SAMPLE_RATE_HZ : 2] = 20_000
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def write_frame(path: Path, colour: str) -> Path:
    data = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(data, "JPEG")
    path.write_bytes(data.getvalue())
    return path


@pytest.fixture
def record(stores: Stores) -> VideoRecord:
    """Index a video of three moments, 15 seconds in all."""
    video = index_video(stores, SPACE, "bread", "a", "b", "c")
    found = stores.videos.get(video.id)
    assert found is not None
    return found


@pytest.fixture
def sources(tmp_path: Path) -> SenseSources:
    sound = write_sound(tmp_path / "sound.flac", [6], 15)
    frames = [
        SampledFrame(at_s, write_frame(tmp_path / f"{at_s:g}.jpg", colour))
        for at_s, colour in ((0.0, "blue"), (11.0, "red"), (13.0, "red"))
    ]
    return SenseSources((), sound, tuple(frames))


def enrich(stores: Stores, record: VideoRecord, sense: Sense, sources: SenseSources, folder: Path) -> list[IndexStage]:
    """Recognize one sense, and return the stages that were reported."""
    kept = SourceStore(BlobStore(str(folder / "blobs")))
    stages: list[IndexStage] = []
    pipeline = EnrichPipeline(
        make_fake_recognizers(),
        kept,
        stores.moments,
        stores.videos,
        lambda video_id, evidence: put_evidence(stores.enrichment, FakeEncoder(), evidence),
    )
    pipeline(record, sense, kept.keep(record.video_id, sources), folder, lambda stage, share: stages.append(stage))
    return stages


def read_evidence(stores: Stores, record: VideoRecord, sense: Sense) -> list[list[str]]:
    """Return the names or texts of a sense in each moment."""
    moments = sorted(stores.moments.of_video(record.video_id), key=lambda moment: float(moment.payload["start_s"]))
    return [[each.get("text") or each["name"] for each in moment.payload[sense]] for moment in moments]


def status_of(stores: Stores, record: VideoRecord) -> dict[Sense, SenseStatus]:
    found = stores.videos.get(record.video_id)
    assert found is not None
    return found.senses


@pytest.mark.parametrize(
    ("sense", "stage", "found"),
    [
        (Sense.SAID, IndexStage.LISTEN, [[], ["knead the dough"], []]),
        (Sense.SHOWN, IndexStage.READ, [[], [], ["SALE TODAY"]]),
        (Sense.HEARD, IndexStage.TAG, [[], ["Applause"], []]),
    ],
)
def test_sense_becomes_evidence_of_the_moments(
    stores: Stores,
    record: VideoRecord,
    sources: SenseSources,
    tmp_path: Path,
    sense: Sense,
    stage: IndexStage,
    found: list[list[str]],
) -> None:
    """It is stored at once, and recorded as done. A repeated run changes nothing."""
    for _ in range(2):
        assert set(enrich(stores, record, sense, sources, tmp_path)) == {stage}
        assert read_evidence(stores, record, sense) == found
        assert status_of(stores, record) == {sense: SenseStatus.DONE}


def test_captions_of_the_site_come_before_listening(
    stores: Stores, record: VideoRecord, sources: SenseSources, tmp_path: Path
) -> None:
    captions = (Caption(0, 2, "preheat the oven"),)
    enrich(stores, record, Sense.SAID, SenseSources(captions, sources.sound), tmp_path)
    assert read_evidence(stores, record, Sense.SAID) == [["preheat the oven"], [], []]
    [hit] = search_library(stores, SPACE, "preheat the oven").hits
    assert (hit.video_id, hit.start_s) == (record.video_id, 0)


def test_new_run_replaces_what_was_recognized_before(
    stores: Stores, record: VideoRecord, sources: SenseSources, tmp_path: Path
) -> None:
    enrich(stores, record, Sense.SAID, sources, tmp_path)
    silent = SenseSources((), write_sound(tmp_path / "silence.flac", [], 15))
    enrich(stores, record, Sense.SAID, silent, tmp_path)
    assert read_evidence(stores, record, Sense.SAID) == [[], [], []]


def test_words_of_a_long_sound_have_their_own_seconds(tmp_path: Path) -> None:
    """The sound is recognized window by window."""
    sound = write_sound(tmp_path / "long.flac", [2, 320], 340)
    shares: list[float] = []
    first, *others = recognize_speech(FakeSpeechRecognizer(), sound, 340, shares.append)
    assert first == Caption(2, 3, "knead the dough", (TimedWord(2, "knead"), TimedWord(2.5, " the dough")))
    assert others
    assert all(abs(line.start_s - 320) <= 1 for line in others)
    assert shares == sorted(shares)
    assert len(shares) == 2


@pytest.mark.parametrize("sense", [Sense.SAID, Sense.HEARD])
def test_damaged_sound_raises_an_error_and_records_nothing(
    stores: Stores, record: VideoRecord, tmp_path: Path, sense: Sense
) -> None:
    """Nothing is recorded then."""
    (tmp_path / "damaged.flac").write_bytes(b"fLaC nonsense")
    with pytest.raises(CorruptFileError):
        enrich(stores, record, sense, SenseSources((), tmp_path / "damaged.flac"), tmp_path)
    assert status_of(stores, record) == {}


def test_video_that_was_removed_is_not_recognized(
    stores: Stores, record: VideoRecord, sources: SenseSources, tmp_path: Path
) -> None:
    stores.publisher.delete_moments(record.video_id)
    stores.videos.delete(record.video_id)
    enrich(stores, record, Sense.SAID, sources, tmp_path)
    assert stores.videos.get(record.video_id) is None
    assert stores.moments.of_video(record.video_id) == []
