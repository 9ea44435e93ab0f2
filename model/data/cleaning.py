"""Selection of training pairs: drops uninformative, duplicate and leaking pairs, and balances sources."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.data.images import open_image
from model.data.normalization import normalize_text
from model.data.pairs import ClipFiles, Pair, Split
from model.ports import sample_evenly

PictureHashes: TypeAlias = Mapping[Path, int]
"""The dHash of each picture."""

_HASH_SIDE = 8
_NEAR_BITS = 4
"""Two pictures are near-identical if at most this many of the 64 bits of their hashes differ."""
_BATCH = 256
"""Pictures that are compared with all others in one step."""
_KEPT_APART_FROM: Mapping[Split, tuple[Split, ...]] = {"validation": ("test",), "train": ("validation", "test")}
"""Test pairs are never dropped; validation pairs have precedence over training pairs."""
_BOILERPLATE_VIDEOS = 3
"""A description that occurs in this many videos describes none of them."""
_MAX_PER_SOURCE = 60
_MAX_USER_SHARE = 0.25
_MIN_USER_LIMIT = 100
"""Every user may contribute this many pairs; more only up to the share above."""

_FILE_NAME = re.compile(
    r"\S+\.(mp4|mov|mkv|webm|avi|gif|jpe?g|png|heic|webp|m4v)"
    r"|(img|vid|dsc[fn]?|mov|mvi|pxl|gopr|gh|clip|video|image|photo|movie|screen ?shot|screen ?recording|record(ing)?"
    r"|whatsapp (video|image)|untitled|동영상|사진|녹화|视频|图片|录屏)[\W_]*(\d[\d\W_]*(at|[ap]m|wa)?[\d\W_]*)*"
)
_PLACEHOLDER = re.compile(
    r"untitled.*|no title|title|description|no description( available)?|unknown|test( ?\d*)?|n/?a|none|null|asdf+|"
    r"(deleted|private) video|intro|outro|제목 ?없음|설명 ?없음|无标题|未命名|无题"
)
_LINK = re.compile(r"(https?://|www\.)\S+|\S+@\S+\.\w+|[@#]\S+")
_CALL_TO_ACTION = re.compile(
    r"\bsubscri|\b(like|share) (and|&|this video)|\bfollow (me|us)\b|\bpatreon\b|\bmerch\b|\bsponsor|\bcopyright\b"
    r"|\ball rights reserved\b|\bturn on notifications\b|\blink in (the )?(bio|description)\b|\b(promo|discount) code\b"
    r"|구독|좋아요|알림 ?설정|저작권|订阅|訂閱|点赞|點贊|关注我|版权|一键三连"
)


@dataclass(frozen=True)
class CleanedPairs:
    """Result of cleaning."""

    pairs: tuple[Pair, ...]
    dropped: Mapping[str, int]
    """Number of dropped pairs by reason: `says_nothing`, `boilerplate`, `duplicate`, `near_identical`,
    `other_split` and `balance`.
    """


def clean_pairs(pairs: Sequence[Pair]) -> CleanedPairs:
    """Drop pairs that are useless or harmful for training; keep the order. Raises `PairsUnreadableError`."""
    left, dropped = list(pairs), {}
    clips = dict.fromkeys(clip for pair in pairs for clip in (pair.pictures, *pair.hard_negatives))
    hashes = {file: compute_dhash(file) for file in dict.fromkeys(file for clip in clips for file in clip)}
    steps: dict[str, Callable[[list[Pair]], list[Pair]]] = {
        "says_nothing": lambda some: [pair for pair in some if is_informative(pair.text)],
        "boilerplate": _drop_boilerplate,
        "duplicate": lambda some: _deduplicate(some, lambda pair: (normalize_text(pair.text), pair.pictures)),
        "near_identical": lambda some: _drop_near_identical(some, hashes),
        "other_split": lambda some: _separate_splits(some, hashes),
        "balance": _balance,
    }
    for reason, keep in steps.items():
        kept = keep(left)
        dropped[reason] = len(left) - len(kept)
        left = kept
    return CleanedPairs(tuple(left), dropped)


def is_informative(text: str) -> bool:
    """Return False for a file name, a placeholder, a bare link and a call to subscribe."""
    bare = " ".join(_LINK.sub(" ", normalize_text(text)).split())
    letters = sum(character.isalpha() for character in bare)
    is_cjk = any(ord(character) > 0x2E80 for character in bare)
    if letters < (1 if is_cjk else 3):
        return False
    return not (_FILE_NAME.fullmatch(bare) or _PLACEHOLDER.fullmatch(bare) or _CALL_TO_ACTION.search(bare))


def compute_dhash(picture: Path) -> int:
    """Return the 64-bit difference hash, which differs in few bits for pictures that look the same.

    Each bit says whether brightness increases to the right, on a grid of 8 by 8 (Krawetz 2013, "Kind of Like
    That"). Raises `PairsUnreadableError`.
    """
    with open_image(picture) as image:
        small = np.asarray(image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX), np.int16)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes())


def _drop_boilerplate(pairs: list[Pair]) -> list[Pair]:
    """Drop descriptions, titles and chapters that several videos share.

    Captions and votes are users' own words.
    """
    texts = {(normalize_text(pair.text), pair.source) for pair in pairs if pair.kind not in ("caption", "vote")}
    videos = Counter(text for text, _ in texts)
    return [
        pair
        for pair in pairs
        if pair.kind in ("caption", "vote") or videos[normalize_text(pair.text)] < _BOILERPLATE_VIDEOS
    ]


def _deduplicate(pairs: list[Pair], key: Callable[[Pair], Hashable]) -> list[Pair]:
    """Keep the first pair of each key, and merge the hard negatives of the others into it."""
    first: dict[Hashable, Pair] = {}
    for pair in pairs:
        known = first.setdefault(key(pair), pair)
        if known is not pair and pair.hard_negatives:
            merged = tuple(dict.fromkeys([*known.hard_negatives, *pair.hard_negatives]))
            first[key(pair)] = replace(known, hard_negatives=merged)
    return list(first.values())


def _drop_near_identical(pairs: list[Pair], hashes: PictureHashes) -> list[Pair]:
    """Keep the first of a text's near-identical pictures, judged by the middle picture of each clip."""
    seen: dict[str, list[int]] = defaultdict(list)
    kept = []
    for pair in pairs:
        own, known = hashes[pair.pictures[len(pair.pictures) // 2]], seen[normalize_text(pair.text)]
        if all((own ^ other).bit_count() > _NEAR_BITS for other in known):
            known.append(own)
            kept.append(pair)
    return kept


def _separate_splits(pairs: list[Pair], hashes: PictureHashes) -> list[Pair]:
    """Drop pairs and hard negatives whose clip also occurs in a held-out split, even cut or re-encoded."""
    for split, others in _KEPT_APART_FROM.items():
        clips = {clip for pair in pairs if pair.split == split for clip in (pair.pictures, *pair.hard_negatives)}
        copies = _find_copies(clips, {pair.pictures for pair in pairs if pair.split in others}, hashes)
        pairs = [
            pair if pair.split != split else _remove_negatives(pair, copies)
            for pair in pairs
            if pair.split != split or pair.pictures not in copies
        ]
    return pairs


def _remove_negatives(pair: Pair, clips: set[ClipFiles]) -> Pair:
    return replace(pair, hard_negatives=tuple(clip for clip in pair.hard_negatives if clip not in clips))


def _find_copies(clips: Iterable[ClipFiles], originals: Iterable[ClipFiles], hashes: PictureHashes) -> set[ClipFiles]:
    """Return the clips that share a near-identical picture with one of `originals`."""
    known = np.array([own for clip in originals for own in _select_distinctive_hashes(clip, hashes)], np.uint64)
    candidates = [(own, clip) for clip in clips for own in _select_distinctive_hashes(clip, hashes)]
    found: set[ClipFiles] = set()
    for start in range(0, len(candidates), _BATCH):
        some = candidates[start : start + _BATCH]
        bits = np.array([own for own, _ in some], np.uint64)[:, None] ^ known
        near: npt.NDArray[np.bool_] = (np.bitwise_count(bits) <= _NEAR_BITS).any(1)
        found.update(clip for (_, clip), is_copy in zip(some, near, strict=True) if is_copy)
    return found


def _select_distinctive_hashes(clip: ClipFiles, hashes: PictureHashes) -> list[int]:
    """Return the hashes of a clip without its black and plain frames.

    Any two videos may share those. If the clip has no others, the hashes of all frames are returned.
    """
    return [hashes[file] for file in clip if hashes[file].bit_count() > _NEAR_BITS] or [hashes[file] for file in clip]


def _balance(pairs: list[Pair]) -> list[Pair]:
    """Limit the pairs per video and per user, so that none outweighs the others.

    The kept pairs are evenly spaced.
    """
    by_source, by_user = defaultdict(list), defaultdict(list)
    for i, pair in enumerate(pairs):
        by_source[pair.source].append(i)
    kept = {i for some in by_source.values() for i in _sample_at_most(some, _MAX_PER_SOURCE)}
    for i in sorted(kept):
        by_user[pairs[i].user_id].append(i)
    limit = max(_MIN_USER_LIMIT, round(_MAX_USER_SHARE * len(kept)))
    limited = [some if user_id is None else _sample_at_most(some, limit) for user_id, some in by_user.items()]
    return [pairs[i] for i in sorted(i for some in limited for i in some)]


def _sample_at_most(items: list[int], limit: int) -> list[int]:
    return items if len(items) <= limit else sample_evenly(items, limit)
