"""Zone boxes: the urban background, one well-mixed box of air over each zone, exchanged with neighbours and sky.

What a street's plume carries out of the near field enters the box of the zone over which that happens. Wind carries
air through the borders that zones share (upwind scheme), turbulence exchanges it through borders and lifts it into
the sky, some of it deposits. Every gram that leaves one zone enters another or is booked as gone: a `Ledger` keeps
the sum, so that emitted + blown in = blown out + deposited + in the air.

The wind's flow through a zone adds up to zero by construction: a face's area vector is its border times the direction
from centroid to centroid, and the vector that closes the polygon belongs to the city's outer edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from simulation.air.errors import AirError

_DENSE_BOXES = 150  # above this a sparse factorisation is faster than a dense inverse


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxGeometry:
    """Sizes of Z zones and F faces between them. Arrays; m, m2."""

    area_m2: np.ndarray  # (Z,)
    first: np.ndarray  # (F,) int, zone on one side
    second: np.ndarray  # (F,) int, zone on the other
    border_m: np.ndarray  # (F,)
    face_east: np.ndarray  # (F,) border times the unit vector from first to second
    face_north: np.ndarray  # (F,)
    edge_east: np.ndarray  # (Z,) outer edge's area vector, pointing out of the city
    edge_north: np.ndarray  # (Z,)
    edge_m: np.ndarray  # (Z,) length of the border with the world outside
    perimeter_m: np.ndarray  # (Z,)
    height_m: float = 120.0  # twice the depth, 2.15 sigma_z, of a neutral road plume at 500 m: what joins is mixed

    @property
    def n_zones(self) -> int:
        """Number of zones."""
        return len(self.area_m2)

    @property
    def volume_m3(self) -> np.ndarray:
        """Volume of every box, (Z,)."""
        return self.area_m2 * self.height_m


def box_geometry(zones: pd.DataFrame, adjacency: pd.DataFrame, *, height_m: float = 120.0) -> BoxGeometry:
    """Boxes of a city from its zone tables.

    Parameters
    ----------
    zones : DataFrame
        Reads `zone_id`, `area_m2`, `x_m`, `y_m` and, if there, `geometry` (for the perimeter).
    adjacency : DataFrame
        Reads `zone_id`, `neighbour_zone_id`, `border_m`; each border may stand once or from both sides.
    height_m : float
        Of the boxes.

    Raises
    ------
    AirError
        If the adjacency names a zone that is not there.
    """
    ids = pd.Index(zones["zone_id"])
    one, two = ids.get_indexer(adjacency["zone_id"]), ids.get_indexer(adjacency["neighbour_zone_id"])
    if (one < 0).any() or (two < 0).any():
        wrong = sorted(set(adjacency["zone_id"][one < 0]) | set(adjacency["neighbour_zone_id"][two < 0]))
        raise AirError(f"adjacency names zone(s) {wrong[:5]} that the zones table does not hold")
    pairs = pd.DataFrame(
        {"first": np.minimum(one, two), "second": np.maximum(one, two), "border": adjacency["border_m"].to_numpy()}
    )
    pairs = pairs[pairs["first"] != pairs["second"]].groupby(["first", "second"], as_index=False)["border"].max()
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    border = pairs["border"].to_numpy(dtype=float)
    x, y, area = (zones[name].to_numpy(dtype=float) for name in ("x_m", "y_m", "area_m2"))
    dx, dy = x[second] - x[first], y[second] - y[first]
    length = np.maximum(np.hypot(dx, dy), 1e-9)
    east, north = border * dx / length, border * dy / length
    n = len(ids)

    def leaving(values: np.ndarray) -> np.ndarray:
        return np.bincount(first, values, n) - np.bincount(second, values, n)

    inner = np.bincount(first, border, n) + np.bincount(second, border, n)
    if "geometry" in zones.columns:
        perimeter = np.array([shape.length for shape in zones["geometry"]])
    else:
        perimeter = 2 * np.sqrt(np.pi * area)
    perimeter = np.maximum(perimeter, inner)
    return BoxGeometry(
        area_m2=area,
        first=first,
        second=second,
        border_m=border,
        face_east=east,
        face_north=north,
        edge_east=-leaving(east),
        edge_north=-leaving(north),
        edge_m=perimeter - inner,
        perimeter_m=perimeter,
        height_m=height_m,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """How fast air moves in one hour. Velocities, m/s."""

    wind_east: float  # mean over the box's height, where it blows to
    wind_north: float
    sideways: float  # turbulent exchange through vertical faces
    top: float  # between the box and the sky


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Air that moves between Z boxes, m3/s."""

    between: csc_array  # (Z, Z) from the box of the column into the box of the row; no diagonal
    outflow: np.ndarray  # (Z,) out of the city and into the sky
    inflow: np.ndarray  # (Z,) from there


