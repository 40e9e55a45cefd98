"""Long-term indicators of noise: Lday, Levening, Lnight and Lden, and how many people live with how much of it.

Periods are of local time, so a day of daylight saving has 23 or 25 hours and its periods keep their place on the clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from simulation.noise.errors import NoiseError

#: Local hours at which day, evening and night begin, their lengths, h, and what is added, dB (Directive 2002/49/EC,
#: annex I).
PERIODS: dict[str, tuple[int, float, float]] = {
    "day": (7, 12.0, 0.0),
    "evening": (19, 4.0, 5.0),
    "night": (23, 8.0, 10.0),
}
#: Limits from which the directive's maps report people, dB (annex VI).
REPORT_LDEN_DB, REPORT_LNIGHT_DB = (55.0, 65.0), 50.0


def period_of(times: pd.DatetimeIndex, timezone: str) -> np.ndarray:
    """0 day (07-19), 1 evening (19-23), 2 night (23-07) by the local hour in which each interval starts.

    Raises
    ------
    NoiseError
        If `times` has no time zone.
    """
    if times.tz is None:
        raise NoiseError("times of noise levels need a time zone (stored times are UTC)")
    hour = times.tz_convert(timezone).hour.to_numpy()
    day, evening, night = (start for start, _, _ in PERIODS.values())
    return np.select([(hour >= day) & (hour < evening), (hour >= evening) & (hour < night)], [0, 1], 2)


def lden(levels: np.ndarray, times: pd.DatetimeIndex, timezone: str) -> pd.DataFrame:
    """Indicators of each receptor over all intervals given.

    Each period's level is the energy mean of its intervals; `Lden = 10 lg((12 10^(Lday/10) + 4 10^((Leve + 5)/10)
    + 8 10^((Lnight + 10)/10)) / 24)`. Part days are welcome: a period counts by the intervals it has, but without any
    interval of a period its level and Lden are missing. Whole weeks are needed to speak of a long-term average.

    Parameters
    ----------
    levels : ndarray, shape (n_times, n_receptors)
        LAeq of intervals of equal length, dB(A).
    times : DatetimeIndex, length n_times
        Start of each interval, with a time zone.
    timezone : str
        Of the city, e.g. `"Europe/Helsinki"`.

    Returns
    -------
    DataFrame
        One row a receptor: `lday_db`, `levening_db`, `lnight_db`, `lden_db`.

    Raises
    ------
    NoiseError
        If lengths do not fit or times have no zone.
    """
    levels = np.asarray(levels, dtype=float)
    if levels.ndim != 2 or levels.shape[0] != len(times):
        raise NoiseError(f"levels must be (n_times, n_receptors) with {len(times)} times; found shape {levels.shape}")
    return _indicators(levels, period_of(times, timezone))


def daily_lden(levels: np.ndarray, times: pd.DatetimeIndex, timezone: str) -> pd.DataFrame:
    """`lden` of each day from 07:00 to 07:00 local time; parameters and errors as of `lden`.

    Returns
    -------
    DataFrame
        `date` (local, of the morning), `receptor`, and the columns of `lden`; missing where a day lacks a period.
    """
    levels = np.asarray(levels, dtype=float)
    if levels.ndim != 2 or levels.shape[0] != len(times):
        raise NoiseError(f"levels must be (n_times, n_receptors) with {len(times)} times; found shape {levels.shape}")
    period = period_of(times, timezone)
    wall = times.tz_convert(timezone).tz_localize(None)
    date = (wall - pd.Timedelta(hours=PERIODS["day"][0])).normalize()
    parts = []
    for day in date.unique():
        of_day = np.asarray(date == day)
        table = _indicators(levels[of_day], period[of_day])
        parts.append(table.rename_axis("receptor").reset_index().assign(date=day))
    if not parts:
        return _indicators(levels, period).rename_axis("receptor").reset_index().assign(date=pd.NaT).head(0)
    table = pd.concat(parts, ignore_index=True)
    return table[["date", "receptor", *[c for c in table if c.endswith("_db")]]]


def exposure(
    indicators: pd.DataFrame, people: np.ndarray, zone: np.ndarray | Sequence[int], n_zones: int
) -> pd.DataFrame:
    """People and noise of each zone.

    Means over people are arithmetic means of decibels, as in studies of exposure and response, whose curves are
    functions of decibels. Shares are those that the directive asks to report.

    Parameters
    ----------
    indicators : DataFrame
        From `lden`, one row a receptor.
    people : ndarray, shape (n_receptors,)
        Who live behind each receptor, 0 or more.
    zone : ndarray of int, shape (n_receptors,)
        0..n_zones - 1, or -1 for none.
    n_zones : int

    Returns
    -------
    DataFrame
        One row a zone: `people`, `lden_db`, `lnight_db`, `share_lden_55`, `share_lden_65`, `share_lnight_50` (at or
        above). Missing where nobody lives.

    Raises
    ------
    NoiseError
        If lengths do not fit, people are negative or a zone is unknown.
    """
    people, zone = np.asarray(people, dtype=float), np.asarray(zone, dtype=np.int64)
    wrong = []
    if people.shape != (len(indicators),) or zone.shape != (len(indicators),):
        wrong.append(f"people and zone need {len(indicators)} values; found {people.shape} and {zone.shape}")
    if not (people >= 0).all():
        wrong.append("people must be 0 or more")
    if zone.size and (zone.min() < -1 or zone.max() >= n_zones):
        wrong.append(f"zones run {zone.min()}..{zone.max()}, allowed are -1..{n_zones - 1}")
    if wrong:
        raise NoiseError(f"no exposure: {'; '.join(wrong)}")
    heard = zone >= 0
    found = {
        "lden_db": indicators["lden_db"].to_numpy(),
        "lnight_db": indicators["lnight_db"].to_numpy(),
        **{f"share_lden_{x:.0f}": _at_least(indicators["lden_db"], x) for x in REPORT_LDEN_DB},
        f"share_lnight_{REPORT_LNIGHT_DB:.0f}": _at_least(indicators["lnight_db"], REPORT_LNIGHT_DB),
    }
    total = np.bincount(zone[heard], weights=people[heard], minlength=n_zones)
    with np.errstate(invalid="ignore"):
        means = {
            name: np.bincount(
                zone[heard], weights=(people * np.where(people > 0, value, 0.0))[heard], minlength=n_zones
            )
            / np.where(total > 0, total, np.nan)
            for name, value in found.items()
        }
    return pd.DataFrame({"people": total, **means})


def _at_least(level: pd.Series, limit: float) -> np.ndarray:
    return np.where(level.isna(), np.nan, (level >= limit).astype(float))


def from_energy(energy: np.ndarray, count: np.ndarray) -> pd.DataFrame:
    """`lden` from sums, for whoever keeps no levels.

    Parameters
    ----------
    energy : ndarray, shape (3, n_receptors)
        Sum of `10^(L/10)` over the intervals of day, evening and night.
    count : ndarray, shape (3,)
        Number of intervals of each.

    Returns
    -------
    DataFrame
        As of `lden`.
    """
    table, total = {}, np.zeros(energy.shape[1])
    for (name, (_, hours, added)), part, n in zip(PERIODS.items(), energy, count, strict=True):
        with np.errstate(divide="ignore"):
            level = 10.0 * np.log10(part / n) if n else np.full(part.shape, np.nan)
        table[f"l{name}_db"] = level
        total = total + hours / 24.0 * 10.0 ** ((level + added) / 10.0)
    with np.errstate(divide="ignore"):
        table["lden_db"] = 10.0 * np.log10(total)
    return pd.DataFrame(table)


def _indicators(levels: np.ndarray, period: np.ndarray) -> pd.DataFrame:
    rows = [levels[period == index] for index in range(len(PERIODS))]
    energy = np.stack([(10.0 ** (part / 10.0)).sum(axis=0) for part in rows])
    return from_energy(energy, np.array([len(part) for part in rows]))
