"""Feature choice: what helps is kept, what repeats or misleads is not, components hold the neighbours' common part."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SettingsError
from models.families.ridge import Ridge
from models.feature_choice import ForwardChoice, NeighbourComponents, PreparedLearner
from models.rows import Layout, Rows

NAMES = ("own_lag_0", "own_lag_1", "near1_lag_0", "near2_lag_0", "near3_lag_0", "weather_temperature_c")


def _rows(n: int = 1000, zones: int = 3, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, zones, len(NAMES))).astype(np.float32)
    ahead = rng.standard_normal((n, zones, 2, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(NAMES, ("ahead_day",), (1, 2)))


def _noise(rows: Rows, size: float, seed: int = 1) -> np.ndarray:
    return (size * np.random.default_rng(seed).standard_normal(rows.shape)).astype(np.float32)


def test_the_features_that_matter_are_kept_zone_by_zone():
    """Zone 0 follows its last reading, zone 1 a neighbour and yesterday, zone 2 nothing at all."""
    rows = _rows()
    y = _noise(rows, 0.5)
    y[:, 0] += rows.common[:, 0, :1]
    y[:, 1] += rows.common[:, 1, 3:4] + 0.5 * rows.ahead[:, 1, :, 0]
    step = ForwardChoice(2).fit(rows, y)
    assert "own_lag_0" in step.chosen(0, rows.layout)
    assert set(step.chosen(1, rows.layout)) == {"near2_lag_0", "ahead_day"}
    assert len(step.chosen(2, rows.layout)) <= 2
    kept = step.reduce(rows)
    assert np.array_equal(kept.common[:, 1, 3], rows.common[:, 1, 3])
    assert not kept.common[:, 1, 0].any()


def test_a_copy_of_a_feature_adds_nothing():
    """own_lag_1 repeats own_lag_0: one of the two is enough."""
    rows = _rows(zones=1)
    rows.common[:, :, 1] = rows.common[:, :, 0]
    step = ForwardChoice(7).fit(rows, rows.common[:, :, :1] + _noise(rows, 0.1))
    assert len({"own_lag_0", "own_lag_1"} & set(step.chosen(0, rows.layout))) == 1


def test_of_noise_little_is_kept():
    """Twenty zones of pure noise: a feature helps on blocks left out by chance alone, so fewer than a third enter."""
    rows = _rows(n=300, zones=20)
    assert ForwardChoice(7).fit(rows, _noise(rows, 1.0)).arrays["kept"].mean() < 0.34


def test_one_component_holds_what_the_neighbours_share():
    """Three neighbours that move as one, and a little noise: the first component is their mean, of variance 1."""
    rows = _rows()
    shared = np.random.default_rng(2).standard_normal((1000, 3, 1)).astype(np.float32)
    rows.common[:, :, 2:5] = shared + 0.1 * rows.common[:, :, 2:5]
    step = NeighbourComponents(1).fit(rows, _noise(rows, 1.0))
    reduced = step.reduce(rows)
    assert reduced.layout.common == ("own_lag_0", "own_lag_1", "weather_temperature_c", "neighbours_component_1")
    for zone in range(3):
        score = reduced.common[:, zone, 3]
        assert np.corrcoef(score, rows.common[:, zone, 2:5].mean(axis=1))[0, 1] > 0.999
        assert score.std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("steps", [[["keep", 3]], [["reduce", 2]], [["reduce", 2], ["keep", 4]]], ids=str)
def test_contributions_come_back_in_the_features_that_went_in(steps):
    """They add up to the forecast, and a neighbour that a component is made of has a share of its own."""
    rows = _rows()
    y = rows.common[:, :, :1] + 0.7 * rows.common[:, :, 2:5].sum(axis=2, keepdims=True) + _noise(rows, 0.3)
    model = PreparedLearner(steps=steps).fit(rows, y)
    one = rows.take(slice(5, 6)).pick(np.array([1]))
    told = model.contributions(one, 1, 1)
    assert told.shape == (len(rows.layout.names) + 1,)
    assert told.sum() == pytest.approx(float(model.predict(one, np.array([1]))[0, 0, 1]), abs=1e-4)
    assert np.abs(told[2:5]).max() > 0.01


def test_choosing_features_beats_all_of_them_where_most_are_noise():
    """60 rows, one feature of seven matters: the prepared ridge errs less on new rows than plain least squares."""
    rows, test = _rows(n=60, zones=30), _rows(n=500, zones=30, seed=9)
    y, y_test = (r.common[:, :, 5:6] + _noise(r, 1.0, s) for r, s in ((rows, 3), (test, 4)))
    tiny = {"penalties": [1e-6]}
    error = {
        name: ((model.fit(rows, y).predict(test) - y_test) ** 2).mean()
        for name, model in (
            ("chosen", PreparedLearner(steps=[["keep", 2]], settings=tiny)), ("all", Ridge(**tiny))
        )
    }  # fmt: skip
    assert error["chosen"] < error["all"]


def test_an_unknown_step_is_refused():
    """Both faults in one message."""
    with pytest.raises(SettingsError, match=r"polish.*keep"):
        PreparedLearner(steps=[["polish", 2], ["keep", 0]])
