"""Lasso and elastic net against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.sparse import ElasticNet, Lasso
from models.families.sparse_kernels import sparse_lines
from models.rows import Layout, Rows


def test_orthogonal_features_are_soft_thresholded():
    """Covariances 0.8, -0.3, 0.1, unit features: at half the largest penalty, 0.4, the lasso keeps 0.4, 0, 0."""
    gram = np.eye(5) * 100.0
    gram[4, 1:4] = gram[1:4, 4] = 80.0, -30.0, 10.0
    lines, penalties = np.zeros((1, 4), np.float32), np.zeros(1)
    one = gram[None, None].astype(np.float32)
    # One block: leaving it out leaves nothing, so that the error is the same all along the path and the first is taken.
    sparse_lines(one, one, np.array([0.5]), np.ones(3), 1.0, 0.0, 50, lines, penalties)
    assert penalties[0] == pytest.approx(0.4)
    np.testing.assert_allclose(lines[0], [0.0, 0.4, 0.0, 0.0], atol=1e-6)
    # Elastic net, half and half: largest penalty 0.8 / 0.5; at half of it, 0.8: (0.8 - 0.4) / (1 + 0.4).
    sparse_lines(one, one, np.array([0.5]), np.ones(3), 0.5, 0.0, 50, lines, penalties)
    assert penalties[0] == pytest.approx(0.8)
    np.testing.assert_allclose(lines[0], [0.0, 0.4 / 1.4, 0.0, 0.0], atol=1e-6)


def made(n=600, features=30, seed=0):
    """Two of 30 features matter, the first two."""
    rng = np.random.default_rng(seed)
    layout = Layout(tuple(f"c{k}" for k in range(features)), ("a",), (1,))
    rows = Rows(
        rng.normal(size=(n, 2, features)).astype(np.float32), rng.normal(size=(n, 2, 1, 1)).astype(np.float32), layout
    )
    y = 0.9 * rows.common[:, :, :1] - 0.6 * rows.common[:, :, 1:2] + 0.5 * rng.normal(size=(n, 2, 1))
    return rows, y.astype(np.float32)


@pytest.mark.parametrize("family", [Lasso, ElasticNet])
def test_the_features_that_matter_are_found(family):
    rows, y = made()
    model = family().fit(rows, y)
    line = model.coefficients(0, 0)
    assert set(np.argsort(-np.abs(line[:-1]))[:2]) == {0, 1}
    np.testing.assert_allclose(line[:2], [0.9, -0.6], atol=0.1)


def test_the_lasso_keeps_few_coefficients_and_counts_them():
    """Two zones: at least two features and a constant each, and far from all 32."""
    rows, y = made()
    model = Lasso(caution=1.0).fit(rows, y)
    assert 6 <= model.n_parameters() <= 20
    assert model.n_parameters() == np.count_nonzero(model.coefficient)


def test_a_small_penalty_is_least_squares():
    rows, y = made(n=200, features=3)
    line = Lasso(reach=1e-6, path=2, caution=0.0).fit(rows, y).coefficients(0, 0)
    x = np.column_stack([rows.at(0)[:, 0], np.ones(200)])
    np.testing.assert_allclose(line, np.linalg.lstsq(x, y[:, 0, 0], rcond=None)[0], atol=1e-3)


def test_impossible_settings_are_named():
    rows, y = made(n=40, features=3)
    with pytest.raises(SettingsError, match="mix=0"):
        ElasticNet(mix=0.0).fit(rows, y)
