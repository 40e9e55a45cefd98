"""A small network per zone, all trained in one loop."""

from __future__ import annotations

import numpy as np
import pytest

from models.families import mlp
from models.families.mlp import ZoneMLP
from models.families.network import Parameters
from models.rows import Layout, Rows

LAYOUT = Layout(tuple(f"own_lag_{k}" for k in range(5)), ("ahead_day", "ahead_sin"), (1, 3))


def rows(n: int = 900, zones: int = 6, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        rng.standard_normal((n, zones, 5)).astype(np.float32),
        rng.standard_normal((n, zones, 2, 2)).astype(np.float32),
        LAYOUT,
    )


def curved(made: Rows, seed: int = 1) -> np.ndarray:
    """|x0| - 0.8 (no line helps: x0 is symmetric) plus 0.5 x1 plus noise of 0.3."""
    signal = np.abs(made.common[:, :, :1]) - 0.8 + 0.5 * made.common[:, :, 1:2]
    noise = np.random.default_rng(seed).standard_normal(made.shape)
    return (signal + 0.3 * noise).astype(np.float32)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_gradient_by_hand_is_that_of_finite_differences(layers):
    """Two zones at once, double precision, a smooth loss, no dropout."""
    made, rng = rows(12, 2), np.random.default_rng(3)
    model = ZoneMLP(hidden=3, layers=layers, loss="squared", dropout=0.0)
    model.layout = LAYOUT
    shapes = model._parameters(made, 0).shapes
    p = Parameters(shapes, (2,), np.float64)
    p.flat[:] = 0.5 * rng.standard_normal(p.flat.shape)
    common = made.common.transpose(1, 0, 2).astype(float)
    ahead = made.ahead.transpose(1, 2, 0, 3).astype(float)
    rest = curved(made).transpose(1, 2, 0).astype(float)

    def loss(flat):
        error = mlp._forward(p.like(flat), common, ahead)[0] - rest
        return (0.5 * error**2).mean(axis=(1, 2)).sum()

    found = model._gradient(p, common, ahead, rest, rng).flat
    expected = np.empty_like(found)
    for k in np.ndindex(found.shape):
        up, down = p.flat.copy(), p.flat.copy()
        up[k] += 1e-6
        down[k] -= 1e-6
        expected[k] = (loss(up) - loss(down)) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_dropout_enters_the_gradient_as_it_entered_the_forecast():
    """Both take the same masks: the slope along a step agrees with the change that the masked network shows."""
    made = rows(8, 1)
    model = ZoneMLP(hidden=4, layers=2)
    model.layout = LAYOUT
    p = Parameters(model._parameters(made, 0).shapes, (1,), np.float64)
    rng = np.random.default_rng(0)
    p.flat[:] = rng.standard_normal(p.flat.shape)
    common = made.common.transpose(1, 0, 2).astype(float)
    ahead = made.ahead.transpose(1, 2, 0, 3).astype(float)
    masks = [2.0 * (rng.random((8, 4)) < 0.5) for _ in range(2)]
    out, layers = mlp._forward(p, common, ahead, masks)
    grad = mlp._backward(p, common, ahead, out.copy(), layers, masks).flat  # loss: half the sum of squares
    way = rng.standard_normal(p.flat.shape)

    def loss(flat):
        return 0.5 * (mlp._forward(p.like(flat), common, ahead, masks)[0] ** 2).sum()

    expected = (loss(p.flat + 1e-6 * way) - loss(p.flat - 1e-6 * way)) / 2e-6
    assert (grad * way).sum() == pytest.approx(expected, rel=1e-6)


def test_a_network_learns_the_bend_that_its_line_cannot():
    """|x0| has a variance of 1 - 2/pi = 0.36; the line's absolute error stays near 0.55, noise alone has 0.24."""
    train, test = rows(), rows(400, seed=5)
    model = ZoneMLP(seed=1).fit(train, curved(train))
    assert model.line is not None
    line = model.line.forecast(*model.line.inputs(test)).transpose(2, 0, 1)
    truth = curved(test, seed=6)
    error, line_error = np.abs(model.predict(test) - truth).mean(), np.abs(line - truth).mean()
    assert line_error > 0.5
    assert error < 0.65 * line_error


def test_a_zones_network_is_the_same_alone_or_among_others():
    """Zones share the random stream but no data."""
    train, test = rows(), rows(50, seed=5)
    y = curved(train)
    y[:, 3] = np.nan
    together = ZoneMLP(seed=2, rounds=8).fit(train, y).predict(test)
    for place in (4, 0):
        picked = np.array([place])
        alone = ZoneMLP(seed=2, rounds=8).fit(train.pick(picked), y[:, picked])
        np.testing.assert_allclose(alone.predict(test.pick(picked)), together[:, picked], rtol=1e-4, atol=1e-5)


def test_pieces_of_a_city_give_what_the_whole_gives(monkeypatch):
    train, test = rows(), rows(50, seed=5)
    whole = ZoneMLP(seed=2, rounds=5).fit(train, curved(train)).predict(test)
    monkeypatch.setattr(mlp, "_CHUNK_BYTES", 1)
    pieces = ZoneMLP(seed=2, rounds=5).fit(train, curved(train)).predict(test)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-5)


def test_a_zone_without_a_bend_keeps_its_line():
    """Early stopping starts from the line alone: the network's forecasts differ from it by little."""
    train, test = rows(), rows(400, seed=5)
    rng = np.random.default_rng(8)
    y = (0.7 * train.common[:, :, :1] + 0.5 * rng.standard_normal(train.shape)).astype(np.float32)
    model = ZoneMLP(loss="squared").fit(train, y)
    assert model.line is not None
    line = model.line.forecast(*model.line.inputs(test)).transpose(2, 0, 1)
    assert np.sqrt(np.mean((model.predict(test) - line) ** 2)) < 0.1
    assert model.line.weights[:, :, 1].mean() == pytest.approx(0.7, abs=0.05)


def test_a_pinball_loss_gives_the_quantile():
    """Noise of 0.3 around a line: the 0.9 quantile lies 0.38 above it, and 90 % of the outcomes below."""
    train, test = rows(), rows(600, seed=5)
    model = ZoneMLP(loss="pinball", quantile=0.9, members=2).fit(train, curved(train))
    below = (curved(test, seed=6) < model.predict(test)).mean()
    assert 0.85 < below < 0.94
