"""What vehicles emit and use: amounts a metre by class and speed, then those of every link from its speed histogram.

Exhaust follows the EMEP/EEA guidebook's Tier 3 speed curves, wear its Tier 2 factors with their speed terms; both
stand in `data/defaults/emission_factors.csv` with their sources. Electricity follows `simulation.air.hbefa4`. Hot
engines only: cold starts, evaporation, road dust that is whirled up and gradients are left out.

A curve holds the stops of the driving cycle behind it. So it takes each vehicle's mean speed over a whole link, queue
included: applied to the moving and the queued part of a trip apart, it would count the stops twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import AirError
from simulation.air.factors import COEFFICIENTS, emission_factors, factor_row
from simulation.air.fleet import Fleet, FleetEntry
from simulation.air.hbefa4 import electricity
from simulation.link_state import SPEED_KNOTS_KMH, LinkInterval

__all__ = [
    "ENERGY", "HEAVY_NOX_FLOOR_KMH", "POLLUTANTS", "emission_factors", "emission_table", "energy_table", "hot_factor",
    "link_emissions", "link_strength", "pollutant_index", "wear_factor",
]  # fmt: skip

#: Order of the last axis of every emission array. NOx counts as NO2 by mass; CO2 is tailpipe only.
POLLUTANTS: tuple[str, ...] = ("nox", "no2", "pm25", "pm10", "co2")
#: Order of the last axis of every energy array: fuel burnt, MJ, and electricity drawn from batteries, kWh.
ENERGY: tuple[str, ...] = ("fuel_mj", "electricity_kwh")
#: Below this speed the NOx rate of lorries and buses is held, km/h: their curves rise steeply at the range's lower
#: end (1.6 g/km at 10 km/h, 6.9 at 5 for an articulated Euro VI), where no measurement supports them.
HEAVY_NOX_FLOOR_KMH = 10.0


def pollutant_index(name: str) -> int:
    """Position of a pollutant on the last axis of an emission array.

    Raises
    ------
    AirError
        If it is not one of `POLLUTANTS`.
    """
    if name not in POLLUTANTS:
        raise AirError(f"unknown pollutant {name!r}; allowed: {list(POLLUTANTS)}")
    return POLLUTANTS.index(name)


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
        If there is no such row, or a speed is not above 0.

    References
    ----------
    EMEP/EEA air pollutant emission inventory guidebook 2019, chapter 1.A.3.b.i-iv, Appendix 4. Holding the rate below
    the range is a modelling choice.
    """
    row = factor_row(vehicle_id, pollutant)
    speed = _checked(speed_kmh)
    low, high = float(row["v_min_kmh"]), float(row["v_max_kmh"])
    if row["form"] == "CONST":
        factor = np.full(speed.shape, float(row["c1"]))
        low = low if np.isfinite(low) else 0.0  # a share or a fuel's carbon holds at every speed
    else:
        if pollutant == "NOx" and vehicle_id.startswith(("HGV", "BUS")):
            low = max(low, HEAVY_NOX_FLOOR_KMH)
        c1, c2, c3, c4, c5, c6, c7, c8 = (float(row[name]) for name in COEFFICIENTS)
        v = np.clip(speed, low, high)
        factor = (c1 * v**2 + c2 * v + c3 + c4 / v) / (c5 * v**2 + c6 * v + c7) * (1.0 - c8)
    return factor * np.maximum(low / speed, 1.0)


def wear_factor(
    wear_id: str, speed_kmh: np.ndarray, *, size: str = "PM2.5", tyre_factor: float = 1.0, brake_factor: float = 1.0
) -> np.ndarray:
    """Particles from tyres, brakes and road surface at mean speeds, g/km: total dust x mass share x speed term.

    Parameters
    ----------
    wear_id : str
        `PC`, `LCV`, `HDV_2axle_50pct` or `HDV_5axle_50pct` (half loaded).
    speed_kmh : ndarray
        Above 0, km/h.
    size : str
        `"PM2.5"` or `"PM10"`.
    tyre_factor, brake_factor : float
        Of this vehicle over the usual one of its size.

    Returns
    -------
    ndarray
        As `speed_kmh`. Dust whirled up from the road is not in it.

    Raises
    ------
    AirError
        If there is no such vehicle or size, or a speed is not above 0.

    References
    ----------
    EMEP/EEA guidebook 2019, chapter 1.A.3.b.vi-vii, Tier 2; up to 40 km/h the terms are 1.39 (tyre) and 1.67 (brake).
    """
    speed = _checked(speed_kmh)
    tyre = np.select([speed < 40, speed <= 90], [1.39, 1.78 - 0.00974 * speed], 0.902)
    brake = np.select([speed < 40, speed <= 95], [1.67, 2.75 - 0.027 * speed], 0.185)
    total = np.zeros(speed.shape)
    terms = (("tyre", tyre_factor * tyre), ("brake", brake_factor * brake), ("road", 1.0))
    for part, speed_term in terms:
        row = factor_row(wear_id, f"{size}_{part}")
        total = total + float(row["c1"]) * float(row["c2"]) * speed_term
    return total


