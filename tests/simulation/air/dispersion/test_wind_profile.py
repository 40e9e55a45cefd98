"""The wind profile: its closed forms, and the way back from an observed wind."""

import math

import numpy as np
import pytest

from simulation.air.dispersion.wind_profile import SurfaceLayer, u_star_from, wind_speed
from simulation.air.errors import AirError, WeatherError


def layer(**changes):
    return SurfaceLayer(**{"u_star_mps": 0.3, "obukhov_m": math.inf, "sigma_v_mps": 0.5, "z0_m": 0.1} | changes)


def test_the_neutral_profile_is_the_logarithm():
    """z0 0.1, d 0.5: at z = 10.5, U = 0.3 / 0.4 ln(10 / 0.1) = 0.75 x 4.60517 = 3.45388 m/s."""
    assert layer().displacement_m == pytest.approx(0.5)
    assert wind_speed(layer(), [10.5]) == pytest.approx([3.45388], abs=1e-5)


def test_the_wind_is_zero_at_and_below_displacement_plus_roughness():
    """d + z0 = 0.6 m: ln 1 = 0, and lower heights are held there rather than turning negative."""
    assert wind_speed(layer(obukhov_m=-20.0), [0.0, 0.3, 0.6]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_a_stable_night_adds_the_exponential_correction():
    """L 50, z - d 10: psi = -17 (1 - e^-0.058) = -0.957961, psi(z0) = -17 (1 - e^-0.00058) = -0.009857.

    U = 0.75 (4.605170 + 0.957961 - 0.009857) = 4.164956 m/s, more than neutral for the same u*.
    """
    assert wind_speed(layer(obukhov_m=50.0), 10.5) == pytest.approx(4.164956, abs=1e-5)


def test_a_sunny_day_takes_off_the_businger_dyer_correction():
    """L -16, z - d 10: x = (1 + 16 x 10 / 16)^(1/4) = 11^(1/4) = 1.821160; psi = 2 ln 1.410580 + ln 2.158312
    - 2 atan 1.821160 + pi / 2 = 0.890837; psi(z0) with x = 1.1^(1/4): 0.024256.

    U = 0.75 (4.605170 - 0.890837 + 0.024256) = 2.803941 m/s.
    """
    assert wind_speed(layer(obukhov_m=-16.0), 10.5) == pytest.approx(2.803941, abs=1e-5)


@pytest.mark.parametrize("obukhov_m", [-5.0, -100.0, math.inf, 200.0, 10.0])
def test_the_friction_velocity_gives_back_the_observed_wind(obukhov_m):
    """A round trip: u* from U(10 m) = 4 m/s, and U(10 m) from that u*."""
    u_star = float(u_star_from(4.0, 10.0, obukhov_m=obukhov_m, z0_m=0.1))
    assert wind_speed(layer(u_star_mps=u_star, obukhov_m=obukhov_m), 10.0) == pytest.approx(4.0, rel=1e-12)


def test_the_friction_velocity_works_hour_by_hour():
    """Hours as arrays: neutral, 4 and 8 m/s at 10 m, z0 0.1 (d 0.5): 0.4 U / ln 95 = 0.351346, twice that, and 0."""
    u_star = u_star_from([4.0, 8.0, 0.0], 10.0, obukhov_m=np.inf, z0_m=0.1)
    assert u_star == pytest.approx([0.351346, 0.702692, 0.0], abs=1e-5)


def test_bad_winds_are_all_named():
    with pytest.raises(WeatherError, match=r"1 of 2 winds.*; 1 of 2 Obukhov"):
        u_star_from([-1.0, 2.0], 10.0, obukhov_m=[np.inf, 0.0], z0_m=0.1)
    with pytest.raises(WeatherError, match=r"2 of 2 winds are negative or missing.*below displacement"):
        u_star_from([np.nan, -3.0], 0.5, obukhov_m=np.inf, z0_m=0.1)


def test_an_impossible_layer_names_every_fault():
    with pytest.raises(AirError, match=r"u_star_mps=0 .*obukhov_m=0 .*sigma_v_mps=-1 "):
        layer(u_star_mps=0.0, obukhov_m=0.0, sigma_v_mps=-1.0)


def test_the_wind_factor_scales_the_wind_alone():
    """Observed 5 m/s where u* 0.3 gives 3.45388: the factor 5 / 3.45388 makes the profile meet it, u* stays."""
    fitted = layer(wind_factor=5.0 / 3.45388)
    assert wind_speed(fitted, 10.5) == pytest.approx(5.0, abs=1e-4)
    assert fitted.u_star_mps == 0.3
    with pytest.raises(AirError, match="wind_factor=0 must be above 0"):
        layer(wind_factor=0.0)
