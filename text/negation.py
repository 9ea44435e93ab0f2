"""Negation in queries: `a dog but no people`, `사람 없는 해변`, `没有人的海滩`.

Rules for English, Korean and Chinese. If a word of negation is part of a name or of an idiom (`no parking sign`,
`끊임없이`, `不锈钢`), the text stays as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from text.chinese import simplify_characters
from text.languages import guess_language

PEOPLE: Final = {"en": "people", "ko": "사람", "zh": "人"}
"""The unwanted thing of `without anyone`."""


@dataclass(frozen=True)
class SplitQuery:
    """A query in two parts."""

    wanted: str
    """Empty if the query only excludes things."""
    unwanted: tuple[str, ...] = ()


def split_negation(text: str) -> SplitQuery:
    """Split a text into the things that it wants and those that it excludes."""
    split = {"en": _split_english, "ko": _split_korean, "zh": _split_chinese}[guess_language(text)]
    query = split(text)
    return query if query.unwanted else SplitQuery(text)


def join_negations(parts: Sequence[str]) -> list[str]:
    """Join the parts of a list that only exclude things with the part before them, or else with the one after."""
    joined: list[str] = []
    for part in parts:
        if joined and not (split_negation(part).wanted and split_negation(joined[-1]).wanted):
            joined[-1] = f"{joined[-1]}, {part}"
        else:
            joined.append(part)
    return joined


# ---- English ----

_TOKEN: Final = re.compile(r"[^\s,;.!?:()]+|[,;.!?:()]")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)")
_NEGATED_VERB: Final = re.compile(r"(?:is|are|was|were|do|does|did|has|have|had)n['’]t")
_MARKERS: Final = frozenset({"no", "not", "without", "nobody", "except", "excluding", "minus"})
_BEFORE_MARKER: Final = frozenset(
    ("but", "and", "that", "who", "which", "is", "are", "was", "were", "has", "have", "does", "do", "with", ",")
)
"""Words that belong to a negation that follows them."""
_AFTER_MARKER: Final = frozenset(("any", "have", "a", "an", "the", "for", "one", "single"))
_ENDS: Final = frozenset((*",;.!?:()", "but", "and", "while", "who", "that", "which", "with", *_MARKERS))
_PREPOSITIONS: Final = frozenset(
    ("in", "on", "at", "by", "near", "under", "over", "behind", "beside", "from", "into", "inside", "outside", "during")
)
_NOBODY: Final = frozenset(("nobody", "anyone", "anybody", "one"))
_IDIOMS: Final = {
    "no": frozenset(
        (
            *("parking", "smoking", "entry", "exit", "trespassing", "loitering", "littering", "vacancy", "signal"),
            *("way", "problem", "problems", "matter", "doubt", "idea", "comment", "longer", "more", "good", "big"),
            *("man's", "sooner", "thanks"),
        )
    ),
    "not": frozenset(("only", "just", "yet", "sure", "bad", "enough", "even", "to")),
    "without": frozenset(("doubt", "fail")),
}
"""If one of these words follows, a word is not a negation."""
_IDIOMS_BEFORE: Final = frozenset(("why", "or", "if", "whether", "say", "says", "dr", "mr", "yes"))
_NAMED_BY: Final = frozenset(("sign", "signs", "zone", "area", "allowed", "policy", "symbol"))
"""Words after which a phrase with `no` is the name of a thing."""
MAX_UNWANTED_WORDS: Final = 6


def _split_english(text: str) -> SplitQuery:
    tokens = list(_TOKEN.finditer(text))
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    words = [token[0] for token in tokens]
    kept, unwanted, at = list[str](), list[str](), 0
    while at < len(words):
        in_quotes = any(start <= tokens[at].start() < end for start, end in quoted)
        end = at if in_quotes or not _is_negation(words, at) else _find_end(words, at + 1)
        phrase = _name_unwanted(words, at, end)
        if not phrase or (end < len(words) and words[end].lower() in _NAMED_BY):
            kept.append(words[at])
            at += 1
            continue
        while kept and kept[-1].lower() in _BEFORE_MARKER:
            kept.pop()
        unwanted.append(phrase)
        at = end
    return SplitQuery(re.sub(r" ([,;.!?:)])", r"\1", " ".join(kept)).strip(" ,;"), tuple(unwanted))


def _is_negation(words: Sequence[str], at: int) -> bool:
    word, following = words[at].lower(), words[at + 1 : at + 2]
    if _NEGATED_VERB.fullmatch(word):
        return at > 0 and bool(following)
    if word not in _MARKERS or (at and words[at - 1].lower().rstrip(".") in _IDIOMS_BEFORE):
        return False
    if word == "nobody":
        return True
    is_name = bool(following) and words[at][0].isupper() and following[0][0].isupper()
    is_number = bool(following) and (following[0] == "." or following[0][0].isdigit())
    is_idiom = bool(following) and following[0].lower() in _IDIOMS.get(word, ())
    return bool(following) and not (is_name or is_number or is_idiom)


def _find_end(words: Sequence[str], start: int) -> int:
    """Return the end of an unwanted phrase that begins at `start`: its second part or the next clause follows."""
    has_content = words[start - 1].lower() == "nobody"
    for at in range(start, min(len(words), start + MAX_UNWANTED_WORDS)):
        word = words[at].lower()
        if word in _ENDS or (word in _PREPOSITIONS and has_content):
            return at
        if word in _NAMED_BY:
            return start
        has_content = has_content or word not in _AFTER_MARKER | _PREPOSITIONS or word in _NOBODY
    return min(len(words), start + MAX_UNWANTED_WORDS)


def _name_unwanted(words: Sequence[str], marker: int, end: int) -> str:
    """Return the unwanted phrase after a marker, or an empty text."""
    phrase = list(words[marker + 1 : end])
    if words[marker].lower() == "nobody" or (phrase and phrase[0].lower() in _NOBODY):
        return PEOPLE["en"] if end > marker else ""
    while phrase and phrase[0].lower() in _AFTER_MARKER:
        phrase.pop(0)
    return " ".join(phrase)


# ---- Korean ----

_KOREAN: Final = re.compile(
    r"(?:(?P<noun>[^\s,]+?)\s*(?:없는|없이|없고|없음|없어요|없다)(?![가-힣])"
    r"|(?P<other>[^\s,]+?(?:\s[위안속밖]\w?)?)\s+(?:아닌|아니고|말고|빼고|제외하고|제외한)(?![가-힣])"
    r"|(?P<deed>[^\s,]+?)하지(?:는|를|도)?\s+(?:않는|않은|않고|않게)(?![가-힣])"
    r"|(?P<verb>[^\s,]+?)(?:고 있)?지(?:는|를|도)?\s+(?:않는|않은|않고|않게)(?![가-힣]))(?:\s+곳(?:의|에(?:\s+있는)?))?"
)
_KOREAN_IDIOMS: Final = re.compile(
    r"(?:수|것|나위|말|끝|끊임|틀림|어이|재미|맛|상관|거침|쓸모|쓸데|관계|어김|빠짐|소리|힘|버릇|염치|변함|다름|아낌|꾸밈|꼼짝|하염"
    r"|속절|터무니|두서|의미|문제|실수|더할|다름|보통|장난|뿐만|만|그런|이런)"
)
"""Nouns with which 없다 or 아니다 says something else."""


_NOUNS_IN_I: Final = re.compile("(?:고양이|호랑이|어린이|원숭이|달팽이|종이|젊은이|늙은이|파도|지도|포도|휴가|요가)$")
"""Nouns that end like a particle."""


def _split_korean(text: str) -> SplitQuery:
    unwanted: list[str] = []

    def take(found: re.Match[str]) -> str:
        phrase = _strip_particle(found["noun"] or found["other"] or "") or found["deed"] or f"{found['verb']}기"
        if _KOREAN_IDIOMS.fullmatch(phrase):
            return found[0]
        unwanted.append(PEOPLE["ko"] if phrase == "아무" else phrase)
        return " "

    wanted = " ".join(_KOREAN.sub(take, text).split())
    return SplitQuery(re.sub(r" ,|,$|^,", "", wanted).strip(" ,"), tuple(unwanted))


def _strip_particle(noun: str) -> str:
    """Return a noun without the particle of a subject, whose form depends on the syllable before it."""
    if len(noun) < 2 or _NOUNS_IN_I.search(noun):
        return noun
    has_final_consonant = (ord(noun[-2]) - ord("가")) % 28 > 0
    return noun[:-1] if noun[-1] in ("이은도" if has_final_consonant else "가는도") else noun


# ---- Chinese ----

_CHINESE: Final = re.compile(
    r"[,，]?(?:但|而)?(?:"
    r"(?<!有)没有(?P<lacked>[^,，。的]{1,8}?)(?P<of>的|[,，。]|$)"
    r"|没(?P<nobody>人)(?P<of2>的|[,，。]|$)"
    r"|(?<!是)不是(?:在)?(?P<other>[^,，。的]{1,8}?)(?P<of3>的|[,，。]|$)"
    r"|不要(?!紧)(?P<unwished>[^,，。的]{1,8}?)(?P<of4>的|[,，。]|$)"
    r"|(?<!得)不(?P<verb>(?:[带戴穿拴系跑跳动]|在(?!乎))[^,，。的]{0,7}?)(?P<of5>的|[,，。]|$)"
    r"|除了(?P<excepted>[^,，。的]{1,8}?)(?:以外|之外|外)(?P<of6>的|[,，。]|$)"
    r")"
)
_CHINESE_GROUPS: Final = ("lacked", "nobody", "other", "unwished", "verb", "excepted")


def _split_chinese(text: str) -> SplitQuery:
    plain, parts, unwanted, position = simplify_characters(text), list[str](), list[str](), 0
    for found in _CHINESE.finditer(plain):
        name = next(name for name in _CHINESE_GROUPS if found[name])
        start, end = found.span(name)
        unwanted.append(text[start:end])
        parts.append(text[position : found.start()])
        position = found.end() - (found[0][-1] in ",，。")
    parts.append(text[position:])
    return SplitQuery("".join(parts).strip(" ,，。"), tuple(unwanted))
