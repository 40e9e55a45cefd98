"""Calibration to speeds on the toy town: jams say how full the streets are, free streets say nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.benchmarks.demand import make
from simulation.errors import DemandError
from simulation.hourly_speeds import HourlyTraffic, simulated_traffic
from simulation.speed_calibration import LEVEL_SD, calibrate_to_speeds, checked_speeds, factored, parts_of


@pytest.fixture(scope="module")
def toy():
    return make("toy")


def scaled(city, factor):
    return replace(city, demand=city.demand.scaled(factor))


def measured(city, hour=8):
    """Speeds of every link at one hour of a weekday."""
    link = np.arange(len(city.links))
    pace = simulated_traffic(city, [hour], days=1, seed=7).pace_s_per_m(link, np.full(link.size, hour))
    return pd.DataFrame({"link_id": link, "hour": hour, "speed_mps": 1 / pace}).dropna(ignore_index=True)


def test_speeds_of_a_fuller_town_bring_its_trips_back(toy):
    """The truth has 1.6 times the trips: the sum rises by a fifth at least, and links never seen come nearer."""
    found = calibrate_to_speeds(toy, measured(scaled(toy, 1.6)), districts=1, rounds=2, days=1, hold_out=0.2)
    assert found.taken, found.verdict
    assert 1.2 < found.demand.od_veh.sum() / toy.demand.od_veh.sum() < 1.9
    fit = found.quality.set_index(["stage", "scope"])["rmse_mps"]
    assert fit["calibrated", "held_out"] < fit["prior", "held_out"]
    assert fit["calibrated", "used"] < fit["prior", "used"]


def test_speeds_of_streets_that_are_free_tell_nothing(toy):
    """A fifth of the trips, in truth and prior alike: factors near 1, no better known than before."""
    empty = scaled(toy, 0.2)
    found = calibrate_to_speeds(empty, measured(empty, 3), districts=1, rounds=1, days=1, guard_share=0.0)
    assert found.factors["factor"].between(0.9, 1.1).all()
    assert (found.factors["log_sd"] > 0.8 * LEVEL_SD).all()


def test_a_calibration_that_is_not_taken_leaves_the_demand_bit_for_bit(toy):
    """Speeds of 300 km/h that no demand makes: whatever is tried, what is not taken changes nothing."""
    table = measured(scaled(toy, 0.2), 3).assign(speed_mps=83.0)
    found = calibrate_to_speeds(scaled(toy, 0.2), table, districts=1, rounds=1, days=1)
    if not found.taken:
        assert found.demand is not None and "not taken" in found.verdict
        assert np.array_equal(found.demand.od_veh, scaled(toy, 0.2).demand.od_veh)
    assert np.isfinite(found.factors["factor"]).all()


def test_parts_cover_every_pair_once_and_factors_multiply_them(toy):
    """Trips of the parts sum to all trips; a factor of 2 on the first part adds its trips once more."""
    part, names = parts_of(toy, 3)
    trips = np.bincount(part.ravel(), weights=toy.demand.od_veh.ravel(), minlength=len(names))
    assert trips.sum() == pytest.approx(toy.demand.od_veh.sum())
    theta = np.zeros(len(names))
    theta[0] = np.log(2.0)
    assert factored(toy, part, theta).sum() == pytest.approx(toy.demand.od_veh.sum() + trips[0])


def test_pace_is_time_over_distance_of_all_days():
    """Two days of one link: 100 m in 10 s, 300 m in 50 s: 60 s over 400 m; days of 0.1 and 1/6 s/m vary by 1/450."""
    books = np.array([[100.0, 300.0], [10.0, 50.0]])
    made = HourlyTraffic(
        hours=(8,),
        inflow_veh=np.ones((2, 1, 1)),
        distance_m=books[0].reshape(2, 1, 1),
        time_s=books[1].reshape(2, 1, 1),
    )
    at = np.array([0]), np.array([8])
    assert made.pace_s_per_m(*at) == pytest.approx([0.15])
    assert made.pace_variance(*at) == pytest.approx([2 * (1 / 30) ** 2])


def test_what_cannot_be_used_is_named(toy):
    """No speed, a speed of 0, a link that is not there, impossible options."""
    with pytest.raises(DemandError, match="speed_mps"):
        checked_speeds(pd.DataFrame({"link_id": [1], "hour": [8]}), 5)
    with pytest.raises(DemandError, match="above 0"):
        checked_speeds(pd.DataFrame({"link_id": [1], "hour": [8], "speed_mps": [0.0]}), 5)
    with pytest.raises(DemandError, match="link_id"):
        checked_speeds(pd.DataFrame({"link_id": [9], "hour": [8], "speed_mps": [5.0]}), 5)
    with pytest.raises(DemandError, match=r"(?s)rounds=0.*speed_cv.*hold_out"):
        calibrate_to_speeds(toy, measured(toy, 3), rounds=0, speed_cv=0.0, hold_out=1.0)
