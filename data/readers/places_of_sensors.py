"""Where sensors stand: places read, and coordinates that cannot be right found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.readers.hourly_tables import Faults
from data.readers.plain_tables import find, names_of, open_plain, plain_numbers
from data.schemas import SENSOR_PLACES, validate

_IDS = ("sensor_id", "sensor", "id", "station_id", "station", "detector_id", "detector")
_LON = ("lon", "longitude", "lng", "long", "x")
_LAT = ("lat", "latitude", "y")
_NAME = ("name", "location", "label", "title")
#: A place is taken as an error when it is this many times farther from the median place than half of the others are,
#: and at least this far, m (assumed).
_FAR_TIMES, _FAR_M = 15.0, 20_000.0
_M_PER_DEG = 111_195.0  # spherical Earth of 6,371 km


def read_places(path: Path | str, *, kind: str = "loop", columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read where sensors stand.

    Parameters
    ----------
    path : Path or str
        A table with the sensor's id, `lat` and `lon` in degrees, under any usual name and in any order; further columns
        `name`, `bearing_deg`, `lanes`, `road_class` are kept.
    kind : {"loop", "air", "foot"}
    columns : mapping of str to str, optional
        Our column to the file's.

    Returns
    -------
    DataFrame
        `data.schemas.SENSOR_PLACES`, coordinates as given: see `checked_places`.

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    faults = Faults(f"places of sensors {path}")
    table = open_plain(path, "places of sensors", text=_IDS)
    chosen = {
        ours: (columns or {}).get(ours) or find(table, names)
        for ours, names in (("sensor_id", _IDS), ("lon", _LON), ("lat", _LAT), ("name", _NAME))
    }
    for ours, theirs in chosen.items():
        if ours != "name" and (theirs is None or theirs not in table):
            faults.add(f"missing column '{ours}'; found {list(table.columns)}")
    faults.check()
    out = pd.DataFrame(
        {
            "sensor_id": names_of(table[chosen["sensor_id"]]),
            "kind": kind,
            "name": names_of(table[chosen["name"] or chosen["sensor_id"]]),
            "lon": plain_numbers(table[chosen["lon"]], faults),
            "lat": plain_numbers(table[chosen["lat"]], faults),
        }
    )
    for name in ("bearing_deg", "lanes", "road_class"):
        theirs = (columns or {}).get(name, name)
        if theirs in table:
            out[name] = names_of(table[theirs]) if name == "road_class" else plain_numbers(table[theirs], faults)
    again = out["sensor_id"].duplicated()
    if again.any():
        faults.add(f"sensor(s) {sorted(set(out.loc[again, 'sensor_id']))[:10]} have several places; keep one each")
    faults.check()
    return validate(out, SENSOR_PLACES)


def no_places(sensors: Sequence[str], kind: str) -> pd.DataFrame:
    """Sensors of which no one said where they stand."""
    ids = pd.Series(list(sensors), dtype="str")
    return pd.DataFrame({"sensor_id": ids, "kind": kind, "name": ids, "lon": np.nan, "lat": np.nan})


def checked_places(places: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Coordinates held against each other.

    Parameters
    ----------
    places : DataFrame
        `lon`, `lat`, degrees.

    Returns
    -------
    places : DataFrame
        The same rows; swapped coordinates put right, others that cannot be right null.
    verdict : Series of str
        `ok`, `swapped` (latitude and longitude exchanged; put right), `null_island` (0, 0), `outside` (no point on
        Earth), `far` (alone, far from all others), `missing`.
    """
    lon, lat = places["lon"].to_numpy(dtype=float).copy(), places["lat"].to_numpy(dtype=float).copy()
    verdict = np.full(len(places), "ok", dtype=object)
    verdict[~np.isfinite(lon) | ~np.isfinite(lat)] = "missing"
    verdict[(np.abs(lon) < 1e-6) & (np.abs(lat) < 1e-6)] = "null_island"
    with np.errstate(invalid="ignore"):
        outside = (np.abs(lat) > 90.0) | (np.abs(lon) > 180.0)
    # a latitude beyond 90 that is a possible longitude, beside a possible latitude
    turned = outside & (np.abs(lat) <= 180.0) & (np.abs(lon) <= 90.0) & (verdict == "ok")
    verdict[outside & ~turned & (verdict == "ok")] = "outside"
    usable = (verdict == "ok") & ~turned
    if usable.sum() >= 3:
        middle = np.median(lon[usable]), np.median(lat[usable])
        here, there = _distance(lon, lat, *middle), _distance(lat, lon, *middle)
        reach = max(_FAR_M, _FAR_TIMES * float(np.median(here[usable])))
        swapped = usable & (here > reach) & (there <= reach)
        verdict[usable & (here > reach) & ~swapped] = "far"
        turned = (turned & (there <= reach)) | swapped
        verdict[outside & ~turned & (verdict == "ok")] = "outside"
    lon[turned], lat[turned] = lat[turned], lon[turned]
    verdict[turned] = "swapped"
    bad = ~np.isin(verdict, ["ok", "swapped"])
    lon[bad], lat[bad] = np.nan, np.nan
    return places.assign(lon=lon, lat=lat), pd.Series(verdict, index=places["sensor_id"], dtype="str")


def _distance(lon: np.ndarray, lat: np.ndarray, lon0: float, lat0: float) -> np.ndarray:
    """Metres on the sphere (haversine)."""
    with np.errstate(invalid="ignore"):
        a, b = np.radians(lat), np.radians(lat0)
        s = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.radians(lon - lon0) / 2) ** 2
        return np.asarray(2 * np.degrees(np.arcsin(np.sqrt(np.clip(s, 0.0, 1.0)))) * _M_PER_DEG)
