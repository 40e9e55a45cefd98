"""The shipped coefficient tables of exhaust and wear, and the one place that looks a row up."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pandas as pd

from simulation.air.errors import AirError

#: What a vehicle with an engine needs of the table, and what a wear class needs.
EXHAUST_ROWS = ("NOx", "PM_exhaust", "energy", "f_NO2")
WEAR_ROWS = tuple(f"{size}_{part}" for size in ("PM2.5", "PM10") for part in ("tyre", "brake", "road"))
COEFFICIENTS = tuple(f"c{n}" for n in range(1, 9))


@cache
def emission_factors() -> pd.DataFrame:
    """The shipped factors, indexed by (vehicle_id, pollutant); see the file's `source` column."""
    with files("data").joinpath("defaults/emission_factors.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle).set_index(["vehicle_id", "pollutant"]).sort_index()


@cache
def vehicles_with(rows: tuple[str, ...]) -> tuple[str, ...]:
    """Ids that have every one of `rows`, in alphabetical order; `EXHAUST_ROWS` gives those with an engine."""
    held = emission_factors().index.to_frame(index=False).groupby("vehicle_id")["pollutant"].agg(set)
    return tuple(sorted(str(name) for name, found in held.items() if set(rows) <= found))


@cache
def factor_row(vehicle_id: str, pollutant: str) -> pd.Series:
    """The row of one vehicle and pollutant.

    Raises
    ------
    AirError
        If there is no such vehicle, naming those there are, or no such pollutant of it, naming its own.
    """
    table = emission_factors()
    vehicles = table.index.get_level_values(0)
    if vehicle_id not in vehicles:
        raise AirError(f"no emission factors for vehicle {vehicle_id!r}; allowed: {sorted(set(vehicles))}")
    own = table.loc[vehicle_id]
    if pollutant not in own.index:
        raise AirError(f"no factor of vehicle {vehicle_id!r} for {pollutant!r}; allowed: {sorted(own.index)}")
    return own.loc[pollutant]
