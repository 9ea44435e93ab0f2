"""Words in addition to a picture: what they say about it."""

import pytest

from text.references import strip_reference


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("this, but at night", "at night"),
        ("This but with two dogs, running", "with two dogs, running"),
        ("the same picture, only in the snow", "in the snow"),
        ("like this one, indoors", "indoors"),
        ("but without people", "without people"),
        ("이거인데 밤에", "밤에"),
        ("이 장면이지만 눈밭에서", "눈밭에서"),
        ("똑같은데, 비 오는 날", "비 오는 날"),
        ("这个，但是在晚上", "在晚上"),
        ("一样的，不过在雪地里", "在雪地里"),
        ("at night", "at night"),
        ("this dog in the snow", "this dog in the snow"),
        ("butter on bread", "butter on bread"),
        ("item, butler", "item, butler"),
        ("이거 뭐예요", "이거 뭐예요"),
        ("", ""),
    ],
)
def test_reference_to_the_picture_is_left_out(words: str, change: str) -> None:
    """The comma after it does not part the words into two queries, and a query that only begins alike stays."""
    assert strip_reference(words) == change
