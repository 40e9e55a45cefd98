"""Reconciliation: what adds up, what is least changed, what never falls below 0."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.reconciling import METHODS, Hierarchy, error_matrix, reconcile
from models.reconciling.projection import mapping, shrunk_covariance

UPPER = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_ols_spreads_a_gap_evenly():
    """City 12, zones 4 and 5: the gap of 3 goes to three numbers alike, 11 = 5 + 6."""
    found = reconcile(np.array([[12.0, 4.0, 5.0]]), np.ones((1, 2)), np.eye(3))
    assert found[0] == pytest.approx([11.0, 5.0, 6.0])


def test_a_node_that_errs_more_gives_way_more():
    """Variances 1 (city), 1 and 4: of the gap of 3 they bear 1/6, 1/6 and 4/6."""
    found = reconcile(np.array([[12.0, 4.0, 5.0]]), np.ones((1, 2)), np.diag([1.0, 1.0, 4.0]))
    assert found[0] == pytest.approx([11.5, 4.5, 7.0])


@pytest.mark.parametrize("method", METHODS)
def test_aggregates_are_sums_of_zones_to_rounding(method):
    rng = np.random.default_rng(0)
    base, errors = 50 + rng.normal(0, 10, (40, 6)), rng.normal(0, 3, (200, 6))
    found = reconcile(base, UPPER, error_matrix(method, UPPER, errors))
    np.testing.assert_allclose(found[:, :3], found[:, 3:] @ UPPER.T, rtol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_what_adds_up_already_is_left_alone(method):
    zones = np.array([[3.0, 4.0, 5.0]])
    base = np.concatenate([zones @ UPPER.T, zones], axis=1)
    errors = np.random.default_rng(1).normal(0, 1, (50, 6))
    assert reconcile(base, UPPER, error_matrix(method, UPPER, errors)) == pytest.approx(base)


def test_the_mapping_is_that_of_generalised_least_squares():
    """(S' W^-1 S)^-1 S' W^-1, solved the long way, is the same as the projection on the constraints."""
    rng = np.random.default_rng(2)
    root = rng.normal(size=(6, 6))
    w = root @ root.T + np.eye(6)
    s = np.vstack([UPPER, np.eye(3)])
    inverse = np.linalg.inv(w)
    assert mapping(UPPER, w) == pytest.approx(np.linalg.solve(s.T @ inverse @ s, s.T @ inverse))


def test_no_zone_falls_below_zero_and_none_is_merely_cut():
    """City 1, zones 4 and 0.5 would give 2.83 and -0.67; with the second at 0 the first is the mean of 1 and 4."""
    found = reconcile(np.array([[1.0, 4.0, 0.5]]), np.ones((1, 2)), np.eye(3))
    assert found[0] == pytest.approx([2.5, 2.5, 0.0])


def test_correlations_of_few_rows_are_shrunk_more():
    rng = np.random.default_rng(3)
    common = rng.normal(size=(2000, 1))
    errors = common + rng.normal(size=(2000, 4))
    few, many = shrunk_covariance(errors[:12]), shrunk_covariance(errors)
    apart = ~np.eye(4, dtype=bool)
    correlation = [(c / np.sqrt(np.outer(np.diag(c), np.diag(c))))[apart].mean() for c in (few, many)]
    plain = np.corrcoef(errors[:12].T)[apart].mean()
    assert correlation[1] == pytest.approx(0.5, abs=0.05)
    assert correlation[0] < plain - 0.03


def test_unknown_methods_and_missing_errors_are_named():
    with pytest.raises(SettingsError, match="no method 'top_down'"):
        error_matrix("top_down", UPPER, None)
    with pytest.raises(SettingsError, match="'mint' needs errors"):
        error_matrix("mint", UPPER, None)


def test_means_weigh_by_area():
    """Areas 1 and 3: the city's concentration is (1 x 10 + 3 x 20) / 4 = 17.5; districts are averaged inside."""
    hierarchy = Hierarchy.of(("a", "b"), districts={"a": "N", "b": "S"}, weight=[1.0, 3.0], mean=True)
    assert hierarchy.above(np.array([10.0, 20.0])) == pytest.approx([17.5, 10.0, 20.0, 10.0, 20.0])


def test_a_district_without_weight_is_refused():
    with pytest.raises(SettingsError, match=r"\['S'\]"):
        Hierarchy.of(("a", "b"), districts={"a": "N", "b": "S"}, weight=[1.0, 0.0], mean=True)


def test_pairs_heard_at_different_times_still_give_a_covariance():
    """A goes with B, B with C, and A against C, each pair at times of its own: no three series could do so at once."""
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 400))
    errors = np.full((1200, 3), np.nan)
    errors[:400, 0], errors[:400, 1] = a, a
    errors[400:800, 1], errors[400:800, 2] = b, b
    errors[800:, 0], errors[800:, 2] = c, -c
    found = shrunk_covariance(errors)
    assert np.linalg.eigvalsh(found)[0] > 0
    assert found[0, 1] > 0.3 * found[0, 0] and found[0, 2] < -0.3 * found[0, 0]


@pytest.mark.parametrize(("own", "nixtla"), [("ols", "ols"), ("structural", "wls_struct"), ("mint", "mint_shrink")])
def test_the_projection_is_that_of_hierarchicalforecast(own, nixtla):
    """Five zones, two districts and a city, errors of all nodes correlated: the same forecasts to a millionth."""
    methods = pytest.importorskip("hierarchicalforecast.methods")
    rng = np.random.default_rng(1)
    upper = np.array([[1.0, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])
    errors, base = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8)), rng.uniform(50, 100, (4, 8))
    seen = {"y_insample": np.zeros((8, 300)), "y_hat_insample": errors.T} if own == "mint" else {}
    found = methods.MinTrace(method=nixtla).fit_predict(S=np.vstack([upper, np.eye(5)]), y_hat=base.T, **seen)
    mine = reconcile(base, upper, error_matrix(own, upper, errors), nonnegative=False)
    assert mine == pytest.approx(found["mean"].T, abs=1e-4) and np.abs(mine - base).max() > 10
