"""Dynamic user equilibrium: nobody could have arrived earlier by another way, given what everybody else did.

Each trip has a path of its own. A round loads all trips, reads the link times off the log, finds for each trip the
way that would have been fastest at its instant of departure, and lets some trips change to it: the more, the more time
they lost. Trips are drawn evenly along their origins, destinations and departures by one keyed number a round, so that
chance adds little noise. A round that is clearly worse than the best so far is thrown away and tried again from the
best at half the rate. The gap-based rule follows Lu, Mahmassani & Zhou (2009, doi:10.1016/j.trb.2008.07.005); a rate
that answers to the gap is due to Liu, He & He (2009, doi:10.1007/s11067-007-9023-x). What is sought is Wardrop's
first principle at every instant of departure (Friesz et al. 1993, doi:10.1287/opre.41.1.179).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.streams import Purpose, uniform
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.loading import Network, NodeTrips, TrafficRun, simulate
from simulation.traffic.loading_checks import check_ways
from simulation.traffic.path_swaps import SWAP_RATE, SwapRate, changed, same_ways
from simulation.traffic.paths import Paths
from simulation.traffic.time_dependent import STEP_S, Journeys, LinkTimes


@dataclass(frozen=True, eq=False, kw_only=True)
class DynamicEquilibrium:
    """The best loading that was found, and how it was found.

    Attributes
    ----------
    paths : Paths
        Path of each trip; the `start` of a later search.
    run : TrafficRun
        The loading of these paths.
    times : LinkTimes
        Its link times.
    gap : float
        Relative gap: sum of (experienced - best) over sum of best, in generalised cost where there are charges. No
        trip's excess is below 0, and trips that drove the best way have none.
    converged : bool
        Whether the gap asked for was reached.
    curve : DataFrame
        One row a round: `iteration`, `gap`, `signed_gap` (with excesses below 0, which the straight lines between knots
        make, left in), `mean_travel_time_s`, `mean_cost_s` and `mean_best_cost_s` (with charges), `swapped_share`
        (trips that change for the next round), `swap_rate`, `last_arrival_s`, `cpu_s`.
    intervals : DataFrame
        The best round by interval of departure: `departure_s`, `trips`, `experienced_s` and `best_s` (means, with
        charges), `gap`.
    """

    paths: Paths
    run: TrafficRun
    times: LinkTimes
    gap: float
    converged: bool
    curve: pd.DataFrame = field(repr=False)
    intervals: pd.DataFrame = field(repr=False)


def dynamic_equilibrium(
    network: Network,
    trips: NodeTrips,
    *,
    gap: float = 0.01,
    max_iterations: int = 40,
    start: Paths | DynamicEquilibrium | None = None,
    charge_s: np.ndarray | None = None,
    interval_s: float = 300.0,
    step_s: float = STEP_S,
    slot_s: float | None = None,
    swap_rate: float = SWAP_RATE,
    patience: int = 15,
    seed: int = 0,
    progress: Callable[[int, float], Any] | None = None,
    **options: Any,
) -> DynamicEquilibrium:
    """Find paths with which nearly nobody could have arrived earlier.

    The experienced time of a trip runs from its departure to its arrival, the wait at the gate of its first link
    included. Every loading goes on until all have arrived.

    Parameters
    ----------
    network : Network
    trips : NodeTrips
    gap : float
        Relative gap at which to stop.
    max_iterations : int
        Loadings at most.
    start : Paths or DynamicEquilibrium, optional
        Paths to begin with, one a trip: of an earlier search, or drawn from a static equilibrium
        (`StaticEquilibrium.draw`, then `link_paths`). Default: those of drivers who follow the newest travel times,
        renewed each ten minutes.
    charge_s : ndarray, shape (n_links,) or (classes, n_links), optional
        What links cost besides time, in seconds, for all or by vehicle class: tolls and distance
        (`simulation.traffic.costs.UserCosts.charge_s`), inf where a class is banned. Experienced and best are then
        generalised costs, and the default start are the cheapest ways of empty streets.
    interval_s : float
        Interval of departure of the table `intervals`, s.
    step_s : float
        Distance of the knots of the link times, s.
    slot_s : float, optional
        Search fastest ways once an origin and slot of so many seconds instead of once an instant of departure: for
        large networks (see `Journeys.fastest`).
    swap_rate : float
        First rate at which trips change.
    patience : int
        Stop after so many rounds without a better gap.
    seed : int
        Of ties, and of who changes.
    progress : callable, optional
        Called with (iteration, gap) after each round.
    **options
        Of the engine, as in `simulate`.

    Returns
    -------
    DynamicEquilibrium
        Of the round with the smallest gap.

    Raises
    ------
    RunError
        If an option is impossible, or no way leads from some origins to their destinations.
    """
    _check(trips, gap, max_iterations, interval_s, swap_rate, patience)
    search = Journeys.between_nodes(network, trips.orig, trips.dest, trips.depart_s)
    charge = None if charge_s is None else np.atleast_2d(np.asarray(charge_s, dtype=float))
    row = _rows(trips, charge, network.from_node.size)
    paths = _begin(network, trips, search, start, charge, row, seed, options)
    banned = np.flatnonzero(np.isinf(_charges(paths, charge, row)))
    if banned.size:
        raise RunError(
            f"the path of trip {banned[0]} in start uses a banned link ({banned.size} such trips); draw others"
        )
    order = np.lexsort((trips.depart_s, trips.dest, trips.orig))
    rows: list[dict[str, float]] = []
    best: _Round | None = None
    willing = SwapRate(swap_rate)
    for iteration in range(max_iterations):
        begun = time.process_time()
        now = _load(
            network, trips, paths, search, charge, row, step_s=step_s, slot_s=slot_s, seed=seed, options=options
        )
        base = now
        if best is None or now.gap < best.gap:
            best = now
        if willing.see(now.gap):
            base = best
        lot = uniform(seed, iteration, 0, Purpose.PATH_SWAP)[0]
        swap = willing.swaps(base.excess_s / base.spent_s, order, lot)
        done = now.gap <= gap or willing.since >= patience or iteration == max_iterations - 1
        least = now.spent_s - now.signed_s
        rows.append({
            "iteration": iteration, "gap": now.gap, "signed_gap": float(now.signed_s.sum() / least.sum()),
            "mean_travel_time_s": float(now.run.travel_time_s.mean()), "mean_cost_s": float(now.spent_s.mean()),
            "mean_best_cost_s": float(least.mean()),
            "swapped_share": 0.0 if done else float(swap.mean()), "swap_rate": willing.rate,
            "last_arrival_s": float(now.run.arrival_s.max()), "cpu_s": time.process_time() - begun,
        })  # fmt: skip
        if progress is not None:
            progress(iteration, now.gap)
        if done:
            break
        paths = changed(base.paths, base.fastest, swap)
    assert best is not None
    return DynamicEquilibrium(
        paths=best.paths, run=best.run, times=best.times, gap=best.gap, converged=best.gap <= gap,
        curve=pd.DataFrame(rows), intervals=_by_interval(trips.depart_s, best.spent_s, best.excess_s, interval_s),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One loading and what would have been best in it. Trips k."""

    paths: Paths
    run: TrafficRun
    times: LinkTimes
    fastest: Paths
    spent_s: np.ndarray  # (k,) experienced
    signed_s: np.ndarray  # (k,) experienced - best

    @property
    def excess_s(self) -> np.ndarray:
        return np.maximum(self.signed_s, 0.0)

    @property
    def gap(self) -> float:
        excess = self.excess_s
        return float(excess.sum() / (self.spent_s - excess).sum())


