"""Part `bridge`: in a simulated city a bridge closes for a month; agents watch, and train again by three policies.

The toy town gets a river: of the streets between its halves two remain, its bridges. Each zone's agent, a SimPy
process, has a micromodel of the flow that learned from four weeks. A quiet week follows, then one bridge is closed for
four weeks, then a week with both again. The city lives the same days under every policy, since agents only look on;
what differs is whether they never train again, every week, or when their monitors say that the world has changed.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from models.forecasting import LearnedForecaster
from models.monitoring import Keeper, monitors, references
from models.monitoring.policies import Policy
from models.monitoring.settings import WORLD_KINDS
from models.panel import Panel

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.live import LiveCity
    from simulation.run import RunResult

Array = np.ndarray
TARGET = "flow_veh_per_h"
SIZE, BLOCK_M, ZONES = 5, 250.0, 9
HISTORY_DAYS, QUIET_DAYS, CLOSED_DAYS, AFTER_DAYS = 28, 7, 28, 7
HORIZONS_S = (900.0, 3600.0)
#: A zone is concerned whose mean flow differs by this share while the bridge is closed.
CONCERNED = 0.1
POLICIES = (Policy(kind="never"), Policy(kind="fixed", every_days=7), Policy(kind="on drift"))
DAY_S = 86_400


@dataclass(frozen=True)
class River:
    """A town with a river, and the links of the bridge that will close."""

    town: City
    bridge: tuple[int, ...]


def river_town(size: int = SIZE, block_m: float = BLOCK_M, zones: int = ZONES) -> River:
    """The toy town with a river between its southern and northern half, and two bridges."""
    from app.city_making import city_of
    from data.made_cities import toy_city
    from data.schemas import VEHICLE_CLASSES
    from zones import make_zones

    source = toy_city(size, block_m)
    town = city_of(source, make_zones(source.links, source.places, kind="square", count=zones))
    place = source.nodes.set_index("node_id")[["x_m", "y_m"]]
    y = place["y_m"].to_numpy()
    middle = y.min() + (np.floor(size / 2) - 0.5) * block_m
    begin, end = (place.loc[source.links[name]] for name in ("from_node_id", "to_node_id"))
    crosses = (begin["y_m"].to_numpy() < middle) != (end["y_m"].to_numpy() < middle)
    column = np.round((begin["x_m"].to_numpy() - place["x_m"].min()) / block_m).astype(int)
    left, right = 1, size - 2
    sunk = np.flatnonzero(crosses & ~np.isin(column, (left, right)))
    closed = frozenset((int(link), klass) for link in sunk for klass in range(len(VEHICLE_CLASSES)))
    sensors = town.sensors[~town.sensors["link_id"].isin(source.links["link_id"].to_numpy()[sunk])]
    bridge = np.flatnonzero(crosses & (column == right))
    return River(replace(town, closed=town.closed | closed, sensors=sensors.reset_index(drop=True)), tuple(bridge))


def closing(links: Sequence[int], from_day: float, days: float) -> Any:
    """A process that closes links from a day of the run on, for some days."""

    def process(live: LiveCity) -> Generator[Any, Any, None]:
        yield live.env.timeout(from_day * DAY_S)
        live.close(list(links))
        yield live.env.timeout(days * DAY_S)
        live.open(list(links))

    return process


def measure(*, seed: int) -> dict[str, Any]:
    """What each policy costs and how well it forecasts, and when agents noticed."""
    from simulation.agents import Forecasters

    river = river_town()
    town = river.town
    past = town.run(days=HISTORY_DAYS, seed=seed, incidents_per_day=0.5)
    panel = Panel.from_table(
        past.zone_state, zones=town.zones, adjacency=town.adjacency, weather=past.weather, timezone=town.timezone
    )
    zones = panel.sensed(TARGET, share=0.8)
    line = LearnedForecaster("ridge", seed=seed).fit(
        panel, target=TARGET, zone_ids=zones, train_end=panel.origin(len(panel) - 1)
    )
    own = {(zone, TARGET): line.one(zone) for zone in zones}
    watch = references(own, panel)
    days = QUIET_DAYS + CLOSED_DAYS + AFTER_DAYS
    told: dict[str, Any] = {"zones": len(zones), "policies": {}}
    errors: dict[str, Array] = {}
    kept: dict[str, Mapping[tuple[str, str], Keeper]] = {}
    lived: dict[str, RunResult] = {}
    for policy in POLICIES:
        watching = monitors(watch)
        kept[policy.name] = {key: Keeper(policy, model, watching[key]) for key, model in own.items()}
        lived[policy.name] = found = town.run(
            days=days, seed=seed, initial_state=past.final_state, incidents_per_day=0.5,
            processes=(closing(river.bridge, QUIET_DAYS, CLOSED_DAYS),),
            forecasters=Forecasters(history=panel, micromodels=own, monitors=watching, keepers=kept[policy.name]),
        )  # fmt: skip
        errors[policy.name] = misses(found, zones)
    first = next(iter(lived.values()))
    concerned = concerned_zones(first, zones)
    told["concerned"] = [zone for zone, yes in zip(zones, concerned) if yes]
    figures = alarm_figures(first, zones, concerned, seed)
    figures += policy_figures(errors, kept, concerned, seed)
    for name, keepers in kept.items():
        told["policies"][name] = {key[0]: keeper.trained for key, keeper in keepers.items() if keeper.trained}
    return {"figures": figures, **told}


def misses(found: RunResult, zones: Sequence[str]) -> Array:
    """Absolute errors of the agents' medians (n, Z), mean over the horizons, by forecast origin."""
    assert found.forecasts is not None
    table = found.forecasts
    table = table[(table["model"] == "micromodel") & (table["quantile"] == 0.5) & table["horizon_s"].isin(HORIZONS_S)]
    state = found.zone_state[["zone_id", "time", TARGET]]
    step = pd.Series(state["time"].unique()).diff().min()
    aim = table["forecast_origin"] + pd.to_timedelta(table["horizon_s"], unit="s") - step
    rows = table.assign(time=aim, zone_id=table["zone_id"].astype("str"))[
        ["zone_id", "time", "forecast_origin", "value"]
    ]
    both = rows.merge(state.astype({"zone_id": "str"}), on=["zone_id", "time"])
    both["miss"] = (both["value"] - both[TARGET]).abs()
    wide = both.groupby(["forecast_origin", "zone_id"])["miss"].mean().unstack("zone_id")  # noqa: PD010
    return wide.reindex(columns=list(zones)).to_numpy()


