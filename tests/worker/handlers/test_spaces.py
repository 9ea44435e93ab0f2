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

from indexer.errors import NotAPictureError, NotSubmitterError
from indexer.store.moments import MOMENTS
from indexer.vectors.vector_store import Filter
from model.ports import Encoder as ModelEncoder
from tests.support.indexer_fakes import FakeEncoder, a_video, some_moments
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import RequestRefusedError, forget_left, retain
from worker.leases import JobLeases, MemoryLeaseStore
from worker.model_cache import train_preset
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import (
    Caller,
    ChangeSettings,
    Find,
    Forget,
    GetRetentionPolicy,
    GetSettings,
    GetStatus,
    ListLibrary,
    ListPlaylist,
    RecordBotRemoval,
    RecordVote,
    Request,
    SpaceSettings,
    Submit,
    WireModel,
)
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings

A = TypeVar("A", bound=WireModel)
ANN = Caller(space="discord:1", user_id="ann", name="Ann")
BOB = Caller(space="discord:1", user_id="bob")
IN_ROOM = Caller(space="discord:1", user_id="ann", name="Ann", private_channel="55")
ADMIN = Caller(space="discord:1", user_id="zoe", is_admin=True)
ELSEWHERE = Caller(space="slack:2", user_id="ann", is_admin=True)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path, allow_networks=("127.0.0.0/8",))
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(
        Services(settings, make_app(settings, MemoryResultStore()), threading.Event(), load, train_preset)
    ) as one:
        yield one


def call(services: Services, request: Request[A]) -> A:
    return cast(A, ANSWERS[request.task](services, request))


def share(services: Services, name: str, caller: Caller = ANN, message: str = "") -> str:
    """A link that was submitted and indexed."""
    link = f"http://127.0.0.1/{name}.mp4"
    submitted = call(services, Submit(caller=caller, link=link, message=message))
    if submitted.job_id:
        record = services.library.video(submitted.video_id)
        assert record is not None
        video = a_video(name)
        video = replace(video, id=record.video_id, link=record.link)
        services.library.open("fake", 8, 8)
        assert services.library.put_moments(video, some_moments(video, name), "fake")
    return link


def titles(services: Services, caller: Caller) -> list[str]:
    return sorted(entry.title for entry in call(services, ListLibrary(caller=caller)).entries)


def found(services: Services, caller: Caller, words: str = "goal") -> list[str]:
    return sorted(hit.title for hit in call(services, Find(caller=caller, queries=(words,))).hits)


def test_a_private_channel_s_link_stays_there(services: Services) -> None:
    """Found, listed and counted in the room only."""
    share(services, "goal", IN_ROOM)
    assert (found(services, IN_ROOM), titles(services, IN_ROOM)) == (["goal"], ["goal"])
    assert (found(services, ANN), titles(services, ANN), call(services, GetStatus(caller=ANN)).videos) == ([], [], 0)


def test_a_space_may_open_its_rooms(services: Services) -> None:
    """By an explicit setting, what is shared in private channels from then on is found by all of the space."""
    call(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(private_channels="open")))
    share(services, "goal", IN_ROOM)
    assert found(services, BOB) == ["goal"]


def test_a_hit_names_who_added_it_as_the_space_knows_them(services: Services) -> None:
    """By name, not by the platform's number."""
    share(services, "goal")
    [hit] = call(services, Find(caller=BOB, queries=("goal",))).hits
    assert hit.submitter == "Ann"
    assert call(services, ListLibrary(caller=BOB)).entries[0].submitter == "Ann"


def test_mine_are_listed_alone(services: Services) -> None:
    """A person's own submissions, for the platforms' home pages."""
    share(services, "goal")
    share(services, "dog", BOB)
    assert [entry.title for entry in call(services, ListLibrary(caller=BOB, mine=True)).entries] == ["dog"]


def test_only_admins_may_add_where_a_space_says_so(services: Services) -> None:
    """Checked at the worker, whatever a frontend forgot."""
    call(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(submitters="admins")))
    with pytest.raises(RequestRefusedError) as refused:
        share(services, "goal")
    assert refused.value.code is ErrorCode.SUBMITTERS_ONLY
    share(services, "goal", ADMIN)
    share(services, "goal", ELSEWHERE)


def test_settings_are_the_admins_affair(services: Services) -> None:
    """Anybody may read them; only admins change them, and only their own space's."""
    with pytest.raises(RequestRefusedError) as refused:
        call(services, ChangeSettings(caller=ANN, settings=SpaceSettings(answers="public")))
    assert refused.value.code is ErrorCode.ADMINS_ONLY
    call(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(answers="public", watched=("7",))))
    assert call(services, GetSettings(caller=ANN)) == SpaceSettings(answers="public", watched=("7",))
    assert call(services, GetSettings(caller=ELSEWHERE)) == SpaceSettings()


def test_crawling_is_for_admins(services: Services) -> None:
    """A whole playlist at once is nobody else's to ask for."""
    with pytest.raises(RequestRefusedError) as refused:
        call(services, ListPlaylist(caller=ANN, link="http://127.0.0.1/list"))
    assert refused.value.code is ErrorCode.ADMINS_ONLY


def test_forgetting_is_for_who_added_it_and_admins(services: Services) -> None:
    """Others are refused, and what hung on the video goes with it."""
    link = share(services, "goal")
    [hit] = call(services, Find(caller=ANN, queries=("goal",))).hits
    call(services, RecordVote(caller=BOB, queries=("goal",), moment_id=hit.moment_id, kind="up"))
    with pytest.raises(NotSubmitterError):
        call(services, Forget(caller=BOB, link=link))
    assert call(services, Forget(caller=ADMIN, link=link)).links == (link,)
    assert found(services, ANN) == []
    assert services.spaces.votes() == []


