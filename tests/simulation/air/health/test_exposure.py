"""Population-weighted means, person-hours and shares of people, by hand."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.errors import AirError
from simulation.air.health.exposure import (
    PERSONS_PER_HOME,
    exposure_change,
    exposure_distribution,
    person_hours_above,
    population,
    population_weighted_mean,
    share_of_people_above,
)

PEOPLE = np.array([100.0, 300.0, 0.0])


def test_people_come_from_homes_or_from_a_population_column():
    """10 homes are 22 people; a zone's own number goes before its homes."""
    zones = pd.DataFrame({"zone_id": ["a", "b"], "homes": [10.0, 20.0]})
    assert population(zones).to_dict() == {"a": 10 * PERSONS_PER_HOME, "b": 20 * PERSONS_PER_HOME} == {"a": 22, "b": 44}
    assert population(zones, persons_per_home=2.0)["b"] == 40.0
    assert population(zones.assign(population=[5.0, np.nan])).to_dict() == {"a": 5.0, "b": 44.0}
    assert population(zones.drop(columns="homes").assign(population=[5, 6]))["b"] == 6.0


def test_impossible_populations_are_told_together():
    """Negative, missing and repeated zones and a factor of 0 in one message; no column at all in another."""
    zones = pd.DataFrame({"zone_id": ["a", "a", "c"], "homes": [-1.0, np.nan, 3.0]})
    with pytest.raises(AirError, match=r"(?s)must be above 0.*no number.*negative.*more than one row"):
        population(zones, persons_per_home=0.0)
    with pytest.raises(AirError, match="'population' or 'homes'"):
        population(zones[["zone_id"]])


def test_the_mean_is_weighted_by_people():
    """(100 * 10 + 300 * 30) / 400 = 25; an empty zone weighs nothing; hour by hour for (T, R)."""
    assert population_weighted_mean(np.array([10.0, 30.0, 999.0]), PEOPLE) == pytest.approx(25.0)
    two = population_weighted_mean(np.array([[10.0, 30.0, 1.0], [20.0, 20.0, 1.0]]), PEOPLE)
    np.testing.assert_allclose(two, [25.0, 20.0])


def test_missing_places_are_left_out_until_too_few_people_remain():
    """Without the 100 people's value the mean is the other 300's; without those 300 (75 %) there is none."""
    assert population_weighted_mean(np.array([np.nan, 30.0, 1.0]), PEOPLE) == 30.0
    assert np.isnan(population_weighted_mean(np.array([10.0, np.nan, 1.0]), PEOPLE))
    assert population_weighted_mean(np.array([10.0, np.nan, 1.0]), PEOPLE, min_covered=0.2) == 10.0
    assert population_weighted_mean(np.array([10.0, np.nan]), np.array([50.0, 50.0])) == 10.0  # half is enough
    assert np.isnan(population_weighted_mean(np.array([10.0]), np.array([0.0])))


def test_person_hours_count_people_while_it_is_above():
    """Quarter-hours: 100 people for 2 of 4 intervals are 50 person-hours, 300 people for 1 are 75; NaN is not above."""
    values = np.array([[51.0, 50.0, 60.0], [52.0, 70.0, 60.0], [10.0, np.nan, 60.0], [10.0, 0.0, 60.0]])
    np.testing.assert_allclose(person_hours_above(values, PEOPLE, 50.0, step_s=900), [50.0, 75.0, 0.0])
    by_place = person_hours_above(values, PEOPLE, np.array([5.0, 100.0, 0.0]), step_s=3600)
    np.testing.assert_allclose(by_place, [400.0, 0.0, 0.0])


