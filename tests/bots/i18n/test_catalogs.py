"""The catalogs of translations, and the current language."""

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
from bots.i18n.cli_messages import CliMsg
from bots.i18n.error_messages import ERROR_MESSAGES
from bots.i18n.messages import Msg
from bots.i18n.translate import LANGUAGES, choose_language, format_count, format_date, translate, use_locale
from bots.i18n.update_catalogs import PLURALS, catalog_path, read_model_reasons, update_catalog
from worker.protocol.error_codes import ErrorCode

OTHERS = LANGUAGES[1:]
SCRIPTS = {"ko": re.compile("[가-힣]"), "zh": re.compile("[\u4e00-\u9fff]")}
"""Letters that a translation contains."""
UNTRANSLATED = {Msg.MODEL_LINE}
"""Messages that consist of placeholders."""


@pytest.fixture(params=OTHERS)
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def catalog(language: str) -> Catalog:
    with catalog_path(language).open("rb") as file:
        return read_po(file, locale=language)


def translations(message: Message) -> Iterator[tuple[str, str]]:
    """Yield each translation with its English sentence."""
    ids = message.id if isinstance(message.id, tuple | list) else [message.id]
    strings = message.string if isinstance(message.string, tuple | list) else [message.string]
    return ((ids[-1], translated or "") for translated in strings)


def placeholders(sentence: str) -> list[str]:
    """Return the names of the placeholders of a sentence."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def literals(sentence: str) -> list[str]:
    """Return what a reader types, which is the same in every language: commands, settings and addresses."""
    marked = "`[^`]+`|--[a-z]+|/[a-z]+|REELSEEK_[A-Z_]+(?:=[a-z]+)?|https?://|reelseek up"
    return sorted(re.findall(marked, sentence))


def test_catalog_has_exactly_the_english_sentences(catalog: Catalog) -> None:
    plural = dict(PLURALS)
    singular = {*ERROR_MESSAGES.values(), *Msg, *CliMsg} - {*plural, *plural.values()}
    wanted = {*map(str, singular), *((str(one), str(many)) for one, many in PLURALS), *read_model_reasons()}
    assert {message.id for message in catalog if message.id} == wanted
    assert not catalog.obsolete


def test_translations_are_complete(catalog: Catalog, language: str) -> None:
    """None is empty, fuzzy or English. Each keeps the placeholders of its sentence, and what a reader types."""
    for message in catalog:
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        for english, translated in translations(message):
            assert translated, english
            assert placeholders(translated) == placeholders(english), english
            assert literals(translated) == literals(english), english
            assert english in UNTRANSLATED or SCRIPTS[language].search(translated), english


@pytest.mark.parametrize("code", ErrorCode)
def test_error_codes_have_different_sentences_in_each_language(language: str, code: ErrorCode) -> None:
    with use_locale(language):
        assert [other for other in ErrorCode if translate(other) == translate(code)] == [code]


def test_everything_that_is_counted_has_a_plural() -> None:
    counted = set()
    for file in Path(next(iter(bots.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name("format_count"), args=[_, ast.Attribute(attr=one), ast.Attribute(attr=many)]
                ):
                    counted.add((Msg[one], Msg[many]))
    assert counted == set(PLURALS)


def test_names_of_commands_are_valid_for_discord(language: str) -> None:
    """One word in lower case, and no two are the same."""
    names = [text for text in Msg if text.name.startswith("NAME_")]
    with use_locale(language):
        translated = [translate(name) for name in names]
    assert all(re.fullmatch(r"[-_\w]{1,32}", name) and name == name.lower() for name in translated)
    assert len(set(translated)) == len(names)


def test_update_catalogs_changes_nothing(language: str) -> None:
    old = catalog_path(language).read_bytes()
    assert update_catalog(language, old) == old


def test_new_catalog_has_every_sentence_without_translation(language: str) -> None:
    """Sentences that are not in the code are dropped."""
    new = update_catalog(language, b"")
    assert f'msgid "{Msg.TAGLINE}"\nmsgstr ""' in new.decode()
    assert update_catalog(language, b'msgid "Not in the code"\nmsgstr "x"\n') == new


@pytest.mark.parametrize(
    ("locale", "language"),
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
def test_locale_is_mapped_to_its_language_or_english(locale: str, language: str) -> None:
    assert choose_language(locale) == language


@pytest.mark.parametrize(
    ("language", "day", "one", "many"),
    [
        ("en", "Nov 21, 2026", "1 video", "1,204 videos"),
        ("ko", "2026년 11월 21일", "동영상 1개", "동영상 1,204개"),
        ("zh", "2026年11月21日", "1 个视频", "1,204 个视频"),
    ],
)
def test_days_and_counts_have_the_format_of_the_language(language: str, day: str, one: str, many: str) -> None:
    with use_locale(language):
        assert format_date("2026-11-21T09:30:00+00:00") == day
        assert format_count(1, Msg.VIDEOS_ONE, Msg.VIDEOS) == one
        assert format_count(1204, Msg.VIDEOS_ONE, Msg.VIDEOS) == many


def test_use_locale_restores_the_previous_language() -> None:
    """Also after an exception."""
    with use_locale("ko"):
        with use_locale("zh"):
            assert translate(Msg.SEARCH) == "搜索"
        assert translate(Msg.SEARCH) == "검색"
        with pytest.raises(ZeroDivisionError), use_locale("zh"):
            _ = 1 / 0
        assert translate(Msg.SEARCH) == "검색"
    assert translate(Msg.SEARCH) == "Search"


async def test_tasks_and_threads_keep_the_language_in_which_they_were_started() -> None:
    gate = asyncio.Event()

    async def translate_later() -> str:
        await gate.wait()
        return await asyncio.to_thread(translate, Msg.SEARCH)

    with use_locale("ko"):
        korean = asyncio.create_task(translate_later())
    with use_locale("zh"):
        chinese = asyncio.create_task(translate_later())
    english = asyncio.create_task(translate_later())
    gate.set()
    assert [await korean, await chinese, await english] == ["검색", "搜索", "Search"]
