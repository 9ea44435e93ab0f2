"""Spaces are walls: whatever was done before, no answer holds what its asker's space, or room, did not put in.

Random requests of every kind go to the worker's answers over a real store, beside a model of sets and dictionaries that
knows who may see what. `python -m pytest tests/worker/handlers/test_tenancy.py --hypothesis-profile=long` takes its time.
"""

import base64
import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from indexer.errors import IndexerError
from indexer.vectors.vector_store import Filter
from model.ports import Encoder as ModelEncoder
from tests.indexer.conftest import fast_folder
from tests.support.access_model import MOMENTS, SPACES, VIDEOS, World, id_of, link_of, moments_of, named, told
from tests.support.indexer_fakes import FakeEncoder, a_video, some_moments
from tests.support.qdrant import qdrant_url
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import RequestRefusedError, forget_left
from worker.model_cache import train_preset
from worker.protocol import messages
from worker.protocol.error_codes import ErrorCode, error_code_of
from worker.protocol.messages import REQUESTS, Caller, Request, SpaceSettings, WireModel
from worker.queue.app import make_app
from worker.queue.memory_backend import MemoryResultStore
from worker.services import Services
from worker.settings import Settings

__all__ = ["fast_folder", "qdrant_url"]

A = TypeVar("A", bound=WireModel)
ROOMS: Final = ("", "55", "66")
PEOPLE: Final = ("ann", "bob")
CHAT_MESSAGES: Final = ("", "m1", "m2")
FEW: Final = 3
"""Stories on a Qdrant server, which takes its time; too few to ask everything."""
EVERYWHERE: Final = [
    Caller(space=space, user_id="eve", private_channel=private_channel)
    for space, private_channel in product(SPACES, ROOMS)
]