def _load(
    network: Network, trips: NodeTrips, paths: Paths, search: Journeys, charge: np.ndarray | None, row: np.ndarray, *,
    step_s: float, slot_s: float | None, seed: int, options: dict[str, Any],
) -> _Round:  # fmt: skip
    run = simulate(network, trips, paths=paths, seed=seed, **options)
    assert run.log is not None
    times = LinkTimes.from_log(run.log, trips.depart_s, run.engine.free_time_s, step_s=step_s)
    arrival, fastest = search.fastest(times, slot_s=slot_s, seed=seed, charge_s=charge, row=row)
    paid = _charges(paths, charge, row)
    # whoever drove the best way knows its time better than the lines between knots do
    signed = np.where(same_ways(paths, fastest), 0.0, run.arrival_s + paid - arrival - _charges(fastest, charge, row))
    return _Round(paths=paths, run=run, times=times, fastest=fastest, spent_s=run.travel_time_s + paid, signed_s=signed)


def _rows(trips: NodeTrips, charge: np.ndarray | None, n_links: int) -> np.ndarray:
    """Row of the charges of each trip, checked."""
    none = np.zeros(len(trips), np.int64)
    if charge is None:
        return none
    row = none if charge.shape[0] == 1 or trips.vehicle_class is None else np.asarray(trips.vehicle_class, np.int64)
    if charge.shape[1] != n_links or np.isnan(charge).any() or (charge < 0).any() or row.max() >= charge.shape[0]:
        raise RunError(
            f"charge_s must be at least 0 s, one a link ({n_links}), with a row for all or for each vehicle class up to"
            f" {row.max()}; found shape {charge.shape}"
        )
    return row


