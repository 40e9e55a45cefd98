"""What a room may ask of a store: bytes by key, written all or not at all."""

from __future__ import annotations

from collections.abc import Mapping
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


class MemoryStore:
    """A store that lives as long as the process: for tests and notebooks."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values: dict[str, bytes] = dict(values or {})

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
