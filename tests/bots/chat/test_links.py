"""Links as people write them."""

import pytest

from bots.chat.links import find_links

LINK = "https://youtu.be/dQw4w9WgXcQ"
OTHER = "https://example.com/a.mp4"


@pytest.mark.parametrize("link", [LINK, OTHER])
@pytest.mark.parametrize(
    "text",
    [
        "@",
        "see @, nice",
        "see @; nice",
        "@.",
        "@!!",
        "have you seen @?",
        "@...",
        "@…",
        "@ – yes",
        "(@)",
        "(@).",
        "[@]",
        "{@}",
        "<@>",
        "<@>,",
        "<@|a label>",
        "'@'",
        '"@"',
        "“@”",
        "‘@’",
        "«@»",
        "`@`",
        "```@```",
        "```\n@\n```",
        "||@||",
        "**@**",
        "*@*",
        "__@__",
        "_@_",
        "~~@~~",
        "***@***",
        "> @",
        "# @",
        "[clip](@)",
        "[clip](<@>)",
        '[clip](@ "a title")',
        "[@](@)",
        "![clip](@)",
        '<a href="@">clip</a>',
        "1. @",
        "1) @",
        "1.@",
        "- @",
        "-@",
        "* @",
        "• @",
        "·@",
        "① @",
        "clip:@",
        "see:@",
        "url=@",
        "view-source:@",
        "이거봐@",
        "링크:@",
        "링크：@",
        "看@，好笑",
        "看@！好笑",
        "看@？",
        "看@；",
        "@。",
        "@、",
        "@．本当",
        "「@」",
        "『@』を見て",
        "【@】",
        "（@）",
        "《@》",
        "〈@〉",
        "［@］",
        "“@”라고",
        "(@)이거",
        "看(@)哈哈",
        "**@**이거",
        "@😂",
        "👉@👈",
        "@　見て",
        "\ufeff@",
        "@\u200b",
        "\u200b@\u200b",
        "\u202a@\u202c",
        "\u2066@\u2069",
        "\u200e@",
        "@\nhello",
        "hello\t@",
        "\u00a0@\u00a0",
        "@ @",
        "@, @",
        "@|@",
        "@~",
        "@~~~",
        "&lt;@&gt;",
        "&quot;@&quot;",
        "[clip][1]\n\n[1]: @",
        "[1]: <@> 'a title'",
        "<@|<b>a label</b>>",
        "<@|a label (official)>",
        "1.@\n2.@",
        "<:smile:123>@",
        ":smile:@:+1::tada:",
        "@에서는",
        "@입니다",
        "@을",
        "@を見て",
        "@\u2028@",
    ],
)
def test_link_is_found_in_text_around_it(text: str, link: str) -> None:
    """Punctuation, brackets, markup, invisible characters and text of any script are no part of it."""
    assert find_links(text.replace("@", link)) == [link]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (f"{LINK}이거봐", [LINK]),
        (f"{LINK}を見て", [LINK]),
        (f"{LINK}真好笑", [LINK]),
        (f"{LINK}(이거)", [LINK]),
        (f"{LINK},nice", [LINK]),
        (f"{OTHER}이거봐", [OTHER]),
        ("https://example.com/watch/1을 봐", ["https://example.com/watch/1"]),
        ("https://example.com/watch?v=1에서는", ["https://example.com/watch?v=1"]),
        ("https://example.com/에서", ["https://example.com/"]),
        ("https://example.com/watch/1입니다.", ["https://example.com/watch/1"]),
        ("https://example.com/watch/1이에요!!", ["https://example.com/watch/1"]),
        ("https://example.com/watch/1ㅋㅋㅋ", ["https://example.com/watch/1"]),
        ("https://example.com/a.mp4?ex=1&hm=3&봐", ["https://example.com/a.mp4?ex=1&hm=3&"]),
        (f"{LINK}#태그", [LINK]),
        ("https://namu.wiki/w/K팝", None),
        ("https://ko.wikipedia.org/wiki/가", None),
        ("https://example.com에서", ["https://example.com"]),
        ("https://ko.wikipedia.org/wiki/강아지", ["https://ko.wikipedia.org/wiki/강아지"]),
        ("https://ko.wikipedia.org/wiki/강아지。끝", ["https://ko.wikipedia.org/wiki/강아지"]),
        ("https://zh.wikipedia.org/wiki/猫，好看", ["https://zh.wikipedia.org/wiki/猫"]),
        ("https://한글.kr/영상", ["https://한글.kr/영상"]),
        ("https://www.youtube.com/@강아지", ["https://www.youtube.com/@강아지"]),
        ("https://cdn.discordapp.com/attachments/1/2/고양이.mp4?ex=1&is=2&hm=3&", None),
    ],
)
def test_letters_of_any_script_stay_where_a_path_may_have_them(text: str, links: list[str] | None) -> None:
    """Video sites have ASCII letters only, so there a Korean, Chinese or Japanese letter begins the sentence again."""
    assert find_links(text) == (links or [text])


