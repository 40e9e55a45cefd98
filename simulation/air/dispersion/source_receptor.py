"""Source-receptor matrices: what one gram a second on every metre of a link adds at every receptor near it.

For a fixed stability the R-LINE plume is proportional to 1 / u*, so that a matrix a wind direction and a stability
class serves all hours: C = (direct plume of the direction + meander, which has none) x emission / u*. Matrices hold
the fast form of `rline` for pairs nearer than the cut-off, made when first asked for. Between two directions the
result is linear. What happens beyond the cut-off is for the zone boxes: nothing is lost in the near field, all that is
emitted leaves it, after the time that `residence_s` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from simulation.air.dispersion.line_sources import LineSources
from simulation.air.dispersion.rline import (
    RLINE_V12,
    TABLE_PER_LOG,
    Plume,
    RlineConstants,
    plume,
    plume_tables,
    quadrature,
)
from simulation.air.dispersion.source_receptor_kernels import add_product, entries
from simulation.air.dispersion.wind_profile import SurfaceLayer
from simulation.air.errors import AirError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A sparse matrix in compressed rows."""

    starts: NDArray[np.int32]
    indices: NDArray[np.int32]
    data: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.indices.nbytes + self.data.nbytes


class SourceReceptor:
    """Near-field concentrations of a road network at receptors, an hour at the cost of a sparse product.

    Parameters
    ----------
    sources : LineSources
        S segments.
    n_links : int
        Number of links L.
    receptors : array_like, shape (R, 3)
        x, y, height above ground, m. A receptor on a link is computed 1 m beside it.
    layers : sequence of SurfaceLayer
        One a stability class, with u* = 1 m/s (sigma_v is then sigma_v / u*).
    cutoff_m : float
        Pairs of a segment and a receptor farther apart are left out, m.
    n_directions : int
        Number of wind directions with a matrix of their own.
    source_street, receptor_street : array_like of int, shapes (S,) and (R,), optional
        Where both are the same and not negative the pair is left out: a street canyon adds its own street itself.
    constants : RlineConstants

    Raises
    ------
    AirError
        If shapes, heights, layers or options make no sense; all faults are named.

    Notes
    -----
    Memory: 8 bytes an entry. A direction's matrix holds the pairs within 3.5 sigma_y of the plume's axis, a class's
    meander all pairs within the cut-off. Of 36 directions, half way between two (5 degrees off both) the sum over a
    random city of 20,000 links differs from the direction's own by less than 0.5 % (A), 2 % (D), 4 % (F) at 90 % of
    receptors, at most by 3 %, 8 % and 17 % (looked at once). In such a city with even emission the cut-off of 500 m
    leaves out 5 % (A), 7, 13, 22, 32 and 36 % (F) of what 2,000 m would give (`zonewise benchmark air speed`): that is
    what the zone boxes must hold.
    """

    def __init__(
        self,
        sources: LineSources,
        n_links: int,
        receptors: ArrayLike,
        layers: Sequence[SurfaceLayer],
        *,
        cutoff_m: float = 500.0,
        n_directions: int = 36,
        source_street: ArrayLike | None = None,
        receptor_street: ArrayLike | None = None,
        constants: RlineConstants = RLINE_V12,
    ) -> None:
        places = np.ascontiguousarray(receptors, dtype=float).reshape(-1, 3)
        streets = [None if s is None else np.asarray(s) for s in (source_street, receptor_street)]
        _check(sources, n_links, places, layers, cutoff_m, n_directions, streets)
        self.n_links, self.n_receptors = n_links, len(places)
        self.layers, self.cutoff_m, self.n_directions = tuple(layers), cutoff_m, n_directions
        self._order, position = _order_links(sources, n_links)
        self._row_order = _strips(places[:, 0], places[:, 1])
        places = places[self._row_order]
        if streets[1] is not None:
            streets[1] = streets[1][self._row_order]
        self._constants, self._receptors, self._link = constants, places, position[sources.link]
        self._sources = np.stack([sources.x0_m, sources.y0_m, sources.x1_m, sources.y1_m, sources.height_m], axis=1)
        kinds = np.stack([sources.height_m, sources.sigma_z0_m], axis=1).reshape(-1, 2)
        self._kinds, which = np.unique(kinds, axis=0, return_inverse=True)
        self._kind = which.ravel().astype(np.int32)
        self._weight = np.bincount(self._kind, sources.length_m, len(self._kinds))
        self._rows, self._pairs = _near(sources, self._link, places, cutoff_m, streets)
        self._quadrature = quadrature()
        self._tables: dict[int, Array] = {}
        self._matrices: dict[tuple[int, int], _Rows] = {}

    def apply(self, emission: ArrayLike, *, wind_dir_deg: float, stability: int, u_star_mps: float) -> Array:
        """Concentration at every receptor from all links within the cut-off.

        Parameters
        ----------
        emission : array_like, shape (L, P)
            Of every link and pollutant, g/m/s, not negative.
        wind_dir_deg : float
            Where the wind comes from, degrees clockwise from north.
        stability : int
            Position in `layers`.
        u_star_mps : float
            Friction velocity, m/s, above 0; calm hours need a least wind.

        Returns
        -------
        ndarray, shape (R, P)
            g/m3.

        Raises
        ------
        AirError
            If an argument is missing or out of range; all faults are named.
        """
        amounts = np.asarray(emission, dtype=float)
        self._check_hour(amounts, wind_dir_deg, stability, u_star_mps)
        step = 360.0 / self.n_directions
        place = (wind_dir_deg % 360.0) / step
        first, part = int(place), place - int(place)
        shares = [
            (first % self.n_directions, 1.0 - part),
            ((first + 1) % self.n_directions, part),
            (-1, 1.0),  # the meander
        ]
        n = amounts.shape[1]
        result = np.empty((self.n_receptors, n))
        for at in range(0, n, 4):
            some = amounts[self._order, at : at + 4]
            four, total = np.zeros((self.n_links, 4)), np.zeros((self.n_receptors, 4))
            four[:, : some.shape[1]] = some
            for direction, share in shares:
                if share > 0.0:
                    rows = self._matrix(direction, stability)
                    add_product(rows.starts, rows.indices, rows.data, four, share / u_star_mps, total)
            result[self._row_order, at : at + 4] = total[:, : some.shape[1]]
        return result

    def prepare(self, classes: Iterable[int] | None = None) -> SourceReceptor:
        """Make the matrices of all directions for some classes (all unless given); return self."""
        for stability in range(len(self.layers)) if classes is None else classes:
            for direction in range(-1, self.n_directions):
                self._matrix(direction, stability)
        return self

    def forget(self) -> None:
        """Free the matrices made so far; they are made again when asked for."""
        self._matrices.clear()

    def residence_s(self, *, stability: int, u_star_mps: float) -> float:
        """Time that the emission needs to the cut-off, s: the integral of dx / Ue, mean over the sources' lengths."""
        return self.travel_s(self.cutoff_m, stability=stability) / u_star_mps

    def travel_s(self, distance_m: float, *, stability: int) -> float:
        """Time that a plume needs to a distance at a friction velocity of 1 m/s, s; mean over the sources' lengths."""
        if not len(self._kinds):
            return 0.0
        x = np.geomspace(1.0, distance_m, 400)
        slowness = 1.0 / self._plume(stability, x).wind_mps
        taken = slowness[:, 0] + (0.5 * (slowness[:, 1:] + slowness[:, :-1]) * np.diff(x)).sum(axis=1)
        return float(np.average(taken, weights=self._weight))

    def beyond(self, *, stability: int, u_star_mps: float, interval_s: float = 900.0) -> float:
        """Share of an interval's emission that has left the cut-off by the interval's end, 0 to 1.

        The plume has no sink, so that in a steady state the whole mass flow passes the cut-off (share 1) and feeds the
        zone boxes; of a steady emission over one interval, 1 - residence / interval has done so when it ends, and the
        rest follows in the next.
        """
        return max(0.0, 1.0 - self.residence_s(stability=stability, u_star_mps=u_star_mps) / interval_s)

    def depth_m(self, stability: int) -> float:
        """Depth of the plumes at the cut-off, 2.15 sigma_z (a tenth of the middle's concentration), m."""
        sigma_z = self._plume(stability, np.array([self.cutoff_m])).sigma_z_m[:, 0]
        return 2.15 * float(np.average(sigma_z, weights=self._weight))

    @property
    def n_pairs(self) -> int:
        """Pairs of a segment and a receptor within the cut-off."""
        return len(self._pairs)

    @property
    def nnz(self) -> int:
        """Entries of the matrices made so far."""
        return sum(len(rows.data) for rows in self._matrices.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the matrices made so far and of the list of pairs."""
        return sum(rows.nbytes for rows in self._matrices.values()) + self._pairs.nbytes + self._rows.nbytes

    def _matrix(self, direction: int, stability: int) -> _Rows:
        """Matrix of a direction and class; direction -1 is the meander."""
        key = (direction, stability)
        if key not in self._matrices:
            if stability not in self._tables:
                self._tables[stability] = plume_tables(
                    self.layers[stability], height_m=self._kinds[:, 0], sigma_z0_m=self._kinds[:, 1],
                    constants=self._constants,
                )  # fmt: skip
            angle = np.radians(direction * 360.0 / self.n_directions)
            east, north = (0.0, 0.0) if direction < 0 else (-float(np.sin(angle)), -float(np.cos(angle)))
            indices, data = np.empty(self.n_pairs, dtype=np.int32), np.empty(self.n_pairs, dtype=np.float32)
            starts = entries(
                self._rows, self._pairs, self._sources, self._link, self._kind, self._receptors,
                self._tables[stability], TABLE_PER_LOG, east, north, *self._quadrature, indices, data,
            )  # fmt: skip
            self._matrices[key] = _Rows(starts, indices[: starts[-1]].copy(), data[: starts[-1]].copy())
        return self._matrices[key]

    def _plume(self, stability: int, x: Array) -> Plume:
        return plume(
            x[None, :], self.layers[stability], height_m=self._kinds[:, :1], sigma_z0_m=self._kinds[:, 1:],
            constants=self._constants,
        )  # fmt: skip

    def _check_hour(self, emission: Array, wind_dir_deg: float, stability: int, u_star_mps: float) -> None:
        faults = []
        if emission.ndim != 2 or emission.shape[0] != self.n_links:
            faults.append(f"emission has the shape {emission.shape}, not ({self.n_links} links, pollutants)")
        elif not (emission.size == 0 or (emission.min() >= 0.0 and np.isfinite(emission.max()))):
            faults.append("emission is negative, missing or infinite (0 g/m/s or more)")
        if not np.isfinite(wind_dir_deg):
            faults.append(f"wind_dir_deg={wind_dir_deg} is not an angle in degrees")
        if not 0 <= stability < len(self.layers):
            faults.append(
                f"stability={stability} is not one of the {len(self.layers)} classes, 0 to {len(self.layers) - 1}"
            )
        if not 0.0 < u_star_mps < np.inf:
            faults.append(f"u_star_mps={u_star_mps} must be above 0 m/s; give calm hours a least wind")
        if faults:
            raise AirError("source-receptor matrices: " + "; ".join(faults))


def _strips(x: Array, y: Array) -> NDArray[np.int64]:
    """Order of places by strips 250 m high: neighbours stay near in memory, which the products gain from."""
    order: NDArray[np.int64] = np.lexsort((x, np.floor(y / 250.0)))
    return order


def _order_links(sources: LineSources, n_links: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Links in the order of their places, and the position of each link in it."""
    x, y = np.zeros((2, n_links))
    x[sources.link], y[sources.link] = sources.x0_m, sources.y0_m
    order = _strips(x, y)
    position = np.empty(n_links, dtype=np.int32)
    position[order] = np.arange(n_links, dtype=np.int32)
    return order, position


def _near(
    sources: LineSources, link: NDArray[np.int32], places: Array, cutoff_m: float,
    streets: list[NDArray[np.int64] | None],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:  # fmt: skip
    """Pairs within the cut-off: first pair of every receptor (R + 1,), and segments by link within each (N,)."""
    ends = np.stack([sources.x0_m, sources.y0_m, sources.x1_m, sources.y1_m], axis=1).reshape(-1, 2, 2)
    tree = shapely.STRtree(shapely.points(places[:, :2]))
    segment, receptor = tree.query(shapely.linestrings(ends), predicate="dwithin", distance=cutoff_m)
    if streets[0] is not None and streets[1] is not None:
        street = streets[0][segment]
        keep = ~((street >= 0) & (street == streets[1][receptor]))
        segment, receptor = segment[keep], receptor[keep]
    order = np.lexsort((segment, link[segment], receptor))
    rows = np.concatenate([[0], np.cumsum(np.bincount(receptor, minlength=len(places)))]).astype(np.int64)
    return rows, segment[order].astype(np.int32)


def _check(
    sources: LineSources, n_links: int, places: Array, layers: Sequence[SurfaceLayer], cutoff_m: float,
    n_directions: int, streets: list[NDArray[np.int64] | None],
) -> None:  # fmt: skip
    faults = []
    if len(sources) and int(sources.link.max()) >= n_links:
        faults.append(f"a segment belongs to link {int(sources.link.max())}, but there are {n_links} links")
    if not np.isfinite(places).all() or (places[:, 2] < 0.0).any():
        faults.append("receptors need finite places and heights of 0 m or more")
    if not layers:
        faults.append("no surface layer is given; one a stability class is needed")
    faults += [
        f"layer {i} has u_star_mps={layer.u_star_mps:g} (must be 1), sigma_v_mps={layer.sigma_v_mps:g} (above 0)"
        for i, layer in enumerate(layers)
        if abs(layer.u_star_mps - 1.0) > 1e-9 or layer.sigma_v_mps <= 0.0
    ]
    if not 1.0 <= cutoff_m < np.inf:
        faults.append(f"cutoff_m={cutoff_m:g} must be 1 m or more")
    if n_directions < 4:
        faults.append(f"n_directions={n_directions} must be 4 or more")
    if (streets[0] is None) != (streets[1] is None):
        faults.append("source_street and receptor_street belong together; one is missing")
    for name, street, n in zip(("source_street", "receptor_street"), streets, (len(sources), len(places)), strict=True):
        if street is not None and street.shape != (n,):
            faults.append(f"{name} has the shape {street.shape}, not ({n},)")
    if faults:
        raise AirError("source-receptor matrices: " + "; ".join(faults))
