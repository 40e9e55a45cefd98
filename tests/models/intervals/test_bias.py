"""The decaying bias finds what repeats, keeps it by the hour, and looks at nothing that has not come in."""

from __future__ import annotations

import numpy as np
import pytest

from models.intervals.bias import MEMORIES_DAYS, SMOOTH, DecayingBias

STEPS = np.array([1, 6])


def errors_of(days: int, shift: np.ndarray, *, noise: float = 1.0, zones: int = 3, seed: int = 0) -> np.ndarray:
    """Hourly errors (n, zones, 2): noise, and a shift by the hour of the origin, shape (24,)."""
    rng = np.random.default_rng(seed)
    every = np.tile(shift, days)[:, None, None]
    return every + noise * rng.standard_normal((24 * days, zones, STEPS.size))


def test_a_constant_error_is_approached_as_the_closed_form_says():
    """In a row of equal errors e within the cut, b moves to e by its rate each hour: e (1 - prod(1 - rate w))."""
    memory, n = 14.0, 24 * 20
    errors = np.full((n, 1, 1), 0.5)
    start = DecayingBias.start(np.array([memory]), np.ones((1, 1)), 24)
    added, _ = start.follow(np.arange(n), np.array([1]), errors, None)
    rate = 1.0 / (SMOOTH.sum() * memory)
    left = np.ones(n)
    for row in range(1, n):  # the error of the origin before has come in
        left[row] = np.prod([1 - rate * w for q in range(row) for w in [_weight(row % 24 - q % 24)] if w > 0])
    np.testing.assert_allclose(added[:, 0, 0], 0.5 * (1 - left), rtol=1e-9)


def _weight(apart: int) -> float:
    """Of an error so many hours of the day away."""
    near = min(apart % 24, -apart % 24)
    return float(np.exp(-0.5 * near**2)) if near <= 2 else 0.0


def test_what_repeats_by_the_hour_is_taken_off_and_white_noise_is_not_made_worse():
    """A shift of 1.5 noise levels in one half of the day and its opposite in the other: over half of it goes."""
    shift = np.where(np.arange(24) < 12, 1.5, -1.5)
    known = np.arange(24 * 120)
    for wanted, least, most in ((shift, 0.0, 0.75), (0 * shift, 0.995, 1.01)):
        errors = errors_of(120, wanted)
        fitted = DecayingBias.fit(errors[: 24 * 60], known[: 24 * 60], STEPS, 24)
        added, _ = fitted.follow(known, STEPS, errors, None)
        later = slice(24 * 60, None)
        ratio = np.abs(errors - added)[later].mean() / np.abs(errors)[later].mean()
        assert least < ratio < most


def test_an_episode_moves_it_no_further_than_usual_errors_do():
    """A day of errors of 100 usual ones: the bias stays below what a day of errors cut at one usual one can make."""
    errors = errors_of(60, np.zeros(24))
    known = np.arange(len(errors))
    state = DecayingBias.start(np.full(2, 14.0), np.full((3, 2), 0.7), 24)
    spoilt = errors.copy()
    spoilt[24 * 40 : 24 * 41] += 100.0
    plain, moved = (state.follow(known, STEPS, e, None)[0][24 * 42] for e in (errors, spoilt))
    most = 2 * 0.7 / 14.0  # each of the five hours that speak for one moves it by twice its share of the cut at most
    assert (moved - plain > 0).all() and (moved - plain < most).all()


def test_a_bias_that_costs_is_not_followed():
    """Errors that change sign from day to day: whoever follows the last days errs more. The memory of all is 0."""
    sign = np.repeat(np.where(np.arange(80) % 2 == 0, 1.0, -1.0), 24)[:, None, None]
    errors = sign * 2.0 + errors_of(80, np.zeros(24), noise=0.3)
    fitted = DecayingBias.fit(errors, np.arange(len(errors)), STEPS, 24)
    np.testing.assert_array_equal(fitted.memory, 0.0)
    added, _ = fitted.follow(np.arange(len(errors)), STEPS, errors, None)
    np.testing.assert_array_equal(added, 0.0)


@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_errors_that_have_not_come_in_are_not_looked_at(poison):
    errors = errors_of(20, np.ones(24))
    known = np.arange(len(errors))
    state = DecayingBias.start(np.full(2, MEMORIES_DAYS[0]), np.ones((3, 2)), 24)
    clean, _ = state.follow(known, STEPS, errors, None)
    spoilt = errors.copy()
    spoilt[np.broadcast_to((known[:, None] + STEPS > 300)[:, None], spoilt.shape)] = poison
    dirty, _ = state.follow(known, STEPS, spoilt, None)
    np.testing.assert_array_equal(clean[:301], dirty[:301])
    assert (clean[301:] != dirty[301:]).any()


def test_origins_an_hour_apart_forget_as_fast_as_those_every_quarter():
    """An error stands for the time since the one before, an hour at most."""
    errors = np.full((24 * 30, 1, 1), 0.5)
    state = DecayingBias.start(np.array([14.0]), np.ones((1, 1)), 96)
    every = np.arange(0, 96 * 30)
    dense, _ = state.follow(every, np.array([1]), np.full((every.size, 1, 1), 0.5), None)
    sparse, _ = state.follow(every[::4], np.array([1]), errors, None)
    np.testing.assert_allclose(sparse[-1], dense[-1], rtol=0.02)


def test_zones_without_a_reading_stay_where_they_are():
    errors = errors_of(20, np.ones(24))
    errors[:, 1] = np.nan
    fitted = DecayingBias.fit(errors, np.arange(len(errors)), STEPS, 24)
    added, _ = fitted.follow(np.arange(len(errors)), STEPS, errors, None)
    np.testing.assert_array_equal(added[:, 1], 0.0)
    assert (added[-1, [0, 2]] > 0.3).all()


@pytest.mark.parametrize("origins", [0, 1, 5])
def test_hardly_any_errors_are_no_bias(origins):
    fitted = DecayingBias.fit(np.ones((origins, 2, 2)), np.arange(origins), STEPS, 24)
    assert fitted.bias.shape == (2, 2, 24)
    np.testing.assert_array_equal(fitted.memory, 0.0)
