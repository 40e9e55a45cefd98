"""Keeping answers within a number of bytes: what was asked for longest ago goes first, whosever it is.

A worker serves many people, and may serve several workspaces; what it keeps must not grow with them. All that the
workspaces of a process keep stands on one shelf, and its bytes are counted, not its entries.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

#: Bytes that tables, models and what pages share may take in a worker.
MOST_BYTES = 96_000_000
#: Parts of a value that are looked at; of a larger one the rest is taken to be like the second half of these.
_MOST_PARTS = 20_000
_PASSED_OVER = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


class Shelf:
    """Values by key within `most` bytes; the newest one stays even where it alone is larger.

    Parameters
    ----------
    most : int
        Bytes to keep.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.bytes = 0
        self._held: OrderedDict[tuple[Hashable, Hashable], tuple[Any, int]] = OrderedDict()
        self._lock = threading.RLock()  # a finaliser may come while it is held

    def __len__(self) -> int:
        return len(self._held)

    def find(self, owner: Hashable, key: Hashable) -> tuple[Any] | None:
        """The kept value, in a tuple of its own since it may be None; None where there is none."""
        with self._lock:
            found = self._held.get((owner, key))
            if found is None:
                return None
            self._held.move_to_end((owner, key))
            return (found[0],)

    def put(self, owner: Hashable, key: Hashable, value: Any, weight: int | None = None) -> None:
        """Keep a value of `weight` bytes (None: `weight_of`); those asked for longest ago go until there is room."""
        weight = weight_of(value) if weight is None else weight
        with self._lock:
            self._drop((owner, key))
            self._held[owner, key] = (value, weight)
            self.bytes += weight
            while self.bytes > self.most and len(self._held) > 1:
                self._drop(next(iter(self._held)))

    def forget(self, owner: Hashable) -> None:
        """Let go of all that an owner keeps."""
        with self._lock:
            for name in [name for name in self._held if name[0] == owner]:
                self._drop(name)

    def _drop(self, name: tuple[Hashable, Hashable]) -> None:
        found = self._held.pop(name, None)
        if found is not None:
            self.bytes -= found[1]


def weight_of(value: Any) -> int:
    """About how many bytes a value takes, with all that it refers to."""
    seen: set[int] = set()
    waiting, total, looked, half = [value], 0, 0, 0
    while waiting:
        if looked == _MOST_PARTS // 2:
            half = total
        if looked >= _MOST_PARTS:
            return round(total + len(waiting) * (total - half) / (looked - _MOST_PARTS // 2))
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _PASSED_OVER):
            continue
        seen.add(id(one))
        looked += 1
        if isinstance(one, (pd.DataFrame, pd.Series, pd.Index)):
            used = one.memory_usage(deep=True)
            total += int(used if isinstance(used, (int, np.integer)) else used.sum())
        elif isinstance(one, np.ndarray):
            total += int(one.nbytes) + 112
        elif hasattr(one, "save_raw"):
            total += len(one.save_raw("ubj"))  # trees of XGBoost: 1.1 times that in memory, as measured
        else:
            total += sys.getsizeof(one)
            waiting += gc.get_referents(one)
    return total


#: Of this process; `queries.Queries` keeps its answers here.
SHELF = Shelf()
