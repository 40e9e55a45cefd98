"""Demand from files: `--demand FILE` of a job, `zonewise import od`, and the calibration to counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.errors import InputError
from data.store.folder import write_atomic
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.count_calibration import Calibrated
    from simulation.demand.spec import DemandSpec
    from simulation.speed_calibration import SpeedCalibrated

#: The calibrated demand of a workspace; its job reads it from then on.
FILE = "demand.csv"


def demand_of_file(city: City, path: str) -> DemandSpec:
    """The city's demand with the trips of an OD table. Days vary and weekends are as in the city's own estimate.

    Places are zones, gateways, or nodes of the city.

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the file cannot be read, or does not fit the city.
    """
    from data.readers.od import read_od
    from simulation.demand.given import demand_from_od, place_of_nodes

    names = place_of_nodes(city.nodes, pd.DataFrame(city.links), city.link_zone, city.gateways)
    return demand_from_od(
        city.demand, read_od(path), names=names, day_variation=True, weekend_factor=city.demand.weekend_factor
    )


def with_profiles(demand: DemandSpec, path: str) -> DemandSpec:
    """The demand with departure profiles from a file; what the file leaves out stays.

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the file cannot be read, or holds no profiles.
    """
    from data.readers.od import read_departure_profiles
    from simulation.demand.given import profile_array

    return replace(demand, profiles=profile_array(read_departure_profiles(path), demand.profiles))


def calibrate_workspace(
    space: Workspace,
    counts: Path | str,
    *,
    progress: Callable[[int, int, str], Any] | None = None,
    **options: Any,
) -> tuple[str, Calibrated]:
    """Calibrate a workspace's demand to counts, keep the report as a run, and have the next job use the result.

    A calibration that was not taken (`Calibrated.taken`) leaves the workspace's demand as it is.

    Parameters
    ----------
    space : Workspace
        With a city.
    counts : Path or str
        As `data.readers.link_counts.read_link_counts` reads it.
    progress : callable, optional
    **options
        Of `simulation.count_calibration.calibrate_demand`.

    Returns
    -------
    run : str
        Id of the run with tables `od_day`, `count_fit`, `counted_links`, `rounds`.
    calibrated : Calibrated

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the workspace has no simulated city, or the counts do not fit it; nothing is written then.
    """
    from data.readers.link_counts import read_link_counts
    from simulation.count_calibration import calibrate_demand

    city = _city_of(space)
    table = read_link_counts(counts, city.links)
    found = calibrate_demand(
        city, table[["link_id", "hour", "veh_per_h"]], count_days=float(table["days"].median()), progress=progress,
        **options,
    )  # fmt: skip
    tables = {"count_fit": found.quality, "counted_links": found.links, "rounds": found.rounds}
    return _stored(space, found, tables, {"counts": counts}, options), found


def calibrate_workspace_speeds(
    space: Workspace,
    speeds: Path | str,
    counts: Path | str | None = None,
    *,
    progress: Callable[[int, int, str], Any] | None = None,
    **options: Any,
) -> tuple[str, SpeedCalibrated]:
    """Calibrate how much of a workspace's demand drives to measured speeds, as `calibrate_workspace` does to counts.

    Parameters
    ----------
    space : Workspace
        With a city.
    speeds : Path or str
        As `data.readers.link_counts.read_link_speeds` reads it.
    counts : Path or str, optional
        Fitted together with the speeds.
    progress : callable, optional
    **options
        Of `simulation.speed_calibration.calibrate_to_speeds`.

    Returns
    -------
    run : str
        Id of the run with tables `od_day`, `speed_fit`, `measured_links`, `factors`, `rounds`.
    calibrated : SpeedCalibrated

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the workspace has no simulated city, or the speeds do not fit it; nothing is written then.
    """
    from data.readers.link_counts import read_link_counts, read_link_speeds
    from simulation.speed_calibration import calibrate_to_speeds

    city = _city_of(space)
    table = read_link_speeds(speeds, city.links)
    beside = None if counts is None else read_link_counts(counts, city.links)[["link_id", "hour", "veh_per_h"]]
    found = calibrate_to_speeds(city, table[["link_id", "hour", "speed_mps"]], beside, progress=progress, **options)
    tables = {
        "speed_fit": found.quality, "measured_links": found.links, "factors": found.factors, "rounds": found.rounds,
    }  # fmt: skip
    files = {"speeds": speeds} if counts is None else {"speeds": speeds, "counts": counts}
    return _stored(space, found, tables, files, options), found


def _city_of(space: Workspace) -> City:
    from app.pipeline import stored_city

    if space.describe().get("source") == "measured":
        raise InputError(f"workspace '{space.name}' is of measured data alone; there is no demand to calibrate")
    return stored_city(space)


def _stored(
    space: Workspace,
    found: Calibrated | SpeedCalibrated,
    tables: dict[str, pd.DataFrame],
    files: dict[str, Path | str],
    options: dict[str, Any],
) -> str:
    """Keep a calibration's report as a run, and its demand for the next job where it was taken; the run's id."""
    from app.code_version import code_version
    from app.job_spec import file_digest
    from data.store.runs import run_id

    od, parent = od_table(found.demand), space.describe()["runs"]["city"]
    read = {name: file_digest(str(path)) for name, path in files.items()}
    spec = {"code": code_version()["city"], "parent": parent, **read, "options": options}
    with space.runs.write("demand", spec, parents=(parent,), seed=options.get("seed", 1)) as run:
        run.table("od_day", od)
        for name, table in tables.items():
            run.table(name, table)
    if found.taken:
        _keep(space, od)
    return run_id("demand", spec)


def import_demand(space: Workspace, path: Path | str) -> DemandSpec:
    """Keep a file's trips as a workspace's demand, once they are seen to fit its city; its next job uses them.

    Parameters
    ----------
    space : Workspace
        With a simulated city.
    path : Path or str
        As `data.readers.od.read_od` reads it.

    Returns
    -------
    DemandSpec
        The city's demand with these trips.

    Raises
    ------
    InputError, FileFormatError, DemandError
        If the workspace has no simulated city, or the trips do not fit it; nothing is written then.
    """
    from app.pipeline import stored_city
    from data.readers.od import read_od

    if space.describe().get("source") == "measured":
        raise InputError(f"workspace '{space.name}' is of measured data alone; it has no streets to drive on")
    demand = demand_of_file(stored_city(space), str(path))
    _keep(space, read_od(path))
    return demand


def _keep(space: Workspace, od: pd.DataFrame) -> None:
    """Have the next job of a workspace drive these trips."""
    write_atomic(space.root / FILE, od.to_csv(index=False).encode())
    space.update(job={**space.describe().get("job", {}), "demand": str((space.root / FILE).resolve())})


def od_table(demand: DemandSpec) -> pd.DataFrame:
    """Weekday trips between places: `origin_zone_id`, `dest_zone_id`, `trips_veh`, as `read_od` reads them."""
    from data.readers.od import square_as_long

    return square_as_long(demand.od_veh, demand.places)
