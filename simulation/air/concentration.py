"""Concentration maps: means of an hour at the cells of a raster that covers the city's zones.

A cell holds the concentration at its centre, 2 m above ground: that of the canyon where the centre lies between the
walls of one, else of the open street field over a background that passes smoothly from zone to zone. Buildings are not
cut out. Cells lie on whole multiples of their size in the city's coordinates, so that maps of two runs coincide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.schemas import CONCENTRATION, RECEPTORS, TIME_DTYPE, validate
from simulation.air.background import SPECIES
from simulation.air.errors import AirError
from simulation.air.model import AirModel
from simulation.air.receptors import FACADE_HEIGHT_M, canyon_at

MAX_CELLS = 40_000
_GROW_M = 5.0  # cells grow by whole steps
#: Plume matrices of past winds are kept up to this size, as the wind often turns back.
_MATRIX_BYTES = 400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """What map to keep of a run.

    Parameters
    ----------
    cell_m : float
        Side of a cell, m. Grows in steps of 5 m where there would be more than `max_cells`.
    every_s : float
        Length of the periods whose means are kept, s; a whole number of the run's intervals, and a divisor of a day.
        Periods begin on whole multiples of it since midnight UTC; one that a run covers in part is left out.
    hours : collection of int, optional
        Local hours of the day, 0 to 23, in which a period must begin to be kept; default all.
    max_cells : int
        Bound on the number of cells.

    Raises
    ------
    AirError
        If an option is out of its range; all faults are named.
    """

    cell_m: float = 25.0
    every_s: float = 3600.0
    hours: Collection[int] | None = None
    max_cells: int = MAX_CELLS

    def __post_init__(self) -> None:
        faults = []
        if not 1.0 <= self.cell_m <= 5000.0:
            faults.append(f"cell_m={self.cell_m!r} must be 1 to 5000 m")
        if not self.every_s > 0 or 86_400 % self.every_s:
            faults.append(f"every_s={self.every_s!r} must divide a day of 86,400 s")
        if self.hours is not None and (wrong := sorted(set(self.hours) - set(range(24)))):
            faults.append(f"hours {wrong} are none of 0 to 23")
        if self.max_cells < 1:
            faults.append(f"max_cells={self.max_cells!r} must be 1 or more")
        if faults:
            raise AirError("concentration map: " + "; ".join(faults))


def cells(
    zones: gpd.GeoDataFrame,
    links: gpd.GeoDataFrame,
    walls: pd.DataFrame | None = None,
    *,
    cell_m: float = 25.0,
    max_cells: int = MAX_CELLS,
) -> tuple[pd.DataFrame, float]:
    """Raster cells whose centres lie in a zone, as receptors.

    Parameters
    ----------
    zones : GeoDataFrame
        `zone_id` and polygons, projected, m.
    links : GeoDataFrame
        Streets in the same coordinates.
    walls : DataFrame, optional
        Columns of `data.schemas.STREET_WALLS`: cells between the walls of a canyon belong to it.
    cell_m : float
        Wanted side of a cell, m.
    max_cells : int
        Cells grow in steps of 5 m until there are no more than this.

    Returns
    -------
    table : DataFrame
        Columns of `data.schemas.RECEPTORS`, kind "cell", by rows from south to north.
    cell_m : float
        Side that was taken, m.

    Raises
    ------
    AirError
        If no centre lies in a zone.
    """
    side = float(cell_m)
    least = float(np.sqrt(zones.geometry.area.sum() / max_cells))
    if side < least:
        side = _GROW_M * float(np.ceil(least / _GROW_M))
    x, y, home = _centres(zones, side)
    while x.size > max_cells:
        side = _GROW_M * float(np.floor(side / _GROW_M) + 1)
        x, y, home = _centres(zones, side)
    if x.size == 0:
        raise AirError(f"no cell of {side:g} m has its centre in a zone; take smaller cells")
    link, of_axis = canyon_at(x, y, links, walls)
    table = pd.DataFrame(
        {
            "receptor_id": [f"C{number:06d}" for number in range(x.size)], "kind": "cell",
            "zone_id": zones["zone_id"].to_numpy()[home], "x_m": x, "y_m": y, "z_m": FACADE_HEIGHT_M, "link_id": link,
            "side": of_axis,
        }
    )  # fmt: skip
    return validate(table, RECEPTORS), side


def _centres(zones: gpd.GeoDataFrame, side: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and row of the zone of every centre in a zone; one on a border belongs to the first."""
    low_x, low_y, high_x, high_y = zones.total_bounds
    first_x, first_y = np.floor(low_x / side), np.floor(low_y / side)
    x, y = np.meshgrid(
        (first_x + 0.5 + np.arange(np.ceil(high_x / side) - first_x)) * side,
        (first_y + 0.5 + np.arange(np.ceil(high_y / side) - first_y)) * side,
    )
    zone, point = shapely.STRtree(shapely.points(x.ravel(), y.ravel())).query(
        zones.geometry.to_numpy(), predicate="intersects"
    )
    order = np.lexsort((zone, point))
    point, first = np.unique(point[order], return_index=True)
    return x.ravel()[point], y.ravel()[point], zone[order][first]


