"""Gravity: the mean or the lengths that it was calibrated to come out again."""

import numpy as np
import pytest

from simulation.demand.gravity import Friction, calibrate_gravity, gravity, mean_cost
from simulation.errors import DemandError

RNG = np.random.default_rng(2)
XY = RNG.random((12, 2)) * 8000.0
COST = np.hypot(*(XY[:, None] - XY[None, :]).T).T + 200.0
ENDS = RNG.lognormal(5.0, 0.5, (2, 12))


def test_two_zones_have_a_closed_form():
    """Cost 1 within and 3 between: the share between is 1 / (1 + e^(2 beta)).

    A mean of 1.5 = 1 + 2 x share needs a share of 1/4, so e^(2 beta) = 3, and 25 of each zone's 100 trips.
    """
    cost = np.array([[1.0, 3.0], [3.0, 1.0]])
    found = calibrate_gravity(np.full(2, 100.0), np.full(2, 100.0), cost, mean=1.5)
    assert found.friction.beta == pytest.approx(np.log(3.0) / 2.0, rel=1e-6)
    assert found.od_veh[0, 1] == pytest.approx(25.0, rel=1e-6)


@pytest.mark.parametrize("form", ["exponential", "power", "tanner"])
def test_the_mean_that_was_asked_for_is_met_and_ends_are_kept(form):
    """A mean of 3 km among 12 random places, doubly constrained."""
    found = calibrate_gravity(ENDS[0], ENDS[1], COST, mean=3000.0, form=form)
    assert mean_cost(found.od_veh, COST) == pytest.approx(3000.0, rel=1e-5)
    assert found.od_veh.sum(axis=1) == pytest.approx(ENDS[0], rel=1e-6)
    assert found.od_veh.sum(axis=0) == pytest.approx(ENDS[1] * ENDS[0].sum() / ENDS[1].sum(), rel=1e-6)


@pytest.mark.parametrize("friction", [Friction(form="exponential", beta=1 / 1500.0), Friction(form="power", beta=1.3)])
def test_a_hidden_parameter_is_found_again_from_trip_lengths(friction):
    """Trips of a known beta in classes of 500 m: maximum likelihood finds it within 2 %."""
    od = gravity(ENDS[0], ENDS[1], COST, friction)
    edges = np.arange(0.0, 13_001.0, 500.0)
    shares = np.histogram(COST, bins=edges, weights=od)[0]
    found = calibrate_gravity(ENDS[0], ENDS[1], COST, shares=shares, edges=edges, form=friction.form)
    assert found.friction.beta == pytest.approx(friction.beta, rel=0.02)


def test_tanner_with_lengths_finds_both_parameters():
    """alpha 1, beta 1 / 1000 m: the mean length comes out within 1 %."""
    od = gravity(ENDS[0], ENDS[1], COST, Friction(form="tanner", alpha=1.0, beta=1e-3))
    edges = np.arange(0.0, 13_001.0, 500.0)
    shares = np.histogram(COST, bins=edges, weights=od)[0]
    found = calibrate_gravity(ENDS[0], ENDS[1], COST, shares=shares, edges=edges, form="tanner")
    assert found.mean_cost == pytest.approx(mean_cost(od, COST), rel=0.01)
    assert found.friction.alpha == pytest.approx(1.0, abs=0.3)


def test_a_mean_that_no_friction_gives_is_refused_with_the_limits():
    """Nobody drives 1,000 km among places that are 8 km apart."""
    with pytest.raises(DemandError, match="no friction gives a mean cost of 1e"):
        calibrate_gravity(ENDS[0], ENDS[1], COST, mean=1e6)


def test_every_fault_is_named():
    """An unknown form, a cost of another shape, neither mean nor shares."""
    with pytest.raises(DemandError, match=r"(?s)form.*cost has shape.*give the mean"):
        calibrate_gravity(ENDS[0], ENDS[1], COST[:3], form="linear")
