"""What the networks learn by: gradients, losses, steps, early stopping."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.mlp import ZoneMLP
from models.families.network import (
    AdamW,
    Best,
    Parameters,
    dropout_mask,
    learning_rate,
    loss_gradient,
    loss_value,
)
from models.families.tape import Node, Tape


def slope_by_differences(f, x: np.ndarray, width: float = 1e-6) -> np.ndarray:
    out = np.empty_like(x)
    for k in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[k] += width
        down[k] -= width
        out[k] = (f(up) - f(down)) / (2 * width)
    return out


def _stack(tape, x):
    return tape.matmul(tape.reshape(x, (2, 2, 3)), Node(np.arange(12.0).reshape(2, 3, 2) / 7, needs=True))


OPERATIONS = {
    "linear": lambda tape, x: tape.linear(x, Node(np.arange(6.0).reshape(3, 2) / 5), Node(np.ones(2))),
    "matmul": _stack,
    "add": lambda tape, x: tape.add(x, tape.cut(x, 0, 1)),
    "mul": lambda tape, x: tape.mul(x, tape.cut(x, 1, 2)),
    "relu": lambda tape, x: tape.relu(x),
    "tanh": lambda tape, x: tape.tanh(x),
    "sigmoid": lambda tape, x: tape.sigmoid(x),
    "softmax": lambda tape, x: tape.softmax(x),
    "mask": lambda tape, x: tape.mask(x, np.array([2.0, 0.0, 1.0])),
    "concat": lambda tape, x: tape.concat(x, tape.tanh(x), x),
    "windows": lambda tape, x: tape.windows(tape.reshape(x, (1, 4, 3)), 3, 1),
    "windows with a stride": lambda tape, x: tape.windows(tape.reshape(x, (1, 4, 3)), 2, 2),
    "look_up": lambda tape, x: tape.look_up(x, np.array([3, 0, 3])),
    "weighted_sum": lambda tape, x: tape.weighted_sum(
        tape.reshape(x, (2, 2, 3)), Node(np.arange(6.0).reshape(2, 3), needs=True)
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_on_the_tape_has_the_gradient_of_finite_differences(name):
    """The loss is the sum of the squares of what comes out, so its slope there is twice the value."""
    x = np.random.default_rng(0).standard_normal((4, 3))

    def loss(values):
        return float((OPERATIONS[name](Tape(record=False), Node(values)).value ** 2).sum())

    tape, node = Tape(), Node(x, needs=True)
    out = OPERATIONS[name](tape, node)
    tape.backward(out, 2 * out.value)
    np.testing.assert_allclose(node.grad, slope_by_differences(loss, x), rtol=1e-6, atol=1e-7)


def test_a_tape_that_does_not_record_keeps_nothing():
    tape, node = Tape(record=False), Node(np.ones((2, 2)), needs=True)
    assert not tape.tanh(node).needs


@pytest.mark.parametrize("loss", ["absolute", "squared", "huber", "pinball"])
def test_a_losss_slope_is_that_of_its_value_and_none_where_the_outcome_is_unknown(loss):
    error = np.array([-2.0, -0.1, 0.07, 0.9])
    found = loss_gradient(error.copy(), loss, 0.8)
    expected = slope_by_differences(lambda e: float(loss_value(e, loss, 0.8).sum()), error)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert loss_gradient(np.array([np.nan, 1.0]), loss, 0.8)[0] == 0


def test_named_parameters_are_views_of_one_line_of_memory():
    p = Parameters({"a": (2, 3), "b": (4,)}, lead=(5,))
    p["b"] = 7.0
    p["a"][2] += 1
    assert p.flat.shape == (5, 10)
    assert p.flat[2].tolist() == [1] * 6 + [7] * 4
    assert p.mask(["b"]).tolist() == [0] * 6 + [1] * 4


def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign():
    """Mean and square of one gradient g, freed of their start: g / |g|."""
    p = Parameters({"a": (3,)}, dtype=np.float64)
    AdamW(p).step(np.array([2.0, -0.5, 0.0]), 0.1)
    np.testing.assert_allclose(p.flat, [-0.1, 0.1, 0.0], atol=1e-7)


def test_weight_decay_shrinks_only_what_it_is_meant_for():
    """Without a gradient: 1 - rate * decay = 1 - 0.1 * 0.5."""
    p = Parameters({"a": (1,), "b": (1,)}, dtype=np.float64)
    p.flat[:] = 1.0
    AdamW(p, 0.5 * p.mask(["a"])).step(np.zeros(2), 0.1)
    np.testing.assert_allclose(p.flat, [0.95, 1.0])


def test_the_rate_climbs_then_falls_to_its_floor():
    rates = [learning_rate(k / 100, 1.0, floor=0.1) for k in range(101)]
    assert int(np.argmax(rates)) == 10
    assert rates[-1] == pytest.approx(0.1)
    assert (np.diff(rates[10:]) < 0).all()


def test_dropout_keeps_the_mean():
    """64 of 256 values of a byte are left out, the rest weigh 4 / 3; 100,000 draws have an error of 0.002."""
    mask = dropout_mask(np.random.default_rng(0), (100_000,), 0.25, np.dtype(np.float64))
    assert set(np.unique(mask)) == {0.0, 4 / 3}
    assert mask.mean() == pytest.approx(1, abs=0.01)


def test_early_stopping_keeps_each_networks_best_epoch():
    """The first network is best at epoch 2, the second never better than its start; patience 2."""
    best = Best(np.zeros((2, 1)), np.array([1.0, 1.0]), patience=2)
    zones = np.array([0, 1])
    assert best.offer(1, zones, np.array([[1.0], [1.0]]), np.array([0.9, 1.5])).tolist() == [True, True]
    assert best.offer(2, zones, np.array([[2.0], [2.0]]), np.array([0.5, 1.4])).tolist() == [True, False]
    assert best.offer(3, zones[:1], np.array([[3.0]]), np.array([0.6])).tolist() == [True]
    assert best.offer(4, zones[:1], np.array([[4.0]]), np.array([0.7])).tolist() == [False]
    assert best.flat.tolist() == [[2.0], [0.0]]
    assert best.epoch.tolist() == [2, 0]


def test_a_network_without_held_out_outcomes_keeps_its_start_and_stops():
    best = Best(np.zeros((1, 1)), np.array([np.nan]), patience=5)
    assert best.offer(1, np.array([0]), np.ones((1, 1)), np.array([np.nan])).tolist() == [False]
    assert best.flat.tolist() == [[0.0]]


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(SettingsError, match=r"rate='fast'.*dropout=2"):
        ZoneMLP(dropout=2, rate="fast")
    with pytest.raises(SettingsError, match=r"loss='cubic'.*layers=3"):
        ZoneMLP(loss="cubic", layers=3)
