"""The unigram tokenizer on a small vocabulary."""

import pytest
from tokenizers import Tokenizer, models

from model.starter.unigram import UnigramTokenizer

PIECES = {"": 0.0, "<unk>": 0.0, "a": -3.0, "b": -3.5, "ab": -4.0, "abc": -9.0, "c": -2.0, "눈": -5.0, "눈사람": -6.0}


@pytest.fixture
def tokenizer() -> UnigramTokenizer:
    return UnigramTokenizer(list(PIECES), list(PIECES.values()), unknown=1)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("abc", ["ab", "c"]),
        ("aab", ["a", "ab"]),
        ("눈사람", ["눈사람"]),
        ("눈사", ["눈", "<unk>"]),
        ("xyzaxy", ["<unk>", "a", "<unk>"]),
        ("", []),
    ],
)
def test_most_likely_pieces_are_chosen(tokenizer: UnigramTokenizer, text: str, pieces: list[str]) -> None:
    """They are those of the tokenizers library. Adjacent unknown characters are one piece."""
    assert [list(PIECES)[each] for each in tokenizer.encode(text)] == pieces
    library = Tokenizer(models.Unigram([(piece or "<s>", score) for piece, score in PIECES.items()], unk_id=1))
    assert tokenizer.encode(text) == library.encode(text).ids
