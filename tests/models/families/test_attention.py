"""A network whose looks at neighbours and lags can be read."""

from __future__ import annotations

import numpy as np

from models.families.attention import AttentionNetwork
from models.rows import Layout, Rows

NAMES = tuple(f"{who}_lag_{k}" for who in ("own", "near1", "near2") for k in range(2))
LAYOUT = Layout(NAMES, ("ahead_day",), (1, 2))


def switched(n: int, seed: int) -> tuple[Rows, np.ndarray]:
    """The outcome is near1's last reading where the zone's own is above usual, else near2's: no line can say that."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 3, 6)).astype(np.float32)
    common[:, :, 1] = np.abs(common[:, :, 1])
    rows = Rows(common, rng.standard_normal((n, 3, 2, 1)).astype(np.float32), LAYOUT)
    y = np.where(common[:, :, 0] > 0, common[:, :, 2], common[:, :, 4])
    return rows, np.repeat(y[:, :, None], 2, axis=2)


def test_weights_say_which_neighbour_and_lag_was_looked_at():
    """Half of the outcome's variance is one neighbour's or the other's: a line explains half, a switch all.

    Where the own reading is high, near1's last reading must weigh more than where it is low, and near2's less.
    """
    train, y = switched(2000, 0)
    test, truth = switched(300, 1)
    model = AttentionNetwork(members=1, rate=1e-2, passes=25, loss="squared", dropout=0.0).fit(train, y)
    left = np.mean((model.predict(test) - truth) ** 2) / np.mean(truth**2)
    assert left < 0.3
    weights = model.weights(test.pick(np.array([1])), 1)
    assert weights.shape == (300, 2, 6)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    high = test.common[:, 1, 0] > 0.5
    low = test.common[:, 1, 0] < -0.5
    near1, near2 = model.tokens.index(("near1", 0)), model.tokens.index(("near2", 0))
    assert weights[high, 0, near1].mean() > 2 * weights[low, 0, near1].mean()
    assert weights[low, 0, near2].mean() > 2 * weights[high, 0, near2].mean()


def test_weights_of_some_horizons_are_those_among_all():
    train, y = switched(200, 0)
    model = AttentionNetwork(members=2, passes=1).fit(train, y)
    one = train.pick(np.array([2])).take(slice(0, 9))
    np.testing.assert_allclose(model.weights(one.horizons([1]), 2), model.weights(one, 2)[:, [1]], rtol=1e-5)
