"""Grammatical endings of Korean nouns (particles), which are written without a space before them.

Particles come in chains: 학교에서는 is 학교 + 에서 + 는, and 친구들과의 is 친구 + 들 + 과 + 의. The form of
some depends on the syllable before them. Nouns that end like a particle, such as 고양이 (cat), are listed.
"""

import re
from typing import Final

_AFTER_CONSONANT: Final = frozenset(
    (
        *"은이을과",
        "으로",
        "으로서",
        "으로써",
        "으로부터",
        "으론",
        "이랑",
        "이에요",
        "이나",
        "이며",
        "이든",
        "이란",
        "이라고",
    )
)
_AFTER_VOWEL: Final = frozenset("는가를와랑로") | {"로서", "로써", "로부터", "예요"}
"""After ㄹ, 로 and its longer forms are used as after a vowel."""

_INNER: Final = (
    *("으로부터", "에서부터", "으로서", "으로써", "로부터", "에게서", "에게로", "한테서"),
    *("에서", "에게", "한테", "께서", "으로", "로서", "로써", "부터", "까지", "마저", "조차", "처럼", "만큼", "보다"),
    *("밖에", "마다", "끼리", "같이", "하고", "이랑", "에", "께", "로", "과", "와", "랑", "의", "만", "뿐"),
)
"""Particles that others can follow, longest first."""
_CONTRACTED: Final = ("에게선", "한테선", "에선", "에겐", "한텐", "께선", "으론", "까진", "부턴", "보단", "엔", "껜")
"""Particles joined with 는."""
_FINAL: Final = (
    *_CONTRACTED,
    *("이라고", "이라도", "이라면", "이라는", "이나", "이며", "이든", "이란"),
    *("입니다", "이에요", "예요", "인데", "하는", "있는", "없는", *"은는이가을를도"),
)
"""Only at the end of a chain. Some of them contain a verb, and are written like particles."""

_AFTER_LISTED_NOUN: Final = ("라도", "라면", "라는", "라고", "나", "며", "든", "란", "고")
"""Endings after a vowel that are also endings of other nouns."""
_AFTER_PARTICLE: Final = re.compile("(?:라도|든지|든|요)$")
"""Endings that are removed after another particle of two syllables or more."""

_AFTER_ONE_SYLLABLE: Final = frozenset("에을를")
"""Particles of one syllable that hardly any noun of two syllables ends with."""

_NOUNS: Final = re.compile(
    "(?:고양이|코끼리|어린이|젊은이|늙은이|숭이|호랑이|딸랑이|달팽이|팡이|부엉이|렁이|챙이|덩이|둥이|쟁이|거북이|바둑이|얼룩이|뚝이"
    "|볶이|걸이|잡이|돋이|맞이|놀이|떨이|받이|닫이|[눈꽃밤]송이|포도송이|종이|나들이|소용돌이|하루살이|먹이|계란말이|김말이"
    "|(?:고속|자전거|해안|순환|포장|간선|일반)도로|활주로|교차로|을지로|요가|휴가|결과|산부인과|벼랑|[첫짝]사랑"
    "|민주주의|사회주의|자본주의|정상회의|화상회의|제주도|울릉도|거제도|강화도|무인도|강원도|경기도|충청도|경상도|전라도"
    "|온도|습도|철도|가속도|청포도|횡단보도|세계지도|보물지도|지하도|한반도|태권도|아들|버들|흔들)$"
)
"""Endings of nouns that are not cut."""


def strip_particles(word: str) -> str:
    """Return a Korean word without its particles and plural ending."""
    stem = _strip_one(_strip_after_particle(word), _FINAL + _AFTER_LISTED_NOUN + _INNER)
    while (shorter := _strip_one(stem, _INNER)) != stem:
        stem = shorter
    return stem if _NOUNS.search(stem) else stem.removesuffix("들") or stem


def _strip_after_particle(word: str) -> str:
    rest = _AFTER_PARTICLE.sub("", word)
    stem = _strip_one(rest, _CONTRACTED + _INNER)
    return rest if len(rest) - len(stem) > 1 else word


def _strip_one(word: str, particles: tuple[str, ...]) -> str:
    """Return a word without its last particle. A stem that is a listed noun is preferred, then the shortest one."""
    if _NOUNS.search(word):
        return word
    stems = [word.removesuffix(each) for each in particles if word.endswith(each) and _can_follow(word, each)]
    return next((stem for stem in stems if _NOUNS.search(stem)), min(stems, key=len, default=word))


def _can_follow(word: str, particle: str) -> bool:
    stem = word.removesuffix(particle)
    if particle in _AFTER_LISTED_NOUN:
        return bool(_NOUNS.search(stem))
    if len(stem) < (1 if len(particle) > 1 or particle in _AFTER_ONE_SYLLABLE else 2) or not "가" <= stem[-1] <= "힣":
        return False
    final_consonant = (ord(stem[-1]) - ord("가")) % 28
    is_like_vowel = final_consonant == 0 or (final_consonant == 8 and particle.startswith("로"))
    if particle in _AFTER_VOWEL:
        return is_like_vowel
    return particle not in _AFTER_CONSONANT or (final_consonant not in (0, 8 if particle.startswith("으") else 0))
