"""The second stage of a video: what is said, shown and heard in it becomes evidence of its moments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from indexer.enrich.assignment import MomentRange, assign_lines, assign_sounds
from indexer.enrich.recognition import Recognizers, recognize_sounds, recognize_speech, recognize_text
from indexer.enrich.shown_text import split_standing
from indexer.enrich.sources import KeptSources, SourceStore
from indexer.errors import CorruptFileError
from indexer.ports import ShareCallback, StageProgressCallback
from indexer.senses import Sense, SenseStatus
from indexer.stages import IndexStage
from indexer.store.moments import MomentStore
from indexer.store.records import VideoRecord
from indexer.store.videos import VideoStore
from indexer.types import Evidence

PutEvidence: TypeAlias = Callable[[str, Mapping[str, Evidence]], None]
"""Takes the id of a video, and the evidence of its moments by their ids. Stores it in every generation."""

_STAGES: Final = {
    Sense.SAID: IndexStage.LISTEN,
    Sense.SHOWN: IndexStage.READ,
    Sense.HEARD: IndexStage.TAG,
}


@dataclass(frozen=True)
class EnrichPipeline:
    """Recognizes one sense after the other. Each is stored at once, so that a killed job goes on with the next one."""

    recognizers: Recognizers
    sources: SourceStore
    moments: MomentStore
    videos: VideoStore
    put_evidence: PutEvidence

    def __call__(
        self, record: VideoRecord, sense: Sense, sources: KeptSources, folder: Path, progress: StageProgressCallback
    ) -> None:
        """Recognize one sense of a video, and store what was found and that it is done. Idempotent.

        `folder` is for temporary files. Raises `IndexerError`, and the errors of a recognizer that is missing.
        """
        stage = _STAGES[sense]
        progress(stage, 0.0)
        ranges = self._list_moments(record.video_id)
        if ranges:
            evidence = self._recognize(sense, sources, ranges, folder, lambda share: progress(stage, share))
            self.put_evidence(record.video_id, evidence)
        self.videos.record_sense(record.video_id, sense, SenseStatus.DONE)

    def _list_moments(self, video_id: str) -> list[MomentRange]:
        """Return the moments of a video in time order; none if it was removed."""
        stored = self.moments.of_video(video_id)
        ranges = [MomentRange(each.id, each.payload["start_s"], each.payload["end_s"]) for each in stored]
        return sorted(ranges, key=lambda each: each.start_s)

    def _recognize(
        self, sense: Sense, sources: KeptSources, moments: list[MomentRange], folder: Path, progress: ShareCallback
    ) -> dict[str, Evidence]:
        """Return the evidence of every moment, also of those without any: a repeated run replaces an earlier one."""
        duration_s = moments[-1].end_s
        match sense:
            case Sense.SAID:
                lines = sources.captions
                if not lines:
                    sound = self._read_sound(sources, folder)
                    lines = recognize_speech(self.recognizers.load_speech(), sound, duration_s, progress)
                said = assign_lines(lines, moments)
                return {moment.id: Evidence(said=said.get(moment.id, ())) for moment in moments}
            case Sense.SHOWN:
                read = recognize_text(self.recognizers.load_text(), self.sources.blobs, sources, duration_s, progress)
                passing, standing = split_standing(read)
                shown = assign_lines(passing, moments, standing)
                return {moment.id: Evidence(shown=shown.get(moment.id, ())) for moment in moments}
            case Sense.HEARD:
                sound = self._read_sound(sources, folder)
                tags = recognize_sounds(self.recognizers.load_sounds(), sound, duration_s, progress)
                heard = assign_sounds(tags, moments)
                return {moment.id: Evidence(heard=heard.get(moment.id, ())) for moment in moments}

    def _read_sound(self, sources: KeptSources, folder: Path) -> Path:
        try:
            return self.sources.read_sound(sources, folder)
        except KeyError as error:
            raise CorruptFileError(f"the kept sound is missing: {error}") from error
