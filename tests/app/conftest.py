"""A small workspace with every table that the app reads: the toy town, eight simulated days and one live day."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from data.schemas import CONCENTRATION, TARGETS, validate
from data.store.workspace import Workspace
from data.toy import CRS, toy_links, toy_nodes, toy_turns, toy_zones
from simulation.air.concentration import cells
from simulation.city import City, make_city
from simulation.city_tables import city_arrays, city_meta, city_tables

STEP = pd.Timedelta(minutes=15)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
Z_SCORES = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])
ANCHORS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96)
DAY0 = pd.Timestamp("2025-09-01", tz="Europe/Helsinki").tz_convert("UTC")
DAYS = 8
LEVEL = {"Z01": 1.2, "Z02": 0.75, "Z03": 0.95, "Z04": 0.5}
NAUGHTY = '<img src=x onerror="window.hacked=1">South-west & "co"'


def _rush(hour: np.ndarray) -> np.ndarray:
    return (
        np.exp(-((hour - 8.2) ** 2) / 3)
        + 1.15 * np.exp(-((hour - 16.8) ** 2) / 4)
        + 0.35 * np.exp(-((hour - 12.5) ** 2) / 14)
    )


def truth(times: pd.DatetimeIndex, rng: np.random.Generator) -> pd.DataFrame:
    """Plausible zone values, seeded."""
    local = times.tz_convert("Europe/Helsinki")
    hour = (local.hour + local.minute / 60).to_numpy()
    week = np.where(local.dayofweek >= 5, 0.6, 1.0)
    parts = []
    for zone, level in LEVEL.items():
        load = week * _rush(hour) * level
        noise = rng.normal(0, 0.06, len(times)).cumsum() * 0.15 + rng.normal(0, 0.05, len(times))
        flow = 90 + 760 * load * (1 + 0.3 * np.clip(noise, -0.5, 0.5))
        speed = np.clip(11.5 - 5.5 * load + rng.normal(0, 0.3, len(times)), 2, 13)
        distance = flow * 0.25 * 1200
        parts.append(
            pd.DataFrame(
                {
                    "zone_id": zone,
                    "time": times,
                    "speed_mps": speed,
                    "flow_veh_per_h": flow,
                    "delay_s_per_km": np.clip(1000 / speed - 1000 / 12, 0, None),
                    "no2_ug_per_m3": np.clip(11 + 34 * load + 8 * np.clip(noise, -1, 1), 1, None),
                    "pm25_ug_per_m3": np.clip(5 + 5 * load + 2 * np.clip(noise, -1, 1), 1, None),
                    "vehicle_distance_m": distance,
                    "vehicle_time_s": distance / speed,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def sensed(values: pd.DataFrame) -> pd.DataFrame:
    """What sensors report: no air station in Z04, some gaps."""
    table = values[["zone_id", "time", *TARGETS]].copy()
    table.loc[table["zone_id"] == "Z04", ["no2_ug_per_m3", "pm25_ug_per_m3"]] = np.nan
    table.loc[table.index % 97 == 5, "speed_mps"] = np.nan
    return table


def weather(start: pd.Timestamp, days: int) -> pd.DataFrame:
    """Hourly weather."""
    times = pd.date_range(start, periods=24 * days, freq="h")
    hour = np.arange(len(times))
    return pd.DataFrame(
        {
            "time": times,
            "wind_speed_mps": 3 + np.sin(hour / 7),
            "wind_dir_deg": (200 + 3.0 * hour) % 360,
            "temperature_c": 14 + 4 * np.sin(hour * 2 * np.pi / 24),
            "radiation_w_per_m2": np.clip(400 * np.sin(hour * 2 * np.pi / 24), 0, None),
            "cloud_share": 0.5,
            "mixing_height_m": 500.0,
            "precipitation_mm_per_h": 0.0,
        }
    )


def forecasts(live: pd.DataFrame, origins: list[pd.Timestamp]) -> pd.DataFrame:
    """Two learned models and a naive one that are off by a little, with bands that grow."""
    rng = np.random.default_rng(7)
    keyed = live.set_index(["zone_id", "time"])
    rows = []
    for origin in origins:
        for zone in LEVEL:
            for target in TARGETS:
                if zone == "Z04" and target.endswith("per_m3"):
                    continue
                for model, bias in (("micromodel", 1.0), ("macromodel", 0.86), ("seasonal_naive", 0.93)):
                    for h in ANCHORS:
                        time = min(origin + (h - 1) * STEP, live["time"].max())
                        middle = float(keyed.loc[(zone, time), target]) * bias * (1 + 0.02 * rng.standard_normal())
                        spread = (0.05 + 0.02 * np.log1p(h)) * middle
                        for q, z in zip(QUANTILES, Z_SCORES):
                            rows.append((model, zone, target, origin, 900.0 * h, q, max(0.0, middle + z * spread)))
    return pd.DataFrame(
        rows, columns=["model", "zone_id", "target", "forecast_origin", "horizon_s", "quantile", "value"]
    )


def raster(start: pd.Timestamp, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Hourly air of a day at cells of 20 m: more from west to east, and with the rush."""
    table, side = cells(zones, toy_links(), cell_m=20.0)
    parts = []
    for hour in range(24):
        load = 0.2 + _rush(np.array([hour]))[0]
        no2 = 5.0 + 0.05 * table["x_m"] * load
        values = {"nox": 1.5 * no2, "no2": no2, "o3": 60.0 - 0.5 * no2, "pm25": 0.2 * no2, "pm10": 0.4 * no2}
        parts.append(
            table[["zone_id", "x_m", "y_m"]].assign(
                time=start + pd.Timedelta(hours=hour), cell_m=side, canyon=False,
                **{f"{name}_ug_per_m3": value for name, value in values.items()},
            )
        )  # fmt: skip
    return validate(pd.concat(parts, ignore_index=True), CONCENTRATION)