def concerned_zones(found: RunResult, zones: Sequence[str]) -> Array:
    """Whether each zone's mean flow differs while the bridge is closed, (Z,)."""
    flow = found.zone_state.pivot_table(index="time", columns="zone_id", values=TARGET, observed=True)[list(zones)]
    day = np.arange(len(flow)) * (DAY_S / 900) ** -1
    before, closed = (flow[part].mean().to_numpy() for part in (day < QUIET_DAYS, _closed(day)))
    return np.asarray(np.abs(closed / before - 1) > CONCERNED)


def _closed(day: Array) -> Array:
    return np.asarray((day >= QUIET_DAYS) & (day < QUIET_DAYS + CLOSED_DAYS))


def alarm_figures(found: RunResult, zones: Sequence[str], concerned: Array, seed: int) -> list[dict[str, Any]]:
    """Alarms of a changed world, before and after the bridge closed, of agents that never train again."""
    assert found.alarms is not None
    alarms = found.alarms[found.alarms["kind"].isin(WORLD_KINDS)]
    shut = found.zone_state["time"].min() + pd.Timedelta(days=QUIET_DAYS)
    early = int((alarms["first_seen"] <= shut).sum())
    late = alarms[(alarms["first_seen"] > shut) & (alarms["first_seen"] <= shut + pd.Timedelta(days=CLOSED_DAYS))]
    first = late.groupby("zone_id", observed=True)["first_seen"].min()
    mine = [zone for zone, yes in zip(zones, concerned) if yes]
    hours = [(first[zone] - shut) / pd.Timedelta(hours=1) for zone in mine if zone in first.index]
    middle = float(np.median(hours)) if hours else float("nan")
    return [
        figure("bridge: zones whose flow changes by a tenth", float(len(mine)), "1", n=len(zones), seed=seed),
        figure("bridge: agents of these that call within the month", len(hours) / max(len(mine), 1), "1", n=len(mine)),
        figure("bridge: hours until an agent of these calls, median", middle, "h", n=len(hours)),
        figure("bridge: agents of other zones that call", float(len(set(first.index) - set(mine))), "1",
               n=len(zones) - len(mine)),
        figure("bridge: calls in the quiet week before", float(early), "1", n=len(zones) * QUIET_DAYS),
    ]  # fmt: skip


def policy_figures(
    errors: Mapping[str, Array], kept: Mapping[str, Mapping[tuple[str, str], Keeper]], concerned: Array, seed: int
) -> list[dict[str, Any]]:
    """Error over that of agents that never train again, and what it cost."""
    figures: list[dict[str, Any]] = []
    never = errors["never"]
    per_day = 96
    day = np.arange(len(never)) / per_day
    parts = {
        "while closed": _closed(day), "in the last week of it": _closed(day) & (day >= QUIET_DAYS + CLOSED_DAYS - 7),
        "in the week after": day >= QUIET_DAYS + CLOSED_DAYS,
    }  # fmt: skip
    quiet = float(np.nanmean(never[day < QUIET_DAYS]))
    for name, error in errors.items():
        head = f"bridge: {name}"
        keepers = list(kept[name].values())
        figures += [
            figure(f"{head}, zones trained again", float(sum(len(k.trained) for k in keepers)), "1", seed=seed),
            figure(f"{head}, CPU of it", sum(k.cpu_s for k in keepers), "s"),
        ]
        for part, rows in parts.items():
            some = concerned if concerned.any() else ~concerned
            ratio = float(np.nanmean(error[rows][:, some]) / np.nanmean(never[rows][:, some]))
            figures.append(figure(f"{head}, MAE of zones concerned {part} over never", ratio, "1", n=int(some.sum())))
        grown = float(np.nanmean(error[_closed(day)])) / quiet
        figures.append(figure(f"{head}, MAE while closed over never's in the quiet week", grown, "1", seed=seed))
    return figures
