"""Plain words for features, rules and importance."""

from __future__ import annotations

import pandas as pd
import pytest

from models.errors import SettingsError
from models.explain import decision_trace, importance, line_weights, plain_label, rules, usual_swing
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
    tree = LearnedForecaster("tree", seed=1, settings={"folds": 0, "max_leaves": 8}).fit(
        city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[1000]
    )
    found = rules(tree, step=4)
    assert len(found) == len(tree.learner.rules(0)) == 8
    assert all(text.startswith("If ") and "_" not in text for text in found)
    assert all("km/h" in text or "no different" in text for text in found) and "km/h" in found[0]


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


def test_a_trees_questions_lead_to_one_of_its_rules(city):
    """The last sentence of the trace says what one of the rules says, and there is a sentence for each question."""
    tree = LearnedForecaster("tree", seed=1, settings={"folds": 0, "max_leaves": 8}).fit(
        city, target="speed_mps", zone_ids=("Z01", "Z02"), train_end=city.times[1000]
    )
    told = decision_trace(tree, city, origin=city.origin(1010), zone_id="Z01", step=4)
    assert len(tree.learner.rules(0)) > 1 and len(told) > 1
    assert all("? Yes, it was " in text or "? No, it was " in text for text in told[:-1])
    ending = told[-1].removeprefix("So: ").removesuffix(".")
    assert any(rule.endswith(f": {ending}") for rule in rules(tree, step=4))


def test_weights_of_a_line_times_what_was_seen_are_its_contributions(city):
    """Coefficient times feature times the zone's scale is the contribution, as speed has no other scale."""
    ridge = LearnedForecaster("ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=("Z01", "Z02"), train_end=city.times[1000]
    )
    table = line_weights(ridge, zone_id="Z02", step=4).set_index("feature")
    origin = city.origin(900)
    parts = ridge.explain(city, origin=origin, zone_id="Z02", step=4).set_index("feature")
    scale = ridge.profile.scale[1]
    for name in ("own_lag_0", "intercept"):
        value = parts.loc[name, "value"]
        assert table.loc[name, "coefficient"] * value * scale == pytest.approx(
            parts.loc[name, "contribution"], rel=1e-4
        )
    assert table.loc["own_lag_0", "move"] == pytest.approx(table.loc["own_lag_0", "coefficient"] * scale)
    assert usual_swing(ridge, "Z02") == pytest.approx(scale)
    assert table.index[-1] == "intercept"
    assert table["coefficient"].iloc[:-1].abs().is_monotonic_decreasing


def test_what_a_family_lacks_is_refused_in_words(city):
    """A line asks nothing, a tree has no coefficients, and 5 is no anchor of either."""
    when = {"target": "speed_mps", "zone_ids": ("Z01",), "train_end": city.times[1000]}
    ridge, tree = (LearnedForecaster(family, seed=1).fit(city, **when) for family in ("ridge", "tree"))
    with pytest.raises(SettingsError, match="asks no questions"):
        decision_trace(ridge, city, origin=city.origin(1010), zone_id="Z01", step=4)
    with pytest.raises(SettingsError, match="no coefficients"):
        line_weights(tree, zone_id="Z01", step=4)
    with pytest.raises(SettingsError, match="no anchor"):
        line_weights(ridge, zone_id="Z01", step=5)