def choices() -> pd.DataFrame:
    """Z01 and Z04 use their micromodels, Z02 the macromodel, Z03 a mix."""
    use = {"Z01": "micromodel", "Z02": "macromodel", "Z03": "mix", "Z04": "micromodel"}
    rows = [
        {
            "zone_id": zone,
            "target": target,
            "family": "ridge",
            "settings": "{}",
            "model_in_use": use[zone],
            "reason": f"The {use[zone]} had the lowest error in validation. Family: ridge was as good as any.",
            "by_hand": False,
            "is_task": target == ("flow_veh_per_h" if zone == "Z04" else "no2_ug_per_m3"),
            "weight_micro": 0.5,
        }
        for zone in LEVEL
        for target in TARGETS
        if not (zone == "Z04" and target.endswith("per_m3"))
    ]
    return pd.DataFrame(rows)


def comparison() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores, paired differences and costs: Z01 micro, Z02 macro, Z03 a tie."""
    level = {"speed_mps": 0.5, "flow_veh_per_h": 40.0, "no2_ug_per_m3": 3.0, "pm25_ug_per_m3": 0.8}
    scores, paired, costs = [], [], []
    for target, base in level.items():
        zones = [z for z in LEVEL if not (z == "Z04" and target.endswith("per_m3"))]
        for k, horizon in enumerate((900.0, 3600.0, 86400.0)):
            grow = 1 + 0.35 * k
            for model, f in (
                ("micromodel", 1.0),
                ("macromodel", 1.08),
                ("mix", 0.98),
                ("seasonal_naive", 1.7),
                ("last_value", 1.5),
            ):
                for zone in ["", *zones]:
                    value = base * grow * f
                    for metric, v, e in (
                        ("mae", value, 0.06 * value),
                        ("coverage_90", 0.9 - 0.03 * (f > 1), 0.02),
                        ("mase", f * 0.6, 0.05),
                    ):
                        scores.append((model, zone, target, horizon, metric, "test", 0, v, v - e, v + e, 480))
            for n, zone in enumerate(zones):
                micro = base * grow * (1 + 0.05 * n)
                gap = (-0.3, 0.25, 0.002, -0.1)[n] * base
                verdict = ("micromodel", "macromodel", "tie", "micromodel")[n]
                paired.append(
                    (zone, target, horizon, 480, micro, micro - gap, gap, gap - 0.05 * base, gap + 0.05 * base, verdict)
                )
        for model, seconds, p50, size in (
            ("micromodel", 2.4, 0.8, 31_000.0),
            ("macromodel", 9.5, 6.1, 840_000.0),
            ("seasonal_naive", 0.0, 0.1, 400.0),
        ):
            costs.append((model, target, len(zones), seconds, p50, 2 * p50, size))
    return (
        pd.DataFrame(
            scores,
            columns=[
                "model",
                "zone_id",
                "target",
                "horizon_s",
                "metric",
                "period",
                "seed",
                "value",
                "lower",
                "upper",
                "n",
            ],
        ),
        pd.DataFrame(
            paired,
            columns=[
                "zone_id",
                "target",
                "horizon_s",
                "n",
                "micro_mae",
                "macro_mae",
                "difference",
                "lower",
                "upper",
                "verdict",
            ],
        ),
        pd.DataFrame(
            costs, columns=["model", "target", "zones", "fit_seconds", "latency_ms_p50", "latency_ms_p99", "bytes"]
        ),
    )


def regime_pairs() -> pd.DataFrame:
    """Speed and NO2 an hour ahead: incidents are the micromodel's, all else is a tie."""
    rows = [
        (target, 3600.0, regime, n, f * base, g * base, (f - g) * base, 0.0, 0.0, 0.5, p, verdict, "words")
        for target, base in (("speed_mps", 0.5), ("no2_ug_per_m3", 3.0))
        for regime, n, f, g, p, verdict in (
            ("all", 400, 1.0, 1.1, 0.5, "tie"),
            ("incident", 10, 3.0, 4.0, 0.01, "micromodel"),
        )
    ]
    columns = ["target", "horizon_s", "regime", "n", "micro_mae", "macro_mae", "difference", "lower", "upper", "p"]
    return pd.DataFrame(rows, columns=[*columns, "p_corrected", "verdict", "words"])


