"""Submitting a link, through the whole product: SSRF guard, yt-dlp, PyAV, the starter preset, the store."""

import asyncio
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from bots.cli.environment import CALLER
from model.ports import Encoder
from tests.support.indexer.clips import serve_clip, write_clip
from tests.support.servers.processes import REELSEEK, run_process
from tests.support.servers.site import Site
from tests.support.worker.submissions import ANN, BOB, submit, wait_for_outcome
from worker.client.queue_client import QueueClient
from worker.protocol.base import CallFailedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.library import Forget, GetStatus, ListLibrary, Submit
from worker.protocol.search import Find
from worker.protocol.updates import Indexed
from worker.runtime.embedded import run_embedded_worker
from worker.settings import Settings


def list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


async def test_submitted_video_is_cut_at_shots_and_found(client: QueueClient, site: Site) -> None:
    """Hits have links that jump to the moment and a thumbnail of it."""
    link = serve_clip(site, "shots.mp4", "red", "blue", seconds=3)
    indexed = await wait_for_outcome(client, await submit(client, f"{link}?utm_source=x"))
    assert isinstance(indexed, Indexed)
    assert (indexed.link, indexed.moments) == (link, 2)
    found = await client.call(Find(caller=ANN, queries=("a blue picture",)))
    hit = found.hits[0]
    assert (hit.link, hit.more) == (link, 1)
    assert hit.moment_link == f"{link}#t=3"
    assert [hit.start_s, hit.end_s] == pytest.approx([3, 6], abs=0.3)
    assert hit.thumbnail
    assert (await client.thumbnail(hit.thumbnail)).startswith(b"\xff\xd8")


async def test_same_link_submitted_twice_is_one_job(client: QueueClient, site: Site) -> None:
    """Submitted twice at once, in two spellings, a video is fetched once and stored once."""
    link = serve_clip(site, "a.mp4", "red")
    spellings = (link, f"<{link}?utm_campaign=y#t=3>")
    answers = await asyncio.gather(*(submit(client, spelling) for spelling in spellings))
    assert answers[0].job_id == answers[1].job_id
    outcomes = await asyncio.gather(*(wait_for_outcome(client, answer) for answer in answers))
    assert outcomes[0] == outcomes[1]
    again = await submit(client, link)
    assert again.indexed
    assert again.indexed.status == "already"
    assert (await client.call(GetStatus(caller=ANN))).moments == 1


async def test_two_spaces_share_moments_but_not_visibility(client: QueueClient, site: Site) -> None:
    """A second space finds a video only after it submits it, without new work; the first may then remove its own."""
    link = serve_clip(site, "a.mp4", "green")
    await wait_for_outcome(client, await submit(client, link))
    requests = len(site.requested_paths)
    assert (await client.call(Find(caller=BOB, queries=("green",)))).hits == ()
    assert (await submit(client, link, BOB)).indexed
    assert len(site.requested_paths) == requests
    for caller, submitter in ((ANN, "ann"), (BOB, "bob")):
        assert (await client.call(Find(caller=caller, queries=("green",)))).hits[0].submitter == submitter
    await client.call(Forget(caller=ANN, link=link))
    assert (await client.call(Find(caller=ANN, queries=("green",)))).hits == ()
    assert len((await client.call(Find(caller=BOB, queries=("green",)))).hits) == 1


