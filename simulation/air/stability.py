"""Pasquill stability: from wind, sun and cloud to a class, from a class to an Obukhov length.

The day's columns are those of US EPA's solar-radiation method, which puts limits in W/m2 on Pasquill's strong, moderate
and slight sun and names one class where he names two (EPA-454/R-99-005, February 2000, section 6.4.2, table 6-7; the
night there needs a temperature gradient). The night's columns, by cloud, are Pasquill's (1961), Meteorol. Mag. 90, 33,
as NOAA's READY prints them (ready.noaa.gov/READYpgclass.php).

| wind at 10 m, m/s | >= 925 W/m2 | 675-925 | 175-675 | < 175 | night, cloud > 4/8 | night, <= 4/8 |
| ----------------- | ----------- | ------- | ------- | ----- | ------------------ | ------------- |
| below 2           | A           | A       | B       | D     | E                  | F             |
| 2 to 3            | A           | B       | C       | D     | E                  | F             |
| 3 to 5            | B           | B       | C       | D     | D                  | E             |
| 5 to 6            | C           | C       | D       | D     | D                  | D             |
| 6 and above       | C           | D       | D       | D     | D                  | D             |

A limit itself belongs to the row of stronger wind and to the column of stronger sun. D holds under an overcast sky, by
day and by night, and in the hour before and the hour after the night (READY, note 3). Night lasts from one hour before
sunset to one hour after sunrise: `simulation.air.solar.dark_within`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.air.errors import AirError, WeatherError

#: Names of the classes 0 to 5: A extremely unstable, D neutral, F moderately stable.
CLASSES = "ABCDEF"
#: Lower limits of the rows 2 to 5, m/s.
WIND_LIMITS_MPS = (2.0, 3.0, 5.0, 6.0)
#: Least global radiation of slight, moderate and strong sun, W/m2 (EPA-454/R-99-005, table 6-7).
RADIATION_LIMITS_W_PER_M2 = (175.0, 675.0, 925.0)
#: Cloud share above which the sky counts as overcast: nearer to 8/8 than to 7/8 (assumed reading of "overcast").
OVERCAST_SHARE = 7.5 / 8.0
_NEUTRAL = CLASSES.index("D")
#: Rows of wind; columns weak, slight, moderate and strong sun, night under cloud, clear night.
_TABLE = np.array(
    [[CLASSES.index(c) for c in row] for row in ("DBAAEF", "DCBAEF", "DCBBDE", "DDCCDD", "DDDCDD")], dtype=np.int8
)
#: L = sign times size times z0^power, m, of A, B, C and, with the sign turned, F, E: Pasquill (1974) as in
#: `GasDispersion.jl` (GitHub `aefarrell/GasDispersion.jl` @27ac300).
_LENGTH = {"A": (-11.4, 0.10), "B": (-26.0, 0.17), "C": (-123.0, 0.30), "E": (123.0, 0.30), "F": (26.0, 0.17)}


def pasquill_class(
    wind_10m: ArrayLike,
    radiation: ArrayLike,
    cloud: ArrayLike,
    is_night: ArrayLike,
    *,
    beside_night: ArrayLike | bool = False,
) -> NDArray[np.int8]:
    """Index into `CLASSES` of each hour.

    Parameters
    ----------
    wind_10m : array_like
        Wind at 10 m over open land, m/s, 0 or more.
    radiation : array_like
        Global radiation, W/m2, 0 or more; read by day alone.
    cloud : array_like
        Share of the sky, 0 to 1; read by night, and for an overcast sky.
    is_night : array_like of bool
        From one hour before sunset to one hour after sunrise.
    beside_night : array_like of bool, optional
        Within the hour before or after that night: neutral.

    Returns
    -------
    ndarray of int8, the common shape of the arguments
        0 (A) to 5 (F).

    Raises
    ------
    WeatherError
        If a value is missing or out of range; all are named, with rows.

    Examples
    --------
    >>> [CLASSES[k] for k in pasquill_class([1.0, 4.0, 1.0], [950.0, 300.0, 0.0], [0.0, 0.2, 0.1], [0, 0, 1])]
    ['A', 'C', 'F']
    """
    wind, sun, sky, night, beside = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (wind_10m, radiation, cloud)),
        np.asarray(is_night, dtype=bool),
        np.asarray(beside_night, dtype=bool),
    )
    check_rows(
        ("wind_10m", wind, 0.0, np.inf, "m/s"),
        ("radiation", sun, 0.0, np.inf, "W/m2"),
        ("cloud", sky, 0.0, 1.0, "of the sky"),
        what="Pasquill class",
    )
    row = np.searchsorted(WIND_LIMITS_MPS, wind, side="right")
    day = np.searchsorted(RADIATION_LIMITS_W_PER_M2, sun, side="right")
    column = np.where(night, np.where(sky > 0.5, 4, 5), day)
    neutral = (sky >= OVERCAST_SHARE) | (beside & ~night)
    return np.where(neutral, np.int8(_NEUTRAL), _TABLE[row, column])


def obukhov_length(stability: ArrayLike, z0_m: float, *, min_stable_m: float = 0.0) -> NDArray[np.float64]:
    """Obukhov length that stands for a class over a roughness, m: negative unstable, positive stable, D infinite.

    Parameters
    ----------
    stability : array_like of int
        0 (A) to 5 (F).
    z0_m : float
        Roughness length, m, above 0.
    min_stable_m : float
        Stable lengths are at least this, m: see `boundary_layer` on cities.

    Returns
    -------
    ndarray, the shape of `stability`

    Raises
    ------
    AirError
        If a class or the roughness is out of range.

    References
    ----------
    Pasquill (1974), Atmospheric Diffusion, as in GitHub `aefarrell/GasDispersion.jl` @27ac300.
    """
    classes = np.asarray(stability)
    faults = []
    if not np.issubdtype(classes.dtype, np.integer) or ((classes < 0) | (classes >= len(CLASSES))).any():
        faults.append(f"stability must be whole numbers 0 (A) to 5 (F); found {np.unique(classes)[:8]}")
    if not 0.0 < z0_m < np.inf:
        faults.append(f"z0_m={z0_m:g} must be above 0 m")
    if faults:
        raise AirError("Obukhov length: " + "; ".join(faults))
    length = np.full(len(CLASSES), np.inf)
    for name, (size, power) in _LENGTH.items():
        length[CLASSES.index(name)] = size * z0_m**power
    return np.where(length > 0, np.maximum(length, min_stable_m), length)[classes]


def check_rows(*columns: tuple[str, np.ndarray, float, float, str], what: str) -> None:
    """Refuse values that are missing or out of their closed range.

    Parameters
    ----------
    columns : tuple of (name, values, low, high, unit)
    what : str
        What is being made of them.

    Raises
    ------
    WeatherError
        Naming every column at fault, how many rows, and the first five.
    """
    faults = []
    for name, values, low, high, unit in columns:
        bad = ~((values >= low) & (values <= high) & np.isfinite(values))
        if bad.any():
            flat = np.flatnonzero(bad)
            rows = ", ".join(f"{row}: {np.ravel(values)[row]:g}" for row in flat[:5])
            faults.append(
                f"{name} is missing or outside {low:g} to {high:g} {unit} in {flat.size} row(s) ({rows}"
                f"{', ...' if flat.size > 5 else ''})"
            )
    if faults:
        raise WeatherError(
            f"{what}: " + "; ".join(faults) + "; fill or correct these (see `complete_weather`), calm hours are 0 m/s"
        )
