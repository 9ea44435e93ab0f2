"""What a query does not want, in three languages."""

import pytest

from text.negation import SplitQuery, join_negations, split_negation


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("a dog but no people", "a dog", "people"),
        ("a dog, but not on a leash", "a dog", "on a leash"),
        ("a mountain without any snow at night", "a mountain at night", "snow"),
        ("a boy who isn't jumping", "a boy", "jumping"),
        ("a dog that is not black in the park", "a dog in the park", "black"),
        ("a beach with no dogs", "a beach", "dogs"),
        ("a beach with nobody on it", "a beach on it", "people"),
        ("a street without anyone", "a street", "people"),
        ("사람 없는 해변", "해변", "사람"),
        ("사람이 없는 해변", "해변", "사람"),
        ("사람없는 해변", "해변", "사람"),
        ("고양이 없는 집", "집", "고양이"),
        ("빨간색이 아닌 자동차", "자동차", "빨간색"),
        ("잔디 위가 아닌 곳에 있는 개", "개", "잔디 위"),
        ("강아지 말고 고양이", "고양이", "강아지"),
        ("목줄 없이 뛰는 개", "뛰는 개", "목줄"),
        ("점프하지 않는 남자아이", "남자아이", "점프"),
        ("뛰지 않는 개", "개", "뛰기"),
        ("아무도 없는 거리", "거리", "사람"),
        ("没有人的海滩", "海滩", "人"),
        ("沒有人的海灘", "海灘", "人"),
        ("海滩，没有狗", "海滩", "狗"),
        ("不是红色的汽车", "汽车", "红色"),
        ("不戴帽子的男人", "男人", "戴帽子"),
        ("不在草地上的狗", "狗", "在草地上"),
        ("除了狗以外的动物", "动物", "狗"),
        ("no people", "", "people"),
    ],
)
def test_text_is_split_into_what_is_wanted_and_what_is_not(text: str, wanted: str, unwanted: str) -> None:
    assert split_negation(text) == SplitQuery(wanted, (unwanted,))


def test_text_can_exclude_several_things() -> None:
    assert split_negation("a beach without people and no dogs") == SplitQuery("a beach", ("people", "dogs"))


@pytest.mark.parametrize(
    "text",
    [
        *("no parking sign", "a sign that says no smoking", "“no diving” sign by a pool", "no dogs allowed"),
        *("No Country for Old Men", "Dr. No", "not only dogs", "why not", "no. 7 jersey", "a no-look pass"),
        *("whether or not it rains", "yes or no", "without", "snow on a knot", "not yet", "NO"),
        *(
            "끊임없이 달리는 말",
            "사람 없이는 안 되는 일",
            "어쩔 수 없는 상황",
            "끝없는 사막",
            "집 안에 있는 개",
            "다름 아닌 개",
        ),
        *("不锈钢锅", "不倒翁", "有没有狗", "是不是狗", "不断奔跑的马", "不同的颜色", "不得不跑", "无人机", "不仅有狗"),
        *("a dog in the snow", "눈밭의 강아지", "雪地里的狗", "犬が走る", ""),
    ],
)
def test_names_and_idioms_stay_whole(text: str) -> None:
    assert split_negation(text) == SplitQuery(text)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (["a dog", "but no people"], ["a dog, but no people"]),
        (["red car", "dog", "no people"], ["red car", "dog, no people"]),
        (["no people", "beach"], ["no people, beach"]),
        (["dog", "snow"], ["dog", "snow"]),
        ([], []),
    ],
)
def test_part_that_only_negates_is_joined_to_another(parts: list[str], joined: list[str]) -> None:
    assert join_negations(parts) == joined
