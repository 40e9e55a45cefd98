"""Overfitting: no skill from exchanged days, no model in service by chance, and gaps blamed on the right cause."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import SettingsError, ShortHistoryError
from models.overfitting import exchange_days, generalisation_gap, learning_curve, promotable, shuffled_target

if "small_line" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("small_line", Path(__file__).parent / "small_line.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["small_line"] = _module
    _spec.loader.exec_module(_module)

from small_line import DAY, Line, days, made_rows, outcomes


def test_a_model_is_promoted_where_its_skill_is_clear_of_chance_and_worth_having():
    """Skill 5 % with errors of 1 % (t = 5) and 4 % (t = 1.25), 0.2 % with 0.01 %, -5 %, nothing known."""
    skill = np.array([0.05, 0.05, 0.002, -0.05, np.nan])
    se = np.array([0.01, 0.04, 0.0001, 0.01, 0.01])
    assert promotable(skill, se, blocks=20).tolist() == [True, False, False, False, False]
    assert bool(promotable(np.array(0.05), np.array(0.01), blocks=20)) is True
    assert not promotable(skill, se, blocks=1).any()


def test_two_thousand_zones_of_noise_promote_nobody_in_nineteen_of_twenty_cities():
    """Skills of noise over 20 days in 50 cities of 2,000 zones: some zone is promoted in at most 5 % of them (2.5 on
    average, more than 6 with a chance of 1 %)."""
    rng = np.random.default_rng(0)
    daily = 0.2 * rng.standard_normal((50, 20, 2000))
    skill, se = daily.mean(axis=1), daily.std(axis=1, ddof=1) / np.sqrt(20)
    assert sum(promotable(a, b, blocks=20).any() for a, b in zip(skill, se)) <= 6


def test_zones_that_borrow_strength_are_promoted_where_their_own_days_could_not_tell():
    """139 zones that save 3.4 % with an error of 2.7 % each from 5 days: t = 1.3, next to none alone; together the
    error is 2.7 / sqrt(139) = 0.23 %, t = 15."""
    rng = np.random.default_rng(1)
    daily = 0.034 + 0.06 * rng.standard_normal((5, 139))
    skill, se = daily.mean(axis=0), daily.std(axis=0, ddof=1) / np.sqrt(5)
    city = (float(skill.mean()), float(daily.mean(axis=1).std(ddof=1) / np.sqrt(5)))
    assert promotable(skill, se, blocks=5).mean() < 0.05
    assert promotable(skill, se, blocks=5, city=city).mean() > 0.9


def test_zones_that_borrow_strength_seldom_let_in_a_city_without_skill():
    """200 cities of 139 zones without skill, 5 days: any zone in at most twice 2.5 % of the cities, that is 10, and 17
    with a chance of 2 %."""
    rng = np.random.default_rng(2)
    let_in = []
    for _ in range(200):
        daily = 0.06 * rng.standard_normal((5, 139))
        whole = daily.mean(axis=1)
        city = (float(whole.mean()), float(whole.std(ddof=1) / np.sqrt(5)))
        let_in.append(
            promotable(daily.mean(axis=0), daily.std(axis=0, ddof=1) / np.sqrt(5), blocks=5, city=city, least=0)
        )
    assert np.any(let_in, axis=1).sum() <= 17


def test_exchanged_days_stay_whole_and_none_keeps_its_place():
    """Six days of 24 rows between a day of 5 and one of 7: the two short ones are left out."""
    y = np.arange(5 + 6 * 24 + 7, dtype=np.float32)[:, None, None]
    day = np.r_[np.zeros(5), np.repeat(np.arange(1, 7), 24), np.full(7, 7)].astype(int)
    moved, kept = exchange_days(y, day, seed=3)
    assert kept.tolist() == list(range(5, 149))
    blocks, own = moved.reshape(6, 24), y[kept].reshape(6, 24)
    assert (np.diff(blocks, axis=1) == 1).all()
    assert sorted(blocks[:, 0]) == sorted(own[:, 0]) and (blocks[:, 0] != own[:, 0]).all()
    turned, _ = exchange_days(y, day, seed=3, turn=True)
    assert sorted(turned.ravel()) == sorted(own.ravel()) and (np.diff(turned.reshape(6, 24), axis=1) != 1).any()


def test_too_few_days_to_exchange_are_told():
    with pytest.raises(ShortHistoryError, match="3 whole days of 24 rows"):
        exchange_days(np.zeros((72, 1, 1)), np.arange(72) // 24, seed=0)


def test_a_family_that_learns_a_real_signal_claims_none_with_exchanged_days():
    """0.8 of one feature and noise of 0.5: the line saves 1 - 0.5 / sqrt(0.89) = 47 % of the loss; with exchanged days
    it can only lose."""
    rows = made_rows(n=DAY * 40, zones=6)
    report = shuffled_target(Line, rows, outcomes(rows), day=days(rows), exchanges=3, settings={"features": 6})
    assert report.city[0] == pytest.approx(0.47, abs=0.02)
    assert (report.city[1:] < 0.005).all() and report.promoted[0].all() and report.caught
    assert "0 of 6 zones promoted" in report.reason and "6 of 6 zones promoted" in report.reason


def test_a_family_that_looks_at_the_outcomes_it_is_scored_on_is_found_out():
    """A cheat that is told the target through a feature claims skill with exchanged days as well."""
    rows = made_rows(n=DAY * 20)
    y = outcomes(rows)

    class Cheat(Line):
        def predict(self, rows, places=None):
            return 0.5 * truth[-rows.shape[0] :]

        def fit(self, rows, y, *, zone_features=None):
            return self

    truth = exchange_days(y, days(rows), seed=1)[0]
    Cheat.family = "cheat"
    report = shuffled_target(Cheat, rows, y, day=days(rows), exchanges=1, folds=1, turn=False)
    assert report.city[1] == pytest.approx(0.5, abs=1e-3) and report.promoted[1].all() and not report.caught


def test_what_holds_at_an_hour_on_all_days_survives_an_exchange_but_not_a_turn():
    """The first feature and the outcome are both the hour's: days exchanged whole keep that, turned ones do not."""
    rows = made_rows(n=DAY * 20)
    hour = np.cos(2 * np.pi * np.arange(DAY * 20) / DAY).astype(np.float32)
    rows.common[:, :, 0] = hour[:, None]
    y = (hour[:, None, None] + 0.1 * np.random.default_rng(0).standard_normal(rows.shape)).astype(np.float32)
    kept, turned = (
        shuffled_target(Line, rows, y, day=days(rows), exchanges=1, turn=t, settings={"features": 1})
        for t in (False, True)
    )
    assert kept.city[1] > 0.8 and not kept.caught
    assert turned.city[1] < 0.005 and turned.caught


