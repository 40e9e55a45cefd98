"""The air of the toy_air town: conservation, continuation bit for bit, and the signs that a planner would expect."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from simulation.air import Ban, default_fleet, synthetic_weather
from simulation.air.background import SPECIES, synthetic_background
from simulation.air.errors import AirError, WeatherError
from simulation.air.field import to_reference
from simulation.air.model import hour_mixing


def run(model, toy_air, numbers, **kw):
    return [model.step(toy_air.interval(number, **kw)) for number in numbers]


def values(zone_air):
    return np.concatenate([np.ravel(getattr(zone_air, f.name)) for f in fields(zone_air) if f.name != "start_s"])


def test_mass_is_kept_over_a_day(toy_air):
    """Emitted + blown in + at start = blown out + deposited + in the air, to 1e-9 of it, for all species.

    What the streets emit and the wind carries out of the city before the near field ends counts as both emitted and
    blown out, so that the books hold all of it.
    """
    model = toy_air.model()
    airs = run(model, toy_air, range(96))
    assert np.abs(model.imbalance()).max() < 1e-9
    for name in ("nox", "no2", "pm25", "pm10"):
        emitted = sum(getattr(air, f"{name}_g").sum() for air in airs)
        assert model.ledger.emitted[SPECIES.index(name)] == pytest.approx(emitted)


def test_all_that_traffic_emits_is_blown_out_deposited_or_in_the_air(toy_air):
    """Nothing flows in and the air is clean at the start: emitted = blown out + deposited + in the air, within 1e-6."""
    clean = pd.DataFrame({"time": toy_air.weather["time"], **dict.fromkeys(SPECIES, 0.0)})
    model = toy_air.model(background=clean)
    grams = np.zeros(len(SPECIES))
    for number in range(2 * 96):
        air = model.step(toy_air.interval(number))
        grams += [air.nox_g.sum(), air.no2_g.sum(), 0.0, air.pm25_g.sum(), air.pm10_g.sum()]
    out, fallen, left = model.ledger.blown_out, model.ledger.deposited, model.mass_in_air()
    np.testing.assert_allclose(out + fallen + left, grams, rtol=1e-6)
    assert (grams[[0, 1, 3, 4]] > 1.0).all() and (left[[0, 1, 3, 4]] > 0).all()


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
    inflow = synthetic_background(toy_air.weather, seed=7, latitude=60.17, longitude=24.94).loc[0, list(SPECIES)]
    np.testing.assert_allclose(air.nox_ug_per_m3, inflow["nox"], rtol=0.05)
    np.testing.assert_allclose(air.pm10_ug_per_m3, inflow["pm10"], rtol=0.05)
    assert air.nox_g.sum() == 0


def test_frost_does_not_change_a_background_that_is_told_at_293_k(toy_air):
    """A table tells gases at 293 K. At -20 C a cubic metre of the street holds 293 / 253 = 1.16 times as much, and
    counts 253 / 293 of that again: what flows in comes out, but for deposition and the reaction of NO2 and ozone.
    """
    background = synthetic_background(toy_air.weather, seed=7, latitude=60.17, longitude=24.94)
    steady = background.assign(**dict.fromkeys(SPECIES, 20.0), time=toy_air.weather["time"])
    model = toy_air.model(weather=toy_air.weather.assign(temperature_c=-20.0), background=steady)
    air = run(model, toy_air, range(4), factor=0.0)[-1]
    np.testing.assert_allclose(air.nox_ug_per_m3, 20.0, rtol=0.02)
    np.testing.assert_allclose(air.pm25_ug_per_m3, 20.0, rtol=0.02)


def test_gases_of_the_streets_count_at_293_k_and_particles_as_they_are(toy_air):
    """Same grams, same mixing: at 263.15 K NOx counts 263.15 / 293.15 = 0.8977 of what it does at 293.15 K."""
    np.testing.assert_allclose(to_reference(263.15), [0.89766, 0.89766, 0.89766, 1.0, 1.0], rtol=1e-5)
    model = toy_air.model()
    model.step(toy_air.interval(32))
    hour, background, traffic = model._last
    cold, warm = (
        model.field.concentrations(replace(hour, temperature_k=kelvin), 0.0 * background, traffic)
        for kelvin in (263.15, 293.15)
    )
    nox, pm25, pm10 = (SPECIES.index(name) for name in ("nox", "pm25", "pm10"))
    np.testing.assert_allclose(cold[:, nox], 0.897663 * warm[:, nox], rtol=1e-5)
    np.testing.assert_array_equal(cold[:, [pm25, pm10]], warm[:, [pm25, pm10]])
    assert (warm[:, nox] > 0).all()


def test_no2_stays_below_nox_and_pm25_below_pm10(toy_air):
    for air in run(toy_air.model(), toy_air, range(0, 96, 4)):
        assert (air.receptors >= 0).all() and np.isfinite(air.receptors).all()
        nox, no2, _, pm25, pm10 = air.receptors.T
        assert (no2 <= nox * (1 + 1e-9)).all() and (pm25 <= pm10 * (1 + 1e-9)).all()


def test_a_zone_is_the_mean_of_its_facades(toy_air):
    model = toy_air.model()
    air = model.step(toy_air.interval(32))
    kept = model.field.receptors["zone_id"] == "Z02"
    assert air.no2_ug_per_m3[1] == pytest.approx(air.receptors[kept.to_numpy(), 1].mean())


def test_walls_along_the_streets_hold_their_exhaust_back(toy_air):
    """Every street a canyon, 18 m high and 18 m wide: the streets add more NOx at its fronts than in the open."""
    walls = toy_air.walls(height_m=18.0, width_m=18.0)
    for direction in (0.0, 45.0, 200.0):
        weather = toy_air.weather.assign(wind_dir_deg=direction, wind_speed_mps=3.0)
        open_town, built = (
            run(toy_air.model(weather=weather, walls=w), toy_air, range(30, 34))[-1] for w in (None, walls)
        )
        clean = run(toy_air.model(weather=weather), toy_air, range(30, 34), factor=0.0)[-1].nox_ug_per_m3
        assert (built.nox_ug_per_m3 - clean).mean() > 1.1 * (open_town.nox_ug_per_m3 - clean).mean()


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


MIXING = {"wind_dir_deg": 270.0, "w_star_mps": 0.0, "sigma_v_mps": 0.57, "height_m": 120.0}


def test_a_neutral_hour_mixes_as_the_worked_case():
    """u* = 0.3 m/s under 1000 m, boxes of 120 m: sigma_w = 1.3 u* (1 - 0.8 0.12) = 0.35256 m/s.

    Through the top: sigma_w / (sqrt(2) pi) (1 - 0.12) = 0.069832 m/s; sideways a tenth of sigma_v.
    """
    mixing = hour_mixing(wind_mps=3.0, u_star_mps=0.3, mixing_height_m=1000.0, **MIXING)
    assert mixing.top == pytest.approx(0.069832, abs=1e-6)
    assert mixing.sideways == pytest.approx(0.057)
    assert (mixing.wind_east, mixing.wind_north) == pytest.approx((3.0, 0.0))


def test_under_a_low_lid_nothing_leaves_through_the_top():
    assert hour_mixing(wind_mps=1.0, u_star_mps=0.1, mixing_height_m=100.0, **MIXING).top == 0.0


def test_sun_stirs_and_a_clear_calm_night_does_not(toy_air):
    """The same wind of 2 m/s and the same traffic, at noon under the sun and in a clear night."""
    weather = toy_air.weather.assign(wind_speed_mps=2.0, wind_dir_deg=200.0, cloud_share=0.1)
    day, night = (weather.assign(radiation_w_per_m2=r, mixing_height_m=h) for r, h in ((700.0, 1500.0), (0.0, 200.0)))
    at_noon, at_night = (toy_air.model(weather=w).step(toy_air.interval(32)) for w in (day, night))
    assert at_night.pm25_ug_per_m3.mean() > at_noon.pm25_ug_per_m3.mean()


def test_weather_that_ends_too_early_is_an_error_that_names_the_time(toy_air):
    model = toy_air.model(weather=synthetic_weather(60.17, pd.Timestamp("2025-03-03", tz="UTC"), 1, 7))
    with pytest.raises(WeatherError, match=r"24 hours from 2025-03-03.*2025-03-04"):
        model.step(toy_air.interval(96))


def test_a_background_without_a_species_or_with_a_hole_is_refused(toy_air):
    table = pd.DataFrame({"time": toy_air.weather["time"], **dict.fromkeys(SPECIES, 10.0)})
    with pytest.raises(AirError, match=r"lacks column\(s\) \['pm10'\]"):
        toy_air.model(background=table.drop(columns="pm10"))
    with pytest.raises(AirError, match="missing or negative"):
        toy_air.model(background=table.assign(o3=np.nan))


def test_weather_with_a_gap_is_refused(toy_air):
    with pytest.raises(WeatherError, match="without gaps"):
        toy_air.model(weather=toy_air.weather.drop(index=5))


def test_a_state_of_another_city_is_refused(toy_air):
    model = toy_air.model()
    state = model.state()
    state["concentration_g_per_m3"] = state["concentration_g_per_m3"][:, :3]
    with pytest.raises(AirError, match="another city"):
        model.restore(state)


def test_unknown_links_cannot_get_a_fleet(toy_air):
    with pytest.raises(AirError, match="0 to 79"):
        toy_air.model().set_link_fleet([80], default_fleet())
