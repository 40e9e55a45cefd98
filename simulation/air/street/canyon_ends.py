"""Where canyons end: from a street's middle, along the row of houses, to the junction that opens it.

A canyon goes on through a junction if another one continues it straight and all other streets there are canyons that
are no wider: OSPM counts up to the nearest larger intersection.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

#: Largest turn at which a canyon still goes on, degrees (assumed: OSPM's wind sector of half a radian).
STRAIGHT_DEG = 30.0
_NOSE_M = 10.0  # stretch of street whose direction counts at a junction
_STEP_M = 1e-6  # length of a passage through a junction: sparse graphs take 0 for no edge


def distance_to_end(
    lines: np.ndarray, start: np.ndarray, end: np.ndarray, canyon: np.ndarray, width_m: np.ndarray
) -> np.ndarray:
    """Distance from each street's middle to the nearest end of its canyon, m, along the streets.

    Parameters
    ----------
    lines : ndarray of LineString, shape (S,)
        Streets, projected, m.
    start, end : ndarray of int, shape (S,)
        Nodes at the first and last point of each.
    canyon : ndarray of bool, shape (S,)
    width_m : ndarray, shape (S,)
        Read for canyons only.

    Returns
    -------
    ndarray, shape (S,)
        m; half of its length for a street that is no canyon, and for one that is a ring.
    """
    length = shapely.length(lines)
    half = length / 2.0
    n = len(lines)
    if not canyon.any():
        return half
    mouths = _mouths(lines, length, start, end, canyon, width_m)
    pairs = mouths.merge(mouths, on="node", suffixes=("", "_2"))
    pairs = pairs[pairs["mouth"] != pairs["mouth_2"]]
    turn = pairs["east"] * pairs["east_2"] + pairs["north"] * pairs["north_2"]
    straight = pairs["canyon"] & pairs["canyon_2"] & (turn < -np.cos(np.radians(STRAIGHT_DEG)))
    opens = ~straight & ~(pairs["canyon_2"] & (pairs["width"] >= pairs["width_2"]))
    opened = np.zeros(2 * n, dtype=bool)
    opened[pairs.loc[opens, "mouth"].to_numpy()] = True
    one, two = (pairs.loc[straight, name].to_numpy() for name in ("mouth", "mouth_2"))
    both = ~opened[one] & ~opened[two]
    one, two = one[both], two[both]
    is_end = np.ones(2 * n, dtype=bool)
    is_end[one] = False
    street = np.flatnonzero(canyon)
    rows, columns = np.concatenate([street, one]), np.concatenate([street + n, two])
    weight = np.concatenate([length[street], np.full(len(one), _STEP_M)])
    graph = csr_array((weight, (rows, columns)), shape=(2 * n, 2 * n))
    to_end = dijkstra(graph, directed=False, indices=np.flatnonzero(is_end), min_only=True)
    reached = half + np.minimum(to_end[:n], to_end[n:])
    return np.where(canyon & np.isfinite(reached), reached, half)


def _mouths(
    lines: np.ndarray, length: np.ndarray, start: np.ndarray, end: np.ndarray, canyon: np.ndarray, width_m: np.ndarray
) -> pd.DataFrame:
    """Ends of each street: `mouth` (s for the first end of street s, s + S for its last), node, direction inwards."""
    nose = np.minimum(_NOSE_M, length)
    inwards = [
        shapely.get_coordinates(shapely.line_interpolate_point(lines, inner))
        - shapely.get_coordinates(shapely.line_interpolate_point(lines, outer))
        for inner, outer in ((nose, np.zeros_like(nose)), (length - nose, length))
    ]
    vector = np.concatenate(inwards)
    vector /= np.maximum(np.hypot(vector[:, 0], vector[:, 1]), 1e-9)[:, None]
    return pd.DataFrame(
        {
            "mouth": np.arange(2 * len(lines)), "node": np.concatenate([start, end]), "east": vector[:, 0],
            "north": vector[:, 1], "canyon": np.tile(canyon, 2), "width": np.tile(width_m, 2),
        }
    )  # fmt: skip