@pytest.mark.parametrize(
    "link",
    [
        "https://en.wikipedia.org/wiki/Cat_(film)",
        "https://example.com/a[1].mp4",
        "https://example.com/a,b;c.mp4",
        "https://example.com/it's.mp4",
        "https://example.com/a_b_",
        "https://example.com/a?b={1}",
        "https://youtu.be/abcdefghi-_",
        "https://web.archive.org/web/2020/https://youtu.be/dQw4w9WgXcQ",
        "https://www.youtube.com/redirect?q=https://youtu.be/dQw4w9WgXcQ",
        "https://cdn.discordapp.com/attachments/1/2/a.mp4?ex=1&is=2&hm=3&",
        "http://localhost:8000/a.mp4",
        "https://[::1]/a.mp4",
        "HTTPS://EXAMPLE.COM/A",
        "https://example.com/a%20b.mp4",
        "https://example.com/#/a",
        "https://example.com/~me/a.mp4",
        "http://good.example\\@127.0.0.1/",
    ],
)
def test_characters_of_an_address_stay(link: str) -> None:
    assert find_links(link) == [link]
    assert find_links(f"see {link} now") == [link]
    assert find_links(f"(see {link})") == [link]


@pytest.mark.parametrize(
    "text",
    [
        "ｈｔｔｐｓ：／／ｙｏｕｔｕ．ｂｅ／dQw4w9WgXcQ",
        "ｈｔｔｐｓ：／／ｙｏｕｔｕ．ｂｅ／ｄＱｗ４ｗ９ＷｇＸｃＱ",
        "https：//youtu.be/dQw4w9WgXcQ",
        "https://youtu。be/dQw4w9WgXcQ。",
        "https:／／youtu.be/dQw4w9WgXcQ",
        "보세요 ｈｔｔｐｓ：／／ｙｏｕｔｕ．ｂｅ／dQw4w9WgXcQ，굿",
        "h\u00adttps://youtu.be/dQw4\u200bw9WgXcQ",
        "https://youtu\u2060.be/\u200ddQw4w9WgXcQ",
    ],
)
def test_full_width_and_invisible_characters_in_a_link_are_undone(text: str) -> None:
    assert find_links(text) == [LINK]


def test_full_width_link_without_a_scheme_is_undone() -> None:
    assert find_links("ｙｏｕｔｕ．ｂｅ／ｄＱｗ４ｗ９ＷｇＸｃＱ，好") == ["youtu.be/dQw4w9WgXcQ"]


def test_full_width_query_is_undone() -> None:
    text = "ｈｔｔｐｓ：／／ｗｗｗ．ｙｏｕｔｕｂｅ．ｃｏｍ／ｗａｔｃｈ？ｖ＝dQw4w9WgXcQ，好"
    assert find_links(text) == ["https://www.youtube.com/watch?v=dQw4w9WgXcQ"]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("youtu.be/dQw4w9WgXcQ", ["youtu.be/dQw4w9WgXcQ"]),
        ("look youtu.be/dQw4w9WgXcQ, nice", ["youtu.be/dQw4w9WgXcQ"]),
        ("이거봐youtu.be/dQw4w9WgXcQ", ["youtu.be/dQw4w9WgXcQ"]),
        ("看：youtu.be/dQw4w9WgXcQ。", ["youtu.be/dQw4w9WgXcQ"]),
        ("(youtu.be/dQw4w9WgXcQ)", ["youtu.be/dQw4w9WgXcQ"]),
        ("www.youtube.com/watch?v=dQw4w9WgXcQ", ["www.youtube.com/watch?v=dQw4w9WgXcQ"]),
        ("on www.example.com.", ["www.example.com"]),
        ("b23.tv/av170001 und nico.ms/sm9", ["b23.tv/av170001", "nico.ms/sm9"]),
        ("my.host.example:8080/a.mp4", ["my.host.example:8080/a.mp4"]),
        (f"[youtu.be/dQw4w9WgXcQ]({LINK})", [LINK]),
        (f"<{LINK}|youtu.be/dQw4w9WgXcQ>", [LINK]),
        (f"youtu.be/dQw4w9WgXcQ {LINK}", ["youtu.be/dQw4w9WgXcQ"]),
    ],
)
def test_links_without_a_scheme_are_found(text: str, links: list[str]) -> None:
    assert find_links(text) == links


@pytest.mark.parametrize(
    "text",
    [
        *("1.0/0.0", "rated 4.5/5.0", "3.5km", "3.5km/h", "v1.2/x", "2026.11/30", "12:30/1:15", "1,000/2,000"),
        *("a.mp4", "put a.mp4 there", "dir/clip.mp4", "C:\\video\\a.mp4", "~/a.mp4", "node.js/express is nice"),
        *("me@example.com", "me@youtu.be/abc", "mail me@example.com now", "mailto:me@example.com", "e.g./i.e."),
        *(
            "and/or",
            "U.S./Korea",
            "강아지가 눈에서 노는 장면",
            "https://",
            "http:// no",
            "://",
            "youtu.be",
            "",
            " ",
            "...",
        ),
    ],
)
def test_other_text_is_no_link(text: str) -> None:
    assert find_links(text) == []


def test_links_keep_their_order_without_repeats() -> None:
    first, second, third = "https://b.example/1", "https://a.example/2", LINK
    assert find_links(f"{first} and {second}, {first};{third}{second}") == [first, second, third]
    assert find_links(f"<{first}>, <{second}>") == [first, second]
    assert find_links(f"{third}\n{first}\n{third}") == [third, first]


def test_other_schemes_count_only_alone() -> None:
    """They are refused with a sentence then."""
    assert find_links("FILE:///etc/passwd") == ["FILE:///etc/passwd"]
    assert find_links("open ftp://example.com/a with it") == []


def test_very_long_texts_are_read_quickly() -> None:
    texts = ["a." * 10_000, "a-" * 10_000, "https://" * 5_000, "(" * 10_000, "[" * 10_000, "www." * 5_000]
    for text in [*texts, "https://a/" + "(" * 10_000, "https://a.b " * 2_000, "<a:" * 5_000]:
        assert len(find_links(text)) < 100
