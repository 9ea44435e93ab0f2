"""The first start and the later ones, over a library in memory."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from bots.cli import demo
from bots.cli.render import Terminal
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from tests.support.fake_client import SNOW, FakeClient, FakeVideo
from worker.protocol.messages import Caller, Find, Submit


@dataclass(frozen=True)
class Sample:
    path: Path
    title: str
    licence: str = "MIT"


SAMPLES = [Sample(Path("/samples/ballet.mp4"), "A ballet"), Sample(Path("/samples/rabbit.mp4"), "A rabbit")]


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(screen: io.StringIO) -> Terminal:
    return Terminal(Console(file=screen, width=100), Console(file=io.StringIO()))


async def test_the_first_start_adds_the_samples(caller: Caller, terminal: Terminal, screen: io.StringIO) -> None:
    """An empty library gets every sample, under the titles that were given to them."""
    client = FakeClient()
    await demo.add_samples(client, caller, SAMPLES, terminal)
    assert {video.title for video in client.videos} == {"A ballet", "A rabbit"}
    assert translate(Msg.UP_SAMPLES, count=2) in screen.getvalue()
    assert "Added “A ballet”." in screen.getvalue()


async def test_later_starts_add_nothing(caller: Caller, terminal: Terminal, screen: io.StringIO) -> None:
    """Whoever has a library keeps it as it is, without the samples that were forgotten."""
    client = FakeClient([SNOW])
    await demo.add_samples(client, caller, SAMPLES, terminal)
    assert client.videos == [SNOW]
    assert screen.getvalue() == ""


async def test_a_broken_off_first_start_goes_on(caller: Caller, terminal: Terminal) -> None:
    """Samples that were still in work are followed to their end, and only those."""
    client = FakeClient([SNOW, FakeVideo(SAMPLES[1].path.as_uri(), "A rabbit", (), waiting=True)])
    await demo.add_samples(client, caller, SAMPLES, terminal)
    assert [request.link for request in client.asked if isinstance(request, Submit)] == [SAMPLES[1].path.as_uri()]


async def test_examples_show_real_answers(client: FakeClient, caller: Caller, terminal: Terminal) -> None:
    """Each example is really asked, in three languages."""
    await demo.show_examples(client, caller, terminal)
    asked = [request.queries for request in client.asked if isinstance(request, Find)]
    assert asked == [(words,) for words in demo.EXAMPLES]
    assert len(demo.EXAMPLES) == 3
