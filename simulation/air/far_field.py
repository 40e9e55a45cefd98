"""Where exhaust leaves the near field: over which zone its plume ends, by wind direction.

A plume is followed to the cut-off distance; from there on its grams belong to the box over which they have arrived,
or have left the city. So nothing is lost between the two descriptions, and nothing counts twice.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array

from simulation.air.errors import AirError

N_DIRECTIONS = 36
_PARTS = 3  # places along a link that its plumes start from


class FarField:
    """Arrival of L links' plumes in Z zone boxes.

    Parameters
    ----------
    links : GeoDataFrame
        Shapes, projected, m.
    link_zone : DataFrame
        Columns of `data.schemas.LINK_ZONE`.
    zones : GeoDataFrame
        `zone_id` and polygons in the same coordinates.
    reach_m : float
        How far the near field goes.

    Raises
    ------
    AirError
        If `link_zone` names zones that are not there, or shapes are missing.
    """

    def __init__(
        self, links: gpd.GeoDataFrame, link_zone: pd.DataFrame, zones: gpd.GeoDataFrame, reach_m: float
    ) -> None:
        missing = [what for what, table in (("links", links), ("zones", zones)) if "geometry" not in table.columns]
        if missing:
            raise AirError(f"the tables {missing} have no geometry; dispersion needs the shapes of streets and zones")
        self._reach_m = float(reach_m)
        share = (np.arange(_PARTS) + 0.5) / _PARTS
        points = shapely.line_interpolate_point(links.geometry.to_numpy()[:, None], share[None, :], normalized=True)
        self._start = shapely.get_coordinates(points.ravel())  # (L * parts, 2)
        self._tree = shapely.STRtree(zones.geometry.to_numpy())
        self.at_home = zone_shares(link_zone, list(zones["zone_id"]), len(links))
        self._arrival: dict[int, csr_array] = {}

    def arrivals(self, grams: np.ndarray, wind_dir_deg: float) -> tuple[np.ndarray, np.ndarray]:
        """Grams that join each zone's box, and that leave the city.

        Parameters
        ----------
        grams : ndarray, shape (L, P)
        wind_dir_deg : float
            Where the wind comes from. Linear between the `N_DIRECTIONS` directions, as the near field is.

        Returns
        -------
        joins : ndarray, shape (Z, P)
        lost : ndarray, shape (P,)
        """
        place = wind_dir_deg % 360.0 * N_DIRECTIONS / 360.0
        first, part = int(place), place - int(place)
        joins = (1.0 - part) * (self._arrival_from(first) @ grams)
        if part > 0.0:
            joins += part * (self._arrival_from(first + 1) @ grams)
        return joins, np.maximum(grams.sum(axis=0) - joins.sum(axis=0), 0.0)

    def _arrival_from(self, sector: int) -> csr_array:
        sector %= N_DIRECTIONS
        if sector not in self._arrival:
            self._arrival[sector] = self._ends(sector * 360.0 / N_DIRECTIONS)
        return self._arrival[sector]

    def _ends(self, wind_dir_deg: float) -> csr_array:
        """(Z, L) share of each link's exhaust that is over each zone when it has gone the reach."""
        angle = np.radians(wind_dir_deg)
        ends = self._start - self._reach_m * np.array([np.sin(angle), np.cos(angle)])
        point, zone = self._tree.query(shapely.points(ends), predicate="intersects")
        point, first = np.unique(point, return_index=True)  # one on a border joins one zone
        value = np.full(point.size, 1.0 / _PARTS)
        shape = (len(self._tree.geometries), len(self._start) // _PARTS)
        return csr_array((value, (zone[first], point // _PARTS)), shape=shape)


def zone_shares(link_zone: pd.DataFrame, zone_ids: list[str], n_links: int) -> csr_array:
    """(Z, L) shares of links in zones.

    Raises
    ------
    AirError
        If a zone is not known.
    """
    row = pd.Index(zone_ids).get_indexer(link_zone["zone_id"])
    if (row < 0).any():
        wrong = sorted(set(link_zone["zone_id"][row < 0]))
        raise AirError(f"link_zone names zone(s) {wrong[:5]} that the zones table does not hold")
    column = link_zone["link_id"].to_numpy()
    return csr_array((link_zone["share"].to_numpy(dtype=float), (row, column)), shape=(len(zone_ids), n_links))
