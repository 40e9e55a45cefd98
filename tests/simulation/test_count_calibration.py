"""Calibration to counts on the toy town: a hidden demand comes back, what is held out stays unseen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.benchmarks.demand import make
from simulation.count_calibration import calibrate_demand, checked_counts
from simulation.errors import DemandError
from simulation.hourly_flows import assigned_flows, simulated_flows


@pytest.fixture(scope="module")
def toy():
    return make("toy")


@pytest.fixture(scope="module")
def hidden(toy):
    """The town with a prior that is off by 30 % a pair, and static counts of the truth at 08:00 on every link."""
    truth = toy.demand.od_veh
    noise = np.clip(1.0 + 0.3 * np.random.default_rng(4).standard_normal(truth.shape), 0.1, None)
    counts = pd.DataFrame(
        {"link_id": np.arange(len(toy.links)), "hour": 8, "veh_per_h": assigned_flows(toy, [8]).flow_veh_per_h[0]}
    )
    return replace(toy, demand=replace(toy.demand, od_veh=truth * noise)), counts


def test_a_hidden_demand_comes_closer_and_its_flows_come_out(toy, hidden):
    """Counts on every link: RMSE falls to a third or less, and the matrix is nearer to the truth than the prior."""
    city, counts = hidden
    found = calibrate_demand(city, counts, assignment="static", count_cv=0.02, rounds=3, count_days=100)
    fit = found.quality.set_index(["stage", "scope"])["rmse_veh_per_h"]
    assert fit["calibrated", "counted"] < fit["prior", "counted"] / 3.0
    error = [np.square(d.od_veh - toy.demand.od_veh).sum() for d in (city.demand, found.demand)]
    assert error[1] < error[0]


def test_held_out_counts_change_nothing(hidden):
    """Their values doubled: the same demand, bit for bit."""
    city, counts = hidden
    seen = counts.assign(held_out=counts["link_id"] % 2 == 1)
    other = seen.assign(veh_per_h=np.where(seen["held_out"], 2 * seen["veh_per_h"], seen["veh_per_h"]))
    a, b = (calibrate_demand(city, c, assignment="static", rounds=1).demand.od_veh for c in (seen, other))
    assert np.array_equal(a, b)


def test_the_order_of_rows_is_no_matter(hidden):
    """Counts shuffled: the same demand, bit for bit."""
    city, counts = hidden
    mixed = counts.sample(frac=1.0, random_state=1)
    a, b = (calibrate_demand(city, c, assignment="static", rounds=1, hold_out=0.2) for c in (counts, mixed))
    assert np.array_equal(a.demand.od_veh, b.demand.od_veh)
    pd.testing.assert_frame_equal(a.links, b.links)


def test_a_level_that_is_free_finds_a_prior_that_is_twice_the_truth(toy, hidden):
    """The truth doubled as prior: the factor is 0.5, and the total comes back within 2 %."""
    _, counts = hidden
    double = replace(toy, demand=replace(toy.demand, od_veh=2.0 * toy.demand.od_veh))
    found = calibrate_demand(double, counts, assignment="static", fit_level=True, rounds=3)
    assert found.demand.od_veh.sum() == pytest.approx(toy.demand.od_veh.sum(), rel=0.02)


def test_the_dynamic_city_gives_counts_and_the_same_twice(toy):
    """Flows of an hour of two days: above 0, the same for the same seed, and what trees leave out is told."""
    a, b = (simulated_flows(toy, [8], days=2, seed=3) for _ in range(2))
    assert np.array_equal(a.flow_veh_per_h, b.flow_veh_per_h) and a.flow_veh_per_h.sum() > 0
    assert np.array_equal(a.offset_veh_per_h, b.offset_veh_per_h)
    assert ((a.response >= 0.2) & (a.response <= 1.0)).all()


def test_a_calibration_that_does_not_help_where_it_has_not_looked_is_not_taken(hidden):
    """Counts of the prior's own streets with errors of chance of 40 % a link: no demand explains them.

    The prior stays, bit for bit, its flows are told twice, and why.
    """
    city, counts = hidden
    own = assigned_flows(city, [8]).flow_veh_per_h[0]
    wild = counts.assign(veh_per_h=own * np.exp(0.4 * np.random.default_rng(2).standard_normal(own.size)))
    found = calibrate_demand(city, wild, assignment="static", rounds=1)
    assert not found.taken and "not taken" in found.verdict and "left out" in found.verdict
    assert np.array_equal(found.demand.od_veh, city.demand.od_veh)
    assert found.links["prior_veh_per_h"].equals(found.links["calibrated_veh_per_h"])


def test_a_calibration_that_helps_is_taken_and_says_by_how_much(hidden):
    """Counts of the hidden truth on every link: taken, after rounds without the guards and rounds with all counts."""
    city, counts = hidden
    found = calibrate_demand(city, counts, assignment="static", rounds=2)
    assert found.taken and "left out" in found.verdict
    assert found.rounds["stage"].tolist() == ["guarded", "guarded", "all"]


def test_every_fault_of_counts_is_named():
    """A link that is not there, hour 24, a gap, a row that comes twice."""
    counts = pd.DataFrame({"link_id": [99, 1, 1], "hour": [24, 8, 8], "veh_per_h": [np.nan, 5.0, 6.0]})
    with pytest.raises(DemandError, match=r"(?s)link_id.*hour.*veh_per_h.*come twice"):
        checked_counts(counts, 10)
    with pytest.raises(DemandError, match="lack column"):
        checked_counts(counts.drop(columns="hour"), 10)
