"""The air of the toy_air town: conservation, continuation bit for bit, and the signs that a planner would expect."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from simulation.air import Ban, default_fleet, synthetic_weather
from simulation.air.errors import AirError, WeatherError
from simulation.air.model import hour_mixing, roof_velocity


def run(model, toy_air, numbers, **kw):
    return [model.step(toy_air.interval(number, **kw)) for number in numbers]


def values(zone_air):
    return np.concatenate([np.atleast_1d(getattr(zone_air, f.name)) for f in fields(zone_air) if f.name != "start_s"])


def test_mass_is_kept_over_a_day(toy_air):
    """Emitted + blown in + at start = blown out + deposited + in the air, to 1e-9 of it, for all species."""
    model = toy_air.model()
    airs = run(model, toy_air, range(96))
    assert np.abs(model.imbalance()).max() < 1e-9
    assert model.ledger.emitted[0] == pytest.approx(sum(air.nox_g.sum() for air in airs))
    assert model.ledger.emitted[3] == pytest.approx(sum(air.pm25_g.sum() for air in airs))


def test_two_runs_joined_are_one_run_bit_for_bit(toy_air):
    """Cut in the middle of an hour, with another start and a model of its own."""
    whole = run(toy_air.model(), toy_air, range(60))
    first = toy_air.model()
    run(first, toy_air, range(30))
    second = toy_air.model(start=pd.Timestamp("2025-03-03", tz="UTC") + pd.Timedelta(minutes=15 * 30))
    second.restore(first.state())
    for number in range(30, 60):
        np.testing.assert_array_equal(values(second.step(toy_air.interval(number, offset=30))), values(whole[number]))


def test_the_same_seed_gives_the_same_air(toy_air):
    for one, two in zip(run(toy_air.model(), toy_air, range(8)), run(toy_air.model(), toy_air, range(8))):
        np.testing.assert_array_equal(values(one), values(two))


def test_more_traffic_means_more_no2_and_less_ozone(toy_air):
    little, much = (run(toy_air.model(), toy_air, range(40), factor=f)[-1] for f in (1.0, 3.0))
    assert (much.nox_g > 2.9 * little.nox_g).all()
    assert (much.no2_ug_per_m3 > little.no2_ug_per_m3).all()
    assert (much.o3_ug_per_m3 < little.o3_ug_per_m3).all()
    assert (much.pm25_ug_per_m3 > little.pm25_ug_per_m3).all()


def test_without_traffic_the_street_breathes_the_background(toy_air):
    """NOx equals what flows in, apart from deposition (a few per cent) and the memory of the hour before."""
    model = toy_air.model()
    air = run(model, toy_air, range(3), factor=0.0)[-1]
    inflow = model._ambient(model._hour(0.0)) * 1e6
    np.testing.assert_allclose(air.nox_ug_per_m3, inflow[0], rtol=0.05)
    assert air.nox_g.sum() == 0


def test_calm_air_is_dirtier_than_windy_air(toy_air):
    calm, windy = (
        run(toy_air.model(weather=toy_air.weather.assign(wind_speed_mps=u), background=None), toy_air, range(36))[-1]
        for u in (1.0, 8.0)
    )
    assert (calm.nox_ug_per_m3 > 2 * windy.nox_ug_per_m3).all()


def test_a_cleaner_fleet_on_the_links_of_a_zone_cuts_its_nox_alone(toy_air):
    """Links of Z01 without diesels up to Euro 5: emissions fall there, stay elsewhere, and return with `None`."""
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5)])
    inside = toy_air.link_zone.loc[toy_air.link_zone["zone_id"] == "Z01", "link_id"].to_numpy()
    base, changed = toy_air.model(), toy_air.model()
    changed.set_link_fleet(inside, clean)
    before, after = base.step(toy_air.interval(32)), changed.step(toy_air.interval(32))
    assert after.nox_g[0] < 0.8 * before.nox_g[0]
    np.testing.assert_array_equal(after.nox_g[1:], before.nox_g[1:])
    changed.set_link_fleet(inside, None)
    np.testing.assert_array_equal(changed.step(toy_air.interval(33)).nox_g, base.step(toy_air.interval(33)).nox_g)


def test_a_busy_calm_morning_lies_in_the_range_of_street_stations(toy_air):
    """Ranges of busy northern European streets: NO2 15-90, PM2.5 2-30 ug/m3 over three March days of rush hours."""
    airs = run(toy_air.model(), toy_air, range(288), factor=1.5)
    no2 = np.array([air.no2_ug_per_m3 for air in airs])
    pm25 = np.array([air.pm25_ug_per_m3 for air in airs])
    assert 15 < no2.max() < 90 and no2.min() > 1
    assert 2 < pm25.mean() < 20


def test_a_neutral_hour_mixes_as_the_worked_case(toy_air):
    """u* = 0.3 m/s under 1000 m: sigma_w = 1.3 u* (1 - 0.8 20 / 1000) = 0.38376, u_d = 0.086376 m/s.

    With the vehicles' 0.1 m/s: hypot(0.38376, 0.1) / (sqrt(2) pi) = 0.089261; at 120 m, 88 % of u_d: 0.076011.
    """
    assert roof_velocity(0.38376) == pytest.approx(0.086376, abs=1e-6)
    mixing = hour_mixing(3.0, 270.0, 0.0, 1.0, 1000.0, toy_air.model().geometry)
    assert mixing.roof == pytest.approx(0.089261, abs=1e-6)
    assert mixing.top == pytest.approx(0.076011, abs=1e-6)
    assert (mixing.wind_east, mixing.wind_north) == pytest.approx((3.0, 0.0))


def test_sun_stirs_and_a_clear_calm_night_does_not(toy_air):
    geometry = toy_air.model().geometry
    noon, night = (hour_mixing(2.0, 0.0, light, 0.1, 600.0, geometry).roof for light in (500.0, 0.0))
    assert noon > 1.5 * night


def test_weather_that_ends_too_early_is_an_error_that_names_the_time(toy_air):
    model = toy_air.model(weather=synthetic_weather(60.17, pd.Timestamp("2025-03-03", tz="UTC"), 1, 7))
    with pytest.raises(WeatherError, match=r"24 hours from 2025-03-03.*2025-03-04"):
        model.step(toy_air.interval(96))


def test_weather_with_a_gap_is_refused(toy_air):
    with pytest.raises(WeatherError, match="without gaps"):
        toy_air.model(weather=toy_air.weather.drop(index=5))


def test_a_state_of_another_city_is_refused(toy_air):
    model = toy_air.model()
    state = model.state()
    state["concentration_g_per_m3"] = state["concentration_g_per_m3"][:, :4]
    with pytest.raises(AirError, match="another city"):
        model.restore(state)


def test_unknown_links_cannot_get_a_fleet(toy_air):
    with pytest.raises(AirError, match="0 to 79"):
        toy_air.model().set_link_fleet([80], default_fleet())
