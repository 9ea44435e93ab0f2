"""Search commands, over a library in memory."""

from dataclasses import replace

import pytest

from bots.commands import search as commands
from bots.commands.replies import Card, Replies, Results, Search, TextReply
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import GOAL, SNOW, TALK, FakeVideo
from tests.support.bots.replies import collect, collect_cards, collect_sentence
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Find, MatchKind, MatchReason, Strength


async def test_find_returns_cards_with_time_link_reason_and_submitter(client: FakeClient, caller: Caller) -> None:
    [card] = await collect_cards(commands.find(client, caller, "cat sleeps"))
    assert card == Card(
        title="Dogs in snow",
        link=SNOW.link,
        moment_link=f"{SNOW.link}#t=12",
        moment_id=SNOW.moment_id(2),
        start_s=12,
        end_s=18,
        time="0:12–0:18",
        length="0:18",
        submitter="ada",
        submitted_at="2026-11-20T09:30:00+00:00",
        why=("looks like it",),
        score=1.0,
        strength=Strength.STRONG,
        more=0,
        thumbnail=f"thumbnails/{SNOW.id}.jpg",
        reasons=(MatchReason(MatchKind.LOOKS),),
        opens_at_s=12,
    )


async def test_weak_card_has_a_short_bar_and_a_cautious_reason(client: FakeClient, caller: Caller) -> None:
    """One of six words matches: the bar is short, and the reason is cautious."""
    [card] = await collect_cards(commands.find(client, caller, "sleeps zebra yak ibex gnu eland"))
    assert (card.strength, card.match) == (Strength.WEAK, "▰▱▱ weak match")
    assert card.why == ("looks a little like it",)


@pytest.mark.parametrize(
    ("reason", "locale", "text"),
    [
        (MatchReason(MatchKind.SAID, "knead the dough", 83.4), "en", "says “knead the dough” at 1:23"),
        (MatchReason(MatchKind.SAID), "en", "says it"),
        (MatchReason(MatchKind.SHOWN, "SALE TODAY", 4.0), "en", "shows “SALE TODAY” at 0:04"),
        (MatchReason(MatchKind.SHOWN), "zh", "画面上有这些文字"),
        (MatchReason(MatchKind.HEARD, "Applause", 4.0), "en", "heard: applause"),
        (MatchReason(MatchKind.HEARD, "Applause", 4.0), "ko", "들리는 소리: 박수"),
        (MatchReason(MatchKind.TITLE, "A talk"), "en", "the words “A talk”"),
        (MatchReason(MatchKind.LIKED, "ships"), "en", "liked here for “ships”"),
        (MatchReason(MatchKind.LIKED, "ships"), "ko", "여기서 “ships”에 잘 맞는다고 평가받았어요"),
    ],
)
async def test_card_says_what_was_said_shown_or_heard(
    caller: Caller, reason: MatchReason, locale: str, text: str
) -> None:
    client = FakeClient(videos=[FakeVideo("https://a.example/b", "A talk", ("ships",), reasons=(reason,))])
    with use_locale(locale):
        [card] = await collect_cards(commands.find(client, caller, "ships"))
    assert (card.why, card.reasons) == ((text,), (reason,))


@pytest.mark.parametrize("only", ["looks", "said", "shown", "heard", None])
async def test_search_can_be_restricted(client: FakeClient, caller: Caller, only: str | None) -> None:
    [results] = await collect(commands.find(client, caller, "dog", only=only, limit=1))
    assert isinstance(results, Results)
    await collect(commands.continue_search(client, caller, results.next))
    assert [each.only for each in client.requests if isinstance(each, Find)] == [only, only]


async def test_unknown_restriction_is_refused(client: FakeClient, caller: Caller) -> None:
    sentence = await collect_sentence(commands.find(client, caller, "dog", only="smelled"))
    assert (sentence.ok, "looks, said, shown, heard" in sentence.text) == (False, True)
    assert client.requests == []


@pytest.mark.parametrize(
    ("link", "is_noted"),
    [("https://cdn.discordapp.com/attachments/1/2/a.mp4", True), ("https://a.example/b.mp4", False)],
)
async def test_card_of_an_upload_that_needs_a_signature_says_where_it_opens(
    caller: Caller, link: str, is_noted: bool
) -> None:
    """A link to the message replaces the address in Discord's own spaces, so only other spaces need the note."""
    [card] = await collect_cards(commands.find(FakeClient(videos=[FakeVideo(link, "A", ("dog",))]), caller, "dog"))
    assert (card.note == translate(Msg.ONLY_IN_DISCORD)) is is_noted


