"""Which pairs are worth learning from."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from model.encoders import evenly
from model.errors import PairsUnreadable
from model.pairs import Pair
from model.sentence import normalised

_SIDE = 8
_NEAR = 4
"""Of 64 bits."""
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
    looks = {clip: dhash(clip[len(clip) // 2]) for clip in dict.fromkeys(pair.pictures for pair in pairs)}
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


def _far_apart(pairs: list[Pair], looks: Mapping[tuple[Path, ...], int]) -> list[Pair]:
    """Of one text's pictures that look the same, the first."""
    seen: dict[str, list[int]] = defaultdict(list)
    kept = []
    for pair in pairs:
        look, known = looks[pair.pictures], seen[normalised(pair.text)]
        if all((look ^ other).bit_count() > _NEAR for other in known):
            known.append(look)
            kept.append(pair)
    return kept


def _in_one_split(pairs: list[Pair], looks: Mapping[tuple[Path, ...], int]) -> list[Pair]:
    """A picture of the held-out pairs teaches nothing, though it comes again under another name."""
    held_out = {looks[pair.pictures] for pair in pairs if pair.split != "train"}
    return [pair for pair in pairs if pair.split != "train" or looks[pair.pictures] not in held_out]


def _balanced(pairs: list[Pair]) -> list[Pair]:
    """No video and no person outweighs the others; of too many, some evenly."""
    by_source, by_person = defaultdict(list), defaultdict(list)
    for i, pair in enumerate(pairs):
        by_source[pair.source].append(i)
    kept = {i for some in by_source.values() for i in _at_most(some, _PER_SOURCE)}
    for i in sorted(kept):
        by_person[pairs[i].person].append(i)
    most = max(_PER_PERSON, round(_SHARE_OF_PERSON * len(kept)))
    people = [_at_most(some, most) if person else some for person, some in by_person.items()]
    return [pairs[i] for i in sorted(i for some in people for i in some)]


def _at_most(items: list[int], most: int) -> list[int]:
    return items if len(items) <= most else evenly(items, most)
