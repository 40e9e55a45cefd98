"""The United Kingdom's Calculation of Road Traffic Noise (1988): one straight road, an independent check of the rest.

Gives L10, the level exceeded in 10 % of an hour, from flow, speed and heavy vehicles. Not used by `NoiseModel`.
"""

from __future__ import annotations

import numpy as np

from simulation.noise.errors import NoiseError

#: The basic level holds this far from the effective source line, m: 10 m from the kerb, the line 3.5 m inside of it.
REFERENCE_DISTANCE_M, LINE_INSIDE_KERB_M = 13.5, 3.5
#: Height of the source line above the road, m.
SOURCE_HEIGHT_M = 0.5
#: How far L10 lies above the equivalent level of ordinary traffic, dB (usual conversion; as used in Australia).
L10_ABOVE_LEQ_DB = 3.0


def basic_level(
    flow_veh_per_h: np.ndarray | float,
    speed_kmh: np.ndarray | float,
    *,
    heavy_percent: np.ndarray | float = 0.0,
    gradient_percent: float = 0.0,
) -> np.ndarray:
    """Basic noise level: hourly L10 at 10 m from the kerb of a long road.

    `42.2 + 10 lg q + 33 lg(V + 40 + 500/V) + 10 lg(1 + 5 p/V) - 68.8 + 0.3 G`.

    Parameters
    ----------
    flow_veh_per_h : ndarray or float
        All vehicles, both directions, above 0.
    speed_kmh : ndarray or float
        Mean speed, above 0 km/h; the method was fitted between 20 and 130.
    heavy_percent : ndarray or float
        Vehicles above 1.5 t unladen, 0..100 %.
    gradient_percent : float

    Returns
    -------
    ndarray
        dB(A), L10; free field.

    Raises
    ------
    NoiseError
        If a flow or a speed is not above 0 or the share is not a percentage: all of them are named.

    References
    ----------
    Department of Transport and Welsh Office (1988), Calculation of Road Traffic Noise, charts 2 to 6.
    """
    q, v, p = (np.asarray(x, dtype=float) for x in (flow_veh_per_h, speed_kmh, heavy_percent))
    checks = {
        f"flow above 0 veh/h (lowest {np.min(q):g})": (q > 0).all(),
        f"speed above 0 km/h (lowest {np.min(v):g})": (v > 0).all(),
        f"heavy vehicles of 0..100 % ({np.min(p):g}..{np.max(p):g})": ((p >= 0) & (p <= 100)).all(),
    }
    wrong = [what for what, good in checks.items() if not good]
    if wrong:
        raise NoiseError(f"no basic noise level: needs {'; '.join(wrong)}")
    speed = 33.0 * np.log10(v + 40.0 + 500.0 / v) + 10.0 * np.log10(1.0 + 5.0 * p / v) - 68.8
    return 42.2 + 10.0 * np.log10(q) + speed + 0.3 * gradient_percent


def distance_correction(distance_m: np.ndarray | float, height_m: float) -> np.ndarray:
    """What distance takes from the basic level over hard ground: `-10 lg(sqrt((d + 3.5)^2 + h^2) / 13.5)`.

    Parameters
    ----------
    distance_m : ndarray or float
        From the kerb, 4 m or more.
    height_m : float
        Of the receiver above the road; h is its height above the source line.

    Returns
    -------
    ndarray
        dB.

    Raises
    ------
    NoiseError
        Below 4 m, where the chart ends.
    """
    d = np.asarray(distance_m, dtype=float)
    if not (d >= 4.0).all():
        raise NoiseError(f"CRTN holds from 4 m off the kerb; found {np.min(d):g} m")
    return -10.0 * np.log10(np.hypot(d + LINE_INSIDE_KERB_M, height_m - SOURCE_HEIGHT_M) / REFERENCE_DISTANCE_M)
