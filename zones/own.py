"""Partitions that are not ours: a function of the caller's, or one that another package brings under a name.

A partition gets the streets and returns polygons; the rest (cutting them so that neighbours share their borders,
leaving out ground without streets, names, what each zone is like) is done as for polygons that were given.
"""

from __future__ import annotations

from typing import Protocol, cast

import geopandas as gpd

from data import plugins
from zones.errors import ZoneError
from zones.spec import KINDS


class Partition(Protocol):
    """Cuts a city."""

    def __call__(
        self, links: gpd.GeoDataFrame, places: gpd.GeoDataFrame | None, *, count: int, seed: int
    ) -> gpd.GeoDataFrame:
        """Polygons of zones.

        Parameters
        ----------
        links : GeoDataFrame
            Columns of `data.schemas.LINKS`, projected geometry, m.
        places : GeoDataFrame or None
            Buildings and other places, where the city has some.
        count : int
            About how many zones are wanted.
        seed : int
            For whatever is random.

        Returns
        -------
        GeoDataFrame
            Polygons in any coordinate system, with a column `name` if they have names. Where two overlap the first has
            the ground; they need not keep to the city's outline.
        """


def known(name: str) -> bool:
    """Whether a kind of zones is Zonewise's own or one that a package brings; nothing is imported."""
    return name in KINDS or name in plugins.names(plugins.PARTITIONS)


def partition_named(name: str) -> Partition:
    """The partition that a package brings under a name.

    Raises
    ------
    ZoneError
        If nobody brings it, naming those there are.
    PluginError
        If the package is broken, or several bring it.
    """
    plugin = plugins.find(plugins.PARTITIONS, name)
    if plugin is None:
        there = (*KINDS, *plugins.names(plugins.PARTITIONS, ours=KINDS))
        raise ZoneError(f"zones cannot be cut: kind={name!r}; allowed: {', '.join(there)}")
    return brought(plugin)


def brought(plugin: plugins.Plugin) -> Partition:
    """The partition that a plug-in is; `PluginError` where it is none."""
    made = plugins.load(plugin)
    if not callable(made):
        raise plugins.unfit(plugin, f"cannot be called; found {made!r}")
    return cast(Partition, made)


def polygons_of(
    partition: Partition, links: gpd.GeoDataFrame, places: gpd.GeoDataFrame | None, *, count: int, seed: int
) -> gpd.GeoDataFrame:
    """Polygons of a partition; `ZoneError` where it returns something else, naming it."""
    polygons = partition(links, places, count=count, seed=seed)
    name = getattr(partition, "__qualname__", repr(partition))
    if not isinstance(polygons, gpd.GeoDataFrame) or not len(polygons):
        what = "an empty table" if isinstance(polygons, gpd.GeoDataFrame) else f"a {type(polygons).__name__}"
        raise ZoneError(f"partition {name} returned {what}; it must return a GeoDataFrame of polygons")
    if polygons.crs is None:
        polygons = polygons.set_crs(links.crs)
    return polygons
