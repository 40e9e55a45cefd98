"""A City from what was read of it: the one way in which jobs and benchmarks make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd

    from data.city_source import CitySource
    from simulation.air.fleet import Fleet
    from simulation.city import City

#: People of a home (2.2 in the EU in 2024: Eurostat, average household size, table ilc_lvph01; from memory).
PEOPLE_PER_HOME = 2.2


def with_people(zones: gpd.GeoDataFrame, districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Zones with homes for the people of districts; as they are where the districts have no column `population`."""
    from data.population import shared_population

    if "population" not in districts.columns:
        return zones
    return zones.assign(homes=shared_population(districts, zones) / PEOPLE_PER_HOME)


def city_of(
    source: CitySource, zones: gpd.GeoDataFrame, *, fleet: Fleet | None = None, demand: str | None = None,
    profiles: str | None = None,
) -> City:  # fmt: skip
    """The city of a source, cut into zones; its buildings stand beside its streets.

    Where the source brings people by district, homes follow from them, and not from buildings or streets.

    Parameters
    ----------
    source : CitySource
    zones : GeoDataFrame
        From `zones.make_zones`, of the same streets.
    fleet : Fleet, optional
        Default the EU's.
    demand : str, optional
        Path of an OD table, as `app.demand_door.demand_of_file` reads it, instead of the estimate.
    profiles : str, optional
        Path of departure profiles, see `data.readers.od.read_departure_profiles`; assumed ones without.

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the demand or the profiles cannot be read or do not fit the city.
    """
    from app.demand_door import demand_of_file, with_profiles
    from simulation.city import make_city
    from zones import adjacency, link_zone

    districts = source.given_zones
    if districts is not None:
        zones = with_people(zones, districts)
    pieces: dict[str, Any] = {
        "name": source.name, "label": source.label, "timezone": source.timezone, "latitude": source.latitude,
        "longitude": source.longitude, "crs": str(source.crs), "nodes": source.nodes, "links": source.links,
        "turns": source.turns, "zones": zones, "link_zone": link_zone(source.links, zones),
        "adjacency": adjacency(zones), "buildings": source.places, "fleet": fleet,
    }  # fmt: skip
    city = make_city(**pieces)
    if demand is None and profiles is None:
        return city
    given = city.demand if demand is None else demand_of_file(city, demand)
    return make_city(**pieces, demand=given if profiles is None else with_profiles(given, profiles))
