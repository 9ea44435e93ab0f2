"""Search in Discord, and the buttons under its results."""

import base64
from dataclasses import replace
from typing import Any, cast

import pytest

from bots.discord.bot import Bot
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import SNOW, FakeVideo, picture
from tests.support.discord.server import FakeDiscord
from tests.support.discord.world import ADA, BOB, EVE, SPACE, FakeUser, is_ephemeral, labels, texts
from worker.protocol.base import Request, WireModel
from worker.protocol.search import Find
from worker.protocol.spaces import SpaceSettings

FITS, NOT, LIKE, UNLIKE, INSIDE, SHARE, NEXT, BACK = (
    "Good match", "Wrong match", "More like this", "Less like this", "Search inside", "Share", "Next", "Back",
)  # fmt: skip


def last(client: FakeClient, kind: type[Request[WireModel]]) -> Request[WireModel]:
    return next(each for each in reversed(client.requests) if isinstance(each, kind))


async def test_find_shows_private_cards_with_pictures_and_buttons(bot: Bot, server: FakeDiscord) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    assert is_ephemeral(shown)
    text = texts(shown)
    for part in (
        "dog",
        "0:00–0:06",
        "https://video.example/snow#t=0",
        "0:18",
        "added by ada, <t:1795167000:D>",
        "looks like",
    ):
        assert part in text
    assert labels(shown) == [FITS, NOT, SHARE, LIKE, UNLIKE, INSIDE] * 2
    assert [server.files[each["id"]][:2] for each in shown["attachments"]] == [b"\xff\xd8"] * 2


