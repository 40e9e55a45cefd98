"""A small city for the benchmark's own machinery: hourly, with neighbours, weather, gaps and a second pollutant."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.benchmarks.models.nearness import nearest_weights
from app.benchmarks.models.split import BenchmarkPanel
from models.panel import Panel

TARGET = "no2_ug_per_m3"


def toy(*, days: int = 30, zones: int = 4, seed: int = 5) -> BenchmarkPanel:
    """A daily wave, a drifting common part and noise; the last fifth of the days is the test part."""
    rng = np.random.default_rng(seed)
    t = days * 24
    common = np.cumsum(rng.normal(0.0, 1.0, t))
    common -= pd.Series(common).rolling(48, min_periods=1).mean().to_numpy()
    wave = 10.0 * np.sin(2.0 * np.pi * np.arange(t) / 24.0)
    values = 40.0 + wave[:, None] + common[:, None] + rng.normal(0.0, 2.0, (t, zones))
    values[rng.random((t, zones)) < 0.03] = np.nan
    ids = tuple(f"z{k}" for k in range(zones))
    place = np.arange(zones, dtype=float)
    panel = Panel(
        times=pd.date_range("2021-01-04", periods=t, freq="h", tz="UTC").as_unit("us"),
        zone_ids=ids,
        values={TARGET: values, "o3_ug_per_m3": 80.0 - values + rng.normal(0.0, 1.0, (t, zones))},
        step_s=3600,
        zones=pd.DataFrame({"zone_id": ids, "lat": 48.0 + place / 100.0, "lon": 16.0 + place / 100.0}),
        neighbours=nearest_weights(1000.0 * np.abs(place[:, None] - place), k=2),
        weather={"wind_speed_mps": rng.gamma(2.0, 1.5, t), "wind_dir_deg": rng.uniform(0.0, 360.0, t)},
    )
    return BenchmarkPanel(
        name="toy", panel=panel, target=TARGET, test_from=24 * round(0.8 * days), unit="ug/m3",
        horizons={"1 h": (1,), "6 h": (6,), "24 h": (24,)},
    )  # fmt: skip


@pytest.fixture(scope="session")
def bench() -> BenchmarkPanel:
    """The toy panel."""
    return toy()


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Folder of the real data; skips, saying why, where there is none."""
    beside = Path(__file__).resolve().parents[5] / "shared" / "data"
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ZONEWISE_SHARED_DATA to the folder that holds traffic/ and air/")
    return folder
