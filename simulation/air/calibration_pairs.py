"""What stations observed and what the model says there, hour by hour beside the background that the model ran with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulation.air.background import SPECIES
from simulation.air.calibration_fit import Array
from simulation.air.errors import AirError

#: Hours and days of pairs that a pollutant needs (assumed: a week holds every hour of the day and a weekend).
MIN_HOURS, MIN_DAYS = 168, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Hours of the background at which stations report: matrices (T, S) for each pollutant."""

    background: pd.DataFrame
    stations: list[str]
    pollutants: tuple[str, ...]
    modelled: dict[str, Array]
    observed: dict[str, Array]
    hour: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        background: pd.DataFrame,
        modelled: pd.DataFrame,
        observed: pd.DataFrame,
        pollutants: Sequence[str] | None,
        form: str,
        keep: float,
    ) -> Pairs:
        """Bring the tables together, or name all that keeps them apart."""
        faults = _setting_faults(background, form, keep)
        tables = {"modelled": _hourly(modelled, "modelled", faults), "observed": _hourly(observed, "observed", faults)}
        if faults:
            raise AirError("calibration: " + "; ".join(faults))
        held = [p for p in SPECIES if p in background and all(f"{p}_ug_per_m3" in t for t in tables.values())]
        if pollutants is not None:
            absent = [p for p in pollutants if p not in held]
            if absent:
                faults.append(f"pollutant(s) {absent} are not in background, modelled and observed alike; held: {held}")
            held = [p for p in held if p in pollutants]
        stations = sorted(set(tables["modelled"]["station_id"]) & set(tables["observed"]["station_id"]))
        if not stations:
            names = [sorted(set(t["station_id"]))[:5] for t in tables.values()]
            faults.append(f"no station is both modelled and observed; modelled {names[0]}, observed {names[1]}")
        elif not held:
            faults.append(f"no pollutant is in background, modelled and observed alike; allowed {SPECIES}")
        if faults:
            raise AirError("calibration: " + "; ".join(faults))
        time = pd.DatetimeIndex(background["time"]).tz_convert("UTC").as_unit("us")
        grid = {
            (what, p): table.pivot_table(index="time", columns="station_id", values=f"{p}_ug_per_m3")
            .reindex(index=time, columns=stations)
            .to_numpy(dtype=float)
            for what, table in tables.items()
            for p in held
        }
        day = time.asi8 // 86_400_000_000
        for p in held:
            both = (np.isfinite(grid["modelled", p]) & np.isfinite(grid["observed", p])).any(axis=1)
            days = len(np.unique(day[both]))
            if both.sum() < MIN_HOURS or days < MIN_DAYS:
                faults.append(
                    f"{p}: {both.sum()} hours on {days} days are both modelled and observed; {MIN_HOURS} on {MIN_DAYS}"
                    " are needed"
                )
        if faults:
            raise AirError(
                "calibration has too little data: " + "; ".join(faults) + "; give more, or name `pollutants`"
            )
        return cls(
            background=background,
            stations=stations,
            pollutants=tuple(held),
            modelled={p: grid["modelled", p] for p in held},
            observed={p: grid["observed", p] for p in held},
            hour=time.hour.to_numpy().astype(np.int64),
            day=day.astype(np.int64),
        )

    def without(self, pollutants: Sequence[str]) -> Pairs:
        """The same without some pollutants."""
        return replace(self, pollutants=tuple(p for p in self.pollutants if p not in pollutants))

    def residual(self, pollutant: str) -> Array:
        """Observed minus modelled, (T, S), ug/m3; nan for a gap."""
        return self.observed[pollutant] - self.modelled[pollutant]


def _setting_faults(background: pd.DataFrame, form: str, keep: float) -> list[str]:
    faults = []
    if form not in ("offset", "scale"):
        faults.append(f"form={form!r}; allowed are 'offset' and 'scale'")
    if not 0.0 < keep < 1.0:
        faults.append(f"keep={keep:g} must be above 0 and below 1")
    species = [p for p in SPECIES if p in background]
    if "time" not in background or not species:
        faults.append(f"background needs 'time' and some of {SPECIES}; found {list(background.columns)}")
        return faults
    if not isinstance(background["time"].dtype, pd.DatetimeTZDtype):
        faults.append("times of the background have no time zone; give UTC")
    elif not background["time"].is_monotonic_increasing or background["time"].duplicated().any():
        faults.append("times of the background must rise from row to row")
    for p in species:
        values = background[p].to_numpy(dtype=float)
        bad = ~(np.isfinite(values) & (values >= 0))
        if bad.any():
            faults.append(f"background '{p}' is missing or negative in {bad.sum()} row(s), first {np.argmax(bad)}")
    return faults


def _hourly(table: pd.DataFrame, what: str, faults: list[str]) -> pd.DataFrame:
    """`station_id`, `time` (UTC hours) and pollutants, averaged to hours."""
    if "station_id" not in table and "sensor_id" in table:
        table = table.rename(columns={"sensor_id": "station_id"})
    absent = [name for name in ("station_id", "time") if name not in table]
    if absent:
        faults.append(f"{what} misses column(s) {absent}; found {list(table.columns)}")
        return table
    if not isinstance(table["time"].dtype, pd.DatetimeTZDtype):
        faults.append(f"times of {what} have no time zone; give UTC")
        return table
    columns = [f"{p}_ug_per_m3" for p in SPECIES if f"{p}_ug_per_m3" in table]
    for name in columns:
        bad = (table[name] < 0).to_numpy() | np.isinf(table[name].to_numpy(dtype=float))
        if bad.any():
            faults.append(f"{what} '{name}' is negative or infinite in {bad.sum()} row(s), first {np.argmax(bad)}")
    hour = table["time"].dt.tz_convert("UTC").dt.as_unit("us").dt.floor("h")
    return table[["station_id", *columns]].assign(time=hour).groupby(["station_id", "time"], as_index=False).mean()
