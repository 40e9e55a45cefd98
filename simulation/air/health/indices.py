"""Air-quality indices: the European one (EAQI) and the US AQI, from bands that stand in a table with their sources.

Concentrations are given in ug/m3 (gases at 20 deg C and 1 atm); where an index is defined in ppb or ppm they are
converted here. Each pollutant has an averaging time of its own (`averaging_hours`): the current EAQI takes hourly
values of all, the US AQI 24-hour means of particles, the 8-hour (and, from 0.125 ppm, also the 1-hour) mean of ozone
and the 1-hour mean of NO2. Whoever calls hands over means of that length; `health.standards` makes them.

The overall index is that of the worst pollutant. A missing value has no index: level 0, value NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from simulation.air.chemistry import REFERENCE_TEMPERATURE_K, ug_per_ppb
from simulation.air.errors import AirError

INDICES: tuple[str, ...] = ("eaqi", "eaqi_before_2024", "us_aqi")
NO_INDEX_COLOUR = "#adadad"  # grey, as the EEA shows stations without data (assumed shade)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of an index: 1 is best, 6 worst. `index_low`, `index_high` are NaN where an index has only levels."""

    level: int
    name: str
    colour: str
    index_low: float
    index_high: float


@dataclass(frozen=True, slots=True)
class Scale:
    """Bands of one pollutant: level k reaches up to and including `upper[k - 1]`; NaN where that level is not defined.

    `step` is the resolution to which a value is truncated before it is looked up, 0 where it is not truncated.
    """

    index: str
    pollutant: str
    averaging_h: int
    unit: str
    step: float
    low: float
    upper: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Overall:
    """Worst pollutant of each place and time: arrays of the concentrations' shape."""

    index: str
    pollutants: tuple[str, ...]
    level: np.ndarray  # int8, 0 where no pollutant has a value
    value: np.ndarray  # the index's number (US AQI), or the level again; NaN where none
    decides: np.ndarray  # int8, position in `pollutants` of the one that decides (the first of equals), -1 where none

    def deciding(self) -> np.ndarray:
        """Name of the deciding pollutant, "" where there is none; object array."""
        return np.array([*self.pollutants, ""], dtype=object)[self.decides]


def levels(index: str) -> tuple[Level, ...]:
    """The six levels of an index with their official names and colours.

    Raises
    ------
    AirError
        If there is no such index.
    """
    table = _table("levels")
    rows = table[table["index"] == ("eaqi" if _known(index) == "eaqi_before_2024" else index)]
    return tuple(
        Level(int(level), str(name), str(colour), float(low), float(high))
        for level, name, colour, low, high in rows[["level", "name", "colour", "index_low", "index_high"]].itertuples(
            index=False
        )
    )


@cache
def scales(index: str) -> tuple[Scale, ...]:
    """Bands of every pollutant of an index; ozone of the US AQI has two, by averaging time.

    Raises
    ------
    AirError
        If there is no such index.
    """
    table = _table("bands")
    rows = table[table["index"] == _known(index)].to_dict("records")
    return tuple(
        Scale(
            index, str(row["pollutant"]), int(row["averaging_h"]), str(row["unit"]),
            0.0 if pd.isna(row["step"]) else float(row["step"]), float(row["low"]),
            tuple(float(row[f"upper_{k}"]) for k in range(1, 7)), str(row["source"]),
        )
        for row in rows
    )  # fmt: skip


def averaging_hours(index: str, pollutant: str) -> tuple[int, ...]:
    """Lengths of the means that a pollutant's bands are for, h, longest first: (8, 1) for ozone in the US AQI.

    Raises
    ------
    AirError
        If the index or the pollutant is not known.
    """
    return tuple(sorted((scale.averaging_h for scale in _of(index, pollutant)), reverse=True))


