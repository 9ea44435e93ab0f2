"""A Celery result backend in this process's memory, with listeners in place of Redis's PUBLISH."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from celery.backends.base import KeyValueStoreBackend

MAX_RESULTS: Final = 2_000


class MemoryResultStore:
    """The newest task states by key. Each new state is passed to the listeners of its key."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, str] = OrderedDict()
        self._listeners: dict[str, list[Callable[[str], None]]] = {}
        self._lock = threading.Lock()

    def subscribe(self, key: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener` with each new state of `key`, in the thread that sets it.

        Returns a function that ends the subscription.
        """
        with self._lock:
            self._listeners.setdefault(key, []).append(listener)
        return lambda: self._unsubscribe(key, listener)

    def _unsubscribe(self, key: str, listener: Callable[[str], None]) -> None:
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
            while len(self._states) > MAX_RESULTS:
                self._states.popitem(last=False)
            listeners = tuple(self._listeners.get(key, ()))
        for listener in listeners:
            listener(value)

    def delete(self, key: str) -> None:
        with self._lock:
            self._states.pop(key, None)


class MemoryBackend(KeyValueStoreBackend):  # type: ignore[misc]  # celery has no types
    """Celery's interface to the `MemoryResultStore` of its application."""

    supports_autoexpire = True

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app=app, **options)
        self._results: MemoryResultStore = app.conf.memory_results

    def get(self, key: str | bytes) -> str | None:
        return self._results.get(_decode(key))

    def mget(self, keys: list[str | bytes]) -> list[str | None]:
        return [self.get(key) for key in keys]

    def set(self, key: str | bytes, value: str) -> None:
        self._results.set(_decode(key), value)

    def delete(self, key: str | bytes) -> None:
        self._results.delete(_decode(key))


def _decode(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key
