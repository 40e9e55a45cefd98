"""Between the centres of zones: weights that let the urban background pass smoothly from one to the next."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.spatial import Delaunay

_FLAT = 1e-6  # centres whose spread across is this share of that along lie on a line


def zone_weights(x_m: np.ndarray, y_m: np.ndarray, zones: pd.DataFrame) -> csr_array:
    """Weights of every zone at points: linear between the centres, and beyond them as at the nearest point between.

    Parameters
    ----------
    x_m, y_m : ndarray, shape (R,)
    zones : DataFrame
        Reads `x_m`, `y_m` of Z centres.

    Returns
    -------
    csr_array, shape (R, Z)
        Not negative, rows add up to 1; they change without a jump from place to place.
    """
    centre = zones[["x_m", "y_m"]].to_numpy(dtype=float)
    points = np.column_stack([x_m, y_m])
    if len(points) == 0:
        return csr_array((0, len(centre)))
    spread = np.linalg.svd(centre - centre.mean(axis=0), full_matrices=False)
    if len(centre) < 3 or spread[1][1] <= _FLAT * spread[1][0]:
        column, weight = _on_a_line(centre @ spread[2][0], points @ spread[2][0])
    else:
        column, weight = _in_triangles(centre, points)
    row = np.repeat(np.arange(len(points)), column.shape[1])
    return csr_array((weight.ravel(), (row, column.ravel())), shape=(len(points), len(centre)))


def _on_a_line(centre: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two centres around places on a line, and their weights, (R, 2) each."""
    order = np.argsort(centre, kind="stable")
    above = np.clip(np.searchsorted(centre[order], at), 1, max(len(centre) - 1, 1))
    column = order[np.minimum(np.column_stack([above - 1, above]), len(centre) - 1)]
    low, high = centre[column].T
    part = np.divide(at - low, high - low, out=np.zeros(len(at)), where=high > low).clip(0.0, 1.0)
    return column, np.column_stack([1.0 - part, part])


def _in_triangles(centre: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The three centres around each point, and its barycentric coordinates, (R, 3) each."""
    mesh = Delaunay(centre)
    hull = shapely.multipoints(centre).convex_hull
    shapely.prepare(hull)
    there = points.copy()
    outside = ~shapely.contains_xy(hull, points)
    nearest = shapely.shortest_line(shapely.points(points[outside]), hull)
    ends = shapely.get_coordinates(nearest).reshape(-1, 2, 2)[:, 1]
    middle = centre.mean(axis=0)
    there[outside] = ends + 1e-9 * (middle - ends)  # off the rim, where rounding may find no triangle
    cell = mesh.find_simplex(there, tol=1e-6)
    lost = np.flatnonzero(cell < 0)
    if lost.size:
        cell[lost] = mesh.find_simplex(there[lost], bruteforce=True, tol=1e-3)
    frame = mesh.transform[cell]
    part = np.einsum("rij,rj->ri", frame[:, :2], there - frame[:, 2])
    weight = np.column_stack([part, 1.0 - part.sum(axis=1)]).clip(0.0)
    return mesh.simplices[cell], weight / weight.sum(axis=1, keepdims=True)
