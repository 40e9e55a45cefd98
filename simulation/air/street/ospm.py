"""Street canyons by OSPM: a plume from the wheels to each wall, and what the vortex between the walls brings back.

Wind over the roofs drives a vortex in the street, and the air at its bottom blows against it: towards the wall that
stands upwind, the leeward one. There the exhaust of the whole vortex arrives (`left - recirculated`, if the wind comes
from the left), while the wall opposite gets what the vortex recirculates and what is emitted beyond it. Traffic stirs
the air as well, so that concentrations stay finite in calm.

All results are per unit of emission: multiply them by the g/m/s of the street.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulation.air.errors import AirError
from simulation.air.street.ospm_kernels import H0_M, SLANT, TOP_EXCHANGE, TURBULENCE, Z0_M, unit_concentrations

#: Wind at roof height over wind on the mast. OSPM's value for a mast above the roofs; other sites use down to 0.4.
F_ROOF = 0.82
#: Ground area of a light and a heavy vehicle, m2 (OSPM).
LIGHT_M2, HEAVY_M2 = 2.0, 16.0
#: Turbulence made by vehicles over their speed, drag included (OSPM).
VEHICLE_DRAG = 0.30
#: km/h and veh/h to m/s and veh/s, under the root: sqrt(3.6 x 3600) = 113.842.
_PER_HOUR = 113.842
#: Least mast wind, m/s: sqrt(2) x 0.2, the speed of an air mass that stands still but for horizontal turbulence of
#: 0.2 m/s, the smallest that AERMOD lets a measured one be. Only matters in streets without traffic.
CALM_MPS = 0.283
#: Directions in each radian of the wind sector (midpoint rule); see `ospm`.
DIRECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ospm:
    """Unit concentrations of K streets. Arrays of one shape; s/m2 is g/m3 over g/m/s."""

    left: np.ndarray  # s/m2 at the wall on the left, looking along the axis
    right: np.ndarray  # s/m2 at the other
    recirculated: np.ndarray  # s/m2 of either that the vortex brings back; the rest comes straight from the wheels
    residence_s: np.ndarray  # H / s_wt: time that the street's air stays, for the chemistry
    sigma_wt_mps: np.ndarray  # exchange velocity at the roof


def ospm(
    *,
    height_m: ArrayLike,
    width_m: ArrayLike,
    angle_deg: ArrayLike,
    end_m: ArrayLike,
    wind_roof_mps: ArrayLike,
    wind_dir_deg: ArrayLike,
    light_veh_per_h: ArrayLike,
    heavy_veh_per_h: ArrayLike,
    light_speed_kmh: ArrayLike,
    heavy_speed_kmh: ArrayLike,
    z_m: ArrayLike = 2.0,
    sector: bool = True,
    f_roof: float = F_ROOF,
    directions: int = DIRECTIONS,
) -> Ospm:
    """Unit concentrations at both walls of street canyons.

    Parameters
    ----------
    height_m, width_m : array_like, shape (K,)
        Of the canyon, m; `height_m` above 2 m, the height that vehicles mix at once. All arguments broadcast against
        each other, e.g. (T, 1) of wind with (K,) of streets.
    angle_deg : array_like
        Bearing of the street's axis, clockwise from north; either sense will do, left and right follow it.
    end_m : array_like
        From the receptor to the nearest end of the canyon, m; wind along the street gathers no exhaust from beyond.
    wind_roof_mps : array_like
        Wind above the roofs (on the mast), m/s; below `CALM_MPS` that speed counts.
    wind_dir_deg : array_like
        Where it comes from, clockwise from north.
    light_veh_per_h, heavy_veh_per_h : array_like
        Both directions of the street together; 0 without traffic.
    light_speed_kmh, heavy_speed_kmh : array_like
        Mean speed, km/h; anything finite where there is no such vehicle.
    z_m : array_like
        Height of the receptors, m. What recirculates counts up to the roofs.
    sector : bool
        Average over the directions within 0.5 rad (0.5/u rad for roof winds u below 1 m/s, at most all around), since
        the wind meanders. Without, the direction is taken as it is.
    f_roof : float
        Wind at roof height over `wind_roof_mps`; site-dependent, 0.4 to 0.82 in use.
    directions : int
        Directions in each radian of that sector, equally spaced. With 8, against 1024, over streets of H/W 0.3 to 2.5
        with 0 to 2000 veh/h at 0 to 8 m/s: root mean square error 0.8 %, 95 % of cases within 1.8 %, mean -0.06 %; the
        largest, 8 %, where the vortex just reaches the other wall.

    Returns
    -------
    Ospm

    Raises
    ------
    AirError
        With every fault: shapes that do not fit, missing numbers, negative winds or traffic, canyons without height.

    Notes
    -----
    The relations are those of OSPM (Berkowicz 2000, doi:10.1023/A:1006448321977), with the constants of its public
    Fortran version in NORTRIP (metno/NORTRIP, `OSPM/ospm_nortrip_fortran.f90`). Two things differ from that file: the
    integral from the vortex's end to the street's is exact also where the plume has reached the roof inside the vortex
    (there the file restarts the decay at the vortex's end, which can make the contribution negative); and `CALM_MPS`
    instead of 0.01 m/s is the least wind.
    """
    arguments = {
        "height_m": height_m, "width_m": width_m, "angle_deg": angle_deg, "end_m": end_m,
        "wind_roof_mps": wind_roof_mps, "wind_dir_deg": wind_dir_deg, "light_veh_per_h": light_veh_per_h,
        "heavy_veh_per_h": heavy_veh_per_h, "light_speed_kmh": light_speed_kmh, "heavy_speed_kmh": heavy_speed_kmh,
        "z_m": z_m,
    }  # fmt: skip
    values = {name: np.asarray(given, dtype=float) for name, given in arguments.items()}
    _check(values, f_roof, directions)
    try:
        shape = np.broadcast_shapes(*(v.shape for v in values.values()))
    except ValueError as error:
        shapes = {name: v.shape for name, v in values.items() if v.ndim}
        raise AirError(f"arguments of ospm do not fit each other, shapes {shapes}; give one value a street") from error
    flat = {name: (v if v.shape == shape else np.full(shape, v)).ravel() for name, v in values.items()}
    u = f_roof * np.maximum(flat["wind_roof_mps"], CALM_MPS)
    traffic = traffic_turbulence(
        flat["width_m"],
        light_veh_per_h=flat["light_veh_per_h"], heavy_veh_per_h=flat["heavy_veh_per_h"],
        light_speed_kmh=flat["light_speed_kmh"], heavy_speed_kmh=flat["heavy_speed_kmh"],
    )  # fmt: skip
    out = np.empty((3, u.size))
    unit_concentrations(
        flat["height_m"], flat["width_m"], np.radians(flat["angle_deg"]), flat["end_m"], u,
        np.radians(flat["wind_dir_deg"]), traffic, flat["z_m"], float(sector), directions, out,
    )  # fmt: skip
    exchange = roof_exchange(u, traffic)
    return Ospm(
        left=out[0].reshape(shape),
        right=out[1].reshape(shape),
        recirculated=out[2].reshape(shape),
        residence_s=(flat["height_m"] / exchange).reshape(shape),
        sigma_wt_mps=exchange.reshape(shape),
    )


def traffic_turbulence(
    width_m: np.ndarray,
    *,
    light_veh_per_h: np.ndarray,
    heavy_veh_per_h: np.ndarray,
    light_speed_kmh: np.ndarray,
    heavy_speed_kmh: np.ndarray,
) -> np.ndarray:
    """Vertical turbulence that vehicles make, m/s: by the air that they push aside over the street's width."""
    moving = LIGHT_M2 * light_speed_kmh * light_veh_per_h + HEAVY_M2 * heavy_speed_kmh * heavy_veh_per_h
    return VEHICLE_DRAG / _PER_HOUR * np.sqrt(moving / width_m)


def roof_exchange(u_mps: np.ndarray, traffic_mps: np.ndarray) -> np.ndarray:
    """Velocity at which a street's air leaves through its top, m/s: by turbulence of the wind and of the traffic."""
    return np.sqrt((TURBULENCE * u_mps) ** 2 + TOP_EXCHANGE * traffic_mps**2)


def street_level_wind(u_mps: np.ndarray, height_m: np.ndarray, sin_angle: np.ndarray) -> np.ndarray:
    """Wind at the bottom of a street, m/s: logarithmic below the roof wind, slower across the street than along it."""
    return u_mps * np.log(H0_M / Z0_M) / np.log(height_m / Z0_M) * (1.0 - SLANT * sin_angle**2)


def _check(values: dict[str, np.ndarray], f_roof: float, directions: int) -> None:
    """Raise with all that is wrong with the arguments."""
    least = {
        "height_m": (H0_M, "above"), "width_m": (0.0, "above"), "end_m": (0.0, "above"), "z_m": (0.0, "at least"),
        "wind_roof_mps": (0.0, "at least"), "light_veh_per_h": (0.0, "at least"),
        "heavy_veh_per_h": (0.0, "at least"), "light_speed_kmh": (0.0, "at least"),
        "heavy_speed_kmh": (0.0, "at least"),
    }  # fmt: skip
    faults = []
    for name, v in values.items():
        bound, word = least.get(name, (-1e6, "at least"))
        if not v.size or (v.max() < np.inf and (v.min() > bound if word == "above" else v.min() >= bound)):
            continue  # two passes over sound arrays, since this is called every interval
        flat = v.ravel()
        finite = np.isfinite(flat)
        if not finite.all():
            at = int(np.flatnonzero(~finite)[0])
            faults.append(f"{name} has {int((~finite).sum())} value(s) that are no finite number, first in place {at}")
        bad = flat <= bound if word == "above" else flat < bound
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            found = f"found {int(bad.sum())} other(s), first {flat[at]:g} in place {at}"
            faults.append(f"{name} must be {word} {bound:g}; {found}")
    if not 0.0 < f_roof <= 1.5:
        faults.append(f"f_roof={f_roof:g} must lie above 0 and at most at 1.5")
    if directions < 1:
        faults.append(f"directions={directions} must be at least 1")
    if faults:
        raise AirError("street canyons cannot be computed: " + "; ".join(faults))
