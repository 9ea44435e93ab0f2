"""Training data of a retrain: texts of videos with pictures of their moments, and votes on hits."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import structlog

from indexer.atomic_write import write_atomically
from indexer.blobs import BlobStore
from indexer.errors import CorruptFileError
from indexer.generation_id import GenerationId
from indexer.images import read_frame
from indexer.ports import Encoder
from indexer.store.enrichment import read_evidence
from indexer.store.moments import MomentStore
from indexer.store.records import VoteRecord
from indexer.store.stores import Stores
from indexer.types import Vector
from indexer.vectors.vector_store import StoredPoint
from worker.protocol.models import TrainingDataSummary

if TYPE_CHECKING:
    from model.data.pairs import Pair, PairKind

MIN_PAIRS: Final = 100
MIN_HELD_OUT_VIDEOS: Final = 6
"""With fewer held-out videos no adapter can be judged (`model.evaluation.promotion`). About one
video of ten is held out.
"""
MAX_MOMENTS_PER_VIDEO: Final = 8
"""Title and description describe the whole video, so they are paired with no more than this number of its moments."""

_PREVIEWED: Final = 200
"""Number of examples by which a preview estimates how many are unrelated to their picture."""
_TEXT_BATCH: Final = 64
_MAX_BAG: Final = 3
"""Number of moments that speech may be about."""

log = structlog.get_logger()

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")


@dataclass(frozen=True)
class TrainingExample:
    """A text and the pictures of a moment as blob keys; `model.data.pairs.Pair` has the same as files."""

    text: str
    pictures: tuple[str, ...]
    video_id: str
    kind: "PairKind"
    """Source of the text: `title`, `description`, `chapter`, `speech` or `vote`."""
    user_id: str
    hard_negatives: tuple[tuple[str, ...], ...] = ()
    """Pictures of moments that were voted down for the same text."""
    moment_id: str = ""
    """Empty for a vote."""
    near: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Ids and pictures of the moments before and after, which speech may be about."""

    @property
    def bag(self) -> list[tuple[str, tuple[str, ...]]]:
        """The moments that the text may be about, its own first, with their pictures."""
        return [(self.moment_id, self.pictures), *self.near]


def collect_examples(stores: Stores, space: str | None) -> list[TrainingExample]:
    """Collect the examples of a space, or of all spaces (None), without uninformative texts."""
    from model.data.cleaning import is_informative

    submitters = stores.submissions.map_submitters(space)
    moments = {video_id: stores.moments.of_video(video_id) for video_id in sorted(submitters)}
    examples = [
        *(example for video_id, own in moments.items() for example in _make_text_examples(own, submitters[video_id])),
        *_make_vote_examples(stores.spaces.list_votes(space), moments),
    ]
    return [example for example in examples if is_informative(example.text)]


