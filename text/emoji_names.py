"""Names of emoji in words: the short names of Unicode CLDR, in the three languages of the product."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import emoji

from text.languages import LANGUAGES, Language, guess_language

COMMON_NAMES: Final = {
    "automobile": "car",
    "oncoming_automobile": "car",
    "deciduous_tree": "tree",
    "heart_suit": "heart",
    "mobile_phone": "phone",
    "snowman_without_snow": "snowman",
}
"""CLDR names that are hardly used, and the usual words."""

_ADDED: Final[dict[Language, re.Pattern[str]]] = {
    "en": re.compile(r"(?<!_with)_face$|^face_with_"),
    "ko": re.compile(r"^깃발_|_얼굴$"),
    "zh": re.compile(r"(?<=.)[脸头]$"),
}
"""Words of names besides the thing: a dog is called "dog face", and a country in Korean "flag of the country"."""

SHORTCODES_FILE: Final = Path(__file__).parent / "shortcodes.tsv"
"""Names that Slack and Discord have and the library `emoji` has not."""

_SKIN_TONES: Final = dict.fromkeys(range(0x1F3FB, 0x1F400))
_SYMBOLS: Final = re.compile(
    "[\u200d\u203c-\u2bff\u3030\u303d\u3297\u3299\ufe0e\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]+"
)
"""Characters that emoji consist of, except digits."""
_TONE_NAMES: Final = re.compile(
    r"_(?:(?:medium-)?(?:light|dark)|medium)_skin_tone|_(?:하얀|연한_갈색|갈색|진한_갈색|검은색)_피부|_?(?:较|中等)[浅深]?肤色"
)
"""Two people with different skin tones have no emoji without them."""
_SHORTCODE: Final = re.compile(r"(?<!\w):(?=[\w+'-]*[a-z]|[+-]1:|100:)([\w+'-]+):(?!\d)", re.ASCII)
_FLAG_SHORTCODE: Final = re.compile(r"flag[-_]([a-z]{2})")


def name_emoji(text: str) -> str:
    """Replace each emoji by its name in the language of the text; in English if the text has no words.

    An emoji that is repeated is named once, and skin tones are not named.
    """
    language = guess_language(text)
    return _replace_emoji(text, lambda found: name_in(found, language))


def name_emoji_in_all_languages(text: str) -> str:
    """Replace each emoji by all its names, so that a query in any of the languages finds them."""
    return _replace_emoji(text, lambda found: " ".join(all_names(found)))


def name_in(found: str, language: Language) -> str:
    """Return the name of an emoji in a language, without skin tones."""
    name = _cldr_name(found, language)
    if language == "en" and name in COMMON_NAMES:
        return COMMON_NAMES[name]
    if language != "zh" or _cldr_name(found, "en").endswith("_face"):
        name = _ADDED[language].sub("", name)
    return name.replace("_", " ")


def all_names(found: str) -> tuple[str, ...]:
    """Return the names of an emoji in all languages, including the full English one."""
    names = [_cldr_name(found, "en").replace("_", " "), *(name_in(found, language) for language in LANGUAGES)]
    return tuple(dict.fromkeys(names))


def find_emoji(text: str) -> list[tuple[int, int]]:
    """Return the positions of the emoji in a text: index of the first character, index after the last one.

    Digits in a box and signs such as © are read as text.
    """
    return [
        (run.start() + each["match_start"], run.start() + each["match_end"])
        for run in _SYMBOLS.finditer(text)
        for each in emoji.emoji_list(run[0])
        if each["emoji"].translate(_SKIN_TONES)
    ]


def replace_shortcodes(text: str) -> str:
    """Replace the shortcodes of chat platforms, such as `:dog:`, by emoji.

    The names of a community's own emoji are removed.
    """
    return _SHORTCODE.sub(lambda found: _emoji_of_shortcode(found[1]), text)


def _emoji_of_shortcode(name: str) -> str:
    if flag := _FLAG_SHORTCODE.fullmatch(name):
        return "".join(chr(0x1F1E6 + ord(letter) - ord("a")) for letter in flag[1])
    if name in _read_shortcodes():
        return _read_shortcodes()[name]
    for spelling in (name, name.replace("-", "_")):
        found = emoji.emojize(f":{spelling}:", language="alias")
        if found != f":{spelling}:":
            return found
    return " "


def _replace_emoji(text: str, replace: Callable[[str], str]) -> str:
    """Replace each emoji, with a space between it and other text."""
    parts, position, previous = [], 0, None
    for start, end in find_emoji(text):
        name, between = replace(text[start:end]), text[position:start]
        if name != previous or between.strip():
            parts += [between, name]
        position, previous = end, name
    parts.append(text[position:])
    return "".join(_space_out(parts))


def _space_out(parts: Sequence[str]) -> Iterator[str]:
    last = " "
    for part in filter(None, parts):
        if not (last.isspace() or part[0].isspace()):
            yield " "
        yield part
        last = part[-1]


def _cldr_name(found: str, language: Language) -> str:
    names = _load_names()
    name = str(names.get(found.translate(_SKIN_TONES), names[found])[language]).strip(":")
    return _TONE_NAMES.sub("", name)


@cache
def _load_names() -> dict[str, dict[str, Any]]:
    emoji.config.load_language(list(LANGUAGES))
    return emoji.EMOJI_DATA


@cache
def _read_shortcodes() -> Mapping[str, str]:
    with SHORTCODES_FILE.open(encoding="utf-8", newline="") as file:
        return {row["shortcode"]: row["emoji"] for row in csv.DictReader(file, delimiter="\t")}
