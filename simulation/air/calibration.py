"""Air stations calibrate the background: what the wind brings is raised or lowered until stations and model agree.

The model adds what the city's traffic makes to a background that it is given, so the background is what a mean
residual at stations can put right. `calibrate_background` fits a correction to each part of the background, by hour
of the day (UTC, as the tables) where the data bear it: an offset in ug/m3, or a factor. It moves the NO2, the NO (NOx
less NO2), the ozone, the PM2.5 and the coarse particles (PM10 less PM2.5), so that NOx stays above NO2 and PM10 above
PM2.5 whatever is observed. A correction keeps at least `keep` of the part:

    b' = max(b + offset, keep b)      or      b' = max(factor, keep) b,

which is never negative and always rises with b, so `undo` gives the background back (to rounding).

Before it is believed, the correction is tried where it was not fitted: on each station left out in turn, and on the
last 30 % of the hours after a fit to the first 70 %. A pollutant whose error does not fall in both is left as it was.
What the model makes of the corrected background is taken as modelled + change, exact for particles and NOx; for NO2 and
ozone, which react, a first step: run the model again and calibrate again if it matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulation.air.background import SPECIES
from simulation.air.calibration_fit import Array, HourlyFit, fit_hours, scores
from simulation.air.calibration_pairs import Pairs

Form = Literal["offset", "scale"]
#: Parts of the background: (name, species, species that it is less). Sums of parts are species.
_PARTS: tuple[tuple[str, str, str | None], ...] = (
    ("no2", "no2", None), ("no", "nox", "no2"), ("o3", "o3", None), ("pm25", "pm25", None), ("coarse", "pm10", "pm25"),
)  # fmt: skip
#: Tenths of the hours that the check of later hours is fitted to.
_FIRST_TENTHS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A correction of the background that can be taken back.

    Parameters
    ----------
    table : DataFrame
        All that `apply` and `undo` need: `part` (no2, no, o3, pm25, coarse), `hour_utc`, `form` (offset or scale),
        `correction` (ug/m3, or a factor), `standard_error`, `keep`, `n_hours`, `n_stations`.
    changed : DataFrame
        `pollutant`, `hour_utc`, `before_ug_per_m3`, `after_ug_per_m3`, `change_ug_per_m3`: hourly means of the
        background that it was fitted to.
    check : DataFrame
        `check` (station left out, later hours), `station_id` (empty for all), `pollutant`, `n`, `bias_before`,
        `bias_after` (modelled minus observed: positive is too high), `rmse_before`, `rmse_after`, ug/m3.
    left_out : tuple of str
        Pollutants left as they were, since their error did not fall where they were not fitted.
    """

    table: pd.DataFrame
    changed: pd.DataFrame
    check: pd.DataFrame
    left_out: tuple[str, ...] = ()

    def apply(self, background: pd.DataFrame) -> pd.DataFrame:
        """The background with the correction; apply it once.

        Parameters
        ----------
        background : DataFrame
            `time` and some of `background.SPECIES`, ug/m3.

        Returns
        -------
        DataFrame
            Same rows and columns, nothing negative that was not; species without a correction stay bit for bit.
        """
        return _moved(background, self.table, back=False)

    def undo(self, background: pd.DataFrame) -> pd.DataFrame:
        """The background as it was before `apply`, to rounding (1e-12 of a value)."""
        return _moved(background, self.table, back=True)


def calibrate_background(
    background: pd.DataFrame,
    modelled: pd.DataFrame,
    observed: pd.DataFrame,
    *,
    pollutants: Sequence[str] | None = None,
    form: Form = "offset",
    by_hour: bool = True,
    keep: float = 0.1,
    keep_worse: bool = False,
) -> Calibration:
    """Fit a correction of the background to air stations.

    Parameters
    ----------
    background : DataFrame
        Hourly `time` (UTC) and species, ug/m3, that the model ran with.
    modelled, observed : DataFrame
        Columns of `data.schemas.STATION_AIR`: `station_id` (or `sensor_id`), `time`, `<pollutant>_ug_per_m3`. Shorter
        steps are averaged to hours; hours and stations that only one of the two holds are left out.
    pollutants : sequence of str, optional
        Of the background's species; all that both tables report unless given.
    form : {"offset", "scale"}
        An offset (for a missing or doubled source upwind) or a factor (for a wrong level).
    by_hour : bool
        Let hours of the day differ where they have ten days each; one correction for all if False.
    keep : float
        Share of each part that stays at least, above 0 and below 1.
    keep_worse : bool
        Keep pollutants whose error does not fall where they were not fitted.

    Returns
    -------
    Calibration

    Raises
    ------
    AirError
        If the tables do not fit together or a pollutant has too little data (168 hours on 7 days); all are named.
    """
    pairs = Pairs.of(background, modelled, observed, pollutants, form, keep)
    check = _held_out(pairs, by_hour, form, keep)
    left_out: tuple[str, ...] = ()
    if not keep_worse:
        overall = check[check["station_id"] == ""]
        worse = overall[~(overall["rmse_after"] < overall["rmse_before"])]
        left_out = tuple(p for p in pairs.pollutants if p in set(worse["pollutant"]))
    table = _fitted(pairs.without(left_out), np.ones(len(pairs.hour), dtype=bool), None, by_hour, form, keep)
    return Calibration(table=table, changed=_changes(pairs.background, table), check=check, left_out=left_out)


