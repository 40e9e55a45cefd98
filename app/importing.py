"""From files of sensors to a workspace: zones, observations, quality report; nothing is stored until all is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from app.job_spec import file_digest
from app.measured import SOURCE, MeasuredJob, MeasuredSpec
from app.pipeline import Report
from app.training_options import EFFORTS
from data.errors import InputError, StoreError
from data.readers.clocks import iana
from data.readers.places_of_sensors import checked_places
from data.readers.readings import Readings
from data.schemas import LINKS, NODES, SENSORS, empty, validate
from data.store.locks import locked
from data.store.observations import Observations, joined_places, table_digest
from data.store.runs import run_id
from data.store.workspace import Workspace

#: Above this many places, sensors share zones unless every one is asked for (assumed: as many as a map can show).
MOST_OWN_ZONES, CLUSTERS = 60, 30
#: Traffic is shown and forecast in steps of this or more, s.
USUAL_STEP_S = 900
ZONE_KINDS = ("voronoi", "clusters", "polygons")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How an import makes a city."""

    timezone: str
    zones: str | None = None  # of ZONE_KINDS; the number of places decides without
    zone_count: int | None = None
    polygons: str | None = None
    adjacency: str | None = None  # CSV of weights between sensors, without header, in the order of the places
    city: str | None = None  # streets to show and to match sensors to
    step_s: int | None = None
    days: int | None = None
    label: str | None = None
    country: str | None = None
    effort: str | None = None  # of the training that follows; as the workspace has it without
    families: str | None = None

    def __post_init__(self) -> None:
        if self.zones is not None and self.zones not in ZONE_KINDS:
            raise InputError(f"zones {self.zones!r}; allowed: {', '.join(ZONE_KINDS)}")
        if self.zones == "polygons" and self.polygons is None:
            raise InputError("zones 'polygons' need a file of them")
        iana(self.timezone)


