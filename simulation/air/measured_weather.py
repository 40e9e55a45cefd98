"""From what a weather station measured to the whole hourly table that the air model needs.

What was measured stays. What is missing is made, in this order, and `filled` says which columns of an hour were:

- wind, temperature: a gap of up to `max_gap_h` hours is bridged linearly, a longer one is an error; the wind's
  direction turns the shorter way round, and that of a calm hour holds on from the hour before (in a calm it hardly
  matters: the plumes meander).
- rain: none.
- cloud, where radiation was measured: the share that leaves this much of the clear-sky radiation (Kasten & Czeplak
  1980, doi:10.1016/0038-092X(80)90391-6), by hours with the sun at least 10 degrees up, bridged through the night.
- cloud, where it was not: from the day's range of temperature, since cloud keeps days cool and nights warm. Radiation
  is 0.16 sqrt(range) of that above the atmosphere (Hargreaves & Samani 1982, as FAO Irrigation and Drainage Paper 56,
  equation 50; 0.16 inland). Angstrom's line of the same paper (equation 35) gives 0.75 of it under a clear sky and
  0.25 under an overcast one, so that a day with the share r of the clear-sky radiation has 1.5 (1 - r) of cloud; a
  line, not Kasten & Czeplak's power, because the cloud of the hours of a day is averaged. FAO warns that single days
  scatter. Rain makes the hour overcast. Without temperature: half covered (assumed).
- radiation: Haurwitz's clear sky (1945), times r where that was found, else under the cloud by Kasten & Czeplak.
- temperature, where none was measured at all: 15 C (assumed).
- mixing height: `simulation.air.weather.mixing_height`, from wind and radiation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.schemas import MEASURED_WEATHER, WEATHER, validate
from simulation.air.errors import WeatherError
from simulation.air.solar import clear_sky_radiation, cloud_of_radiation, cloudy_radiation, sun
from simulation.air.weather import mixing_height

_SIN_10_DEG = 0.1736
#: Radiation over extraterrestrial: per root of the day's range, K^-1/2 (FAO 56, eq. 50); clear and overcast (eq. 35).
_HARGREAVES, _CLEAR_SHARE, _OVERCAST_SHARE = 0.16, 0.75, 0.25
_ASSUMED_CLOUD, _ASSUMED_TEMPERATURE_C = 0.5, 15.0


def complete_weather(measured: pd.DataFrame, latitude: float, longitude: float, *, max_gap_h: int = 6) -> pd.DataFrame:
    """Fill in what a station did not measure.

    Parameters
    ----------
    measured : DataFrame
        Columns of `data.schemas.MEASURED_WEATHER`; only `time` and `wind_speed_mps` must be there. Hours may be left
        out or null.
    latitude, longitude : float
        Degrees north and east.
    max_gap_h : int
        Longest gap in wind or temperature that is bridged, h.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.WEATHER` for every hour from the first to the last wind, and `filled`: the names of
        the columns that were made for that hour, with spaces between.

    Raises
    ------
    SchemaError
        If the table does not follow its schema: a negative wind, say.
    WeatherError
        If a gap is too long, the wind was never measured, the times are not hours, or the place is not on Earth; all
        are named.
    """
    table = _hourly(validate(measured, MEASURED_WEATHER), latitude, longitude)
    full = table.reindex(columns=list(WEATHER.names[1:])).astype("float64")
    given = full.notna()
    faults: list[str] = []
    for name in ("wind_speed_mps", "temperature_c"):
        if given[name].any():
            full[name] = _bridged(full[name], max_gap_h, faults)
    if faults:
        raise WeatherError("weather cannot be completed: " + "; ".join(faults))
    full["temperature_c"] = full["temperature_c"].fillna(_ASSUMED_TEMPERATURE_C)
    full["wind_dir_deg"] = _directions(full["wind_dir_deg"], full["wind_speed_mps"])
    full["precipitation_mm_per_h"] = full["precipitation_mm_per_h"].fillna(0.0)

    seconds = full.index.as_unit("s").asi8 + 1800.0
    cos_zenith = sun(latitude, longitude, seconds)[1]
    cloud = full["cloud_share"].fillna(_cloud_by_radiation(full["radiation_w_per_m2"], cos_zenith))
    clearness = _clearness_by_temperature(full["temperature_c"], given["temperature_c"].any(), seconds, longitude)
    rainy = full["precipitation_mm_per_h"].to_numpy() > 0.0
    guess = np.where(rainy, 1.0, np.clip((1.0 - clearness) / (1.0 - _OVERCAST_SHARE / _CLEAR_SHARE), 0.0, 1.0))
    known = cloud.notna().to_numpy()
    full["cloud_share"] = np.where(known, cloud, guess)
    by_cloud = cloudy_radiation(cos_zenith, full["cloud_share"])
    made = np.where(known | rainy, by_cloud, clear_sky_radiation(cos_zenith) * clearness)
    full["radiation_w_per_m2"] = full["radiation_w_per_m2"].fillna(pd.Series(made, index=full.index))
    full["mixing_height_m"] = full["mixing_height_m"].fillna(_mixing_height(full))
    made_here = (~given).to_numpy()
    names = np.array(full.columns)
    _, pattern, which = np.unique(made_here @ (1 << np.arange(len(names))), return_index=True, return_inverse=True)
    text = np.array([" ".join(names[made_here[row]]) for row in pattern], dtype=object)
    return validate(full.reset_index().assign(filled=text[which]), WEATHER)


def _hourly(table: pd.DataFrame, latitude: float, longitude: float) -> pd.DataFrame:
    """Rows on a whole hourly index, from the first to the last hour with a wind."""
    faults = []
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        faults.append(f"latitude {latitude:g}, longitude {longitude:g} is no point on Earth; give degrees")
    off = (table["time"] != table["time"].dt.floor("h")).to_numpy()
    if off.any():
        faults.append(f"{off.sum()} time(s) are not on the hour, first in row {int(np.flatnonzero(off)[0])}")
    windy = table.loc[table["wind_speed_mps"].notna(), "time"]
    if windy.empty:
        faults.append("the wind was never measured; a wind speed for at least some hours is needed")
    if faults:
        raise WeatherError("weather cannot be completed: " + "; ".join(faults))
    hours = pd.date_range(windy.min(), windy.max(), freq="h", name="time", unit="us")
    return table.set_index("time").reindex(hours)


def _bridged(values: pd.Series, longest: int, faults: list[str]) -> pd.Series:
    """Linear across gaps; the first or last value held before and after them."""
    gap = values.isna().to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gap, [False]]).astype(int)))
    start, stop = edges[::2], edges[1::2]
    for a, b in zip(start[stop - start > longest], stop[stop - start > longest], strict=True):
        faults.append(
            f"'{values.name}' is missing for {b - a} h from {values.index[a]} on; up to {longest} h are bridged: give"
            " those hours, start later, or raise max_gap_h"
        )
    return values.interpolate("linear", limit_direction="both")


def _directions(degrees: pd.Series, speed: pd.Series) -> pd.Series:
    """Directions of every hour: turned the shorter way across gaps, held through calms, west where there is none."""
    calm = (speed == 0.0).to_numpy()
    known = degrees.mask(calm)
    if known.isna().all():
        return degrees.fillna(270.0)
    angle = np.radians(known.to_numpy())
    east, north = (
        pd.Series(f(angle), index=degrees.index).interpolate("linear", limit_direction="both") for f in (np.sin, np.cos)
    )
    turned = np.degrees(np.arctan2(east, north)) % 360.0
    held = known.ffill().bfill()
    return known.where(known.notna(), held.where(pd.Series(calm, index=degrees.index), turned))


def _cloud_by_radiation(radiation: pd.Series, cos_zenith: np.ndarray) -> pd.Series:
    """Cloud share from measured radiation; all null where none was measured."""
    clear = clear_sky_radiation(cos_zenith)
    seen = (cos_zenith > _SIN_10_DEG) & radiation.notna().to_numpy()
    share = np.full(len(radiation), np.nan)
    share[seen] = cloud_of_radiation(radiation.to_numpy()[seen] / clear[seen])
    return pd.Series(share, index=radiation.index).interpolate("linear", limit=18, limit_area="inside")


def _clearness_by_temperature(
    temperature: pd.Series, measured: bool, seconds: np.ndarray, longitude: float
) -> np.ndarray:
    """Share of the clear-sky radiation in each solar day, from its range of temperature."""
    half = 1.0 - _ASSUMED_CLOUD * (1.0 - _OVERCAST_SHARE / _CLEAR_SHARE)
    if not measured:
        return np.full(len(temperature), half)
    day = ((seconds + longitude * 240.0) // 86_400).astype(np.int64)
    by_day = temperature.groupby(day)
    span = (by_day.max() - by_day.min()).where(by_day.count() >= 18)  # a part of a day has a part of the range
    share = (_HARGREAVES * np.sqrt(span) / _CLEAR_SHARE).clip(_OVERCAST_SHARE / _CLEAR_SHARE, 1.0)
    return share.ffill().bfill().fillna(half).reindex(day).to_numpy()


def _mixing_height(full: pd.DataFrame) -> pd.Series:
    """Mixing height of every hour, day by day, the radiation of the day before counting."""
    hour = full.index.hour.to_numpy()
    before, after = int(hour[0]), 23 - int(hour[-1])
    wind, radiation = (
        np.pad(full[name].to_numpy(), (before, after), mode="edge" if name == "wind_speed_mps" else "constant")
        for name in ("wind_speed_mps", "radiation_w_per_m2")
    )
    days = radiation.reshape(-1, 24)
    depth = mixing_height(wind.reshape(-1, 24), days, np.vstack([days[:1], days[:-1]])).ravel()
    return pd.Series(depth[before : len(depth) - after], index=full.index)
