"""Limits of outdoor air: what EU law of 2008, EU law from 2030 and the WHO of 2021 allow, and what a series shows.

Limits stand in `data/defaults/air_quality_limits.csv` with their sources. A limit has a level, an averaging period and
a number of exceedances that a calendar year may hold. Counts are reported as found and, separately, scaled to a
year. Less than a year gives no verdict on an annual mean; a count that already lies above what a year may hold is a
verdict all the same, since further days can only add to it.

What this does not say: legal compliance, which rests on validated measurements at prescribed sites over calendar
years, and on three years for ozone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from simulation.air.errors import AirError
from simulation.air.health.series import Hourly

STANDARDS: tuple[str, ...] = ("eu_2008", "eu_2030", "who_2021")
PERIODS: tuple[str, ...] = ("hour", "day", "max_daily_8h", "year")
VERDICTS: tuple[str, ...] = ("met", "exceeded", "open", "no data")
_DAYS, _HOURS = 365, 8760  # of a year, for scaling
_LONGEST_HOURS = 366 * 24


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. `allowed_per_year` is 0 for an annual mean; `mean_of_years` is 3 where the count is a 3-year mean."""

    standard: str
    pollutant: str
    period: str
    limit_ug_per_m3: float
    allowed_per_year: int
    mean_of_years: int
    kind: str
    annual_capture: float  # share of a year's hours or days that a verdict needs
    source: str


@cache
def limits(standard: str | None = None, pollutant: str | None = None) -> tuple[Limit, ...]:
    """Limits of one standard (or all) for one pollutant (or all), in the table's order.

    Raises
    ------
    AirError
        If there is no such standard.
    """
    if standard is not None and standard not in STANDARDS:
        raise AirError(f"no standard {standard!r}; allowed: {list(STANDARDS)}")
    with files("data").joinpath("defaults/air_quality_limits.csv").open(encoding="utf-8") as handle:
        rows = pd.read_csv(handle).to_dict("records")
    made = (
        Limit(
            str(row["standard"]), str(row["pollutant"]), str(row["period"]), float(row["limit_ug_per_m3"]),
            0 if pd.isna(row["allowed_per_year"]) else int(row["allowed_per_year"]), int(row["mean_of_years"]),
            str(row["kind"]), float(row["annual_capture"]), str(row["source"]),
        )
        for row in rows
    )  # fmt: skip
    return tuple(limit for limit in made if standard in (None, limit.standard) and pollutant in (None, limit.pollutant))


def assess(
    series: Hourly, pollutant: str, *, places: Sequence[str] | None = None, standards: Sequence[str] = STANDARDS
) -> pd.DataFrame:
    """What a series shows against every limit of its pollutant.

    Parameters
    ----------
    series : Hourly
        Hourly means, ug/m3, of at most 366 days; longer series are for `assess_years`.
    pollutant : str
        `no2`, `o3`, `pm25` or `pm10`.
    places : sequence of str, optional
        Names of the series' places; "0", "1", ... if left out.
    standards : sequence of str
        Of `STANDARDS`.

    Returns
    -------
    DataFrame
        A row a limit and place: `place`, `standard`, `pollutant`, `period`, `kind`, `limit_ug_per_m3`,
        `allowed_per_year`, `from_day`, `to_day`, `days` (length of the period), `valid` (hours or days with a
        value), `capture` (of those within the period), `value_ug_per_m3` (mean of the period, or the highest hour, day
        or 8-hour mean), `exceedances` (as found), `exceedances_per_year` (scaled: times 365 over valid days, or 8760
        over valid hours, as if the year went on like this), `verdict` (`VERDICTS`) and `note`, the verdict in words.
        "Exceeds" means strictly above the limit.

    Raises
    ------
    AirError
        With every fault: unknown pollutant or standard, another number of places, more than 366 days.
    """
    n_places = series.values.shape[1]
    names = [str(k) for k in range(n_places)] if places is None else [str(place) for place in places]
    faults = [f"no standard {name!r}; allowed: {list(STANDARDS)}" for name in standards if name not in STANDARDS]
    if pollutant not in {limit.pollutant for limit in limits()}:
        faults.append(f"no limits for pollutant {pollutant!r}; allowed: {sorted({x.pollutant for x in limits()})}")
    if len(names) != n_places:
        faults.append(f"{len(names)} place name(s) for {n_places} place(s)")
    if series.n_hours > _LONGEST_HOURS:
        faults.append(f"{series.n_hours} hours are more than a year ({_LONGEST_HOURS}); use assess_years")
    if faults:
        raise AirError("limits cannot be assessed: " + "; ".join(faults))
    chosen = [limit for name in standards for limit in limits(name, pollutant)]
    means = {period: _means(series, period) for period in {limit.period for limit in chosen}}
    blocks = [_rows(limit, means[limit.period], series, names) for limit in chosen]
    return pd.DataFrame({name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]})


