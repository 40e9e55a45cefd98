"""What a room may ask of a store: bytes by key, written all or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Store(Protocol):
    """Bytes by slash-separated key, e.g. `Z01/no2_ug_per_m3/3/card.json`. A `put` is atomic: old bytes or new ones."""

    def get(self, key: str) -> bytes:
        """Bytes under `key`; `KeyError` where there are none."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write `value` under `key`, whole or not at all."""
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Forget `key`; nothing happens where there is none."""
        ...


class SharedStore(Store, Protocol):
    """A store that several writers change at once, e.g. a job and a person at the command line."""

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Write several values, each whole or not at all, in no order."""
        ...

    def append(self, key: str, value: bytes) -> None:
        """Add to the end of what is under `key`; a writer that dies may leave part of `value`."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Keep all other writers out for as long as the context lasts; it ends with the process at the latest."""
        ...

    def sweep(self) -> int:
        """Remove what killed writers left; call it under `lock`. Returns how many pieces went."""
        ...


class MemoryStore:
    """A store that lives as long as the process: for tests and notebooks."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values: dict[str, bytes] = dict(values or {})
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes:
        """Bytes under `key`; `KeyError` where there are none."""
        return self._values[key]

    def put(self, key: str, value: bytes) -> None:
        """Write `value` under `key`."""
        self._values[key] = bytes(value)

    def list(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        return sorted(key for key in self._values if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Forget `key`; nothing happens where there is none."""
        self._values.pop(key, None)

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Write several values."""
        for key, value in values.items():
            self.put(key, value)

    def append(self, key: str, value: bytes) -> None:
        """Add to the end of what is under `key`."""
        self.put(key, self._values.get(key, b"") + value)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other threads out."""
        with self._lock:
            yield

    def sweep(self) -> int:
        """Nothing is left in memory by a writer that died."""
        return 0