def test_shares_and_quantiles_of_people():
    """100 of 400 people at 10, 300 at 30: three quarters above 20, all above 5, none above 30; half stay within 30."""
    values = np.array([10.0, 30.0, 500.0])
    np.testing.assert_allclose(share_of_people_above(values, PEOPLE, [5, 20, 30]), [1.0, 0.75, 0.0])
    np.testing.assert_allclose(exposure_distribution(values, PEOPLE, [0.0, 0.25, 0.26, 0.5, 1.0]), [10, 10, 30, 30, 30])
    some = np.array([np.nan, 30.0, 1.0])
    np.testing.assert_allclose(share_of_people_above(some, PEOPLE, [20]), [1.0])
    nobody = np.zeros(3)
    assert np.isnan(share_of_people_above(values, nobody, [5])).all()
    assert np.isnan(exposure_distribution(values, nobody, [0.5])).all()


def test_a_city_of_equal_air_has_that_exposure_whatever_its_people():
    """Any weights over one concentration give it back; the mean lies between least and most of inhabited zones."""
    rng = np.random.default_rng(2)
    people = rng.uniform(0, 1000, 40)
    assert population_weighted_mean(np.full(40, 17.0), people) == pytest.approx(17.0)
    values = rng.uniform(0, 80, (500, 40))
    mean = population_weighted_mean(values, people)
    assert (mean >= values.min(axis=1)).all() and (mean <= values.max(axis=1)).all()


def _table(by_zone, n=4):
    times = pd.date_range("2025-05-05", periods=n, freq="15min", tz="UTC")
    rows = [
        pd.DataFrame({"zone_id": zone, "time": times, "no2_ug_per_m3": np.asarray(values, dtype=float)})
        for zone, values in by_zone.items()
    ]
    return pd.concat(rows, ignore_index=True)


def test_a_scenario_is_compared_zone_by_zone_and_for_the_city():
    """Zone a (100 people) 40 -> 20, zone b (300) 10 -> 14: means change by -20 and +4, the city's by
    (100 * -20 + 300 * 4) / 400 = -2; person-hours above 30: 100 people * 1 h less.
    """
    zones = pd.DataFrame({"zone_id": ["a", "b"], "population": [100, 300]})
    found = exposure_change(
        _table({"a": [40] * 4, "b": [10] * 4}), _table({"b": [14] * 4, "a": [20] * 4}), zones,
        column="no2_ug_per_m3", threshold=30.0,
    ).set_index("zone_id")  # fmt: skip
    np.testing.assert_allclose(found["mean_change"], [-20.0, 4.0, -2.0])
    np.testing.assert_allclose(found["person_hours_change"], [-100.0, 0.0, -100.0])
    assert found.loc["", "scope"] == "city" and found.loc["", "population"] == 400


def test_only_times_that_both_runs_have_are_compared():
    """Zone a lacks its last value in the scenario: the base's 1000 there must not count."""
    zones = pd.DataFrame({"zone_id": ["a"], "population": [10]})
    base, scenario = _table({"a": [20, 20, 20, 1000]}), _table({"a": [30, 30, 30, np.nan]})
    found = exposure_change(base, scenario, zones, column="no2_ug_per_m3", threshold=25.0)
    np.testing.assert_allclose(found["mean_change"], [10.0, 10.0])
    np.testing.assert_allclose(found["person_hours_change"], [7.5, 7.5])


def test_runs_that_do_not_match_are_refused():
    """Other times; a zone that the zones lack; arrays that do not fit."""
    zones = pd.DataFrame({"zone_id": ["a"], "population": [10]})
    base = _table({"a": [1, 1, 1, 1]})
    with pytest.raises(AirError, match="same times"):
        exposure_change(base, base[:3], zones, column="no2_ug_per_m3", threshold=1.0)
    with pytest.raises(AirError, match=r"\['b'\]"):
        exposure_change(base, _table({"b": [1] * 4}), zones, column="no2_ug_per_m3", threshold=1.0)
    with pytest.raises(AirError, match=r"\(2,\) do not fit people of shape \(3,\)"):
        population_weighted_mean(np.ones(2), PEOPLE)
    with pytest.raises(AirError, match="negative"):
        person_hours_above(np.ones((2, 1)), np.array([-1.0]), 1.0, step_s=900)
    with pytest.raises(AirError, match="quantiles from 0 to 1"):
        exposure_distribution(np.ones(3), PEOPLE, [1.5])
