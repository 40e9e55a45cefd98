"""Median and quantile lines against closed forms and a linear program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from models.errors import NotFittedError, SettingsError
from models.families.quantile_linear import QuantileLinear
from models.families.ridge import Ridge
from models.rows import Layout, Rows

LAYOUT = Layout(("own_lag_0", "b"), ("c",), (1,))


def made(n=500, zones=2, seed=3):
    """Outcome 1 + 0.8 own_lag_0 and heavy tails (Student t, 2 degrees of freedom)."""
    rng = np.random.default_rng(seed)
    rows = Rows(
        rng.normal(size=(n, zones, 2)).astype(np.float32), rng.normal(size=(n, zones, 1, 1)).astype(np.float32), LAYOUT
    )
    y = 1.0 + 0.8 * rows.common[:, :, :1] + 0.5 * rng.standard_t(2, size=(n, zones, 1))
    return rows, y.astype(np.float32)


def test_the_median_line_of_a_constant_is_the_median():
    """Features that never vary leave the constant alone: the median of 1, 2, 10 is 2, the mean 4.33."""
    rows = Rows(np.ones((3, 1, 2), np.float32), np.zeros((3, 1, 1, 1), np.float32), LAYOUT)
    y = np.array([1.0, 2.0, 10.0], np.float32).reshape(3, 1, 1)
    assert QuantileLinear(folds=2).fit(rows, y).predict(rows)[0, 0, 0] == pytest.approx(2.0, abs=1e-5)


def test_the_line_is_as_good_as_that_of_a_linear_program():
    """Sum of absolute errors within 0.2 % of the least possible, without a penalty to speak of."""
    rows, y = made(n=300, zones=1)
    model = QuantileLinear(penalties=(1e-6,), support="all", spared={}, rounds=60).fit(rows, y)
    x = np.column_stack([np.ones(300), rows.at(0)[:, 0]]).astype(float)
    n, p = x.shape
    best = linprog(
        np.r_[np.zeros(p), np.ones(2 * n)],
        A_eq=np.hstack([x, np.eye(n), -np.eye(n)]),
        b_eq=y[:, 0, 0].astype(float),
        bounds=[(None, None)] * p + [(0, None)] * (2 * n),
    ).fun
    found = np.abs(y - model.predict(rows)).sum()
    assert best * (1 - 1e-5) <= found <= best * 1.002


def test_heavy_tails_harm_the_median_line_less_than_the_ridge():
    rows, y = made(n=150, zones=40)
    truth = np.array([0.8, 0.0, 0.0])
    errors = [
        np.mean([np.abs(model.fit(rows, y).coefficients(z, 0)[:3] - truth).sum() for z in range(40)])
        for model in (QuantileLinear(), Ridge())
    ]
    assert errors[0] < 0.9 * errors[1]


def test_quantiles_cover_what_they_say_and_never_cross():
    rows, y = made(n=2000)
    model = QuantileLinear(quantiles=[0.05, 0.5, 0.95]).fit(rows, y)
    found = model.predict_quantiles(rows)
    assert found.shape == (2000, 2, 1, 3)
    assert (np.diff(found, axis=-1) >= 0).all()
    for k, level in enumerate((0.05, 0.5, 0.95)):
        assert np.mean(y <= found[..., k]) == pytest.approx(level, abs=0.005)


def test_quantiles_of_some_zones_are_those_of_all():
    rows, y = made()
    model = QuantileLinear(quantiles=[0.1, 0.9]).fit(rows, y)
    places = np.array([1])
    together = model.predict_quantiles(rows)[:, places]
    np.testing.assert_allclose(model.predict_quantiles(rows.pick(places), places), together, atol=1e-6)
    np.testing.assert_allclose(model.pick(places).predict_quantiles(rows.pick(places)), together, atol=1e-6)


def test_what_cannot_be_is_refused_by_name():
    rows, y = made(n=60)
    with pytest.raises(SettingsError, match="squared"):
        QuantileLinear(loss="squared").fit(rows, y)
    with pytest.raises(SettingsError, match="in order"):
        QuantileLinear(quantiles=[0.9, 0.1]).fit(rows, y)
    with pytest.raises(NotFittedError, match="quantiles"):
        QuantileLinear().fit(rows, y).predict_quantiles(rows)
