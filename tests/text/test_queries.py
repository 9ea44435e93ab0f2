"""Queries as people type them on chat platforms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.queries import clean_query

MOMENT = "moment:1b4e28ba-2fa1-51d2-883f-0016d3cca427"


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("a dog <:doge:123456789012345678>", "a dog"),
        ("a cat <a:dance:99> sleeps", "a cat sleeps"),
        ("<@123> <@!123> <@&1> <#5> a dog", "a dog"),
        ("dogs <t:1700000000:R> </find:123> </settings watched:9> <id:customize>", "dogs"),
        ("dogs <sound:1327029497592496202:1327029542324633722>", "dogs"),
        ("<@U1|ann> dances", "ann dances"),
        ("<#C1|general> dogs", "general dogs"),
        ("<!here> dogs <!subteam^S1> <!channel>", "dogs"),
        ("dogs <!date^1392734382^{date}|Feb 18>", "dogs Feb 18"),
        ("<https://a.example/x|a dog> runs", "a dog runs"),
        ("<mailto:ann@a.example|ann@a.example>", "ann@a.example"),
        ("[a dog, two cats](https://a.example/x_(y)) run", "a dog, two cats run"),
        ("@everyone a dog @here", "a dog"),
        ("cats &amp; dogs &lt;3 &#39;hi&#39;", "cats & dogs <3 'hi'"),
        ("**a** __big__ *dog* _runs_ ***fast***", "a big dog runs fast"),
        ("||a **dog**|| ~~not~~ ~a cat~", "a dog not a cat"),
        ("**강아지**가 _눈_에서 *논다*", "강아지가 눈에서 논다"),
        ("**小狗**在玩", "小狗在玩"),
        ("`a dog` ```py\nruns```", "a dog runs"),
        ("> a dog\n> runs", "a dog runs"),
        (">>> a dog", "a dog"),
        ("# A dog\n- runs\n-# in snow", "A dog runs in snow"),
        (r"a \*dog\* runs", "a *dog* runs"),
        (":dog: in :snowflake: :partyparrot:", "🐶 in ❄️"),
        ("  a \u200bd\u00adog\n", "a dog"),
        ("👨‍👩‍👧 dance", "👨‍👩‍👧 dance"),
    ],
)
def test_markup_is_removed_and_words_stay(typed: str, query: str) -> None:
    assert clean_query(typed) == query


@pytest.mark.parametrize(
    "query",
    ["2*3*4", "snake_case_name", "5 > 3", "C# code", "#1 fan", "~50 dogs", "12:30:45", "AT&T", "a@here.com", "<3",
     "3,5 km", "-5 degrees", "안녕~ 강아지~", "5~10 dogs", "*", MOMENT],
)  # fmt: skip
def test_plain_text_is_not_taken_for_markup(query: str) -> None:
    assert clean_query(query) == ("" if query == "*" else query)


@pytest.mark.parametrize(
    "typed",
    ["", " ", "...", "?!", "。。。", "…", "<:doge:123>", "<@123>", "<@&1> <#5>", "<!here>", "<t:1:R>", "@everyone",
     "****", "|| ||", "> ", "# ", ":partyparrot:", "\u200b\u200d\ufeff", "\u3164", "\u2800", "\ufe0f", "\U0001f3fd",
     "---", "&nbsp;", "```\n```", "\x00\x07", "\u202e", "\U000e0041"],
)  # fmt: skip
def test_nothing_to_look_for_gives_an_empty_query(typed: str) -> None:
    """Only punctuation, only markup or only characters that are not seen."""
    assert clean_query(typed) == ""


@given(st.text("*_~|`<>@#:[]()&;\\ \na1가🐶\u200b", max_size=200))
def test_cleaning_any_mix_of_marks_gives_one_line(typed: str) -> None:
    """Any mix of marks (Hypothesis)."""
    query = clean_query(typed)
    assert query == " ".join(query.split())
