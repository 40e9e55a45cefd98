"""Every learner keeps the contract of `models.learner`, whatever its family."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

if "learner_cases" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("learner_cases", Path(__file__).parent / "learner_cases.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["learner_cases"] = _module
    _spec.loader.exec_module(_module)

import learner_cases as cases

from models.errors import SettingsError
from models.learner import Learner, families, learner_class

TRAIN, TEST = cases.rows(n=500, seed=0), cases.rows(n=200, seed=9)
ZONE_FEATURES = np.array([[1.0, 0.2], [2.0, 0.1], [3.0, 0.4]])


def fit(family: str, made, y, **settings) -> Learner:
    features = ZONE_FEATURES[: made.shape[1]]
    return learner_class(family)(seed=5, **settings).fit(made, y, zone_features=features)


def explained(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Share of the sum of squares that a forecast explains, beside forecasting 0."""
    return 1.0 - float(np.nansum((truth - forecast) ** 2) / np.nansum(truth**2))


#: All that can be chosen by name, and the wrapper that prepares rows; `warm_line` needs donors (see `newcomers`).
@pytest.fixture(scope="module", params=[*families(), "prepared"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(family):
    return fit(family, TRAIN, cases.linear(TRAIN))


def test_a_linear_signal_is_learned(fitted):
    """Signal 0.8, 0.4 (variance 0.8), noise 0.3 (0.09): at best 90 % is explained; half of it asks for little."""
    out = fitted.predict(TEST)
    assert out.shape == TEST.shape
    assert np.isfinite(out).all()
    assert explained(cases.linear(TEST, seed=7), out) > 0.45


def test_noise_is_not_taken_for_a_signal(family):
    """Whatever is forecast from noise adds to the error: at most 8 % of the variance."""
    model = fit(family, TRAIN, cases.noise(TRAIN))
    assert explained(cases.noise(TEST, seed=8), model.predict(TEST)) > -0.08


def test_the_same_seed_gives_the_same_forecast_bit_for_bit(family, fitted):
    again = fit(family, TRAIN, cases.linear(TRAIN))
    assert np.array_equal(again.predict(TEST), fitted.predict(TEST))


def test_another_zones_outcomes_do_not_reach_a_zones_own_model(family, fitted):
    if fitted.scope != "zone":
        pytest.skip("a city's model learns from all zones")
    y = cases.linear(TRAIN)
    y[:, 1:] = cases.noise(TRAIN)[:, 1:]
    other = fit(family, TRAIN, y)
    places = np.array([0])
    np.testing.assert_allclose(
        other.predict(TEST.pick(places), places), fitted.predict(TEST.pick(places), places), rtol=1e-3, atol=1e-3
    )


def test_gaps_in_outcomes_are_left_out_and_a_silent_zone_is_as_usual(family):
    y = cases.linear(TRAIN)
    y[np.random.default_rng(3).random(y.shape) < 0.2] = np.nan
    y[:, 2] = np.nan
    model = fit(family, TRAIN, y)
    out = model.predict(TEST)
    assert np.isfinite(out).all()
    assert explained(cases.linear(TEST, seed=7)[:, :2], out[:, :2]) > 0.4
    if model.scope == "zone":
        assert np.abs(out[:, 2]).max() < 1e-6


def test_the_last_horizon_may_lack_its_last_outcomes(family):
    """At the end of a history the longer horizons have not happened yet."""
    y = cases.linear(TRAIN)
    y[-8:, :, 2] = np.nan
    y[-4:, :, 1] = np.nan
    assert np.isfinite(fit(family, TRAIN, y).predict(TEST)).all()


def test_a_zones_part_forecasts_what_the_whole_does(fitted):
    places = np.array([2, 0])
    part = fitted.pick(places)
    together = fitted.predict(TEST)[:, places]
    np.testing.assert_allclose(part.predict(TEST.pick(places)), together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.predict(TEST.pick(places), places), together, rtol=1e-5, atol=1e-6)


def test_some_of_the_horizons_are_forecast_as_all_of_them(fitted):
    some = fitted.predict(TEST.horizons([2, 1]))
    np.testing.assert_allclose(some, fitted.predict(TEST)[:, :, [2, 1]], rtol=1e-5, atol=1e-6)


def test_one_origin_is_forecast_as_among_many(fitted):
    one = fitted.predict(TEST.take(slice(7, 8)))
    np.testing.assert_allclose(one, fitted.predict(TEST)[7:8], rtol=1e-4, atol=1e-5)


def test_state_is_plain_and_restores_the_same_forecast_bit_for_bit(family, fitted):
    meta, arrays, blobs = fitted.state()
    bundle = io.BytesIO()
    np.savez_compressed(bundle, **arrays)
    bundle.seek(0)
    with np.load(bundle, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    again = learner_class(family)(seed=5, **json.loads(json.dumps(fitted.settings)))
    again.layout = fitted.layout
    again.restore(json.loads(json.dumps(meta)), arrays, {name: bytes(blob) for name, blob in blobs.items()})
    assert np.array_equal(again.predict(TEST), fitted.predict(TEST))
    assert again.n_parameters() == fitted.n_parameters()


def test_contributions_add_up_to_the_forecast(fitted):
    one = TEST.take(slice(3, 4))
    for place, horizon in ((0, 0), (2, 2)):
        rows = one.pick(np.array([place]))
        found = fitted.contributions(rows, horizon, place)
        assert found.shape == (TEST.width + 1,)
        forecast = float(fitted.predict(rows, np.array([place]))[0, 0, horizon])
        assert found.sum() == pytest.approx(forecast, rel=1e-3, abs=2e-3)


def test_few_rows_and_many_features_stay_finite_and_small(family):
    """20 rows, 45 features: a model may learn little, but must not run away."""
    made = cases.rows(n=20, seed=4, lags=12, near=6, extra=15)
    model = fit(family, made, cases.linear(made))
    out = model.predict(cases.rows(n=50, seed=5, lags=12, near=6, extra=15))
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 10


def test_an_unseen_extreme_does_not_run_away(fitted):
    made = cases.rows(n=5, seed=6)
    made.common[:] = 1e3
    assert np.abs(fitted.predict(made)).max() < 30


def test_parameters_are_counted_and_settings_are_checked(family, fitted):
    assert fitted.n_parameters() > 0
    json.dumps(dict(fitted.settings))
    with pytest.raises(SettingsError, match="colour"):
        learner_class(family)(colour="red")
    for name, values in fitted.space.items():
        assert name in fitted.defaults
        assert fitted.defaults[name] in values


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="crystal_ball"):
        learner_class("crystal_ball")
