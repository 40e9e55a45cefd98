"""The method that reconciles: kept to the city's own forecast unless another is better by more than luck."""

from __future__ import annotations

import numpy as np

from models.reconciling.method_choice import chosen_methods, reconciled_errors
from models.reconciling.projection import error_matrix

UPPER = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
DAY = np.repeat(np.arange(12), 24)


def test_keeping_the_city_leaves_its_errors_as_they_are():
    errors = np.random.default_rng(0).normal(size=(50, 7))
    left = reconciled_errors(UPPER, error_matrix("city_kept", UPPER, errors), errors)
    np.testing.assert_allclose(left[:, 0], errors[:, 0], atol=1e-9)
    np.testing.assert_allclose(left[:, 3:] @ UPPER.T, left[:, :3], atol=1e-9)


def test_a_good_city_model_is_kept_beside_bad_zones():
    """The zones' errors all point one way: their sum is 40 off, the city's own forecast 1."""
    rng = np.random.default_rng(1)
    zones = 10.0 + rng.normal(size=(DAY.size, 4))
    errors = np.hstack([rng.normal(size=(DAY.size, 1)), zones[:, :2].sum(1, keepdims=True),
                        zones[:, 2:].sum(1, keepdims=True), zones])  # fmt: skip
    method = chosen_methods(UPPER, errors[:, :, None], DAY)[0]
    left = reconciled_errors(UPPER, error_matrix(method, UPPER, errors), errors)
    assert np.abs(left[:, 0]).mean() <= 1.05 * np.abs(errors[:, 0]).mean()


def test_good_zones_mend_a_bad_city_model():
    """Four independent errors of 1 add up to 2; the city's own forecast strays by 20."""
    rng = np.random.default_rng(2)
    zones = rng.normal(size=(DAY.size, 4))
    upper = np.hstack([20.0 * rng.normal(size=(DAY.size, 1)), 10.0 * rng.normal(size=(DAY.size, 2))])
    errors = np.hstack([upper, zones])
    method = chosen_methods(UPPER, errors[:, :, None], DAY)[0]
    left = reconciled_errors(UPPER, error_matrix(method, UPPER, errors), errors)
    assert method != "city_kept"
    assert np.abs(left[:, 0]).mean() < 0.2 * np.abs(errors[:, 0]).mean()


def test_a_gain_of_a_few_days_that_overlap_is_no_proof():
    """Zones that are right on average over five days: proof enough an hour ahead, not for forecasts two days ahead."""
    rng = np.random.default_rng(4)
    day = np.repeat(np.arange(5), 24)
    zones = rng.normal(size=(day.size, 4))
    luck = np.array([4.0, 12.0, 6.0, 10.0, 5.0])[day, None]
    upper = np.hstack([zones.sum(1, keepdims=True) + luck, zones[:, :2].sum(1, keepdims=True) + luck / 2,
                       zones[:, 2:].sum(1, keepdims=True) + luck / 2])  # fmt: skip
    errors = np.hstack([upper, zones])[:, :, None].repeat(2, axis=2)
    near, far = chosen_methods(UPPER, errors, day, reach=(0, 2))
    assert near != "city_kept" and far == "city_kept"


def test_two_days_are_too_few_to_choose_by():
    errors = np.random.default_rng(3).normal(size=(48, 7, 2))
    assert chosen_methods(UPPER, errors, np.repeat([0, 1], 24)) == ("city_kept", "city_kept")
