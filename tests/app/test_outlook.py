"""`zonewise outlook` and `zonewise forecast --guarded` on a workspace of five zones, one sensor of which is stuck."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from shapely.geometry import box

from app.cli import cli
from app.guarding import present_guarded
from app.outlook import workspace_outlook
from data.errors import InputError
from data.store.runs import run_id
from data.store.workspace import Workspace
from models.forecasting import LearnedForecaster
from models.panel import Panel

ZONES, TARGET, DAY = ("Z01", "Z02", "Z03", "Z04", "Z05"), "flow_veh_per_h", 24
LEARNED, LIVED = 28, 4


def flows() -> pd.DataFrame:
    """32 days of hours: a wave and a shared mood; Z01 gains 5 a day; Z02 is stuck for the last 36 hours."""
    rng = np.random.default_rng(3)
    n = (LEARNED + LIVED) * DAY
    times = pd.date_range("2025-09-01", periods=n, freq="h", tz="UTC").as_unit("us")
    wave = 500 + 250 * np.sin(2 * np.pi * np.arange(n) / DAY)
    mood = np.repeat(20 * rng.standard_normal(n // 4), 4)
    grid = wave[:, None] + mood[:, None] + 8 * rng.standard_normal((n, 5))
    grid[:, 0] += 5 * np.arange(n) / DAY
    grid[-DAY - 12 :, 1] = grid[-DAY - 13, 1]
    return pd.DataFrame({"zone_id": np.repeat(ZONES, n), "time": np.tile(times, 5), TARGET: grid.T.ravel()})


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("home") / "seen")
    state = flows()
    learned = state["time"] < state["time"].min() + pd.Timedelta(days=LEARNED)
    zones = gpd.GeoDataFrame(
        {"zone_id": list(ZONES), "name": ["Quay", "Market", "Park", "Station", "Hill"], "x_m": np.arange(5.0) * 400,
         "y_m": 0.0}, geometry=[box(k, 0, k + 1, 1) for k in range(5)], crs="EPSG:3067",
    )  # fmt: skip
    near = pd.DataFrame({"zone_id": ZONES[:-1], "neighbour_zone_id": ZONES[1:], "border_m": 1.0, "distance_m": 400.0})
    choices = pd.DataFrame(
        {"zone_id": list(ZONES), "target": TARGET, "is_task": True, "model_in_use": "micromodel", "weight_micro": 1.0}
    )
    panel = Panel.from_table(state[learned], timezone="UTC", targets=(TARGET,))
    end = panel.origin(len(panel) - 1)
    model = LearnedForecaster("ridge", seed=1).fit(panel, target=TARGET, zone_ids=ZONES, train_end=end)
    ids = {kind: run_id(kind, {}) for kind in ("city", "simulation", "training", "live")}
    with space.runs.write("city", {}) as run:
        run.table("places", zones)
    # tables that the app reads by name, without the columns that only maps need
    zones.to_parquet(space.runs.root / ids["city"] / "zones.parquet")
    near.to_parquet(space.runs.root / ids["city"] / "adjacency.parquet")
    with space.runs.write("simulation", {}) as run:
        run.table("zone_state", state[learned])
    with space.runs.write("training", {}) as run:
        for zone in ZONES:
            for name, value in model.one(zone).save().items():
                run.bytes(f"models/micromodel/{zone}/{TARGET}/{name}", value)
    choices.to_parquet(space.runs.root / ids["training"] / "choices.parquet")
    with space.runs.write("live", {}) as run:
        run.table("zone_state", state[~learned])
    now = state["time"].max() + pd.Timedelta(hours=1)
    space.update(timezone="UTC", step_s=3600, now=now.isoformat(), runs=ids)
    return space


def test_a_page_and_a_table_are_printed(space):
    """Z01 rises by 35 a week, and its page says so by its name; the table has all five zones."""
    runner, where = CliRunner(), ["--workspace", str(space.root)]
    page = runner.invoke(cli, ["outlook", "quay", *where], catch_exceptions=False).output
    assert page.startswith("Quay: Flow is rising") and "Advice:" in page and "Market" not in page
    table = runner.invoke(cli, ["outlook", *where], catch_exceptions=False).output
    assert all(zone in table for zone in ZONES) and "rising" in table
    found = json.loads(runner.invoke(cli, ["outlook", *where, "--json"], catch_exceptions=False).output)
    row = {row["zone_id"]: row for row in found["rows"]}["Z01"]
    assert row["trend_low"] < 35 < row["trend_high"] and len(found["sentences"][TARGET]) == 5


def test_an_unknown_zone_or_target_is_told_with_those_there_are(space):
    with pytest.raises(InputError, match=r"no zone 'Harbour'.*Z01 \(Quay\)"):
        workspace_outlook(space, zone="Harbour")
    with pytest.raises(InputError, match="no readings of 'speed_mps'"):
        workspace_outlook(space, target="speed_mps")
    with pytest.raises(InputError, match="--horizon 7 s"):
        present_guarded(space, horizon_s=7.0)


def test_guarded_forecasts_do_not_follow_a_stuck_sensor(space):
    """Midnight: the true wave is near 500; the zone that is stuck at what noon of the day before brought is refused."""
    told = CliRunner().invoke(cli, ["forecast", str(space.root), "--guarded"], catch_exceptions=False).output
    assert f"Z02 {TARGET}" in told and "the very same reading" in told
    table, log = present_guarded(space, horizon_s=3600.0)
    table = table.set_index("zone_id")
    others = table.loc[["Z03", "Z04", "Z05"], "q50"].mean()
    assert not table.loc["Z02", "believed"] and table.loc["Z03", "believed"]
    assert table.loc["Z02", "q50"] == pytest.approx(others, rel=0.1)
    assert (table["q95"] > table["q05"]).all()
    assert set(log.loc[log["reason"] == "stuck", "zone_id"]) == {"Z02"}
