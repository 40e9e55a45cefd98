"""The city's boundary layer from a station's wind: closed forms where neutral, bounds where stable, calm hours."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.boundary_layer import (
    MIN_WIND_MPS,
    boundary_layer,
    class_layers,
    convective_velocity,
    crosswind_turbulence,
    wind_transfer,
)
from simulation.air.dispersion.wind_profile import wind_speed
from simulation.air.errors import AirError, WeatherError
from simulation.air.weather import synthetic_weather

PLACE = {"latitude": 60.17, "longitude": 24.94}


def hours(n=24, **columns):
    """Hourly weather of a midsummer day: an overcast sky (class D) unless told otherwise."""
    table = {
        "time": pd.date_range("2025-06-21", periods=n, freq="h", tz="UTC"),
        "wind_speed_mps": 4.0,
        "wind_dir_deg": 270.0,
        "temperature_c": 15.0,
        "radiation_w_per_m2": 100.0,
        "cloud_share": 1.0,
        "mixing_height_m": 800.0,
        "precipitation_mm_per_h": 0.0,
    }
    return pd.DataFrame(table | columns)


def test_a_neutral_hour_is_carried_over_the_blending_height():
    """Neutral, 4 m/s at 10 m over z0 0.1 (d 0.5): ln 95 = 4.55388; at 60 m ln 595 = 6.38856, so U60 = 5.61153 m/s.

    City z0 1 (d 5): u* = 0.4 x 5.61153 / ln 55 = 2.244612 / 4.007333 = 0.560126 m/s; sigma_v = 1.9 u* = 1.064240;
    at 20 m: u*/0.4 ln 15 = 3.792125 m/s.
    """
    air = boundary_layer(hours(1), **PLACE)
    assert air.u_star_mps[0] == pytest.approx(0.560126, abs=2e-6)
    assert air.sigma_v_mps[0] == pytest.approx(1.064240, abs=4e-6)
    assert air.wind_roof_mps(20.0)[0] == pytest.approx(3.792125, abs=2e-5)
    assert air.w_star_mps[0] == 0.0 and np.isinf(air.obukhov_m[0]) and air.stability[0] == 3


def test_the_wind_of_both_profiles_meets_at_the_blending_height():
    """By construction, for every class: u* U_city(60 m) = U10 U_station(60 m) / U_station(10 m)."""
    ratio = wind_transfer(1.0, 0.1, 60.0)
    for k, city in enumerate(class_layers(1.0)):
        station = class_layers(0.1, min_stable_obukhov_m=0.0)[k]
        up = wind_speed(station, 60.0) / wind_speed(station, 10.0)
        assert ratio[k] * wind_speed(city, 60.0) == pytest.approx(up, rel=1e-12)


def test_a_station_of_the_citys_own_roughness_gives_its_own_friction_velocity():
    """Same z0, no bound on stable lengths: u* = 0.4 U10 / ln((10 - 5 z0) / z0), z0 0.5: 0.4 x 4 / ln 15 = 0.590831."""
    air = boundary_layer(hours(1), **PLACE, z0_m=0.5, station_z0_m=0.5, min_stable_obukhov_m=0.0)
    assert air.u_star_mps[0] == pytest.approx(0.590831, abs=2e-6)


def test_a_rougher_city_has_more_friction_and_less_wind_at_its_roofs():
    smooth, rough = (boundary_layer(hours(1), **PLACE, z0_m=z0) for z0 in (0.4, 1.5))
    assert rough.u_star_mps[0] > smooth.u_star_mps[0]
    assert rough.wind_roof_mps(20.0)[0] < smooth.wind_roof_mps(20.0)[0]


def test_a_city_is_never_as_stable_as_the_land_around():
    """F over 1 m: 26 m becomes 30 m, and its friction velocity rises; 100 m bounds F and leaves E (123 m)."""
    assert class_layers(1.0)[5].obukhov_m == 30.0 and class_layers(1.0)[4].obukhov_m == 123.0
    assert class_layers(1.0, min_stable_obukhov_m=100.0)[5].obukhov_m == 100.0
    bounded, free = (wind_transfer(1.0, 0.1, 60.0, least) for least in (30.0, 0.0))
    assert bounded[5] > free[5] and bounded[:5] == pytest.approx(free[:5])


def test_convective_velocity_and_crosswind_turbulence():
    """u* 0.3, L -26, z_i 1200: w* = 0.3 (1200 / 10.4)^(1/3) = 0.3 x 4.86835 = 1.46050 m/s.

    sigma_v: (0.6 x 1.46050)^2 + (1.9 x 0.3)^2 = 0.767900 + 0.3249 = 1.092800, root 1.045371 m/s.
    """
    w = convective_velocity(0.3, -26.0, 1200.0)
    assert w == pytest.approx(1.46050, abs=2e-5)
    assert crosswind_turbulence(0.3, w) == pytest.approx(1.045371, abs=1e-5)
    assert convective_velocity([0.3, 0.3], [np.inf, 26.0], 1200.0).tolist() == [0.0, 0.0]


def test_class_layers_are_normalised_and_ordered():
    """u* is 1; sigma_v / u* falls from A to D, is 1.9 in D, E and F: 0.6 w* vanishes."""
    layers = class_layers(1.0)
    assert [layer.u_star_mps for layer in layers] == [1.0] * 6
    sigma = np.array([layer.sigma_v_mps for layer in layers])
    assert (np.diff(sigma[:4]) < 0).all() and sigma[3:] == pytest.approx([1.9] * 3)
    assert sigma[0] == pytest.approx(np.sqrt((0.6 * (1500 / 4.56) ** (1 / 3)) ** 2 + 1.9**2))


def test_the_hours_use_the_lengths_of_their_classes_layers():
    """So that the matrices of `class_layers` and the profiles of the hours agree."""
    weather = synthetic_weather(60.17, pd.Timestamp("2025-06-01", tz="UTC"), 20, 3, longitude=24.94)
    air = boundary_layer(weather, **PLACE)
    assert len(set(air.stability.tolist())) >= 5
    for k, layer in enumerate(class_layers(1.0)):
        assert (air.obukhov_m[air.stability == k] == layer.obukhov_m).all()
        assert air.layers[k] == layer
    neutral = air.stability == 3
    assert air.sigma_v_mps[neutral] / air.u_star_mps[neutral] == pytest.approx(np.full(neutral.sum(), 1.9))


def test_nights_are_stable_and_sunny_noons_unstable():
    """Helsinki in June, clear, 2 m/s: F about local midnight (22 UTC); A to C at noon (10 UTC)."""
    clear = hours(24, cloud_share=0.0, wind_speed_mps=1.5)
    clear["radiation_w_per_m2"] = np.where(clear["time"].dt.hour == 10, 800.0, 0.0)
    air = boundary_layer(clear, **PLACE)
    assert air.stability[22] == 5 and air.stability[10] == 0
    assert air.w_star_mps[10] > 0 and air.w_star_mps[22] == 0


def test_calm_hours_blow_at_the_floor_and_say_so():
    """0, 0.3 and 0.5 m/s: the first two are calm and count as 0.5 m/s; what was measured stays; all is finite."""
    air = boundary_layer(hours(3, wind_speed_mps=[0.0, 0.3, 0.5]), **PLACE)
    assert air.calm.tolist() == [True, True, False]
    assert air.measured_wind_mps.tolist() == [0.0, 0.3, 0.5] and (air.wind_10m_mps == MIN_WIND_MPS).all()
    assert (air.u_star_mps == air.u_star_mps[2]).all() and air.u_star_mps[0] > 0
    assert (air.wind_roof_mps([5.0, 20.0, 40.0]) > 0).all() and (air.sigma_v_mps > 0).all()


def test_wind_grows_with_height_above_the_roofs_and_low_roofs_keep_some():
    """Heights below displacement + 2 z0 = 7 m read the wind at 7 m: u*/0.4 ln 2 when neutral."""
    air = boundary_layer(hours(2), **PLACE)
    wind = air.wind_roof_mps([3.0, 7.0, 10.0, 20.0, 60.0])
    assert wind.shape == (2, 5) and wind[0, 0] == wind[0, 1] == pytest.approx(air.u_star_mps[0] / 0.4 * np.log(2.0))
    assert (np.diff(wind[0, 1:]) > 0).all()


def test_the_mean_wind_of_a_neutral_layer_is_the_integral_of_the_logarithm():
    """Mean of u*/0.4 ln(z / z0) over z' = 1 .. 95 m above d = 5 m, z0 = 1: (95 ln 95 - 94) / 94 u*/0.4."""
    air = boundary_layer(hours(2), **PLACE)
    expected = (95 * np.log(95) - 94) / 94
    assert air.wind_layer_mps(100.0) == pytest.approx(air.u_star_mps / 0.4 * expected, rel=1e-9)
    assert air.wind_layer_mps(np.array([100.0, 50.0]), 20.0)[0] > air.wind_layer_mps(50.0, 20.0)[0]


