"""What a space decides, thinks and leaves, as a worker answers it: over the store in process."""

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from PIL import Image

from indexer.errors import NotAPicture, NotYours
from indexer.store.moments import MOMENTS
from indexer.vectors.vector_store import Where
from model.ports import Encoder as ModelEncoder
from tests.support.indexer_fakes import FakeEncoder, a_video, some_moments
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import Refusal, forget_left, retain
from worker.leases import Claims, MemoryLeases
from worker.model_cache import train_preset
from worker.protocol.error_codes import Code
from worker.protocol.messages import (
    Asker,
    ChangeSettings,
    Crawl,
    Find,
    Forget,
    Leave,
    Library,
    Message,
    ReadSettings,
    ReadTerms,
    Request,
    SpaceSettings,
    Status,
    Submit,
    Vote,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import Results
from worker.services import Parts
from worker.settings import Settings

A = TypeVar("A", bound=Message)
ANN = Asker(space="discord:1", person="ann", name="Ann")
BOB = Asker(space="discord:1", person="bob")
IN_ROOM = Asker(space="discord:1", person="ann", name="Ann", room="55")
ADMIN = Asker(space="discord:1", person="zoe", admin=True)
ELSEWHERE = Asker(space="slack:2", person="ann", admin=True)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    settings = Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(Parts(settings, make_app(settings, Results()), threading.Event(), load, train_preset)) as one:
        yield one


def call(parts: Parts, request: Request[A]) -> A:
    return cast(A, ANSWERS[request.task](parts, request))


def share(parts: Parts, name: str, asker: Asker = ANN, message: str = "") -> str:
    """A link that was submitted and indexed."""
    link = f"http://127.0.0.1/{name}.mp4"
    submitted = call(parts, Submit(asker=asker, link=link, message=message))
    if submitted.job_id:
        record = parts.library.video(submitted.video_id)
        assert record is not None
        video = a_video(name)
        video = replace(video, id=record.video_id, link=record.link)
        parts.library.open("fake", 8, 8)
        assert parts.library.put_moments(video, some_moments(video, name), "fake")
    return link


def titles(parts: Parts, asker: Asker) -> list[str]:
    return sorted(entry.title for entry in call(parts, Library(asker=asker)).entries)


def found(parts: Parts, asker: Asker, words: str = "goal") -> list[str]:
    return sorted(hit.title for hit in call(parts, Find(asker=asker, queries=(words,))).hits)


def test_a_private_channel_s_link_stays_there(parts: Parts) -> None:
    """Found, listed and counted in the room only."""
    share(parts, "goal", IN_ROOM)
    assert (found(parts, IN_ROOM), titles(parts, IN_ROOM)) == (["goal"], ["goal"])
    assert (found(parts, ANN), titles(parts, ANN), call(parts, Status(asker=ANN)).videos) == ([], [], 0)


def test_a_space_may_open_its_rooms(parts: Parts) -> None:
    """By an explicit setting, what is shared in private channels from then on is found by all of the space."""
    call(parts, ChangeSettings(asker=ADMIN, settings=SpaceSettings(rooms="open")))
    share(parts, "goal", IN_ROOM)
    assert found(parts, BOB) == ["goal"]


def test_a_hit_names_who_added_it_as_the_space_knows_them(parts: Parts) -> None:
    """By name, not by the platform's number."""
    share(parts, "goal")
    [hit] = call(parts, Find(asker=BOB, queries=("goal",))).hits
    assert hit.submitter == "Ann"
    assert call(parts, Library(asker=BOB)).entries[0].submitter == "Ann"


def test_mine_are_listed_alone(parts: Parts) -> None:
    """A person's own submissions, for the platforms' home pages."""
    share(parts, "goal")
    share(parts, "dog", BOB)
    assert [entry.title for entry in call(parts, Library(asker=BOB, mine=True)).entries] == ["dog"]


def test_only_admins_may_add_where_a_space_says_so(parts: Parts) -> None:
    """Checked at the worker, whatever a frontend forgot."""
    call(parts, ChangeSettings(asker=ADMIN, settings=SpaceSettings(submitters="admins")))
    with pytest.raises(Refusal) as refused:
        share(parts, "goal")
    assert refused.value.code is Code.SUBMITTERS_ONLY
    share(parts, "goal", ADMIN)
    share(parts, "goal", ELSEWHERE)


def test_settings_are_the_admins_affair(parts: Parts) -> None:
    """Anybody may read them; only admins change them, and only their own space's."""
    with pytest.raises(Refusal) as refused:
        call(parts, ChangeSettings(asker=ANN, settings=SpaceSettings(answers="public")))
    assert refused.value.code is Code.ADMINS_ONLY
    call(parts, ChangeSettings(asker=ADMIN, settings=SpaceSettings(answers="public", watched=("7",))))
    assert call(parts, ReadSettings(asker=ANN)) == SpaceSettings(answers="public", watched=("7",))
    assert call(parts, ReadSettings(asker=ELSEWHERE)) == SpaceSettings()


def test_crawling_is_for_admins(parts: Parts) -> None:
    """A whole playlist at once is nobody else's to ask for."""
    with pytest.raises(Refusal) as refused:
        call(parts, Crawl(asker=ANN, link="http://127.0.0.1/list"))
    assert refused.value.code is Code.ADMINS_ONLY


def test_forgetting_is_for_who_added_it_and_admins(parts: Parts) -> None:
    """Others are refused, and what hung on the video goes with it."""
    link = share(parts, "goal")
    [hit] = call(parts, Find(asker=ANN, queries=("goal",))).hits
    call(parts, Vote(asker=BOB, queries=("goal",), moment_id=hit.moment_id, kind="up"))
    with pytest.raises(NotYours):
        call(parts, Forget(asker=BOB, link=link))
    assert call(parts, Forget(asker=ADMIN, link=link)).links == (link,)
    assert found(parts, ANN) == []
    assert parts.spaces.votes() == []


def test_forgetting_mine_takes_votes_along(parts: Parts) -> None:
    """A person who takes their things back leaves no vote behind."""
    share(parts, "goal", BOB)
    [hit] = call(parts, Find(asker=ANN, queries=("goal",))).hits
    call(parts, Vote(asker=ANN, queries=("goal",), moment_id=hit.moment_id, kind="down"))
    assert call(parts, Forget(asker=ANN, mine=True)).links == ()
    assert parts.spaces.votes() == []
    assert found(parts, ANN) == ["goal"]


def test_a_message_s_links_go_with_it(parts: Parts) -> None:
    """What is still in the edited message stays."""
    kept = share(parts, "goal", message="m1")
    share(parts, "dog", message="m1")
    call(parts, Forget(asker=ANN, message="m1", still=(kept, "no link")))
    assert titles(parts, ANN) == ["goal"]
    call(parts, Forget(asker=ANN, message="m1"))
    assert titles(parts, ANN) == []


def test_a_vote_on_what_one_can_t_see_is_refused(parts: Parts) -> None:
    """An id of another space is worth nothing."""
    share(parts, "goal")
    [hit] = call(parts, Find(asker=ANN, queries=("goal",))).hits
    with pytest.raises(Refusal):
        call(parts, Vote(asker=ELSEWHERE, queries=("goal",), moment_id=hit.moment_id, kind="up"))


def test_a_picture_finds_what_looks_like_it(parts: Parts) -> None:
    """Alone or with words; the answer brings it along, small, for the next page. What is none is refused."""
    share(parts, "goal")
    file = io.BytesIO()
    Image.new("RGB", (1200, 800), "red").save(file, "PNG")
    answer = call(parts, Find(asker=ANN, picture=base64.b64encode(file.getvalue()).decode()))
    assert [hit.title for hit in answer.hits] == ["goal"]
    assert answer.picture
    assert len(answer.picture) < 10_000
    assert call(parts, Find(asker=ANN, queries=("goal",), picture=answer.picture)).hits
    with pytest.raises(Refusal):
        call(parts, Find(asker=ANN, picture="§§§"))
    with pytest.raises(NotAPicture):
        call(parts, Find(asker=ANN, picture="aGVsbG8="))


def test_a_left_space_is_forgotten_after_its_grace(parts: Parts) -> None:
    """Not before, not if the bot came back, and nothing of it is left in the record or the blob store."""
    share(parts, "goal", IN_ROOM)
    share(parts, "dog", ELSEWHERE)
    blob = f"videos/{video_of(parts, 'goal')}/0.jpg"
    parts.blobs.put(blob, b"picture")
    call(parts, ChangeSettings(asker=ADMIN, settings=SpaceSettings(language="ko")))
    call(parts, Leave(asker=ANN))
    forget_left(parts)
    assert found(parts, IN_ROOM) == ["goal"]
    call(parts, Leave(asker=ANN, back=True))
    forget_left(parts, datetime.now(UTC) + timedelta(days=8))
    assert found(parts, IN_ROOM) == ["goal"]
    call(parts, Leave(asker=ANN))
    forget_left(parts, datetime.now(UTC) + timedelta(days=6))
    assert found(parts, IN_ROOM) == ["goal"]
    forget_left(parts, datetime.now(UTC) + timedelta(days=8))
    assert found(parts, IN_ROOM) == []
    assert call(parts, ReadSettings(asker=ANN)) == SpaceSettings()
    with pytest.raises(KeyError):
        parts.blobs.get(blob)
    assert found(parts, ELSEWHERE, "dog") == ["dog"]


def video_of(parts: Parts, title: str) -> str:
    return next(entry.video_id for entry in call(parts, Library(asker=IN_ROOM)).entries if entry.title == title)


def test_terms_are_the_installation_s(parts: Parts) -> None:
    """What /privacy promises is what is set."""
    terms = call(parts, ReadTerms(asker=ANN))
    assert (terms.leave_grace_days, terms.adapter_scope) == (7, "space")
    assert (terms.keep_queries_days, terms.keep_shown_days, terms.keep_frames_days) == (None, 30, None)
    parts.settings = parts.settings.model_copy(update={"keep_queries_days": 2.5, "keep_frames_days": 90.0})
    terms = call(parts, ReadTerms(asker=ANN))
    assert (terms.keep_queries_days, terms.keep_shown_days, terms.keep_frames_days) == (2.5, 2.5, 90)


def test_votes_and_frames_are_kept_as_long_as_is_set(parts: Parts) -> None:
    """Nothing goes where nothing is set or before its time; only one worker looks, and once an hour."""
    share(parts, "goal")
    [hit] = call(parts, Find(asker=ANN, queries=("goal",))).hits
    call(parts, Vote(asker=BOB, queries=("goal",), moment_id=hit.moment_id, kind="up"))
    parts.blobs.put(f"videos/{hit.video_id}/frame.jpg", b"a frame")
    parts.points.set_payload(MOMENTS, Where(), {"frames": [f"videos/{hit.video_id}/frame.jpg", hit.thumbnail]})

    def after(days: float) -> tuple[int, list[str]]:
        parts.claims = Claims(MemoryLeases())
        retain(parts, datetime.now(UTC) + timedelta(days=days))
        retain(parts, datetime.now(UTC) + timedelta(days=999))
        return len(parts.spaces.votes()), list(parts.blobs.all_keys())

    frame = [f"videos/{hit.video_id}/frame.jpg"]
    assert after(1000) == (1, frame)
    parts.settings = parts.settings.model_copy(update={"keep_queries_days": 10.0, "keep_frames_days": 20.0})
    assert after(9) == (1, frame)
    assert after(11) == (0, frame)
    assert after(21) == (0, [])
