"""Asking for moments, and what the buttons under them do."""

import base64
from dataclasses import replace

import pytest

from bots.discord.bot import Bot
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.bots.discord.conftest import SPACE
from tests.support.discord.server import Server
from tests.support.discord.world import ADA, BOB, EVE, Person, ephemeral, labels, texts
from tests.support.fake_client import SNOW, FakeClient, FakeVideo, picture
from worker.protocol.base import Request, WireModel
from worker.protocol.search import Find
from worker.protocol.spaces import SpaceSettings

FITS, NOT, LIKE, INSIDE, SHARE, NEXT, BACK = (
    "Good match", "Wrong match", "More like this", "Search inside", "Share", "Next", "Back",
)  # fmt: skip


def last(client: FakeClient, kind: type[Request[WireModel]]) -> Request[WireModel]:
    return next(each for each in reversed(client.asked) if isinstance(each, kind))


async def test_find_shows_cards(bot: Bot, server: Server) -> None:
    """`/find` is answered in private with cards: title, picture, time, length, who added it and when, why, buttons."""
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    assert ephemeral(shown)
    said = texts(shown)
    for part in (
        "dog",
        "0:00–0:06",
        "https://video.example/snow#t=0",
        "0:18",
        "added by ada, Nov 20, 2026",
        "looks like",
    ):
        assert part in said
    assert labels(shown) == [FITS, NOT, LIKE, INSIDE, SHARE] * 2
    assert [server.files[each["id"]][:2] for each in shown["attachments"]] == [b"\xff\xd8"] * 2


async def test_weak_results_say_so(bot: Bot, server: Server, client: FakeClient) -> None:
    """Where nothing stands out, what is shown is called the nearest, and not the answer."""
    client.weak = True
    await server.answered(await server.command(ADA, "find", words="dog"), translate(Msg.WEAK))


async def test_every_part_of_a_question_arrives(bot: Bot, server: Server, client: FakeClient) -> None:
    """Words, picture, like, unlike, the video and the number of cards reach the core as they were given."""
    given = {"words": "dog, cat", "picture": picture((9, 9, 9)), "like": "snow", "unlike": "ball", "in": SNOW.link}
    await server.answered(await server.command(ADA, "find", **given, limit=2), "Dogs in snow")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert (find.queries, find.like, find.unlike, find.in_link) == (("dog", "cat"), ("snow",), ("ball",), SNOW.link)
    assert base64.b64decode(find.picture or "") == given["picture"]
    assert find.limit == 2


async def test_four_cards_are_the_most(bot: Bot, server: Server, client: FakeClient) -> None:
    """Four cards with the longest titles, links and reasons, and both page buttons, are what Discord takes."""
    client.videos = [
        FakeVideo(
            f"https://v.example/{number}?{'x' * 1500}",
            "*_`" * 300,
            ("a dog " + "~|<@1>" * 200,),
            SPACE,
            words_only=True,
        )
        for number in range(12)
    ]
    shown = await server.answered(await server.command(ADA, "find", words="dog", limit=4), NEXT)
    second = await server.answered(await server.press(ADA, shown, NEXT), BACK)
    assert labels(second)[-2:] == [BACK, NEXT]
    assert labels(second).count(FITS) == 4


async def test_titles_are_inert(bot: Bot, server: Server, client: FakeClient) -> None:
    """Markup, mentions and links in a title show as they were written."""
    title = "**@everyone** <@11> [free](https://evil.example) # `x` ||y||"
    client.videos = [replace(client.videos[0], title=title)]
    said = texts(await server.answered(await server.command(ADA, "find", words="dog"), "free"))
    assert "@everyone" not in said
    assert "<@11>" not in said
    assert "](https" not in said
    assert r"\*\*" in said
    assert r"\`x\`" in said


async def test_a_lost_thumbnail_is_no_obstacle(bot: Bot, server: Server, client: FakeClient) -> None:
    """A card whose picture is gone is shown without it."""
    client.lose_thumbnails = True
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    assert not shown["attachments"]


async def test_nothing_found_is_a_sentence(bot: Bot, server: Server) -> None:
    """No hits, and no words, are each answered with what to do."""
    await server.answered(await server.command(ADA, "find", words="xylophone"), "Nothing found")
    await server.answered(await server.command(ADA, "find", words=","), "nothing to search for")


async def test_a_picture_that_is_too_large_is_refused(bot: Bot, server: Server, client: FakeClient) -> None:
    """It is not even fetched."""
    asked = await server.command(ADA, "find", words="dog", picture=b"x" * 8_000_001)
    await server.answered(asked, "That picture cannot be read")
    assert not any(isinstance(each, Find) for each in client.asked)


async def test_a_picture_that_does_not_come(bot: Bot, server: Server) -> None:
    """Where Discord hangs up in the middle of it, that is told."""
    server.cdn_does = "hang up"
    await server.answered(await server.command(ADA, "find", words="dog", picture=b"x"), "cannot be reached")


