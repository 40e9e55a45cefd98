"""What road vehicles sound like: sound power in octaves by category, speed and temperature (CNOSSOS-EU, 2021 values).

A vehicle is one point source 0.05 m above the road: rolling noise, which grows with the logarithm of speed, plus
propulsion noise, which grows with speed. A stream of vehicles is a line source. Reference road surface (dense asphalt),
dry, no gradient, no studded tyres. Engines count as combustion engines: battery vehicles are too loud below 30 km/h.
Decibels are re 1 pW for power and re 20 uPa for pressure.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.noise.errors import NoiseError

#: Nominal midband frequencies, Hz; the last axis of every spectrum.
OCTAVES_HZ: tuple[int, ...] = (63, 125, 250, 500, 1000, 2000, 4000, 8000)
N_OCTAVES = len(OCTAVES_HZ)
#: A-weighting of the octaves, dB (IEC 61672-1, rounded as in Directive (EU) 2015/996).
A_WEIGHT_DB = np.array([-26.2, -16.1, -8.6, -3.2, 0.0, 1.2, 1.0, -1.1])
#: 1 cars and vans up to 3.5 t, 2 lorries and buses of two axles, 3 of three and more.
CATEGORIES: tuple[int, ...] = (1, 2, 3)
REFERENCE_SPEED_KMH = 70.0
REFERENCE_TEMPERATURE_C = 20.0
#: Speeds are held within this range, km/h: the directive's formula ends there.
SPEED_RANGE_KMH = (20.0, 130.0)
#: Kinds of junction, and what accelerating and braking add at the junction itself to rolling and to propulsion noise,
#: dB, by category; falls linearly to nothing at `JUNCTION_REACH_M` (Directive (EU) 2021/1226, as read from GitHub
#: Universite-Gustave-Eiffel/NoiseModelling @7b4ccd7).
SIGNAL, ROUNDABOUT = 1, 2
JUNCTION_DB: dict[int, dict[int, tuple[float, float]]] = {
    SIGNAL: {1: (-4.5, 5.5), 2: (-4.0, 9.0), 3: (-4.0, 9.0)},
    ROUNDABOUT: {1: (-4.4, 3.1), 2: (-2.3, 6.7), 3: (-2.3, 6.7)},
}
JUNCTION_REACH_M = 100.0


@cache
def coefficients(category: int) -> pd.DataFrame:
    """Rows of `data/defaults/noise_cnossos.csv` of one category, one an octave.

    Raises
    ------
    NoiseError
        If there is no such category.
    """
    with files("data").joinpath("defaults/noise_cnossos.csv").open(encoding="utf-8") as handle:
        table = pd.read_csv(handle)
    rows = table[table["category"] == category]
    if rows.empty:
        raise NoiseError(f"vehicle category {category!r} is not known; use one of {CATEGORIES}")
    return rows.set_index("band_hz").loc[list(OCTAVES_HZ)]


@cache
def class_categories() -> dict[str, tuple[tuple[int, float], ...]]:
    """Categories and shares that stand for each of `VEHICLE_CLASSES`: `data/defaults/noise_classes.csv`."""
    with files("data").joinpath("defaults/noise_classes.csv").open(encoding="utf-8") as handle:
        table = pd.read_csv(handle)
    found = {
        str(name): tuple((int(c), float(s)) for c, s in zip(rows["category"], rows["share"]))
        for name, rows in table.groupby("vehicle_class", sort=False)
    }
    return {name: found[name] for name in VEHICLE_CLASSES}


def rolling_and_propulsion(
    category: int, speed_kmh: np.ndarray | float, *, temperature_c: float = REFERENCE_TEMPERATURE_C
) -> tuple[np.ndarray, np.ndarray]:
    """Sound power levels of one vehicle's two sources.

    `L_R = A_R + B_R lg(v/70) + K (20 - T)`, `L_P = A_P + B_P (v - 70)/70`, v held within 20..130 km/h.

    Parameters
    ----------
    category : int
        One of `CATEGORIES`.
    speed_kmh : ndarray or float
        0 or more, km/h.
    temperature_c : float
        Of the air, deg C; cold tyres are louder.

    Returns
    -------
    rolling, propulsion : ndarray, shape (..., 8)
        dB re 1 pW in each octave, not weighted.

    Raises
    ------
    NoiseError
        If the category is unknown, a speed is negative or missing, or the temperature is not finite.

    References
    ----------
    Directive (EU) 2015/996, equations 2.2.4, 2.2.10 and 2.2.11, with the coefficients of (EU) 2021/1226.
    """
    row = coefficients(category)
    speed = np.asarray(speed_kmh, dtype=float)
    wrong = []
    if not (np.isfinite(speed) & (speed >= 0.0)).all():
        wrong.append(
            f"{int((~(speed >= 0.0)).sum() + np.isposinf(speed).sum())} speeds are negative, missing or infinite"
        )
    if not np.isfinite(temperature_c):
        wrong.append(f"temperature {temperature_c} deg C is not finite")
    if wrong:
        raise NoiseError(f"no sound power: {'; '.join(wrong)}; give speeds of 0 km/h or more")
    v = np.clip(speed, *SPEED_RANGE_KMH)[..., None]
    a_r, b_r, a_p, b_p, k = (row[name].to_numpy() for name in ("a_r_db", "b_r_db", "a_p_db", "b_p_db", "k_db_per_c"))
    rolling = a_r + b_r * np.log10(v / REFERENCE_SPEED_KMH) + k * (REFERENCE_TEMPERATURE_C - temperature_c)
    return rolling, a_p + b_p * (v - REFERENCE_SPEED_KMH) / REFERENCE_SPEED_KMH


def vehicle_level(
    category: int, speed_kmh: np.ndarray | float, *, temperature_c: float = REFERENCE_TEMPERATURE_C
) -> np.ndarray:
    """Sound power level of one vehicle, rolling and propulsion summed by energy (equation 2.2.2).

    Parameters, errors and shapes as `rolling_and_propulsion`; returns dB re 1 pW, shape (..., 8).
    """
    rolling, propulsion = rolling_and_propulsion(category, speed_kmh, temperature_c=temperature_c)
    return 10.0 * np.log10(10.0 ** (rolling / 10.0) + 10.0 ** (propulsion / 10.0))


def line_level(level_db: np.ndarray, flow_veh_per_h: np.ndarray | float, speed_kmh: np.ndarray | float) -> np.ndarray:
    """Sound power level a metre of road of a steady stream: `L_W + 10 lg(q / (1000 v))` (equation 2.2.1).

    The speed is held within 20..130 km/h here too: a metre of road with the same flow sounds alike at 20 km/h and
    below. Time that vehicles stand adds nothing, for an idling engine is far quieter than one that moves its vehicle.

    Parameters
    ----------
    level_db : ndarray, shape (..., 8)
        Of one vehicle.
    flow_veh_per_h, speed_kmh : ndarray or float, shape (...)

    Returns
    -------
    ndarray, shape (..., 8)
        dB re 1 pW/m; `-inf` where nobody drives.

    Raises
    ------
    NoiseError
        If a flow is negative or missing.
    """
    flow = np.asarray(flow_veh_per_h, dtype=float)
    if not (np.isfinite(flow) & (flow >= 0.0)).all():
        raise NoiseError(f"flows must be 0 veh/h or more and finite; the lowest given is {np.nanmin(flow):g}")
    density = flow / (1000.0 * np.clip(np.asarray(speed_kmh, dtype=float), *SPEED_RANGE_KMH))
    with np.errstate(divide="ignore"):
        return level_db + 10.0 * np.log10(density)[..., None]


def a_level(level_db: np.ndarray) -> np.ndarray:
    """A-weighted total of octave levels, shape (..., 8) to (...), dB(A)."""
    return 10.0 * np.log10((10.0 ** ((np.asarray(level_db) + A_WEIGHT_DB) / 10.0)).sum(axis=-1))


def junction_gain(length_m: np.ndarray, at_start: np.ndarray, at_end: np.ndarray) -> np.ndarray:
    """Factors on rolling and propulsion power of whole links from signals and roundabouts at their ends.

    At distance x from the nearest junction the directive adds `C max(1 - |x|/100 m, 0)` dB (equations 2.2.17 and
    2.2.18); this is the mean of that as energy along the link. A link with junctions at both ends is halved.

    Parameters
    ----------
    length_m : ndarray, shape (n_links,)
    at_start, at_end : ndarray of int, shape (n_links,)
        0 for none, `SIGNAL` or `ROUNDABOUT`.

    Returns
    -------
    ndarray, shape (2, n_links, n_classes)
        Rolling, then propulsion; 1 where no junction is near. Classes in the order of `VEHICLE_CLASSES`.

    Raises
    ------
    NoiseError
        If a length is not positive or a kind is unknown.
    """
    length, start, end = np.asarray(length_m, float), np.asarray(at_start), np.asarray(at_end)
    kinds = np.unique(np.concatenate([start, end])) if length.size else np.empty(0, int)
    if not (length > 0).all() or not np.isin(kinds, [0, SIGNAL, ROUNDABOUT]).all():
        raise NoiseError(f"links need lengths above 0 m and kinds of junction 0, 1 or 2; found kinds {kinds.tolist()}")
    both = (start > 0) & (end > 0)
    gain = np.empty((2, length.size, len(VEHICLE_CLASSES)))
    for c, parts in enumerate(class_categories().values()):
        for source in (0, 1):
            total = np.zeros(length.size)
            for kind, other in ((start, end), (end, start)):
                near = np.where(both, length / 2.0, np.where(kind > 0, length, np.where(other > 0, 0.0, length / 2.0)))
                for category, share in parts:
                    for value in (0, SIGNAL, ROUNDABOUT):
                        rise = JUNCTION_DB[value][category][source] if value else 0.0
                        total += np.where(kind == value, share * _energy_of_ramp(rise, near), 0.0)
            gain[source, :, c] = total / length
    return gain


def _energy_of_ramp(rise_db: float, length: np.ndarray) -> np.ndarray:
    """Integral of 10^(rise (1 - x/reach)/10) over x from 0 to length, 1 beyond the reach; m."""
    near = np.minimum(length, JUNCTION_REACH_M)
    rate = rise_db * np.log(10.0) / 10.0 / JUNCTION_REACH_M
    ramp = near if rate == 0.0 else np.exp(rate * JUNCTION_REACH_M) * -np.expm1(-rate * near) / rate
    return ramp + length - near