def align_examples(
    moments: MomentStore,
    encoder: Encoder,
    examples: Sequence[TrainingExample],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[TrainingExample]:
    """Return the examples without those to train on whose text says nothing of its moment, by the present model.

    Speech gets the moment that it fits best: its own, the one before, or the one after. Held-out examples stay as they
    are: they have to judge both models. `progress` gets the number of texts that are encoded, and of all.
    """
    from model.data.alignment import SCORED_KINDS, align_pairs
    from model.data.pairs import assign_split

    ids = list(dict.fromkeys(id for each in examples for id, _ in each.bag if id))
    vectors = moments.read_vectors(GenerationId.parse(encoder.generation), ids, "frame")
    scored = {
        number: [place for place in each.bag if place[0] in vectors]
        for number, each in enumerate(examples)
        if each.kind in SCORED_KINDS and each.moment_id in vectors and assign_split(each.video_id) == "train"
    }
    if not scored:
        return list(examples)
    texts = _encode_texts(encoder, [examples[number].text for number in scored], progress)
    bags = [bag + bag[:1] * (_MAX_BAG - len(bag)) for bag in scored.values()]
    alignment = align_pairs(
        np.stack([texts[examples[number].text] for number in scored]),
        np.stack([[vectors[id] for id, _ in bag] for bag in bags]),
        [examples[number].video_id for number in scored],
        [examples[number].kind for number in scored],
    )
    aligned = dict(enumerate(examples))
    for number, bag, is_unrelated, best in zip(scored, bags, alignment.is_unrelated, alignment.best, strict=True):
        id, pictures = bag[best]
        aligned[number] = replace(examples[number], moment_id=id, pictures=pictures)
        if is_unrelated:
            del aligned[number]
    return list(aligned.values())


def _encode_texts(encoder: Encoder, texts: Sequence[str], progress: Callable[[int, int], None]) -> dict[str, Vector]:
    """Return the vector of each distinct text in the space of the frames."""
    distinct, vectors = list(dict.fromkeys(texts)), []
    for start in range(0, len(distinct), _TEXT_BATCH):
        progress(start, len(distinct))
        vectors += [each.frame for each in encoder.encode_texts(distinct[start : start + _TEXT_BATCH])]
    return dict(zip(distinct, vectors, strict=True))


def estimate_unrelated(moments: MomentStore, encoder: Encoder, examples: Sequence[TrainingExample]) -> int:
    """Return about how many examples `align_examples` leaves out. It looks at a part of them, to take only seconds."""
    from model.ports import sample_evenly

    some = sample_evenly(examples, _PREVIEWED) if len(examples) > _PREVIEWED else list(examples)
    left_out = len(some) - len(align_examples(moments, encoder, some))
    return round(left_out * len(examples) / max(1, len(some)))


def summarize(examples: Sequence[TrainingExample], unrelated: int = 0) -> TrainingDataSummary:
    """Count the examples, and how many more pairs a retrain needs if `unrelated` of them are left out."""
    from model.data.pairs import assign_split

    videos = {example.video_id for example in examples}
    held_out = sum(assign_split(video_id) == "test" for video_id in videos)
    return TrainingDataSummary(
        pairs=len(examples),
        videos=len(videos),
        users=len({example.user_id for example in examples}),
        pairs_by_kind=Counter(example.kind for example in examples),
        missing_pairs=max(MIN_PAIRS - len(examples) + unrelated, 10 * (MIN_HELD_OUT_VIDEOS - held_out), 0),
        unrelated=unrelated,
    )


def has_gathered_examples(folder: Path) -> bool:
    """Return whether `gather_examples` has succeeded in `folder`."""
    return _examples_file(folder).exists()


def gather_examples(
    stores: Stores,
    blobs: BlobStore,
    encoder: Encoder,
    space: str | None,
    folder: Path,
    progress: Callable[[int, int], None],
) -> bool:
    """Collect the examples of a retrain in `folder`, with their pictures. Returns False if there are too few.

    Those that say nothing of their picture to the present model are left out. This is done once per retrain: a job that
    another worker continues must train on the same examples. `progress` gets the steps that are done, and all.
    """
    examples = collect_examples(stores, space)
    if summarize(examples).missing_pairs:
        return False
    aligned = align_examples(stores.moments, encoder, examples, progress)
    unrelated = len(examples) - len(aligned)
    log.info("retrain.gathered", pairs=len(examples), unrelated=unrelated)
    if summarize(examples, unrelated).missing_pairs:
        return False
    examples = [replace(each, near=()) for each in aligned]
    examples = list(_download_pictures(blobs, examples, _picture_dir(folder)))
    write_atomically(_examples_file(folder), json.dumps([asdict(example) for example in examples]).encode())
    return True


def load_pairs(folder: Path) -> "list[Pair]":
    """Return the gathered examples as cleaned pairs."""
    from model.data.cleaning import clean_pairs

    stored = json.loads(_examples_file(folder).read_text(encoding="utf-8"))
    return list(clean_pairs([_to_pair(TrainingExample(**fields), _picture_dir(folder)) for fields in stored]).pairs)


def _examples_file(folder: Path) -> Path:
    return folder / "examples.json"


def _picture_dir(folder: Path) -> Path:
    return folder / "pictures"


def _to_pair(example: TrainingExample, picture_dir: Path) -> "Pair":
    from model.data.pairs import Pair

    return Pair(
        text=example.text,
        pictures=tuple(picture_dir / key for key in example.pictures),
        source=example.video_id,
        kind=example.kind,
        user_id=example.user_id,
        hard_negatives=tuple(tuple(picture_dir / key for key in clip) for clip in example.hard_negatives),
    )


def _download_pictures(
    blobs: BlobStore, examples: Sequence[TrainingExample], picture_dir: Path
) -> Iterator[TrainingExample]:
    """Write pictures to `picture_dir` under their keys, and yield the examples whose pictures can all be read."""
    for example in examples:
        keys = [*example.pictures, *(key for clip in example.hard_negatives for key in clip)]
        if all(_download_picture(blobs, key, picture_dir / key) for key in keys):
            yield example


def _download_picture(blobs: BlobStore, key: str, file: Path) -> bool:
    """Write a picture to `file`. Returns False if it is missing or corrupt."""
    if not file.exists():
        try:
            data = blobs.get(key)
            read_frame(data)
        except (KeyError, CorruptFileError):
            return False
        write_atomically(file, data)
    return True


def _make_text_examples(moments: Sequence[StoredPoint], user_id: str) -> Iterator[TrainingExample]:
    """Yield the examples of one video.

    Title and description go with moments from all parts of the video, chapter and speech with their own moment.
    """
    in_order = sorted(moments, key=lambda moment: float(moment.payload["start_s"]))
    with_frames = [moment for moment in in_order if moment.payload.get("frames")]
    for moment in with_frames[:: math.ceil(len(with_frames) / MAX_MOMENTS_PER_VIDEO) or 1]:
        payload = moment.payload
        yield from _pair_with_texts(
            moment, {"title": payload["title"], "description": _get_description(payload)}, user_id
        )
    for number, moment in enumerate(with_frames):
        near = [*with_frames[max(0, number - 1) : number], *with_frames[number + 1 : number + 2]]
        yield from _pair_with_texts(moment, {"chapter": moment.payload["text_by_source"].get("chapter", "")}, user_id)
        yield from _pair_with_texts(moment, {"speech": _get_speech(moment.payload)}, user_id, near)


def _get_description(payload: Mapping[str, Any]) -> str:
    """Return the first sentence of the video's description; empty if it has none."""
    return _SENTENCE_END.split(payload["text_by_source"].get("description", "").strip())[0]


def _get_speech(payload: Mapping[str, Any]) -> str:
    """Return what is said in a moment: the recognized lines, or the subtitles if nothing was recognized yet."""
    said = read_evidence(payload).said
    return payload["text_by_source"].get("speech", "") if said is None else " ".join(line.text for line in said)


def _pair_with_texts(
    moment: StoredPoint, texts: "Mapping[PairKind, str]", user_id: str, near: Sequence[StoredPoint] = ()
) -> Iterator[TrainingExample]:
    """Pair a moment with each text that is not empty."""
    payload, places = moment.payload, tuple((each.id, tuple(each.payload["frames"])) for each in near)
    for kind, text in texts.items():
        if text:
            frames = tuple(payload["frames"])
            yield TrainingExample(text, frames, payload["video_id"], kind, user_id, moment_id=moment.id, near=places)


def _make_vote_examples(
    votes: Sequence[VoteRecord], moments: Mapping[str, Sequence[StoredPoint]]
) -> Iterator[TrainingExample]:
    """Yield a query with each moment that a user liked for it.

    Moments that were voted down for the same query become its hard negatives.
    """
    with_frames = [(vote, frames) for vote in votes if (frames := _find_frames(vote, moments))]
    voted_down: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for vote, frames in with_frames:
        if vote.vote == "down":
            voted_down.setdefault(vote.queries, []).append(frames)
    for vote, frames in with_frames:
        if vote.vote != "down" and vote.queries:
            negatives = tuple(each for each in voted_down.get(vote.queries, ()) if each != frames)
            yield TrainingExample(", ".join(vote.queries), frames, vote.video_id, "vote", vote.user_id, negatives)


def _find_frames(vote: VoteRecord, moments: Mapping[str, Sequence[StoredPoint]]) -> tuple[str, ...]:
    """Return the blob keys of the pictures of the moment that the vote is on; empty if the moment is gone."""
    for moment in moments.get(vote.video_id, ()):
        if moment.payload["start_s"] == vote.start_s:
            return tuple(moment.payload.get("frames", ()))
    return ()
