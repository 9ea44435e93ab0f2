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
from indexer.vectors.vector_store import Where
from model.ports import Encoder as ModelEncoder
from tests.indexer.conftest import fast_folder
from tests.support.access_model import MOMENTS, SPACES, VIDEOS, World, id_of, link_of, moments_of, named, told
from tests.support.indexer_fakes import FakeEncoder, a_video, some_moments
from tests.support.qdrant import qdrant_url
from worker.handlers.library import ANSWERS
from worker.handlers.spaces import Refusal, forget_left
from worker.model_cache import train_preset
from worker.protocol import messages
from worker.protocol.error_codes import Code, code_of
from worker.protocol.messages import REQUESTS, Asker, Message, Request, SpaceSettings
from worker.queue.app import make_app
from worker.queue.memory_backend import Results
from worker.services import Parts
from worker.settings import Settings

__all__ = ["fast_folder", "qdrant_url"]

A = TypeVar("A", bound=Message)
ROOMS: Final = ("", "55", "66")
PEOPLE: Final = ("ann", "bob")
CHAT_MESSAGES: Final = ("", "m1", "m2")
FEW: Final = 3
"""Stories on a Qdrant server, which takes its time; too few to ask everything."""
EVERYWHERE: Final = [Asker(space=space, person="eve", room=room) for space, room in product(SPACES, ROOMS)]


