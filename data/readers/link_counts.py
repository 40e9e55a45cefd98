"""Counts and speeds on links, from CSV or Parquet: by `link_id`, or by place and bearing, and by hour of day.

Wanted is the mean weekday: rows with a `time` are local times of day or dates with times, whose Saturdays and Sundays
are left out; several rows of a link and hour are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.errors import FileFormatError
from data.readers.plain_tables import find, open_plain

#: Farthest that a counter with coordinates may lie from its link, m; assumption: a street's width and a map's error.
NEAR_M = 40.0
#: A link that runs otherwise than the counter's bearing by more than this is not meant, degrees; assumption.
TURNED_DEG = 60.0


def read_link_counts(path: Path | str, links: gpd.GeoDataFrame, *, near_m: float = NEAR_M) -> pd.DataFrame:
    """Counts of a mean weekday.

    Parameters
    ----------
    path : Path or str
        Columns `link_id`, or `lon`, `lat` (WGS84 degrees) and `bearing` (of travel, degrees clockwise from north);
        `hour` (0 to 23, local), or `time` ("07:00", or a local date and time); `veh_per_h`.
    links : GeoDataFrame
        Of the city: `link_id`, geometry in a projected coordinate system.
    near_m : float
        Farthest distance of a counter from its link.

    Returns
    -------
    DataFrame
        `link_id`, `hour` (int64), `veh_per_h` (float64), `days` (rows averaged), in order of link and hour.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every fault: columns, values, counters that lie on no link.
    """
    counts = {"veh_per_h": (("veh_per_h", "flow_veh_per_h", "count", "volume"), 1.0)}
    means = _weekday_table(Path(path), links, "counts", counts, near_m).groupby(["link_id", "hour"])["value"]
    found = means.agg(["mean", "size"]).reset_index()
    return found.rename(columns={"mean": "veh_per_h", "size": "days"}).astype({"days": "int64"})


def read_link_speeds(path: Path | str, links: gpd.GeoDataFrame, *, near_m: float = NEAR_M) -> pd.DataFrame:
    """Speeds of a mean weekday: several of a link and hour are averaged by the time that they take (harmonically).

    Parameters
    ----------
    path : Path or str
        As `read_link_counts`, with `speed_kmh`, `speed_mps` or `speed_mph` for `veh_per_h`. A speed of 0 counts as
        nothing measured.
    links : GeoDataFrame
    near_m : float

    Returns
    -------
    DataFrame
        `link_id`, `hour` (int64), `speed_mps` (float64), `days` (rows averaged), in order of link and hour.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every fault.
    """
    speeds = {
        "speed_kmh": (("speed_kmh", "kmh", "speed_km_per_h"), 1 / 3.6),
        "speed_mps": (("speed_mps", "speed_m_per_s"), 1.0),
        "speed_mph": (("speed_mph", "mph"), 0.44704),
    }
    table = _weekday_table(Path(path), links, "speeds", speeds, near_m)
    table = table[table["value"] > 0]
    if table.empty:
        raise FileFormatError(f"{path} holds no speed above 0 of a weekday")
    pace = table.assign(value=1.0 / table["value"]).groupby(["link_id", "hour"])["value"].agg(["mean", "size"])
    found = pace.reset_index().rename(columns={"size": "days"}).astype({"days": "int64"})
    return found.assign(speed_mps=1.0 / found["mean"])[["link_id", "hour", "speed_mps", "days"]]


def _weekday_table(
    path: Path, links: gpd.GeoDataFrame, what: str, values: Mapping[str, tuple[tuple[str, ...], float]], near_m: float
) -> pd.DataFrame:
    """Rows of weekdays: `link_id`, `hour` and `value` in SI; `values` are the names that it may have, with factors."""
    named = " or ".join(values)
    table, faults = open_plain(path, f"{what}: link_id (or lon, lat, bearing), hour (or time), {named}"), list[str]()
    column = {
        ours: find(table, names)
        for ours, names in (
            ("link_id", ("link_id", "link")), ("lon", ("lon", "longitude")), ("lat", ("lat", "latitude")),
            ("bearing", ("bearing", "bearing_deg", "direction_deg")), ("hour", ("hour",)),
            ("time", ("time", "datetime", "timestamp")),
        )
    }  # fmt: skip
    found = {ours: name for ours, (names, _) in values.items() if (name := find(table, names)) is not None}
    placed = all(column[name] is not None for name in ("lon", "lat", "bearing"))
    if column["link_id"] is None and not placed:
        faults.append("no column 'link_id', nor all of 'lon', 'lat' and 'bearing'")
    if column["hour"] is None and column["time"] is None:
        faults.append("no column 'hour' nor 'time'")
    if len(found) != 1:
        faults.append(f"columns {list(found.values())} say the same" if found else f"no column '{named}'")
    if faults:
        raise FileFormatError(f"{path}: " + "; ".join(faults) + f"; it has {list(table.columns)[:20]}")
    ours, theirs = next(iter(found.items()))
    value = _numbers(table, theirs, 0.0, np.inf, faults) * values[ours][1]
    hour, weekday = _hours(table, column["hour"], column["time"], faults)
    if column["link_id"] is not None:
        link = _numbers(table, column["link_id"], 0, np.inf, faults)
        strange = np.isfinite(link) & ~np.isin(link, links["link_id"].to_numpy())
        if strange.any():
            faults.append(
                f"unknown link_id {sorted(set(link[strange].tolist()))[:5]}; the city's are 0 to {len(links) - 1}"
            )
    else:
        place = [
            _numbers(table, column[name], low, high, faults)
            for name, low, high in (("lon", -180, 180), ("lat", -90, 90), ("bearing", -360, 360))
        ]
        link = np.zeros(len(table))
        if not faults:
            link = _matched(place[0], place[1], place[2], links, near_m, faults)
    if faults:
        raise FileFormatError(f"{path} has {len(faults)} fault(s): " + "; ".join(faults))
    whole = pd.DataFrame({"link_id": link.astype(np.int64), "hour": hour.astype(np.int64), "value": value})[weekday]
    if whole.empty:
        raise FileFormatError(f"{path} holds no row of a weekday; Saturdays and Sundays are left out")
    return whole


def _numbers(table: pd.DataFrame, name: str | None, low: float, high: float, faults: list[str]) -> np.ndarray:
    assert name is not None
    value: np.ndarray = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(value) & (value >= low) & (value <= high))
    if bad.any():
        where = np.flatnonzero(bad)[:5].tolist()
        faults.append(
            f"column '{name}' must hold numbers from {low:g} to {high:g}; rows {where} have"
            f" {table[name].iloc[where].tolist()} ({bad.sum()} such rows)"
        )
    return value


def _hours(table: pd.DataFrame, hour: str | None, time: str | None, faults: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Hour of day of each row, and whether it is of a weekday or of no date."""
    always = np.ones(len(table), dtype=bool)
    if hour is not None:
        value = _numbers(table, hour, 0, 23, faults)
        if (np.isfinite(value) & (value != np.floor(value))).any():
            faults.append(f"column '{hour}' must hold whole hours, 0 to 23")
        return np.nan_to_num(value), always
    assert time is not None
    text = table[time].astype("str").str.strip()
    clock = text.str.extract(r"^(\d{1,2}):\d{2}(?::\d{2})?$")[0].astype("float64").to_numpy()
    dated = pd.to_datetime(text.where(np.isnan(clock)), errors="coerce", format="mixed")
    value = np.where(np.isnan(clock), dated.dt.hour.to_numpy(float), clock)
    bad = ~(np.isfinite(value) & (value < 24))
    if bad.any():
        faults.append(
            f"column '{time}' must hold times like 07:00 or 2026-01-27 07:00 (local); found"
            f" {text[bad].head(5).tolist()} ({bad.sum()} such rows)"
        )
    return np.nan_to_num(value), always & ~(dated.dt.dayofweek >= 5).to_numpy()


