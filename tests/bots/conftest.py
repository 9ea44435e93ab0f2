import pytest

from tests.bots.fakes import GOAL, SNOW, TALK, FakeClient
from worker.messages import Asker


@pytest.fixture
def asker() -> Asker:
    return Asker(space="local:me", person="ada")


@pytest.fixture
def client() -> FakeClient:
    """A library of three videos, and sites that behave in different ways."""
    return FakeClient(videos=[SNOW, GOAL, TALK])