async def test_videos_are_suggested_by_title(bot: Bot, server: Server, client: FakeClient) -> None:
    """While somebody types, titles come with links; a link too long for Discord has a word that stands for it."""
    client.videos.append(FakeVideo(f"https://v.example/{'x' * 200}", "Long snow", ("a dog sits",), SPACE))
    asked = await server.typing(ADA, "find", "in", "snow", words="dog")
    choices = (await server.until(lambda: asked.response))["data"]["choices"]
    assert [each["name"] for each in choices] == ["Dogs in snow", "Long snow"]
    assert choices[0]["value"] == SNOW.link
    await server.answered(await server.command(ADA, "find", words="dog", **{"in": choices[1]["value"]}), "Long snow")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert find.in_link == client.videos[-1].link


async def test_pages_turn_in_place(bot: Bot, server: Server, client: FakeClient) -> None:
    """Next and Back change the same private message; its pictures are those of the page."""
    client.videos += [FakeVideo(f"https://v.example/{n}", f"More {n}", ("a dog",), SPACE) for n in range(3)]
    shown = await server.answered(await server.command(ADA, "find", words="dog"), NEXT)
    turned = await server.answered(await server.press(ADA, shown, NEXT), BACK)
    assert turned["id"] == shown["id"]
    assert NEXT not in labels(turned)
    assert len(turned["attachments"]) == 2
    back = await server.answered(await server.press(ADA, turned, BACK), NEXT)
    assert (back["id"], texts(back).splitlines()[:2]) == (shown["id"], texts(shown).splitlines()[:2])


async def test_a_public_answer_is_everybodys_to_press_and_nobodys_to_change(
    bot: Bot, server: Server, client: FakeClient
) -> None:
    """Where answers are public, others' presses answer them alone; who asked turns the page for all."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    shown = await server.answered(await server.command(ADA, "find", words="dog", limit=1), NEXT)
    assert not ephemeral(shown)
    theirs = await server.answered(await server.press(BOB, shown, NEXT), BACK)
    assert (ephemeral(theirs), theirs["id"] != shown["id"]) == (True, True)
    own = await server.answered(await server.press(ADA, shown, NEXT), BACK)
    assert own["id"] == shown["id"]


async def test_more_like_this_and_search_inside(bot: Bot, server: Server, client: FakeClient) -> None:
    """Both answer beside the cards, in private: by the moment itself, and by the same words in that video alone."""
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    liked = await server.answered(await server.press(ADA, shown, LIKE, 1), "Similar moments")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert find.like == (f"moment:{client.videos[1].moment_id(1)}",)
    inside = await server.answered(await server.press(ADA, shown, INSIDE), "Dogs in snow")
    assert labels(inside).count(FITS) == 2
    assert ephemeral(liked)
    assert ephemeral(inside)
    assert len({shown["id"], liked["id"], inside["id"]}) == 3


@pytest.mark.parametrize(("label", "kind"), [(FITS, "up"), (NOT, "down")])
async def test_votes_are_noted(bot: Bot, server: Server, client: FakeClient, label: str, kind: str) -> None:
    """A thumb goes down with who, for which words, and which moment."""
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    await server.answered(await server.press(BOB, shown, label), "Thanks")
    vote = client.votes[-1]
    assert (vote.caller.user_id, vote.queries, vote.moment_id, vote.kind) == (
        str(BOB.id),
        ("dog",),
        SNOW.moment_id(0),
        kind,
    )


async def test_share_is_a_plain_public_link(bot: Bot, server: Server, client: FakeClient) -> None:
    """Sharing posts one public message with the link to the moment as it is, names who shared, and pings nobody."""
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    pressed = await server.press(ADA, shown, SHARE)
    shared = await server.answered(pressed, "shared a result")
    assert not ephemeral(shared)
    assert shared["content"].splitlines()[-1] == "https://video.example/snow#t=0"
    assert f"<@{ADA.id}>" in shared["content"]
    assert not shared["components"]
    assert client.votes[-1].kind == "shared"
    assert len(pressed.shown) == 1


async def test_a_long_link_is_shared_without_it(bot: Bot, server: Server, client: FakeClient) -> None:
    """Where a message can't hold the link, the rest is shared still; one that just fits is there."""
    for chars, there in ((1800, True), (4000, False)):
        link = f"https://v.example/{'x' * chars}"
        client.videos = [FakeVideo(link, "Long", ("a dog",), SPACE)]
        shown = await server.answered(await server.command(ADA, "find", words="dog"), "Long")
        shared = await server.answered(await server.press(ADA, shown, SHARE), "shared a result")
        assert "**Long** · 0:00" in shared["content"]
        assert (link in shared["content"]) is there


async def test_results_of_another_server_are_not_pressed(bot: Bot, server: Server, client: FakeClient) -> None:
    """A button whose results were shown in another server says that they are gone."""
    shown = await server.answered(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    server.guilds.append(80_000_000)
    elsewhere = shown | {"channel_id": str(80_000_000 + 101)}
    told = await server.answered(await server.press(EVE, elsewhere, LIKE), "have expired")
    assert "Dogs in snow" not in texts(told)


async def test_the_persons_language(bot: Bot, server: Server, client: FakeClient) -> None:
    """Each person reads their own language; a server that decided on one reads that."""
    minji = Person(21, "Minji", locale="ko")
    await server.answered(await server.command(minji, "find", words="xylophone"), "찾")
    client.settings[SPACE] = SpaceSettings(language="zh")
    await bot.chat.stores.settings.invalidate_settings(SPACE)
    told = await server.answered(await server.command(minji, "find", words="xylophone"))
    assert not any("가" <= letter <= "힣" for letter in texts(told))