def _matched(
    lon: np.ndarray, lat: np.ndarray, bearing: np.ndarray, links: gpd.GeoDataFrame, near_m: float, faults: list[str]
) -> np.ndarray:
    """The nearest link that runs the counter's way."""
    points = gpd.GeoSeries(gpd.points_from_xy(lon, lat), crs="EPSG:4326").to_crs(links.crs).to_numpy()
    lines = links.geometry.to_numpy()
    who, which = shapely.STRtree(lines).query(points, predicate="dwithin", distance=near_m)
    at = shapely.line_locate_point(lines[which], points[who])
    ends = [shapely.line_interpolate_point(lines[which], np.maximum(at + step, 0.0)) for step in (-5.0, 5.0)]
    dx, dy = (f(ends[1]) - f(ends[0]) for f in (shapely.get_x, shapely.get_y))
    off = np.abs((np.degrees(np.arctan2(dx, dy)) - bearing[who] + 180.0) % 360.0 - 180.0)
    table = pd.DataFrame(
        {"who": who, "link": links["link_id"].to_numpy()[which], "far": shapely.distance(points[who], lines[which])}
    )
    table = table[off <= TURNED_DEG].sort_values(["who", "far", "link"]).drop_duplicates("who").set_index("who")
    lost = np.setdiff1d(np.arange(lon.size), table.index)
    if lost.size:
        faults.append(
            f"{lost.size} row(s) lie on no link within {near_m:g} m that runs their bearing, e.g. rows"
            f" {lost[:5].tolist()}"
        )
    return np.asarray(table["link"].reindex(np.arange(lon.size)).fillna(0), dtype=float)
