"""The NO-NO2-ozone balance over many receptors and hours, in place; ranges are checked by the caller."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def react(
    nox: np.ndarray,  # (H, R) NOx as NO2, any unit that `per_no2` turns into ppb
    no2: np.ndarray,  # (H, R) as mixing leaves it; overwritten by NO2 after reaction
    o3: np.ndarray,  # (H, R) as mixing leaves it; overwritten by ozone after reaction
    leighton: np.ndarray,  # (H,) ppb, photolysis over reaction rate
    rate: np.ndarray,  # (H,) 1/(ppb s)
    residence: np.ndarray,  # (H or 1, R or 1) s
    per_no2: float,  # units of nox and no2 in one ppb
    per_o3: float,  # units of o3 in one ppb
) -> None:
    """Solve the balance of `simulation.air.chemistry.street_no2` for every cell; NaN stays NaN."""
    hour_steps = 1 if residence.shape[0] > 1 else 0
    place_steps = 1 if residence.shape[1] > 1 else 0
    for hour in range(nox.shape[0]):
        light, k = leighton[hour], rate[hour]
        for place in range(nox.shape[1]):
            fresh, ozone = no2[hour, place] / per_no2, o3[hour, place] / per_o3
            total = nox[hour, place] / per_no2
            if total < fresh:
                total = fresh
            monoxide, oxidant = total - fresh, fresh + ozone
            q = k * residence[hour * hour_steps, place * place_steps]
            v = 1.0 / (1.0 + q)
            w = q * v if q < 1.0 else 1.0 - v
            sink = w * light + v
            middle = w * (monoxide - ozone)
            root = math.sqrt(
                middle * middle + sink * sink + 2.0 * w * (w * light * (total + oxidant) + v * (monoxide + ozone))
            )
            formed = w * total * oxidant + v * fresh
            below = w * (total + oxidant) + sink + root
            no2[hour, place] = 2.0 * formed / below * per_no2 if below != 0.0 else 0.0
            first = middle + sink
            source = w * light * oxidant + v * ozone
            if first > 0.0:
                left = 2.0 * source / (first + root)
            else:
                left = (root - first) / (2.0 * w)
            o3[hour, place] = left * per_o3
