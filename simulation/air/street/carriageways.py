"""Carriageways that share one canyon: parallel lines between the same two rows of houses.

An avenue is often drawn as two one-way lines. What is emitted on both of them fills the same canyon, so they count as
one street there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

#: Largest angle between lines that count as parallel, degrees, and the share of the shorter one's length along which
#: they must lie between the same walls (both assumed).
PARALLEL_DEG, TOGETHER = 20.0, 0.5


def shared_canyons(
    samples: pd.DataFrame, lines: np.ndarray, axis_rad: np.ndarray, canyon: np.ndarray, apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which lines lie in one canyon, and how long each canyon is.

    Parameters
    ----------
    samples : DataFrame
        Cross sections of the lines: reads `line`, `x`, `y`, `east`, `north` (unit vector along the line),
        `left_m`, `right_m` (to the walls, `nan` where there are none).
    lines : ndarray of LineString, shape (S,)
        m.
    axis_rad : ndarray, shape (S,)
        Bearing of each line.
    canyon, apart : ndarray of bool, shape (S,)
        Lines that are canyons, and lines that never share one (bridges).

    Returns
    -------
    group : ndarray of int, shape (S,)
        Canyon of each line, numbered by first lines.
    length_m : ndarray, shape (number of groups,)
        Length of each canyon: that of its lines, where n of them run side by side each counted by 1/n.
    """
    length, n = shapely.length(lines), len(lines)
    one, two, together = _side_by_side(samples, lines, length, axis_rad, canyon, apart)
    _, label = connected_components(csr_array((np.ones(len(one)), (one, two)), shape=(n, n)), directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    group = np.argsort(np.argsort(first))[inverse]
    beside = np.bincount(one, np.minimum(together / length[one], 1.0), n)
    return group.astype(np.int64), np.bincount(group, length / (1.0 + beside))


def _side_by_side(
    samples: pd.DataFrame, lines: np.ndarray, length: np.ndarray, axis_rad: np.ndarray, canyon: np.ndarray,
    apart: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Pairs of lines that share a canyon, each in both orders, and the length on which they do, m."""
    between = samples[(samples["left_m"].notna() & samples["right_m"].notna() & canyon[samples["line"]]).to_numpy()]
    host = between["line"].to_numpy()
    place, along = between[["x", "y"]].to_numpy(), between[["east", "north"]].to_numpy()
    left = np.stack([-along[:, 1], along[:, 0]], axis=1)
    ends = [place + between["left_m"].to_numpy()[:, None] * left, place - between["right_m"].to_numpy()[:, None] * left]
    section, other = shapely.STRtree(lines).query(shapely.linestrings(np.stack(ends, axis=1)), predicate="intersects")
    mine = host[section]
    alike = np.abs(np.cos(axis_rad[mine] - axis_rad[other])) > np.cos(np.radians(PARALLEL_DEG))
    kept = alike & (mine != other) & ~apart[other]
    every = length / np.bincount(samples["line"], minlength=len(lines))  # m between a line's cross sections
    found = pd.DataFrame({"one": mine[kept], "two": other[kept], "m": every[mine[kept]]})
    cover = found.groupby(["one", "two"], as_index=False)["m"].sum()
    cover = cover[cover["m"] > TOGETHER * np.minimum(length[cover["one"]], length[cover["two"]])]
    both = pd.concat([cover, cover.rename(columns={"one": "two", "two": "one"})])
    both = both.groupby(["one", "two"], as_index=False)["m"].max()
    return both["one"].to_numpy(), both["two"].to_numpy(), both["m"].to_numpy()