def toy_city(zones: gpd.GeoDataFrame) -> City:
    """The toy town with demand, gateways, signals and sensors."""
    links = toy_links()
    middle = links.geometry.interpolate(0.5, normalized=True)
    home = [zones["zone_id"][zones.distance(point).argmin()] for point in middle]
    pairs = [("Z01", "Z02"), ("Z01", "Z03"), ("Z02", "Z04"), ("Z03", "Z04")]
    both = pd.DataFrame(pairs + [(b, a) for a, b in pairs], columns=["zone_id", "neighbour_zone_id"])
    return make_city(
        name="toy",
        label="Toy town",
        nodes=toy_nodes(),
        links=links,
        turns=toy_turns(),
        zones=zones,
        crs=CRS,
        link_zone=pd.DataFrame({"link_id": links["link_id"], "zone_id": home, "share": 1.0}),
        adjacency=both.assign(border_m=400.0, distance_m=400.0),
        timezone="Europe/Helsinki",
        latitude=60.17,
        longitude=24.94,
    )


def build_workspace(root: Path) -> Workspace:
    """Write the whole workspace below `root`."""
    rng = np.random.default_rng(3)
    workspace = Workspace(root)
    links, zones = toy_links(), toy_zones()
    zones.loc[0, "name"] = NAUGHTY
    city = toy_city(zones)
    with workspace.runs.write("city", {"toy": 1}) as run:
        for name, table in city_tables(city).items():
            run.table(name, table)
        run.arrays("demand", city_arrays(city))
        run.json("city", city_meta(city))
        base = gpd.GeoDataFrame(
            {"kind": ["park", "water", "building", "building"]},
            geometry=[box(30, 30, 170, 170), box(610, 610, 780, 780), box(230, 230, 370, 300), box(430, 250, 570, 360)],
            crs=CRS,
        ).to_crs(4326)
        run.table("basemap", base)
    past = pd.date_range(DAY0, periods=96 * DAYS, freq=STEP).as_unit("us")
    today = pd.date_range(past[-1] + STEP, periods=96, freq=STEP).as_unit("us")
    whole = truth(past.append(today), rng)
    simulated, lived = whole[whole["time"].isin(past)], whole[whole["time"].isin(today)]
    profile = [
        {
            "link_id": link,
            "day_type": kind,
            "step_of_day": k,
            "speed_ratio": float(np.clip(1 - 0.5 * _rush(np.array([k / 4]))[0] * (0.6 + link % 5 / 8), 0.15, 1)),
            "flow_veh_per_h": 200.0,
        }
        for link in links["link_id"]
        for kind in ("weekday", "weekend")
        for k in range(96)
    ]
    with workspace.runs.write("simulation", {"toy": 1}) as run:
        run.table("zone_state", sensed(simulated))
        run.table("zone_truth", simulated)
        run.table("weather", weather(DAY0, DAYS))
        run.table("link_profile", pd.DataFrame(profile))
    now = today[58]
    state = []
    for k, time in enumerate(today):
        for link, length, free in zip(links["link_id"], links["length_m"], links["free_flow_speed_mps"]):
            if (link + k) % 11 == 0:
                continue
            ratio = np.clip(1 - 0.55 * _rush(np.array([k / 4]))[0] * (0.6 + link % 5 / 8), 0.1, 1)
            state.append((link, time, "car", length * 20, length * 20 / (free * ratio), 20.0, 20.0, 0.0))
    columns = [
        "link_id",
        "time",
        "vehicle_class",
        "vehicle_distance_m",
        "vehicle_time_s",
        "inflow_veh",
        "outflow_veh",
        "queue_veh",
    ]
    with workspace.runs.write("live", {"toy": 1}) as run:
        run.table("zone_state", sensed(lived))
        run.table("zone_truth", lived)
        run.table("link_state", pd.DataFrame(state, columns=columns))
        run.table("weather", weather(today[0], 1))
        run.table("forecasts", forecasts(lived, [now - STEP, now]))
        run.table("concentration", raster(today[0], zones))
    with workspace.runs.write("training", {"toy": 1}) as run:
        run.table("choices", choices())
    scores, paired, costs = comparison()
    with workspace.runs.write("comparison", {"toy": 1}) as run:
        run.table("scores", scores)
        run.table("paired", paired)
        run.table("costs", costs)
        run.table("regime_pairs", regime_pairs())
    runs = {m["kind"]: m["id"] for m in workspace.runs.list()}
    workspace.update(
        city="toy",
        label="Toy town",
        timezone="Europe/Helsinki",
        latitude=60.17,
        longitude=24.94,
        step_s=900,
        now=now.isoformat(),
        runs=runs,
    )
    _train(workspace)
    return workspace


