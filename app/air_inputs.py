"""What a job's air is told: measured weather and background, air stations, a fleet; read, completed, cut to the days.

Each function returns what `City.run` takes, or None where the job names no file and the synthetic one is meant.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from app.job_spec import JobSpec
from data.errors import InputError

if TYPE_CHECKING:
    from simulation.air.fleet import Fleet
    from simulation.city import City

log = logging.getLogger(__name__)
_FEWEST_DAYS = 9  # that a job can live: eight and the live one
_DAY, _HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)


def read_city_fleet(spec: JobSpec) -> Fleet | None:
    """The fleet of the job; None for the default one.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        As `data.readers.fleet.read_fleet`.
    FleetError
        If shares of a class do not sum to one, or a vehicle is unknown; all faults are named.
    """
    if spec.fleet is None:
        return None
    from data.readers.fleet import read_fleet
    from simulation.air.fleet import Fleet

    return Fleet.from_table(read_fleet(spec.fleet))


def job_weather(spec: JobSpec, city: City, begin: pd.Timestamp, days: float) -> pd.DataFrame | None:
    """Hourly weather of `days` from `begin` on, completed where the station measured less than is needed.

    A day before and after is read along where it is there, so that a gap far away is no fault of this run.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        As `data.readers.weather.read_weather`, or if the file does not cover the days; the text says what it covers.
    WeatherError
        If a gap in wind or temperature is too long to be bridged.
    """
    if spec.weather is None:
        return None
    from simulation.air.measured_weather import complete_weather

    measured = _measured_weather(spec, city)
    windy = measured.loc[measured["wind_speed_mps"].notna(), "time"]
    _check_cover(windy, begin, days, spec.weather, "weather", city.timezone)
    near = measured[measured["time"].between(begin - _DAY, begin + (days + 1) * _DAY, inclusive="left")]
    weather = complete_weather(near.reset_index(drop=True), city.latitude, city.longitude)
    made = {name for row in weather["filled"] for name in row.split()}
    if made:
        log.info("weather %s: some hours of %s were not measured and are filled in", spec.weather, sorted(made))
    return weather


def job_background(spec: JobSpec, city: City, begin: pd.Timestamp, days: float) -> pd.DataFrame | None:
    """Hourly background of `days` from `begin` on, as measured.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        As `data.readers.background.read_background`, or if the file does not cover the days.
    """
    if spec.background is None:
        return None
    table = _whole_background(spec, city)
    _check_cover(table["time"], begin, days, spec.background, "background", city.timezone)
    near = table["time"].between(begin.floor("h"), begin + days * _DAY, inclusive="left")
    return table[near].reset_index(drop=True)


def job_stations(spec: JobSpec, city: City) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measured air (`data.schemas.STATION_AIR`) and places (`AIR_STATIONS`) of the job's stations.

    Without a file of places, the stations are those of the city: `station_id` is then a `sensor_id` of it.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        As `data.readers.stations.read_station_air`.
    """
    from data.readers.stations import read_station_air, read_stations

    assert spec.stations is not None
    if spec.station_places is not None:
        places = read_stations(spec.station_places)
    else:
        air = city.sensors[city.sensors["kind"] == "air"]
        places = air.rename(columns={"sensor_id": "station_id"})[["station_id", "lon", "lat"]].reset_index(drop=True)
    observed = read_station_air(
        spec.stations,
        timezone=_zone(spec, city),
        stations=places,
        missing=codes(spec.missing),
        on_fault=_on_fault(spec),
    )
    return observed, places[places["station_id"].isin(set(observed["station_id"]))].reset_index(drop=True)


