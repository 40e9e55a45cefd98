"""Packing what parts are given: an array or an object that many parts need crosses the wire once, by its content.

The bytes are cloudpickle's, as Dask's own are: only ever between a client and workers that trust each other, and never
in a file.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Arrays from this size are sent apart, so that cities that differ in one street share the rest (assumed), bytes.
LARGE = 1 << 18
_PLAIN = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Packet:
    """Bytes, and the names of the shared packets that they refer to."""

    data: bytes
    needs: tuple[str, ...]


@dataclass
class Packer:
    """Packs the arguments of parts.

    Attributes
    ----------
    shared : dict of str to Packet
        What is sent once, by a digest of its content; a packet comes after those that it needs.
    """

    shared: dict[str, Packet] = field(default_factory=dict)
    _arrays: dict[int, tuple[np.ndarray, str]] = field(default_factory=dict)
    _objects: dict[int, tuple[Any, str]] = field(default_factory=dict)

    def tasks(self, tasks: Sequence[tuple[Any, ...]]) -> list[Packet]:
        """A packet for each task's arguments; arguments that several tasks are given are shared."""
        held = {id(value): value for task in tasks for value in task if not isinstance(value, _PLAIN)}
        often = Counter(id(value) for task in tasks for value in task if id(value) in held)
        for key, times in often.items():
            if times > 1:
                packet = self._pack(held[key])
                if len(packet.data) >= LARGE or packet.needs:
                    self._objects[key] = (held[key], self._share(packet))
        return [self._pack(task) for task in tasks]

    def _pack(self, value: Any) -> Packet:
        file = io.BytesIO()
        pickler = _pickler()(file, self)
        pickler.dump(value)
        return Packet(file.getvalue(), tuple(pickler.needs))

    def _share(self, packet: Packet) -> str:
        name = hashlib.sha256(packet.data).hexdigest()[:32]
        self.shared.setdefault(name, packet)
        return name

    def name_of(self, value: Any) -> str | None:
        """Name of what is sent apart; None for what goes along."""
        if id(value) in self._objects:
            return self._objects[id(value)][1]
        if type(value) is np.ndarray and value.nbytes >= LARGE and not value.dtype.hasobject:
            if id(value) not in self._arrays:  # the array is held, so that its id stays its own
                whole = pickle.dumps(value, protocol=5)
                self._arrays[id(value)] = (value, self._share(Packet(whole, ())))
            return self._arrays[id(value)][1]
        return None


def unpack(packet: Packet, shared: Mapping[str, Any]) -> Any:
    """What was packed; `shared` holds what the packet needs, unpacked, by name."""

    class Reader(pickle.Unpickler):
        def persistent_load(self, name: str) -> Any:
            return shared[name]

    return Reader(io.BytesIO(packet.data)).load()


def _pickler() -> Any:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc, name-defined]
        def __init__(self, file: io.BytesIO, packer: Packer) -> None:
            super().__init__(file, protocol=5)
            self.packer, self.needs = packer, dict[str, None]()

        def persistent_id(self, value: Any) -> str | None:
            name = self.packer.name_of(value)
            if name is not None:
                self.needs[name] = None
            return name

    return Pickler
