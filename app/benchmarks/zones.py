"""Zones: speed of cutting and of rolling up, and functional zones beside hexagons: `zonewise benchmark zones [--json]
[CITY ...] [--days N] [--test-days N] [--count N] [--links N] [--quick]`.

Three parts. First, a synthetic city of 20,000 links with a made-up pattern of congestion is cut into 1,000 zones of
each kind. Then the links' state over 2,688 intervals (four weeks) is rolled up to them, from arrays and from the long
table. Last, cities are simulated for some days: functional zones are cut from the first of them, and compared with as
many hexagons on the others, which nobody has seen: variance left within, compactness, balance, scatter of the
fundamental diagram, and the error of a ridge micromodel a zone, 15 minutes and an hour ahead. Seconds are of the
processor, not of the clock; kernels are compiled before.

Without CITY: Krems, from the shared data (`ZONEWISE_SHARED_DATA`, or `shared/data` beside the project), and a synthetic
city; what is not there is skipped, with the reason. `--quick` makes everything small.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from app.benchmarks import figure
from data.errors import InputError

SEED = 1
STEP_S = 900.0
_PER_DAY = round(86_400 / STEP_S)
_CHUNK_DAYS = 2  # simulated at a time, for memory
HORIZONS = {"15 min": 1, "1 h": 4}
_LIMIT_PARTITION_S, _LIMIT_ROLLUP_S, _LIMIT_COMPACTNESS = 10.0, 5.0, 0.8


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module for its arguments."""
    asked = _parser().parse_args(list(arguments))
    if not 1 <= asked.test_days <= asked.days - 8:
        raise InputError(f"--test-days {asked.test_days}: allowed are 1 to {asked.days - 8} of {asked.days} days")
    links, count, steps = (1000, 50, 96) if asked.quick else (20_000, 1000, 2688)
    figures = speed_figures(links, count, steps)
    cities, skipped = _cities(asked)
    tables, detail = [], {}
    for name, source in cities.items():
        table, facts = compare_city(source, days=asked.days, test_days=asked.test_days, count=asked.count)
        tables.append(table.assign(city=name))
        detail[name] = facts
        figures += _city_figures(name, table.set_index("partition"))
    rows = pd.concat(tables, ignore_index=True).to_dict("records") if tables else []
    return {"figures": figures, "partitions": rows, "cities": detail, "skipped": skipped, "seed": SEED}


class _Parser(argparse.ArgumentParser):
    """Raises where the standard one ends the program."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"benchmark zones: {message}; {' '.join(self.format_usage().split())}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="zonewise benchmark zones", description="Cut, roll up and compare zones.")
    parser.add_argument("cities", nargs="*", metavar="CITY", help="Names or files; default Krems and a synthetic city.")
    parser.add_argument("--days", type=int, default=14, help="Days that each city is simulated.")
    parser.add_argument("--test-days", type=int, default=4, help="The last of them, held out.")
    parser.add_argument("--count", type=int, default=18, help="About how many zones.")
    parser.add_argument("--links", type=int, default=1500, help="Size of the synthetic city that is simulated.")
    parser.add_argument("--quick", action="store_true", help="Everything small, to see that it works.")
    return parser


def _cities(asked: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Sources of the cities to compare, and why others are left out."""
    if asked.cities:
        return {Path(city).name.split(".")[0]: city for city in asked.cities}, {}
    found, skipped = {}, {}
    here = Path(__file__).resolve().parents[2]
    krems = Path(os.environ.get("ZONEWISE_SHARED_DATA", here.parent / "shared" / "data")) / "osm" / "krems.osm.gz"
    if asked.quick:
        skipped["krems"] = "--quick compares the synthetic city alone"
    elif krems.is_file():
        found["krems"] = str(krems)
    else:
        skipped["krems"] = "the shared data is not there; give a path, or set ZONEWISE_SHARED_DATA to its folder"
    found["synthetic"] = f"synthetic:{asked.links}@{SEED}"
    return found, skipped