def a_picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Walls(RuleBasedStateMachine):
    """A worker's answers beside the model. A step is one request, or one thing that happens to the worker."""

    services: ClassVar[Services]
    asked: ClassVar[set[type[Request[Any]]]]
    """Kinds of requests that were sent, in any run."""

    def __init__(self) -> None:
        super().__init__()
        points = self.services.points
        for collection in points.collections():
            points.delete(collection, Filter())
        self.services.blobs.delete_prefix("videos/")
        self.world = World()

    def call(self, request: Request[A], may_tell: set[str] | None = None) -> A | ErrorCode:
        """The answer, or why there is none. Without `may_tell`, it may tell of what the asker sees after it."""
        self.asked.add(type(request))
        try:
            answer = cast(A, ANSWERS[request.task](self.services, request))
        except (RequestRefusedError, IndexerError) as refused:
            return error_code_of(refused)
        assert told(answer) <= ({each.name for each in self.world.seen(request.caller)} | (may_tell or set()))
        assert named(answer) <= {request.caller.space}
        return answer

    askers = st.builds(
        lambda space, user_id, private_channel, admin: Caller(
            space=space, user_id=user_id, name=f"{user_id} of {space}", private_channel=private_channel, is_admin=admin
        ),
        st.sampled_from(SPACES),
        st.sampled_from(PEOPLE),
        st.sampled_from(ROOMS),
        st.booleans(),
    )
    videos = st.sampled_from(VIDEOS)

    # ---- links come and go ----

    @initialize(shared=st.lists(st.tuples(askers, videos), min_size=4, max_size=8))
    def share(self, shared: list[tuple[Caller, str]]) -> None:
        """Most runs are about videos that are there already."""
        for caller, name in shared:
            self.submit(caller, name, "m1")
            if name in self.world.waiting():
                self._indexed(name)

    @rule(caller=askers, name=videos, message=st.sampled_from(CHAT_MESSAGES))
    def submit(self, caller: Caller, name: str, message: str) -> None:
        known = name in {each.name for each in self.world.seen(caller)}
        refused = self.world.settings(caller.space).submitters == "admins" and not caller.is_admin
        if not refused:
            self.world.submit(caller, name, message)
        answer = self.call(messages.Submit(caller=caller, link=link_of(name), message=message))
        if refused:
            assert answer is ErrorCode.SUBMITTERS_ONLY
            return
        assert isinstance(answer, messages.Submitted)
        assert (answer.job_id is None) == (name in self.world.indexed)
        # Nobody learns from it that somebody else had the video before.
        assert answer.indexed is None or (answer.indexed.status == "already") == known

    @precondition(lambda self: self.world.waiting())
    @rule(data=st.data())
    def index(self, data: st.DataObject) -> None:
        """A worker is done with a video."""
        self._indexed(data.draw(st.sampled_from(sorted(self.world.waiting()))))

    def _indexed(self, name: str) -> None:
        video = replace(a_video(name), id=id_of(name), link=link_of(name), title=f"title of {name}")
        self.services.library.open("fake", 8, 8)
        self.services.blobs.put(f"videos/{video.id}/0.jpg", b"a picture")
        moments = some_moments(video, *[f"clip {name} {number}" for number in range(MOMENTS)])
        assert self.services.library.put_moments(video, moments, "fake")
        self.world.indexed.add(name)

    @precondition(lambda self: self.world.waiting())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.waiting())))
        self.services.library.fail(id_of(name), ErrorCode.NOT_FOUND)
        self.world.failed.add(name)

    @rule(caller=askers, name=videos)
    def forget(self, caller: Caller, name: str) -> None:
        here = [each for each in self.world.seen(caller) if each.name == name]
        own = [each for each in here if caller.is_admin or each.user_id == caller.user_id]
        if own:
            self.world.forget(lambda wish: wish in own)
        answer = self.call(messages.Forget(caller=caller, link=link_of(name)), {name})
        if own:
            assert isinstance(answer, messages.ForgetResult)
        else:
            assert answer is (ErrorCode.NOT_YOURS if here else ErrorCode.NOT_IN_LIBRARY)

    @rule(caller=askers)
    def forget_mine(self, caller: Caller) -> None:
        gone = self.world.forget(lambda wish: (wish.space, wish.user_id) == (caller.space, caller.user_id))
        self.world.votes = {vote for vote in self.world.votes if vote[:2] != (caller.space, caller.user_id)}
        assert isinstance(self.call(messages.Forget(caller=caller, mine=True), gone), messages.ForgetResult)

    @rule(caller=askers, message=st.sampled_from(CHAT_MESSAGES[1:]), still=st.sets(videos, max_size=2))
    def edit_message(self, caller: Caller, message: str, still: set[str]) -> None:
        gone = self.world.forget(
            lambda wish: (wish.space, wish.message) == (caller.space, message) and wish.name not in still
        )
        links = tuple(map(link_of, sorted(still)))
        answer = self.call(messages.Forget(caller=caller, message=message, still=links), gone)
        assert isinstance(answer, messages.ForgetResult)

    # ---- searches ----

    @rule(
        caller=askers,
        words=st.sampled_from(["clip", "v0", "title of v1"]),
        how=st.fixed_dictionaries(
            {},
            optional={
                "like": st.tuples(st.sampled_from(["snow", *[f"moment:{moments_of(name)[0]}" for name in VIDEOS]])),
                "unlike": st.tuples(st.sampled_from([f"moment:{moments_of(name)[1]}" for name in VIDEOS])),
                "picture": st.just(a_picture()),
                "limit": st.integers(1, 3),
                "offset": st.integers(0, 2),
            },
        ),
    )
    def find(self, caller: Caller, words: str, how: dict[str, Any]) -> None:
        answer = self.call(messages.Find(caller=caller, queries=(words,), **how))
        assert isinstance(answer, messages.SearchResults)

    @rule(caller=askers, name=videos)
    def find_like_a_moment(self, caller: Caller, name: str) -> None:
        """A moment that the asker can't see is like nothing at all."""
        like = tuple(f"moment:{id}" for id in moments_of(name))
        answer = self.call(messages.Find(caller=caller, like=like, limit=50))
        assert isinstance(answer, messages.SearchResults)
        others = self.findable(caller) - {name}
        assert told(answer) == (others if name in self.findable(caller) else set())

    @rule(caller=askers, name=videos)
    def find_inside(self, caller: Caller, name: str) -> None:
        answer = self.call(messages.Find(caller=caller, queries=("clip",), in_link=link_of(name)))
        if name not in {each.name for each in self.world.seen(caller)}:
            assert answer is ErrorCode.NOT_IN_LIBRARY
        else:
            assert isinstance(answer, messages.SearchResults)
            assert told(answer) == self.findable(caller) & {name}

    @rule(caller=askers, name=videos)
    def ask_how_it_stands(self, caller: Caller, name: str) -> None:
        stands = self.call(messages.GetVideoStatus(caller=caller, video_id=id_of(name)))
        known = name in {each.name for each in self.world.seen(caller)}
        assert (stands is ErrorCode.NOT_IN_LIBRARY) is not known

    @rule(caller=askers, typed=st.sampled_from(["", "v1", "TITLE", link_of("v2"), "nothing"]), mine=st.booleans())
    def list_videos(self, caller: Caller, typed: str, mine: bool) -> None:
        """The library, and what is suggested while somebody types."""
        answer = self.call(messages.ListLibrary(caller=caller, search=typed, mine=mine, limit=200))
        assert isinstance(answer, messages.LibraryPage)
        wishes = [each for each in self.world.seen(caller) if not mine or each.user_id == caller.user_id]
        titles = {each.name: f"title of {each.name}" if each.name in self.world.indexed else "" for each in wishes}
        fitting = {name for name, title in titles.items() if typed.casefold() in f"{title} {link_of(name)}"}
        assert told(answer) == fitting
        assert answer.total == len(answer.entries) == len(fitting)

    @rule(caller=askers, name=videos, kind=st.sampled_from(["up", "down", "opened", "shared"]))
    def vote(self, caller: Caller, name: str, kind: Any) -> None:
        request = messages.RecordVote(
            caller=caller, queries=(f"asked of {caller.space}",), moment_id=moments_of(name)[0], kind=kind
        )
        answer = self.call(request)
        if name in self.findable(caller):
            assert isinstance(answer, messages.Ack)
            self.world.votes.add((caller.space, caller.user_id, name))
        else:
            assert answer is ErrorCode.NOT_IN_LIBRARY

    # ---- what spaces decide ----

    @rule(
        caller=askers,
        submitters=st.sampled_from(["everyone", "admins"]),
        private_channels=st.sampled_from(["closed", "open"]),
    )
    def decide(self, caller: Caller, submitters: Any, private_channels: Any) -> None:
        wanted = SpaceSettings(
            submitters=submitters, private_channels=private_channels, watched=(f"of {caller.space}",)
        )
        answer = self.call(messages.ChangeSettings(caller=caller, settings=wanted))
        if caller.is_admin:
            self.world.decided[caller.space] = wanted
        assert answer == (wanted if caller.is_admin else ErrorCode.ADMINS_ONLY)

    @rule(caller=askers, then=st.sampled_from(["back", "grace", "gone"]))
    def leave(self, caller: Caller, then: str) -> None:
        self.call(messages.RecordBotRemoval(caller=caller))
        if then == "back":
            self.call(messages.RecordBotRemoval(caller=caller, back=True))
        if then == "gone":
            forget_left(self.services, datetime.now(UTC) + timedelta(days=8))
            self.world.forget(lambda wish: wish.space == caller.space)
            self.world.votes = {vote for vote in self.world.votes if vote[0] != caller.space}
            self.world.decided.pop(caller.space, None)
        forget_left(self.services)
        self.services.spaces.come_back(caller.space, datetime.now(UTC))

    @rule(caller=askers)
    def ask_the_rest(self, caller: Caller) -> None:
        """Counts and settings are the asker's own; what is the installation's tells of no video."""
        self.look(caller)
        assert self.call(messages.GetSettings(caller=caller)) == self.world.settings(caller.space)
        assert isinstance(self.call(messages.GetRetentionPolicy(caller=caller)), messages.RetentionPolicy)
        assert isinstance(self.call(messages.ListModels(caller=caller)), messages.ModelList)
        # A made-up scheme: what a list holds is told by its site, not by the store.
        self.refused_or(
            messages.ListPlaylist(caller=caller, link="list://of"), ErrorCode.SCHEME_REFUSED, ErrorCode.NOT_A_LINK
        )
        self.refused_or(messages.Rollback(caller=caller), ErrorCode.NO_OTHER_MODEL)
        self.refused_or(messages.Retrain(caller=caller), ErrorCode.TOO_FEW_PAIRS)
        material = self.refused_or(messages.PreviewRetrain(caller=caller))
        if isinstance(material, messages.TrainingDataSummary):
            own = {each.name for each in self.world.wishes.values() if each.space == caller.space}
            assert material.videos <= len(own & self.world.indexed)
            assert material.kinds.get("vote", 0) <= sum(vote[0] == caller.space for vote in self.world.votes)

    def refused_or(self, request: Request[A], *codes: ErrorCode) -> A | ErrorCode:
        """For admins the answer, which may be one of the codes."""
        answer = self.call(request)
        assert request.caller.is_admin != (answer is ErrorCode.ADMINS_ONLY)
        assert not request.caller.is_admin or not codes or answer in codes
        return answer

    # ---- what must be true at any time ----

    def findable(self, caller: Caller) -> set[str]:
        return {each.name for each in self.world.seen(caller)} & self.world.indexed

    def look(self, caller: Caller) -> None:
        """All that can be seen from there, and how much."""
        seen = {each.name for each in self.world.seen(caller)}
        findable = self.findable(caller)
        for found in (
            self.call(messages.Find(caller=caller, queries=("clip",), limit=50)),
            self.call(messages.Find(caller=caller, picture=a_picture(), limit=50)),
        ):
            assert isinstance(found, messages.SearchResults)
            assert told(found) == findable
        first = self.call(messages.Find(caller=caller, queries=("clip",), limit=1))
        assert isinstance(first, messages.SearchResults)
        # What others have takes no place on a page.
        assert len(first.hits) == min(1, len(findable))
        listed = self.call(messages.ListLibrary(caller=caller, limit=200))
        assert isinstance(listed, messages.LibraryPage)
        assert told(listed) == seen
        state = self.call(messages.GetStatus(caller=caller))
        assert isinstance(state, messages.LibraryStatus)
        waiting = len(seen & self.world.waiting())
        assert (state.videos, state.moments, state.waiting) == (len(seen), MOMENTS * len(findable), waiting)

    @invariant()
    def votes_are_where_they_were_given(self) -> None:
        votes = {(vote.space, vote.user_id, vote.video_id) for vote in self.services.spaces.votes()}
        assert votes == {(space, user_id, id_of(name)) for space, user_id, name in self.world.votes}

    def teardown(self) -> None:
        """Everything is seen where it should be, and what nobody wants has left nothing behind."""
        for caller in EVERYWHERE:
            self.look(caller)
        wanted = {id_of(each.name) for each in self.world.wishes.values()}
        for collection in self.services.points.collections():
            kept = {each.payload.get("video_id") for each in self.services.points.scroll(collection, Filter())}
            assert kept - {None} <= wanted
        for name in VIDEOS:
            if id_of(name) not in wanted:
                with pytest.raises(KeyError):
                    self.services.blobs.get(f"videos/{id_of(name)}/0.jpg")


