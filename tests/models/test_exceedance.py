"""Chances of passing a limit: read off quantiles, learned, calibrated, checked; refused where there is no evidence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm

from models.errors import NotFittedError, SettingsError
from models.exceedance import ExceedanceClassifier, from_quantiles
from models.logistic import chance, log_odds, logistic_lines
from models.reliability import brier, brier_skill, log_score, probability_scores, reliability, roc_auc
from models.rows import Layout, Rows


def _rows(n: int, zones: int, features: int = 4, seed: int = 0) -> Rows:
    common = np.random.default_rng(seed).standard_normal((n, zones, features)).astype(np.float32)
    layout = Layout(tuple(f"own_lag_{k}" for k in range(features)), ("ahead_day",), (1,))
    return Rows(common, np.zeros((n, zones, 1, 1), dtype=np.float32), layout)


def _happened(rows: Rows, constant: float, slopes: list[float], seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    p = chance(constant + rows.common[:, :, : len(slopes)] @ np.array(slopes))[:, :, None]
    return (np.random.default_rng(seed).random(p.shape) < p).astype(float), p


def test_logistic_regression_recovers_known_coefficients():
    """log odds = -1 + 2 a - b over 20,000 cases: standard errors are about 0.03, so within 0.1."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal((3, 20_000, 2)), np.ones((3, 20_000, 1))], axis=2).astype(np.float32)
    y = (rng.random((3, 20_000)) < chance(x @ np.array([2.0, -1.0, -1.0]))).astype(float)
    lines = logistic_lines(x, y, prior=np.zeros(3), precision=np.full(3, 1e-3))
    assert lines == pytest.approx(np.tile([2.0, -1.0, -1.0], (3, 1)), abs=0.1)


def test_a_logistic_line_stands_where_its_penalised_slope_is_zero():
    """At the optimum X'(y - p) = precision x (beta - prior), with gaps left out."""
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.standard_normal((1, 300, 2)), np.ones((1, 300, 1))], axis=2).astype(np.float32)
    y = (rng.random((1, 300)) < 0.3).astype(float)
    y[0, :50] = np.nan
    prior, precision = np.array([0.5, 0.0, -1.0]), np.array([4.0, 2.0, 1.0])
    beta = logistic_lines(x, y, prior=prior, precision=precision)[0]
    left = x[0, 50:].T @ (y[0, 50:] - chance(x[0, 50:] @ beta))
    assert left == pytest.approx(precision * (beta - prior), abs=1e-2)


def test_separable_cases_and_unknown_ones_stay_finite():
    """A zone whose feature separates events entirely, and a zone without a single outcome, which keeps the prior."""
    x = np.stack([np.linspace(-1, 1, 40), np.ones(40)], axis=1)[None].repeat(2, axis=0).astype(np.float32)
    y = np.stack([(np.linspace(-1, 1, 40) > 0).astype(float), np.full(40, np.nan)])
    lines = logistic_lines(x, y, prior=np.array([0.3, -0.2]), precision=np.full(2, 0.01))
    assert np.isfinite(lines).all()
    assert lines[1] == pytest.approx([0.3, -0.2])


def test_a_chance_is_read_off_quantiles_between_and_beyond():
    """Halfway between 0.5 and 0.9: 1 - 0.7; at the outermost quantile 1 - 0.9; beyond it the tail falls to 0."""
    levels, q = np.array([0.1, 0.5, 0.9]), np.array([10.0, 20.0, 40.0])
    assert from_quantiles(levels, q, 30.0) == pytest.approx(0.3)
    assert from_quantiles(levels, q, 40.0) == pytest.approx(0.1)
    # density at 40 is 0.4 / 20 = 0.02 a unit, a fifth of the 0.1 beyond: e-folding after 5 units
    assert from_quantiles(levels, q, 45.0) == pytest.approx(0.1 / np.e)
    assert from_quantiles(levels, q, 5.0) == pytest.approx(1 - 0.1 * np.exp(-5 * 0.04 / 0.1))
    chances = from_quantiles(levels, np.tile(q, (80, 1)), np.linspace(-20, 120, 80))
    assert (np.diff(chances) <= 0).all()


def test_normal_quantiles_give_normal_chances():
    """19 quantiles of N(0, 1): the chance of passing 0.5 is 0.3085, of passing 2.2 about 0.0139."""
    levels = np.arange(1, 20) / 20
    p = from_quantiles(levels, np.tile(norm.ppf(levels), (2, 1)), np.array([0.5, 2.2]))
    assert p == pytest.approx(norm.sf([0.5, 2.2]), abs=0.012)


def test_chances_of_a_well_specified_model_are_calibrated():
    """Unseen rows, 8 zones: in every bin of 0.1 the share that happened is within 4 binomial errors of the mean."""
    rows = _rows(6000, 8)
    y, _ = _happened(rows, -1.5, [1.5, 0.7])
    model = ExceedanceClassifier(gap=1).fit(rows.take(slice(0, 3000)), y[:3000])
    p = model.predict_proba(rows.take(slice(3000, None)))
    table = reliability(p, y[3000:])
    used = table["count"] > 50
    error = np.sqrt(table["mean_p"] * (1 - table["mean_p"]) / table["count"])
    assert used.sum() >= 8
    assert (np.abs(table["observed"] - table["mean_p"])[used] < 4 * error[used]).all()


def test_the_classifier_is_nearly_as_good_as_the_truth():
    """Knowing the true chances would give the least Brier score there can be; within 2 % of it."""
    rows = _rows(6000, 8)
    y, p = _happened(rows, -1.5, [1.5, 0.7])
    model = ExceedanceClassifier(gap=1).fit(rows.take(slice(0, 3000)), y[:3000])
    found = model.predict_proba(rows.take(slice(3000, None)))
    assert brier(found, y[3000:]) < 1.02 * brier(p[3000:], y[3000:])


