"""Trends and changes of level that were put in are found, with intervals that hold."""

import numpy as np
import pytest

from models.outlook import changes, trend
from models.outlook.changepoints import divided
from models.outlook.memory import noise


def remembering(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Order-1 autoregression of variance 1."""
    out = rng.standard_normal(n)
    for t in range(1, n):
        out[t] = memory * out[t - 1] + np.sqrt(1 - memory**2) * out[t]
    return out


def test_a_line_is_told_exactly():
    """0.5 a day is 3.5 a week; gaps do not matter."""
    day = np.arange(60)
    value = 3 + 0.5 * day
    value[[5, 6, 30]] = np.nan
    found = trend(day, value)
    assert found.per_week == pytest.approx(3.5, rel=1e-6) and found.days == 57


def test_intervals_hold_where_days_resemble_the_days_before():
    """Of 150 series of 60 days with memory 0.5 about 90 % of intervals hold the slope; more than 80 % must.

    Plain least squares would hold it in 66 %: its standard error is too small by sqrt((1 + 0.5) / (1 - 0.5)) = 1.73.
    """
    rng = np.random.default_rng(1)
    day, hit = np.arange(60), 0
    for _ in range(150):
        found = trend(day, remembering(60, 0.5, rng) + 0.02 * day)
        hit += found.low <= 0.14 <= found.high
    assert hit / 150 > 0.8


def test_few_days_tell_no_trend():
    """13 days are too few."""
    found = trend(np.arange(13), np.arange(13.0))
    assert np.isnan(found.per_week) and not found.sure


def test_the_best_division_is_found():
    """0 for 10, 5 for 10 and 0 for 10 days: cuts at 10 and 20; at a cost above what they save, none.

    The overall mean is 5/3, its squared error 20 * (5/3)^2 + 10 * (10/3)^2 = 166.7.
    """
    value = np.repeat([0.0, 5.0, 0.0], 10)
    assert divided(value, 1.0) == [10, 20]
    assert divided(value, 80.0) == [10, 20]
    assert divided(value, 84.0) == []


def test_a_step_is_found_with_its_date_and_size():
    """A step of 3 standard deviations after 50 of 100 days of memory 0.3; its intervals hold the truth."""
    rng = np.random.default_rng(4)
    value = remembering(100, 0.3, rng)
    value[50:] += 3
    (found,) = changes(np.arange(100) + 20_000, value)
    assert found.first <= 20_050 <= found.last and abs(found.day - 20_050) <= 2
    assert found.low < 3 < found.high


def test_a_steady_trend_is_no_stair():
    """A line of 6 standard deviations over 120 days has no step."""
    rng = np.random.default_rng(2)
    assert changes(np.arange(120), remembering(120, 0.3, rng) + 0.05 * np.arange(120)) == []


def test_false_alarms_are_rare():
    """120 zones of 90 days, 30 zone-years, memory 0.4: at most 9 changes are told, 0.3 a zone-year."""
    rng = np.random.default_rng(7)
    assert sum(len(changes(np.arange(90), remembering(90, 0.4, rng))) for _ in range(120)) <= 9


def test_memory_and_long_run_spread_are_told_despite_a_step():
    """Memory 0.5: the long-run standard deviation is sqrt(1.5 / 0.5) = 1.73; a step of 5 hardly moves it."""
    rng = np.random.default_rng(3)
    value = remembering(2000, 0.5, rng)
    value[1000:] += 5
    memory, sigma = noise(value)
    assert memory == pytest.approx(0.5, abs=0.06) and sigma == pytest.approx(np.sqrt(3), rel=0.12)