def _charges(paths: Paths, charge: np.ndarray | None, row: np.ndarray) -> np.ndarray:
    """What each trip pays on its path, s. Shape (k,)."""
    if charge is None:
        return np.zeros(len(paths))
    size = np.diff(paths.start)
    trip = np.repeat(np.arange(len(paths)), size)
    return np.bincount(trip, weights=charge[row[trip], paths.links], minlength=len(paths))


def driven_paths(log: EntryLog, n_trips: int) -> Paths:
    """Links that each trip drove, from a log. Trips that never entered a link have an empty path."""
    rows, _ = log.by_trip(n_trips)
    links = log.link[rows]
    kept = log.link >= 0
    start = np.concatenate([[0], np.cumsum(np.bincount(log.trip[kept], minlength=n_trips))]).astype(np.int64)
    return Paths(links=links[links >= 0], start=start)


def _begin(
    network: Network,
    trips: NodeTrips,
    search: Journeys,
    start: Paths | DynamicEquilibrium | None,
    charge: np.ndarray | None,
    row: np.ndarray,
    seed: int,
    options: dict[str, Any],
) -> Paths:
    """First paths; at once the check that there is a way for everybody."""
    empty = LinkTimes.free(network.arrays.length_m / network.arrays.speed_mps)
    slot_s = None if len(trips) < 1000 else 3600.0
    arrival, cheapest = search.fastest(empty, slot_s=slot_s, seed=seed, charge_s=charge, row=row)
    check_ways(trips, np.isfinite(arrival))
    if isinstance(start, DynamicEquilibrium):
        return start.paths
    if start is not None:
        return start
    if charge is not None:
        return cheapest
    run = simulate(network, trips, seed=seed, **options)
    assert run.log is not None
    return driven_paths(run.log, len(trips))


def _by_interval(depart_s: np.ndarray, spent: np.ndarray, excess: np.ndarray, interval_s: float) -> pd.DataFrame:
    """Means and gap by interval of departure."""
    slot = np.floor(depart_s / interval_s).astype(np.int64)
    table = pd.DataFrame({"departure_s": slot * interval_s, "spent": spent, "least": spent - excess})
    groups = table.groupby("departure_s")
    total = groups[["spent", "least"]].sum()
    number = groups.size()
    return pd.DataFrame(
        {
            "departure_s": number.index.to_numpy(), "trips": number.to_numpy(),
            "experienced_s": (total["spent"] / number).to_numpy(), "best_s": (total["least"] / number).to_numpy(),
            "gap": (total["spent"] / total["least"] - 1.0).to_numpy(),
        }
    )  # fmt: skip


def _check(
    trips: NodeTrips, gap: float, max_iterations: int, interval_s: float, swap_rate: float, patience: int
) -> None:
    faults = []
    if not len(trips):
        faults.append("there are no trips")
    if not gap >= 0:
        faults.append(f"gap={gap!r} must be at least 0, e.g. 0.01")
    for name, value in (("max_iterations", max_iterations), ("patience", patience)):
        if value < 1:
            faults.append(f"{name}={value!r} must be at least 1")
    for name, size in (("interval_s", interval_s), ("swap_rate", swap_rate)):
        if not (np.isfinite(size) and size > 0):
            faults.append(f"{name}={size!r} must be above 0")
    if faults:
        raise RunError("no equilibrium to look for: " + "; ".join(faults))
