"""Questions about a picture in words: "this, but at night" says "at night"."""

import re
from typing import Final

_ENGLISH: Final = (
    r"(?:(?:just |exactly )?(?:like )?(?:this|that|it|the same)"
    r"(?: (?:one|thing|scene|picture|photo|image|clip|video))? *"
    r"(?:, *(?:but|only|except|just)?|\bbut|\bonly|\bexcept)|but)\b *"
)
_KOREAN: Final = (
    r"(?:이거|이것|그거|똑같|이 ?(?:장면|사진|그림|이미지|클립|영상|동영상))\w*?(?:인데|은데|한데|지만),? *"
)
_CHINESE: Final = (
    r"(?:这个|这张图?片?|这(?:段|个)视频|这样|一样|同样|相同)的? *"
    r"(?:[,，] *(?:但是?|不过|只是|可是)?|但是?|不过|只是|可是) *"
)
_REFERENCE: Final = re.compile(f"{_ENGLISH}|{_KOREAN}|{_CHINESE}", re.IGNORECASE)


def strip_reference(words: str) -> str:
    """Return what words say about a picture or clip that is searched with: how the moment differs from it.

    A text that does not begin with such a reference is returned as it is.
    """
    words = words.strip()
    found = _REFERENCE.match(words)
    return words[found.end() :].strip() if found else words
