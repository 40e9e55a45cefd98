"""Line sources: a road network as straight segments, each with its height of release and its initial spread."""

from __future__ import annotations

from dataclasses import dataclass, fields

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from simulation.air.errors import AirError

#: Bends of a link's geometry within this of a straight line are left out, m (assumption: small against a road's width).
SIMPLIFY_M = 2.0
#: Segments are cut to this length, m, so that a cut-off distance treats a long road by parts (assumption).
LONGEST_M = 250.0


@dataclass(frozen=True, slots=True)
class LineSources:
    """S straight segments; several may belong to one link. Metres, x east, y north.

    Parameters
    ----------
    x0_m, y0_m, x1_m, y1_m : ndarray, shape (S,)
        Ends.
    height_m : ndarray, shape (S,)
        Height of release above ground, 0 or more.
    sigma_z0_m : ndarray, shape (S,)
        Initial vertical spread by the wake of vehicles, 0 or more; 1.7 / 2.15 of their mean height (US EPA's advice for
        R-LINE): 1.2 m for cars.
    link : ndarray of int, shape (S,)
        Position of the segment's link in the table of links.

    Raises
    ------
    AirError
        If lengths differ, or a value is missing, infinite or negative where it must not be; all faults are named.
    """

    x0_m: NDArray[np.float64]
    y0_m: NDArray[np.float64]
    x1_m: NDArray[np.float64]
    y1_m: NDArray[np.float64]
    height_m: NDArray[np.float64]
    sigma_z0_m: NDArray[np.float64]
    link: NDArray[np.int32]

    def __post_init__(self) -> None:
        faults = []
        for field in fields(self):
            values = np.asarray(getattr(self, field.name))
            if values.shape != np.shape(self.x0_m) or values.ndim != 1:
                faults.append(f"{field.name} has the shape {values.shape}, x0_m {np.shape(self.x0_m)}")
            elif not np.isfinite(values).all():
                faults.append(
                    f"{field.name} is missing or infinite in {np.count_nonzero(~np.isfinite(values))} segments"
                )
            elif field.name in ("height_m", "sigma_z0_m", "link") and (values < 0).any():
                faults.append(f"{field.name} is negative in {np.count_nonzero(values < 0)} segments (0 or more)")
        if faults:
            raise AirError("line sources: " + "; ".join(faults))

    def __len__(self) -> int:
        return len(self.link)

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of every segment, (S,)."""
        return np.hypot(self.x1_m - self.x0_m, self.y1_m - self.y0_m)

    @classmethod
    def from_links(
        cls,
        links: pd.DataFrame,
        *,
        height_m: ArrayLike,
        sigma_z0_m: ArrayLike,
        nodes: pd.DataFrame | None = None,
    ) -> LineSources:
        """Segments of every link's geometry, in the order of the links.

        Parameters
        ----------
        links : GeoDataFrame or DataFrame
            Reads `geometry` (lines in metres, simplified to 2 m and cut at 250 m) and, where that is missing,
            `from_node_id` and `to_node_id`: such a link is straight.
        height_m, sigma_z0_m : float or array_like, shape (n_links,)
            Height of release and initial vertical spread, m.
        nodes : DataFrame, optional
            Reads `node_id`, `x_m`, `y_m`; needed for links without geometry alone.

        Raises
        ------
        AirError
            If a link has neither geometry nor nodes.
        """
        shapes = np.full(len(links), None, dtype=object)
        if "geometry" in links:
            shapes[:] = np.asarray(gpd.GeoSeries(links["geometry"]).to_numpy(), dtype=object)
        absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
        if absent.any():
            shapes[absent] = _straight(links[absent], nodes)
        lines = shapely.segmentize(shapely.simplify(shapes, SIMPLIFY_M, preserve_topology=False), LONGEST_M)
        points, owner = shapely.get_coordinates(lines, return_index=True)
        ahead = np.flatnonzero(owner[:-1] == owner[1:])
        ahead = ahead[(points[ahead] != points[ahead + 1]).any(axis=1)]
        link = owner[ahead].astype(np.int32)
        height, spread = (np.broadcast_to(np.asarray(a, dtype=float), len(links)) for a in (height_m, sigma_z0_m))
        (x0, y0), (x1, y1) = points[ahead].T.copy(), points[ahead + 1].T.copy()
        return cls(x0, y0, x1, y1, height[link], spread[link], link)


def _straight(links: pd.DataFrame, nodes: pd.DataFrame | None) -> NDArray[np.object_]:
    if nodes is None:
        raise AirError(f"{len(links)} links have no geometry, and no nodes are given to draw them between")
    places = nodes.set_index("node_id")[["x_m", "y_m"]]
    ends = [places.reindex(links[column]).to_numpy(dtype=float) for column in ("from_node_id", "to_node_id")]
    unknown = np.isnan(ends[0]).any(axis=1) | np.isnan(ends[1]).any(axis=1)
    if unknown.any():
        raise AirError(f"{np.count_nonzero(unknown)} links have no geometry and end at nodes that have no place")
    return np.asarray(shapely.linestrings(np.stack(ends, axis=1)), dtype=object)
