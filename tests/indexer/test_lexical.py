"""How words match across languages, and what a snippet shows."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.lexical import SNIPPET_CHARS, document_words, query_words, snippet


def share(query: str, document: str) -> float:
    """How much of the query's words the document has."""
    asked, there = set(query_words(query).indices), set(document_words(document).indices)
    return len(asked & there) / len(asked)


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("dogs running", "The dog runs"),
        ("DOG", "a dog, asleep"),
        ("cafe", "Café"),
        ("ｄｏｇ", "dog"),
        ("don't stop the music", "Stop! Music."),
        ("강아지", "우리 강아지가 잔다"),
        ("강아지가", "강아지를 찾습니다"),
        ("강아지", unicodedata.normalize("NFD", "강아지")),
        ("운동장에서", "운동장"),
        ("개", "개가 뛴다"),
        ("小狗", "小狗在雪地里玩"),
        ("小狗在雪地", "雪地里的小狗"),
        ("狗", "小狗奔跑"),
        ("서울 타워", "Seoul 서울타워 night"),
        ("アニメ", "日本のアニメ"),
    ],
)
def test_a_query_matches_all_of_its_words(query: str, document: str) -> None:
    """Case, accents, widths, English endings, Korean particles and unspaced Chinese do not stand in the way."""
    assert share(query, document) == 1.0


@pytest.mark.parametrize(
    ("query", "document"), [("dog", "cat"), ("고양이", "강아지"), ("小猫", "小狗"), ("강", "눈"), ("man", "mandolin")]
)
def test_other_words_do_not_match(query: str, document: str) -> None:
    """A different word shares nothing."""
    assert share(query, document) == 0.0


@pytest.mark.parametrize("query", ["", "the of a", "video", "영상", "视频", "🐶", "?!"])
def test_words_that_tell_nothing_ask_for_nothing(query: str) -> None:
    """Stop words, and words that every video could be called by, are no question."""
    assert query_words(query).indices == ()


def test_half_a_question_is_half_answered() -> None:
    """The share of matched words is that of the words that count."""
    assert share("a man on a bike", "the man walks") == 0.5


def test_stored_words_stay_readable_by_later_versions() -> None:
    """The numbers of words are the same on every machine and in every release: stored vectors depend on them."""
    assert sorted(document_words("The dog plays in 눈 with 小狗").indices) == [
        114584985,
        297565131,
        305375201,
        1312749093,
        1524024720,
        1732471882,
    ]


def test_a_word_said_often_weighs_more_and_in_a_long_text_less() -> None:
    """The weights are BM25's: growing ever slower with each repetition, shrinking with length."""
    once, thrice = document_words("dog cat bird fish"), document_words("dog dog dog cat")
    index = query_words("dog").indices[0]
    long = document_words("dog " + "unrelated words follow here " * 50)
    weight = [dict(zip(words.indices, words.values, strict=True))[index] for words in (long, once, thrice)]
    assert weight == sorted(weight)
    assert weight[0] < weight[1] < weight[2] < 3 * weight[1]


TALK = "In this long talk we speak about many things. " * 10
STORY = f"{TALK}Then a dog jumps over the fence, and its owner laughs. {TALK}"


def test_a_snippet_shows_the_words_that_were_asked_for() -> None:
    """The stretch around most of the query's words, cut at spaces, with marks where it was cut."""
    shown = snippet(STORY, "owner of a dog at the fence")
    assert all(word in shown for word in ("dog", "fence", "owner"))
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert shown.strip("…") in STORY
    assert set(shown.strip("…").split()) <= set(STORY.split())


def test_a_short_text_is_shown_whole() -> None:
    """No marks where nothing was cut, and lines become one."""
    assert snippet("강아지가\n눈에서 논다", "강아지") == "강아지가 눈에서 논다"


def test_a_snippet_of_unspaced_text_is_cut_anywhere() -> None:
    """Chinese sentences are cut to size around the match."""
    shown = snippet("今天天气很好，我们去公园散步，" * 20 + "小狗在玩" + "然后我们回家吃饭。" * 20, "小狗")
    assert "小狗在玩" in shown
    assert len(shown) <= SNIPPET_CHARS


def test_no_match_has_no_snippet() -> None:
    """Nothing is shown that was not asked for."""
    assert snippet(STORY, "elephant") == ""
    assert snippet(STORY, "the") == ""
    assert snippet("", "dog") == ""


WORDS = st.sampled_from(["dog", "강아지가", "小狗在玩", "a", "x" * 150, "ﬁsh", "🐶", "\n", "1,5", "狗"])


@given(text=st.lists(WORDS, max_size=60).map(" ".join), query=st.lists(WORDS, max_size=4).map(" ".join))
def test_a_snippet_is_never_too_long_and_never_beside_the_point(text: str, query: str) -> None:
    """Whatever the text, at most so many characters come back, and the query matches them if it matches the text."""
    shown = snippet(text, query)
    matches = set(query_words(query).indices) & set(document_words(text).indices)
    assert len(shown) <= SNIPPET_CHARS
    assert bool(shown) == bool(matches)
