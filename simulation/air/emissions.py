"""What vehicles emit: grams a metre by class and speed, then grams of every link from its speed histogram.

Exhaust follows the EMEP/EEA guidebook's Tier 3 speed curves, wear its Tier 2 factors with their speed terms; both
stand in `data/defaults/emission_factors.csv` with their sources. Hot engines only: cold starts, evaporation, road
dust that is whirled up and gradients are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import AirError
from simulation.air.fleet import Fleet, FleetEntry
from simulation.link_state import SPEED_BIN_MIDS_KMH, LinkInterval

#: Order of the last axis of every emission array. NOx counts as NO2 by mass; CO2 is tailpipe only.
POLLUTANTS: tuple[str, ...] = ("nox", "no2", "pm25", "pm10", "co2")
#: Below this speed the NOx rate of lorries and buses is held, km/h: their curves rise steeply at the range's lower
#: end (1.6 g/km at 10 km/h, 6.9 at 5 for an articulated Euro VI), where no measurement supports them.
HEAVY_NOX_FLOOR_KMH = 10.0
_COEFFICIENTS = [f"c{n}" for n in range(1, 9)]


@cache
def emission_factors() -> pd.DataFrame:
    """The shipped factors, indexed by (vehicle_id, pollutant); see the file's `source` column."""
    with files("data").joinpath("defaults/emission_factors.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle).set_index(["vehicle_id", "pollutant"]).sort_index()


def hot_factor(vehicle_id: str, pollutant: str, speed_kmh: np.ndarray) -> np.ndarray:
    """Hot exhaust factor of one vehicle at mean speeds, g/km (energy: MJ/km).

    `EF(V) = (c1 V^2 + c2 V + c3 + c4/V) / (c5 V^2 + c6 V + c7) (1 - c8)`, V held within the curve's range. Below the
    range the rate per hour is held, so that a crawling vehicle emits more a kilometre: `EF(v) = EF(v_min) v_min / v`.

    Parameters
    ----------
    vehicle_id, pollutant : str
        A row of `data/defaults/emission_factors.csv`, e.g. `"PC_diesel_E5"`, `"NOx"`.
    speed_kmh : ndarray
        Above 0, km/h.

    Returns
    -------
    ndarray
        As `speed_kmh`.

    Raises
    ------
    AirError
        If there is no such row.

    References
    ----------
    EMEP/EEA air pollutant emission inventory guidebook 2019, chapter 1.A.3.b.i-iv, Appendix 4.
    """
    row = _row(vehicle_id, pollutant)
    speed = np.asarray(speed_kmh, dtype=float)
    low, high = float(row["v_min_kmh"]), float(row["v_max_kmh"])
    if row["form"] == "CONST":
        factor = np.full(speed.shape, float(row["c1"]))
    else:
        if pollutant == "NOx" and vehicle_id.startswith(("HGV", "BUS")):
            low = max(low, HEAVY_NOX_FLOOR_KMH)
        c1, c2, c3, c4, c5, c6, c7, c8 = (float(row[name]) for name in _COEFFICIENTS)
        v = np.clip(speed, low, high)
        factor = (c1 * v**2 + c2 * v + c3 + c4 / v) / (c5 * v**2 + c6 * v + c7) * (1.0 - c8)
    return factor * np.maximum(low / speed, 1.0)


def wear_factor(
    wear_id: str, speed_kmh: np.ndarray, *, size: str = "PM2.5", tyre_factor: float = 1.0, brake_factor: float = 1.0
) -> np.ndarray:
    """PM2.5 or PM10 (`size`) from tyres, brakes and road surface at mean speeds, g/km.

    References
    ----------
    EMEP/EEA guidebook 2019, chapter 1.A.3.b.vi-vii, Tier 2.
    """
    speed = np.asarray(speed_kmh, dtype=float)
    tyre = np.select([speed < 40, speed <= 90], [1.39, 1.78 - 0.00974 * speed], 0.902)
    brake = np.select([speed < 40, speed <= 95], [1.67, 2.75 - 0.027 * speed], 0.185)
    total = np.zeros(speed.shape)
    terms = (("tyre", tyre_factor * tyre), ("brake", brake_factor * brake), ("road", 1.0))
    for part, speed_term in terms:
        row = _row(wear_id, f"{size}_{part}")
        total = total + float(row["c1"]) * float(row["c2"]) * speed_term
    return total


def emission_table(fleet: Fleet, *, speed_kmh: np.ndarray = SPEED_BIN_MIDS_KMH) -> np.ndarray:
    """Emission of the average vehicle of each class in each speed bin, g/m, shape (C, B, P).

    Parameters
    ----------
    fleet : Fleet
    speed_kmh : ndarray, shape (B,)
        Speed that stands for each bin; by default the middles of `simulation.link_state`.

    Returns
    -------
    ndarray, shape (C, B, P)
        Order of `VEHICLE_CLASSES` and of `POLLUTANTS`.
    """
    table = np.zeros((len(VEHICLE_CLASSES), len(speed_kmh), len(POLLUTANTS)))
    for entry in fleet.entries:
        table[VEHICLE_CLASSES.index(entry.vehicle_class)] += entry.share * _entry_factors(entry, speed_kmh)
    return table / 1000.0


def link_emissions(interval: LinkInterval, tables: Sequence[np.ndarray], group: np.ndarray | None = None) -> np.ndarray:
    """Grams that each link emits in an interval: distance by class and speed times grams a metre.

    Parameters
    ----------
    interval : LinkInterval
        A vehicle counts where and when it leaves a link, with its mean speed over it.
    tables : sequence of ndarray, shape (C, B, P)
        One for each fleet, from `emission_table`.
    group : ndarray of int, shape (L,), optional
        Which table holds on each link; all links use the first if left out.

    Returns
    -------
    ndarray, shape (L, P)
        g in the interval.
    """
    n_links = interval.speed_distance_m.shape[0]
    distance = interval.speed_distance_m.reshape(n_links, -1)
    flat = [table.reshape(-1, len(POLLUTANTS)) for table in tables]
    emitted = distance @ flat[0]
    if group is not None:
        for number in range(1, len(flat)):
            chosen = group == number
            emitted[chosen] = distance[chosen] @ flat[number]
    return emitted


def _entry_factors(entry: FleetEntry, speed_kmh: np.ndarray) -> np.ndarray:
    """(B, P) g/km of one kind of vehicle."""
    factors = np.zeros((len(speed_kmh), len(POLLUTANTS)))
    for column, size in ((2, "PM2.5"), (3, "PM10")):
        factors[:, column] = wear_factor(
            entry.wear_id, speed_kmh, size=size, tyre_factor=entry.tyre_factor, brake_factor=entry.brake_factor
        )
    if entry.exhaust_id:
        nox = hot_factor(entry.exhaust_id, "NOx", speed_kmh)
        factors[:, 0] = nox
        factors[:, 1] = nox * float(_row(entry.exhaust_id, "f_NO2")["c1"])
        factors[:, 2:4] += hot_factor(entry.exhaust_id, "PM_exhaust", speed_kmh)[:, None]  # all of it below 2.5 um
        grams_per_mj = float(_row(f"fuel_{entry.fuel}", "CO2")["c1"])
        factors[:, 4] = hot_factor(entry.exhaust_id, "energy", speed_kmh) * grams_per_mj
    return factors


def _row(vehicle_id: str, pollutant: str) -> pd.Series:
    table = emission_factors()
    if (vehicle_id, pollutant) not in table.index:
        known = sorted(set(table.index.get_level_values(0)))
        raise AirError(f"no emission factor for vehicle {vehicle_id!r} and pollutant {pollutant!r}; vehicles: {known}")
    return table.loc[(vehicle_id, pollutant)]