def _train(workspace: Workspace) -> None:
    """Real ridge models, so that explanations are real."""
    from app.model_views import panel
    from app.queries import Queries
    from models.ensemble import EnsembleForecaster
    from models.forecasting import LearnedForecaster
    from models.registry import Registry

    queries = Queries(workspace)
    history = panel(queries)
    registry = Registry(workspace.models)
    end = queries.info().now
    for zone in LEVEL:
        for target in TARGETS:
            if not (zone == "Z04" and target.endswith("per_m3")):
                model = LearnedForecaster("ridge", seed=1).fit(history, target=target, zone_ids=[zone], train_end=end)
                registry.save(zone, target, model, {"fit_seconds": 0.1})
    for target in TARGETS:
        sites = [z for z in LEVEL if not (z == "Z04" and target.endswith("per_m3"))]
        citywide = LearnedForecaster("ridge", seed=1).fit(history, target=target, zone_ids=sites[:2], train_end=end)
        registry.save("_city", target, citywide, {})
        members = [LearnedForecaster("ridge", seed=1), LearnedForecaster("quantile_linear", seed=1)]
        mix = EnsembleForecaster(members, seed=1, name="mix").fit(
            history, target=target, zone_ids=["Z03"], train_end=end
        )
        registry.save("_mix", target, mix, {})


def build_drifted(root: Path, like: Workspace, **settings: Any) -> Workspace:
    """The toy town again, measured: 16 days that models learned from, six that came since, and Z02's speed shifted.

    From noon of the first of the six days on, Z02 reports 40 % less speed. Only Z01 to Z03 and two targets have models,
    ridge lines with these settings.
    """
    from types import SimpleNamespace

    from app.job_results import store_watch
    from models.forecasting import LearnedForecaster
    from models.panel import Panel
    from models.registry import Registry

    space = Workspace(root)
    city = like.describe()["runs"]["city"]
    shutil.copytree(like.runs.root / city, space.runs.root / city)
    times = pd.date_range(DAY0, periods=96 * 22, freq=STEP).as_unit("us")
    rng = np.random.default_rng(5)
    state = sensed(truth(times, rng))  # whose air wanders over weeks: make one that does not
    air = 4 * (13 - state["speed_mps"]) + 8 + rng.normal(0, 1.5, len(state))
    state["no2_ug_per_m3"] = air.where(state["no2_ug_per_m3"].notna()).clip(lower=1)
    state["pm25_ug_per_m3"] = state["no2_ug_per_m3"] / 4
    begin = DAY0 + pd.Timedelta(days=16)
    late = (state["zone_id"] == "Z02") & (state["time"] >= begin + pd.Timedelta(hours=12))
    state.loc[late, "speed_mps"] *= 0.6
    learned, now = state["time"] < begin, times[-1] - 38 * STEP
    zones, near = (like.runs.read(city, name) for name in ("zones", "adjacency"))
    targets = ("speed_mps", "no2_ug_per_m3")
    panel = Panel.from_table(state[learned], zones=zones, adjacency=near, timezone="Europe/Helsinki", targets=targets)
    ids, own, whole = {"city": city}, {}, {}
    for target in targets:
        model = LearnedForecaster("ridge", seed=1, settings=settings).fit(
            panel, target=target, zone_ids=["Z01", "Z02", "Z03"], train_end=panel.origin(len(panel) - 1)
        )
        own |= {(zone, target): model.one(zone) for zone in model.zone_ids}
        whole["ridge", target] = model
    registry = Registry(space.models, by="training")
    registry.save_many(own)
    rows = choices()
    rows = rows[rows["target"].isin(targets) & (rows["zone_id"] != "Z04")].assign(model_in_use="micromodel")
    for kind in ("simulation", "training", "live"):
        with space.runs.write(kind, {"drifted": 1}) as run:
            if kind == "training":
                run.table("choices", rows)
                training = SimpleNamespace(
                    micromodels=own, candidates=whole, macromodels={}, mixes={}, baselines={}, newcomers={}
                )
                store_watch(run, training, panel)
                for (zone, target), one in own.items():
                    for name, value in one.save().items():
                        run.bytes(f"models/micromodel/{zone}/{target}/{name}", value)
            else:
                run.table("zone_state", state[learned if kind == "simulation" else ~learned & (state["time"] < now)])
        ids[kind] = str(space.runs.latest(kind)["id"])
    space.update(city="toy", label="Toy town", timezone="Europe/Helsinki", step_s=900, now=now.isoformat(), runs=ids)
    return space