async def test_find_splits_queries_on_commas_of_any_keyboard(client: FakeClient, caller: Caller) -> None:
    cards = await collect_cards(commands.find(client, caller, " cat ,ball，ships、 "))
    assert {card.title for card in cards} == {SNOW.title, GOAL.title, TALK.title}
    assert client.requests == [Find(caller=caller, queries=("cat", "ball", "ships"))]


@pytest.mark.parametrize(
    ("words", "queries"),
    [
        ("1,000 people at a concert", ("1,000 people at a concert",)),
        ("10,000명이 모인", ("10,000명이 모인",)),
        ("3,5 km", ("3,5 km",)),
        ("1.000.000 lights", ("1.000.000 lights",)),
        ("１，０００人", ("１，０００人",)),
        ("10，000人，小狗", ("10，000人", "小狗")),
        ("2,5 ,3 dogs", ("2,5", "3 dogs")),
        ("1,000,000 stars, moon", ("1,000,000 stars", "moon")),
        ("5, 6", ("5", "6")),
        ("1、2", ("1", "2")),
        ("cat､dog", ("cat", "dog")),
        ("cat، dog", ("cat", "dog")),
        ("🐶,🚗", ("🐶", "🚗")),
        ("cat, ..., <@1>", ("cat",)),
        ("[a cat, a dog](https://a.example/x,y), ball", ("a cat", "a dog", "ball")),
        ("a **dog** <:doge:123>, ||cat||", ("a dog", "cat")),
    ],
)
async def test_query_is_split_between_words_but_not_within_numbers_or_markup(
    client: FakeClient, caller: Caller, words: str, queries: tuple[str, ...]
) -> None:
    await collect(commands.find(client, caller, words))
    assert client.requests == [Find(caller=caller, queries=queries)]


async def test_find_keeps_commas_of_a_single_query(client: FakeClient, caller: Caller) -> None:
    await collect_cards(commands.find(client, caller, " a cat, in the snow ", split_on_commas=False))
    assert client.requests == [Find(caller=caller, queries=("a cat, in the snow",))]


async def test_find_moves_towards_like_and_away_from_unlike(client: FakeClient, caller: Caller) -> None:
    """`like` alone is enough for a search."""
    cards = await collect_cards(commands.find(client, caller, "", like="dog", unlike="crowd, cheer"))
    assert [card.title for card in cards] == [SNOW.title]


async def test_find_accepts_a_moment_id_as_like(client: FakeClient, caller: Caller) -> None:
    cards = await collect_cards(commands.find(client, caller, "", like=f"moment:{GOAL.moment_id(1)}"))
    assert cards[0].title == GOAL.title


async def test_find_inside_a_video_returns_each_of_its_moments(client: FakeClient, caller: Caller) -> None:
    cards = await collect_cards(commands.find(client, caller, "dog", in_link=SNOW.link))
    assert [card.start_s for card in cards] == [0, 6]


async def test_card_found_by_words_shows_the_words(client: FakeClient, caller: Caller) -> None:
    """A video of which only the words are indexed is marked."""
    [card] = await collect_cards(commands.find(client, caller, "ships"))
    assert card.why == ("the words “she speaks of ships”",)
    assert card.words_only


@pytest.mark.parametrize(
    ("words", "like"), [("", ""), (" , ,", ""), ("\n", " "), ("...", "?!"), ("<@1>", "<:doge:1>"), ("\u200b", "")]
)
async def test_empty_query_is_refused_without_a_request(
    client: FakeClient, caller: Caller, words: str, like: str
) -> None:
    sentence = await collect_sentence(commands.find(client, caller, words, like=like))
    assert (sentence.ok, sentence.code) == (False, ErrorCode.EMPTY_QUERY)
    assert client.requests == []


@pytest.mark.parametrize("box", ["words", "like", "unlike"])
async def test_query_of_more_than_10000_characters_is_refused_without_a_request(
    client: FakeClient, caller: Caller, box: str
) -> None:
    def find(text: str) -> Replies:
        boxes = {"words": "dog", "like": "", "unlike": ""} | {box: text}
        return commands.find(client, caller, boxes["words"], like=boxes["like"], unlike=boxes["unlike"])

    await collect_cards(find("x" * 9_996 + " dog"))
    sentence = await collect_sentence(find("x" * 10_001))
    assert sentence == TextReply(translate(ErrorCode.QUERY_TOO_LONG), ok=False, code=ErrorCode.QUERY_TOO_LONG)
    assert len(client.requests) == 1


