"""On measured air: 30-day coverage of a plain forecast's intervals, hour by hour through a year never seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.intervals import QUANTILES, Bounds, Calibration, ConformalIntervals
from models.intervals.scores import hits, interval_score, windows_within

STEPS = np.array([1, 6])
YEAR = 17_520  # hours from 2013-03 to 2015-02; the year after is judged


@pytest.fixture(scope="module")
def beijing(real_data):
    """Square roots of NO2 at four stations, three years of hours; the forecast is the last value heard."""
    files = sorted((real_data / "air").glob("beijing_*_2013-03_2016-02.csv.gz"))[:4]
    if len(files) < 4:
        pytest.skip(f"no Beijing stations at {real_data / 'air'}")
    values = np.sqrt(np.column_stack([pd.read_csv(file)["NO2"].to_numpy(dtype=float) for file in files]))
    known = np.arange(len(values) - STEPS.max())
    level = np.repeat(pd.DataFrame(values).ffill().bfill().to_numpy()[known][..., None], 2, axis=2)
    hours = np.arange(YEAR) % 24
    usual = np.stack([np.nanmean(values[:YEAR][hours == h], axis=0) for h in range(24)])
    off = np.abs(values[:YEAR] - usual[hours])
    stray = np.stack([np.nanmean(off[hours == h], axis=0) for h in range(24)])
    aim = known[:, None] + STEPS
    usual, stray = (a[aim % 24].transpose(0, 2, 1) for a in (usual, stray))
    return {"level": level, "usual": usual, "stray": stray, "reading": values[aim].transpose(0, 2, 1)}, values


def test_month_by_month_coverage_holds_where_static_intervals_fail(beijing):
    """At least 95 % of each horizon's 30-day windows lie within 0.87 and 0.93, at a lower interval score."""
    data, values = beijing
    first = {name: array[: YEAR - 6] for name, array in data.items()}
    calibration = Calibration.fit(known=np.arange(YEAR - 6), steps=STEPS, per_day=24, **first)
    live, _ = calibration.live().follow(np.arange(YEAR - 6), **first)
    later = {name: array[YEAR - 6 :] for name, array in data.items()}
    known = np.arange(YEAR - 6, YEAR - 6 + len(later["level"]))
    _, fan = live.follow(known, late=data["reading"][live.pending], **later)
    bounds = Bounds.fit(values[:YEAR])
    fan = bounds.apply(fan, quantiles=QUANTILES)
    scores = (first["reading"] - first["level"]) / first["stray"]
    offsets = ConformalIntervals.fit(scores, lean_tail=0.0, lean_size=0.0).offsets
    static = later["level"][..., None] + offsets * later["stray"][..., None]
    actual = later["reading"]
    for h in range(2):
        inside, fixed = (hits(actual[:, :, h], q[:, :, h, 0], q[:, :, h, -1]) for q in (fan, static))
        assert windows_within(inside, 720, 0.87, 0.93) >= 0.95
        assert windows_within(fixed, 720, 0.87, 0.93) < 0.9
        ours, theirs = (
            np.nanmean(interval_score(actual[:, :, h], q[:, :, h, 0], q[:, :, h, -1])) for q in (fan, static)
        )
        assert ours < theirs
    assert ((fan[..., -1] - fan[..., 0]).max(axis=(0, 2)) <= bounds.high - bounds.low).all()
