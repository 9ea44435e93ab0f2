"""Which pairs are worth learning from."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.data.pairs import Pair, Split
from model.errors import PairsUnreadable
from model.ports import evenly
from model.starter.normalize import normalised

Looks: TypeAlias = Mapping[Path, int]
"""dHashes."""
_Clip: TypeAlias = tuple[Path, ...]

_SIDE = 8
_NEAR = 4
"""Of 64 bits."""
_AT_ONCE = 256
"""Pictures that are held against all others in one step."""
_APART_FROM: Mapping[Split, tuple[Split, ...]] = {"validation": ("test",), "train": ("validation", "test")}
"""What judges is kept whole; what chooses the best step goes before what teaches."""
_FOOTER = 3
"""A sentence under so many videos speaks of none of them."""
_PER_SOURCE = 60
_SHARE_OF_PERSON = 0.25
_PER_PERSON = 100
"""A person may always give so many, beyond that a share of all."""

_FILE_NAME = re.compile(
    r"\S+\.(mp4|mov|mkv|webm|avi|gif|jpe?g|png|heic|webp|m4v)"
    r"|(img|vid|dsc[fn]?|mov|mvi|pxl|gopr|gh|clip|video|image|photo|movie|screen ?shot|screen ?recording|record(ing)?"
    r"|whatsapp (video|image)|untitled|동영상|사진|녹화|视频|图片|录屏)[\W_]*(\d[\d\W_]*(at|[ap]m|wa)?[\d\W_]*)*"
)
_NOTHING = re.compile(
    r"untitled.*|no title|title|description|no description( available)?|unknown|test( ?\d*)?|n/?a|none|null|asdf+|"
    r"(deleted|private) video|intro|outro|제목 ?없음|설명 ?없음|无标题|未命名|无题"
)
_LINK = re.compile(r"(https?://|www\.)\S+|\S+@\S+\.\w+|[@#]\S+")
_CALL = re.compile(
    r"\bsubscri|\b(like|share) (and|&|this video)|\bfollow (me|us)\b|\bpatreon\b|\bmerch\b|\bsponsor|\bcopyright\b"
    r"|\ball rights reserved\b|\bturn on notifications\b|\blink in (the )?(bio|description)\b|\b(promo|discount) code\b"
    r"|구독|좋아요|알림 ?설정|저작권|订阅|訂閱|点赞|點贊|关注我|版权|一键三连"
)


@dataclass(frozen=True)
class Cleaned:
    pairs: tuple[Pair, ...]
    dropped: Mapping[str, int]
    """How many for which reason: `says_nothing`, `boilerplate`, `duplicate`, `near_identical`, `other_split` and
    `balance`.
    """


def clean(pairs: Sequence[Pair]) -> Cleaned:
    """Fewer pairs, in their order. Raises `PairsUnreadable` for a picture that is none."""
    left, dropped = list(pairs), {}
    clips = dict.fromkeys(clip for pair in pairs for clip in (pair.pictures, *pair.against))
    looks = {picture: dhash(picture) for picture in dict.fromkeys(picture for clip in clips for picture in clip)}
    steps: dict[str, Callable[[list[Pair]], list[Pair]]] = {
        "says_nothing": lambda some: [pair for pair in some if says_something(pair.text)],
        "boilerplate": _without_footers,
        "duplicate": lambda some: _firsts(some, lambda pair: (normalised(pair.text), pair.pictures)),
        "near_identical": lambda some: _far_apart(some, looks),
        "other_split": lambda some: _in_one_split(some, looks),
        "balance": _balanced,
    }
    for reason, keep in steps.items():
        kept = keep(left)
        dropped[reason] = len(left) - len(kept)
        left = kept
    return Cleaned(tuple(left), dropped)


def says_something(text: str) -> bool:
    """Not a file name, a placeholder, a link, or a call to subscribe."""
    bare = " ".join(_LINK.sub(" ", normalised(text)).split())
    letters = sum(character.isalpha() for character in bare)
    if letters < (1 if any(ord(character) > 0x2E80 for character in bare) else 3):
        return False
    return not (_FILE_NAME.fullmatch(bare) or _NOTHING.fullmatch(bare) or _CALL.search(bare))


def dhash(picture: Path) -> int:
    """64 bits, near for pictures that look the same: whether it brightens to the right, on a grid of 8 by 8.

    Krawetz 2013, "Kind of Like That", dHash.
    """
    try:
        with Image.open(picture) as image:
            small = np.asarray(image.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX), np.int16)
    except (OSError, Image.DecompressionBombError) as error:
        raise PairsUnreadable(f"{picture} is no picture that can be read") from error
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes())


def _without_footers(pairs: list[Pair]) -> list[Pair]:
    """Descriptions, titles and chapters that stand under several videos; captions and votes are people's own words."""
    stands = {(normalised(pair.text), pair.source) for pair in pairs if pair.kind not in ("caption", "vote")}
    under = Counter(text for text, _ in stands)
    return [pair for pair in pairs if pair.kind in ("caption", "vote") or under[normalised(pair.text)] < _FOOTER]


