"""Whole vehicles from fractional demand: sums, expectations, departures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulation.demand.whole_vehicles import departures, whole_vehicles
from simulation.errors import DemandError


@given(demand=arrays(float, (4, 3, 5), elements=st.floats(0, 50)), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_cells_pairs_and_the_sum_are_rounded_up_or_down(demand, seed):
    whole = whole_vehicles(demand, seed=seed)
    assert whole.sum() == np.rint(demand.sum()) or abs(demand.sum() % 1 - 0.5) < 1e-9
    scale = 1e-6 + abs(whole.sum() - demand.sum())  # a sum that is no integer is drawn to the nearer one
    for exact, made in ((demand, whole), (demand.sum(axis=2), whole.sum(axis=2))):
        assert (np.abs(made - exact) < 1 + scale).all()


def test_a_sum_that_is_an_integer_is_kept_whatever_the_seed():
    """A day of 96 intervals, 40 pairs of 0.3 vehicles an interval: 1,152; rounding each cell would give 0."""
    demand = np.full((5, 8, 96), 0.3)
    for seed in range(20):
        whole = whole_vehicles(demand, seed=seed)
        assert whole.sum() == 1152 and set(np.unique(whole)) == {0, 1}
        assert (np.abs(whole.sum(axis=2) - 28.8) < 1).all()


def test_each_cell_expects_its_demand():
    """Means of 4,000 seeds; the standard error of a 0-or-1 cell is below 0.008."""
    demand = np.array([[[0.1, 0.7, 2.4], [0.0, 1.0, 0.8]]])
    mean = np.mean([whole_vehicles(demand, seed=seed) for seed in range(4000)], axis=0)
    assert mean == pytest.approx(demand, abs=0.035)


def test_every_vehicle_departs_within_its_interval():
    vehicles = np.array([[[0, 2], [1, 0]], [[3, 0], [0, 1]]])
    depart, origin, destination = departures(vehicles, step_s=900.0, seed=1, start_s=3600.0)
    assert depart.size == 7 and (np.diff(depart) >= 0).all()
    again = np.zeros_like(vehicles)
    np.add.at(again, (origin, destination, ((depart - 3600.0) // 900.0).astype(int)), 1)
    assert (again == vehicles).all()


def test_impossible_demand_is_refused():
    with pytest.raises(DemandError, match=r"cell \(0, 1, 0\) has -1 \(2 such cells\)"):
        whole_vehicles(np.array([[[0.5], [-1.0], [np.nan]]]), seed=0)
