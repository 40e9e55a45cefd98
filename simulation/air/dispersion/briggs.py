"""Briggs' spread of a plume by stability class: the textbook curves that kernels are checked with.

Source: Briggs (1973), Diffusion estimation for small emissions, ATDL-106; coefficients as in GitHub
`aefarrell/GasDispersion.jl` @27ac300 `briggs.jl`. Made for 100 m to 10 km.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.air.errors import AirError

# sigma = factor x (1 + rate x)^power; (factor, rate per m, power) of sigma_y and sigma_z
_Curve = tuple[float, float, float]
_URBAN_AB: tuple[_Curve, _Curve] = ((0.32, 4e-4, -0.5), (0.24, 1e-3, 0.5))
_URBAN_EF: tuple[_Curve, _Curve] = ((0.11, 4e-4, -0.5), (0.08, 1.5e-3, -0.5))
URBAN: dict[str, tuple[_Curve, _Curve]] = {
    "A": _URBAN_AB,
    "B": _URBAN_AB,
    "C": ((0.22, 4e-4, -0.5), (0.20, 0.0, 0.0)),
    "D": ((0.16, 4e-4, -0.5), (0.14, 3e-4, -0.5)),
    "E": _URBAN_EF,
    "F": _URBAN_EF,
}
RURAL: dict[str, tuple[_Curve, _Curve]] = {
    "A": ((0.22, 1e-4, -0.5), (0.20, 0.0, 0.0)),
    "B": ((0.16, 1e-4, -0.5), (0.12, 0.0, 0.0)),
    "C": ((0.11, 1e-4, -0.5), (0.08, 2e-4, -0.5)),
    "D": ((0.08, 1e-4, -0.5), (0.06, 1.5e-3, -0.5)),
    "E": ((0.06, 1e-4, -0.5), (0.03, 3e-4, -1.0)),
    "F": ((0.04, 1e-4, -0.5), (0.016, 3e-4, -1.0)),
}


def briggs_sigma(
    x_m: ArrayLike, stability: str, *, urban: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Lateral and vertical spread, m, at distances downwind.

    Parameters
    ----------
    x_m : array_like
        Distance downwind, m, not negative.
    stability : {"A", "B", "C", "D", "E", "F"}
        Pasquill class.
    urban : bool
        Over a city, or over open country.

    Returns
    -------
    sigma_y, sigma_z : ndarray, the shape of `x_m`
        m.

    Raises
    ------
    AirError
        If the class is unknown or a distance negative or missing.
    """
    x = np.asarray(x_m, dtype=float)
    faults = [] if stability in URBAN else [f"stability={stability!r} is none of {', '.join(URBAN)}"]
    if not (x >= 0.0).all():
        faults.append("distances must be 0 m or more; take the plume upwind of its source as none")
    if faults:
        raise AirError("Briggs' curves: " + "; ".join(faults))
    lateral, vertical = (URBAN if urban else RURAL)[stability]
    return _curve(x, lateral), _curve(x, vertical)


def _curve(x: NDArray[np.float64], curve: _Curve) -> NDArray[np.float64]:
    factor, rate, power = curve
    result: NDArray[np.float64] = factor * x * (1.0 + rate * x) ** power
    return result
