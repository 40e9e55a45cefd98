"""Where two engines part on identical fixed routes: delays by link and at origins, and which rule makes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.benchmarks.peers.task import Task
from data.readers.dynamic_case import DynamicCase

STEP_S = 10.0  # at which UXsim's cumulative curves are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Vehicle-seconds beyond free flow until the horizon, by link and at origins, of trips in all."""

    on_link_s: np.ndarray  # (n,)
    at_origins_s: float
    trips: int
    done: int
    mean_s: float  # travel time over all trips, unfinished to the horizon
    forced: int = 0

    def row(self, name: str) -> dict[str, float | int | str]:
        """Means over trips, s."""
        return {
            "model": name, "mean_over_all_s": self.mean_s, "delay_on_links_s": self.on_link_s.sum() / self.trips,
            "delay_at_origins_s": self.at_origins_s / self.trips, "trips_done": self.done, "forced": self.forced,
        }  # fmt: skip


def ours(
    task: Task, *, origins: str = "gates", entrance_m: float = 0.0, entrance_veh_per_s: float = 0.0, parts: int = 1
) -> Delays:
    """Delays of ours; `origins`: "gates" (as it is), "node first" (UXsim's rule) or "roads first" (SUMO's);
    `entrance_m` above 0: loose entries; `parts`: finer."""
    from app.benchmarks.peers.ours import network_of, paths_of, trips_of
    from app.benchmarks.peers.variants import LAST, PRIORITY, connected, finer, plain, with_entrances
    from simulation.traffic.loading import simulate

    case = task.read()
    loading = plain(network_of(case), trips_of(case), paths_of(case))
    if origins == "node first":
        loading = connected(loading, merge_weight=PRIORITY)
    elif origins == "roads first":
        loading = connected(loading, merge_weight=LAST, by_link=True)
    if entrance_m:
        loading = with_entrances(loading, length_m=entrance_m, veh_per_s=entrance_veh_per_s)
    if parts > 1:
        loading = finer(loading, parts=parts)
    run = simulate(loading.network, loading.trips, paths=loading.paths, until_s=task.horizon_s, seed=task.seed)
    log = run.log
    assert log is not None
    left = np.where(np.isfinite(log.exits), log.exits, task.horizon_s)
    street = np.where(log.link >= 0, loading.street[np.maximum(log.link, 0)], -1)
    on = street >= 0
    spent = np.bincount(street[on], weights=(left - log.time_s)[on], minlength=len(case.links)) / parts
    done = np.isfinite(run.arrival_s)
    total = (np.where(done, run.arrival_s, task.horizon_s) - run.depart_s).sum() / parts
    return _delays(case, task, spent, total, int(done.sum() / parts), run.counts.forced)


def uxsim(task: Task) -> Delays:
    """Delays of UXsim at one vehicle a platoon, from the cumulative curves at both ends of each link."""
    from app.benchmarks.peers.uxsim import build, trip_times

    case = task.read()
    world = build(case, task, platoon=1)
    world.exec_simulation()
    every = int(STEP_S)
    present = [
        (link._cpp_link.get_cum_arrival_np()[::every] - link._cpp_link.get_cum_departure_np()[::every]).sum()
        for link in world.LINKS
    ]
    depart, arrival = trip_times(world)
    done = np.isfinite(arrival)
    total = float((np.where(done, arrival, task.horizon_s) - depart).sum())
    return _delays(case, task, np.array(present) * STEP_S, total, int(done.sum()), 0)


def _delays(case: DynamicCase, task: Task, spent: np.ndarray, total: float, done: int, forced: int) -> Delays:
    from app.benchmarks.peers.free_flow import paths_of_trips

    links, _ = paths_of_trips(case)
    free = (case.links["length_m"] / case.links["free_flow_speed_mps"]).to_numpy()
    uses = np.bincount(links, minlength=len(case.links))
    n = len(case.trips)
    return Delays(
        on_link_s=spent - uses * free, at_origins_s=total - float(spent.sum()), trips=n, done=done, mean_s=total / n,
        forced=forced,
    )  # fmt: skip


def furthest_apart(case: DynamicCase, ours_: Delays, peer: Delays, *, count: int = 10) -> pd.DataFrame:
    """Links where the delays differ most: `link`, `from`, `to`, `lanes`, and `ours_s`, `peer_s` a trip of all trips."""
    apart = np.argsort(-np.abs(peer.on_link_s - ours_.on_link_s))[:count]
    name = case.nodes["name"].to_numpy()
    links = case.links.iloc[apart]
    return pd.DataFrame(
        {
            "link": links["name"].to_numpy(), "from": name[links["from_node_id"]], "to": name[links["to_node_id"]],
            "lanes": links["lanes"].to_numpy(int), "ours_s": ours_.on_link_s[apart] / ours_.trips,
            "peer_s": peer.on_link_s[apart] / peer.trips,
        }
    )  # fmt: skip