def level_of(values: np.ndarray, pollutant: str, *, index: str = "eaqi", averaging_h: int | None = None) -> np.ndarray:
    """Level of each value, 1 (best) to 6; 0 where the value is missing or the index says nothing.

    Parameters
    ----------
    values : ndarray
        Means over the pollutant's averaging time, ug/m3.
    pollutant : str
        `no2`, `o3`, `pm25`, `pm10` or (EAQI) `so2`.
    index : str
        One of `INDICES`.
    averaging_h : int, optional
        Which bands where a pollutant has several; the longest if left out.

    Returns
    -------
    ndarray of int8
        A value equal to a bound belongs to the better level.

    Raises
    ------
    AirError
        If the index, the pollutant or its averaging time is not known, or values are negative or infinite.
    """
    scale = _pick(index, pollutant, averaging_h)
    bounds, shift = _bounds(scale)
    looked_up = _resolved(values, scale)
    level = np.searchsorted(bounds, looked_up, side="left").astype(np.int8)
    level = np.minimum(level + np.int8(shift), np.int8(6))
    nothing = np.isnan(looked_up) | (looked_up < scale.low - 1e-9)
    if np.isnan(scale.upper[5]) and scale.step:
        level = np.minimum(level, np.int8(5))  # 8-hour ozone: the bands end at level 5
    return np.where(nothing, np.int8(0), level)


def us_aqi(
    values: np.ndarray, pollutant: str, *, averaging_h: int | None = None, rounded: bool = True,
    temperature_k: float = REFERENCE_TEMPERATURE_K,
) -> np.ndarray:  # fmt: skip
    """US AQI of one pollutant: linear between the ends of a band, on the truncated concentration.

    Parameters
    ----------
    values : ndarray
        Means over the pollutant's averaging time, ug/m3.
    pollutant : str
        `no2`, `o3`, `pm25` or `pm10`.
    averaging_h : int, optional
        8 or 1 for ozone; 8 if left out.
    rounded : bool
        To the nearest whole number (halves up), as it is published.
    temperature_k : float
        At which ug/m3 and ppb are related; 293.15 as in EU reporting.

    Returns
    -------
    ndarray of float
        NaN where the value is missing, and for 1-hour ozone below 0.125 ppm. Above the last breakpoint the line of
        the last band goes on beyond 500 (EPA-454/B-24-002); 8-hour ozone stays at 300, as only 1-hour means define
        more.

    Raises
    ------
    AirError
        As `level_of`.
    """
    scale = _pick("us_aqi", pollutant, averaging_h)
    c = _resolved(values, scale, temperature_k)
    upper = np.array([bound for bound in scale.upper if not np.isnan(bound)])
    first = int(np.isnan(scale.upper[0])) * 2  # 1-hour ozone starts with level 3
    ends = [(level.index_low, level.index_high) for level in levels("us_aqi")][first : first + len(upper)]
    lower = np.concatenate([[scale.low], upper[:-1] + scale.step])
    low, high = (np.array(side) for side in zip(*ends, strict=True))
    with np.errstate(invalid="ignore"):
        band = np.minimum(np.searchsorted(upper, c - 1e-9, side="left"), len(upper) - 1)
        value = low[band] + (high - low)[band] / (upper - lower)[band] * (c - lower[band])
        value = np.where(c < scale.low - 1e-9, np.nan, value)
        if np.isnan(scale.upper[5]):
            value = np.minimum(value, 300.0)
        return np.floor(value + 0.5) if rounded else value


