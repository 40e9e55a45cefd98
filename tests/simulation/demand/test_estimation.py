"""Least squares towards a prior, against closed forms and its bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.demand.estimation import common_factor, estimate_od
from simulation.errors import DemandError


def linear(shares):
    """Flows and their transpose for shares of shape (m, P, P)."""
    return lambda od: np.einsum("mij,ij->m", shares, od), lambda weight: np.einsum("m,mij->ij", weight, shares)


def test_one_pair_and_one_count_share_the_gap_by_their_variances():
    """Prior 100 +- 30, count 160 +- 30 of all of it: halfway, 130."""
    prior = np.array([[0.0, 100.0], [0.0, 0.0]])
    flows, pull = linear(np.array([[[0.0, 1.0], [0.0, 0.0]]]))
    found = estimate_od(prior, np.array([160.0]), np.array([30.0]), flows, pull, prior_cv=0.3)
    assert found.od_veh[0, 1] == pytest.approx(130.0, rel=1e-6)
    assert found.misfit_before == pytest.approx(4.0)
    assert found.misfit == pytest.approx(2.0)


def test_the_larger_pair_takes_more_of_the_gap():
    """Pairs 100 and 200 on one link with 20 % error each: the gap splits as their variances, 1 : 4."""
    prior = np.array([[0.0, 100.0], [200.0, 0.0]])
    flows, pull = linear(np.ones((1, 2, 2)))
    found = estimate_od(prior, np.array([330.0]), np.array([1e-3]), flows, pull, prior_cv=0.2)
    assert found.od_veh[0, 1] - 100.0 == pytest.approx(6.0, rel=1e-3)
    assert found.od_veh[1, 0] - 200.0 == pytest.approx(24.0, rel=1e-3)


def test_an_offset_is_not_blamed_on_the_demand():
    """Of the 160 counted 60 come from elsewhere: the prior of 100 is left alone."""
    prior = np.array([[0.0, 100.0], [0.0, 0.0]])
    flows, pull = linear(np.ones((1, 2, 2)))
    found = estimate_od(prior, np.array([160.0]), np.array([1.0]), flows, pull, offset=np.array([60.0]))
    assert found.od_veh[0, 1] == pytest.approx(100.0)


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.floats(1.0, 4.0), st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_bounds_hold_zeros_stay_and_nothing_gets_worse(seed, lower, upper, cv):
    """Whatever is counted: lower <= x / prior <= upper, no trips where the prior has none, no larger misfit."""
    rng = np.random.default_rng(seed)
    prior = np.where(rng.random((4, 4)) < 0.3, 0.0, rng.lognormal(3.0, 1.5, (4, 4)))
    prior[0, 1] = 10.0
    flows, pull = linear(rng.random((3, 4, 4)))
    counted = rng.lognormal(4.0, 1.0, 3)
    found = estimate_od(prior, counted, 1.0 + 0.1 * counted, flows, pull, prior_cv=cv, bounds=(lower, upper))
    assert (found.od_veh >= lower * prior - 1e-9).all() and (found.od_veh <= upper * prior + 1e-9).all()
    assert (found.od_veh[prior == 0] == 0).all()
    assert found.misfit <= found.misfit_before * (1 + 1e-12)


def test_the_order_of_counts_is_no_matter():
    """Three counts in another order: the same matrix but for rounding."""
    rng = np.random.default_rng(3)
    prior, shares, counted = rng.random((4, 4)) * 50, rng.random((3, 4, 4)), np.array([90.0, 300.0, 200.0])
    a = estimate_od(prior, counted, np.full(3, 9.0), *linear(shares)).od_veh
    order = [2, 0, 1]
    b = estimate_od(prior, counted[order], np.full(3, 9.0), *linear(shares[order])).od_veh
    assert a == pytest.approx(b, rel=1e-5)


def test_one_factor_fits_by_weighted_least_squares():
    """Predicted 100 and 200, counted 110 and 240 with equal errors: (11,000 + 48,000) / 50,000 = 1.18."""
    assert common_factor(np.array([100.0, 200.0]), np.array([110.0, 240.0]), np.ones(2)) == pytest.approx(1.18)


def test_every_impossible_argument_is_named():
    """A negative prior, a count without error, an error of no size and bounds that exclude the prior."""
    flows, pull = linear(np.ones((1, 2, 2)))
    with pytest.raises(DemandError, match=r"(?s)prior_veh.*count_sd.*prior_cv.*bounds"):
        estimate_od(-np.ones((2, 2)), np.ones(1), np.zeros(1), flows, pull, prior_cv=0.0, bounds=(1.5, 2.0))