def assess_years(
    series: Hourly, pollutant: str, *, places: Sequence[str] | None = None, standards: Sequence[str] = STANDARDS
) -> pd.DataFrame:
    """`assess` for every calendar year (local) that a series touches, with a column `year` in front.

    Parameters, errors as `assess`; running 8-hour means start anew each year.
    """
    years = np.asarray(series.days.year)
    tables = []
    for year in np.unique(years):
        first, last = np.flatnonzero(years == year)[[0, -1]]
        begin = int(series.day_starts[first])
        end = int(series.day_starts[last + 1]) if last + 1 < len(years) else series.n_hours
        part = Hourly(
            series.values[begin:end], series.start_s + 3600 * begin, series.timezone,
            series.day_starts[first : last + 1] - begin, series.days[first : last + 1],
        )  # fmt: skip
        tables.append(assess(part, pollutant, places=places, standards=standards).assign(year=int(year)))
    whole = pd.concat(tables, ignore_index=True)
    return whole[["year", *(name for name in whole.columns if name != "year")]]


def _means(series: Hourly, period: str) -> np.ndarray:
    """The values that a limit of that period looks at: (H, R) or (D, R)."""
    if period in ("hour", "year"):
        return series.values
    return series.daily_mean() if period == "day" else series.daily_max_8h()


def _rows(limit: Limit, means: np.ndarray, series: Hourly, names: list[str]) -> dict[str, np.ndarray]:
    known = ~np.isnan(means)
    valid = np.count_nonzero(known, axis=0)
    n_days, in_hours = round(series.n_hours / 24), limit.period in ("hour", "year")
    in_year = _HOURS if in_hours else _DAYS
    # A year's share that is known; its first and last day may be cut, so the period itself counts in hours.
    complete = valid >= limit.annual_capture * in_year
    if limit.period == "year":
        value = series.mean()
        count = np.full(len(names), np.nan)
        above = value > limit.limit_ug_per_m3
        verdict = np.where(complete, np.where(above, "exceeded", "met"), "open")
        scaled = count
    else:
        value = np.where(valid > 0, np.where(known, means, -np.inf).max(axis=0), np.nan)
        count = np.count_nonzero(means > limit.limit_ug_per_m3, axis=0).astype(float)
        scaled = np.where(valid > 0, count * in_year / np.maximum(valid, 1), np.nan)
        above = count > limit.allowed_per_year
        verdict = np.where(above, "exceeded", np.where(complete, "met", "open"))
        if limit.mean_of_years > 1:
            verdict = np.full(len(names), "open")
    verdict = np.where(valid > 0, verdict, "no data")
    shared = {
        "standard": limit.standard, "pollutant": limit.pollutant, "period": limit.period, "kind": limit.kind,
        "limit_ug_per_m3": limit.limit_ug_per_m3, "allowed_per_year": limit.allowed_per_year,
        "from_day": series.days[0].to_datetime64(), "to_day": series.days[-1].to_datetime64(), "days": n_days,
    }  # fmt: skip
    return {
        "place": np.array(names, dtype=object),
        **{
            name: np.full(len(names), one, dtype=object if isinstance(one, str) else None)
            for name, one in shared.items()
        },
        "valid": valid,
        "capture": valid / len(means),
        "value_ug_per_m3": value,
        "exceedances": np.where(valid > 0, count, np.nan),
        "exceedances_per_year": scaled,
        "verdict": verdict.astype(object),
        "note": _notes(limit, above, verdict, n_days),
    }


def _notes(limit: Limit, above: np.ndarray, verdict: np.ndarray, n_days: int) -> np.ndarray:
    """The verdict in words: there are only few different ones, so each is written once."""
    annual = limit.period == "year"
    what = {"hour": "hours", "day": "days", "max_daily_8h": "days"}.get(limit.period, "")
    allowed = f"the {limit.allowed_per_year} {what} that a year may hold"
    texts = {}
    for over in (False, True):
        side = "above" if over else "not above"
        if annual:
            texts["open", over] = (
                f"period mean {side} the annual limit of {limit.limit_ug_per_m3:g} ug/m3; no annual verdict from"
                f" {n_days} days with less than {limit.annual_capture:.0%} of a year's hours"
            )
            texts["met", over] = texts["exceeded", over] = f"annual mean {side} {limit.limit_ug_per_m3:g} ug/m3"
        elif limit.mean_of_years > 1:
            texts["open", over] = f"{side} {allowed}; the law looks at the mean of {limit.mean_of_years} years"
        else:
            texts["open", over] = f"not above {allowed} so far, in {n_days} days"
            texts["met", over] = texts["exceeded", over] = f"{side} {allowed}"
        texts["no data", over] = "no valid values"
    return np.array([texts[str(state), bool(over)] for state, over in zip(verdict, above, strict=True)], dtype=object)
