"""The first and later starts of `reelseek up`, over a library in memory."""

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from bots.cli import demo
from bots.cli.render import Terminal
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from model.errors import ArtifactsMissingError
from model.evaluation.published import AUTHORS_FIGURES
from model.presets import PresetCost
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import SNOW, FakeVideo
from worker.protocol.base import Caller
from worker.protocol.library import Sense, Submit
from worker.protocol.search import Find
from worker.samples import SampleVideo
from worker.settings import Settings

SAMPLES = [
    SampleVideo(Path("/samples/ballet.mp4"), "A ballet", "MIT"),
    SampleVideo(Path("/samples/rabbit.mp4"), "A rabbit", "MIT"),
]


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(screen: io.StringIO) -> Terminal:
    return Terminal(Console(file=screen, width=100), Console(file=io.StringIO()))


async def do_nothing() -> None: ...


async def test_first_start_adds_the_samples(caller: Caller, terminal: Terminal, screen: io.StringIO) -> None:
    """They keep the titles that come with them."""
    client = FakeClient()
    await demo.add_samples(client, caller, SAMPLES, terminal, do_nothing)
    assert {video.title for video in client.videos} == {"A ballet", "A rabbit"}
    assert translate(CliMsg.UP_SAMPLES, count=2) in screen.getvalue()
    assert "Added “A ballet”." in screen.getvalue()


async def test_later_start_adds_no_samples(caller: Caller, terminal: Terminal, screen: io.StringIO) -> None:
    """Samples that the user removed stay removed."""
    client = FakeClient([SNOW])
    await demo.add_samples(client, caller, SAMPLES, terminal, do_nothing)
    assert client.videos == [SNOW]
    assert screen.getvalue() == ""


async def test_start_after_an_interrupted_one_follows_only_waiting_samples(caller: Caller, terminal: Terminal) -> None:
    client = FakeClient([SNOW, FakeVideo(SAMPLES[1].path.as_uri(), "A rabbit", (), waiting=True)])
    await demo.add_samples(client, caller, SAMPLES, terminal, do_nothing)
    assert [request.link for request in client.requests if isinstance(request, Submit)] == [SAMPLES[1].path.as_uri()]


async def test_address_is_printed_while_samples_are_still_listened_to(
    caller: Caller, terminal: Terminal, screen: io.StringIO
) -> None:
    """The examples wait for the end."""
    link = SAMPLES[0].path.as_uri()
    video = FakeVideo(link, "A ballet", ("a dance",), pending_senses=(Sense.HEARD,))
    client = FakeClient(sites={link: video}, enrich_gate=threading.Event())

    async def address() -> str:
        assert client.enrich_gate
        client.enrich_gate.set()
        return "http://127.0.0.1:8501"

    await demo.introduce(client, caller, SAMPLES, address, terminal)
    shown = screen.getvalue()
    ready = translate(CliMsg.UP_READY, address="http://127.0.0.1:8501")
    assert shown.index(ready) < shown.index("Added “A ballet”.") < shown.index(translate(CliMsg.UP_EXAMPLES))


async def test_examples_are_searched_in_three_languages(client: FakeClient, caller: Caller, terminal: Terminal) -> None:
    await demo.show_examples(client, caller, terminal)
    asked = [request.queries for request in client.requests if isinstance(request, Find)]
    assert asked == [(words,) for words in demo.EXAMPLES]
    assert len(demo.EXAMPLES) == 6


async def test_introduction_prints_the_address_before_and_after_the_examples(
    client: FakeClient, caller: Caller, terminal: Terminal, screen: io.StringIO
) -> None:
    async def address() -> str:
        return "http://127.0.0.1:8501"

    await demo.introduce(client, caller, SAMPLES, address, terminal)
    lines = screen.getvalue().splitlines()
    assert lines[0] == translate(CliMsg.UP_READY, address="http://127.0.0.1:8501")
    assert lines[-2:] == translate(CliMsg.WEB_READY, address="http://127.0.0.1:8501").splitlines()


@pytest.mark.parametrize(("locale", "preset"), [("en", "multilingual"), ("ko", "multilingual"), ("zh", "chinese")])
async def test_larger_preset_is_offered_once_if_a_hub_can_be_reached(
    tmp_path: Path, terminal: Terminal, screen: io.StringIO, locale: str, preset: str
) -> None:
    """Its authors' figure comes with its source, and the costs are those of this machine."""
    settings, measured = Settings(data_dir=tmp_path), list[str]()

    def measure(settings: Settings, name: str) -> PresetCost:
        measured.append(name)
        if len(measured) == 1:
            raise ArtifactsMissingError("the hub is not in reach")
        return PresetCost(1_500_000_000, 800_000_000, 7.25)

    with use_locale(locale):
        await demo.offer_larger_preset(settings, terminal, measure)
        assert screen.getvalue() == ""
        for _ in range(2):
            await demo.offer_larger_preset(settings, terminal, measure)
    assert measured == [preset, preset]
    line = " ".join(screen.getvalue().split())
    figure = next(each for each in AUTHORS_FIGURES[preset] if each.is_retrieval)
    for fact in ("1.5 GB", "800 MB", "7.2", f"reelseek model use {preset}", figure.source):
        assert line.count(fact) == 1


async def test_no_preset_is_recommended_to_those_who_chose_one(
    tmp_path: Path, terminal: Terminal, screen: io.StringIO
) -> None:
    await demo.offer_larger_preset(Settings(data_dir=tmp_path, preset="chinese"), terminal)
    assert screen.getvalue() == ""


async def test_topics_are_shown_at_the_end(caller: Caller, terminal: Terminal, screen: io.StringIO) -> None:
    await demo.show_library_topics(FakeClient([SNOW]), caller, terminal)
    assert translate(Msg.TOPICS_TITLE) in screen.getvalue()
    assert "3 moments · 1 video" in screen.getvalue()