def overall(
    concentrations: Mapping[str, np.ndarray], *, index: str = "eaqi", one_hour_ozone: np.ndarray | None = None
) -> Overall:
    """The worst pollutant's level of each place and time.

    Parameters
    ----------
    concentrations : mapping of str to ndarray
        Pollutant to means over its averaging time, ug/m3, all of one shape (or broadcasting).
    index : str
        One of `INDICES`.
    one_hour_ozone : ndarray, optional
        For the US AQI: 1-hour means (or their daily maximum); ozone's index is then the greater of both.

    Returns
    -------
    Overall

    Raises
    ------
    AirError
        If nothing is given, a pollutant is not part of the index, or values are negative or infinite.
    """
    if not concentrations:
        raise AirError(f"no pollutant given for index {index!r}; allowed: {_pollutants(index)}")
    unknown = [name for name in concentrations if name not in _pollutants(index)]
    if unknown:
        raise AirError(f"pollutant(s) {unknown} are not part of index {index!r}; allowed: {_pollutants(index)}")
    names = tuple(concentrations)
    arrays = np.broadcast_arrays(*(np.asarray(concentrations[name], dtype=float) for name in names))
    single: list[np.ndarray] = []
    for name, values in zip(names, arrays, strict=True):
        if index != "us_aqi":
            single.append(level_of(values, name, index=index).astype(float))
            continue
        value = us_aqi(values, name)
        if name == "o3" and one_hour_ozone is not None:
            value = np.fmax(value, us_aqi(one_hour_ozone, name, averaging_h=1))
        single.append(np.nan_to_num(value, nan=-1.0))
    stacked = np.stack(single)
    decides = stacked.argmax(axis=0).astype(np.int8)
    worst = stacked.max(axis=0)
    known = worst >= 0 if index == "us_aqi" else worst > 0
    if index == "us_aqi":
        tops = np.array([level.index_high for level in levels(index)][:-1])
        level = (np.searchsorted(tops, worst, side="left") + 1).astype(np.int8)
    else:
        level = worst.astype(np.int8)
    return Overall(
        index, names, np.where(known, level, np.int8(0)), np.where(known, worst, np.nan),
        np.where(known, decides, np.int8(-1)),
    )  # fmt: skip


def level_names(index: str) -> tuple[str, ...]:
    """Names by level, "" for level 0: `np.array(level_names("eaqi"))[level]`."""
    return ("", *(level.name for level in levels(index)))


def level_colours(index: str) -> tuple[str, ...]:
    """Colours by level as hex text; grey for level 0."""
    return (NO_INDEX_COLOUR, *(level.colour for level in levels(index)))


@cache
def _table(what: str) -> pd.DataFrame:
    with files("data").joinpath(f"defaults/air_quality_index_{what}.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle)


def _known(index: str) -> str:
    if index not in INDICES:
        raise AirError(f"no air-quality index {index!r}; allowed: {list(INDICES)}")
    return index


def _pollutants(index: str) -> list[str]:
    return sorted({scale.pollutant for scale in scales(index)})


def _of(index: str, pollutant: str) -> list[Scale]:
    found = [scale for scale in scales(index) if scale.pollutant == pollutant]
    if not found:
        raise AirError(f"pollutant {pollutant!r} is not part of index {index!r}; allowed: {_pollutants(index)}")
    return found


def _pick(index: str, pollutant: str, averaging_h: int | None) -> Scale:
    found = sorted(_of(index, pollutant), key=lambda scale: -scale.averaging_h)
    for scale in found:
        if averaging_h in (None, scale.averaging_h):
            return scale
    raise AirError(
        f"index {index!r} has no bands for {averaging_h}-hour means of {pollutant}; allowed:"
        f" {[scale.averaging_h for scale in found]} h"
    )


def _bounds(scale: Scale) -> tuple[np.ndarray, int]:
    """Upper bounds that are defined, and the level of the first of them."""
    defined = np.array([bound for bound in scale.upper if not np.isnan(bound)])
    first = next(k for k, bound in enumerate(scale.upper, start=1) if not np.isnan(bound))
    return defined + (1e-9 if scale.step else 0.0), first


def _resolved(values: np.ndarray, scale: Scale, temperature_k: float = REFERENCE_TEMPERATURE_K) -> np.ndarray:
    """Values in the scale's unit, truncated to its step."""
    values = np.asarray(values, dtype=float)
    if values.size and (np.nanmin(values, initial=0.0) < 0.0 or np.isinf(values).any()):
        negative, infinite = int((values < 0.0).sum()), int(np.isinf(values).sum())
        raise AirError(
            f"{scale.pollutant} holds {negative} negative and {infinite} infinite value(s), lowest"
            f" {np.nanmin(values):g} ug/m3; an index needs values from 0, or NaN where there is none"
        )
    if scale.unit != "ug/m3":
        factor = ug_per_ppb(scale.pollutant, temperature_k=temperature_k)
        values = values / (factor * (1000.0 if scale.unit == "ppm" else 1.0))
    if scale.step:
        values = np.floor(values / scale.step + 1e-6) * scale.step
    return values
