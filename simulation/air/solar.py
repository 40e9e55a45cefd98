"""The sun over a place: where it stands, when it is night, and how much of it reaches the ground under cloud."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CLEAR_SKY = 1098.0  # W/m2, Haurwitz (1945)
#: Sine of the sun's true height at its apparent rise and set: -0.833 deg (refraction 34' and radius 16', the usual
#: convention of almanacs).
_SIN_HORIZON = float(np.sin(np.radians(-0.833)))
#: Cloud takes 0.75 N^3.4 of the clear-sky radiation, Kasten & Czeplak (1980).
CLOUD_LOSS, CLOUD_POWER = 0.75, 3.4


def sun(latitude: float, longitude: float, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Season (-1 deep winter, 1 high summer), cosine of the zenith angle and solar hour at seconds since 1970.

    Declination and equation of time by Spencer (1971), Search 2 (5), 172.
    """
    days = seconds / 86_400.0
    day_of_year = days % 365.2425  # 1970-01-01 is day 0; leap days drift by less than one day
    angle = 2 * np.pi * day_of_year / 365.2425
    declination = (
        0.006918
        - 0.399912 * np.cos(angle) + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle) + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle) + 0.00148 * np.sin(3 * angle)
    )  # fmt: skip
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle) - 0.040849 * np.sin(2 * angle)
    )  # fmt: skip
    solar_hour = (days % 1.0 * 24.0 + longitude / 15.0 + equation_min / 60.0) % 24.0
    hour_angle = np.radians(15.0 * (solar_hour - 12.0))
    phi = np.radians(latitude)
    cos_zenith = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    # Temperature lags the sun by about a month: coldest near 22 January in the north.
    season = -np.cos(angle - 2 * np.pi * 21.0 / 365.2425) * (1.0 if latitude >= 0 else -1.0)
    return season, cos_zenith, solar_hour


def clear_sky_radiation(cos_zenith: ArrayLike) -> NDArray[np.float64]:
    """Global radiation of a cloudless sky, W/m2: Haurwitz (1945), J. Meteorol. 2, 154.

    doi:10.1175/1520-0469(1945)002<0154:IIRTCA>2.0.CO;2. Zero where the sun is not up.
    """
    cos_zenith = np.asarray(cos_zenith, dtype=float)
    height = np.maximum(cos_zenith, 1e-3)
    return np.where(cos_zenith > 1e-3, _CLEAR_SKY * height * np.exp(-0.059 / height), 0.0)


def cloudy_radiation(cos_zenith: ArrayLike, cloud: ArrayLike) -> NDArray[np.float64]:
    """Global radiation under cloud, W/m2: Kasten & Czeplak (1980), doi:10.1016/0038-092X(80)90391-6.

    Parameters
    ----------
    cos_zenith : array_like
        Cosine of the sun's zenith angle.
    cloud : array_like
        Share of the sky, 0 to 1.
    """
    return clear_sky_radiation(cos_zenith) * (1.0 - CLOUD_LOSS * np.asarray(cloud) ** CLOUD_POWER)


def cloud_of_radiation(clearness: ArrayLike) -> NDArray[np.float64]:
    """Cloud share, 0 to 1, that leaves this share of the clear-sky radiation: Kasten & Czeplak's formula turned round.

    A share above 1 is a clear sky (0), one below 0.25 a whole cover (1).
    """
    lost = np.clip((1.0 - np.asarray(clearness, dtype=float)) / CLOUD_LOSS, 0.0, 1.0)
    return lost ** (1.0 / CLOUD_POWER)


def dark_within(latitude: float, longitude: float, seconds: ArrayLike, margin_s: float) -> NDArray[np.bool_]:
    """Whether the sun is down at some time within `margin_s` before or after each instant.

    With a margin of one hour this is Pasquill's night, from one hour before sunset to one hour after sunrise. Looked
    up every ten minutes, so that a night shorter than that may be missed.

    Parameters
    ----------
    latitude, longitude : float
        Degrees north and east.
    seconds : array_like
        Since 1970, UTC.
    margin_s : float
        s, 0 or more.

    Returns
    -------
    ndarray of bool, the shape of `seconds`
    """
    seconds = np.asarray(seconds, dtype=float)
    dark = np.zeros(seconds.shape, dtype=bool)
    for shift in np.linspace(-margin_s, margin_s, 2 * int(np.ceil(margin_s / 600.0)) + 1):
        dark |= sun(latitude, longitude, seconds + shift)[1] <= _SIN_HORIZON
    return dark
