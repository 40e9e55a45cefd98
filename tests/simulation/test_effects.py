"""Effects by hand: paired differences, Student's t, and the quantities they are of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import EFFECTS, validate
from simulation.effects import Outcome, effects, link_effects, measure

INDEX = pd.MultiIndex.from_tuples([("nox_kg", "city", "", -1, "kg"), ("no2", "zone", "Z01", 8, "ug/m3")])
TIMES = pd.to_datetime(["2025-03-03 06:00", "2025-03-03 06:30", "2025-03-03 07:00"], utc=True)
ZONES = pd.DataFrame({"zone_id": ["Z01", "Z02"], "area_m2": [1e6, 3e6]})


def series(*values):
    return pd.Series(values, index=INDEX, dtype=float)


def outcome(**changes):
    """Three half hours in two zones; 06:00 UTC is 08:00 in Helsinki."""
    truth = pd.DataFrame({"zone_id": ["Z01", "Z02"] * 3, "time": TIMES.repeat(2)})
    for name in ("nox_g", "pm25_g", "co2_g", "nox_ug_per_m3", "pm25_ug_per_m3"):
        truth[name] = 1.0
    truth["vehicle_distance_m"] = [1000.0, 2000.0, 1000.0, 2000.0, 1000.0, np.nan]
    truth["vehicle_time_s"] = [100.0, 100.0, 100.0, 100.0, 200.0, 0.0]
    truth["delay_s_per_km"] = [10.0, 0.0, 20.0, 0.0, 30.0, np.nan]
    truth["no2_ug_per_m3"] = [10.0, 20.0] * 3
    trips = pd.DataFrame({"arrived": [3, 1, 0, 0], "mean_time_s": [100.0, 200.0, np.nan, np.nan]})
    return Outcome(zone_truth=truth.assign(**changes), trips=trips, link_totals=pd.DataFrame(), unfinished=7)


def test_an_interval_is_students_t_over_the_pairs():
    """Differences 1, 2, 3: mean 2, deviation 1; t with 2 degrees of freedom at 95 % is 2.91999: +- 2.91999 / sqrt 3."""
    base = [series(10.0, 5.0), series(20.0, 5.0), series(30.0, 5.0)]
    new = [series(11.0, 5.0), series(22.0, 5.0), series(33.0, 5.0)]
    table = validate(effects("try", base, new), EFFECTS).set_index("quantity")
    row = table.loc["nox_kg"]
    assert (row["base"], row["scenario_value"], row["effect"], row["n"]) == (20.0, 22.0, 2.0, 3)
    assert row["upper"] - 2.0 == pytest.approx(2.9199856 / np.sqrt(3), rel=1e-6)
    assert 2.0 - row["lower"] == pytest.approx(2.9199856 / np.sqrt(3), rel=1e-6)
    same = table.loc["no2"]
    assert (same["effect"], same["lower"], same["upper"]) == (0.0, 0.0, 0.0)
    assert (same["scope"], same["zone_id"], same["hour"], same["unit"]) == ("zone", "Z01", 8, "ug/m3")


def test_one_pair_has_an_effect_and_no_interval():
    table = effects("try", [series(1.0, 2.0)], [series(1.5, 2.0)])
    assert table["effect"].tolist() == [0.5, 0.0] and table[["lower", "upper"]].isna().all(axis=None)


def test_what_is_not_known_in_every_run_has_no_effect():
    table = effects("try", [series(1.0, np.nan), series(1.0, 3.0)], [series(2.0, 1.0), series(2.0, 1.0)])
    assert table["quantity"].tolist() == ["nox_kg"]


def test_exposure_weighs_by_people_and_noise_by_those_who_hear_it():
    """NO2 10 with 100 homes, 20 with 300, 2.2 persons each: (10 + 3 x 20) / 4 = 17.5; by area (1 : 3) the same,

    with homes 3 : 1 it is 12.5. Lden 60 for 300 people, 70 for 100: 62.5; at 65 dB: all of the second zone, 100.
    """
    noise = pd.DataFrame(
        {
            "zone_id": ["Z01", "Z02", "Z01"], "date": ["2025-03-03", "2025-03-03", "2025-03-04"],
            "people": [300.0, 100.0, 300.0], "lden_db": [60.0, 70.0, np.nan], "share_lden_65": [0.0, 1.0, np.nan],
        }
    )  # fmt: skip
    told = replace(outcome(), noise=noise)
    value = measure(told, ZONES.assign(homes=[300.0, 100.0]), ("Z02",), "Europe/Helsinki")
    city = value.xs(("city", "", -1), level=(1, 2, 3)).droplevel(1)
    assert city["no2_exposure"] == pytest.approx(12.5) and city["no2"] == pytest.approx(17.5)
    assert city["lden"] == pytest.approx(62.5) and city["people_lden_65"] == pytest.approx(100.0)
    assert value["lden", "inside", "", -1, "dB(A)"] == 70.0 and value["lden", "zone", "Z01", -1, "dB(A)"] == 60.0


def test_quantities_of_a_city_by_hand():
    """7 km in 600 s are 42 km/h; delay 10 + 20 + 30 s; NO2 (10 + 20 x 3) / 4 = 17.5; trips (300 + 200) / 4 = 125 s."""
    value = measure(outcome(), ZONES, (), "Europe/Helsinki")
    city = value.xs(("city", "", -1), level=(1, 2, 3)).droplevel(1)
    assert city["vehicle_km"] == pytest.approx(7.0) and city["vehicle_hours"] == pytest.approx(600 / 3600)
    assert city["speed_kmh"] == pytest.approx(42.0) and city["delay_hours"] == pytest.approx(60 / 3600)
    assert city["no2"] == pytest.approx(17.5) and city["nox_kg"] == pytest.approx(0.006)
    assert (
        city["travel_time_s"] == pytest.approx(125.0) and city["trips_arrived"] == 4 and city["trips_unfinished"] == 7
    )


def test_hours_are_those_of_the_wall():
    value = measure(outcome(), ZONES, (), "Europe/Helsinki")
    by_hour = value.xs(("vehicle_km", "city", ""), level=(0, 1, 2)).droplevel(1)
    assert by_hour.loc[[8, 9]].tolist() == pytest.approx([6.0, 1.0]) and set(by_hour.index) == {-1, 8, 9}


def test_inside_and_outside_add_up_to_the_city():
    value = measure(outcome(), ZONES, ("Z01",), "UTC")
    for name in ("vehicle_km", "vehicle_hours", "nox_kg"):
        inside, outside = (
            value.xs((name, scope, "", -1), level=(0, 1, 2, 3)).item() for scope in ("inside", "outside")
        )
        assert inside + outside == pytest.approx(value.xs((name, "city", "", -1), level=(0, 1, 2, 3)).item())
    assert value.xs(("no2", "inside"), level=(0, 1)).item() == 10.0
    assert not (measure(outcome(), ZONES, (), "UTC").index.get_level_values(1) == "inside").any()


def test_a_zone_without_traffic_has_no_speed():
    value = measure(outcome(vehicle_time_s=0.0), ZONES, (), "UTC")
    assert value.xs("speed_kmh", level=0).isna().all()


def test_links_before_and_after():
    """Two runs of 2 h: 10 and 30 vehicles are 10 an hour; 40 km in 4,000 s are 10 m/s."""
    table = pd.DataFrame({"link_id": [0, 1], "vehicle_distance_m": [1e4, 0.0], "vehicle_time_s": [1e3, 0.0]})
    base = [
        table.assign(outflow_veh=[10.0, 0.0]),
        table.assign(outflow_veh=[30.0, 0.0], vehicle_distance_m=[3e4, 0.0], vehicle_time_s=[3e3, 0.0]),
    ]
    found = link_effects(base, base, 2.0)
    assert found["flow_base"].tolist() == [10.0, 0.0] and found["speed_base"].iloc[0] == pytest.approx(10.0)
    assert np.isnan(found["speed_base"].iloc[1]) and found["flow_scenario"].equals(
        found["flow_base"].rename("flow_scenario")
    )
