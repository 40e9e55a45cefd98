"""What time, accidents, pollutants and noise cost: parameters for the user to set, each with its source.

The defaults stand in `data/defaults/external_costs.csv`. Prices are those of the year that the source names and are not
brought to one year; for an appraisal give the values of your country.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.kpis.errors import KpiError

_BY_CLASS, _SINGLE = ("time", "persons", "accident"), ("nox", "pm25", "co2")
_DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates in EUR; by vehicle class in the order of `VEHICLE_CLASSES`.

    Attributes
    ----------
    time_eur_per_person_h, persons_per_veh, accident_eur_per_km : tuple of float
        By vehicle class, at least 0.
    nox_eur_per_kg, pm25_eur_per_kg, co2_eur_per_kg : float
        At least 0. PM2.5 counts wear and exhaust alike.
    noise_from_db : tuple of float
        Lden from which each noise rate counts, rising.
    noise_eur_per_db : tuple of float
        EUR a dB, person and year above each bound.

    Raises
    ------
    KpiError
        Naming every value that is impossible.
    """

    time_eur_per_person_h: tuple[float, ...]
    persons_per_veh: tuple[float, ...]
    accident_eur_per_km: tuple[float, ...]
    nox_eur_per_kg: float
    pm25_eur_per_kg: float
    co2_eur_per_kg: float
    noise_from_db: tuple[float, ...]
    noise_eur_per_db: tuple[float, ...]

    def __post_init__(self) -> None:
        faults = []
        for name in self.__slots__:
            values = np.atleast_1d(np.asarray(getattr(self, name), dtype=float))
            if not np.isfinite(values).all() or (values < 0).any():
                faults.append(f"{name}={values.tolist()}: finite numbers of at least 0")
            if name in ("time_eur_per_person_h", "persons_per_veh", "accident_eur_per_km") and values.size != len(
                VEHICLE_CLASSES
            ):
                faults.append(f"{name}: {values.size} value(s), one is needed for each of {VEHICLE_CLASSES}")
        if len(self.noise_from_db) != len(self.noise_eur_per_db) or (np.diff(self.noise_from_db) <= 0).any():
            faults.append("noise_from_db must rise and have one rate each in noise_eur_per_db")
        if faults:
            raise KpiError("these rates cannot be used: " + "; ".join(faults))

    @property
    def time_eur_per_veh_h(self) -> np.ndarray:
        """Value of an hour of a vehicle with those in it, EUR/h. Shape (classes,)."""
        return np.asarray(self.time_eur_per_person_h) * np.asarray(self.persons_per_veh)

    def noise_eur_per_day(self, lden_db: np.ndarray) -> np.ndarray:
        """What a day at some Lden costs a person, EUR: the rate of each band times the decibels in it, over 365 days.

        The source gives the value of one decibel more in each band; adding them up from the lowest bound is our reading
        of it. 0 below that bound, nan where the level is. Shape as `lden_db`.

        Examples
        --------
        >>> rates = read_rates()
        >>> round(float(rates.noise_eur_per_day(np.array(57.0)) * 365), 6)  # 5 dB at 17 and 2 dB at 31
        147.0
        """
        level = np.asarray(lden_db, dtype=float)
        edges = np.append(np.asarray(self.noise_from_db, dtype=float), np.inf)
        above = np.clip(level[..., None] - edges[:-1], 0.0, np.diff(edges))
        return np.asarray(above @ np.asarray(self.noise_eur_per_db) / _DAYS_PER_YEAR)


def read_rates(path: str | Path | None = None) -> Rates:
    """Rates from a CSV file with the columns of the default one, `data/defaults/external_costs.csv`.

    Parameters
    ----------
    path : str or Path, optional
        Default: the shipped file. What the file does not name is taken from the shipped one.

    Raises
    ------
    KpiError
        If a column is missing, or with every row that names no known rate or class, or no number of at least 0.
    """
    with files("data").joinpath("defaults/external_costs.csv").open(encoding="utf-8") as handle:
        table = pd.read_csv(handle)
    if path is not None:
        table = _merged(table, pd.read_csv(path), str(path))
    single = table.set_index("name")["value"]
    by_class = table[table["name"].isin(_BY_CLASS)].set_index(["name", "vehicle_class"])["value"]
    noise = table[table["name"] == "noise"].sort_values("from_db")

    def classes(name: str) -> tuple[float, ...]:
        return tuple(float(by_class.loc[name, klass]) for klass in VEHICLE_CLASSES)

    return Rates(
        time_eur_per_person_h=classes("time"), persons_per_veh=classes("persons"),
        accident_eur_per_km=classes("accident"), nox_eur_per_kg=float(single["nox"]),
        pm25_eur_per_kg=float(single["pm25"]), co2_eur_per_kg=float(single["co2"]),
        noise_from_db=tuple(noise["from_db"].astype(float)), noise_eur_per_db=tuple(noise["value"].astype(float)),
    )  # fmt: skip


def _merged(table: pd.DataFrame, own: pd.DataFrame, source: str) -> pd.DataFrame:
    """The shipped rates with those of a user's file in their place; noise is replaced whole."""
    lacking = [name for name in ("name", "value") if name not in own.columns]
    if lacking:
        raise KpiError(f"{source} lacks the column(s) {lacking}; it needs name, vehicle_class, from_db, value")
    own = own.reindex(columns=table.columns)
    known = own["name"].isin(_SINGLE) | (own["name"].isin(_BY_CLASS) & own["vehicle_class"].isin(VEHICLE_CLASSES))
    known |= (own["name"] == "noise") & own["from_db"].notna()
    value = pd.to_numeric(own["value"], errors="coerce")
    wrong = ~known | ~np.isfinite(value) | (value < 0)
    faults = [
        f"row {k + 2}: name={row['name']!r}, vehicle_class={row['vehicle_class']!r}, value={row['value']!r}"
        for k, row in own[wrong].iterrows()
    ]
    if faults:
        raise KpiError(
            f"{source} holds rows that are no rates: {'; '.join(faults)}; names are {_BY_CLASS} with a vehicle_class"
            f" of {VEHICLE_CLASSES}, {_SINGLE}, and noise with from_db; values are numbers of at least 0"
        )
    if (own["name"] == "noise").any():
        table = table[table["name"] != "noise"]
    both = pd.concat([table, own.assign(value=value)], ignore_index=True)
    return both.drop_duplicates(["name", "vehicle_class", "from_db"], keep="last")
