"""A City from what was read of it: the one way in which jobs and benchmarks make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd

    from data.city_source import CitySource
    from simulation.air.fleet import Fleet
    from simulation.city import City


def city_of(
    source: CitySource, zones: gpd.GeoDataFrame, *, fleet: Fleet | None = None, demand: str | None = None
) -> City:
    """The city of a source, cut into zones; its buildings stand beside its streets.

    Parameters
    ----------
    source : CitySource
    zones : GeoDataFrame
        From `zones.make_zones`, of the same streets.
    fleet : Fleet, optional
        Default the EU's.
    demand : str, optional
        Path of an OD table, as `app.demand_door.demand_of_file` reads it, instead of the estimate.

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the demand cannot be read or does not fit the city.
    """
    from app.demand_door import demand_of_file
    from simulation.city import make_city
    from zones import adjacency, link_zone

    pieces: dict[str, Any] = {
        "name": source.name, "label": source.label, "timezone": source.timezone, "latitude": source.latitude,
        "longitude": source.longitude, "crs": str(source.crs), "nodes": source.nodes, "links": source.links,
        "turns": source.turns, "zones": zones, "link_zone": link_zone(source.links, zones),
        "adjacency": adjacency(zones), "buildings": source.places, "fleet": fleet,
    }  # fmt: skip
    city = make_city(**pieces)
    return city if demand is None else make_city(**pieces, demand=demand_of_file(city, demand))
