"""Redis and Qdrant together, each of which can be stopped and started again with its data."""

from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TypeAlias

from tests.support.servers.network import free_port
from tests.support.servers.processes import LOOPBACK_NETWORKS
from tests.support.servers.qdrant import qdrant_server
from tests.support.servers.redis import RedisServer

ServerName: TypeAlias = Literal["redis", "qdrant"]


class StoreServers:
    """Both servers of one installation, with their data in `folder`. `stop` kills."""

    def __init__(self, folder: Path, qdrant_binary: str) -> None:
        self.redis_folder = folder / "redis"
        self.redis_folder.mkdir()
        self._redis = RedisServer(self.redis_folder, appendfsync="everysec")
        self._qdrant_folder = folder / "qdrant"
        self._qdrant_folder.mkdir()
        self._qdrant_binary = qdrant_binary
        self._qdrant_port = free_port()
        self._qdrant = ExitStack()

    @property
    def redis_url(self) -> str:
        return self._redis.url

    @property
    def qdrant_url(self) -> str:
        return f"http://127.0.0.1:{self._qdrant_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that uses these servers and may fetch from loopback."""
        return {
            "REELSEEK_REDIS_URL": self.redis_url,
            "REELSEEK_QDRANT_URL": self.qdrant_url,
            "REELSEEK_ALLOW_NETWORKS": LOOPBACK_NETWORKS,
        }

    def start(self, name: ServerName) -> None:
        """Start a server and return once it answers."""
        if name == "redis":
            self._redis.start()
        else:
            self._qdrant.enter_context(qdrant_server(self._qdrant_binary, self._qdrant_folder, self._qdrant_port))

    def stop(self, name: ServerName) -> None:
        """Kill a server."""
        if name == "redis":
            self._redis.stop()
        else:
            self._qdrant.close()

    def stop_all(self) -> None:
        self.stop("redis")
        self.stop("qdrant")