def exchange(geometry: BoxGeometry, mixing: Mixing) -> Exchange:
    """Flows of air between boxes and with the outside; as much enters every box as leaves it.

    Parameters
    ----------
    geometry : BoxGeometry
    mixing : Mixing

    Returns
    -------
    Exchange
    """
    g, m, z = geometry, mixing, geometry.n_zones
    through = m.wind_east * g.face_east + m.wind_north * g.face_north  # m2/s, positive from first to second
    edge = m.wind_east * g.edge_east + m.wind_north * g.edge_north
    # A ragged outer edge lets more air pass than its closing vector says: at least the mean width of a convex
    # polygon, perimeter / pi (Cauchy), as far as the zone's border is the city's.
    carried = np.bincount(g.first, np.maximum(through, 0), z) + np.bincount(g.second, np.maximum(-through, 0), z)
    wide = np.hypot(m.wind_east, m.wind_north) * g.perimeter_m / np.pi
    ragged = np.maximum(wide - carried - np.maximum(edge, 0), 0) * g.edge_m / g.perimeter_m
    ragged = ragged + m.sideways * g.edge_m
    stir = m.sideways * g.border_m
    flow = g.height_m * np.concatenate([np.maximum(through, 0) + stir, np.maximum(-through, 0) + stir])
    rows, columns = np.concatenate([g.second, g.first]), np.concatenate([g.first, g.second])
    sky = m.top * g.area_m2
    return Exchange(
        between=csc_array((flow, (rows, columns)), shape=(z, z)),
        outflow=g.height_m * (np.maximum(edge, 0) + ragged) + sky,
        inflow=g.height_m * (np.maximum(-edge, 0) + ragged) + sky,
    )


class BoxStep:
    """An implicit step of given length under given flows: unconditionally stable, never negative, mass kept.

    `(V/dt + losses - exchange) c' = V/dt c + sources`, solved for all species. The fluxes are those of the new
    concentrations, so the ledger closes to rounding.
    """

    def __init__(self, geometry: BoxGeometry, flows: Exchange, deposition_mps: np.ndarray, step_s: float) -> None:
        """`deposition_mps` has shape (species,): downward velocity onto the ground."""
        self.step_s, self.flows = step_s, flows
        self.volume = geometry.volume_m3
        self.deposits = deposition_mps[:, None] * geometry.area_m2  # (S, Z) m3/s
        kinds, self._kind = np.unique(deposition_mps, return_inverse=True)  # species alike share a matrix
        n, between = len(self.volume), flows.between
        leaving = self.volume / step_s + np.bincount(_columns(between), between.data, n) + flows.outflow
        diagonal = leaving + kinds[:, None] * geometry.area_m2
        self._inverse: np.ndarray | None = None
        if n <= _DENSE_BOXES:
            matrices = np.repeat(-between.toarray()[None], len(kinds), axis=0)
            matrices[:, np.arange(n), np.arange(n)] += diagonal
            self._inverse = np.linalg.inv(matrices)[self._kind]
        else:
            self._solvers = [splu(csc_array(diags_array(row) - between)) for row in diagonal]

    def advance(self, concentration: np.ndarray, source: np.ndarray, ambient: np.ndarray, ledger: Ledger) -> np.ndarray:
        """Concentrations a step later.

        Parameters
        ----------
        concentration : ndarray, shape (S, Z)
            g/m3.
        source : ndarray, shape (S, Z)
            g/s emitted into each box.
        ambient : ndarray, shape (S,)
            g/m3 of the air that flows in.
        ledger : Ledger
            Gets this step's masses added.

        Returns
        -------
        ndarray, shape (S, Z)
            g/m3.
        """
        blown_in = ambient[:, None] * self.flows.inflow
        right = self.volume / self.step_s * concentration + source + blown_in
        if self._inverse is not None:
            after = np.matmul(self._inverse, right[:, :, None])[:, :, 0]
        else:
            after = np.stack([self._solvers[kind].solve(row) for kind, row in zip(self._kind, right)])
        ledger.emitted += self.step_s * source.sum(axis=1)
        ledger.blown_in += self.step_s * blown_in.sum(axis=1)
        ledger.blown_out += self.step_s * (after * self.flows.outflow).sum(axis=1)
        ledger.deposited += self.step_s * (after * self.deposits).sum(axis=1)
        return after


def _columns(matrix: csc_array) -> np.ndarray:
    """Column of each stored value."""
    return np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))


@dataclass(slots=True)
class Ledger:
    """Mass of each species since the start, g; arrays over species."""

    emitted: np.ndarray
    blown_in: np.ndarray
    blown_out: np.ndarray
    deposited: np.ndarray

    @classmethod
    def empty(cls, n_species: int) -> Ledger:
        """A ledger before the first step."""
        return cls(*(np.zeros(n_species) for _ in range(4)))

    def imbalance(self, in_air: np.ndarray, at_start: np.ndarray) -> np.ndarray:
        """What is missing (positive) or too much, relative to all that came in; zero but for rounding."""
        came = at_start + self.emitted + self.blown_in
        return (came - self.blown_out - self.deposited - in_air) / np.maximum(came, 1e-12)
