"""The embedded product in this process, and a web server with videos."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from model.ports import Encoder
from worker.client.queue_client import QueueClient
from worker.model_cache import load_preset
from worker.protocol.messages import Caller, Indexed, JobFailed, Submit, Submitted
from worker.runtime.embedded import embedded
from worker.settings import Settings

ANN = Caller(space="local:ann", user_id="ann")
BOB = Caller(space="local:bob", user_id="bob")


@dataclass
class Site:
    """A web server on loopback: files from a folder, and how often each was asked for."""

    url: str
    folder: Path
    asked: Counter[str] = field(default_factory=Counter)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    asked: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        asked[name] += request.method == "GET"
        path = folder / name
        return web.FileResponse(path) if path.exists() else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", folder, asked)
    await runner.cleanup()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of its own, which may reach this machine's test server and nothing else that is private."""
    return Settings(data_dir=tmp_path / "data", allow_networks=(ip_network("127.0.0.1/32"),))


@pytest.fixture(scope="session")
def starter() -> Encoder:
    """The real encoder, loaded once for all tests."""
    return load_preset(Settings())


@pytest.fixture
async def client(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[QueueClient]:
    """The embedded form as it is, but that the encoder is not loaded anew for each test."""
    async with embedded(settings, load=lambda *_: request.getfixturevalue("starter")) as client:
        yield client


async def submitted(client: QueueClient, link: str, caller: Caller = ANN) -> Submitted:
    return await client.call(Submit(caller=caller, link=link))


async def outcome(client: QueueClient, answer: Submitted) -> Indexed | JobFailed:
    """How the job of a submission ended."""
    if answer.indexed:
        return answer.indexed
    assert answer.job_id
    updates = [update async for update in client.follow(answer.job_id)]
    assert isinstance(updates[-1], Indexed | JobFailed)
    return updates[-1]