# --- speed -----------------------------------------------------------------------------------------------------------


def speed_figures(n_links: int, count: int, n_steps: int) -> list[dict[str, Any]]:
    """Seconds of cutting a synthetic city of each kind, and of rolling its links up."""
    from data.made_cities import synthetic_city
    from zones import ZoneRollup, link_zone, make_zones, zone_traffic

    links = synthetic_city(n_links, seed=SEED, buildings=False).links
    dynamics = made_up_dynamics(links, np.random.default_rng(SEED))
    some = synthetic_city(500, seed=SEED, buildings=False).links  # compiles
    make_zones(some, kind="functional", count=5, dynamics=made_up_dynamics(some, np.random.default_rng(SEED)))
    sensors = gpd.GeoDataFrame(
        geometry=shapely.centroid(links.geometry.to_numpy()[:: max(1, len(links) // count)]), crs=links.crs
    )
    asked: dict[str, dict[str, Any]] = {
        "functional": {"count": count, "dynamics": dynamics}, "hex": {"count": count}, "square": {"count": count},
        "voronoi": {"sensors": sensors},
    }  # fmt: skip
    figures = []
    for kind, how in asked.items():
        zones, seconds = _timed(partial(make_zones, links, kind=kind, seed=SEED, **how))
        figures.append(
            figure(f"partition: {len(links)} links into {len(zones)} {kind} zones", seconds, "s of processor",
                   target=_LIMIT_PARTITION_S, seed=SEED)
        )  # fmt: skip
        if kind == "functional":
            cut = zones
    shares = link_zone(links, cut)
    rng = np.random.default_rng(SEED)
    distance = rng.random((len(links), n_steps)) * 1e4
    spent = distance / 8.0
    size = f"{len(links)} links x {n_steps} intervals into {len(cut)} zones"
    _, seconds = _timed(lambda: ZoneRollup(shares, links, cut["zone_id"].tolist()).traffic(distance, spent, STEP_S))
    figures.append(figure(f"rollup of arrays: {size}", seconds, "s of processor", target=_LIMIT_ROLLUP_S, seed=SEED))
    times = pd.date_range("2026-01-01", periods=n_steps, freq=f"{STEP_S:.0f}s", tz="UTC").as_unit("us")
    state = pd.DataFrame(
        {"link_id": np.tile(links["link_id"].to_numpy(), n_steps), "time": times.repeat(len(links)),
         "vehicle_distance_m": distance.T.ravel(), "vehicle_time_s": spent.T.ravel()}
    )  # fmt: skip
    _, seconds = _timed(lambda: zone_traffic(state, shares, links))
    figures.append(
        figure(f"rollup of the long table: {size}", seconds, "s of processor", target=_LIMIT_ROLLUP_S, seed=SEED)
    )
    return figures


def made_up_dynamics(links: gpd.GeoDataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A day of congestion around some places, morning and evening in different strength, with noise by link."""
    middle = shapely.get_coordinates(shapely.centroid(links.geometry.to_numpy()))
    reach = float(np.ptp(middle, axis=0).max())
    spots = middle[rng.integers(0, len(middle), 25)]
    apart = ((middle[:, None] - spots[None]) ** 2).sum(axis=2)
    around = np.exp(-apart / (2.0 * (reach * rng.uniform(0.02, 0.06, 25)) ** 2))
    hour = (np.arange(_PER_DAY) + 0.5) * STEP_S / 3600.0
    peaks = np.stack([np.exp(-(((hour - at) / 1.5) ** 2)) for at in (8.0, 17.0)])
    jam = (around @ rng.random((25, 2))) @ peaks  # (L, steps)
    ratio = np.clip(1.0 - 0.5 * jam + rng.normal(0.0, 0.05, jam.shape), 0.05, 1.0)
    n = len(links)
    return pd.DataFrame(
        {"link_id": np.tile(links["link_id"].to_numpy(), _PER_DAY), "step_of_day": np.arange(_PER_DAY).repeat(n),
         "speed_ratio": ratio.T.ravel(), "flow_veh_per_h": (900.0 * (1.0 - 0.9 * ratio)).T.ravel()}
    )  # fmt: skip


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.process_time()
    result = call()
    return result, time.process_time() - begun


# --- functional zones beside hexagons --------------------------------------------------------------------------------


class _State(NamedTuple):
    """What vehicles did on each link, shape (T, L), from midnight on, and the calendar."""

    distance_m: np.ndarray
    time_s: np.ndarray
    begin: pd.Timestamp


def compare_city(source: str, *, days: int, test_days: int, count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Functional zones and as many hexagons and squares of a simulated city, on days that none was made from.

    Returns
    -------
    table : DataFrame
        `zones.compare_partitions`, and the micromodels' errors beside.
    facts : dict
        Of the city and its simulation.
    """
    from data.cities import load_city
    from zones import compare_partitions, dynamics_of_state, make_zones

    city = load_city(source)
    hexagons = make_zones(city.links, city.places, count=count)
    state, seconds = _timed(lambda: simulate(city, hexagons, days))
    cut = (days - test_days) * _PER_DAY
    seen = _long(state.distance_m[:cut], state.time_s[:cut], state.begin, city.links)
    count = len(hexagons)
    partitions = {
        "functional": make_zones(city.links, city.places, kind="functional", count=count, dynamics=seen, seed=SEED),
        "hex": hexagons, "square": make_zones(city.links, city.places, kind="square", count=count),
    }  # fmt: skip
    held_out = dynamics_of_state(state.distance_m[cut:], state.time_s[cut:], city.links, step_s=STEP_S)
    table = compare_partitions(partitions, city.links, held_out)
    errors = {name: micromodel_errors(zones, city, state, cut) for name, zones in partitions.items()}
    table = table.join(pd.DataFrame(errors).T, on="partition")
    facts = {"source": Path(source).name, "links": len(city.links), "days": days, "held_out_days": test_days,
             "simulation_processor_s": seconds}  # fmt: skip
    return table, facts


def simulate(source: Any, zones: gpd.GeoDataFrame, days: int) -> _State:
    """Some days of a city, as arrays of all links."""
    from app.city_making import city_of

    links = source.links
    city = city_of(source, zones)
    last, begin, grids = None, None, []
    for first in range(0, days, _CHUNK_DAYS):
        span = min(_CHUNK_DAYS, days - first)
        result = city.run(days=span, seed=SEED, step_s=STEP_S, keep_link_state=True, initial_state=last)
        last = result.final_state
        state, start = result.link_state, result.zone_truth["time"].min()
        begin = start if begin is None else begin
        row = ((state["time"] - start).dt.total_seconds() // STEP_S).to_numpy(dtype=np.int64)
        at = row * len(links) + state["link_id"].to_numpy()
        grids.append(
            [np.bincount(at, state[name].to_numpy(), minlength=span * _PER_DAY * len(links)).reshape(-1, len(links))
             for name in ("vehicle_distance_m", "vehicle_time_s")]
        )  # fmt: skip
    distance, spent = (np.concatenate(part) for part in zip(*grids))
    return _State(distance, spent, begin)


def _long(distance: np.ndarray, spent: np.ndarray, begin: pd.Timestamp, links: pd.DataFrame) -> pd.DataFrame:
    """Link dynamics as a table of speed ratio and density by time."""
    times = pd.date_range(begin, periods=len(distance), freq=f"{STEP_S:.0f}s")
    length, free = links["length_m"].to_numpy(), links["free_flow_speed_mps"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(spent > 0.0, np.minimum(distance / spent / free, 1.0), np.nan)
    return pd.DataFrame(
        {"link_id": np.tile(links["link_id"].to_numpy(), len(distance)), "time": times.repeat(len(links)),
         "speed_ratio": ratio.ravel(), "density_veh_per_km": (spent / (length * STEP_S) * 1000.0).ravel()}
    )  # fmt: skip


def micromodel_errors(zones: gpd.GeoDataFrame, city: Any, state: _State, cut: int) -> dict[str, float]:
    """Errors of a ridge micromodel a zone on the held-out days, of zone speed and flow by Edie.

    For each target and horizon `wape`, the mean absolute error over the mean, and MASE (mean of zones; below 1: better
    than repeating the day before). In `wape` zones weigh by the distance driven in them for speed, and by their length
    of street for flow: the error in vehicle-kilometres over all that were driven, which are the same in any partition.
    """
    from models.forecasting import LearnedForecaster
    from models.intervals import QUANTILES
    from models.metrics import mae, mase_scale
    from models.panel import Panel, neighbour_weights
    from zones import ZoneRollup, adjacency, link_zone

    ids = zones["zone_id"].tolist()
    rollup = ZoneRollup(link_zone(city.links, zones), city.links, ids)
    found = rollup.traffic(np.ascontiguousarray(state.distance_m.T), np.ascontiguousarray(state.time_s.T), STEP_S)
    targets = ("speed_mps", "flow_veh_per_h")
    panel = Panel(
        times=pd.date_range(state.begin, periods=len(state.distance_m), freq=f"{STEP_S:.0f}s").as_unit("us"),
        zone_ids=tuple(ids), values={name: found[name].T.copy() for name in targets}, timezone=city.timezone,
        step_s=round(STEP_S), zones=zones, neighbours=neighbour_weights(adjacency(zones), ids),
    )  # fmt: skip
    weights = {"speed_mps": found["vehicle_distance_m"].sum(axis=1), "flow_veh_per_h": rollup.length_m}
    steps, origin = tuple(HORIZONS.values()), np.arange(cut - 1, len(panel.times) - max(HORIZONS.values()))
    out: dict[str, float] = {}
    for target in targets:
        grid = panel.values[target]
        scale = mase_scale(grid[:cut], season=_PER_DAY)
        error = np.full((len(ids), len(steps)), np.nan)
        model = LearnedForecaster("ridge", seed=SEED)
        model.fit(panel, target=target, zone_ids=ids, train_end=panel.times[cut])
        foreseen = model.forecast(panel, origins=panel.times[origin + 1], steps=steps)[..., QUANTILES.index(0.5)]
        for k in range(len(ids)):
            error[k] = [mae(grid[origin + step, k], foreseen[:, k, s]) for s, step in enumerate(steps)]
        for s, ahead in enumerate(HORIZONS):
            heard = np.isfinite(error[:, s])
            usual, weight = np.nanmean(grid[cut:], axis=0)[heard], weights[target][heard]
            out[f"{target} wape {ahead}"] = float((error[heard, s] @ weight) / (usual @ weight))
            out[f"{target} mase {ahead}"] = float(np.nanmean(error[:, s] / scale))
    return out


def _city_figures(name: str, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Functional zones over hexagons, with the limits that they are to keep."""
    ours, theirs = table.loc["functional"], table.loc["hex"]
    figures = [
        figure(f"{name}: zones", float(ours["zones"]), "1"),
        figure(f"{name}: hexagons", float(theirs["zones"]), "1"),
    ]
    for column in ("variance_density", "variance_speed_ratio"):
        figures.append(figure(f"{name}: {column}, hexagons", theirs[column], "1"))
        ratio = ours[column] / theirs[column]
        figures.append(figure(f"{name}: {column}, functional over hexagons", ratio, "1", target=1.0, seed=SEED))
    ratio = ours["compactness"] / theirs["compactness"]
    figures.append(
        figure(f"{name}: compactness, functional over hexagons", ratio, "1", target=_LIMIT_COMPACTNESS, at_most=False,
               seed=SEED)
    )  # fmt: skip
    rest = ("balance_cv", "mfd_scatter", *(c for c in table.columns if " wape " in c or " mase " in c))
    return figures + [
        figure(f"{name}: {column}, functional over hexagons", ours[column] / theirs[column], "1", seed=SEED)
        for column in rest
    ]
