"""Plain words for features, rules and importance."""

from __future__ import annotations

import pandas as pd
import pytest

from models.errors import SettingsError
from models.explain import importance, plain_label, rules
from models.forecasting import LearnedForecaster


@pytest.mark.parametrize(
    ("feature", "label"),
    [
        ("own_lag_0", "Speed here, last reading"),
        ("own_lag_2", "Speed here, 30 min before the last reading"),
        ("neighbours_mean_1h", "Speed of the neighbours, mean of the last 1 h"),
        ("near1_lag_1", "Speed of neighbour 1, 15 min before the last reading"),
        ("own_mean_168h", "Speed here, mean of the last 7 days"),
        ("flow_veh_per_h_lag_0", "Flow here, last reading"),
        ("weather_wind_speed_mps", "Wind speed now"),
        ("ahead_week", "Same time last week"),
        ("zone_green_share", "The zone's green share"),
    ],
)
def test_features_have_plain_names(feature, label):
    assert plain_label(feature, step_s=900, target="speed_mps") == label


def test_a_trees_rules_are_sentences_with_units(city):
    tree = LearnedForecaster("tree", seed=1).fit(
        city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[1000]
    )
    found = rules(tree, step=4)
    assert len(found) == len(tree.learner.rules(0))
    assert all(text.startswith("If ") and "km/h" in text and "_" not in text for text in found)


def test_a_line_has_no_rules(city):
    ridge = LearnedForecaster("ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[1000]
    )
    with pytest.raises(SettingsError, match="ridge"):
        rules(ridge, step=4)


def test_importance_ranks_by_mean_contribution(city):
    ridge = LearnedForecaster("ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[1000]
    )
    origins = pd.DatetimeIndex([city.origin(k) for k in range(1010, 1100, 10)])
    table = importance(ridge, city, zone_id="Z01", origins=origins, step=1)
    assert table["mean_contribution"].is_monotonic_decreasing
    assert (table["mean_contribution"] >= 0).all()
    assert "usual" not in set(table["feature"])