def test_forgetting_mine_takes_votes_along(services: Services) -> None:
    """A person who takes their things back leaves no vote behind."""
    share(services, "goal", BOB)
    [hit] = call(services, Find(caller=ANN, queries=("goal",))).hits
    call(services, RecordVote(caller=ANN, queries=("goal",), moment_id=hit.moment_id, kind="down"))
    assert call(services, Forget(caller=ANN, mine=True)).links == ()
    assert services.spaces.votes() == []
    assert found(services, ANN) == ["goal"]


def test_a_message_s_links_go_with_it(services: Services) -> None:
    """What is still in the edited message stays."""
    kept = share(services, "goal", message="m1")
    share(services, "dog", message="m1")
    call(services, Forget(caller=ANN, message="m1", still=(kept, "no link")))
    assert titles(services, ANN) == ["goal"]
    call(services, Forget(caller=ANN, message="m1"))
    assert titles(services, ANN) == []


def test_a_vote_on_what_one_can_t_see_is_refused(services: Services) -> None:
    """An id of another space is worth nothing."""
    share(services, "goal")
    [hit] = call(services, Find(caller=ANN, queries=("goal",))).hits
    with pytest.raises(RequestRefusedError):
        call(services, RecordVote(caller=ELSEWHERE, queries=("goal",), moment_id=hit.moment_id, kind="up"))


def test_a_picture_finds_what_looks_like_it(services: Services) -> None:
    """Alone or with words; the answer brings it along, small, for the next page. What is none is refused."""
    share(services, "goal")
    file = io.BytesIO()
    Image.new("RGB", (1200, 800), "red").save(file, "PNG")
    answer = call(services, Find(caller=ANN, picture=base64.b64encode(file.getvalue()).decode()))
    assert [hit.title for hit in answer.hits] == ["goal"]
    assert answer.picture
    assert len(answer.picture) < 10_000
    assert call(services, Find(caller=ANN, queries=("goal",), picture=answer.picture)).hits
    with pytest.raises(RequestRefusedError):
        call(services, Find(caller=ANN, picture="§§§"))
    with pytest.raises(NotAPictureError):
        call(services, Find(caller=ANN, picture="aGVsbG8="))


def test_a_left_space_is_forgotten_after_its_grace(services: Services) -> None:
    """Not before, not if the bot came back, and nothing of it is left in the record or the blob store."""
    share(services, "goal", IN_ROOM)
    share(services, "dog", ELSEWHERE)
    blob = f"videos/{video_of(services, 'goal')}/0.jpg"
    services.blobs.put(blob, b"picture")
    call(services, ChangeSettings(caller=ADMIN, settings=SpaceSettings(language="ko")))
    call(services, RecordBotRemoval(caller=ANN))
    forget_left(services)
    assert found(services, IN_ROOM) == ["goal"]
    call(services, RecordBotRemoval(caller=ANN, back=True))
    forget_left(services, datetime.now(UTC) + timedelta(days=8))
    assert found(services, IN_ROOM) == ["goal"]
    call(services, RecordBotRemoval(caller=ANN))
    forget_left(services, datetime.now(UTC) + timedelta(days=6))
    assert found(services, IN_ROOM) == ["goal"]
    forget_left(services, datetime.now(UTC) + timedelta(days=8))
    assert found(services, IN_ROOM) == []
    assert call(services, GetSettings(caller=ANN)) == SpaceSettings()
    with pytest.raises(KeyError):
        services.blobs.get(blob)
    assert found(services, ELSEWHERE, "dog") == ["dog"]


def video_of(services: Services, title: str) -> str:
    return next(entry.video_id for entry in call(services, ListLibrary(caller=IN_ROOM)).entries if entry.title == title)


def test_terms_are_the_installation_s(services: Services) -> None:
    """What /privacy promises is what is set."""
    terms = call(services, GetRetentionPolicy(caller=ANN))
    assert (terms.leave_grace_days, terms.adapter_scope) == (7, "space")
    assert (terms.keep_queries_days, terms.keep_shown_days, terms.keep_frames_days) == (None, 30, None)
    services.settings = services.settings.model_copy(update={"keep_queries_days": 2.5, "keep_frames_days": 90.0})
    terms = call(services, GetRetentionPolicy(caller=ANN))
    assert (terms.keep_queries_days, terms.keep_shown_days, terms.keep_frames_days) == (2.5, 2.5, 90)


def test_votes_and_frames_are_kept_as_long_as_is_set(services: Services) -> None:
    """Nothing goes where nothing is set or before its time; only one worker looks, and once an hour."""
    share(services, "goal")
    [hit] = call(services, Find(caller=ANN, queries=("goal",))).hits
    call(services, RecordVote(caller=BOB, queries=("goal",), moment_id=hit.moment_id, kind="up"))
    services.blobs.put(f"videos/{hit.video_id}/frame.jpg", b"a frame")
    services.points.set_payload(MOMENTS, Filter(), {"frames": [f"videos/{hit.video_id}/frame.jpg", hit.thumbnail]})

    def after(days: float) -> tuple[int, list[str]]:
        services.leases = JobLeases(MemoryLeaseStore())
        retain(services, datetime.now(UTC) + timedelta(days=days))
        retain(services, datetime.now(UTC) + timedelta(days=999))
        return len(services.spaces.votes()), list(services.blobs.all_keys())

    frame = [f"videos/{hit.video_id}/frame.jpg"]
    assert after(1000) == (1, frame)
    services.settings = services.settings.model_copy(update={"keep_queries_days": 10.0, "keep_frames_days": 20.0})
    assert after(9) == (1, frame)
    assert after(11) == (0, frame)
    assert after(21) == (0, [])
