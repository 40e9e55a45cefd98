"""Wind over height near the ground: Monin-Obukhov similarity as AERMOD and R-LINE write it.

    U(z) = (u* / 0.4) [ln((z - d) / z0) - psi(z - d) + psi(z0)],   0 at and below z = d + z0

with z0 the roughness length, d the displacement height (5 z0 unless given), and psi the stability correction of the
Obukhov length L: stable psi = -17 (1 - exp(-0.29 z / L)); unstable, with x = (1 - 16 z / L)^(1/4),
psi = 2 ln((1 + x) / 2) + ln((1 + x^2) / 2) - 2 atan x + pi / 2; neutral (L infinite) 0.

Source: US EPA R-LINE and AERMOD (`src/rline.f90` of AERMOD, as in GitHub `juliowerner/AERMOD-ern` @0cce2e5); Snyder et
al. (2013), doi:10.1016/j.atmosenv.2013.05.074.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.air.errors import AirError, WeatherError

#: Von Karman's constant as in R-LINE and AERMOD.
VON_KARMAN = 0.4
#: Displacement height in roughness lengths, R-LINE and AERMOD.
DISPLACEMENT_PER_Z0 = 5.0
#: The stable correction's amplitude and rate, R-LINE and AERMOD.
STABLE_AMPLITUDE, STABLE_RATE = 17.0, 0.29


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceLayer:
    """One state of the air near the ground.

    Parameters
    ----------
    u_star_mps : float
        Friction velocity, m/s, above 0.
    obukhov_m : float
        Obukhov length, m: negative unstable, positive stable, infinite neutral; never 0.
    sigma_v_mps : float
        Standard deviation of the crosswind velocity, m/s, not negative.
    z0_m : float
        Roughness length, m, above 0.
    displacement_m : float, optional
        Displacement height, m, not negative; 5 z0 unless given.
    wind_factor : float, optional
        Factor on the profile's wind, above 0; for observations of u* and wind that do not agree (R-LINE scales the
        profile to the observed wind and keeps the observed u*).

    Raises
    ------
    AirError
        If any of these is out of range; all faults are named.
    """

    u_star_mps: float
    obukhov_m: float
    sigma_v_mps: float
    z0_m: float
    displacement_m: float = math.nan
    wind_factor: float = 1.0

    def __post_init__(self) -> None:
        if math.isnan(self.displacement_m):
            object.__setattr__(self, "displacement_m", DISPLACEMENT_PER_Z0 * self.z0_m)
        faults = [
            f"{name}={getattr(self, name):g} must be {allowed}"
            for name, good, allowed in (
                ("u_star_mps", 0.0 < self.u_star_mps < math.inf, "above 0 m/s; give calm hours a least wind first"),
                ("obukhov_m", not math.isnan(self.obukhov_m) and self.obukhov_m != 0.0, "a length other than 0 (m)"),
                ("sigma_v_mps", 0.0 <= self.sigma_v_mps < math.inf, "0 m/s or more"),
                ("z0_m", 0.0 < self.z0_m < math.inf, "above 0 m"),
                ("displacement_m", 0.0 <= self.displacement_m < math.inf, "0 m or more"),
                ("wind_factor", 0.0 < self.wind_factor < math.inf, "above 0"),
            )
            if not good
        ]
        if faults:
            raise AirError("surface layer: " + "; ".join(faults))


def wind_speed(layer: SurfaceLayer, z_m: ArrayLike) -> NDArray[np.float64]:
    """Mean wind at heights above ground, m/s, in the shape of `z_m`; 0 at and below displacement + z0.

    Parameters
    ----------
    layer : SurfaceLayer
    z_m : array_like
        Heights above ground, m.
    """
    return (layer.wind_factor * layer.u_star_mps / VON_KARMAN) * profile_factor(
        np.asarray(z_m, dtype=float) - layer.displacement_m, obukhov_m=layer.obukhov_m, z0_m=layer.z0_m
    )


def u_star_from(
    wind_mps: ArrayLike,
    z_ref_m: ArrayLike,
    *,
    obukhov_m: ArrayLike,
    z0_m: ArrayLike,
    displacement_m: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Friction velocity, m/s, that gives the observed wind at its height.

    Parameters
    ----------
    wind_mps : array_like
        Observed wind, m/s, not negative; 0 gives 0.
    z_ref_m : array_like
        Height of the observation above ground, m, above displacement + z0.
    obukhov_m : array_like
        Obukhov length, m, signed, infinite when neutral.
    z0_m : array_like
        Roughness length at the observation, m.
    displacement_m : array_like, optional
        Displacement height there, m; 5 z0 unless given.

    Returns
    -------
    ndarray, the common shape of the arguments
        m/s.

    Raises
    ------
    WeatherError
        If a wind is negative or missing, a length is 0 or missing, or an observation lies too low; all are named.
    """
    wind, height, length, z0 = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (wind_mps, z_ref_m, obukhov_m, z0_m))
    )
    displacement = DISPLACEMENT_PER_Z0 * z0 if displacement_m is None else np.asarray(displacement_m, dtype=float)
    faults = [
        f"{np.count_nonzero(bad)} of {bad.size} {what}"
        for bad, what in (
            (~(np.isfinite(wind) & (wind >= 0.0)), "winds are negative or missing (0 m/s or more are allowed)"),
            (np.isnan(length) | (length == 0.0), "Obukhov lengths are 0 or missing (infinite when neutral)"),
            (~(np.isfinite(z0) & (z0 > 0.0)), "roughness lengths are not above 0 m"),
            (~(height > displacement + z0), "winds are observed at or below displacement + z0, where the profile is 0"),
        )
        if bad.any()
    ]
    if faults:
        raise WeatherError("friction velocity: " + "; ".join(faults))
    return VON_KARMAN * wind / profile_factor(height - displacement, obukhov_m=length, z0_m=z0)


def profile_factor(
    height_m: NDArray[np.float64], *, obukhov_m: ArrayLike, z0_m: ArrayLike
) -> NDArray[np.float64]:  # fmt: skip
    """ln(z / z0) - psi(z) + psi(z0): wind over u*/0.4 at a height above the displacement, 0 at and below z0."""
    above = np.maximum(height_m, z0_m)
    return np.log(above / z0_m) - _psi(above, obukhov_m) + _psi(z0_m, obukhov_m)


def _psi(z: ArrayLike, obukhov_m: ArrayLike) -> NDArray[np.float64]:
    ratio = np.asarray(z, dtype=float) / np.asarray(obukhov_m, dtype=float)
    x = (1.0 - 16.0 * np.minimum(ratio, 0.0)) ** 0.25
    unstable = 2.0 * np.log((1.0 + x) / 2.0) + np.log((1.0 + x * x) / 2.0) - 2.0 * np.arctan(x) + np.pi / 2.0
    return np.where(ratio < 0.0, unstable, STABLE_AMPLITUDE * np.expm1(-STABLE_RATE * np.maximum(ratio, 0.0)))
