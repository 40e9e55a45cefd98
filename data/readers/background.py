"""The regional background, hour by hour, from a table in CSV or Parquet: what the wind brings into the city.

A station out in the country on the windward side, or a regional model's series for a point outside of the city.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data.errors import SchemaError
from data.readers.hourly_tables import Faults, OnFault, numbers, open_table, repeated, utc_hours, within
from data.readers.stations import pollutant_name
from data.schemas import STATION_POLLUTANTS

log = logging.getLogger(__name__)
#: What the air model is told of the air that flows in, ug/m3 (NOx as NO2; gases at 293 K).
BACKGROUND_SPECIES = ("nox", "no2", "o3", "pm25", "pm10")
#: The second of each pair holds the first: it is raised to it where two instruments say otherwise.
_WITHIN = (("no2", "nox"), ("pm25", "pm10"))


def read_background(
    path: Path | str,
    *,
    timezone: str,
    missing: Sequence[float | str] = (),
    max_gap_h: int = 6,
    on_fault: OnFault = "raise",
) -> pd.DataFrame:
    """Read hourly concentrations of the air that flows in.

    Parameters
    ----------
    path : Path or str
        `.csv`, `.csv.gz` or `.parquet`, one row an hour, in any order: `time` (or `year`, `month`, `day`, `hour`) and
        a column for each of `BACKGROUND_SPECIES`, by its usual name (PM2.5, NOx) or ours (`pm25`, `nox_ug_per_m3`),
        in ug/m3, NOx as NO2. Other columns are passed over.
    timezone : str
        IANA zone of times that carry none, as `data.readers.weather.read_weather`.
    missing : sequence, optional
        Codes for a gap besides an empty cell and NA.
    max_gap_h : int
        Longest gap that is bridged linearly, h.
    on_fault : {"raise", "missing"}
        What becomes of negative, absurd or unreadable values: an error that names them all, or gaps with a warning.

    Returns
    -------
    DataFrame
        `time` (UTC, every hour from the first to the last) and `BACKGROUND_SPECIES`, without gaps. NOx is at least
        NO2, and PM10 at least PM2.5.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If the file is damaged or of another format.
    SchemaError
        With every fault and its rows: columns that lack or come twice, times that cannot be read, repeat or are not
        hours, negative or absurd values, longer gaps.
    """
    faults = Faults(f"background {path}", on_fault)
    table = open_table(path, "hourly background concentrations")
    found = [(name, own) for name in table.columns if (own := pollutant_name(str(name))) in BACKGROUND_SPECIES]
    named = [own for _, own in found]
    lacking = [name for name in BACKGROUND_SPECIES if name not in named]
    if lacking:
        faults.add(
            f"no column of {lacking}; all of {list(BACKGROUND_SPECIES)} are needed, ug/m3; found"
            f" {list(map(str, table.columns))}"
        )
    if len(set(named)) < len(named):
        faults.add(f"columns {[str(name) for name, _ in found]} name a pollutant twice; drop the others")
    time = utc_hours(table, timezone, faults)
    read = {
        own: within(numbers(table[name], missing, faults), 0.0, STATION_POLLUTANTS[own], f"ug/m3 of {own}", faults)
        for name, own in found
        if own is not None
    }
    if time is not None:
        repeated(pd.DataFrame({"time": time}), ["time"], faults)
    faults.check()
    assert time is not None
    given = pd.DataFrame({"time": time, **read}).set_index("time").sort_index()[list(BACKGROUND_SPECIES)]
    hours = pd.date_range(given.index[0], given.index[-1], freq="h", name="time", unit="us")
    whole = _bridged(given.reindex(hours), max_gap_h, f"background {path}")
    for part, sum_of in _WITHIN:
        below = whole[sum_of] < whole[part]
        if below.any():
            log.warning("background %s: '%s' is below '%s' in %d hours; raised to it", path, sum_of, part, below.sum())
            whole[sum_of] = whole[sum_of].mask(below, whole[part])
    return whole.reset_index()


def _bridged(table: pd.DataFrame, longest: int, source: str) -> pd.DataFrame:
    """Without gaps; those that are too long are all named."""
    faults = []
    for name in table.columns:
        gap = table[name].isna()
        start = gap & ~gap.shift(fill_value=False)
        length = gap.groupby(start.cumsum()).sum()[1:]
        first = table.index[start]
        faults += [
            f"'{name}' is missing for {hours} h from {at} on; up to {longest} h are bridged: give those hours"
            for at, hours in zip(first, length)
            if hours > longest
        ]
    if faults:
        raise SchemaError(source, faults)
    return table.interpolate("linear", limit_direction="both")
