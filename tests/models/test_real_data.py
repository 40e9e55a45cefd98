"""On measured data: METR-LA's speeds and Beijing's air, chosen models beat the seasonal naive soon ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.compare import compare
from models.panel import Panel
from models.training import train


def weights(latitude: np.ndarray, longitude: np.ndarray, reach_km: float) -> np.ndarray:
    """Row-normalised Gaussian weights by distance."""
    east = (longitude[:, None] - longitude) * 111.2 * np.cos(np.radians(latitude.mean()))
    near = np.exp(-((np.hypot((latitude[:, None] - latitude) * 111.2, east) / reach_km) ** 2))
    near = np.where(near > 0.02, near, 0.0) * (1 - np.eye(latitude.size))
    return near / np.maximum(near.sum(axis=1, keepdims=True), 1e-9)


@pytest.fixture(scope="module")
def los_angeles(real_data) -> Panel:
    """Ten sensors of METR-LA, 5-minute speeds averaged to 15 minutes, one week."""
    path = real_data / "traffic" / "metr_la_week_speed.csv.gz"
    if not path.is_file():
        pytest.skip(f"no METR-LA speeds at {path}")
    mph = pd.read_csv(path).iloc[:, :10].to_numpy(dtype=float)
    speed = (0.44704 * mph).reshape(-1, 3, 10).mean(axis=1)
    where = pd.read_csv(real_data / "traffic" / "metr_la_sensors.csv").iloc[:10]
    times = pd.date_range("2012-03-01", periods=len(speed), freq="15min", tz="America/Los_Angeles").tz_convert("UTC")
    return Panel(
        times=pd.DatetimeIndex(times).as_unit("us"),
        zone_ids=tuple(f"S{k}" for k in range(10)),
        values={"speed_mps": speed},
        timezone="America/Los_Angeles",
        step_s=900,
        neighbours=weights(where["latitude"].to_numpy(), where["longitude"].to_numpy(), 2.0),
        country="US",
    )


@pytest.fixture(scope="module")
def beijing(real_data) -> Panel:
    """NO2 and PM2.5 of four stations, hourly, eight weeks of 2015."""
    files = sorted((real_data / "air").glob("beijing_*_2013-03_2016-02.csv.gz"))[:4]
    if len(files) < 4:
        pytest.skip(f"no Beijing stations at {real_data / 'air'}")
    tables = [pd.read_csv(file) for file in files]
    times = pd.to_datetime(tables[0][["year", "month", "day", "hour"]]).dt.tz_localize("Asia/Shanghai")
    part = slice(int((times == pd.Timestamp("2015-09-01", tz="Asia/Shanghai")).argmax()), None)
    part = slice(part.start, part.start + 56 * 24)
    rename = {"WSPM": "wind_speed_mps", "TEMP": "temperature_c", "PRES": "pressure_hpa", "DEWP": "dew_point_c"}
    return Panel(
        times=pd.DatetimeIndex(times[part].dt.tz_convert("UTC")).as_unit("us"),
        zone_ids=tuple(str(table["station"].iloc[0]) for table in tables),
        values={
            "no2_ug_per_m3": np.column_stack([table["NO2"][part].to_numpy(dtype=float) for table in tables]),
            "pm25_ug_per_m3": np.column_stack([table["PM2.5"][part].to_numpy(dtype=float) for table in tables]),
        },
        timezone="Asia/Shanghai",
        step_s=3600,
        neighbours=(1 - np.eye(4)) / 3,
        weather={new: tables[0][old][part].to_numpy(dtype=float) for old, new in rename.items()},
        country="CN",
    )


def overall(panel: Panel, share: float, horizons_s: tuple[int, ...]) -> pd.DataFrame:
    training = train(panel, train_end=panel.origin(int(share * len(panel)) - 1), seed=1)
    scores = compare(panel, training, horizons_s=horizons_s, draws=20).scores
    scores = scores[(scores["zone_id"] == "") & (scores["metric"] == "mae")]
    return scores.pivot_table(index="model", columns=["target", "horizon_s"], values="value")


def test_los_angeles_is_forecast_better_than_by_last_week_or_the_last_value(los_angeles):
    mae = overall(los_angeles, 0.8, (900, 3600))
    for model in ("micromodel", "macromodel", "mix"):
        for horizon in (900.0, 3600.0):
            assert mae.loc[model, ("speed_mps", horizon)] < 0.9 * mae.loc["seasonal_naive", ("speed_mps", horizon)]
        assert mae.loc[model, ("speed_mps", 900.0)] < mae.loc["last_value", ("speed_mps", 900.0)]
        assert mae.loc[model, ("speed_mps", 3600.0)] < mae.loc["last_value", ("speed_mps", 3600.0)]


def test_beijing_is_forecast_better_than_by_last_week_and_no2_than_by_the_last_value(beijing):
    mae = overall(beijing, 0.75, (3600, 14_400, 86_400))
    for target in ("no2_ug_per_m3", "pm25_ug_per_m3"):
        for model in ("micromodel", "macromodel", "mix"):
            for horizon in (3600.0, 14_400.0, 86_400.0):
                assert mae.loc[model, (target, horizon)] < mae.loc["seasonal_naive", (target, horizon)]
    for model in ("micromodel", "macromodel", "mix"):
        for horizon in (3600.0, 14_400.0):
            assert mae.loc[model, ("no2_ug_per_m3", horizon)] < mae.loc["last_value", ("no2_ug_per_m3", horizon)]
