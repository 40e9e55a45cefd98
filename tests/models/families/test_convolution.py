"""Filters over lags."""

from __future__ import annotations

import numpy as np

from models.families.convolution import ConvolutionalNetwork
from models.families.series import Series
from models.rows import Layout, Rows

LAYOUT = Layout(
    ("own_lag_0", "own_lag_1", "own_lag_2", "own_mean_1h", "near1_lag_0", "no2_lag_0", "no2_lag_1"), (), (1,)
)


def test_lags_become_series_oldest_first_and_missing_ones_are_as_usual():
    """Own lags 1, 2, 3 read backwards; the neighbour's only lag and the pollutant's two stand at the end."""
    series = Series.of(LAYOUT)
    assert series.who == ("own", "near1", "no2")
    assert series.tokens == (("own", 0), ("own", 1), ("own", 2), ("near1", 0), ("no2", 0), ("no2", 1))
    common = np.array([[1.0, 2.0, 3.0, 9.0, 4.0, 5.0, 6.0]])
    assert series.read(common)[0].tolist() == [[3, 0, 0], [2, 0, 6], [1, 4, 5]]


def test_a_bend_anywhere_in_the_series_is_learned():
    """The largest of the last six readings has a variance of 0.42 that a line explains to about 3 / 4."""
    layout = Layout(tuple(f"own_lag_{k}" for k in range(6)), ("ahead_day",), (1,))

    def made(n, seed):
        rng = np.random.default_rng(seed)
        common = rng.standard_normal((n, 3, 6)).astype(np.float32)
        return Rows(common, rng.standard_normal((n, 3, 1, 1)).astype(np.float32), layout), common.max(
            axis=2, keepdims=True
        ) - 1.27

    (train, y), (test, truth) = made(1500, 0), made(300, 1)
    model = ConvolutionalNetwork(members=1, rate=5e-3, passes=20, loss="squared").fit(train, y)
    left = np.mean((model.predict(test) - truth) ** 2) / np.mean(truth**2)
    beta, *_ = np.linalg.lstsq(train.common.reshape(-1, 6), y.reshape(-1), rcond=None)
    line = np.mean((test.common @ beta - truth[:, :, 0]) ** 2) / np.mean(truth**2)
    assert left < 0.5 * line