def import_readings(
    workspace: Workspace,
    readings: Sequence[Readings],
    options: ImportOptions,
    *,
    order: Sequence[str] | None = None,
    source: dict[str, Any] | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Make a workspace of readings, or add them to one that was imported before.

    Parameters
    ----------
    workspace : Workspace
    readings : sequence of Readings
        Of one or more files, of one step.
    options : ImportOptions
    order : sequence of str, optional
        Sensor ids in the order of the adjacency's rows; that of the places without.
    source : dict, optional
        What is told of the batch.
    report : callable, optional
        Progress.

    Returns
    -------
    dict
        `workspace`, `sensors`, `zones`, `readings`, `batch`, `new`, `notes`, `runs`.

    Raises
    ------
    InputError, SchemaError, ZoneError
        Before anything is stored.
    """
    told = workspace.describe()
    if told and told.get("source") != SOURCE:
        raise InputError(
            f"workspace '{workspace.name}' holds a simulated city; import into another one, --workspace NAME"
        )
    if not readings:
        raise InputError("no readings were given")
    steps = sorted({r.step_s for r in readings})
    known = told.get("job", {}).get("given_s")
    if len(steps) > 1 or (known is not None and known != steps[0]):
        raise InputError(
            f"readings come in steps of {', '.join(map(str, steps))} s"
            + (f", those of the workspace in {known} s" if known else "")
            + "; import each step into a workspace of its own"
        )
    given_s = steps[0]
    usual = USUAL_STEP_S if given_s < USUAL_STEP_S and USUAL_STEP_S % given_s == 0 else given_s
    step_s = options.step_s or told.get("job", {}).get("step_s") or usual
    notes = [note for r in readings for note in r.notes]
    table = _one_table(readings, notes)
    observed = Observations(workspace.observations)
    before = observed.places()
    raw = joined_places(before, _one_place_each(readings))
    places, verdict = checked_places(raw)
    bad = verdict[verdict != "ok"]
    if len(bad):
        counts = ", ".join(f"{n} {name}" for name, n in bad.value_counts().items())
        notes.append(f"coordinates: {counts}: {', '.join(bad.index[:10])}")
    city = _city(places, options, order, notes)
    spec = {
        "places": table_digest(raw), "zones": options.zones, "zone_count": options.zone_count, "city": options.city,
        "polygons": file_digest(options.polygons), "adjacency": file_digest(options.adjacency),
        "timezone": options.timezone, "order": list(order or []),
    }  # fmt: skip
    centre = city["zones"].to_crs(4326).total_bounds
    label = options.label or told.get("label") or workspace.name
    families = options.families or told.get("job", {}).get("families")
    families = None if families == "none" else families
    job = MeasuredSpec(
        city_run=run_id("city", spec), label=label, timezone=iana(options.timezone), given_s=given_s, step_s=step_s,
        days=options.days, latitude=float(centre[1] + centre[3]) / 2, longitude=float(centre[0] + centre[2]) / 2,
        effort=options.effort or told.get("job", {}).get("effort", EFFORTS[0]), families=families,
    )  # fmt: skip
    # all is checked; from here on things are stored, the workspace's own note last
    duplicates: dict[str, int] = {}
    for r in readings:
        for name, count in r.duplicates.items():
            duplicates[name] = duplicates.get(name, 0) + count
    workspace.room.check()
    with workspace.at_work(), locked(workspace.root / ".import.lock"):
        if not observed.places().equals(before):
            raise StoreError(f"another import into workspace '{workspace.name}' came in between; repeat this one")
        observed.put_places(raw)
        batch, new = observed.append(table, source=source)
        if not workspace.runs.has(job.city_run):
            with workspace.runs.write("city", spec) as run:
                for name, held in city.items():
                    run.table(name, held)
                run.json("city", {"name": workspace.name, "label": label, "timezone": job.timezone})
                run.json("import", {"notes": notes, "coordinates": verdict.to_dict(), "duplicates": duplicates})
        workspace.update(job=asdict(job), source=SOURCE, country=options.country, city=label, label=label)
    made = MeasuredJob(workspace, job, report or (lambda step, done, total, message: None))
    made.run("simulation")
    return {
        "workspace": workspace.name, "sensors": len(places), "zones": len(city["zones"]), "readings": len(table),
        "batch": batch, "new": new, "step_s": step_s, "notes": notes, "runs": workspace.describe()["runs"],
    }  # fmt: skip


def _one_table(readings: Sequence[Readings], notes: list[str]) -> pd.DataFrame:
    table = pd.concat([r.table for r in readings], ignore_index=True)
    again = table.duplicated(["sensor_id", "time"], keep=False)
    if again.any():
        merged = table[again].groupby(["sensor_id", "time"], as_index=False, sort=False).last()
        table = pd.concat([table[~again], merged], ignore_index=True)
        notes.append(
            f"{int(again.sum())} row(s) of several files are of one sensor and time: joined, the last file's last"
        )
    return table.sort_values(["sensor_id", "time"], ignore_index=True)


def _one_place_each(readings: Sequence[Readings]) -> pd.DataFrame:
    places = pd.concat([r.places for r in readings], ignore_index=True)
    known = places["lon"].notna() & places["lat"].notna()
    first = places.assign(unknown=~known).sort_values("unknown", kind="stable").drop_duplicates("sensor_id")
    return first.drop(columns="unknown").sort_values("sensor_id", ignore_index=True)


def _city(
    places: pd.DataFrame, options: ImportOptions, order: Sequence[str] | None, notes: list[str]
) -> dict[str, pd.DataFrame]:
    """Tables of the run `city`: zones around sensors, their neighbours, and streets where they were given."""
    from data.readers.polygons import read_polygons
    from zones import adjacency
    from zones.sensor_zones import sensor_zones, weighted_adjacency, zones_from_polygons

    placed = int((places["lon"].notna() & places["lat"].notna()).sum())
    kind = options.zones or ("polygons" if options.polygons else "clusters" if _crowded(placed, options) else "voronoi")
    if kind == "polygons":
        zones, zone_of = zones_from_polygons(read_polygons(Path(str(options.polygons))), places)
    else:
        count = options.zone_count or (min(CLUSTERS, placed) if kind == "clusters" else None)
        zones, zone_of = sensor_zones(places, count=count)
    lost = sorted(set(places["sensor_id"]) - set(zone_of.index))
    if lost:
        notes.append(
            f"{len(lost)} sensor(s) are in no zone, and their readings are kept but not used: {', '.join(lost[:10])}"
        )
    near = adjacency(zones)
    if options.adjacency is not None:
        weights = _matrix(Path(options.adjacency))
        near = weighted_adjacency(weights, list(order) if order else list(places["sensor_id"]), zone_of, zones)
        notes.append(f"neighbours are weighed by {Path(options.adjacency).name}: {len(near)} pairs of zones")
    inside = places[places["sensor_id"].isin(zone_of.index)].reset_index(drop=True)
    sensors = inside.assign(zone_id=inside["sensor_id"].map(zone_of).astype("str"), link_id=-1)
    streets = _streets(options.city, zones, sensors, notes)
    sensors = streets.pop("sensors", sensors)
    return {"zones": zones, "adjacency": near, "sensors": validate(sensors, SENSORS), **streets}


def _crowded(placed: int, options: ImportOptions) -> bool:
    return placed > MOST_OWN_ZONES or options.zone_count is not None


def _streets(
    city: str | None, zones: gpd.GeoDataFrame, sensors: pd.DataFrame, notes: list[str]
) -> dict[str, pd.DataFrame]:
    """Links, nodes and base map: those of a city, or none."""
    if city is None:
        columns = [c for c in LINKS.names if c != "geometry"]
        links = gpd.GeoDataFrame(empty(LINKS, columns=columns), geometry=gpd.GeoSeries([], crs=zones.crs))
        base = gpd.GeoDataFrame({"kind": pd.Series(dtype="str")}, geometry=gpd.GeoSeries([], crs=4326))
        return {"links": links, "nodes": empty(NODES), "basemap": base}
    from data.cities import load_city
    from zones import link_zone
    from zones.map_matching import match_sensors

    source = load_city(city)
    links = source.links.to_crs(zones.crs)
    matched = match_sensors(sensors, links)
    found = matched["link_id"] >= 0
    notes.append(
        f"{int(found.sum())} of {int((sensors['kind'] == 'loop').sum())} loops stand on a street,"
        f" {float(np.nanmedian(matched['distance_m'])) if found.any() else float('nan'):.1f} m away in the middle"
    )
    more = [name for name in matched.columns if name not in ("sensor_id", "link_id")]
    sensors = sensors.assign(
        link_id=matched["link_id"].to_numpy(), **{f"match_{n}": matched[n].to_numpy() for n in more}
    )
    return {
        "links": links, "nodes": source.nodes, "basemap": source.basemap, "link_zone": link_zone(links, zones),
        "sensors": sensors,
    }  # fmt: skip


def _matrix(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"no file {path}; give a CSV of weights, a row and a column for each sensor, without header")
    try:
        return pd.read_csv(path, header=None).to_numpy(dtype=float)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is no matrix of numbers without a header: {str(error).splitlines()[0]}") from error
