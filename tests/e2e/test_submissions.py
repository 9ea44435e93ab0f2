"""What happens to a link, through the whole product: guard, yt-dlp, PyAV, the starter preset, the store."""

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ANN, BOB, Site, outcome, submitted
from tests.support.clips import clip
from tests.support.processes import REELSEEK, json_lines, reelseek, running
from worker.client.queue_client import QueueClient
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import CallFailedError, Find, Forget, GetStatus, Indexed, ListLibrary
from worker.settings import Settings


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


async def test_a_link_becomes_moments_that_are_found(client: QueueClient, site: Site) -> None:
    """A submitted video is cut along its shots, and found with links that jump to the moment and a thumbnail of it."""
    clip(site.folder / "shots.mp4", "red", "blue", seconds=3)
    ended = await outcome(client, await submitted(client, f"{site.url}/shots.mp4?utm_source=x"))
    assert isinstance(ended, Indexed)
    assert (ended.link, ended.moments) == (f"{site.url}/shots.mp4", 2)
    found = await client.call(Find(caller=ANN, queries=("a blue picture",)))
    hit = found.hits[0]
    assert (hit.link, hit.more) == (f"{site.url}/shots.mp4", 1)
    assert hit.moment_link == f"{site.url}/shots.mp4#t=3"
    assert (hit.start_s, hit.end_s) == (pytest.approx(3, abs=0.3), pytest.approx(6, abs=0.3))
    assert hit.thumbnail
    assert (await client.thumbnail(hit.thumbnail)).startswith(b"\xff\xd8")


async def test_the_same_link_twice_is_one_job(client: QueueClient, site: Site) -> None:
    """Submitted twice at once, in two forms, a video is fetched once and stored once."""
    clip(site.folder / "a.mp4", "red")
    forms = (f"{site.url}/a.mp4", f"<{site.url}/a.mp4?utm_campaign=y#t=3>")
    answers = await asyncio.gather(*(submitted(client, form) for form in forms))
    assert answers[0].job_id == answers[1].job_id
    ends = await asyncio.gather(*(outcome(client, answer) for answer in answers))
    assert ends[0] == ends[1]
    again = await submitted(client, forms[0])
    assert again.indexed
    assert again.indexed.status == "already"
    assert (await client.call(GetStatus(caller=ANN))).moments == 1


async def test_two_spaces_share_the_points_and_not_the_video(client: QueueClient, site: Site) -> None:
    """A second space finds a video only once it submits it, without new work; forgetting it leaves the first one's."""
    clip(site.folder / "a.mp4", "green")
    await outcome(client, await submitted(client, f"{site.url}/a.mp4"))
    fetched = site.asked["a.mp4"]
    question = {"queries": ("green",)}
    assert (await client.call(Find(caller=BOB, **question))).hits == ()
    assert (await submitted(client, f"{site.url}/a.mp4", BOB)).indexed
    assert site.asked["a.mp4"] == fetched
    assert [(await client.call(Find(caller=who, **question))).hits[0].submitter for who in (ANN, BOB)] == ["ann", "bob"]
    await client.call(Forget(caller=ANN, link=f"{site.url}/a.mp4"))
    assert (await client.call(Find(caller=ANN, **question))).hits == ()
    assert len((await client.call(Find(caller=BOB, **question))).hits) == 1


async def test_the_last_to_forget_takes_everything_along(client: QueueClient, site: Site, settings: Settings) -> None:
    """Once no space wants a video, its moments, its record and its pictures are gone."""
    clip(site.folder / "a.mp4", "green")
    await outcome(client, await submitted(client, f"{site.url}/a.mp4"))
    assert files(settings.data_dir / "blobs")
    forgotten = await client.call(Forget(caller=ANN, mine=True))
    assert forgotten.links == (f"{site.url}/a.mp4",)
    assert not files(settings.data_dir / "blobs")
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
async def test_a_refused_link_is_not_recorded(client: QueueClient, link: str, code: ErrorCode) -> None:
    """What the guard refuses is refused at once, with its own code, and leaves no trace."""
    with pytest.raises(CallFailedError) as failed:
        await submitted(client, link)
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
async def test_a_failed_link_leaves_nothing_half_stored(
    client: QueueClient, site: Site, settings: Settings, name: str, content: bytes | None, code: ErrorCode
) -> None:
    """A link that gives no video ends with its own code; the library says so, and no moment, picture or file stays."""
    if content is not None:
        (site.folder / name).write_bytes(content)
    ended = await outcome(client, await submitted(client, f"{site.url}/{name}"))
    assert getattr(ended, "code", None) is code
    entry = (await client.call(ListLibrary(caller=ANN))).entries[0]
    assert (entry.status, entry.code, entry.moments) == ("failed", code, 0)
    assert not files(settings.data_dir / "blobs") + files(settings.data_dir / "work")


async def test_a_failed_link_may_be_tried_again(client: QueueClient, site: Site) -> None:
    """Once the site has mended its video, submitting it again indexes it."""
    link = f"{site.url}/late.mp4"
    assert getattr(await outcome(client, await submitted(client, link)), "code", None) is ErrorCode.NOT_FOUND
    clip(site.folder / "late.mp4", "red")
    assert isinstance(await outcome(client, await submitted(client, link)), Indexed)


async def test_odd_questions_are_answered(client: QueueClient, site: Site) -> None:
    """Emoji, Korean and 10,000 characters are searched; nothing at all is refused with its own code."""
    clip(site.folder / "🎬영화.mp4", "red")
    await outcome(client, await submitted(client, f"{site.url}/🎬영화.mp4"))
    for words in ("🎬", "빨간 화면", "一个红色的画面", "red " * 2_500):
        assert len((await client.call(Find(caller=ANN, queries=(words,)))).hits) == 1, words
    with pytest.raises(CallFailedError) as failed:
        await client.call(Find(caller=ANN, queries=("   ",)))
    assert failed.value.code is ErrorCode.EMPTY_QUERY


def test_a_killed_owner_finishes_after_its_restart(tmp_path: Path) -> None:
    """Kill -9 in the middle of indexing loses nothing: the next start finishes the job, with no point or file twice."""
    data, video = tmp_path / "data", clip(tmp_path / "long.mp4", "red", seconds=24)
    data.mkdir()
    with running([REELSEEK, "index", str(video)], data) as first:
        while not files(data / "blobs"):
            with pytest.raises(subprocess.TimeoutExpired):
                first.popen.wait(0.02)
        first.end(signal.SIGKILL)
    assert files(data / "work")
    ended = reelseek(data, "index", str(video), "--json")
    assert json_lines(ended.stdout)[0]["moments"] == 3, ended.stderr
    assert not files(data / "work")
    assert len(files(data / "blobs")) == 24
    found = json_lines(reelseek(data, "find", "red", "--in", str(video), "--limit", "50", "--json").stdout)[0]
    assert sorted(hit["start_s"] for hit in found["hits"]) == pytest.approx([0, 8, 16], abs=0.2)
