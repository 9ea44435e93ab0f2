"""Words as sparse vectors for BM25, and the part of a text that matches a query.

The engine's own BM25 does the work: English stop words and stemming, hashing. It splits words at spaces, which Korean,
Chinese and Japanese do not write between a word and its grammatical endings, so these are first split into pairs of
characters, as Lucene's CJK analyzer does. A document also gets its single characters, for words of one character (눈,
狗). The most frequent grammatical endings are removed from a query, so that 강아지가 searches for 강아지 only.

Both are folded (`text.folding`), and emoji are words: a document has the names of its emoji in all languages, a query
those in its own language.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import Final

import qdrant_edge as qe

from indexer.korean import strip_particles
from indexer.vectors.vector_store import SparseWords
from text.emoji_names import find_emoji, name_emoji, name_emoji_in_all_languages
from text.folding import fold
from text.invisible import remove_invisible

MAX_SNIPPET_CHARS: Final = 120

TYPICAL_LENGTH: Final = 64.0
"""Average length of a moment's text in words, for BM25: its title, some description, a few seconds of speech."""

NO_WORDS: Final = SparseWords((0,), (1.0,))
"""Vector of a text without words: a word that no query has.

The engine's IDF counts the vectors that were not empty when they were first stored. With empty ones, it would be
negative in a library in which most moments have no words, and none would be found by them.
"""

STOP_WORDS: Final = {"video", "videos", "clip", "clips", "footage", "영상", "동영", "장면", "视频", "影片", "画面"}
"""Words that do not distinguish documents here, because every document is a video."""

_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0002fa1f"
_CJK = re.compile(f"[{_UNSPACED}]+")
_CJK_OR_WORD = re.compile(rf"(?P<cjk>[{_UNSPACED}]+)|\d{{1,3}}(?:,\d{{3}})+(?![\d,])|[^\W{_UNSPACED}]+")
_CHINESE_GRAMMAR = re.compile("[的了着在是和与一个只里]")


@cache
def _bm25() -> qe.Bm25:
    stop_words = qe.StopwordsSet(languages={qe.Language.English}, custom=STOP_WORDS)
    return qe.Bm25(
        qe.Bm25Config(
            avg_len=TYPICAL_LENGTH,
            tokenizer=qe.TokenizerType.Word,
            language="english",
            ascii_folding=True,
            stopwords=stop_words,
        )
    )


def document_words(text: str) -> SparseWords:
    """Return the sparse vector to store for a moment's text. The store's IDF completes it to BM25.

    A text without words gets `NO_WORDS`.
    """
    text = fold(name_emoji_in_all_languages(_normalize(text)))
    vector = _bm25().embed_document(_CJK.sub(lambda run: _between_spaces(_pairs_and_singles(run[0])), text))
    return SparseWords(tuple(vector.indices), tuple(vector.values)) if vector.indices else NO_WORDS


def query_words(text: str) -> SparseWords:
    """Return the sparse vector to search with. It is empty if the text has only stop words."""
    text = fold(name_emoji(_normalize(text)))
    vector = _bm25().embed_query(_CJK.sub(lambda run: _between_spaces(_query_pairs(run[0])), text))
    return SparseWords(tuple(vector.indices), tuple(vector.values))


def snippet(text: str, query: str) -> str | None:
    """Return the part of a text that contains the most words of a query, or None if it contains none of them.

    The part has at most `MAX_SNIPPET_CHARS` characters.
    """
    text = " ".join(_normalize(text).split())
    matches = list(_matches(text, frozenset(query_words(query).indices)))
    if not matches:
        return None
    max_chars = MAX_SNIPPET_CHARS - 2
    ends = [end for _, end, _ in matches]
    windows = [
        matches[i : max(i + 1, bisect_right(ends, start + max_chars))] for i, (start, _, _) in enumerate(matches)
    ]
    best = max(windows, key=lambda window: len({index for _, _, index in window}))
    return _cut(text, best[0][0], best[-1][1], max_chars)


def find_first_match(text: str, query: str) -> float | None:
    """Return the share of a text, 0 to 1, that is before the first of a query's words, or None if it has none."""
    text = " ".join(_normalize(text).split())
    first = next(_matches(text, frozenset(query_words(query).indices)), None)
    return None if first is None else first[0] / len(text)


def count_matches(text: str, query: str) -> int:
    """Return how many distinct words of a query a text contains."""
    return len(set(query_words(query).indices) & set(document_words(text).indices))


def _normalize(text: str) -> str:
    """Return a text in Unicode's compatibility form (NFKC), without characters that are not seen."""
    return unicodedata.normalize("NFKC", remove_invisible(text))


def _between_spaces(grams: list[str]) -> str:
    return f" {' '.join(grams)} "


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


def _pairs_and_singles(run: str) -> list[str]:
    return [*_pairs(run), *run] if len(run) > 1 else [run]


def _query_pairs(run: str) -> list[str]:
    return [pair for part in _CHINESE_GRAMMAR.sub(" ", run).split() for pair in _pairs(strip_particles(part))]


def _matches(text: str, wanted: frozenset[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the positions of the wanted words: index of the first character, index after the last one, and the word."""
    index_of: dict[str, int | None] = {}
    for start, gram in sorted([*_grams(text), *((start, text[start:end]) for start, end in find_emoji(text))]):
        if gram not in index_of:
            index_of[gram] = next(iter(wanted.intersection(document_words(gram).indices)), None)
        index = index_of[gram]
        if index is not None:
            yield start, start + len(gram), index


def _grams(text: str) -> Iterator[tuple[int, str]]:
    """Yield each word, and each character and pair of characters of unspaced scripts, with its position."""
    for word in _CJK_OR_WORD.finditer(text):
        if word["cjk"] is None:
            yield word.start(), word[0]
            continue
        for at in range(word.start(), word.end()):
            yield at, text[at]
            if at + 1 < word.end():
                yield at, text[at : at + 2]


def _cut(text: str, start: int, stop: int, max_chars: int) -> str:
    """Return `text[start:stop]` with as much of the text around it as fits, in whole words."""
    begin = max(0, min(start - (max_chars - (stop - start)) // 2, len(text) - max_chars))
    end = min(len(text), begin + max_chars)
    if begin > 0:
        begin = text.find(" ", begin, start) + 1 or begin
    if end < len(text):
        end = max(text.rfind(" ", stop, end), stop) if " " in text[stop:end] else end
    return ("…" if begin > 0 else "") + text[begin:end].strip() + ("…" if end < len(text) else "")
