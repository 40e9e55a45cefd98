"""A workspace of a large city whose days are made, not driven: enough to show, train on and compare, in minutes.

The network, the demand and the zones are those of the main job; so are training, comparison and forecasts. What the
sensors reported is made from free-flow routes: departures by time of day over each link's expected flow, BPR speeds,
and air that follows the zones' traffic, each with luck that lasts for hours. It serves to measure the app; its figures
say nothing about any city.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array

from app.pipeline import NOW_LOCAL, Job

if TYPE_CHECKING:
    from models.contract import Forecaster
    from simulation.city import City

STEPS = 96
BPR_ALPHA, BPR_BETA = 0.15, 4.0  # Bureau of Public Roads (1964), Traffic Assignment Manual
#: Luck of a zone's interval and of a whole day, standard deviations of the log, and how much of the former lasts.
HOUR_SD, DAY_SD, LASTS = 0.12, 0.06, 0.9
#: Air: what blows in, and what the busiest zone adds at its peak, ug/m3.
NO2, PM25 = (10.0, 35.0), (6.0, 10.0)


@dataclass(frozen=True, eq=False)
class MadeDays:
    """Made readings of a city, zone by zone and, for the last day, link by link."""

    zones: pd.DataFrame  # zone_truth of all days
    links: pd.DataFrame  # link_state of the last day
    profile: pd.DataFrame  # link_profile of a usual weekday
    weather: pd.DataFrame


def make_workspace(job: Job) -> None:
    """All runs of the main job, the days made; runs that are there already stay."""
    space, spec = job.workspace, job.spec
    job.run("city")
    ids = job.run_ids()
    if not space.runs.has(ids["simulation"]):
        days = made_days(job.city(), job.begin(), spec.days, seed=spec.seed)
        with space.runs.write("simulation", job.specs["simulation"], parents=(ids["city"],), seed=spec.seed) as run:
            run.table("zone_truth", days.zones)
            run.table("zone_state", days.zones.drop(columns=["vehicle_distance_m", "vehicle_time_s"]))
            run.table("weather", days.weather)
            run.table("link_profile", days.profile)
    job.run("comparison")
    if not space.runs.has(ids["live"]):
        days = made_days(job.city(), job.begin(), spec.days + 1, seed=spec.seed)
        _make_live(job, days)
    job.run("live")


def _make_live(job: Job, days: MadeDays) -> None:
    """The day after the simulated ones, forecast at the instant that the app shows."""
    ids, runs, zone = job.run_ids(), job.workspace.runs, job.city().timezone
    first = (job.begin() + pd.Timedelta(days=job.spec.days)).tz_convert(zone).normalize()
    now = pd.Timestamp(f"{first.date()} {NOW_LOCAL}").tz_localize(zone).tz_convert("UTC")
    today = days.zones[days.zones["time"] >= first.tz_convert("UTC")]
    state = today.drop(columns=["vehicle_distance_m", "vehicle_time_s"])
    with runs.write("live", job.specs["live"], parents=(ids["simulation"], ids["training"]), seed=job.spec.seed) as run:
        run.table("zone_truth", today)
        run.table("zone_state", state)
        run.table("link_state", days.links)
        run.table("weather", days.weather)
        run.table("forecasts", _forecasts(job, state, now))


def _forecasts(job: Job, state: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """What the stored models say at `now`."""
    from models.registry import Registry
    from simulation.agents import Forecasters, Notebook

    history = job.panel()
    book = Notebook(Forecasters(history=history, micromodels={}), STEPS)
    for name, values in book.panel.values.items():
        known = state.pivot_table(index="time", columns="zone_id", values=name).reindex(columns=list(history.zone_ids))
        values[book.first :] = known.to_numpy(float)
    origin = pd.DatetimeIndex([now])
    registry = Registry(job.workspace.models)
    kinds = {"_city": "macromodel", "_mix": "mix"}
    for row in registry.list().itertuples():
        model: Forecaster = registry.load(str(row.zone_id), str(row.target))
        name = kinds.get(str(row.zone_id), "micromodel")
        ahead = model.forecast(book.panel, origins=origin, zone_ids=list(model.zone_ids))
        book.add(name, str(row.target), model.zone_ids, now, ahead[0])
    return book.table()


def made_days(city: City, begin: pd.Timestamp, days: int, *, seed: int) -> MadeDays:
    """Readings of some days from local midnight on, quarter-hours; the same seed gives the same days."""
    from simulation.city import peak_flow

    links, arrays = city.links, city.link_arrays()
    length, free = arrays.length_m, links["free_flow_speed_mps"].to_numpy(float)
    capacity = links["capacity_veh_per_s"].to_numpy(float)
    departures = city.demand.profiles.mean(axis=1)  # (day types, bins)
    shape = departures.reshape(len(departures), STEPS, -1).sum(axis=2)
    flow = peak_flow(city)[:, None] * (shape[0] / shape[0].max())  # (L, STEPS) veh/s
    share = 1.0 / (1.0 + BPR_ALPHA * np.minimum(flow / capacity[:, None], 3.0) ** BPR_BETA)
    step = float(24 * 3600 / STEPS)
    distance = flow * step * length[:, None]
    weights = city.link_zone
    ids = list(city.zones["zone_id"])
    place = pd.Index(ids).get_indexer(weights["zone_id"])
    into = coo_array(
        (weights["share"].to_numpy(float), (place, weights["link_id"].to_numpy(np.int64))), shape=(len(ids), len(links))
    ).tocsr()
    far, slow = into @ distance, into @ (distance / (free[:, None] * share))
    unhindered, road = into @ (distance / free[:, None]), np.maximum(into @ length, 1.0)
    times = pd.date_range(begin, periods=days * STEPS, freq=pd.Timedelta(seconds=step)).as_unit("us")
    weekend = times.tz_convert(city.timezone).dayofweek.to_numpy() >= 5
    level = np.where(weekend, shape[-1].sum() / shape[0].sum(), 1.0)
    luck = _luck(len(ids), days, seed)
    tile = np.tile(far, (1, days)) * level * luck
    pace = np.tile(slow / np.maximum(far, 1.0), (1, days)) * np.maximum(level * luck, 0.2) ** 0.3
    pace0 = np.tile(unhindered / np.maximum(far, 1.0), (1, days))
    flow_zone = tile / road[:, None] / step * 3600.0
    busy = flow_zone / max(float(flow_zone.max()), 1e-9)
    columns = {
        "speed_mps": 1.0 / np.maximum(pace, 1e-3), "flow_veh_per_h": flow_zone,
        "delay_s_per_km": 1000.0 * np.maximum(pace - pace0, 0.0), "no2_ug_per_m3": NO2[0] + NO2[1] * busy * luck,
        "pm25_ug_per_m3": PM25[0] + PM25[1] * busy * luck, "vehicle_distance_m": tile, "vehicle_time_s": tile * pace,
    }  # fmt: skip
    zones = pd.DataFrame({"zone_id": np.repeat(ids, len(times)), "time": np.tile(times, len(ids))})
    zones = zones.assign(**{name: values.ravel() for name, values in columns.items()})
    last = times[-STEPS:]
    state = _link_state(last, flow, distance, distance / (free[:, None] * share), step)
    profile = pd.DataFrame(
        {
            "link_id": np.repeat(np.arange(len(links)), STEPS), "day_type": "weekday",
            "step_of_day": np.tile(np.arange(STEPS), len(links)), "speed_ratio": share.ravel(),
            "flow_veh_per_h": 3600.0 * flow.ravel(),
        }
    )  # fmt: skip
    both = pd.concat([profile, profile.assign(day_type="weekend")], ignore_index=True)
    return MadeDays(zones, state, both, _weather(begin, days))


def _luck(zones: int, days: int, seed: int) -> np.ndarray:
    """Factors around 1 that last for hours, shape (zones, days * STEPS)."""
    rng = np.random.default_rng(seed)
    news = rng.normal(0.0, HOUR_SD * np.sqrt(1 - LASTS**2), (days * STEPS, zones))
    log = np.empty_like(news)
    log[0] = news[0]
    for k in range(1, len(news)):
        log[k] = LASTS * log[k - 1] + news[k]
    day = np.repeat(rng.normal(0.0, DAY_SD, days), STEPS)
    return np.asarray(np.exp(log.T + day))


def _link_state(
    times: pd.DatetimeIndex, flow: np.ndarray, distance: np.ndarray, spent: np.ndarray, step: float
) -> pd.DataFrame:
    """Books of the links that somebody drives on."""
    link, k = np.nonzero(flow > 0)
    return pd.DataFrame(
        {
            "link_id": link, "time": times[k], "vehicle_class": "car", "vehicle_distance_m": distance[link, k],
            "vehicle_time_s": spent[link, k], "inflow_veh": flow[link, k] * step, "outflow_veh": flow[link, k] * step,
            "queue_veh": 0.0,
        }
    )  # fmt: skip


def _weather(begin: pd.Timestamp, days: int) -> pd.DataFrame:
    """Mild hours without rain."""
    hour = np.arange(24 * (days + 1))
    sun = np.clip(400.0 * np.sin(2 * np.pi * (hour % 24 - 6) / 24), 0.0, None)
    told: dict[str, Any] = {
        "wind_speed_mps": 3.0 + np.sin(hour / 7), "wind_dir_deg": (200.0 + 3.0 * hour) % 360,
        "temperature_c": 12.0 + 4.0 * np.sin(2 * np.pi * (hour % 24 - 9) / 24), "radiation_w_per_m2": sun,
        "cloud_share": 0.5, "mixing_height_m": 500.0, "precipitation_mm_per_h": 0.0,
    }  # fmt: skip
    return pd.DataFrame({"time": pd.date_range(begin, periods=len(hour), freq="h").as_unit("us"), **told})
