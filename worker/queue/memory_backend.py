"""Celery's results in this process's memory, with listeners, as Redis has them."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from celery.backends.base import KeyValueStoreBackend

KEPT_RESULTS = 2_000


class MemoryResultStore:
    """The newest states by key; each new one is handed to whoever listens to its key."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, str] = OrderedDict()
        self._listeners: dict[str, list[Callable[[str], None]]] = {}
        self._lock = threading.Lock()

    def listen(self, key: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Calls `listener` with each new state of `key`, from the thread that made it, until the returned call."""
        with self._lock:
            self._listeners.setdefault(key, []).append(listener)
        return lambda: self._unlisten(key, listener)

    def _unlisten(self, key: str, listener: Callable[[str], None]) -> None:
        with self._lock:
            self._listeners[key].remove(listener)
            if not self._listeners[key]:
                del self._listeners[key]

    def get(self, key: str) -> str | None:
        with self._lock:
            return self._states.get(key)

    def set(self, key: str, value: str) -> None:
        with self._lock:
            self._states[key] = value
            self._states.move_to_end(key)
            while len(self._states) > KEPT_RESULTS:
                self._states.popitem(last=False)
            listeners = tuple(self._listeners.get(key, ()))
        for listener in listeners:
            listener(value)

    def delete(self, key: str) -> None:
        with self._lock:
            self._states.pop(key, None)


class MemoryBackend(KeyValueStoreBackend):  # type: ignore[misc]  # celery has no types
    """Celery's view of the `MemoryResultStore` that its application was made with."""

    supports_autoexpire = True

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app=app, **options)
        self._results: MemoryResultStore = app.conf.memory_results

    def get(self, key: str | bytes) -> str | None:
        return self._results.get(_text(key))

    def mget(self, keys: list[str | bytes]) -> list[str | None]:
        return [self.get(key) for key in keys]

    def set(self, key: str | bytes, value: str) -> None:
        self._results.set(_text(key), value)

    def delete(self, key: str | bytes) -> None:
        self._results.delete(_text(key))


def _text(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key
