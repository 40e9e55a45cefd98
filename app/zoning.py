"""The zones of a job: what its kind needs besides the streets is read, or simulated, here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from data.cities import OSM_SUFFIXES
from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from app.job_spec import JobSpec
    from data.city_source import CitySource
    from simulation.air.fleet import Fleet

logger = logging.getLogger(__name__)

#: Days that a city lives on hexagons before functional zones are cut from its traffic.
DYNAMICS_DAYS = 2


def zones_of_job(
    spec: JobSpec,
    source: CitySource,
    *,
    fleet: Fleet | None = None,
    progress: Callable[[float, float, str], Any] | None = None,
) -> tuple[gpd.GeoDataFrame, pd.DataFrame | None]:
    """Cut a job's city into zones.

    Polygons and sensors come from their files; without one, polygons are those that came with the city, and
    administrative units the finest level of boundaries that its OpenStreetMap file holds. Functional
    zones come from the traffic of the city's first days, simulated on hexagons with the job's seed.

    Parameters
    ----------
    spec : JobSpec
    source : CitySource
    fleet : Fleet, optional
    progress : callable, optional
        As for `City.run`.

    Returns
    -------
    zones : GeoDataFrame
    dynamics : DataFrame or None
        The `link_profile` that functional zones were cut from.

    Raises
    ------
    InputError
        If a kind lacks its file.
    ZoneError
        If the zones cannot be cut.
    """
    from zones import make_zones

    links, places, count = source.links, source.places, spec.zone_count
    kind = "polygons" if spec.polygons is not None and spec.zones in ("hex", "square") else spec.zones
    if kind in ("polygons", "administrative"):
        from app.city_making import with_people

        polygons = _polygons(spec, source)
        return with_people(make_zones(links, places, kind=kind, polygons=polygons), polygons), None
    if kind == "voronoi":
        return make_zones(links, places, kind=kind, sensors=_sensors(spec)), None
    if kind == "functional":
        dynamics = simulated_dynamics(spec, source, fleet=fleet, progress=progress)
        zones = make_zones(links, places, kind=kind, count=count, dynamics=dynamics, seed=spec.seed)
        return zones, dynamics
    return make_zones(links, places, kind=kind, count=count, seed=spec.seed), None


def _polygons(spec: JobSpec, source: CitySource) -> gpd.GeoDataFrame:
    if spec.polygons is not None and not spec.polygons.endswith(OSM_SUFFIXES):
        from data.readers.polygons import read_polygons

        return read_polygons(Path(spec.polygons))
    file = spec.polygons or spec.city
    if spec.zones == "administrative" and file.endswith(OSM_SUFFIXES):
        from data.readers.boundaries import read_boundaries
        from zones.administrative import one_level

        return one_level(read_boundaries(file), source.links)
    if source.given_zones is None or spec.polygons is not None:
        raise InputError(
            f"zones='{spec.zones}' needs polygons: {file} brings none; give a file of them (--polygons FILE)"
        )
    return source.given_zones


def _sensors(spec: JobSpec) -> gpd.GeoDataFrame:
    if spec.sensors is None:
        raise InputError("zones='voronoi' needs sensors; give a table of sensor_id, lon, lat (--sensors FILE)")
    from data.readers.places_of_sensors import checked_places, read_places

    table, verdict = checked_places(read_places(spec.sensors))
    lost = verdict[table["lon"].isna().to_numpy()]
    if len(lost) == len(table):
        raise InputError(f"none of the {len(table)} sensors of {spec.sensors} stands at a place that can be right")
    if len(lost):
        told = ", ".join(f"{sensor} ({why})" for sensor, why in lost.head(10).items())
        logger.warning("%d sensor(s) have no usable place and no zone: %s", len(lost), told)
    table = table[table["lon"].notna()].reset_index(drop=True)
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs="EPSG:4326")


def simulated_dynamics(
    spec: JobSpec,
    source: CitySource,
    *,
    fleet: Fleet | None = None,
    progress: Callable[[float, float, str], Any] | None = None,
) -> pd.DataFrame:
    """Usual speed and flow of links over the job's first days, without incidents, on hexagons; a `link_profile`."""
    from app.city_making import city_of
    from zones import make_zones

    zones = make_zones(source.links, source.places, count=spec.zone_count)
    city = city_of(source, zones, fleet=fleet, demand=spec.demand, profiles=spec.profiles)
    run = city.run(
        days=DYNAMICS_DAYS, seed=spec.seed, start=spec.start, step_s=float(spec.step_s), incidents_per_day=0.0,
        progress=progress,
    )  # fmt: skip
    return run.link_profile
