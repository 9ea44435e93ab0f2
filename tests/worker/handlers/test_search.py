"""Searches: who finds which video, what a hit says, and pictures as queries."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import IndexerError
from indexer.vectors.vector_store import Filter
from tests.support.indexer.media import BLUE, RED, write_video
from tests.support.worker.callers import ADMIN, ANN, ANN_IN_PRIVATE_CHANNEL, BOB
from tests.support.worker.services import FAKE, add_video, handle
from worker.handlers.errors import RequestRefusedError
from worker.protocol.base import Caller
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import GetStatus, ListLibrary
from worker.protocol.search import MAX_CLIP_FRAMES, Find
from worker.protocol.spaces import ChangeSettings, SpaceSettings
from worker.services import Services


def find_titles(services: Services, caller: Caller, words: str = "goal") -> list[str]:
    return sorted(hit.title for hit in handle(services, Find(caller=caller, queries=(words,))).hits)


def list_titles(services: Services, caller: Caller) -> list[str]:
    return sorted(entry.title for entry in handle(services, ListLibrary(caller=caller)).entries)


def test_video_of_private_channel_is_visible_only_there(services: Services) -> None:
    """It is found, listed and counted in the private channel, and nowhere else in the space."""
    add_video(services, "goal", ANN_IN_PRIVATE_CHANNEL)
    assert find_titles(services, ANN_IN_PRIVATE_CHANNEL) == ["goal"]
    assert list_titles(services, ANN_IN_PRIVATE_CHANNEL) == ["goal"]
    assert find_titles(services, ANN) == []
    assert list_titles(services, ANN) == []
    assert handle(services, GetStatus(caller=ANN)).videos == 0


def test_video_of_private_channel_is_visible_to_space_if_settings_open_channels(services: Services) -> None:
    handle(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(private_channels="open")))
    add_video(services, "goal", ANN_IN_PRIVATE_CHANNEL)
    assert find_titles(services, BOB) == ["goal"]


def test_hit_names_submitter_by_display_name(services: Services) -> None:
    add_video(services, "goal", ANN)
    [hit] = handle(services, Find(caller=BOB, queries=("goal",))).hits
    assert hit.submitter == "Ann"
    assert handle(services, ListLibrary(caller=BOB)).entries[0].submitter == "Ann"


@pytest.mark.parametrize(
    ("space", "link"),
    [
        ("discord:7", "https://discord.com/channels/7/1/99"),
        ("slack:T1", "https://cdn.discordapp.com/attachments/1/2/goal.mp4"),
    ],
)
def test_hit_of_a_discord_upload_opens_its_message(services: Services, space: str, link: str) -> None:
    """Without a signature, its address opens nothing."""
    caller = ANN.model_copy(update={"space": space})
    add_video(services, "goal", caller, message_id="99")
    upload = {"link": "https://cdn.discordapp.com/attachments/1/2/goal.mp4"}
    services.vectors.set_payload(FAKE.collection_name, Filter(), upload)
    [hit] = handle(services, Find(caller=caller, queries=("goal",))).hits
    assert hit.moment_link == link


@pytest.mark.parametrize("words", ["", " ", "...", "<@123>", "<:doge:123>", "\u200b", "||"])
def test_query_without_words_is_refused(services: Services, words: str) -> None:
    """The worker checks it, independently of the frontend."""
    for request in (Find(caller=ANN, queries=(words,)), Find(caller=ANN, like=(words,))):
        with pytest.raises(RequestRefusedError) as refused:
            handle(services, request)
        assert refused.value.code is ErrorCode.EMPTY_QUERY


@pytest.mark.parametrize("words", ["goal", "GOAL", "ｇｏａｌ", "**goal** <:doge:1>", "<@1> goal"])
def test_markup_and_widths_of_a_query_make_no_difference(services: Services, words: str) -> None:
    add_video(services, "goal", ANN)
    [hit] = handle(services, Find(caller=ANN, queries=(words,))).hits
    assert "title" in {why.kind for why in hit.why}


def test_picture_query_finds_similar_moments(services: Services) -> None:
    """A picture works alone and together with words; the answer holds a small copy of it for the next page."""
    add_video(services, "goal", ANN)
    file = io.BytesIO()
    Image.new("RGB", (1200, 800), "red").save(file, "PNG")
    answer = handle(services, Find(caller=ANN, picture=base64.b64encode(file.getvalue()).decode()))
    assert [hit.title for hit in answer.hits] == ["goal"]
    assert answer.picture
    assert len(answer.picture) < 10_000
    assert handle(services, Find(caller=ANN, queries=("goal",), picture=answer.picture)).hits


def test_clip_query_finds_similar_moments(services: Services, tmp_path: Path) -> None:
    """A clip works alone and together with words; the answer holds its frames for the next page."""
    add_video(services, "goal", ANN)
    file = write_video(tmp_path / "clip.mp4", 2.0, shots=(RED, BLUE)).read_bytes()
    answer = handle(services, Find(caller=ANN, clip=base64.b64encode(file).decode()))
    assert [hit.title for hit in answer.hits] == ["goal"]
    assert 0 < len(answer.frames) <= MAX_CLIP_FRAMES
    again = handle(services, Find(caller=ANN, queries=("goal",), frames=answer.frames))
    assert (again.frames, len(again.hits)) == (answer.frames, 1)


@pytest.mark.parametrize("name", ["picture", "clip", "frames"])
def test_unreadable_file_of_a_query_is_refused(services: Services, name: str) -> None:
    """No base64, a file of another kind, and one frame that is none."""
    for content in ("§§§", "aGVsbG8="):
        value = (content,) if name == "frames" else content
        with pytest.raises((RequestRefusedError, IndexerError)) as refused:
            handle(services, Find.model_validate({"caller": ANN, name: value}))
        assert isinstance(refused.value, RequestRefusedError | IndexerError)
        assert refused.value.code == (ErrorCode.NOT_A_PICTURE if name == "picture" else ErrorCode.NOT_A_CLIP)
