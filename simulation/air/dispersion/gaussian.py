"""Gaussian plumes of points and lines in a uniform wind: closed forms, the known answers of this package.

Written for any rule of spread (`briggs.briggs_sigma`, say). Units: wind m/s, lengths m; concentration per unit of
emission, s/m3 for a point (g/m3 for 1 g/s) and s/m2 for a line (g/m3 for 1 g/m/s). The oblique line is the
approximation of Venkatram and Horst (2006), doi:10.1016/j.atmosenv.2005.12.031: exact across the wind, 0.1 % off at 45
degrees with Briggs' urban curve of class D, undefined along the wind.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from simulation.air.errors import AirError

Array = NDArray[np.float64]
#: sigma_y and sigma_z, m, at distances downwind, m.
Spread = Callable[[Array], tuple[Array, Array]]
#: Least cosine of the angle between wind and the line's normal; beyond it the oblique form means nothing.
LEAST_COSINE = 0.1


def vertical_term(z_m: ArrayLike, *, height_m: ArrayLike, sigma_z_m: ArrayLike) -> Array:
    """exp(-(z - h)^2 / 2 sz^2) + exp(-(z + h)^2 / 2 sz^2): source and its image in the ground."""
    z, height, sigma = (np.asarray(a, dtype=float) for a in (z_m, height_m, sigma_z_m))
    result: Array = np.exp(-0.5 * ((z - height) / sigma) ** 2) + np.exp(-0.5 * ((z + height) / sigma) ** 2)
    return result


def point_plume(
    x_m: ArrayLike, y_m: ArrayLike, z_m: ArrayLike, *, wind_mps: float, spread: Spread, height_m: float = 0.0
) -> Array:
    """Concentration of a point source per g/s, s/m3; 0 at and upwind of it.

    C = exp(-y^2 / 2 sy^2) [exp(-(z - h)^2 / 2 sz^2) + exp(-(z + h)^2 / 2 sz^2)] / (2 pi u sy sz)

    Parameters
    ----------
    x_m, y_m, z_m : array_like
        Receptor from the source: downwind, across, and above ground, m.
    wind_mps : float
        Above 0.
    spread : callable
        sigma_y, sigma_z of the distance downwind, m.
    height_m : float
        Height of release, m.

    Raises
    ------
    AirError
        If the wind is not above 0.
    """
    _need_wind(wind_mps)
    x, y, z = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (x_m, y_m, z_m)))
    downwind = x > 0.0
    sigma_y, sigma_z = spread(np.where(downwind, x, 1.0))
    value = np.exp(-0.5 * (y / sigma_y) ** 2) * vertical_term(z, height_m=height_m, sigma_z_m=sigma_z)
    return np.where(downwind, value / (2.0 * np.pi * wind_mps * sigma_y * sigma_z), 0.0)


def infinite_line(
    x_m: ArrayLike,
    z_m: ArrayLike,
    *,
    wind_mps: float,
    spread: Spread,
    angle_rad: float = 0.0,
    height_m: float = 0.0,
    sigma_z0_m: float = 0.0,
) -> Array:
    """Concentration of an endless line per g/m/s, s/m2; 0 on its upwind side.

    C = [exp(-(z - h)^2 / 2 sz^2) + exp(-(z + h)^2 / 2 sz^2)] / (sqrt(2 pi) u sz(X) cos th),  X = x / cos th

    Parameters
    ----------
    x_m : array_like
        Distance from the line at a right angle, m, above 0 downwind.
    z_m : array_like
        Height of the receptor, m.
    wind_mps, spread, height_m
        As in `point_plume`.
    angle_rad : float
        th, between the wind and the line's normal; its cosine must be 0.1 or more.
    sigma_z0_m : float
        Initial vertical spread, m, added in quadrature.

    Raises
    ------
    AirError
        If the wind is not above 0 or blows nearly along the line.
    """
    _need_wind(wind_mps)
    cos = _cosine(angle_rad)
    x, z = np.broadcast_arrays(np.asarray(x_m, dtype=float), np.asarray(z_m, dtype=float))
    downwind = x > 0.0
    sigma_z = np.hypot(spread(np.where(downwind, x, 1.0) / cos)[1], sigma_z0_m)
    value = vertical_term(z, height_m=height_m, sigma_z_m=sigma_z) / (np.sqrt(2.0 * np.pi) * wind_mps * sigma_z * cos)
    return np.where(downwind, value, 0.0)


def finite_line(
    x_m: ArrayLike,
    along_m: ArrayLike,
    z_m: ArrayLike,
    *,
    start_m: float,
    end_m: float,
    wind_mps: float,
    spread: Spread,
    angle_rad: float = 0.0,
    height_m: float = 0.0,
    sigma_z0_m: float = 0.0,
) -> Array:
    """Concentration of a line from `start_m` to `end_m` per g/m/s, s/m2: `infinite_line` times what lies upwind.

    That share is [erf(y2 / sqrt2 sy) - erf(y1 / sqrt2 sy)] / 2 with y1, y2 the ends' distances across the wind and
    sy at X = x / cos th.

    Parameters
    ----------
    x_m, along_m, z_m : array_like
        Receptor: at a right angle from the line, along it, and above ground, m.
    start_m, end_m : float
        Ends of the line, m along it.
    angle_rad : float
        Between the wind and the line's normal, positive when the wind also blows towards larger `along_m`.
    wind_mps, spread, height_m, sigma_z0_m
        As in `infinite_line`.

    Raises
    ------
    AirError
        As of `infinite_line`.
    """
    cos, sin = _cosine(angle_rad), np.sin(angle_rad)
    x, along, z = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (x_m, along_m, z_m)))
    sigma_y = spread(np.where(x > 0.0, x, 1.0) / cos)[0]
    first, last = ((x * sin + (end - along) * cos) / (np.sqrt(2.0) * sigma_y) for end in (start_m, end_m))
    whole = infinite_line(
        x, z, wind_mps=wind_mps, spread=spread, angle_rad=angle_rad, height_m=height_m, sigma_z0_m=sigma_z0_m
    )
    result: Array = whole * 0.5 * (erf(last) - erf(first))
    return result


def _need_wind(wind_mps: float) -> None:
    if not 0.0 < wind_mps < np.inf:
        raise AirError(f"wind_mps={wind_mps:g} must be above 0 m/s; give calm hours a least wind")


def _cosine(angle_rad: float) -> float:
    cos = float(np.cos(angle_rad))
    if not cos >= LEAST_COSINE:
        raise AirError(
            f"angle_rad={angle_rad:g}: the wind blows nearly along the line (cosine {cos:.3f}, least {LEAST_COSINE});"
            " sum points, or use rline.fast_line, which has no such limit"
        )
    return cos
