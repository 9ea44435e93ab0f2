"""Comparison of texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.folding import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "CAFE"),
        (unicodedata.normalize("NFD", "Café"), "café"),
        ("Å", "a"),
        ("Ångström", "angstrom"),
        ("Straße", "STRASSE"),
        ("İstanbul", "ıstanbul"),
        ("Łódź", "lodz"),
        ("Søren", "SOREN"),
        ("Đà Nẵng", "da nang"),
        ("Ёлка", "елка"),
        ("ΑΘΉΝΑ", "αθηνα"),
        ("ＤＯＧ　１２３", "dog 123"),
        ("ｱﾆﾒ ｶﾞｯﾂ", "アニメ ガッツ"),
        (unicodedata.normalize("NFD", "강아지"), "강아지"),
        ("ﬁsh", "fish"),
        ("貓咪 臺灣 頭髮 麵條 裡面 裏面 後來", "猫咪 台湾 头发 面条 里面 里面 后来"),
        ("so\u00adft d\u200bog \ufeff", "soft dog"),
        ("a\u00a0dog\u3000runs\n", "a dog runs"),
        ("don’t “stop” — now", 'don\'t "stop" - now'),
        ("rock‑n‑roll ’90s", "rock-n-roll '90s"),
        ("1,000 people", "1000 people"),
        ("1,234,567명", "1234567명"),
        ("１０，０００人", "10000人"),
    ],
)
def test_spellings_of_a_text_are_equal(one: str, other: str) -> None:
    """Case, accents, widths, forms of Unicode, scripts of Chinese and invisible characters make no difference."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("가", "까"), ("カ", "ガ"), ("ハ", "パ"), ("강", "가"), ("हिन्दी", "हन्द"), ("ที่", "ท")],
)
def test_marks_that_distinguish_words_stay(one: str, other: str) -> None:
    """Parts of Hangul, kana, Devanagari and Thai are no accents."""
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.000", "1000"),
        ("3,5", "35"),
        ("1,2,3", "123"),
        ("2,0000", "20000"),
        ("1,000,00", "100000"),
        ("0.1,000", "0.1000"),
    ],
)
def test_separators_that_are_not_for_thousands_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """Any text of Unicode (Hypothesis)."""
    assert fold(fold(text)) == fold(text)