def test_the_mean_wind_of_every_class_matches_a_fine_sum():
    weather = synthetic_weather(60.17, pd.Timestamp("2025-06-01", tz="UTC"), 20, 3, longitude=24.94)
    air = boundary_layer(weather, **PLACE)
    for k, layer in enumerate(air.layers):
        hour = np.flatnonzero(air.stability == k)[:1]
        z = 10.0 + (np.arange(200_000) + 0.5) * 290.0 / 200_000
        expected = air.u_star_mps[hour] * wind_speed(layer, z).mean()
        assert air.wind_layer_mps(300.0, 10.0)[hour] == pytest.approx(expected, rel=1e-6)


def test_an_empty_layer_is_refused():
    with pytest.raises(AirError, match="hour 0: the layer from 6 to 5 m holds no air"):
        boundary_layer(hours(1), **PLACE).wind_layer_mps(5.0)


def test_bad_weather_is_named_by_column_and_row():
    bad = hours(6, wind_speed_mps=[4.0, -1.0, np.nan, 4.0, 4.0, 4.0], cloud_share=[0, 0, 0, 0, 0, 9.0])
    with pytest.raises(WeatherError) as error:
        boundary_layer(bad, **PLACE)
    text = str(error.value)
    assert (
        "wind_speed_mps" in text and "1: -1" in text and "2: nan" in text and "cloud_share" in text and "5: 9" in text
    )


def test_senseless_settings_are_named_together():
    with pytest.raises(AirError, match=r"z0_m=-1.*blending_height_m=1.*min_wind_mps=0"):
        boundary_layer(hours(1), **PLACE, z0_m=-1.0, blending_height_m=1.0, min_wind_mps=0.0)
    with pytest.raises(AirError, match="station_z0_m=2 hides"):
        boundary_layer(hours(1), **PLACE, station_z0_m=2.0)
    with pytest.raises(AirError, match="six heights"):
        class_layers(1.0, mixing_height_m=(1000.0,))


def test_the_direction_of_a_full_turn_is_north():
    assert boundary_layer(hours(1, wind_dir_deg=360.0), **PLACE).wind_dir_deg[0] == 0.0