async def test_last_removal_deletes_everything_of_a_video(client: QueueClient, site: Site, settings: Settings) -> None:
    """Its moments, its record and its pictures are gone once no space has it."""
    link = serve_clip(site, "a.mp4", "green")
    await wait_for_outcome(client, await submit(client, link))
    assert list_files(settings.data_dir / "blobs")
    removed = await client.call(Forget(caller=ANN, only_own=True))
    assert removed.links == (link,)
    assert not list_files(settings.data_dir / "blobs")
    assert (await client.call(ListLibrary(caller=ANN))).total == 0


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("no link at all", ErrorCode.NOT_A_LINK),
        ("file:///etc/passwd", ErrorCode.SCHEME_REFUSED),
        ("ftp://example.org/a.mp4", ErrorCode.SCHEME_REFUSED),
        ("http://127.0.0.2/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("http://2130706434/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("http://0x7f000002/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("http://[::ffff:10.0.0.1]/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("http://169.254.169.254/latest/meta-data", ErrorCode.ADDRESS_REFUSED),
        ("http://192.168.1.1/a.mp4", ErrorCode.ADDRESS_REFUSED),
        ("https://www.youtube.com/playlist?list=PL123456789", ErrorCode.PLAYLIST_REFUSED),
    ],
)
async def test_refused_link_is_not_recorded(client: QueueClient, link: str, code: ErrorCode) -> None:
    """A link that the guard refuses has its own error code and leaves no record."""
    with pytest.raises(CallFailedError) as failed:
        await submit(client, link)
    assert failed.value.code is code
    assert (await client.call(ListLibrary(caller=ANN))).total == 0


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("gone.mp4", None, ErrorCode.NOT_FOUND),
        ("page.html", b"<html><body>no video here</body></html>", ErrorCode.NO_VIDEO),
        ("empty.mp4", b"", ErrorCode.EMPTY_FILE),
        ("archive.mp4", b"PK\x03\x04" + bytes(2000), ErrorCode.CORRUPT),
    ],
)
async def test_failed_link_leaves_nothing_half_stored(
    client: QueueClient, site: Site, settings: Settings, name: str, content: bytes | None, code: ErrorCode
) -> None:
    """A link without a video has its own error code; the library shows it, and no moment, picture or file stays."""
    kind = "text/html" if name.endswith(".html") else "video/mp4"
    link = site.url(f"/{name}") if content is None else site.put(f"/{name}", content, kind=kind)
    failed = await wait_for_outcome(client, await submit(client, link))
    assert getattr(failed, "code", None) is code
    entry = (await client.call(ListLibrary(caller=ANN))).entries[0]
    assert (entry.status, entry.code, entry.moments) == ("failed", code, 0)
    assert not list_files(settings.data_dir / "blobs") + list_files(settings.data_dir / "work")


async def test_failed_link_can_be_submitted_again(client: QueueClient, site: Site) -> None:
    """Once the site has fixed its video, submitting it again indexes it."""
    link = site.url("/late.mp4")
    assert getattr(await wait_for_outcome(client, await submit(client, link)), "code", None) is ErrorCode.NOT_FOUND
    serve_clip(site, "late.mp4", "red")
    assert isinstance(await wait_for_outcome(client, await submit(client, link)), Indexed)


async def test_unusual_queries_are_answered(client: QueueClient, site: Site) -> None:
    """Emoji, Korean and 10,000 characters are searched; an empty query is refused with its own error code."""
    await wait_for_outcome(client, await submit(client, serve_clip(site, "🎬영화.mp4", "red")))
    for words in ("🎬", "빨간 화면", "一个红色的画面", "red " * 2_500):
        assert len((await client.call(Find(caller=ANN, queries=(words,)))).hits) == 1, words
    with pytest.raises(CallFailedError) as failed:
        await client.call(Find(caller=ANN, queries=("   ",)))
    assert failed.value.code is ErrorCode.EMPTY_QUERY


def kill_while_indexing(folder: Path, video: Path) -> Path:
    """Kill `reelseek index` once it has stored a frame. Returns its data folder; try again if the job ended before."""
    for attempt in range(5):
        data = folder / f"data-{attempt}"
        data.mkdir()
        with run_process([REELSEEK, "index", str(video)], data) as process:
            while not list_files(data / "blobs"):
                with suppress(subprocess.TimeoutExpired):
                    process.popen.wait(0.01)
                    raise AssertionError(process.text)
            process.stop(signal.SIGKILL)
        if list_files(data / "work"):
            return data
    raise AssertionError("the job always ended before the process was killed")


async def test_job_of_a_killed_process_is_finished_by_the_next_owner(tmp_path: Path, starter: Encoder) -> None:
    """`kill -9` during indexing loses nothing, and no point or file is stored twice."""
    video = write_clip(tmp_path / "long.mp4", "red", seconds=24)
    data = kill_while_indexing(tmp_path, video)
    link = video.as_uri()
    async with run_embedded_worker(Settings(data_dir=data), load=lambda *_: starter) as client:
        submitted = await client.call(Submit(caller=CALLER, link=link, local_files=True))
        indexed = await wait_for_outcome(client, submitted)
        assert isinstance(indexed, Indexed)
        assert indexed.moments == 3
        assert (await client.call(GetStatus(caller=CALLER))).moments == 3
        hits = (await client.call(Find(caller=CALLER, queries=("red",), in_link=link, limit=50))).hits
    assert not list_files(data / "work")
    assert len(list_files(data / "blobs")) == 24
    spans = sorted((hit.start_s, hit.end_s) for hit in hits)
    assert (spans[0][0], spans[-1][1]) == pytest.approx((0, 24), abs=0.2)
    assert [end_s for _, end_s in spans[:-1]] == [start_s for start_s, _ in spans[1:]], "no moment is stored twice"
