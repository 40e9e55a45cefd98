"""A street canyon as one well-mixed box: what leaves through the roof and along the street balances the emission.

The simplest view of a canyon, used by SIRANE and MUNICH: it knows no sides and needs no traffic counts. Beside OSPM it
is the fallback, and a check of the order of magnitude.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from simulation.air.errors import AirError

Exchange = Literal["sirane", "schulte"]
#: Share of sigma_w with which a very wide street exchanges air (Schulte et al. 2015, as used in MUNICH).
SCHULTE = 0.45


def roof_turbulence(
    u_star_mps: ArrayLike, height_m: ArrayLike, mixing_height_m: ArrayLike, *, obukhov_m: ArrayLike = np.inf
) -> np.ndarray:
    """Standard deviation of the vertical wind at roof height, m/s.

    Parameters
    ----------
    u_star_mps : array_like
        Friction velocity, m/s.
    height_m, mixing_height_m : array_like
        Of the roofs and of the boundary layer, m.
    obukhov_m : array_like
        Obukhov length, m: negative in unstable air, positive in stable air, infinite in neutral air.

    Returns
    -------
    ndarray
        1.3 u* (1 - 0.8 H/z_i) in neutral air, 1.3 u* (1 - 0.5 H/z_i)^(3/4) in stable air; in unstable air the neutral
        value and the convective sqrt(0.4) w* 2.1 (H/z_i)^(1/3) (1 - 0.8 H/z_i), root sum of squares, where
        w* = u* (z_i / (0.4 |L|))^(1/3).

    Raises
    ------
    AirError
        For a negative or missing u*, a missing L or 0, or roofs that are not below the mixing height.

    References
    ----------
    Soulhac et al. (2011), doi:10.1016/j.atmosenv.2011.07.008; Kim et al. (2018), doi:10.5194/gmd-11-611-2018.
    """
    u_star, height, top, obukhov = (
        np.asarray(v, dtype=float) for v in (u_star_mps, height_m, mixing_height_m, obukhov_m)
    )
    faults = []
    if not (np.isfinite(u_star) & (u_star >= 0.0)).all():
        faults.append(f"u_star_mps must be at least 0 everywhere; the least is {np.min(u_star):g}")
    if not ((height > 0.0) & (height < top)).all():
        faults.append(
            f"height_m must lie above 0 and below mixing_height_m; found {np.min(height):g} to {np.max(height):g} m"
            f" below {np.min(top):g} m"
        )
    if np.isnan(obukhov).any() or (obukhov == 0.0).any():
        faults.append("obukhov_m must be a number other than 0 (infinite in neutral air)")
    if faults:
        raise AirError("turbulence at the roofs cannot be computed: " + "; ".join(faults))
    share = height / top
    neutral = 1.3 * u_star * (1.0 - 0.8 * share)
    stable = 1.3 * u_star * (1.0 - 0.5 * share) ** 0.75
    w_star = u_star * np.cbrt(top / (0.4 * np.abs(obukhov)))
    convective = np.sqrt(0.4) * w_star * 2.1 * np.cbrt(share) * (1.0 - 0.8 * share)
    return np.where(np.isinf(obukhov), neutral, np.where(obukhov > 0.0, stable, np.hypot(neutral, convective)))


def exchange_velocity(
    sigma_w_mps: ArrayLike, height_m: ArrayLike, width_m: ArrayLike, *, form: Exchange = "sirane"
) -> np.ndarray:
    """Velocity at which a street exchanges air with the wind over the roofs, m/s.

    Parameters
    ----------
    sigma_w_mps : array_like
        See `roof_turbulence`.
    height_m, width_m : array_like
        m; read by `schulte` alone.
    form : {"sirane", "schulte"}
        sigma_w / (sqrt(2) pi) (Soulhac et al. 2011, doi:10.1016/j.atmosenv.2011.07.008), or 0.45 sigma_w / (1 + H/W)
        (Schulte et al. 2015, as used in MUNICH, Kim et al. 2018, doi:10.5194/gmd-11-611-2018), less in narrow streets.

    Raises
    ------
    AirError
        For another form.
    """
    sigma_w = np.asarray(sigma_w_mps, dtype=float)
    if form == "sirane":
        return sigma_w / (np.sqrt(2.0) * np.pi)
    if form == "schulte":
        return SCHULTE * sigma_w / (1.0 + np.asarray(height_m, dtype=float) / np.asarray(width_m, dtype=float))
    raise AirError(f"form='{form}' of the roof exchange is not known; allowed: 'sirane', 'schulte'")


def street_wind(wind_roof_mps: ArrayLike, height_m: ArrayLike, width_m: ArrayLike, angle_rad: ArrayLike) -> np.ndarray:
    """Mean wind along a street, m/s, from the one at its roofs.

    Parameters
    ----------
    wind_roof_mps, height_m, width_m : array_like
        m/s, m, m.
    angle_rad : array_like
        Between wind and street axis.

    Returns
    -------
    ndarray
        g u |cos angle| (1 - exp(-a)) / a with a = H / 2W, the mean over height of exp(a (z/H - 1)). g is 2/pi in
        narrow streets (H/W above 2/3), 1 in wide ones (below 1/3), linear between.

    References
    ----------
    Lemonsu et al. (2004), as used in MUNICH (Kim et al. 2018, doi:10.5194/gmd-11-611-2018).
    """
    ratio = np.asarray(height_m, dtype=float) / np.asarray(width_m, dtype=float)
    shelter = 1.0 + (2.0 / np.pi - 1.0) * np.clip(3.0 * (ratio - 1.0 / 3.0), 0.0, 1.0)
    a = ratio / 2.0
    return shelter * np.asarray(wind_roof_mps) * np.abs(np.cos(angle_rad)) * -np.expm1(-a) / a


def canyon_box(
    *,
    height_m: ArrayLike,
    width_m: ArrayLike,
    length_m: ArrayLike,
    street_wind_mps: ArrayLike,
    exchange_mps: ArrayLike,
) -> np.ndarray:
    """Unit concentration of a street into which clean air flows, s/m2: g/m3 above the roofs' air over g/m/s.

    Parameters
    ----------
    height_m, width_m, length_m : array_like, shape (K,)
        m.
    street_wind_mps : array_like
        Along the street, see `street_wind`.
    exchange_mps : array_like
        Through its top, see `exchange_velocity`.

    Returns
    -------
    ndarray, shape (K,)
        L / (u_street H W + u_d W L): Q L is carried off by both.

    Raises
    ------
    AirError
        For sizes that are not above 0, negative or missing velocities, and where nothing leaves: both of them 0.
    """
    h, w, length, along, up = (
        np.asarray(v, dtype=float) for v in (height_m, width_m, length_m, street_wind_mps, exchange_mps)
    )
    faults = []
    for name, v in (("height_m", h), ("width_m", w), ("length_m", length)):
        if not (np.isfinite(v) & (v > 0.0)).all():
            faults.append(f"{name} must be above 0 everywhere; the least is {np.min(v):g}")
    for name, v in (("street_wind_mps", along), ("exchange_mps", up)):
        if not (np.isfinite(v) & (v >= 0.0)).all():
            faults.append(f"{name} must be at least 0 everywhere; the least is {np.min(v):g}")
    if not faults and not (along + up > 0.0).all():
        faults.append("street_wind_mps and exchange_mps are both 0 somewhere: nothing carries the emission off")
    if faults:
        raise AirError("the canyon box cannot be computed: " + "; ".join(faults))
    return length / (along * h * w + up * w * length)
