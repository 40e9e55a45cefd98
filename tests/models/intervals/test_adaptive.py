"""Adaptive intervals keep their coverage, look at nothing unknown, and go on where they stood."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ScoresError, SettingsError
from models.intervals import QUANTILES, AdaptiveSettings, AdaptiveState, ConformalIntervals, follow

LAPLACE = np.array([np.log(2 * q) if q <= 0.5 else -np.log(2 - 2 * q) for q in QUANTILES])


def plain_twin(known, steps, scores, offsets, settings):
    """One zone, one horizon, slowly: what each origin says, from the formulas alone."""
    step = steps[0]
    rates = np.array(settings.rates) / step**settings.rate_exponent
    hold = settings.hold / step**settings.hold_exponent
    levels = np.array(QUANTILES)
    expert = np.repeat(offsets[0, 0].astype(float)[:, None], len(rates), axis=1)
    shift, size = np.zeros(7), (offsets[0, 0, -1] - offsets[0, 0, 0]) / (-2 * np.log(0.1))
    regret, squares, largest = (np.zeros(expert.shape) for _ in range(3))
    said, trials, due, out = [], [], 0, []
    for row, position in enumerate(known):
        while due < row and known[due] + step <= position:
            score = scores[due, 0, 0]
            if np.isfinite(score):
                for q, level in enumerate(levels):
                    if level == 0.5:
                        continue
                    tail = min(level, 1 - level)
                    slope = float(score < said[due][q]) - level
                    r = slope * (trials[due][q] - said[due][q]) / size
                    regret[q] = settings.forget * regret[q] + r
                    squares[q] = settings.forget * squares[q] + r * r
                    largest[q] = np.maximum(largest[q], np.abs(r))
                    expert[q] -= rates * size / tail * ((score < trials[due][q]) - level)
                    if said[due][q] != 0 or (slope > 0) == (level < 0.5):
                        shift[q] -= hold / tail * slope
                size += (min(abs(score), 10 * size) - size) / settings.memory
            due += 1
        pace = np.zeros(expert.shape)
        moved = squares > 0
        pace[moved] = np.minimum(0.5 / largest[moved], np.sqrt(np.log(len(rates) + 1) / squares[moved]))
        weight = np.exp(-pace * (regret + pace * squares))
        value = (weight * expert).sum(axis=1) / weight.sum(axis=1) + shift * size
        value = np.where(levels < 0.5, np.minimum(value, 0), np.where(levels > 0.5, np.maximum(value, 0), 0))
        value = np.maximum.accumulate(value).astype(np.float32)
        said.append(value)
        trials.append(expert.astype(np.float32))
        out.append(value)
    return np.array(out)


def test_the_kernel_agrees_with_its_plain_twin():
    rng = np.random.default_rng(0)
    scores = rng.laplace(0, 2, (300, 1, 1))
    scores[rng.random(300) < 0.1] = np.nan
    known = np.cumsum(rng.integers(1, 4, 300))
    state = AdaptiveState.start(LAPLACE[None, None], steps=(5,))
    _, fast = state.follow(known, scores)
    slow = plain_twin(known, (5,), scores, LAPLACE[None, None], AdaptiveSettings())
    np.testing.assert_allclose(fast[:, 0, 0], slow, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [(1,), (6,)])
def test_exchangeable_scores_are_covered_as_promised(steps):
    """40 zones x 2,000 independent skewed scores: mean coverage of each zone within four binomial deviations."""
    rng = np.random.default_rng(1)
    scores = rng.gamma(2.0, 1.0, (2500, 40, 1)) - 1.678
    static = ConformalIntervals.fit(scores[:500]).offsets
    offsets = follow(static, scores[500:], known=np.arange(2000), steps=steps)
    inside = (scores[500:, ..., None] >= offsets[..., [0]]) & (scores[500:, ..., None] <= offsets[..., [-1]])
    by_zone = inside.mean(axis=(0, 2, 3))
    assert abs(by_zone.mean() - 0.9) < 4 * np.sqrt(0.09 / (2000 * 40)) + 0.005
    assert np.abs(by_zone - 0.9).max() < 4 * np.sqrt(0.09 / 2000)


def test_a_jump_in_variance_is_followed_within_a_hundred_steps():
    """Errors grow fourfold: coverage falls to a half, is above 0.87 after 100 steps, and within 0.03 after 400."""
    rng = np.random.default_rng(2)
    scores = rng.normal(0, 1, (2000, 50, 1))
    scores[1000:] *= 4.0
    static = ConformalIntervals.fit(scores[:500]).offsets
    offsets = follow(static, scores, known=np.arange(2000), steps=(1,))
    inside = (scores >= offsets[..., 0]) & (scores <= offsets[..., -1])
    assert inside[1000:1010].mean() < 0.7
    assert inside[1100:1200].mean() > 0.87
    assert 0.87 < inside[1400:1700].mean() < 0.93
    fixed = (scores >= static[..., 0]) & (scores <= static[..., -1])
    assert fixed[1200:].mean() < 0.65


def test_slow_drift_of_the_mean_is_followed_and_costs_less_than_standing_still():
    """A bias that grows to three deviations over 3,000 steps: the lower end stops at the median, which stays, so that
    fewer than 5 % lie below it; the upper end follows.
    """
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 1, (3000, 20, 1)) + np.linspace(0, 3, 3000)[:, None, None]
    static = ConformalIntervals.fit(rng.normal(0, 1, (1000, 20, 1))).offsets
    offsets = follow(static, scores, known=np.arange(3000), steps=(6,))
    inside = (scores >= offsets[..., 0]) & (scores <= offsets[..., -1])
    assert 0.89 < inside.mean() < 0.93
    assert (scores > offsets[..., -1]).mean() == pytest.approx(0.05, abs=0.005)

    def winkler(low, high):
        return (high - low + 20 * (np.maximum(low - scores, 0) + np.maximum(scores - high, 0))).mean()

    assert winkler(offsets[..., 0], offsets[..., -1]) < 0.8 * winkler(static[..., 0], static[..., -1])


def test_a_bias_that_ends_is_forgotten_as_fast_as_it_came():
    """2,000 steps five deviations off hold the lower end at the median; 300 steps after, coverage is back."""
    rng = np.random.default_rng(10)
    scores = rng.normal(0, 1, (3000, 40, 1))
    scores[:2000] += 5.0
    offsets = follow(np.broadcast_to(LAPLACE, (40, 1, 7)), scores, known=np.arange(3000), steps=(1,))
    assert (scores[2300:] < offsets[2300:, ..., 0]).mean() == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("poison", [np.nan, 1e9, -1e9])
def test_scores_not_yet_known_are_not_looked_at(poison):
    """At origin 150 the score of origin i at horizon s is known if i + s <= 150; all others are poisoned."""
    rng = np.random.default_rng(4)
    steps = np.array([1, 3, 24])
    scores = rng.laplace(0, 1, (200, 4, 3))
    static = np.broadcast_to(LAPLACE, (4, 3, 7))
    known = np.arange(200)
    clean = follow(static, scores, known=known, steps=steps)
    spoilt = scores.copy()
    spoilt[np.broadcast_to((known[:, None] + steps > 150)[:, None, :], scores.shape)] = poison
    dirty = follow(static, spoilt, known=known, steps=steps)
    np.testing.assert_array_equal(clean[:151], dirty[:151])
    if np.isfinite(poison):
        assert (clean[151:] != dirty[151:]).any()  # from the next origin on, they count


def test_quantiles_never_cross():
    rng = np.random.default_rng(5)
    scores = rng.standard_cauchy((1500, 3, 2)) * np.where(np.arange(1500) % 400 < 200, 1, 20)[:, None, None]
    settings = AdaptiveSettings(hold=0.1, rates=(0.0, 0.1, 0.3))
    offsets = follow(
        np.broadcast_to(LAPLACE, (3, 2, 7)), scores, known=np.arange(1500), steps=(1, 4), settings=settings
    )
    assert (np.diff(offsets, axis=-1) >= 0).all()
    assert (offsets[..., 3] == 0).all()
    assert np.isfinite(offsets).all()


@pytest.mark.parametrize("cuts", [(100,), (1, 2, 50, 51, 180), tuple(range(1, 60))])
def test_a_run_in_pieces_is_one_run_bit_for_bit(cuts):
    """Stopped after each cut, stored, restored and continued with the scores that came in meanwhile."""
    rng = np.random.default_rng(6)
    steps = np.array([2, 7, 30])
    scores = rng.laplace(0, 1, (200, 3, 3)) * np.linspace(0.5, 4, 200)[:, None, None]
    scores[rng.random(scores.shape) < 0.05] = np.nan
    known = np.cumsum(rng.integers(1, 3, 200))
    start = AdaptiveState.start(np.broadcast_to(LAPLACE, (3, 3, 7)), steps=steps)
    end, whole = start.follow(known, scores)
    state, parts = start, []
    for a, b in zip((0, *cuts), (*cuts, 200)):
        state = start.restore(state.arrays())
        late = scores[np.searchsorted(known, state.pending)]
        state, part = state.follow(known[a:b], scores[a:b], late=late)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for name, array in end.arrays().items():
        np.testing.assert_array_equal(array, state.arrays()[name], err_msg=name)


def test_a_live_service_steps_as_a_replay_runs():
    rng = np.random.default_rng(7)
    steps = np.array([1, 4])
    scores = rng.laplace(0, 2, (80, 2, 2))
    start = AdaptiveState.start(np.broadcast_to(LAPLACE, (2, 2, 7)), steps=steps)
    _, whole = start.follow(np.arange(80), scores)
    state = start
    for now in range(80):
        heard = (state.pending[:, None] + steps <= now)[:, None, :]
        late = np.where(heard, scores[state.pending], np.nan)
        state, offsets = state.step(now, late)
        np.testing.assert_array_equal(offsets, whole[now])
    assert state.pending.tolist() == [76, 77, 78, 79]


def test_zones_do_not_touch_each_other():
    rng = np.random.default_rng(8)
    scores = rng.laplace(0, 1, (300, 5, 2))
    static = np.broadcast_to(LAPLACE, (5, 2, 7))
    together = follow(static, scores, known=np.arange(300), steps=(1, 3))
    alone = follow(static[2:3], scores[:, 2:3], known=np.arange(300), steps=(1, 3))
    np.testing.assert_array_equal(together[:, 2:3], alone)


def test_a_zone_that_never_reports_keeps_its_static_intervals():
    scores = np.full((100, 1, 1), np.nan)
    offsets = follow(LAPLACE[None, None], scores, known=np.arange(100), steps=(1,))
    np.testing.assert_allclose(offsets, np.broadcast_to(LAPLACE, offsets.shape), rtol=1e-6)


def test_one_broken_reading_does_not_swell_the_intervals():
    """A score of 1e6 counts as ten sizes in the running size: the 90 % width grows by less than a half."""
    rng = np.random.default_rng(9)
    scores = rng.laplace(0, 1, (400, 1, 1))
    scores[200] = 1e6
    offsets = follow(LAPLACE[None, None], scores, known=np.arange(400), steps=(1,))
    width = (offsets[..., -1] - offsets[..., 0])[:, 0, 0]
    assert width[201:].max() < 1.5 * width[150:201].max()


def test_what_does_not_fit_is_named_all_at_once():
    with pytest.raises(ScoresError, match=r"shape.*steps.*increase") as caught:
        AdaptiveState.start(np.zeros((2, 2, 3)), steps=(0,), quantiles=(0.9, 0.1))
    assert "spacing" not in str(caught.value)
    state = AdaptiveState.start(LAPLACE[None, None], steps=(3,))
    state, _ = state.follow(np.arange(5), np.zeros((5, 1, 1)))
    with pytest.raises(ScoresError, match=r"late must have shape \(3, 1, 1\)"):
        state.follow(np.array([5]), np.zeros((1, 1, 1)))
    with pytest.raises(ScoresError, match="increase"):
        state.follow(np.array([4]), np.zeros((1, 1, 1)), late=np.zeros((3, 1, 1)))
    with pytest.raises(SettingsError, match=r"rates.*hold.*memory"):
        AdaptiveSettings(rates=(), hold=2.0, memory=0.0)
    with pytest.raises(ScoresError, match="ring is missing"):
        state.restore({k: v for k, v in state.arrays().items() if k != "ring"})


def test_few_scores_to_start_from_move_the_levels_outwards():
    """40 origins: sqrt(0.05 x 0.95 / 40) x 0.14 = 0.0048 beyond 0.95; 12 steps ahead they are 3.33 stories: 0.0167."""
    state = AdaptiveState.start(np.broadcast_to(LAPLACE, (1, 2, 7)), steps=(1, 12), calibrated_on=40)
    np.testing.assert_allclose(state.levels[:, -1], [0.95482, 0.96671], atol=1e-5)
    np.testing.assert_allclose(state.levels[:, 0], 1 - state.levels[:, -1])
    assert (state.levels[:, 3] == 0.5).all()
    rng = np.random.default_rng(11)
    scores = rng.laplace(0, 1, (4000, 20, 1))
    start = np.broadcast_to(LAPLACE, (20, 1, 7))
    plain, wide = (follow(start, scores, known=np.arange(4000), steps=(1,), calibrated_on=k) for k in (None, 10))
    below = [(scores <= offsets[..., -1])[1000:].mean() for offsets in (plain, wide)]
    np.testing.assert_allclose(below, [0.95, 0.9596], atol=0.003)
