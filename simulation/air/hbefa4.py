"""HBEFA 4 polynomials of speed and acceleration: electricity of battery vehicles, and a second opinion on exhaust.

A polynomial gives a rate at an instant, where an EMEP/EEA curve gives the mean over a cycle with stops in it. At one
steady speed the rate over the speed is a factor per kilometre; `electricity` adds the stops that a low mean speed
tells of, which would else be missing. Coefficients stand in `data/defaults/hbefa4_polynomials.csv`.

References
----------
Fit of HBEFA 4.2 (Handbook emission factors for road transport, INFRAS) as published in Eclipse SUMO,
`src/utils/emissions/HelpersHBEFA4`; SUMO tells fit errors of 4-8 % for the CO2 and 14-58 % for the NOx of cars.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from data.units import MPS_PER_KMH
from simulation.air.errors import AirError

#: Quantities and the unit of their rate; PM10 counts exhaust and wear.
RATE_UNITS = {"CO2": "mg/s", "NOx": "mg/s", "PM10": "mg/s", "electricity": "Wh/s"}

#: Speed between stops of town traffic, km/h. Assumed: the usual limit.
URBAN_CRUISE_KMH = 50.0
#: Time that one stop costs, s: 20 s of standing (as in SUMO's stop-and-go run) and 4 s for braking and starting
#: (13.9 m/s / 2 / 2.6 m/s2 + 13.9 / 2 / 4.5). Assumed for other vehicles too.
STOP_COST_S = 24.0
#: Below this distance between stops a queue crawls and does not reach `URBAN_CRUISE_KMH` any more, m. Assumed.
LEAST_STOP_DISTANCE_M = 150.0
#: Share of the work of starting that braking gives back. Assumed; the polynomial itself gives nothing back.
RECOVERED_SHARE = 0.5


@cache
def polynomials() -> pd.DataFrame:
    """The coefficients c1 to c7, indexed by (vehicle_id, quantity), with `unit`, `hbefa_class` and `source`."""
    with files("data").joinpath("defaults/hbefa4_polynomials.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle).set_index(["vehicle_id", "quantity"]).sort_index()


@cache
def battery_vehicles() -> tuple[str, ...]:
    """Ids with a polynomial of electricity, in alphabetical order."""
    index = polynomials().index
    return tuple(sorted(index[index.get_level_values(1) == "electricity"].get_level_values(0)))


def rate(
    vehicle_id: str, quantity: str, speed_mps: np.ndarray, acceleration_mps2: np.ndarray | float = 0.0
) -> np.ndarray:
    """Rate at an instant: `max(c1 + c2 v + c3 a + c4 v^2 + c5 v^3 + c6 a v + c7 a v^2, 0)`.

    Parameters
    ----------
    vehicle_id, quantity : str
        A row of `polynomials`, e.g. `"PC_diesel_E5"`, `"CO2"`.
    speed_mps, acceleration_mps2 : ndarray
        m/s (0 or more) and m/s2, of shapes that fit each other.

    Returns
    -------
    ndarray
        mg/s; Wh/s for electricity. Nothing is given back while braking.

    Raises
    ------
    AirError
        If there is no such row, naming those there are, or a speed is below 0 or not a number.
    """
    c1, c2, c3, c4, c5, c6, c7 = _coefficients(vehicle_id, quantity)
    v, a = np.asarray(speed_mps, dtype=float), np.asarray(acceleration_mps2, dtype=float)
    if not (v >= 0).all():
        raise AirError(f"speeds must be numbers of 0 m/s or more; the lowest of {vehicle_id!r} is {v.min():g} m/s")
    return np.maximum(c1 + c2 * v + c4 * v**2 + c5 * v**3 + a * (c3 + c6 * v + c7 * v**2), 0.0)


def steady_factor(vehicle_id: str, quantity: str, speed_kmh: np.ndarray) -> np.ndarray:
    """Factor at steady speeds above 0 km/h: the rate without acceleration over the speed, g/km (electricity: Wh/km)."""
    v = np.asarray(speed_kmh, dtype=float) * MPS_PER_KMH
    if not (v > 0).all():
        raise AirError(f"a factor per kilometre needs speeds above 0 km/h; found {np.min(speed_kmh):g} km/h")
    return rate(vehicle_id, quantity, v) / v * (1000.0 if quantity == "electricity" else 1.0)


def electricity(vehicle_id: str, speed_kmh: np.ndarray, *, recovered_share: float = RECOVERED_SHARE) -> np.ndarray:
    """Electricity of a battery vehicle at mean speeds over a link, Wh/km.

    From `URBAN_CRUISE_KMH` on the steady factor. Below, the larger of the steady factor at the mean speed and of a trip
    at cruising speed w with stops: whoever is slower has spent the difference in stops of `STOP_COST_S` each, at least
    `LEAST_STOP_DISTANCE_M` apart, and each stop costs the polynomial's work of starting, less what braking gave back:

        E(v) = max(P(v) / v, P(w) / w + n(v) (1 - r) (c3 w + c6 w^2 / 2 + c7 w^3 / 3))
        n(v) = min((1/v - 1/w) / t, 1/d)

    SUMO's car that stops every 300 m takes 216.6 Wh/km at a mean of 24.63 km/h and recovers nothing; this form gives
    231 without and 175 with recovery, the steady factor alone 165. Towards standstill the polynomial's constant rules:
    2.9 kW for a car, 19 kW for a bus, which is much for heating and light, so crawling is rather overstated.

    Parameters
    ----------
    vehicle_id : str
        One of `battery_vehicles()`.
    speed_kmh : ndarray
        Above 0, km/h.
    recovered_share : float
        r, from 0 to 1.

    Returns
    -------
    ndarray
        As `speed_kmh`.
    """
    _, _, c3, _, _, c6, c7 = _coefficients(vehicle_id, "electricity")
    steady = steady_factor(vehicle_id, "electricity", speed_kmh)
    cruise = URBAN_CRUISE_KMH * MPS_PER_KMH
    start_wh = c3 * cruise + c6 * cruise**2 / 2.0 + c7 * cruise**3 / 3.0
    delay_s_per_m = np.maximum(1.0 / (np.asarray(speed_kmh, dtype=float) * MPS_PER_KMH) - 1.0 / cruise, 0.0)
    stops_per_km = 1000.0 * np.minimum(delay_s_per_m / STOP_COST_S, 1.0 / LEAST_STOP_DISTANCE_M)
    cruising = steady_factor(vehicle_id, "electricity", np.array(URBAN_CRUISE_KMH))
    with_stops = cruising + stops_per_km * (1.0 - recovered_share) * start_wh
    return np.where(delay_s_per_m > 0, np.maximum(steady, with_stops), steady)


@cache
def _coefficients(vehicle_id: str, quantity: str) -> tuple[float, ...]:
    table = polynomials()
    if (vehicle_id, quantity) not in table.index:
        known = sorted(table.index[table.index.get_level_values(1) == quantity].get_level_values(0))
        told = f"allowed: {known}" if known else f"quantities: {list(RATE_UNITS)}"
        raise AirError(f"no HBEFA 4 polynomial of {quantity!r} for vehicle {vehicle_id!r}; {told}")
    return tuple(float(table.loc[(vehicle_id, quantity), f"c{n}"]) for n in range(1, 8))