async def test_weak_results_are_called_the_closest(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    client.weak = True
    await server.wait_for_answer(await server.command(ADA, "find", words="dog"), translate(Msg.WEAK))


async def test_each_hit_says_how_well_it_matches(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """The button for the next page says if that has weaker matches."""
    client.weaker_follow = True
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog", limit=1), "Dogs in snow")
    assert translate(Msg.STRONG_MATCH) in texts(shown)
    assert labels(shown)[-1] == translate(Msg.SHOW_WEAKER)


async def test_find_passes_every_option_to_the_search(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    options: dict[str, Any] = {"words": "dog, cat", "picture": picture((9, 9, 9)), "in": SNOW.link, "limit": 2}
    options |= {"clip": b"a video", "like": "snow", "unlike": "ball"}
    await server.wait_for_answer(await server.command(ADA, "find", **options), "Dogs in snow")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert (find.queries, find.like, find.unlike, find.in_link) == (("dog", "cat"), ("snow",), ("ball",), SNOW.link)
    assert [base64.b64decode(each or "") for each in (find.picture, find.clip)] == [options["picture"], b"a video"]
    assert find.limit == 2


async def test_find_shows_at_most_three_cards(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
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
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog", limit=3), NEXT)
    second = await server.wait_for_answer(await server.press(ADA, shown, NEXT), BACK)
    assert labels(second)[-2:] == [BACK, NEXT]
    assert labels(second).count(FITS) == 3


async def test_titles_cannot_notify_link_or_format(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    title = "**@everyone** <@11> [free](https://evil.example) # `x` ||y||"
    client.videos = [replace(client.videos[0], title=title)]
    text = texts(await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "free"))
    assert "@everyone" not in text
    assert "<@11>" not in text
    assert "](https" not in text
    assert r"\*\*" in text
    assert r"\`x\`" in text


async def test_missing_thumbnail_is_left_out(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    client.lose_thumbnails = True
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    assert not shown["attachments"]


async def test_search_without_hits_or_words_is_answered_with_a_sentence(bot: Bot, server: FakeDiscord) -> None:
    await server.wait_for_answer(await server.command(ADA, "find", words="xylophone"), "Nothing found")
    for nothing in (",", "...", "<@123> <:doge:456>"):
        await server.wait_for_answer(await server.command(ADA, "find", words=nothing), "nothing to search for")


@pytest.mark.parametrize("name", ["picture", "clip"])
async def test_picture_or_clip_finds_without_words(
    bot: Bot, server: FakeDiscord, client: FakeClient, name: str
) -> None:
    await server.wait_for_answer(
        await server.command(ADA, "find", **cast(Any, {name: b"x"})), f"Results for your {name}"
    )
    find = last(client, Find)
    assert isinstance(find, Find)
    assert (find.queries, getattr(find, name)) == ((), "eA==")


@pytest.mark.parametrize(
    ("files", "sent", "answer"),
    [
        ({"notes.txt": b"-", "photo.jpg": b"x"}, ("eA==", None), "Results for your picture"),
        ({"film.mp4": b"x", "photo.jpg": b"y"}, (None, "eA=="), "Results for your clip"),
        ({"notes.txt": b"-"}, None, "That picture can't be read"),
    ],
)
async def test_message_menu_finds_what_is_similar_to_its_first_picture_or_video(
    bot: Bot,
    server: FakeDiscord,
    client: FakeClient,
    files: dict[str, bytes],
    sent: tuple[str | None, str | None] | None,
    answer: str,
) -> None:
    attached = [
        server.store_attachment(str(id), name, content) | {"content_type": None}
        for id, (name, content) in enumerate(files.items())
    ]
    message = await server.write(BOB, "", attachments=attached)
    await server.wait_for_answer(await server.menu(ADA, "Find similar moments", message), answer)
    assert [(each.picture, each.clip) for each in client.requests if isinstance(each, Find)] == ([sent] if sent else [])


@pytest.mark.parametrize("name", ["picture", "clip"])
async def test_too_large_file_is_refused_without_loading_it(
    bot: Bot, server: FakeDiscord, client: FakeClient, name: str
) -> None:
    asked = await server.command(ADA, "find", words="dog", **cast(Any, {name: b"x" * 8_000_001}))
    await server.wait_for_answer(asked, f"That {name} can't be read")
    assert not any(isinstance(each, Find) for each in client.requests)


async def test_picture_that_cannot_be_loaded_is_reported(bot: Bot, server: FakeDiscord) -> None:
    server.cdn_does = "abort"
    await server.wait_for_answer(await server.command(ADA, "find", words="dog", picture=b"x"), "Can't reach")


async def test_videos_are_suggested_by_title_while_typing(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    """A link that is too long for Discord is replaced by a token."""
    client.videos.append(FakeVideo(f"https://v.example/{'x' * 200}", "Long snow", ("a dog sits",), SPACE))
    asked = await server.type_into(ADA, "find", "in", "snow", words="dog")
    choices = (await server.wait_for(lambda: asked.response))["data"]["choices"]
    assert [each["name"] for each in choices] == ["Dogs in snow", "Long snow"]
    assert choices[0]["value"] == SNOW.link
    await server.wait_for_answer(
        await server.command(ADA, "find", words="dog", **{"in": choices[1]["value"]}), "Long snow"
    )
    find = last(client, Find)
    assert isinstance(find, Find)
    assert find.in_link == client.videos[-1].link


async def test_page_buttons_replace_the_page_and_its_pictures(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    client.videos += [FakeVideo(f"https://v.example/{n}", f"More {n}", ("a dog",), SPACE) for n in range(3)]
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), NEXT)
    turned = await server.wait_for_answer(await server.press(ADA, shown, NEXT), BACK)
    assert turned["id"] == shown["id"]
    assert NEXT not in labels(turned)
    assert len(turned["attachments"]) == 2
    back = await server.wait_for_answer(await server.press(ADA, turned, BACK), NEXT)
    assert (back["id"], texts(back).splitlines()[:2]) == (shown["id"], texts(shown).splitlines()[:2])


async def test_public_results_can_be_paged_in_place_by_their_user_only(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    """Buttons pressed by other users are answered privately."""
    client.settings[SPACE] = SpaceSettings(answers="public")
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog", limit=1), NEXT)
    assert not is_ephemeral(shown)
    theirs = await server.wait_for_answer(await server.press(BOB, shown, NEXT), BACK)
    assert (is_ephemeral(theirs), theirs["id"] != shown["id"]) == (True, True)
    own = await server.wait_for_answer(await server.press(ADA, shown, NEXT), BACK)
    assert own["id"] == shown["id"]


async def test_card_buttons_search_similar_moments_and_inside_the_video(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    example = f"moment:{client.videos[1].moment_id(1)}"
    liked = await server.wait_for_answer(await server.press(ADA, shown, LIKE, 1), "dog")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert (find.queries, find.like, find.unlike) == (("dog",), (example,), ())
    unliked = await server.wait_for_answer(await server.press(ADA, shown, UNLIKE, 1), "Nothing")
    find = last(client, Find)
    assert isinstance(find, Find)
    assert (find.queries, find.like, find.unlike) == (("dog",), (), (example,))
    inside = await server.wait_for_answer(await server.press(ADA, shown, INSIDE), "Dogs in snow")
    assert labels(inside).count(FITS) == 2
    assert all(map(is_ephemeral, (liked, unliked, inside)))
    assert len({shown["id"], liked["id"], unliked["id"], inside["id"]}) == 4


@pytest.mark.parametrize(("label", "kind"), [(FITS, "up"), (NOT, "down")])
async def test_vote_buttons_record_user_words_and_moment(
    bot: Bot, server: FakeDiscord, client: FakeClient, label: str, kind: str
) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    await server.wait_for_answer(await server.press(BOB, shown, label), "Thanks")
    vote = client.votes[-1]
    assert (vote.caller.user_id, vote.queries, vote.moment_id, vote.kind) == (
        str(BOB.id),
        ("dog",),
        SNOW.moment_id(0),
        kind,
    )


async def test_share_posts_a_public_link_and_notifies_no_one(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    pressed = await server.press(ADA, shown, SHARE)
    shared = await server.wait_for_answer(pressed, "shared a result")
    assert not is_ephemeral(shared)
    assert shared["content"].splitlines()[-1] == "https://video.example/snow#t=0"
    assert f"<@{ADA.id}>" in shared["content"]
    assert not shared["components"]
    assert client.votes[-1].kind == "shared"
    assert len(pressed.shown) == 1


async def test_share_leaves_out_a_link_that_does_not_fit(bot: Bot, server: FakeDiscord, client: FakeClient) -> None:
    for chars, there in ((1800, True), (4000, False)):
        link = f"https://v.example/{'x' * chars}"
        client.videos = [FakeVideo(link, "Long", ("a dog",), SPACE)]
        shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Long")
        shared = await server.wait_for_answer(await server.press(ADA, shown, SHARE), "shared a result")
        assert "**Long** · 0:00" in shared["content"]
        assert (link in shared["content"]) is there


async def test_button_with_results_of_another_guild_is_refused(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    shown = await server.wait_for_answer(await server.command(ADA, "find", words="dog"), "Dogs in snow")
    server.guilds.append(80_000_000)
    elsewhere = shown | {"channel_id": str(80_000_000 + 101)}
    answer = await server.wait_for_answer(await server.press(EVE, elsewhere, LIKE), "have expired")
    assert "Dogs in snow" not in texts(answer)


async def test_answers_use_the_locale_of_the_user_or_the_space(
    bot: Bot, server: FakeDiscord, client: FakeClient
) -> None:
    minji = FakeUser(21, "Minji", locale="ko")
    await server.wait_for_answer(await server.command(minji, "find", words="xylophone"), "찾")
    client.settings[SPACE] = SpaceSettings(language="zh")
    await bot.chat.stores.settings.invalidate_settings(SPACE)
    answer = await server.wait_for_answer(await server.command(minji, "find", words="xylophone"))
    assert not any("가" <= letter <= "힣" for letter in texts(answer))