async def test_more_returns_the_next_page_and_ends_with_a_sentence(client: FakeClient, caller: Caller) -> None:
    [first] = await collect(commands.find(client, caller, "a dog", limit=1))
    assert isinstance(first, Results)
    [second] = await collect(commands.continue_search(client, caller, first.next))
    assert isinstance(second, Results)
    assert [card.title for card in first.cards + second.cards] == [SNOW.title, GOAL.title]
    assert second.next is None
    assert (await collect_sentence(commands.continue_search(client, caller, second.next))).text == translate(
        Msg.NO_MORE
    )


async def test_search_continued_inside_a_video_starts_at_its_best_moment(client: FakeClient, caller: Caller) -> None:
    search = Search(queries=("dog",), offset=1).inside(GOAL.link)
    cards = await collect_cards(commands.continue_search(client, caller, search))
    assert [card.title for card in cards] == [GOAL.title]


@pytest.mark.parametrize(
    ("search", "action", "continued"),
    [
        (Search(("dog",), offset=5), "like", Search(("dog",), like=("moment:M",))),
        (Search(("dog",), like=("moment:a",)), "like", Search(("dog",), like=("moment:a", "moment:M"))),
        (Search(picture="eA==", in_link=GOAL.link, only="looks"), "like", Search(picture="eA==", like=("moment:M",))),
        (
            Search(("dog",), in_link=GOAL.link, offset=5),
            "unlike",
            Search(("dog",), unlike=("moment:M",), in_link=GOAL.link),
        ),
        (Search(frames=("eA==",)), "unlike", Search(frames=("eA==",), unlike=("moment:M",))),
    ],
)
async def test_more_or_less_like_a_moment_keeps_the_question(
    client: FakeClient, caller: Caller, search: Search, action: commands.ResultAction, continued: Search
) -> None:
    """Its words, its picture and earlier examples stay; what is similar is looked for in all videos."""
    [card] = await collect_cards(commands.find(client, caller, "cat sleeps"))
    shown = Results(search, (replace(card, moment_id="M"),), None, 1.0)
    await collect(commands.press(client, caller, results=shown, action=action))
    sent = client.requests[-1]
    assert isinstance(sent, Find)
    expected = Find(
        caller=caller,
        queries=continued.queries,
        like=continued.like,
        unlike=continued.unlike,
        picture=continued.picture,
        frames=continued.frames,
        in_link=continued.in_link,
    )
    assert sent == expected


@pytest.mark.parametrize(("name", "title"), [("picture", Msg.FOUND_LIKE), ("clip", Msg.FOUND_LIKE_CLIP)])
async def test_picture_or_clip_finds_alone_and_with_words(
    client: FakeClient, caller: Caller, name: str, title: Msg
) -> None:
    """Words may refer to it. Further pages send what the workers made of it, not the file."""
    picture, clip = ("eA==", None) if name == "picture" else (None, "eA==")
    [alone] = await collect(commands.find(client, caller, picture=picture, clip=clip, limit=1))
    assert isinstance(alone, Results)
    assert alone.search.title == translate(title)
    assert (alone.search.clip, bool(alone.search.picture or alone.search.frames)) == (None, True)
    await collect(commands.continue_search(client, caller, alone.next))
    await collect(commands.find(client, caller, "this, but with a ball", picture=picture, clip=clip))
    first, second, with_words = client.requests
    assert isinstance(first, Find)
    assert isinstance(second, Find)
    assert isinstance(with_words, Find)
    assert (first.picture, first.clip) == (picture, clip)
    assert (second.picture, second.frames, second.clip) == (alone.search.picture, alone.search.frames, None)
    assert (with_words.queries, with_words.picture, with_words.clip) == (("with a ball",), picture, clip)


async def test_spaces_do_not_find_each_others_videos(client: FakeClient) -> None:
    other = Caller(space="discord:1", user_id="ada")
    assert await collect_cards(commands.find(client, other, "dog")) == ()


@pytest.mark.parametrize("title", ["a\x1b[2Jb", "a\u202eb", "a\nb", "\x9ba b"])
async def test_control_characters_are_removed_from_titles(caller: Caller, title: str) -> None:
    """Emoji and other scripts stay."""
    video = FakeVideo("https://video.example/x", f"{title} 🎬 강아지", ("dog",))
    [card] = await collect_cards(commands.find(FakeClient([video]), caller, "dog"))
    assert card.title.isprintable()
    assert card.title.endswith("🎬 강아지")