def _fitted(
    pairs: Pairs, hours: NDArray[np.bool_], station_out: int | None, by_hour: bool, form: str, keep: float
) -> pd.DataFrame:
    """The correction's table from some hours and all stations but one."""
    columns = np.array([k for k in range(len(pairs.stations)) if k != station_out], dtype=np.int64)
    rows = []
    for part, species, less in _PARTS:
        if species not in pairs.pollutants:
            continue
        # The upper of two is corrected by its own part where the lower is corrected too, else by all of its residual.
        residual = pairs.residual(species)
        if less in pairs.pollutants:
            residual = residual - pairs.residual(less)
        level = _part(pairs.background, species, less)
        fit = fit_hours(residual[hours][:, columns], level[hours], pairs.hour[hours], pairs.day[hours], form, by_hour)
        rows.append(_rows(part, fit, form, keep))
    names = ["part", "hour_utc", "form", "correction", "standard_error", "keep", "n_hours", "n_stations"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=names)


def _rows(part: str, fit: HourlyFit, form: str, keep: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": part,
            "hour_utc": np.arange(24),
            "form": form,
            "correction": fit.correction if form == "offset" else np.clip(fit.correction, keep, 1.0 / keep),
            "standard_error": fit.standard_error,
            "keep": keep,
            "n_hours": fit.n_hours,
            "n_stations": fit.n_stations,
        }
    )


def _part(background: pd.DataFrame, species: str, less: str | None) -> Array:
    values = background[species].to_numpy(dtype=float)
    return values - background[less].to_numpy(dtype=float) if less is not None and less in background else values


def _moved(background: pd.DataFrame, table: pd.DataFrame, *, back: bool) -> pd.DataFrame:
    """Correct every part, or take the correction back, and add the parts up again."""
    hour = pd.DatetimeIndex(background["time"]).tz_convert("UTC").hour.to_numpy()
    corrected = set(table["part"])
    result: dict[str, Array] = {}
    for part, species, less in _PARTS:
        if species not in background or (part not in corrected and less not in result):
            continue
        values = _part(background, species, less)
        if part in corrected:
            values = _turned(values, table[table["part"] == part].set_index("hour_utc").loc[hour], back=back)
        lower = result.get(less, background[less].to_numpy(dtype=float)) if less and less in background else 0.0
        result[species] = values + lower
    return background.assign(**result)


def _turned(values: Array, rows: pd.DataFrame, *, back: bool) -> Array:
    """One part forth or back; a value below 0 (a measured PM10 below its PM2.5) is not touched."""
    correction, keep = (rows[name].to_numpy(dtype=float) for name in ("correction", "keep"))
    if (rows["form"] == "scale").all():
        factor = np.maximum(correction, keep)
        moved = values / factor if back else values * factor
    else:
        moved = (
            np.minimum(values - correction, values / keep) if back else np.maximum(values + correction, values * keep)
        )
    return np.where(values < 0.0, values, moved)


def _held_out(pairs: Pairs, by_hour: bool, form: str, keep: float) -> pd.DataFrame:
    """Errors where the correction was not fitted: each station left out, and later hours."""
    every = np.ones(len(pairs.hour), dtype=bool)
    left = {p: np.full_like(pairs.modelled[p], np.nan) for p in pairs.pollutants}
    rows = []
    for k, station in enumerate(pairs.stations):
        change = _change(pairs.background, _fitted(pairs, every, k, by_hour, form, keep))
        for p in pairs.pollutants:
            if np.isfinite(np.delete(pairs.residual(p), k, axis=1)).any():  # another station to learn from
                left[p][:, k] = np.maximum(pairs.modelled[p][:, k] + change[p], 0.0)
                rows.append(_score("station left out", station, p, pairs, left[p], np.s_[:, k]))
    rows += [_score("station left out", "", p, pairs, left[p], np.s_[:, :]) for p in pairs.pollutants]
    for p in pairs.pollutants:
        seen = np.flatnonzero(np.isfinite(pairs.residual(p)).any(axis=1))
        split = int(seen[len(seen) * _FIRST_TENTHS // 10])
        change = _change(pairs.background, _fitted(pairs, np.arange(len(every)) < split, None, by_hour, form, keep))
        after = np.maximum(pairs.modelled[p] + change[p][:, None], 0.0)
        rows.append(_score("later hours", "", p, pairs, after, np.s_[split:, :]))
    return pd.DataFrame([row for row in rows if row["n"]])


def _change(background: pd.DataFrame, table: pd.DataFrame) -> dict[str, Array]:
    after = _moved(background, table, back=False)
    return {p: (after[p] - background[p]).to_numpy(dtype=float) for p in SPECIES if p in background}


def _score(check: str, station: str, p: str, pairs: Pairs, after: Array, where: Any) -> dict[str, Any]:
    observed = pairs.observed[p][where]
    n, bias_after, rmse_after = scores(after[where], observed)
    _, bias_before, rmse_before = scores(np.where(np.isfinite(after), pairs.modelled[p], np.nan)[where], observed)
    return {
        "check": check, "station_id": station, "pollutant": p, "n": n, "bias_before": bias_before,
        "bias_after": bias_after, "rmse_before": rmse_before, "rmse_after": rmse_after,
    }  # fmt: skip


def _changes(background: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Mean of the background by pollutant and hour of the day, before and after."""
    species = [p for p in SPECIES if p in background]
    hour = pd.DatetimeIndex(background["time"]).tz_convert("UTC").hour
    before, after = (
        b[species].groupby(hour).mean().rename_axis("hour_utc").melt(ignore_index=False, var_name="pollutant")
        for b in (background, _moved(background, table, back=False))
    )
    return pd.DataFrame(
        {
            "pollutant": before["pollutant"].to_numpy(),
            "hour_utc": before.index.to_numpy(),
            "before_ug_per_m3": before["value"].to_numpy(),
            "after_ug_per_m3": after["value"].to_numpy(),
            "change_ug_per_m3": after["value"].to_numpy() - before["value"].to_numpy(),
        }
    )
