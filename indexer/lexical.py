"""Words as sparse vectors for BM25, and the stretch of a text that answers a query.

The engine's own BM25 does the work (stop words and stemming of English, folding of accents, hashing). It splits words
at spaces, which Korean, Chinese and Japanese do not set between a word and what grammar adds to it, so these are first
cut into pairs of characters, as Lucene's CJK analyzer does. A document gets its single characters too, for words of
one (눈, 狗). A query is freed of the commonest grammar first, so that 강아지가 asks for 강아지 alone.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

import qdrant_edge as qe

from indexer.vectors.vector_store import SparseWords

SNIPPET_CHARS = 120

# Of a usual moment: its title, some description, a few seconds of speech. In words.
TYPICAL_LENGTH = 64.0

# Here every document is a video: these words tell none from another.
SAID_OF_ALL = {"video", "videos", "clip", "clips", "footage", "영상", "동영", "장면", "视频", "影片", "画面"}

_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0002fa1f"
_CJK = re.compile(f"[{_UNSPACED}]+")
_CJK_OR_WORD = re.compile(rf"(?P<cjk>[{_UNSPACED}]+)|[^\W{_UNSPACED}]+")
_GRAMMAR = re.compile(
    r"[的了着在是和与一个只里]"
    r"|(?<=[가-힣])(?:에서|에게|으로|까지|부터|처럼|하는|있는)$"
    r"|(?<=[가-힣]{2})[가이을를은는의에도와과로]$"
)


@cache
def _bm25() -> qe.Bm25:
    stopwords = qe.StopwordsSet(languages={qe.Language.English}, custom=SAID_OF_ALL)
    return qe.Bm25(
        qe.Bm25Config(
            avg_len=TYPICAL_LENGTH,
            tokenizer=qe.TokenizerType.Word,
            language="english",
            ascii_folding=True,
            stopwords=stopwords,
        )
    )


def document_words(text: str) -> SparseWords:
    """The sparse vector that a moment's words are stored as; the store's IDF completes it to BM25."""
    vector = _bm25().embed_document(_CJK.sub(lambda run: _spaced(_pairs_and_singles(run[0])), _plain(text)))
    return SparseWords(tuple(vector.indices), tuple(vector.values))


def query_words(text: str) -> SparseWords:
    """The sparse vector that a query's words are asked with. Empty where it has none but stop words."""
    vector = _bm25().embed_query(_CJK.sub(lambda run: _spaced(_asked_pairs(run[0])), _plain(text)))
    return SparseWords(tuple(vector.indices), tuple(vector.values))


def snippet(text: str, query: str) -> str:
    """The stretch of at most `SNIPPET_CHARS` characters around the most words of `query`; empty where none occurs."""
    text = " ".join(_plain(text).split())
    marks = list(_marks(text, frozenset(query_words(query).indices)))
    if not marks:
        return ""
    private_channel = SNIPPET_CHARS - 2
    ends = [end for _, end, _ in marks]
    stretches = [
        marks[i : max(i + 1, bisect_right(ends, start + private_channel))] for i, (start, _, _) in enumerate(marks)
    ]
    best = max(stretches, key=lambda stretch: len({index for _, _, index in stretch}))
    return _cut(text, best[0][0], best[-1][1], private_channel)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _spaced(grams: list[str]) -> str:
    return f" {' '.join(grams)} "


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


def _pairs_and_singles(run: str) -> list[str]:
    return [*_pairs(run), *run] if len(run) > 1 else [run]


def _asked_pairs(run: str) -> list[str]:
    return [pair for part in _GRAMMAR.sub(" ", run).split() for pair in _pairs(part)]


def _marks(text: str, wanted: frozenset[int]) -> Iterator[tuple[int, int, int]]:
    """Where the wanted words stand: first character, the one after the last, and which word."""
    index_of: dict[str, int | None] = {}
    for start, gram in _grams(text):
        if gram not in index_of:
            index_of[gram] = next(iter(wanted.intersection(_bm25().embed_query(gram).indices)), None)
        index = index_of[gram]
        if index is not None:
            yield start, start + len(gram), index


def _grams(text: str) -> Iterator[tuple[int, str]]:
    """The words of a text, and the singles and pairs of its unspaced stretches, each with where it begins."""
    for word in _CJK_OR_WORD.finditer(text):
        if word["cjk"] is None:
            yield word.start(), word[0]
            continue
        for at in range(word.start(), word.end()):
            yield at, text[at]
            if at + 1 < word.end():
                yield at, text[at : at + 2]


def _cut(text: str, start: int, stop: int, private_channel: int) -> str:
    """`text[start:stop]` with as much around it as there is room for, in whole words."""
    begin = max(0, min(start - (private_channel - (stop - start)) // 2, len(text) - private_channel))
    end = min(len(text), begin + private_channel)
    if begin > 0:
        begin = text.find(" ", begin, start) + 1 or begin
    if end < len(text):
        end = max(text.rfind(" ", stop, end), stop) if " " in text[stop:end] else end
    return ("…" if begin > 0 else "") + text[begin:end].strip() + ("…" if end < len(text) else "")