# ---- the runs ----


@pytest.fixture(params=["edge", "server"])
def services(request: pytest.FixtureRequest, fast_folder: Path) -> Iterator[Services]:
    """One for all runs of a test: a store is emptied faster than it is made."""
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    chosen = Settings(data_dir=folder, qdrant_url=url, allow_networks=("127.0.0.0/8",))
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(Services(chosen, make_app(chosen, MemoryResultStore()), threading.Event(), load, train_preset)) as one:
        yield one
        one.app.control.purge()
        for collection in one.points.collections() if url else ():
            one.points.drop(collection)
    shutil.rmtree(folder)


def how_long(services: Services) -> settings:
    """A run that is always the same, and short; a long one only where somebody asks for it."""
    quick = settings(
        derandomize=True, max_examples=40 if services.settings.qdrant_url is None else FEW, phases=[Phase.generate]
    )
    chosen = settings.default if settings.get_current_profile_name() == "long" else quick
    return settings(chosen, deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(0)
def test_no_answer_holds_what_another_space_put_in(services: Services) -> None:
    """Nor what a room did: whatever was submitted, indexed, forgotten, voted, decided or left before."""
    machine: Any = type("WallsHere", (Walls,), {"parts": services, "asked": set()})
    chosen = how_long(services)
    run_state_machine_as_test(machine, settings=chosen)
    if chosen.max_examples > FEW:
        assert machine.asked == set(REQUESTS), "each kind of request is part of the run"