def a_picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Walls(RuleBasedStateMachine):
    """A worker's answers beside the model. A step is one request, or one thing that happens to the worker."""

    parts: ClassVar[Parts]
    asked: ClassVar[set[type[Request[Any]]]]
    """Kinds of requests that were sent, in any run."""

    def __init__(self) -> None:
        super().__init__()
        points = self.parts.points
        for collection in points.collections():
            points.delete(collection, Where())
        self.parts.blobs.delete_prefix("videos/")
        self.world = World()

    def call(self, request: Request[A], may_tell: set[str] | None = None) -> A | Code:
        """The answer, or why there is none. Without `may_tell`, it may tell of what the asker sees after it."""
        self.asked.add(type(request))
        try:
            answer = cast(A, ANSWERS[request.task](self.parts, request))
        except (Refusal, IndexerError) as refused:
            return code_of(refused)
        assert told(answer) <= ({each.name for each in self.world.seen(request.asker)} | (may_tell or set()))
        assert named(answer) <= {request.asker.space}
        return answer

    askers = st.builds(
        lambda space, person, room, admin: Asker(
            space=space, person=person, name=f"{person} of {space}", room=room, admin=admin
        ),
        st.sampled_from(SPACES),
        st.sampled_from(PEOPLE),
        st.sampled_from(ROOMS),
        st.booleans(),
    )
    videos = st.sampled_from(VIDEOS)

    # ---- links come and go ----

    @initialize(shared=st.lists(st.tuples(askers, videos), min_size=4, max_size=8))
    def share(self, shared: list[tuple[Asker, str]]) -> None:
        """Most runs are about videos that are there already."""
        for asker, name in shared:
            self.submit(asker, name, "m1")
            if name in self.world.waiting():
                self._indexed(name)

    @rule(asker=askers, name=videos, message=st.sampled_from(CHAT_MESSAGES))
    def submit(self, asker: Asker, name: str, message: str) -> None:
        known = name in {each.name for each in self.world.seen(asker)}
        refused = self.world.settings(asker.space).submitters == "admins" and not asker.admin
        if not refused:
            self.world.submit(asker, name, message)
        answer = self.call(messages.Submit(asker=asker, link=link_of(name), message=message))
        if refused:
            assert answer is Code.SUBMITTERS_ONLY
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
        self.parts.library.open("fake", 8, 8)
        self.parts.blobs.put(f"videos/{video.id}/0.jpg", b"a picture")
        moments = some_moments(video, *[f"clip {name} {number}" for number in range(MOMENTS)])
        assert self.parts.library.put_moments(video, moments, "fake")
        self.world.indexed.add(name)

    @precondition(lambda self: self.world.waiting())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.waiting())))
        self.parts.library.fail(id_of(name), Code.NOT_FOUND)
        self.world.failed.add(name)

    @rule(asker=askers, name=videos)
    def forget(self, asker: Asker, name: str) -> None:
        here = [each for each in self.world.seen(asker) if each.name == name]
        own = [each for each in here if asker.admin or each.person == asker.person]
        if own:
            self.world.forget(lambda wish: wish in own)
        answer = self.call(messages.Forget(asker=asker, link=link_of(name)), {name})
        if own:
            assert isinstance(answer, messages.Forgotten)
        else:
            assert answer is (Code.NOT_YOURS if here else Code.NOT_IN_LIBRARY)

    @rule(asker=askers)
    def forget_mine(self, asker: Asker) -> None:
        gone = self.world.forget(lambda wish: (wish.space, wish.person) == (asker.space, asker.person))
        self.world.votes = {vote for vote in self.world.votes if vote[:2] != (asker.space, asker.person)}
        assert isinstance(self.call(messages.Forget(asker=asker, mine=True), gone), messages.Forgotten)

    @rule(asker=askers, message=st.sampled_from(CHAT_MESSAGES[1:]), still=st.sets(videos, max_size=2))
    def edit_message(self, asker: Asker, message: str, still: set[str]) -> None:
        gone = self.world.forget(
            lambda wish: (wish.space, wish.message) == (asker.space, message) and wish.name not in still
        )
        links = tuple(map(link_of, sorted(still)))
        answer = self.call(messages.Forget(asker=asker, message=message, still=links), gone)
        assert isinstance(answer, messages.Forgotten)

    # ---- searches ----

    @rule(
        asker=askers,
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
    def find(self, asker: Asker, words: str, how: dict[str, Any]) -> None:
        answer = self.call(messages.Find(asker=asker, queries=(words,), **how))
        assert isinstance(answer, messages.Found)

    @rule(asker=askers, name=videos)
    def find_like_a_moment(self, asker: Asker, name: str) -> None:
        """A moment that the asker can't see is like nothing at all."""
        like = tuple(f"moment:{id}" for id in moments_of(name))
        answer = self.call(messages.Find(asker=asker, like=like, limit=50))
        assert isinstance(answer, messages.Found)
        others = self.findable(asker) - {name}
        assert told(answer) == (others if name in self.findable(asker) else set())

    @rule(asker=askers, name=videos)
    def find_inside(self, asker: Asker, name: str) -> None:
        answer = self.call(messages.Find(asker=asker, queries=("clip",), in_link=link_of(name)))
        if name not in {each.name for each in self.world.seen(asker)}:
            assert answer is Code.NOT_IN_LIBRARY
        else:
            assert isinstance(answer, messages.Found)
            assert told(answer) == self.findable(asker) & {name}

    @rule(asker=askers, name=videos)
    def ask_how_it_stands(self, asker: Asker, name: str) -> None:
        stands = self.call(messages.Standing(asker=asker, video_id=id_of(name)))
        known = name in {each.name for each in self.world.seen(asker)}
        assert (stands is Code.NOT_IN_LIBRARY) is not known

    @rule(asker=askers, typed=st.sampled_from(["", "v1", "TITLE", link_of("v2"), "nothing"]), mine=st.booleans())
    def list_videos(self, asker: Asker, typed: str, mine: bool) -> None:
        """The library, and what is suggested while somebody types."""
        answer = self.call(messages.Library(asker=asker, search=typed, mine=mine, limit=200))
        assert isinstance(answer, messages.LibraryPage)
        wishes = [each for each in self.world.seen(asker) if not mine or each.person == asker.person]
        titles = {each.name: f"title of {each.name}" if each.name in self.world.indexed else "" for each in wishes}
        fitting = {name for name, title in titles.items() if typed.casefold() in f"{title} {link_of(name)}"}
        assert told(answer) == fitting
        assert answer.total == len(answer.entries) == len(fitting)

    @rule(asker=askers, name=videos, kind=st.sampled_from(["up", "down", "opened", "shared"]))
    def vote(self, asker: Asker, name: str, kind: Any) -> None:
        request = messages.Vote(
            asker=asker, queries=(f"asked of {asker.space}",), moment_id=moments_of(name)[0], kind=kind
        )
        answer = self.call(request)
        if name in self.findable(asker):
            assert isinstance(answer, messages.Noted)
            self.world.votes.add((asker.space, asker.person, name))
        else:
            assert answer is Code.NOT_IN_LIBRARY

    # ---- what spaces decide ----

    @rule(asker=askers, submitters=st.sampled_from(["everyone", "admins"]), rooms=st.sampled_from(["closed", "open"]))
    def decide(self, asker: Asker, submitters: Any, rooms: Any) -> None:
        wanted = SpaceSettings(submitters=submitters, rooms=rooms, watched=(f"of {asker.space}",))
        answer = self.call(messages.ChangeSettings(asker=asker, settings=wanted))
        if asker.admin:
            self.world.decided[asker.space] = wanted
        assert answer == (wanted if asker.admin else Code.ADMINS_ONLY)

    @rule(asker=askers, then=st.sampled_from(["back", "grace", "gone"]))
    def leave(self, asker: Asker, then: str) -> None:
        self.call(messages.Leave(asker=asker))
        if then == "back":
            self.call(messages.Leave(asker=asker, back=True))
        if then == "gone":
            forget_left(self.parts, datetime.now(UTC) + timedelta(days=8))
            self.world.forget(lambda wish: wish.space == asker.space)
            self.world.votes = {vote for vote in self.world.votes if vote[0] != asker.space}
            self.world.decided.pop(asker.space, None)
        forget_left(self.parts)
        self.parts.spaces.come_back(asker.space, datetime.now(UTC))

    @rule(asker=askers)
    def ask_the_rest(self, asker: Asker) -> None:
        """Counts and settings are the asker's own; what is the installation's tells of no video."""
        self.look(asker)
        assert self.call(messages.ReadSettings(asker=asker)) == self.world.settings(asker.space)
        assert isinstance(self.call(messages.ReadTerms(asker=asker)), messages.Terms)
        assert isinstance(self.call(messages.ReadModels(asker=asker)), messages.Models)
        # A made-up scheme: what a list holds is told by its site, not by the store.
        self.refused_or(messages.Crawl(asker=asker, link="list://of"), Code.SCHEME_REFUSED, Code.NOT_A_LINK)
        self.refused_or(messages.Rollback(asker=asker), Code.NO_OTHER_MODEL)
        self.refused_or(messages.Retrain(asker=asker), Code.TOO_FEW_PAIRS)
        material = self.refused_or(messages.PreviewRetrain(asker=asker))
        if isinstance(material, messages.Material):
            own = {each.name for each in self.world.wishes.values() if each.space == asker.space}
            assert material.videos <= len(own & self.world.indexed)
            assert material.kinds.get("vote", 0) <= sum(vote[0] == asker.space for vote in self.world.votes)

    def refused_or(self, request: Request[A], *codes: Code) -> A | Code:
        """For admins the answer, which may be one of the codes."""
        answer = self.call(request)
        assert request.asker.admin != (answer is Code.ADMINS_ONLY)
        assert not request.asker.admin or not codes or answer in codes
        return answer

    # ---- what must be true at any time ----

    def findable(self, asker: Asker) -> set[str]:
        return {each.name for each in self.world.seen(asker)} & self.world.indexed

    def look(self, asker: Asker) -> None:
        """All that can be seen from there, and how much."""
        seen = {each.name for each in self.world.seen(asker)}
        findable = self.findable(asker)
        for found in (
            self.call(messages.Find(asker=asker, queries=("clip",), limit=50)),
            self.call(messages.Find(asker=asker, picture=a_picture(), limit=50)),
        ):
            assert isinstance(found, messages.Found)
            assert told(found) == findable
        first = self.call(messages.Find(asker=asker, queries=("clip",), limit=1))
        assert isinstance(first, messages.Found)
        # What others have takes no place on a page.
        assert len(first.hits) == min(1, len(findable))
        listed = self.call(messages.Library(asker=asker, limit=200))
        assert isinstance(listed, messages.LibraryPage)
        assert told(listed) == seen
        state = self.call(messages.Status(asker=asker))
        assert isinstance(state, messages.State)
        waiting = len(seen & self.world.waiting())
        assert (state.videos, state.moments, state.waiting) == (len(seen), MOMENTS * len(findable), waiting)

    @invariant()
    def votes_are_where_they_were_given(self) -> None:
        votes = {(vote.space, vote.person, vote.video_id) for vote in self.parts.spaces.votes()}
        assert votes == {(space, person, id_of(name)) for space, person, name in self.world.votes}

    def teardown(self) -> None:
        """Everything is seen where it should be, and what nobody wants has left nothing behind."""
        for asker in EVERYWHERE:
            self.look(asker)
        wanted = {id_of(each.name) for each in self.world.wishes.values()}
        for collection in self.parts.points.collections():
            kept = {each.payload.get("video_id") for each in self.parts.points.scroll(collection, Where())}
            assert kept - {None} <= wanted
        for name in VIDEOS:
            if id_of(name) not in wanted:
                with pytest.raises(KeyError):
                    self.parts.blobs.get(f"videos/{id_of(name)}/0.jpg")


# ---- the runs ----


@pytest.fixture(params=["edge", "server"])
def parts(request: pytest.FixtureRequest, fast_folder: Path) -> Iterator[Parts]:
    """One for all runs of a test: a store is emptied faster than it is made."""
    url = request.getfixturevalue("qdrant_url") if request.param == "server" else None
    folder = Path(tempfile.mkdtemp(dir=fast_folder))
    chosen = Settings(data_dir=folder, qdrant_url=url, allow_networks=("127.0.0.0/8",))
    load: Any = lambda *_: cast(ModelEncoder, FakeEncoder())  # noqa: E731
    with closing(Parts(chosen, make_app(chosen, Results()), threading.Event(), load, train_preset)) as one:
        yield one
        one.app.control.purge()
        for collection in one.points.collections() if url else ():
            one.points.drop(collection)
    shutil.rmtree(folder)


def how_long(parts: Parts) -> settings:
    """A run that is always the same, and short; a long one only where somebody asks for it."""
    quick = settings(
        derandomize=True, max_examples=40 if parts.settings.qdrant_url is None else FEW, phases=[Phase.generate]
    )
    chosen = settings.default if settings.get_current_profile_name() == "long" else quick
    return settings(chosen, deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(0)
def test_no_answer_holds_what_another_space_put_in(parts: Parts) -> None:
    """Nor what a room did: whatever was submitted, indexed, forgotten, voted, decided or left before."""
    machine: Any = type("WallsHere", (Walls,), {"parts": parts, "asked": set()})
    chosen = how_long(parts)
    run_state_machine_as_test(machine, settings=chosen)
    if chosen.max_examples > FEW:
        assert machine.asked == set(REQUESTS), "each kind of request is part of the run"
