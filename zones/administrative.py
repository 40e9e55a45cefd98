"""Administrative units as zones: one level of them, one zone a name."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from zones.errors import ZoneError
from zones.membership import overlay

#: A level whose units hold at least this share of the streets serves as zones (assumed: the rest is left uncovered).
MIN_STREET_SHARE = 0.5


def one_level(boundaries: gpd.GeoDataFrame, links: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The finest level of administrative boundaries that covers a city.

    Boundaries of several levels lie upon each other, and only one of them can be zones: that with most units on the
    city's streets, among those whose units hold at least half of them; the lower level (smaller units) where equal.

    Parameters
    ----------
    boundaries : GeoDataFrame
        `kind`, `admin_level` (missing for other kinds than administrative), `name`, geometry: as
        `data.readers.boundaries.read_boundaries` gives them.
    links : GeoDataFrame
        Geometry (projected).

    Returns
    -------
    GeoDataFrame
        The units of that level on the city's streets, in the links' coordinates.

    Raises
    ------
    ZoneError
        If no level covers the city; says what each covers.
    """
    here = boundaries.to_crs(links.crs) if len(boundaries) else boundaries
    lines = links.geometry.to_numpy()
    whole = float(shapely.length(lines).sum())
    best, told = None, []
    label = here["admin_level"].astype("Int64").astype("str").fillna("").where(here["kind"] == "administrative", "")
    for (kind, level), units in here.groupby([here["kind"], label]):
        _, unit, length = overlay(lines, units.geometry.to_numpy())
        found = np.unique(unit)
        share = min(1.0, float(length.sum()) / whole)
        told.append(f"{kind} {level}".strip() + f": {len(found)} with {share:.0%} of the streets")
        rank = (len(found), int(level) if level else -1)
        if share >= MIN_STREET_SHARE and (best is None or rank > best[0]):
            best = rank, units.iloc[found]
    if best is None:
        raise ZoneError(
            "no level of boundaries holds half of the city's streets (found: " + ("; ".join(told) or "none")
            + "); give units as polygons"
        )  # fmt: skip
    return best[1]


def one_a_name(polygons: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Units whose rows of one name are one.

    Parameters
    ----------
    polygons : GeoDataFrame
        `name`, geometry.

    Raises
    ------
    ZoneError
        If there is no column `name`, or a unit has none.
    """
    if "name" not in polygons.columns:
        found = [str(c) for c in polygons.columns if c != polygons.geometry.name]
        raise ZoneError(f"administrative units need a column 'name'; found {found}; rename the one that names them")
    names = polygons["name"].astype("str").str.strip()
    nameless = np.flatnonzero(polygons["name"].isna() | (names == ""))
    if nameless.size:
        raise ZoneError(
            f"{nameless.size} administrative unit(s) have no name, first in row {nameless[0]}; name or drop them"
        )
    if names.is_unique:
        return polygons.assign(name=names)
    kept = polygons.assign(name=names)[["name", polygons.geometry.name]]
    return kept.dissolve("name", sort=False).reset_index()
