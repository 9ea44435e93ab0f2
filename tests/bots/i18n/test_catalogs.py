"""Every sentence in every language, and the language that is spoken."""

import ast
import asyncio
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po

import bots
from bots.i18n.messages import ERROR_MESSAGES, Msg
from bots.i18n.translate import LANGUAGES, count, date, language, translate, use_locale
from bots.i18n.update_catalogs import PLURALS, stored, updated
from worker.protocol.error_codes import ErrorCode

OTHERS = LANGUAGES[1:]
SCRIPTS = {"ko": re.compile("[가-힣]"), "zh": re.compile("[\u4e00-\u9fff]")}
"""The letters of which a translation has some."""
SAME_EVERYWHERE = {Msg.MODEL_LINE}
"""Blanks alone."""


@pytest.fixture(params=OTHERS)
def spoken(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def catalogue(spoken: str) -> Catalog:
    with stored(spoken).open("rb") as file:
        return read_po(file, locale=spoken)


def translations(message: Message) -> Iterator[tuple[str, str]]:
    """Each translation, with the English that it stands for."""
    ids = message.id if isinstance(message.id, tuple | list) else [message.id]
    strings = message.string if isinstance(message.string, tuple | list) else [message.string]
    return ((ids[-1], translated or "") for translated in strings)


def blanks(sentence: str) -> list[str]:
    """The named blanks of a sentence."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def typed(sentence: str) -> list[str]:
    """What a reader is to type: commands, settings and files as they are called in every language."""
    marked = "`[^`]+`|--[a-z]+|/[a-z]+|REELSEEK_[A-Z_]+(?:=[a-z]+)?|https?://|reelseek up"
    return sorted(re.findall(marked, sentence))


def test_every_sentence_is_there(catalogue: Catalog) -> None:
    """Whatever is said in English can be said in each language, and a catalogue holds nothing else."""
    plural = dict(PLURALS)
    singular = {*ERROR_MESSAGES.values(), *Msg} - {*plural, *plural.values()}
    wanted = {*map(str, singular), *((str(one), str(many)) for one, many in PLURALS)}
    assert {message.id for message in catalogue if message.id} == wanted
    assert not catalogue.obsolete


def test_translations_are_whole(catalogue: Catalog, spoken: str) -> None:
    """No translation is empty, a guess, or English; each has its sentence's blanks, and what is typed stays."""
    for message in catalogue:
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        for english, translated in translations(message):
            assert translated, english
            assert blanks(translated) == blanks(english), english
            assert typed(translated) == typed(english), english
            assert english in SAME_EVERYWHERE or SCRIPTS[spoken].search(translated), english


@pytest.mark.parametrize("code", ErrorCode)
def test_failures_are_not_said_alike(spoken: str, code: ErrorCode) -> None:
    """In each language each failure has its own words."""
    with use_locale(spoken):
        assert [other for other in ErrorCode if translate(other) == translate(code)] == [code]


def test_everything_counted_has_a_plural() -> None:
    """Whatever the bots count is in the catalogues with its plural."""
    counted = set()
    for file in Path(next(iter(bots.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name("count"), args=[_, ast.Attribute(attr=one), ast.Attribute(attr=many)]):
                    counted.add((Msg[one], Msg[many]))
    assert counted == set(PLURALS)


def test_names_of_commands_can_be_names(spoken: str) -> None:
    """A command's name is one word in small letters, as Discord wants it, and no two are the same."""
    names = [text for text in Msg if text.name.startswith("NAME_")]
    with use_locale(spoken):
        said = [translate(name) for name in names]
    assert all(re.fullmatch(r"[-_\w]{1,32}", name) and name == name.lower() for name in said)
    assert len(set(said)) == len(names)


def test_the_catalogues_are_up_to_date(spoken: str) -> None:
    """`python -m bots.i18n.update_catalogs` changes nothing."""
    old = stored(spoken).read_bytes()
    assert updated(spoken, old) == old


def test_a_new_language_begins_empty(spoken: str) -> None:
    """A catalogue that is not there yet is made with every sentence, as is one whose sentences are all others'."""
    new = updated(spoken, b"")
    assert f'msgid "{Msg.TAGLINE}"\nmsgstr ""' in new.decode()
    assert updated(spoken, b'msgid "Nobody says this"\nmsgstr "x"\n') == new


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [
        ("ko-KR", "ko"),
        ("ko_KR.UTF-8", "ko"),
        ("KO", "ko"),
        ("zh-TW", "zh"),
        ("zh-Hans-CN", "zh"),
        ("en-GB", "en"),
        ("pt", "en"),
        ("C.UTF-8", "en"),
        ("", "en"),
    ],
)
def test_the_nearest_language(locale: str, spoken: str) -> None:
    """A region's language is its language's; whoever speaks none of ours reads English."""
    assert language(locale) == spoken


@pytest.mark.parametrize(
    ("spoken", "day", "one", "many"),
    [
        ("en", "Nov 21, 2026", "1 video", "1,204 videos"),
        ("ko", "2026년 11월 21일", "동영상 1개", "동영상 1,204개"),
        ("zh", "2026年11月21日", "1 个视频", "1,204 个视频"),
    ],
)
def test_days_and_counts(spoken: str, day: str, one: str, many: str) -> None:
    """Days and numbers of things are written as each language writes them."""
    with use_locale(spoken):
        assert date("2026-11-21T09:30:00+00:00") == day
        assert count(1, Msg.VIDEOS_ONE, Msg.VIDEOS) == one
        assert count(1204, Msg.VIDEOS_ONE, Msg.VIDEOS) == many


def test_speaking_ends() -> None:
    """After a stretch in another language the one before is spoken again, even if something failed."""
    with use_locale("ko"):
        with use_locale("zh"):
            assert translate(Msg.SEARCH) == "搜索"
        assert translate(Msg.SEARCH) == "검색"
        with pytest.raises(ZeroDivisionError), use_locale("zh"):
            _ = 1 / 0
        assert translate(Msg.SEARCH) == "검색"
    assert translate(Msg.SEARCH) == "Search"


async def test_tasks_keep_the_language() -> None:
    """What was begun in a language goes on in it, beside others, after its beginner has gone on to another."""
    ended = asyncio.Event()

    async def tell() -> str:
        await ended.wait()
        return await asyncio.to_thread(translate, Msg.SEARCH)

    with use_locale("ko"):
        korean = asyncio.create_task(tell())
    with use_locale("zh"):
        chinese = asyncio.create_task(tell())
    english = asyncio.create_task(tell())
    ended.set()
    assert [await korean, await chinese, await english] == ["검색", "搜索", "Search"]