def test_a_zone_with_few_events_borrows_from_the_city():
    """Zone 0 knows 60 cases: alone its chances are further from the truth than with the city's support."""
    rows = _rows(3000, 10)
    y, p = _happened(rows, -1.5, [1.5, 0.7])
    y[60:, 0] = np.nan
    error = {}
    for borrow in (0.01, 100.0):
        model = ExceedanceClassifier(gap=1, borrow=borrow, calibrate_borrow=borrow, least_episodes=5).fit(rows, y)
        error[borrow] = np.abs(model.predict_proba(rows)[60:, 0] - p[60:, 0]).mean()
    assert error[100.0] < 0.6 * error[0.01]


def test_too_few_episodes_are_said_and_not_modelled():
    """Zone 1 passes the limit in one run of 9 steps: one episode, too few even for the city; with 19 more enough."""
    rows = _rows(400, 3)
    y = np.zeros((400, 3, 1))
    y[100:109, 1] = 1.0
    model = ExceedanceClassifier().fit(rows, y)
    assert model.arrays["episodes"][:, 0].tolist() == [0, 1, 0]
    assert np.isnan(model.predict_proba(rows)).all()
    assert "No chance is given: 1 separate episode in 400 known cases here and 1 in the whole city" in model.note(1, 0)
    y[np.arange(20, 400, 20), 0] = 1.0
    model = ExceedanceClassifier().fit(rows, y)
    assert np.isfinite(model.predict_proba(rows)).all()
    assert model.note(1, 0).startswith("Too few of its own (1 separate episode")
    assert model.note(0, 0).startswith("The chance rests on 19 separate episodes")


def test_extra_features_are_used():
    """All the information is in the extra feature: with it the ROC area is above 0.9, without it about a half."""
    rows = _rows(2000, 3)
    extra = np.random.default_rng(4).standard_normal((2000, 3, 1, 1)).astype(np.float32)
    y = (np.random.default_rng(5).random((2000, 3, 1)) < chance(4 * extra[..., 0])).astype(float)
    model = ExceedanceClassifier(gap=1).fit(rows, y, extra=extra)
    assert roc_auc(model.predict_proba(rows, extra=extra), y) > 0.9
    assert roc_auc(ExceedanceClassifier(gap=1).fit(rows, y).predict_proba(rows), y) < 0.6
    with pytest.raises(SettingsError, match="give the same features"):
        model.predict_proba(rows)


def test_the_same_rows_give_the_same_chances_and_survive_storage():
    """Fit twice; then through JSON and arrays: equal to the bit, also for two of the zones alone."""
    rows = _rows(800, 4)
    y, _ = _happened(rows, -1.0, [1.0])
    y[::7] = np.nan
    model = ExceedanceClassifier(gap=1).fit(rows, y)
    meta, arrays = model.state()
    again = ExceedanceClassifier.restore(json.loads(json.dumps(meta)), arrays)
    p = model.predict_proba(rows)
    assert np.array_equal(p, again.predict_proba(rows))
    assert np.array_equal(p, ExceedanceClassifier(gap=1).fit(rows, y).predict_proba(rows))
    some = np.array([3, 1])
    assert again.predict_proba(rows.pick(some), some) == pytest.approx(p[:, some], abs=1e-6)


def test_misuse_is_named():
    """Before fit, and every wrong setting at once."""
    with pytest.raises(NotFittedError):
        ExceedanceClassifier().predict_proba(_rows(3, 1))
    with pytest.raises(SettingsError, match=r"no setting 'limit'.*borrow=0.*blocks=1"):
        ExceedanceClassifier(limit=3, borrow=0, blocks=1)
    with pytest.raises(SettingsError, match="rising"):
        from_quantiles(np.array([0.9, 0.1]), np.zeros((1, 2)), 0.0)


def test_scores_by_hand():
    """Chances 0.8, 0.4, 0.1 of yes, no, no: squares 0.04 + 0.16 + 0.01; climatology 1/3; both pairs in order."""
    p, y = np.array([0.8, 0.4, 0.1, 0.7]), np.array([1.0, 0.0, 0.0, np.nan])
    assert brier(p, y) == pytest.approx(0.07)
    assert brier_skill(p, y, 1 / 3) == pytest.approx(1 - 0.07 / (2 / 9))
    assert log_score(p, y) == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.9)) / 3)
    assert roc_auc(p, y) == 1.0
    assert roc_auc(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == 0.5
    assert probability_scores(p, y, 1 / 3)["events"] == 1.0
    assert log_odds(chance(np.array([-2.0, 3.0]))) == pytest.approx([-2.0, 3.0])


def test_reliability_counts_and_intervals_by_hand():
    """100 cases of chance 0.35, 30 happened: Wilson's interval is 0.219 to 0.396; wider if 10 hours are one case."""
    table = reliability(np.full(100, 0.35), np.arange(100) < 30)
    assert table["count"].tolist() == [0, 0, 0, 100, 0, 0, 0, 0, 0, 0]
    assert table["observed"][3] == pytest.approx(0.3)
    assert (table["low"][3], table["high"][3]) == pytest.approx((0.2189, 0.3958), abs=1e-3)
    assert np.isnan(table["observed"][0])
    wide = reliability(np.full(100, 0.35), np.arange(100) < 30, per_case=10)
    assert wide["high"][3] - wide["low"][3] > 2 * (table["high"][3] - table["low"][3])
    with pytest.raises(SettingsError, match=r"bins=0.*per_case"):
        reliability(np.zeros(1), np.zeros(1), 0, per_case=0.5)
