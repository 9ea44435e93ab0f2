"""The same promises, kept by the library in memory and by the real clients: so other tests may trust the fake."""

from pathlib import Path

import av
import numpy as np
import pytest

from bots.commands.client import Client
from model.errors import PartsMissing
from model.starter.artifacts import default_folder, tower_folder
from tests.support.fake_client import FakeClient, FakeVideo
from worker.client import relay
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import Caller, CallFailedError, Request
from worker.runtime.embedded import embedded
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


async def test_the_fake(clip: Path) -> None:
    """The library in memory keeps what clients promise."""
    await keeps_its_promises(fake(clip), clip)


async def test_the_relay(clip: Path, settings: Settings) -> None:
    """A client in another process keeps it, too."""
    async with relay.serve(fake(clip), settings), relay.connect(settings) as client:
        await keeps_its_promises(client, clip)


async def test_the_embedded_client(clip: Path, settings: Settings) -> None:
    """The real one keeps it, with a real model behind it."""
    try:
        tower_folder(default_folder())
    except PartsMissing as missing:
        pytest.skip(f"the starter model is not there: {missing}")
    async with embedded(settings) as client:
        await keeps_its_promises(client, clip)


def fake(clip: Path) -> FakeClient:
    return FakeClient(sites={clip.as_uri(): FakeVideo(clip.as_uri(), "ball", ("a red ball",))})


async def keeps_its_promises(client: Client, clip: Path) -> None:
    submit = messages.Submit(caller=MINE, link=clip.as_uri(), title=TITLE, local_files=True)
    await refuses(client, messages.Submit(caller=MINE, link="nonsense"), ErrorCode.NOT_A_LINK)
    await refuses(client, messages.Submit(caller=MINE, link=clip.as_uri()), ErrorCode.SCHEME_REFUSED)

    submitted = await client.call(submit)
    assert (submitted.link, submitted.indexed) == (clip.as_uri(), None)
    assert submitted.job_id
    *_, last = [update async for update in client.follow(submitted.job_id)]
    assert isinstance(last, messages.Indexed)
    assert (last.link, last.title, last.status, last.moments) == (clip.as_uri(), TITLE, "indexed", 1)
    again = await client.call(submit)
    assert again.indexed
    assert again.indexed.status == "already"

    [hit] = (await client.call(messages.Find(caller=MINE, queries=("red ball",)))).hits
    assert (hit.link, hit.title, hit.submitter, hit.video_id) == (clip.as_uri(), TITLE, "ada", submitted.video_id)
    assert hit.thumbnail
    assert (await client.thumbnail(hit.thumbnail)).startswith(b"\xff\xd8")
    with pytest.raises(KeyError):
        await client.thumbnail("thumbnails/none.jpg")
    like = messages.Find(caller=MINE, like=(f"moment:{hit.moment_id}",), in_link=hit.link)
    assert (await client.call(like)).next_offset is None
    assert (await client.call(messages.Find(caller=OTHERS, queries=("red ball",)))).hits == ()
    await refuses(
        client, messages.Find(caller=MINE, queries=("x",), in_link="https://v.example/none"), ErrorCode.NOT_IN_LIBRARY
    )

    [entry] = (await client.call(messages.ListLibrary(caller=MINE))).entries
    assert (entry.link, entry.status, entry.moments) == (clip.as_uri(), "indexed", 1)
    assert (await client.call(messages.ListLibrary(caller=MINE, search="zebra"))).total == 0
    assert (await client.call(messages.GetStatus(caller=MINE))).videos == 1
    assert (await client.call(messages.Forget(caller=MINE, link=clip.as_uri()))).links == (clip.as_uri(),)
    await refuses(client, messages.Forget(caller=MINE, link=clip.as_uri()), ErrorCode.NOT_IN_LIBRARY)
    assert (await client.call(messages.ListLibrary(caller=MINE))).entries == ()


async def refuses(client: Client, request: Request[messages.WireModel], code: ErrorCode) -> None:
    with pytest.raises(CallFailedError) as failed:
        await client.call(request)
    assert failed.value.code is code
    assert failed.value.correlation_id
