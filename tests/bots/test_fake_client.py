"""Contract tests of clients: the fake that other tests use behaves as the real ones."""

import asyncio
from base64 import b64encode
from pathlib import Path

import av
import numpy as np
import pytest

from bots.commands.client import Client
from model.errors import ArtifactsMissingError
from model.packages import default_artifacts_dir
from model.starter.artifacts import find_tower
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import FakeVideo
from worker.client import relay
from worker.protocol.base import Caller, CallFailedError, Request, WireModel
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Forget, GetStatus, ListLibrary, Submit
from worker.protocol.search import Find
from worker.protocol.updates import Indexed
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings

MINE = Caller(space="local:me", user_id="ada")
OTHERS = Caller(space="local:others", user_id="bob")
TITLE = "A red ball on a lawn"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "ball.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = np.full((64, 64, 3), (40, 160, 40), np.uint8)
        picture[20:44, 20:44] = (220, 30, 30)
        for _ in range(15):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


async def test_fake_client_fulfils_the_contract(clip: Path) -> None:
    await check_contract(make_fake(clip), clip)


async def test_relay_client_fulfils_the_contract(clip: Path, settings: Settings) -> None:
    async with relay.serve_relay(make_fake(clip), settings), relay.connect_relay(settings) as client:
        await check_contract(client, clip)


async def test_embedded_client_fulfils_the_contract(clip: Path, settings: Settings) -> None:
    """It runs the real model."""
    try:
        find_tower(default_artifacts_dir())
    except ArtifactsMissingError as missing:
        pytest.skip(f"the starter model is not installed: {missing}")
    async with run_embedded_worker(settings) as client:
        await check_contract(client, clip)


def make_fake(clip: Path) -> FakeClient:
    return FakeClient(sites={clip.as_uri(): FakeVideo(clip.as_uri(), "ball", ("a red ball",))})


async def check_contract(client: Client, clip: Path) -> None:
    submit = Submit(caller=MINE, link=clip.as_uri(), title=TITLE, local_files=True)
    await check_refused(client, Submit(caller=MINE, link="nonsense"), ErrorCode.NOT_A_LINK)
    await check_refused(client, Submit(caller=MINE, link=clip.as_uri()), ErrorCode.SCHEME_REFUSED)

    submitted = await client.call(submit)
    assert (submitted.link, submitted.indexed) == (clip.as_uri(), None)
    assert submitted.job_id
    *_, last = [update async for update in client.follow(submitted.job_id)]
    assert isinstance(last, Indexed)
    assert (last.link, last.title, last.status, last.moments) == (clip.as_uri(), TITLE, "indexed", 1)
    again = await client.call(submit.model_copy(update={"at": submit.at + 1}))
    assert again.indexed
    assert again.indexed.status == "already"

    [hit] = (await client.call(Find(caller=MINE, queries=("red ball",)))).hits
    assert (hit.link, hit.title, hit.submitter, hit.video_id) == (clip.as_uri(), TITLE, "ada", submitted.video_id)
    assert hit.thumbnail
    assert (await client.thumbnail(hit.thumbnail)).startswith(b"\xff\xd8")
    with pytest.raises(KeyError):
        await client.thumbnail("thumbnails/none.jpg")
    file = await asyncio.to_thread(clip.read_bytes)
    alike = await client.call(Find(caller=MINE, clip=b64encode(file).decode()))
    assert ([each.link for each in alike.hits], bool(alike.frames)) == ([hit.link], True)
    assert (await client.call(Find(caller=MINE, frames=alike.frames))).frames == alike.frames
    like = Find(caller=MINE, like=(f"moment:{hit.moment_id}",), in_link=hit.link)
    assert (await client.call(like)).next_offset is None
    assert (await client.call(Find(caller=OTHERS, queries=("red ball",)))).hits == ()
    await check_refused(
        client, Find(caller=MINE, queries=("x",), in_link="https://v.example/none"), ErrorCode.NOT_IN_LIBRARY
    )

    [entry] = (await client.call(ListLibrary(caller=MINE))).entries
    assert (entry.link, entry.status, entry.moments) == (clip.as_uri(), "indexed", 1)
    assert (await client.call(ListLibrary(caller=MINE, search="zebra"))).total == 0
    assert (await client.call(GetStatus(caller=MINE))).videos == 1
    assert (await client.call(Forget(caller=MINE, link=clip.as_uri()))).links == (clip.as_uri(),)
    await check_refused(client, Forget(caller=MINE, link=clip.as_uri()), ErrorCode.NOT_IN_LIBRARY)
    assert (await client.call(ListLibrary(caller=MINE))).entries == ()


async def check_refused(client: Client, request: Request[WireModel], code: ErrorCode) -> None:
    with pytest.raises(CallFailedError) as failed:
        await client.call(request)
    assert failed.value.code is code
    assert failed.value.correlation_id