def _firsts(pairs: list[Pair], key: Callable[[Pair], Hashable]) -> list[Pair]:
    """The first of each; what was voted down for the others is kept with it."""
    first: dict[Hashable, Pair] = {}
    for pair in pairs:
        known = first.setdefault(key(pair), pair)
        if known is not pair and pair.against:
            first[key(pair)] = replace(known, against=tuple(dict.fromkeys([*known.against, *pair.against])))
    return list(first.values())


def _far_apart(pairs: list[Pair], looks: Looks) -> list[Pair]:
    """Of one text's pictures that look the same, the first."""
    seen: dict[str, list[int]] = defaultdict(list)
    kept = []
    for pair in pairs:
        look, known = looks[pair.pictures[len(pair.pictures) // 2]], seen[normalised(pair.text)]
        if all((look ^ other).bit_count() > _NEAR for other in known):
            known.append(look)
            kept.append(pair)
    return kept


def _in_one_split(pairs: list[Pair], looks: Looks) -> list[Pair]:
    """A held-out clip teaches nothing, not as a hard negative either, though it was cut or encoded again."""
    for split, others in _APART_FROM.items():
        seen = {clip for pair in pairs if pair.split == split for clip in (pair.pictures, *pair.against)}
        copies = _copies(seen, {pair.pictures for pair in pairs if pair.split in others}, looks)
        pairs = [
            pair if pair.split != split else replace(pair, against=tuple(c for c in pair.against if c not in copies))
            for pair in pairs
            if pair.split != split or pair.pictures not in copies
        ]
    return pairs


def _copies(clips: Iterable[_Clip], of: Iterable[_Clip], looks: Looks) -> set[_Clip]:
    """Those of `clips` that have a picture near one of the others'."""
    known = np.array([look for clip in of for look in _telling(clip, looks)], np.uint64)
    asked = [(look, clip) for clip in clips for look in _telling(clip, looks)]
    found: set[_Clip] = set()
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        bits = np.array([look for look, _ in some], np.uint64)[:, None] ^ known
        near: npt.NDArray[np.bool_] = (np.bitwise_count(bits) <= _NEAR).any(1)
        found.update(clip for (_, clip), copy in zip(some, near, strict=True) if copy)
    return found


def _telling(clip: _Clip, looks: Looks) -> list[int]:
    """All looks but those of black and plain frames, which any two videos may have, unless there are no others."""
    return [looks[picture] for picture in clip if looks[picture].bit_count() > _NEAR] or [looks[p] for p in clip]


def _balanced(pairs: list[Pair]) -> list[Pair]:
    """No video and no person outweighs the others; of too many, some evenly."""
    by_source, by_person = defaultdict(list), defaultdict(list)
    for i, pair in enumerate(pairs):
        by_source[pair.source].append(i)
    kept = {i for some in by_source.values() for i in _at_most(some, _PER_SOURCE)}
    for i in sorted(kept):
        by_person[pairs[i].user_id].append(i)
    most = max(_PER_PERSON, round(_SHARE_OF_PERSON * len(kept)))
    people = [_at_most(some, most) if person else some for person, some in by_person.items()]
    return [pairs[i] for i in sorted(i for some in people for i in some)]


def _at_most(items: list[int], most: int) -> list[int]:
    return items if len(items) <= most else evenly(items, most)
