"""What is known of a city before it is cut into zones: streets, places, base map, a report of the reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import shapely

if TYPE_CHECKING:
    import networkx as nx

_MARGIN_M = 150.0  # of the base map around the network


@dataclass(frozen=True, kw_only=True)
class CitySource:
    """What is known of a city before it is cut into zones. `links` and `places` are projected (`crs`, metres)."""

    name: str
    label: str
    timezone: str
    latitude: float
    longitude: float
    crs: str
    source: str
    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    turns: pd.DataFrame
    places: gpd.GeoDataFrame
    basemap: gpd.GeoDataFrame  # EPSG:4326
    report: dict[str, Any]
    given_zones: gpd.GeoDataFrame | None = (
        None  # polygons that come with the city, projected; `name` and what is counted
    )
    graph: nx.MultiDiGraph | None = None  # OSMnx's form; None where the tables came from the cache

    def load_graph(self) -> nx.MultiDiGraph:
        """The street graph in OSMnx's form, simplified, projected; read again where the tables came from the cache.

        Raises
        ------
        CityError
            If the source is gone, or was not made of OpenStreetMap data by this package.
        """
        if self.graph is not None:
            return self.graph
        from data.cities import read_graph

        return read_graph(self.source, self.timezone)


def map_frame(links: gpd.GeoDataFrame) -> shapely.Polygon:
    """Box around the network with a margin, longitude and latitude."""
    box = shapely.box(*links.total_bounds).buffer(_MARGIN_M, join_style="mitre")
    return shapely.box(*gpd.GeoSeries([box], crs=links.crs).to_crs(4326).total_bounds)
