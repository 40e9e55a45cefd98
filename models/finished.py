"""Finished candidates, kept as soon as they are fitted, so that a training that was stopped goes on after them.

    with finished_in(FolderStore("trainings/one")):
        training = train(panel, train_end=now)

Killed and said again, `train` and `refit` find what was fitted of the same panel, zones, settings and seed, and the
training that comes out is the same, bit for bit. No pickle: a model's own files, its record of validation as arrays,
and a digest of each. What is damaged, or of a class that nobody registered, is fitted again. Keep a store for each
version of the code.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.errors import ZonewiseError
from data.store.protocol import Store
from models.contract import Forecaster
from models.guard import Apparent
from models.panel import Panel
from models.validation import Validation

log = logging.getLogger(__name__)
_STORE: ContextVar[Store | None] = ContextVar("zonewise_finished", default=None)
_MODEL, _RECORD, _SEEN, _TOLD = "model/", "validation.npz", "seen.npz", "told.json"
#: What reading a damaged file can end in, besides errors of ours.
_FAULTS = (OSError, ValueError, TypeError, KeyError, EOFError, AttributeError, RuntimeError, zipfile.BadZipFile)
_AXES = " axes"
_RECORDED = ("known", "fold", "day", "usual", "deviation", "reading", "stray")


@contextmanager
def finished_in(store: Store | None) -> Iterator[None]:
    """Let trainings inside the block keep what they finish in a store, and find it there; None keeps nothing."""
    token = _STORE.set(store)
    try:
        yield
    finally:
        _STORE.reset(token)


class Finished:
    """What one training has finished, by what it was made from.

    Parameters
    ----------
    panel : Panel
        The part that is learned from.
    about : object
        All else that every candidate follows from: plain values, in lists, mappings and dataclasses.
    """

    def __init__(self, panel: Panel, *about: Any) -> None:
        self._store = _STORE.get()
        self._base = "" if self._store is None else digest_of([panel, *about])

    def __bool__(self) -> bool:
        return self._store is not None

    def find(self, *key: Any) -> tuple[Forecaster, dict[str, Any], Apparent | None] | None:
        """A model that was kept, what was told with it, and its `Apparent`; None where it was not, or is damaged."""
        if self._store is None:
            return None
        try:
            return _read(self._store.get(self._name(key)))
        except KeyError:
            return None
        except (*_FAULTS, ZonewiseError) as error:
            log.info("a finished candidate cannot be read and is fitted again: %s", error)
            return None

    def keep(self, model: Forecaster, told: Mapping[str, Any], seen: Apparent | None, *key: Any) -> None:
        """Keep a model, with what is told of it as JSON values.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        if self._store is not None:
            self._store.put(self._name(key), _written(model, told, seen))

    def _name(self, key: Sequence[Any]) -> str:
        return f"{self._base}/{digest_of(list(key))}.zip"


def digest_of(value: Any) -> str:
    """Digest of plain values, arrays, tables and dataclasses of them: equal content, equal digest."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:24]


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        frame = value.to_frame() if not isinstance(value, pd.DataFrame) else value
        digest.update(f"table {list(frame.columns)} {len(frame)}".encode())
        digest.update(pd.util.hash_pandas_object(frame, index=not isinstance(value, pd.Index)).to_numpy().tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        digest.update(type(value).__qualname__.encode())
        for one in fields(value):
            digest.update(one.name.encode())
            _feed(digest, getattr(value, one.name))
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)}".encode())
        for name in sorted(value, key=str):
            digest.update(repr(name).encode())
            _feed(digest, value[name])
    elif isinstance(value, (list, tuple)):
        digest.update(f"list {len(value)}".encode())
        for part in value:
            _feed(digest, part)
    elif isinstance(value, type):
        digest.update(f"{value.__module__}.{value.__qualname__}".encode())
    else:
        digest.update(repr(value).encode() + b";")


def _written(model: Forecaster, told: Mapping[str, Any], seen: Apparent | None) -> bytes:
    files = {f"{_MODEL}{name}": value for name, value in model.save().items()}
    record = model.validation
    if record is not None:
        files[_RECORD] = _bundle({name: getattr(record, name) for name in _RECORDED})
    if seen is not None:
        files[_SEEN] = _bundle({"fitted": seen.fitted, "left_out": seen.left_out})
    digests = {name: hashlib.sha256(value).hexdigest() for name, value in files.items()}
    settings = getattr(getattr(model, "learner", None), "settings", {})
    tuples = [name for name, value in settings.items() if isinstance(value, tuple)]  # JSON knows lists alone
    head = {"told": dict(told), "rank": model.rank, "name": model.name, "tuples": tuples, "sha256": digests}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as bundle:
        for name, value in {_TOLD: json.dumps(head).encode(), **files}.items():
            bundle.writestr(name, value)
    return sink.getvalue()


def _read(raw: bytes) -> tuple[Forecaster, dict[str, Any], Apparent | None]:
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}
    head = json.loads(files[_TOLD])
    for name, digest in head["sha256"].items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise ValueError(f"{name} is damaged")
    model = Forecaster.load({n.removeprefix(_MODEL): v for n, v in files.items() if n.startswith(_MODEL)})
    model.rank, model.name = head["rank"], head["name"]
    for name in head["tuples"]:
        settings = model.learner.settings  # type: ignore[attr-defined]
        settings[name] = tuple(settings[name])
    if _RECORD in files:
        model.validation = Validation(target=model.target, **_arrays(files[_RECORD]))
    seen = Apparent(**_arrays(files[_SEEN])) if _SEEN in files else None
    return model, head["told"], seen


def _bundle(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays with the order that their axes have in memory: sums over them are rounded in that order."""
    held: dict[str, Any] = {}
    for name, value in arrays.items():
        axes = sorted(range(value.ndim), key=lambda axis: -value.strides[axis])
        held[name] = np.ascontiguousarray(value.transpose(axes))
        held[f"{name}{_AXES}"] = np.array(axes, dtype=np.int8)
    sink = io.BytesIO()
    np.savez(sink, **held)
    return sink.getvalue()


def _arrays(raw: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(raw), allow_pickle=False) as bundle:
        names = [name for name in bundle.files if not name.endswith(_AXES)]
        return {name: bundle[name].transpose(np.argsort(bundle[f"{name}{_AXES}"])) for name in names}
