"""Steps of the tenancy test that look into libraries: topics, tags, descriptions and questions."""

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.worker.access_model import (
    PRIVATE_CHANNELS,
    SPACES,
    USERS,
    VIDEOS,
    AccessModel,
    link_of,
    list_mentioned_videos,
    make_caller,
    moment_ids_of,
)
from worker.protocol.base import Caller, Request, WireModel
from worker.protocol.describe import Ask, Describe, Description
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Find, SearchResults
from worker.protocol.topics import ListTopics, TopicListing

A = TypeVar("A", bound=WireModel)

CALLERS = st.builds(
    make_caller, st.sampled_from(SPACES), st.sampled_from(USERS), st.sampled_from(PRIVATE_CHANNELS), st.booleans()
)
VIDEO_NAMES = st.sampled_from(VIDEOS)


class ExploringRules(RuleBasedStateMachine):
    """The steps; `TenancyMachine` sends the requests and has the model."""

    model: AccessModel

    def send(self, request: Request[A], also_mentionable: set[str] | None = None) -> A | ErrorCode:
        raise NotImplementedError

    @rule(caller=CALLERS, name=VIDEO_NAMES)
    def list_topics(self, caller: Caller, name: str) -> None:
        """List topics, and the moments of one. A moment that the caller cannot see stands for nothing."""
        answer = self.send(ListTopics(caller=caller))
        assert isinstance(answer, TopicListing)
        like = (f"topic:{moment_ids_of(name)[0]}",)
        found = self.send(Find(caller=caller, like=like, limit=50))
        assert isinstance(found, SearchResults)
        findable = self.model.findable_names(caller)
        assert list_mentioned_videos(found) == (findable if name in findable else set())

    @rule(caller=CALLERS, words=st.sampled_from(["clip", "v0"]))
    def find_tagged(self, caller: Caller, words: str) -> None:
        """Search for a tag, of which these videos have none; before the vocabulary is encoded this is an error."""
        answer = self.send(Find(caller=caller, queries=(words,), tags=("dog",)))
        assert answer is ErrorCode.TAGS_NOT_READY or (isinstance(answer, SearchResults) and not answer.hits)

    @rule(caller=CALLERS, name=VIDEO_NAMES, is_by_link=st.booleans())
    def describe(self, caller: Caller, name: str, is_by_link: bool) -> None:
        """Describe a video or a moment: only one that the caller can find."""
        what = {"link": link_of(name)} if is_by_link else {"moment_id": moment_ids_of(name)[0]}
        answer = self.send(Describe.model_validate({"caller": caller, **what}))
        if name in self.model.findable_names(caller):
            assert isinstance(answer, Description)
            assert list_mentioned_videos(answer) == {name}
        else:
            assert answer is ErrorCode.NOT_IN_LIBRARY
        assert self.send(Ask(caller=caller, question="clip")) is ErrorCode.NO_VISION_MODEL
