"""The boundary layer over a city, hour by hour, from the wind of an open station.

A station's 10 m wind over open land is carried up its own profile to a blending height, where it no longer feels the
ground below it, and down the city's profile: 60 m, Wieringa (1986), doi:10.1002/qj.49711247316. Friction velocity
follows from the city's roughness; profiles are those of `dispersion.wind_profile`.

Assumptions, all arguments: the station stands on z0 = 0.1 m (open land with hedges); the city's z0 is 1 m (0.7-1.5 m,
medium density, Grimmond & Oke 1999, doi:10.1175/1520-0450(1999)038<1262:APOUAD>2.0.CO;2, as EPA's R-LINE guide tables
it). A city never gets as stable as the land around it: its walls and its heating keep stable Obukhov lengths at 30 m
or more (assumed, the order that urban dispersion models use for cities). A wind below 0.5 m/s is taken as 0.5 m/s
(assumed: where cup anemometers start to turn; EPA-454/R-99-005, section 6.2.3, asks 1 m/s of models without meander);
what the station measured stays in `measured_wind_mps`, and `calm` marks the hours.

Every quantity of an hour is that of its stability class: the class's Obukhov length, not one of the hour's own, so that
profiles here and the matrices made from `class_layers` agree. Only w* and sigma_v also know the hour's mixing height;
the matrices use the class's (`CLASS_MIXING_HEIGHT_M`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from simulation.air.dispersion.wind_profile import VON_KARMAN, SurfaceLayer, wind_speed
from simulation.air.errors import AirError
from simulation.air.solar import dark_within
from simulation.air.stability import CLASSES, check_rows, obukhov_length, pasquill_class

STATION_Z0_M, CITY_Z0_M = 0.1, 1.0
BLENDING_HEIGHT_M = 60.0
MIN_WIND_MPS = 0.5
#: Least stable Obukhov length over a city, m (assumed).
MIN_STABLE_OBUKHOV_M = 30.0
#: Mixing height that stands for each class in `class_layers`, m. Assumed: deep on sunny days; D, E and F do not use it.
CLASS_MIXING_HEIGHT_M = (1500.0, 1200.0, 1000.0, 800.0, 300.0, 200.0)
_STATION_HEIGHT_M = 10.0
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryLayer:
    """H hours over a city; arrays of shape (H,)."""

    time: pd.DatetimeIndex  # start of each hour, UTC
    stability: NDArray[np.int8]  # index into `stability.CLASSES`
    obukhov_m: Array  # over the city
    u_star_mps: Array  # over the city
    w_star_mps: Array  # convective velocity; 0 unless unstable
    sigma_v_mps: Array  # crosswind turbulence
    mixing_height_m: Array
    wind_10m_mps: Array  # of the station, at least the floor
    measured_wind_mps: Array  # as measured
    calm: NDArray[np.bool_]  # the floor holds
    wind_dir_deg: Array  # where the wind comes from
    temperature_k: Array
    radiation_w_per_m2: Array
    layers: tuple[SurfaceLayer, ...]  # `class_layers` of the same city

    def __len__(self) -> int:
        return len(self.stability)

    def wind_roof_mps(self, height_m: ArrayLike) -> Array:
        """Wind above the roofs, at heights over ground.

        Heights near or below the displacement are read at displacement + 2 z0, so that low roofs keep some wind.

        Parameters
        ----------
        height_m : float or array_like, shape (K,)
            m.

        Returns
        -------
        ndarray, shape (H,) or (H, K)
            m/s.
        """
        height = np.asarray(height_m, dtype=float)
        unit = np.stack([wind_speed(s, np.maximum(height, s.displacement_m + 2.0 * s.z0_m)) for s in self.layers])
        return (self.u_star_mps if height.ndim == 0 else self.u_star_mps[:, None]) * unit[self.stability]

    def wind_layer_mps(self, top_m: ArrayLike, bottom_m: ArrayLike | None = None) -> Array:
        """Mean wind between two heights, as of a box that air is carried through.

        Parameters
        ----------
        top_m : float or array_like, shape (H,)
            Height over ground, m, above displacement + z0.
        bottom_m : float or array_like, shape (H,), optional
            m; displacement + z0 unless given, and never below it.

        Returns
        -------
        ndarray, shape (H,)
            m/s.

        Raises
        ------
        AirError
            If a layer is empty.
        """
        first = self.layers[0]
        ground = first.displacement_m + first.z0_m
        bottom = np.maximum(np.broadcast_to(ground if bottom_m is None else bottom_m, len(self)), ground)
        top = np.broadcast_to(np.asarray(top_m, dtype=float), len(self))
        if not (top > bottom).all():
            row = int(np.flatnonzero(~(top > bottom))[0])
            raise AirError(f"hour {row}: the layer from {bottom[row]:g} to {top[row]:g} m holds no air; raise its top")
        # Gauss-Legendre over the logarithm of height, in which the profile is smooth.
        node, weight = np.polynomial.legendre.leggauss(16)
        low, high = np.log(bottom - first.displacement_m), np.log(top - first.displacement_m)
        above = np.exp(0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * node)
        unit = np.empty_like(above)
        for k, layer in enumerate(self.layers):
            hours = self.stability == k
            unit[hours] = wind_speed(layer, above[hours] + layer.displacement_m)
        integral = (unit * above * weight).sum(axis=1) * 0.5 * (high - low)
        return self.u_star_mps * integral / (top - bottom)


def boundary_layer(
    weather: pd.DataFrame,
    *,
    latitude: float,
    longitude: float,
    z0_m: float = CITY_Z0_M,
    station_z0_m: float = STATION_Z0_M,
    blending_height_m: float = BLENDING_HEIGHT_M,
    min_wind_mps: float = MIN_WIND_MPS,
    min_stable_obukhov_m: float = MIN_STABLE_OBUKHOV_M,
) -> BoundaryLayer:
    """State of the air over a city in each hour of a weather table.

    Parameters
    ----------
    weather : DataFrame
        Columns of `data.schemas.WEATHER`: reads all but the rain. Hours in any order, gaps allowed.
    latitude, longitude : float
        Degrees north and east; the sun of each hour's middle tells day from night.
    z0_m, station_z0_m : float
        Roughness lengths of the city and around the station, m.
    blending_height_m : float
        m; at least 15 z0 (displacement and ten roughness lengths more) of either.
    min_wind_mps : float
        Floor of the station's wind, m/s, above 0.
    min_stable_obukhov_m : float
        Least stable Obukhov length over the city, m.

    Returns
    -------
    BoundaryLayer

    Raises
    ------
    WeatherError
        If a value is missing, negative or out of range; all columns at fault are named, with rows.
    AirError
        If a roughness, height or floor makes no sense.
    """
    _check_settings(z0_m, station_z0_m, blending_height_m, min_wind_mps)
    column = {
        name: weather[name].to_numpy(dtype=float)
        for name in (
            "wind_speed_mps", "wind_dir_deg", "temperature_c", "radiation_w_per_m2", "cloud_share", "mixing_height_m"
        )
    }  # fmt: skip
    check_rows(
        ("wind_speed_mps", column["wind_speed_mps"], 0.0, 100.0, "m/s"),
        ("wind_dir_deg", column["wind_dir_deg"], 0.0, 360.0, "deg"),
        ("temperature_c", column["temperature_c"], -90.0, 60.0, "C"),
        ("radiation_w_per_m2", column["radiation_w_per_m2"], 0.0, 1500.0, "W/m2"),
        ("cloud_share", column["cloud_share"], 0.0, 1.0, "of the sky"),
        ("mixing_height_m", column["mixing_height_m"], 10.0, 6000.0, "m"),
        what="boundary layer",
    )
    time = pd.DatetimeIndex(weather["time"]).tz_convert("UTC")
    middle = time.as_unit("s").asi8 + 1800.0
    night = dark_within(latitude, longitude, middle, 3600.0)
    beside = dark_within(latitude, longitude, middle, 7200.0) & ~night

    measured = column["wind_speed_mps"]
    wind = np.maximum(measured, min_wind_mps)
    stability = pasquill_class(
        measured, column["radiation_w_per_m2"], column["cloud_share"], night, beside_night=beside
    )
    layers = tuple(class_layers(z0_m, min_stable_obukhov_m=min_stable_obukhov_m))
    u_star = wind * wind_transfer(z0_m, station_z0_m, blending_height_m, min_stable_obukhov_m)[stability]
    length = np.array([layer.obukhov_m for layer in layers])[stability]
    w_star = convective_velocity(u_star, length, column["mixing_height_m"])
    return BoundaryLayer(
        time=time,
        stability=stability,
        obukhov_m=length,
        u_star_mps=u_star,
        w_star_mps=w_star,
        sigma_v_mps=crosswind_turbulence(u_star, w_star),
        mixing_height_m=column["mixing_height_m"],
        wind_10m_mps=wind,
        measured_wind_mps=measured,
        calm=measured < min_wind_mps,
        wind_dir_deg=column["wind_dir_deg"] % 360.0,
        temperature_k=column["temperature_c"] + 273.15,
        radiation_w_per_m2=column["radiation_w_per_m2"],
        layers=layers,
    )


def wind_transfer(
    z0_m: float, station_z0_m: float, blending_height_m: float, min_stable_obukhov_m: float = MIN_STABLE_OBUKHOV_M
) -> Array:
    """The city's friction velocity over the station's wind at 10 m, dimensionless, for each of the six classes."""
    every = np.arange(len(CLASSES))
    station = _unit_layers(station_z0_m, obukhov_length(every, station_z0_m))
    city = _unit_layers(z0_m, obukhov_length(every, z0_m, min_stable_m=min_stable_obukhov_m))
    up = [float(wind_speed(s, blending_height_m) / wind_speed(s, _STATION_HEIGHT_M)) for s in station]
    return np.array(up) / np.array([float(wind_speed(s, blending_height_m)) for s in city])


def class_layers(
    z0_m: float,
    *,
    mixing_height_m: Sequence[float] = CLASS_MIXING_HEIGHT_M,
    min_stable_obukhov_m: float = MIN_STABLE_OBUKHOV_M,
) -> list[SurfaceLayer]:
    """The six states that stand for the classes over a city, for a friction velocity of 1 m/s.

    Parameters
    ----------
    z0_m : float
        Roughness length of the city, m.
    mixing_height_m : sequence of float, length 6
        Of each class, m; it sets w* and so sigma_v of A, B and C.
    min_stable_obukhov_m : float
        Least stable Obukhov length, m.

    Returns
    -------
    list of SurfaceLayer
        A to F; `sigma_v_mps` is sigma_v / u*.

    Raises
    ------
    AirError
        If there are not six mixing heights above 0, or the roughness is out of range.
    """
    depth = np.asarray(mixing_height_m, dtype=float)
    if depth.shape != (len(CLASSES),) or not (depth > 0).all():
        raise AirError(f"mixing_height_m must hold six heights above 0 m, of A to F; found {list(mixing_height_m)}")
    length = obukhov_length(np.arange(len(CLASSES)), z0_m, min_stable_m=min_stable_obukhov_m)
    one = np.ones(len(CLASSES))
    return _unit_layers(z0_m, length, crosswind_turbulence(one, convective_velocity(one, length, depth)))


def convective_velocity(u_star_mps: ArrayLike, obukhov_m: ArrayLike, mixing_height_m: ArrayLike) -> Array:
    """w* = u* (z_i / (0.4 |L|))^(1/3) in unstable air, else 0, m/s (as MUNICH, GitHub `cerea-lab/munich` @3d0f23b)."""
    length = np.asarray(obukhov_m, dtype=float)
    ratio = np.asarray(mixing_height_m) / (VON_KARMAN * np.abs(length))
    return np.where(length < 0, np.asarray(u_star_mps) * np.cbrt(ratio), 0.0)


def crosswind_turbulence(u_star_mps: ArrayLike, w_star_mps: ArrayLike) -> Array:
    """sigma_v = sqrt((0.6 w*)^2 + (1.9 u*)^2), m/s.

    As R-LINE v1.2 does: Snyder et al. (2013), doi:10.1016/j.atmosenv.2013.05.074.
    """
    return np.hypot(0.6 * np.asarray(w_star_mps, dtype=float), 1.9 * np.asarray(u_star_mps, dtype=float))


def _unit_layers(z0_m: float, length: Array, sigma_v: Array | None = None) -> list[SurfaceLayer]:
    turbulence = np.full(len(length), 1.9) if sigma_v is None else sigma_v
    return [
        SurfaceLayer(u_star_mps=1.0, obukhov_m=float(size), sigma_v_mps=float(sigma), z0_m=z0_m)
        for size, sigma in zip(length, turbulence, strict=True)
    ]


def _check_settings(z0_m: float, station_z0_m: float, blending_height_m: float, min_wind_mps: float) -> None:
    faults = [
        f"{name}={value:g} must be above 0 m"
        for name, value in (("z0_m", z0_m), ("station_z0_m", station_z0_m))
        if not 0.0 < value < np.inf
    ]
    if 6.0 * station_z0_m >= _STATION_HEIGHT_M:
        faults.append(f"station_z0_m={station_z0_m:g} hides a wind at 10 m; below {10 / 6:.2f} m is allowed")
    if not blending_height_m >= 15.0 * max(z0_m, station_z0_m):
        faults.append(
            f"blending_height_m={blending_height_m:g} must be at least 15 z0 = {15.0 * max(z0_m, station_z0_m):g} m"
        )
    if not 0.0 < min_wind_mps < np.inf:
        faults.append(f"min_wind_mps={min_wind_mps:g} must be above 0 m/s")
    if faults:
        raise AirError("boundary layer: " + "; ".join(faults))
