"""A name for the content of anything that a run is made from: tables, arrays, frozen dataclasses and plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from simulation.errors import RunError


def digest(*things: Any) -> str:
    """32 hex digits of the content; equal content has an equal name in every process and on every machine.

    Raises
    ------
    RunError
        If something is in it whose content cannot be told, e.g. an open file.
    """
    sink = hashlib.sha256()
    for thing in things:
        _feed(sink, thing)
    return sink.hexdigest()[:32]


def _feed(sink: Any, thing: Any) -> None:
    if thing is None or isinstance(thing, (bool, int, float, str, bytes, np.generic, Enum)):
        sink.update(f"{type(thing).__name__}:{thing!r};".encode())
    elif isinstance(thing, np.ndarray):
        sink.update(f"array{thing.dtype}{thing.shape};".encode())
        if thing.dtype == object:
            for one in thing.ravel():
                _feed(sink, one)
        else:
            sink.update(np.ascontiguousarray(thing).tobytes())
    elif isinstance(thing, pd.Timestamp):
        sink.update(f"time:{thing.isoformat()};".encode())
    elif isinstance(thing, pd.DataFrame):
        _feed_table(sink, thing)
    elif isinstance(thing, pd.Series):
        _feed_table(sink, thing.to_frame("value"))
    elif isinstance(thing, shapely.Geometry):
        sink.update(shapely.to_wkb(thing))
    elif is_dataclass(thing) and not isinstance(thing, type):
        sink.update(f"{type(thing).__qualname__}(".encode())
        for field in fields(thing):
            sink.update(f"{field.name}=".encode())
            _feed(sink, getattr(thing, field.name))
        sink.update(b")")
    elif isinstance(thing, Mapping):
        sink.update(f"mapping{len(thing)};".encode())
        for key, value in thing.items():
            _feed(sink, key)
            _feed(sink, value)
    elif isinstance(thing, (frozenset, set)):
        for one in sorted(map(repr, thing)):
            sink.update(one.encode())
    elif isinstance(thing, (tuple, list)):
        sink.update(f"list{len(thing)};".encode())
        for one in thing:
            _feed(sink, one)
    else:
        raise RunError(f"a run cannot be named by a {type(thing).__qualname__}; give tables, arrays or plain values")


def _feed_table(sink: Any, table: pd.DataFrame) -> None:
    """Columns by name, kind and content; the index does not count."""
    for name in table.columns:
        column = table[name]
        sink.update(f"{name}:{len(column)};".encode())
        if isinstance(column, gpd.GeoSeries):
            for piece in shapely.to_wkb(column.to_numpy()):
                sink.update(piece or b"none")
        elif column.dtype == object:
            for one in column:
                _feed(sink, one)
        else:
            sink.update(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