class ConcentrationMap:
    """Collects the map of one run.

    Parameters
    ----------
    raster : Raster
    air : AirModel
        Of the run.
    timezone : str
        Of the city, for `Raster.hours`.
    step_s : float
        Interval of the run, s.

    Raises
    ------
    AirError
        If `every_s` is no multiple of `step_s`, or no cell lies in a zone.

    Attributes
    ----------
    cell_m : float
        Side of the cells, m.
    """

    def __init__(self, raster: Raster, air: AirModel, *, timezone: str, step_s: float) -> None:
        ratio = raster.every_s / step_s
        if ratio < 1 or abs(ratio - round(ratio)) > 1e-9:
            raise AirError(
                f"concentration map: every_s={raster.every_s:g} s is no multiple of the run's interval, {step_s:g} s"
            )
        self._raster, self._air, self._timezone, self._parts = raster, air, timezone, round(ratio)
        table, self.cell_m = cells(air.zones, air.links, air.walls, cell_m=raster.cell_m, max_cells=raster.max_cells)
        self._field = air.field_of(table, smooth=True)
        self._sum, self._booked = np.zeros((len(table), len(SPECIES))), 0
        self._times: list[pd.Timestamp] = []
        self._means: list[np.ndarray] = []

    def book(self, start_s: float) -> None:
        """Enter the interval from `start_s` on, s since the run's zero; the model has just stepped over it."""
        seconds = self._air.start.timestamp() + start_s
        begin = seconds // self._raster.every_s * self._raster.every_s
        time = pd.Timestamp(begin, unit="s", tz="UTC")
        if self._raster.hours is not None and time.tz_convert(self._timezone).hour not in self._raster.hours:
            return
        if seconds == begin:
            self._sum[:], self._booked = 0.0, 0
            if self._field.plumes.nbytes > _MATRIX_BYTES:
                self._field.plumes.forget()
        self._sum += self._air.now_at(self._field)
        self._booked += 1
        whole = seconds + self._raster.every_s / self._parts >= begin + self._raster.every_s
        if whole and self._booked == self._parts:
            self._times.append(time)
            self._means.append((self._sum / self._parts).astype(np.float32))
        if whole:
            self._sum[:], self._booked = 0.0, 0

    def told(self) -> dict[str, float]:
        """For the run's summary: how large the cells became, and how many there are."""
        return {"raster_cell_m": self.cell_m, "raster_cells": len(self._field)}

    def table(self) -> pd.DataFrame:
        """Columns of `data.schemas.CONCENTRATION`, a row a period and cell."""
        n, at = len(self._times), self._field.receptors
        values = np.concatenate([np.empty((0, len(SPECIES)), dtype=np.float32), *self._means])
        zone = pd.Categorical(at["zone_id"])
        told = pd.DataFrame(
            {
                "time": pd.DatetimeIndex(self._times, dtype=TIME_DTYPE).repeat(len(at)),
                "zone_id": pd.Categorical.from_codes(np.tile(zone.codes, n), categories=zone.categories),
                "x_m": np.tile(at["x_m"], n), "y_m": np.tile(at["y_m"], n),
                "cell_m": np.full(n * len(at), self.cell_m, dtype=np.float32),
                "canyon": np.tile(at["link_id"].to_numpy() >= 0, n),
                **{f"{name}_ug_per_m3": values[:, column] for column, name in enumerate(SPECIES)},
            }
        )  # fmt: skip
        return validate(told, CONCENTRATION)