def emission_table(fleet: Fleet, *, speed_kmh: np.ndarray = SPEED_KNOTS_KMH) -> np.ndarray:
    """Emission of the average vehicle of each class at each speed of the histogram, g/m, shape (C, B, P).

    Parameters
    ----------
    fleet : Fleet
    speed_kmh : ndarray, shape (B,)
        Speeds at which the histogram is kept; by default those of `simulation.link_state`.

    Returns
    -------
    ndarray, shape (C, B, P)
        Order of `VEHICLE_CLASSES` and of `POLLUTANTS`.
    """
    table = np.zeros((len(VEHICLE_CLASSES), len(speed_kmh), len(POLLUTANTS)))
    for entry in fleet.entries:
        table[VEHICLE_CLASSES.index(entry.vehicle_class)] += entry.share * _entry_factors(entry, speed_kmh)
    return table / 1000.0


def energy_table(fleet: Fleet, *, speed_kmh: np.ndarray = SPEED_KNOTS_KMH) -> np.ndarray:
    """Energy of the average vehicle of each class at each speed of the histogram, MJ/m and kWh/m, shape (C, B, 2).

    Give it to `link_emissions` in place of an emission table to get the energy of every link.

    Parameters
    ----------
    fleet, speed_kmh
        As for `emission_table`.

    Returns
    -------
    ndarray, shape (C, B, 2)
        Order of `VEHICLE_CLASSES` and of `ENERGY`: fuel by its lower heating value, electricity out of the battery
        (losses of charging are left out).
    """
    table = np.zeros((len(VEHICLE_CLASSES), len(speed_kmh), len(ENERGY)))
    for entry in fleet.entries:
        of_class = table[VEHICLE_CLASSES.index(entry.vehicle_class)]
        if entry.exhaust_id:
            of_class[:, 0] += entry.share * hot_factor(entry.exhaust_id, "energy", speed_kmh)
        if entry.battery_id:
            of_class[:, 1] += entry.share * electricity(entry.battery_id, speed_kmh) / 1000.0
    return table / 1000.0


def link_emissions(interval: LinkInterval, tables: Sequence[np.ndarray], group: np.ndarray | None = None) -> np.ndarray:
    """What each link emits (or uses) in an interval: distance by class and speed times the amount a metre.

    Parameters
    ----------
    interval : LinkInterval
        A vehicle counts where and when it leaves a link, with its mean speed over it.
    tables : sequence of ndarray, shape (C, B, Q)
        One for each fleet, all from `emission_table`, or all from `energy_table`.
    group : ndarray of int, shape (L,), optional
        Which table holds on each link; all links use the first if left out.

    Returns
    -------
    ndarray, shape (L, Q)
        In the interval: g in the order of `POLLUTANTS`, or MJ and kWh in that of `ENERGY`. Zero without traffic.

    Raises
    ------
    AirError
        If a table has other classes or bins than the interval, or a group has no table.
    """
    n_links, *bins = interval.speed_distance_m.shape
    faults = [
        f"table {number} has shape {table.shape}, the interval needs ({bins[0]}, {bins[1]}, {tables[0].shape[-1]})"
        for number, table in enumerate(tables)
        if table.shape != (*bins, tables[0].shape[-1])
    ]
    if group is not None and n_links and not 0 <= group.min() <= group.max() < len(tables):
        faults.append(f"groups run from {group.min()} to {group.max()}; there are {len(tables)} tables")
    if faults:
        raise AirError("link emissions cannot be computed: " + "; ".join(faults))
    distance = interval.speed_distance_m.reshape(n_links, -1)
    flat = [table.reshape(-1, table.shape[-1]) for table in tables]
    emitted = distance @ flat[0]
    if group is not None:
        for number in range(1, len(flat)):
            chosen = group == number
            emitted[chosen] = distance[chosen] @ flat[number]
    return emitted


def link_strength(grams: np.ndarray, length_m: np.ndarray, step_s: float) -> np.ndarray:
    """Strength of each link as a line source over an interval, g/m/s: its grams over its length and the interval.

    Parameters
    ----------
    grams : ndarray, shape (L, P)
        From `link_emissions`.
    length_m : ndarray, shape (L,)
        Above 0, m.
    step_s : float
        Length of the interval, s.
    """
    return grams / (np.asarray(length_m, dtype=float)[:, None] * step_s)


def _entry_factors(entry: FleetEntry, speed_kmh: np.ndarray) -> np.ndarray:
    """(B, P) g/km of one kind of vehicle."""
    by_name = {
        name: wear_factor(
            entry.wear_id, speed_kmh, size=size, tyre_factor=entry.tyre_factor, brake_factor=entry.brake_factor
        )
        for name, size in (("pm25", "PM2.5"), ("pm10", "PM10"))
    }
    if entry.exhaust_id:
        nox = hot_factor(entry.exhaust_id, "NOx", speed_kmh)
        soot = hot_factor(entry.exhaust_id, "PM_exhaust", speed_kmh)  # the guidebook takes all of it as PM2.5
        by_name |= {name: by_name[name] + soot for name in ("pm25", "pm10")}
        by_name["nox"] = nox
        by_name["no2"] = nox * float(factor_row(entry.exhaust_id, "f_NO2")["c1"])
        grams_per_mj = float(factor_row(f"fuel_{entry.fuel}", "CO2")["c1"])
        by_name["co2"] = hot_factor(entry.exhaust_id, "energy", speed_kmh) * grams_per_mj
    none = np.zeros(len(speed_kmh))
    return np.stack([by_name.get(name, none) for name in POLLUTANTS], axis=1)


def _checked(speed_kmh: np.ndarray) -> np.ndarray:
    speed = np.asarray(speed_kmh, dtype=float)
    if not (speed > 0).all():
        raise AirError(f"emission factors need speeds above 0 km/h; found {speed[~(speed > 0)].ravel()[:3].tolist()}")
    return speed