@pytest.fixture(scope="session")
def drifted_once(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Shared, read only; copy it with `drifted`."""
    return build_drifted(tmp_path_factory.mktemp("drifted") / "drifted", workspace)


@pytest.fixture
def drifted(drifted_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of its own of the town whose Z02 has drifted."""
    shutil.copytree(drifted_once.root, tmp_path / "drifted")
    return Workspace(tmp_path / "drifted")


@pytest.fixture(scope="session")
def fresh_once(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same with lines that keep their moments; shared, read only."""
    return build_drifted(tmp_path_factory.mktemp("fresh") / "fresh", workspace, refreshable=True)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Shared, read only."""
    return build_workspace(tmp_path_factory.mktemp("toy") / "toy")


@pytest.fixture(scope="session")
def queries(workspace: Workspace) -> Any:
    from app.queries import Queries

    return Queries(workspace)


@pytest.fixture(scope="session")
def base_url(workspace: Workspace) -> Iterator[str]:
    """The app, served in a thread."""
    from werkzeug.serving import make_server

    from app.server import create_app

    server = make_server("127.0.0.1", 0, create_app(workspace).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of a browser; skips with the reason, or fails where one is required."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if Path(path).exists():
        return path
    words = f"no browser at {path}; install chromium or set CHROMIUM"
    if os.environ.get("ZONEWISE_REQUIRE_BROWSER") == "1":
        pytest.fail(words)
    pytest.skip(words)


#: Of the browser, and what each page shows when it is ready.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = {
    "/": "#map-fan",
    "/micro-macro": "#compare-dumbbell .js-plotly-plot",
    "/scenarios": ".drawer",
    "/models": ".column",
}
WITH_MAP = ("/", "/micro-macro", "/scenarios")


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, base_url: str) -> Iterator[Any]:
    """Opens a page at a width; at the end no error was logged and nothing was asked of another host.

    Playwright waits for a function by `eval`, which the pages' policy refuses: `policy=True` keeps the policy in force.
    """
    opened, errors, outside = [], [], []

    def go(
        path: str,
        *,
        width: int = 1440,
        height: int = 900,
        page: Any = None,
        colour_scheme: Any = None,
        policy: bool = False,
        **more: Any,
    ) -> Any:
        if page is None:
            size = {"width": width, "height": height}
            page = browser.new_page(viewport=size, color_scheme=colour_scheme, bypass_csp=not policy, **more)
            opened.append(page)
            page.set_default_timeout(30_000)
            page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda e: errors.append(str(e)))
            page.on(
                "request", lambda r: None if r.url.startswith((base_url, "data:", "blob:")) else outside.append(r.url)
            )
        page.goto(base_url + path)
        bare = path.split("?")[0]
        if bare in READY:
            page.wait_for_selector(READY[bare])
        if bare in WITH_MAP:
            page.wait_for_selector(".citymap[data-ready]")
        return page

    yield go
    for page in opened:
        page.close()
    assert errors == []
    assert outside == []
