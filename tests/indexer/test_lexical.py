"""Matching of words across languages, and snippets."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.lexical import MAX_SNIPPET_CHARS, document_words, query_words, snippet


def matched_share(query: str, document: str) -> float:
    """Return the share of the query's words that the document contains."""
    wanted, found = set(query_words(query).indices), set(document_words(document).indices)
    return len(wanted & found) / len(wanted)


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
        ("ｱﾆﾒ", "アニメ"),
        ("straße", "STRASSE"),
        ("Ёлка", "елка"),
        ("Ångström", "ångstrom"),
        ("학교에서는", "학교"),
        ("학교에서도", "학교 앞"),
        ("친구들과의", "친구와 논다"),
        ("강아지한테만", "우리 강아지가 잔다"),
        ("서울까지는", "서울역"),
        ("눈을", "눈이 온다"),
        ("고양이", "고양이가 잔다"),
        ("猫咪", "貓咪在睡覺"),
        ("貓咪", "猫咪在睡觉"),
        ("臺灣", "台湾小吃"),
        ("頭髮", "头发"),
        ("裏面", "里面"),
        ("🐶", "a dog runs"),
        ("🚗", "my new car"),
        ("🐶", "🐶🐶 day"),
        ("dog", "🐶 day"),
        ("car", "🚗 day"),
        ("강아지", "🐶 day"),
        ("狗", "🐶 day"),
        ("눈 위의 🐶", "눈 위의 강아지"),
        ("雪地里的🐶", "雪地里的狗"),
        ("thumbs up 👍🏽", "👍"),
        ("South Korea", "🇰🇷 vlog"),
        ("soft", "so\u00adft"),
        ("1000", "1,000 people at a concert"),
        ("1,000", "1000 people at a concert"),
        ("10000명", "10,000명이 모인 광장"),
        ("1000人", "1，000人的演唱会"),
        ("학교에서만이라도", "학교 앞"),
        ("강아지입니다", "강아지가 잔다"),
    ],
)
def test_query_matches_other_forms_of_its_words(query: str, document: str) -> None:
    """Case, accents, widths, English endings, Korean particles, Chinese scripts and missing spaces make no difference.

    Emoji are found by their names.
    """
    assert matched_share(query, document) == 1.0


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("dog", "cat"),
        ("고양이", "강아지"),
        ("小猫", "小狗"),
        ("강", "눈"),
        ("man", "mandolin"),
        ("🐶", "🚗"),
        ("🐶", "a car"),
    ],
)
def test_other_words_do_not_match(query: str, document: str) -> None:
    """A different word shares nothing."""
    assert matched_share(query, document) == 0.0


@pytest.mark.parametrize("query", ["", "the of a", "video", "영상", "视频", "視頻", "🏽", "?!"])
def test_query_of_stop_words_is_empty(query: str) -> None:
    """Words that fit every video are stop words, too."""
    assert query_words(query).indices == ()


def test_matched_share_leaves_out_stop_words() -> None:
    """One of two words that count is one half."""
    assert matched_share("a man on a bike", "the man walks") == 0.5


def test_word_indices_are_the_same_in_every_release() -> None:
    """Stored vectors depend on them."""
    assert sorted(document_words("The dog plays in 눈 with 小狗").indices) == [
        114584985,
        297565131,
        305375201,
        1312749093,
        1524024720,
        1732471882,
    ]


def test_weight_grows_with_repetition_and_shrinks_with_length() -> None:
    """It grows ever more slowly, as in BM25."""
    once, thrice = document_words("dog cat bird fish"), document_words("dog dog dog cat")
    index = query_words("dog").indices[0]
    long = document_words("dog " + "unrelated words follow here " * 50)
    weight = [dict(zip(words.indices, words.values, strict=True))[index] for words in (long, once, thrice)]
    assert weight == sorted(weight)
    assert weight[0] < weight[1] < weight[2] < 3 * weight[1]


TALK = "In this long talk we speak about many things. " * 10
STORY = f"{TALK}Then a dog jumps over the fence, and its owner laughs. {TALK}"


def test_snippet_contains_the_matching_words() -> None:
    """It is cut at spaces, with ellipses where text was left out."""
    shown = snippet(STORY, "owner of a dog at the fence")
    assert shown is not None
    assert all(word in shown for word in ("dog", "fence", "owner"))
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert shown.strip("…") in STORY
    assert set(shown.strip("…").split()) <= set(STORY.split())


def test_snippet_of_a_short_text_is_the_whole_text() -> None:
    """It has no ellipsis, and line breaks become spaces."""
    assert snippet("강아지가\n눈에서 논다", "강아지") == "강아지가 눈에서 논다"


def test_snippet_of_unspaced_text_is_cut_between_characters() -> None:
    """Chinese text is cut to the maximum length around the match."""
    shown = snippet("今天天气很好，我们去公园散步，" * 20 + "小狗在玩" + "然后我们回家吃饭。" * 20, "小狗")
    assert shown is not None
    assert "小狗在玩" in shown
    assert len(shown) <= MAX_SNIPPET_CHARS


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("My 🐶 day", "dog"),
        ("My 👩🏽‍🚀 day", "astronaut"),
        ("Café Olé", "CAFE"),
        ("貓咪在玩", "猫咪"),
        ("台湾", "臺灣"),
    ],
)
def test_snippet_shows_the_text_as_it_is_written(text: str, query: str) -> None:
    """Emoji, accents and the script of Chinese stay."""
    assert snippet(text, query) == text


def test_snippet_without_a_match_is_none() -> None:
    """Stop words are no match."""
    assert snippet(STORY, "elephant") is None
    assert snippet(STORY, "the") is None
    assert snippet("", "dog") is None


WORDS = st.sampled_from(["dog", "강아지가", "小狗在玩", "a", "x" * 150, "ﬁsh", "🐶", "👍🏽", "貓", "\n", "1,5", "狗"])


@given(text=st.lists(WORDS, max_size=60).map(" ".join), query=st.lists(WORDS, max_size=4).map(" ".join))
def test_snippet_is_short_and_present_exactly_if_the_text_matches(text: str, query: str) -> None:
    """Random texts and queries (Hypothesis)."""
    shown = snippet(text, query)
    matches = set(query_words(query).indices) & set(document_words(text).indices)
    assert len(shown or "") <= MAX_SNIPPET_CHARS
    assert bool(shown) == bool(matches)
    assert shown != ""
