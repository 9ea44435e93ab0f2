"""Names of emoji."""

import emoji
import pytest

from text.emoji_names import find_emoji, name_emoji, name_in, replace_shortcodes
from text.languages import LANGUAGES, Language


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ("🐶", ("dog", "강아지", "狗")),
        ("🐕", ("dog", "개", "狗")),
        ("🐱", ("cat", "고양이", "猫")),
        ("🚗", ("car", "자동차", "汽车")),
        ("🎂", ("birthday cake", "생일 케이크", "生日蛋糕")),
        ("☀️", ("sun", "태양", "太阳")),
        ("☀", ("sun", "태양", "太阳")),
        ("🇰🇷", ("South Korea", "대한민국", "韩国")),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", ("England", "잉글랜드", "英格兰")),
        ("👍🏽", ("thumbs up", "올린 엄지", "拇指向上")),
        ("👨🏻‍🤝‍👨🏿", ("men holding hands", "손을 잡고 있는 두 명의 남자", "手拉手的两个男人")),
        ("👩🏽‍🚀", ("woman astronaut", "여자 우주비행사", "女宇航员")),
        ("🐕‍🦺", ("service dog", "보조견", "服务犬")),
    ],
)
def test_emoji_has_a_name_in_each_language(found: str, names: tuple[str, ...]) -> None:
    """Skin tones, flags and joined emoji have names, too."""
    assert tuple(name_in(found, language) for language in LANGUAGES) == names


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_has_a_skin_tone(language: Language) -> None:
    named = {name_in(found, language) for found in emoji.EMOJI_DATA if find_emoji(found) == [(0, len(found))]}
    assert not [name for name in named if "skin tone" in name or "피부" in name or "肤色" in name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_emoji_has_a_name(language: Language) -> None:
    """All emoji of Unicode, except signs that are text: ©, ®, digits in a box and a skin tone alone."""
    unnamed = {found for found in emoji.EMOJI_DATA if find_emoji(found) != [(0, len(found))]}
    assert {found.strip("\ufe0f\u20e3") for found in unnamed} == {*"©®#*0123456789", *"🏻🏼🏽🏾🏿"}
    assert all(name_in(found, language).strip() for found in emoji.EMOJI_DATA if found not in unnamed)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("🐶 in snow", "dog in snow"),
        ("눈 위의 🐶", "눈 위의 강아지"),
        ("雪地里的🐶", "雪地里的 狗"),
        ("日本の🐶です", "日本の dog です"),
        ("🔥🔥 🔥 dance", "fire dance"),
        ("🐶🚗🐶", "dog car dog"),
        ("a dog, no emoji © 2024", "a dog, no emoji © 2024"),
    ],
)
def test_emoji_are_named_in_the_language_of_the_text(text: str, named: str) -> None:
    """A repeated emoji is named once."""
    assert name_emoji(text) == named


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        (":dog: in snow", "🐶 in snow"),
        (":+1:", "👍"),
        (":flag-kr:", "🇰🇷"),
        (":flag_kr:", "🇰🇷"),
        (":flag-scotland:", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"),
        (":100:", "💯"),
        (":female-cook:", "👩‍🍳"),
        (":man-woman-girl:", "👨‍👩‍👧"),
        (":first_place_medal:", "🥇"),
        (":snow_cloud:", "🌨️"),
        (":snowman: :egg:", "☃️ 🥚"),
        (":woman-running:", "🏃‍♀️"),
        (":thumbsup::skin-tone-3:", "👍 "),
        ("a dog :partyparrot:", "a dog  "),
        ("12:30:45", "12:30:45"),
        ("goals at 1:10 and 2:20:30", "goals at 1:10 and 2:20:30"),
        ("moment:0f:1a", "moment:0f:1a"),
    ],
)
def test_shortcodes_become_emoji(text: str, replaced: str) -> None:
    """A community's own emoji are removed, and times stay."""
    assert replace_shortcodes(text) == replaced
