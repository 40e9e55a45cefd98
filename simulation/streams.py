"""Random numbers by name, never by draw order: a hash of (seed, day, item, purpose, index).

Base and scenario share their luck: a trip that exists in both has the same departure, route taste and sensor noise
in both, whatever else changed. The hash is SplitMix64's finaliser (Steele, Lea & Flood 2014,
doi:10.1145/2714064.2660195), applied once per word.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from scipy.special import ndtri

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Purpose(IntEnum):
    """What a number is for; two purposes never share numbers."""

    PERCEPTION = 1
    TRIP_COUNT = 2
    DEPARTURE = 3
    ORIGIN_LINK = 4
    DEST_LINK = 5
    TRIP_LAYER = 6
    DAY_FACTOR = 7
    ZONE_DAY_FACTOR = 8
    HOUR_FACTOR = 9
    INCIDENT = 10
    TRIP_KEEP = 11
    SIGNAL_OFFSET = 12
    TRIP_COPY = 13
    TIE = 14
    INFORMED = 15
    PATH_STEP = 16
    PATH_SWAP = 17
    PATH_PICK = 18
    AVOIDS = 19
    EVENT = 20


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * _M1
    x = (x ^ (x >> np.uint64(27))) * _M2
    return x ^ (x >> np.uint64(31))


def bits(seed: int, day: int, item: np.ndarray | int, purpose: int, *, index: np.ndarray | int = 0) -> np.ndarray:
    """64 hashed bits for each item; `item` and `index` broadcast. dtype uint64."""
    with np.errstate(over="ignore"):
        h = _mix(np.asarray(np.uint64(seed & 0xFFFFFFFFFFFFFFFF)) + _GOLDEN)
        for word in (np.uint64(day & 0xFFFFFFFF), np.uint64(int(purpose))):
            h = _mix(h + word + _GOLDEN)
        h = _mix(h + np.asarray(item).astype(np.uint64) + _GOLDEN)
        return np.atleast_1d(_mix(h + np.asarray(index).astype(np.uint64) * _GOLDEN + _GOLDEN))


def uniform(seed: int, day: int, item: np.ndarray | int, purpose: int, *, index: np.ndarray | int = 0) -> np.ndarray:
    """Numbers in the open interval (0, 1), one for each item."""
    return ((bits(seed, day, item, purpose, index=index) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, day: int, item: np.ndarray | int, purpose: int, *, index: np.ndarray | int = 0) -> np.ndarray:
    """Standard normal numbers, one for each item."""
    return ndtri(uniform(seed, day, item, purpose, index=index))