def coverage(spec: JobSpec, city: City) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last hour of each hourly file that the job names, UTC, by what it holds."""
    found = {}
    if spec.weather is not None:
        measured = _measured_weather(spec, city)
        windy = measured.loc[measured["wind_speed_mps"].notna(), "time"]
        found["weather"] = (windy.min(), windy.max())
    if spec.background is not None:
        times = _whole_background(spec, city)["time"]
        found["background"] = (times.min(), times.max())
    return found


def local_start(text: str, timezone: str) -> pd.Timestamp:
    """A local date or time, UTC.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return pd.Timestamp(text).tz_localize(timezone).tz_convert("UTC")
    except (ValueError, TypeError) as error:
        raise InputError(f"start={text!r} is no date of this city; give one like 2026-01-26") from error


def pairs(text: str | None, option: str) -> dict[str, str]:
    """`"a=b,c=d"` as a mapping.

    Raises
    ------
    InputError
        If it is of another form.
    """
    if text is None:
        return {}
    split = [part.split("=", 1) for part in text.split(",")]
    wrong = [",".join(part) for part in split if len(part) != 2 or not all(side.strip() for side in part)]
    if wrong:
        raise InputError(f"{option}: {wrong} is not of the form ours=theirs, e.g. wind_speed_mps=WSPM,wind_dir_deg=wd")
    return {ours.strip(): theirs.strip() for ours, theirs in split}


def codes(text: str | None) -> list[float | str]:
    """`"-999,n/a"` as codes: numbers where they are numbers."""
    found: list[float | str] = []
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        try:
            found.append(float(part))
        except ValueError:
            found.append(part)
    return found


def _measured_weather(spec: JobSpec, city: City) -> pd.DataFrame:
    """The whole weather file, gaps null."""
    from data.readers.weather import read_weather

    assert spec.weather is not None
    return read_weather(
        spec.weather, timezone=_zone(spec, city), missing=codes(spec.missing), on_fault=_on_fault(spec),
        columns=pairs(spec.weather_columns, "--weather-columns") or _known_columns(spec.weather),
        units=pairs(spec.weather_units, "--weather-units"),
    )  # fmt: skip


def _whole_background(spec: JobSpec, city: City) -> pd.DataFrame:
    from data.readers.background import read_background

    assert spec.background is not None
    return read_background(
        spec.background, timezone=_zone(spec, city), missing=codes(spec.missing), on_fault=_on_fault(spec)
    )


def _on_fault(spec: JobSpec) -> Literal["raise", "missing"]:
    return "missing" if spec.on_fault == "missing" else "raise"


def _zone(spec: JobSpec, city: City) -> str:
    return spec.timezone or city.timezone


def _known_columns(path: str) -> Mapping[str, str]:
    """Names of the Beijing files where a table uses them, else ours."""
    from data.readers.hourly_tables import open_table
    from data.readers.weather import BEIJING_WEATHER

    found = set(map(str, open_table(Path(path), "hourly weather").columns))
    return BEIJING_WEATHER if "wind_speed_mps" not in found and set(BEIJING_WEATHER.values()) <= found else {}


def _check_cover(times: pd.Series, begin: pd.Timestamp, days: float, path: str, what: str, timezone: str) -> None:
    first, end = times.min(), times.max() + _HOUR
    until = begin + days * _DAY
    if first <= begin.floor("h") and until <= end:
        return
    told = [f"{moment.tz_convert(timezone):%Y-%m-%d %H:%M}" for moment in (first, end, begin, until)]
    earliest = first.tz_convert(timezone).ceil("D")
    latest = (end - days * _DAY).tz_convert(timezone).floor("D")
    if earliest <= latest:
        cure = f"choose --start from {earliest:%Y-%m-%d} to {latest:%Y-%m-%d}, or give a file of those days"
    elif (whole := (end - earliest) // _DAY) >= _FEWEST_DAYS:
        cure = f"choose --start {earliest:%Y-%m-%d} and fewer --days (it holds {whole} whole ones), or a longer file"
    else:
        cure = f"give a file of at least {_FEWEST_DAYS} days"
    raise InputError(
        f"the {what} of {path} covers {told[0]} to {told[1]} ({timezone}), the run needs {told[2]} to {told[3]}; {cure}"
    )
