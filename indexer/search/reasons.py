"""Reasons of hits: why a moment was found, with the words or the sound, and the second of it.

Words are found in the moment's texts again. A match by meaning is attributed to the nearest of the title, the
speech and the text on the screen. Only hits with such a reason need their texts to be encoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from indexer.hits import MatchKind, MatchReason
from indexer.lexical import MAX_SNIPPET_CHARS, count_matches, find_first_match, snippet
from indexer.ports import Encoder
from indexer.search.candidates import ListName
from indexer.search.ranking import RankedMoment
from indexer.senses import SoundTag
from indexer.store.enrichment import read_evidence
from indexer.types import Caption, Vector
from indexer.vectors.vector_store import Payload

SECONDARY_REASON_SHARE: Final = 0.4
"""A further list is a reason too if it contributed at least this share of what the first one did.

The same share of matched words makes a further text a reason.
"""

_PICTURES: Final[Mapping[ListName, MatchKind]] = {"frame": MatchKind.LOOKS, "motion": MatchKind.MOTION}


@dataclass(frozen=True)
class MomentTexts:
    """A found moment with its lines by kind of match, and its sounds."""

    ranked: RankedMoment
    lists: tuple[ListName, ...]
    """The lists that contributed most to its rank, the first one most."""
    lines: Mapping[MatchKind, Sequence[Caption]]
    sounds: Sequence[SoundTag]
    start_s: float

    @property
    def sentences_to_encode(self) -> list[str]:
        """The texts to encode to attribute a match by meaning or by sound; nothing if there is only one choice."""
        texts = list(self.texts.values()) if "meaning" in self.lists and "words" not in self.lists else []
        sounds = [tag.sentence for tag in self.sounds] if "sound" in self.lists else []
        return [*(texts if len(texts) > 1 else ()), *(sounds if len(sounds) > 1 else ())]

    @property
    def texts(self) -> dict[MatchKind, str]:
        """The whole text of each kind that has one."""
        return {kind: " ".join(line.text for line in lines) for kind, lines in self.lines.items()}


def explain_matches(
    encoder: Encoder, page: Sequence[RankedMoment], payloads: Mapping[str, Payload]
) -> dict[str, tuple[MatchReason, ...]]:
    """Return the reasons for which each moment was found, by its id, the strongest first."""
    moments = [_read_texts(ranked, payloads[ranked.id]) for ranked in page if ranked.id in payloads]
    sentences = sorted({each for moment in moments for each in moment.sentences_to_encode})
    vectors = dict(zip(sentences, encoder.encode_sentences(sentences), strict=True)) if sentences else {}
    return {moment.ranked.id: tuple(_explain(moment, vectors)) for moment in moments}


def _read_texts(ranked: RankedMoment, payload: Payload) -> MomentTexts:
    parts = sorted(ranked.fused.parts.items(), key=lambda part: -part[1])
    lists = tuple(name for name, part in parts if part >= SECONDARY_REASON_SHARE * parts[0][1])
    evidence = read_evidence(payload)
    lines = {
        MatchKind.TITLE: _list_written(payload),
        MatchKind.SAID: [*(evidence.said or ()), *_list_subtitles(payload)],
        MatchKind.SHOWN: [*(evidence.shown or ())],
    }
    texts = {kind: each for kind, each in lines.items() if each}
    return MomentTexts(ranked, lists, texts, evidence.heard or (), payload["start_s"])


def _list_written(payload: Payload) -> list[Caption]:
    texts = (text for source, text in payload["text_by_source"].items() if source != "speech")
    return [_caption_of_moment(payload, text) for text in (payload["title"], *texts) if text]


def _list_subtitles(payload: Payload) -> list[Caption]:
    """Return what subtitles say in the moment, until its speech is recognized."""
    text = payload["text_by_source"].get("speech")
    return [_caption_of_moment(payload, text)] if text else []


def _caption_of_moment(payload: Mapping[str, Any], text: str) -> Caption:
    return Caption(payload["start_s"], payload["end_s"], text)


def _explain(moment: MomentTexts, vectors: Mapping[str, Vector]) -> list[MatchReason]:
    reasons: list[MatchReason] = []
    for name in moment.lists:
        if name in _PICTURES:
            reasons.append(MatchReason(_PICTURES[name]))
        elif name == "words":
            reasons += _explain_words(moment)
        elif name == "meaning" and "words" not in moment.lists:
            reasons += _explain_meaning(moment, vectors)
        elif name == "sound":
            reasons += _explain_sound(moment, vectors)
    return reasons


def _explain_words(moment: MomentTexts) -> list[MatchReason]:
    """Return a reason for each kind of text that has most of the query's words."""
    query = moment.ranked.query.text
    counts = {kind: count_matches(text, query) for kind, text in moment.texts.items()}
    most = max(counts.values(), default=0)
    kinds = sorted(counts, key=lambda kind: -counts[kind])
    return [_make_text_reason(moment, kind) for kind in kinds if most and counts[kind] >= SECONDARY_REASON_SHARE * most]


def _explain_meaning(moment: MomentTexts, vectors: Mapping[str, Vector]) -> list[MatchReason]:
    meaning = moment.ranked.query.vectors["meaning"]
    texts = moment.texts
    if not texts:
        return []
    nearest = max(texts, key=lambda kind: float(vectors[texts[kind]] @ meaning) if len(texts) > 1 else 0.0)
    return [_make_text_reason(moment, nearest)]


def _explain_sound(moment: MomentTexts, vectors: Mapping[str, Vector]) -> list[MatchReason]:
    meaning = moment.ranked.query.vectors["sound"]
    loudest = max(
        moment.sounds,
        key=lambda tag: tag.score * float(vectors[tag.sentence] @ meaning) if tag.sentence in vectors else tag.score,
        default=None,
    )
    return [MatchReason(MatchKind.HEARD, loudest.name, loudest.start_s, loudest.end_s)] if loudest else []


def _make_text_reason(moment: MomentTexts, kind: MatchKind) -> MatchReason:
    """Return the reason with the line that has most of the query's words, and the second at which they are said.

    A line may begin before its moment, which is the first second to show then.
    """
    query = moment.ranked.query.text
    line = max(moment.lines[kind], key=lambda each: count_matches(each.text, query))
    part = snippet(line.text, query) or line.text[:MAX_SNIPPET_CHARS]
    if kind is MatchKind.TITLE:
        return MatchReason(kind, part)
    share = find_first_match(line.text, query) or 0.0
    at_s = _find_second(line, share) if kind is MatchKind.SAID else line.start_s
    return MatchReason(kind, part, max(at_s, moment.start_s), line.end_s)


def _find_second(line: Caption, share: float) -> float:
    """Return the second at which a share of a line's text has been said."""
    if not line.words:
        return line.start_s + share * (line.end_s - line.start_s)
    ends = accumulate(len(word.text) for word in line.words)
    return next(
        (word.start_s for word, end in zip(line.words, ends, strict=True) if end > share * len(line.text)),
        line.words[-1].start_s,
    )
