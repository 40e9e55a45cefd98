"""The step `calibration`: measured air puts the background right before the simulation, in a run of its own.

The city lives once with the background as it is, over days that the stations measured; `calibrate_background` compares
what they measured with what the model has there; the simulation then runs with the corrected background. All that it
was made from and all that it changed is in the run: `calibration` (the correction), `changed`, `check` (errors before
and after, where it was not fitted), `modelled`, `observed`. A job without stations never reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from app.air_inputs import coverage, job_background, job_stations, job_weather, local_start
from app.job_spec import JobSpec
from data.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.store.runs import RunStore
    from simulation.air.calibration import Calibration
    from simulation.city import City

#: Days of measured air that a calibration needs at least (as `simulation.air.calibration_pairs`), and that it takes at
#: most where it does not take the run's own days.
FEWEST_DAYS, MOST_DAYS = 7, 28
_DAY = pd.Timedelta(days=1)


def air_of(
    spec: JobSpec, city: City, begin: pd.Timestamp, days: float, calibration: Calibration | None = None
) -> dict[str, pd.DataFrame | None]:
    """`weather` and `background` for `City.run` of `days` from `begin` on; None where the run makes its own.

    With a calibration the background is always a table: the file's or the synthetic one that the run would have made,
    corrected.
    """
    weather = job_weather(spec, city, begin, days)
    background = job_background(spec, city, begin, days)
    if calibration is None:
        return {"weather": weather, "background": background}
    if background is None:
        weather, background = _synthetic(spec, city, begin, days, weather)
    return {"weather": weather, "background": calibration.apply(background)}


def calibrate(
    spec: JobSpec, city: City, progress: Callable[[float, float, str], Any]
) -> tuple[Calibration, dict[str, pd.DataFrame], dict[str, Any]]:
    """Run the city over days that its stations measured, and fit the correction of the background.

    Returns
    -------
    calibration : Calibration
    tables : dict
        `modelled` and `observed`, `data.schemas.STATION_AIR`.
    told : dict
        The days, the stations, those left out, and the pollutants left as they were.

    Raises
    ------
    InputError
        If the files share no seven days.
    AirError
        If too few hours of a pollutant are measured.
    RunError
        If no station stands in the city.
    """
    from simulation.air.calibration import calibrate_background
    from simulation.air_stations import StationLog

    observed, places = job_stations(spec, city)
    stations = StationLog(city, places)
    begin, days = calibration_days(spec, city, observed["time"])
    weather, background = job_weather(spec, city, begin, days), job_background(spec, city, begin, days)
    if background is None:
        weather, background = _synthetic(spec, city, begin, days, weather)
    city.run(
        days=days, seed=spec.seed, start=begin, step_s=float(spec.step_s), incidents_per_day=spec.incidents_per_day,
        weather=weather, background=background, processes=[stations.process], progress=progress,
    )  # fmt: skip
    modelled = stations.table()
    measured = observed[observed["time"].isin(set(modelled["time"]))].reset_index(drop=True)
    held = set(measured.columns[measured.notna().any()])
    calibration = calibrate_background(background, modelled, measured[[c for c in measured.columns if c in held]])
    names = sorted(set(modelled["station_id"]) & set(measured["station_id"]))
    told = {
        "start": begin.isoformat(), "days": days, "stations": names, "stations_outside": list(stations.outside),
        "pollutants_left": list(calibration.left_out), "weather": "synthetic" if spec.weather is None else "measured",
    }  # fmt: skip
    return calibration, {"modelled": modelled, "observed": measured}, told


def stored_calibration(runs: RunStore, run: str) -> Calibration:
    """The calibration of a finished `calibration` run."""
    from simulation.air.calibration import Calibration

    return Calibration(
        table=runs.read(run, "calibration"), changed=runs.read(run, "changed"), check=runs.read(run, "check"),
        left_out=tuple(runs.read_json(run, "calibration")["pollutants_left"]),
    )  # fmt: skip


def calibration_days(spec: JobSpec, city: City, measured: pd.Series) -> tuple[pd.Timestamp, int]:
    """First local midnight, UTC, and number of days to calibrate over.

    The run's own days where the stations measured seven of them; else the last four weeks, at most, that stations,
    weather and background share.
    """
    first, end = measured.min(), measured.max() + pd.Timedelta(hours=1)
    begin = local_start(spec.start, city.timezone)
    own = _whole_days(max(first, begin), min(end, begin + spec.days * _DAY), city.timezone)
    if own is not None and own[1] >= FEWEST_DAYS:
        return own
    held = coverage(spec, city)
    for since, last in held.values():
        first, end = max(first, since), min(end, last + pd.Timedelta(hours=1))
    shared = _whole_days(max(first, end - MOST_DAYS * _DAY), end, city.timezone)
    if shared is None or shared[1] < FEWEST_DAYS:
        local = {"stations": (measured.min(), measured.max()), **held}
        spans = "; ".join(
            f"{what} {a.tz_convert(city.timezone):%Y-%m-%d} to {b.tz_convert(city.timezone):%Y-%m-%d}"
            for what, (a, b) in local.items()
        )
        raise InputError(
            f"the background cannot be calibrated: {FEWEST_DAYS} whole days in a row that all files cover are needed;"
            f" found {spans}"
        )
    return shared


def _whole_days(first: pd.Timestamp, end: pd.Timestamp, timezone: str) -> tuple[pd.Timestamp, int] | None:
    """Local midnights within a span: the first, UTC, and the days of 24 h from it on."""
    midnight = first.tz_convert(timezone).ceil("D").tz_convert("UTC")
    days = (end - midnight) // _DAY
    return (midnight, int(days)) if days >= 1 else None


def _synthetic(
    spec: JobSpec, city: City, begin: pd.Timestamp, days: float, weather: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weather and background as `City.run` makes them where it is given none."""
    from simulation.air.background import synthetic_background
    from simulation.air.weather import synthetic_weather

    if weather is None:
        weather = synthetic_weather(city.latitude, begin, int(days) + 2, spec.seed, longitude=city.longitude)
    longitude = float(city.zones["lon"].mean())
    return weather, synthetic_background(weather, seed=spec.seed, latitude=city.latitude, longitude=longitude)
