"""From stored quantiles to chances."""

import numpy as np
import pandas as pd
import pytest

from app.predictive import blend, chance_words, exceedance, quantile_paths

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def test_a_chance_is_read_between_the_quantiles():
    """45 lies half way from the median 40 to the upper quartile 50: below it 62.5 %, above it 37.5 %."""
    assert exceedance(LEVELS, np.array([[20.0, 30.0, 40.0, 50.0, 60.0]]), 45.0)[0] == pytest.approx(0.375)


def test_a_chance_is_never_surer_than_the_outermost_quantiles():
    """Far above every quantile 5 % are left, far below them 95 %."""
    row = np.array([[20.0, 30.0, 40.0, 50.0, 60.0]])
    assert exceedance(LEVELS, row, 1e6)[0] == pytest.approx(0.05)
    assert exceedance(LEVELS, row, -1e6)[0] == pytest.approx(0.95)


def test_a_missing_quantile_gives_no_chance():
    assert np.isnan(exceedance(LEVELS, np.array([[20.0, np.nan, 40.0, 50.0, 60.0]]), 45.0)[0])


def test_a_distribution_without_width_is_a_step():
    """All quantiles at 40: above 40 next to nothing, below 40 next to all."""
    row = np.full((1, 5), 40.0)
    assert exceedance(LEVELS, row, 40.0)[0] == pytest.approx(0.05)
    assert exceedance(LEVELS, row, 39.9)[0] == pytest.approx(0.95)


def test_steps_between_horizons_lie_on_a_straight_line_and_none_beyond():
    """10 at 15 min and 30 at 45 min: 20 at 30 min; nothing is known at 60 min."""
    rows = pd.DataFrame({"horizon_s": [900.0, 2700.0], "quantile": [0.5, 0.5], "value": [10.0, 30.0]})
    levels, paths = quantile_paths(rows, step_s=900, n_steps=4)
    assert levels.tolist() == [0.5]
    assert paths[:3, 0].tolist() == [10.0, 20.0, 30.0]
    assert np.isnan(paths[3, 0])


def test_a_mix_lies_between_its_parts():
    assert blend(np.array([10.0]), np.array([20.0]), 0.25)[0] == pytest.approx(17.5)


def test_words_of_a_chance_end_where_the_quantiles_end():
    assert [chance_words(p) for p in (0.05, 0.372, 0.95, float("nan"))] == ["under 5 %", "37 %", "over 95 %", "–"]
