"""Conversion of the two forms of video ids that Bilibili and Weibo use."""

from typing import Final

_BILIBILI_DIGITS: Final = "FcwAPNKTMug3GV5Lj7EJnHpWsx4tb8haYeviqBZ6rkCy12mUSDQX9RdoZf"
_BILIBILI_XOR: Final = 23442827791579
_BILIBILI_LIMIT: Final = 1 << 51
_WEIBO_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def av_to_bv(av: int) -> str:
    """Return the BV id of a Bilibili video that is named by its number (`av170001` is `BV17x411w7KC`).

    Raises `ValueError` if the number is too large.
    """
    if not 0 < av < _BILIBILI_LIMIT:
        raise ValueError(f"no Bilibili video has the number {av}")
    rest, digits = (_BILIBILI_LIMIT | av) ^ _BILIBILI_XOR, []
    while rest:
        rest, digit = divmod(rest, 58)
        digits.append(_BILIBILI_DIGITS[digit])
    code = digits[::-1]
    code[0], code[6] = code[6], code[0]
    code[1], code[4] = code[4], code[1]
    return "BV1" + "".join(code)


def bid_to_mid(bid: str) -> str:
    """Return the number of a Weibo post that is named by its short id: each four digits of base 62 are seven."""
    head = len(bid) % 4
    groups = [bid[:head]] * bool(head) + [bid[start : start + 4] for start in range(head, len(bid), 4)]
    numbers = [str(_from_base62(group)) for group in groups]
    return numbers[0] + "".join(number.zfill(7) for number in numbers[1:])


def _from_base62(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + _WEIBO_DIGITS.index(digit)
    return number
