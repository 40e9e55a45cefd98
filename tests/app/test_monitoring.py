"""`zonewise monitor` on a workspace of three zones, one of which lost half its traffic on the last day but one."""

import json
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from shapely.geometry import box

from app.cli import cli
from app.job_results import store_watch, stored_monitors
from app.monitoring import acknowledge, alarm_book, monitor_workspace
from data.errors import InputError
from data.store.workspace import Workspace
from models.errors import AlarmError
from models.forecasting import LearnedForecaster
from models.panel import Panel

ZONES, TARGET, DAY = ("Z01", "Z02", "Z03"), "flow_veh_per_h", 96
LEARNED, LIVED = 12, 3


def flows():
    """Fifteen days of quarter hours: a daily wave and noise; Z02 at 40 % from the fourteenth day on."""
    rng = np.random.default_rng(3)
    n = (LEARNED + LIVED) * DAY
    times = pd.date_range("2025-09-01", periods=n, freq="15min", tz="UTC").as_unit("us")
    wave = 400 + 250 * np.sin(2 * np.pi * np.arange(n) / DAY)
    grid = wave[:, None] * np.array([1.0, 1.4, 0.7]) + 25 * rng.standard_normal((n, 3))
    # a sensor that hears too little only now and then cannot be foreseen from the last reading
    cut = np.arange(n) >= (LEARNED + 1) * DAY
    grid[cut, 1] *= np.where(np.arange(cut.sum()) % 2, 0.4, 1.0)
    return pd.DataFrame(
        {"zone_id": np.repeat(ZONES, n), "time": np.tile(times, 3), TARGET: np.maximum(grid, 0).T.ravel()}
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("home") / "watched")
    state = flows()
    learned = state["time"] < state["time"].min() + pd.Timedelta(days=LEARNED)
    zones = gpd.GeoDataFrame(
        {"zone_id": list(ZONES)}, geometry=[box(k, 0, k + 1, 1) for k in range(3)], crs="EPSG:3067"
    )
    near = pd.DataFrame(
        {"zone_id": ["Z01", "Z02"], "neighbour_zone_id": ["Z02", "Z03"], "border_m": 1.0, "distance_m": 1.0}
    )
    panel = Panel.from_table(state[learned], timezone="UTC", targets=(TARGET,))
    end = panel.origin(len(panel) - 1)
    model = LearnedForecaster("ridge", seed=1).fit(panel, target=TARGET, zone_ids=ZONES, train_end=end)
    own = {(zone, TARGET): model.one(zone) for zone in ZONES}
    ids = {}
    with _run(space, ids, "city") as run:
        run.table("places", zones)
    # tables that the app reads by name, without the columns that only maps need
    folder = space.runs.root / ids["city"]
    zones.to_parquet(folder / "zones.parquet")
    near.to_parquet(folder / "adjacency.parquet")
    with _run(space, ids, "simulation") as run:
        run.table("zone_state", state[learned])
    with _run(space, ids, "training") as run:
        training = SimpleNamespace(
            micromodels=own, candidates={("ridge", TARGET): model}, macromodels={}, mixes={}, baselines={}, newcomers={}
        )
        store_watch(run, training, panel)
        for (zone, target), one in own.items():
            for name, value in one.save().items():
                run.bytes(f"models/micromodel/{zone}/{target}/{name}", value)
    with _run(space, ids, "live") as run:
        run.table("zone_state", state[~learned])
    now = state["time"].max() + pd.Timedelta(minutes=15)
    space.update(timezone="UTC", step_s=900, now=now.isoformat(), runs=ids)
    return space


def _run(space, ids, kind):
    from data.store.runs import run_id

    ids[kind] = run_id(kind, {})
    return space.runs.write(kind, {})


def test_the_zone_that_changed_has_the_alarm(space):
    report = monitor_workspace(space)
    table = report.zones.set_index("zone_id")
    assert table["state"].to_dict() == {"Z01": "ok", "Z02": "alarm", "Z03": "ok"}
    assert report.zones["zone_id"].iloc[0] == "Z02" and table.loc["Z02", "advice"]
    changed = pd.Timestamp("2025-09-14", tz="UTC")
    assert changed < report.alarms["first_seen"].iloc[0] <= changed + pd.Timedelta(days=1)


def test_looking_twice_enters_nothing_twice(space):
    first = monitor_workspace(space).alarms
    assert monitor_workspace(space).alarms.equals(first) and len(alarm_book(space).store.list()) == 1


def test_readings_before_the_change_raise_nothing(space):
    report = monitor_workspace(space, replay=space.describe()["runs"]["simulation"], since="2025-09-09")
    assert (report.zones["state"] == "ok").all()


def test_the_command_prints_and_acknowledges(space):
    runner = CliRunner()
    told = runner.invoke(cli, ["monitor", str(space.root)], obj=None, catch_exceptions=False)
    assert told.exit_code == 0 and "Z02" in told.output and "1 with an alarm" in told.output
    assert "Z03" not in told.output
    found = json.loads(runner.invoke(cli, ["monitor", str(space.root), "--json"], catch_exceptions=False).output)
    assert found["alarm"] == 1 and len(found["zones"]) == 3
    (alarm,) = found["alarms"]
    runner.invoke(
        cli, ["monitor", "ack", alarm["alarm_id"][:6], "--workspace", str(space.root), "--by", "Aino",
              "--note", "works"],
        catch_exceptions=False,
    )  # fmt: skip
    again = json.loads(runner.invoke(cli, ["monitor", str(space.root), "--json"], catch_exceptions=False).output)
    assert again["acknowledged"] == 1 and again["alarms"][0]["note"] == "works"


def test_what_cannot_be_looked_at_is_told(space, tmp_path):
    with pytest.raises(InputError, match="--since 'soon' is not a date"):
        monitor_workspace(space, since="soon")
    with pytest.raises(InputError, match="no readings after"):
        monitor_workspace(space, since="2026-01-01")
    with pytest.raises(InputError, match="no finished run 'live-0'"):
        monitor_workspace(space, replay="live-0")
    with pytest.raises(AlarmError, match="no alarm begins with 'nothing'"):
        acknowledge(space, "nothing", by="Aino")


def test_agents_find_a_monitor_for_every_micromodel(space):
    """With the reference that was stored when the models were."""
    found = stored_monitors(space, space.describe()["runs"]["training"])
    assert set(found) == {(zone, TARGET) for zone in ZONES}