def test_a_learning_curve_falls_with_the_days_learned_from():
    """Six coefficients from 2, 8 and 30 days: excess loss falls about as 1 / days; fits look better than that."""
    rows = made_rows(n=DAY * 60)
    curve = learning_curve(
        Line,
        rows,
        outcomes(rows, noise=1.0),
        day=days(rows),
        days=(2, 8, 30, 1000),
        settings={"features": 6, "penalty": 0.01},
    )
    assert curve.days == (2, 8, 30, 45)
    assert (np.diff(curve.loss[:3]) < 0).all()
    assert curve.fitted[0] < curve.fitted[2] and curve.fitted[0] < curve.loss[0]
    assert curve.zones.shape == (4, 4) and "than with 30 days" in curve.reason


def losses(rng: np.random.Generator, days: int, level: np.ndarray, zones: int = 3) -> np.ndarray:
    """Absolute errors, days of 24 rows, one horizon; a day's level moves by 5 %."""
    daily = level * (1 + 0.05 * rng.standard_normal(days))
    return np.repeat(daily, DAY)[:, None, None] * np.abs(rng.standard_normal((days * DAY, zones, 1)))


def gap_report(seed: int, model: float, naive: float, days: int = 30, **kwargs):
    """The test part has `model` and `naive` times the validation's losses."""
    rng = np.random.default_rng(seed)
    day = np.arange(days * DAY) // DAY
    base, other = losses(rng, days, np.ones(days)), losses(rng, days, np.ones(days))
    noise = [1 + 0.02 * rng.standard_normal((days * DAY, 1, 1)) for _ in range(2)]
    return generalisation_gap(
        0.7 * base * noise[0], base, day, 0.7 * model * other * noise[1], naive * other, day, **kwargs
    )


def test_a_gap_that_the_naive_model_shares_is_shift_and_not_optimism():
    """Both lose 20 % more in the test part."""
    report = gap_report(0, 1.2, 1.2)
    assert report.shift[0, 0] == pytest.approx(0.2, abs=0.06)
    assert report.optimism[0, 0] == pytest.approx(0.0, abs=0.01) and not report.to_explain.any()
    assert report.total.shape == (4, 1)


def test_a_gap_of_the_model_alone_is_optimism_and_asks_for_an_explanation():
    """The model loses 10 % more, the naive one does not: 10 % optimism, and both parts multiply to the whole."""
    report = gap_report(1, 1.1, 1.0)
    assert report.optimism[0, 0] == pytest.approx(0.1, abs=0.01)
    assert report.low[0, 0] < 0.1 < report.high[0, 0] and report.to_explain[0, 0]
    assert (1 + report.total) == pytest.approx((1 + report.shift) * (1 + report.optimism))
    assert "optimism" in report.words() and "asks for an explanation" in report.words()


def test_intervals_of_optimism_miss_as_often_as_they_claim():
    """100 runs of 15 days without any: 90 % intervals of all zones together miss 0 in at most 10 % (and 17 with a
    chance of 2 %)."""
    missed = 0
    for seed in range(100):
        report = gap_report(100 + seed, 1.0, 1.0, days=15)
        missed += not report.low[0, 0] <= 0 <= report.high[0, 0]
    assert 1 <= missed <= 17


def test_a_zone_without_outcomes_has_no_gap_and_does_not_spoil_the_others():
    rng = np.random.default_rng(2)
    day = np.arange(10 * DAY) // DAY
    parts = [losses(rng, 10, np.ones(10)) for _ in range(4)]
    parts[0][:, 1] = np.nan
    report = generalisation_gap(parts[0], parts[1], day, parts[2], parts[3], day)
    assert np.isnan(report.total[2, 0]) and np.isfinite(report.total[[0, 1, 3], 0]).all()
    assert "cannot be told" in report.words(1)
    with pytest.raises(SettingsError, match="must be alike"):
        generalisation_gap(parts[0], parts[1][:5], day, parts[2], parts[3], day)
