"""What every reader of sensors gives: readings, places, and what was noticed while they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from data.readers.hourly_tables import Faults
from data.schemas import OBSERVATIONS, OBSERVED_QUANTITIES, SENSOR_PLACES, validate

#: Largest 99th percentile that is believed of all readings of a file; beyond it a unit was mistaken (assumed: 216 km/h,
#: and five lanes at 2,400 veh/h).
_BELIEVED = {"speed_mps": (60.0, "speeds in km/h or mph"), "flow_veh_per_h": (12_000.0, "counts of another interval")}


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Readings of real sensors.

    Attributes
    ----------
    table : DataFrame
        `data.schemas.OBSERVATIONS`, by sensor, then time; raw: nothing is thrown out but what came twice.
    places : DataFrame
        `data.schemas.SENSOR_PLACES`: every sensor of `table`; where it stands is null where no file said.
    step_s : int
        Length of an interval, s.
    notes : tuple of str
        What was converted, dropped and assumed.
    duplicates : dict of str to int
        Rows by sensor that repeated an earlier one.
    """

    table: pd.DataFrame
    places: pd.DataFrame
    step_s: int
    notes: tuple[str, ...] = ()
    duplicates: Mapping[str, int] = field(default_factory=dict)

    @property
    def quantities(self) -> list[str]:
        """What is measured."""
        return [name for name in OBSERVED_QUANTITIES if name in self.table.columns]


def made(
    table: pd.DataFrame,
    places: pd.DataFrame,
    faults: Faults,
    notes: list[str],
    *,
    step_s: int | None = None,
) -> Readings:
    """Checked readings: keys made unique, units held against what is believable, the step found.

    Raises
    ------
    SchemaError
        With every fault.
    """
    faults.check()
    quantities = [name for name in OBSERVED_QUANTITIES if name in table.columns]
    table = table.sort_values(["sensor_id", "time"], kind="stable", ignore_index=True)
    again = table.duplicated(["sensor_id", "time"]).to_numpy()
    duplicates = table.loc[again, "sensor_id"].value_counts().to_dict()
    if again.any():
        same = table.duplicated(["sensor_id", "time", *quantities]).to_numpy()
        differ = int((again & ~same).sum())
        notes.append(
            f"{int(again.sum())} row(s) of {len(duplicates)} sensor(s) repeat a sensor and time and were dropped"
            + (f"; {differ} of them held another value than the first, which was kept" if differ else "")
        )
        table = table[~again].reset_index(drop=True)
    if not len(table) or not table[quantities].notna().any(axis=None):
        faults.add("no sensor reports anything")
    for name, (most, guess) in _BELIEVED.items():
        if name in table and table[name].notna().any():
            high = float(np.nanpercentile(table[name], 99))
            if high > most:
                faults.add(
                    f"99 % of {name} are below {high:,.0f}, which is absurd: {guess}? give the unit"
                    f" (--units {name}=UNIT of a long table, --unit of a wide one)"
                )
    faults.check()
    known = set(places["sensor_id"])
    lacking = sorted(set(table["sensor_id"]) - known)
    if lacking:
        row = {"sensor_id": lacking, "kind": kind_of(quantities), "name": lacking, "lon": np.nan, "lat": np.nan}
        places = pd.concat([places, pd.DataFrame(row)], ignore_index=True)
        if known:
            notes.append(f"{len(lacking)} sensor(s) have no place: {', '.join(lacking[:10])}")
    silent = sorted(known - set(table["sensor_id"]))
    if silent:
        notes.append(f"{len(silent)} place(s) of sensors without a reading were left out: {', '.join(silent[:10])}")
        places = places[~places["sensor_id"].isin(silent)]
    order = ["sensor_id", "time", *quantities, *(["fault"] if "fault" in table else [])]
    places = places.sort_values("sensor_id", ignore_index=True).astype({"sensor_id": "str", "name": "str"})
    return Readings(
        table=validate(table[order], OBSERVATIONS), places=validate(places, SENSOR_PLACES),
        step_s=step_s or commonest_step(table), notes=tuple(notes),
        duplicates={str(k): int(v) for k, v in duplicates.items()},
    )  # fmt: skip


def kind_of(quantities: list[str]) -> str:
    """What kind of sensor measures these."""
    if any(name.endswith("_ug_per_m3") for name in quantities):
        return "air"
    return "foot" if "pedestrians_per_h" in quantities else "loop"


def commonest_step(table: pd.DataFrame) -> int:
    """Commonest gap between two times of a sensor, s; an hour where there is one reading only."""
    at = table["time"].to_numpy(dtype="datetime64[us]").astype(np.int64) // 1_000_000
    gap = np.diff(at)[(table["sensor_id"].to_numpy()[1:] == table["sensor_id"].to_numpy()[:-1])]
    gap = gap[gap > 0]
    if not gap.size:
        return 3600
    steps, counts = np.unique(gap, return_counts=True)
    return int(steps[np.argmax(counts)])
