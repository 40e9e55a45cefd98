"""Gain of trees' splits: by hand for one tree, and the right feature for each family of trees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.errors import SettingsError
from models.families.forest import Forest, Tree
from models.forecasting import LearnedForecaster
from models.gain import forest_gain, gain_importance


def test_one_split_gains_what_its_rows_are_moved_by():
    """Four rows at 0: one goes to -3 and three to 1 by feature 1, so 9 + 3 = 12; then two of these to 1 + 1: 2 more."""
    tree = Tree(
        np.array([1, -1, 0, -1, -1]), np.array([0.5, 0, 0.5, 0, 0], np.float32), np.array([1, -1, 3, -1, -1]),
        np.array([[0], [-3], [1], [1], [2]], np.float32),
    )  # fmt: skip
    forest = Forest.build([[tree]], per_zone=1, values=1)
    x = np.array([[0, 0], [0, 1], [1, 1], [1, 1]], np.float32)
    gain, splits = forest_gain(forest, x, 0)
    assert gain.tolist() == [2.0, 12.0] and splits.tolist() == [1, 1]


@pytest.fixture(scope="module")
def hours():
    return synthetic_city.panel(zones=3, days=16, step_s=3600, seed=5)


@pytest.mark.parametrize("family", ["tree", "boosted_trees", "bagged_trees", "xgboost", "macro_xgboost"])
def test_shares_of_the_gain_sum_to_one_and_name_features(family, hours):
    settings = {} if family == "tree" else {"linear_first": False}
    made = LearnedForecaster(family, seed=1, start="usual", settings=settings).fit(
        hours, target="speed_mps", zone_ids=hours.zone_ids, train_end=hours.times[12 * 24], steps=(1, 3)
    )
    origins = pd.DatetimeIndex([hours.origin(k) for k in range(11 * 24, 12 * 24)])
    table = gain_importance(made, hours, zone_id="Z02", origins=origins, step=1)
    if len(table):
        assert table["gain"].sum() == pytest.approx(1.0) and (table["splits"] > 0).all()
        assert table["gain"].is_monotonic_decreasing and not table["label"].str.contains("_").any()
    assert len(table) or family == "tree"


def test_a_line_has_no_gain_and_says_what_to_ask_instead(hours):
    line = LearnedForecaster("ridge").fit(
        hours, target="speed_mps", zone_ids=("Z02",), train_end=hours.times[12 * 24], steps=(1, 3)
    )
    origins = pd.DatetimeIndex([hours.origin(250)])
    with pytest.raises(SettingsError, match="contributions"):
        gain_importance(line, hours, zone_id="Z02", origins=origins, step=1)
    with pytest.raises(SettingsError, match="was not learned"):
        gain_importance(line, hours, zone_id="Z02", origins=origins, step=2)
