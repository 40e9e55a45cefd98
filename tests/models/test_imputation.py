"""Gaps are filled from earlier readings alone, within bounds, and every filled value is logged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.errors import PanelError
from models.imputation import fill_causal, fill_for_display
from models.panel import Panel


def panel_of(values: np.ndarray) -> Panel:
    """Hourly speeds."""
    times = pd.date_range("2025-01-06", periods=len(values), freq="1h", tz="UTC").as_unit("us")
    ids = tuple(f"Z{k}" for k in range(values.shape[1]))
    return Panel(times=times, zone_ids=ids, values={"speed_mps": values}, step_s=3600)


def test_a_gap_takes_the_last_reading_for_an_hour_then_yesterdays_then_stays():
    """Hours 24 to 27 are gaps: 24 takes hour 23's, 25 and 26 those of hours 1 and 2; 27 has no hour 3, so it stays."""
    values = np.arange(30, dtype=float)[:, None]
    values[[3, 24, 25, 26, 27]] = np.nan
    filled, log = fill_causal(panel_of(values), last_within_s=3600.0, yesterday_within_days=1)
    got = filled.values["speed_mps"][:, 0]
    assert got[[3, 24, 25, 26]].tolist() == [2.0, 23.0, 1.0, 2.0]
    assert np.isnan(got[27])
    assert log["method"].tolist() == ["last", "last", "yesterday", "yesterday"]
    assert log["age_s"].tolist() == [3600.0, 3600.0, 86_400.0, 86_400.0]


def test_the_future_cannot_change_what_is_filled():
    """Shuffle all that comes after hour 60: what was filled before it stays the same, bit for bit."""
    rng = np.random.default_rng(1)
    values = np.where(rng.random((96, 4)) < 0.3, np.nan, rng.random((96, 4)))
    other = values.copy()
    other[60:] = rng.permutation(other[60:])[::-1]
    first, second = (fill_causal(panel_of(v))[0].values["speed_mps"][:60] for v in (values, other))
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first).sum() < np.isnan(values[:60]).sum()


def test_a_line_for_charts_bridges_short_gaps_only():
    """Between 2 and 4 lies 3; a gap of three hours stays with a bound of two."""
    values = np.array([2.0, np.nan, 4.0, np.nan, np.nan, np.nan, 8.0])[:, None]
    got = fill_for_display(panel_of(values)).values["speed_mps"][:, 0]
    assert got[1] == 3.0
    assert np.isnan(got[3:6]).all()


def test_every_wrong_option_is_named():
    with pytest.raises(PanelError, match=r"method 'magic'.*target 'x'.*must not be negative"):
        fill_causal(panel_of(np.zeros((3, 1))), ["x"], methods=["magic"], last_within_s=-1)
