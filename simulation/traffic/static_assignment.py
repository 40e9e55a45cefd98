"""Static user equilibrium: nobody can lower the cost of a trip by taking another route (Wardrop 1952).

Link times follow the flow by the formula of the Bureau of Public Roads, so that the equilibrium is the smallest value
of Beckmann's convex objective. It is sought over path flows: find every OD pair's cheapest path at the present costs,
then move flow between the known paths of each pair by projected Newton steps until the excess cost has fallen well
below what the search has found, and search again (gradient projection: Jayakrishnan, Tsai, Prashker & Rajadhyaksha
1994, Transportation Research Record 1443, 75-83; Gauss-Seidel over OD pairs: Florian, Constantin & Florian 2009,
doi:10.3141/2090-02). The relative gap is taken at the costs at which the paths were sought, so that it is exact.

Static means: one period, no queues, no spillback; flows above capacity are only slow. It serves macroscopic studies, as
a baseline, and as a start for the dynamic equilibrium (`StaticEquilibrium.draw`, `.link_paths`).

Read `bpr`, `static_assignment_network` (graph and classes), this file, then `static_assignment_result`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import DemandError, RunError
from simulation.traffic.bpr import BPR_ALPHA, BPR_POWER, Bpr
from simulation.traffic.static_assignment_demand import class_number, clean_demand, stranded_faults
from simulation.traffic.static_assignment_kernels import exchange, renew_paths
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass
from simulation.traffic.static_assignment_result import PathSet, StaticEquilibrium
from simulation.traffic.static_assignment_warm import warm_paths

_LOG = logging.getLogger(__name__)
#: Passes over the known paths go on until this share of the excess cost is left: then new paths are worth more.
_KEEP_SHARE = 0.1
_MAX_PASSES = 100
#: OD pairs whose used paths differ by less than this share of the relative gap wait for a later iteration.
_NEGLIGIBLE = 0.1
#: Iterations without a smaller gap after which the search ends: rounding is reached.
_PATIENCE = 20
_CURVE = ("iteration", "relative_gap", "objective", "total_cost", "shortest_cost", "paths_used", "passes")


def static_equilibrium(
    links: pd.DataFrame,
    od: pd.DataFrame,
    *,
    turns: pd.DataFrame | None = None,
    duration_s: float = 3600.0,
    alpha: float = BPR_ALPHA,
    power: float = BPR_POWER,
    classes: Sequence[UserClass] = (UserClass(),),
    gap: float = 1e-6,
    max_iterations: int = 200,
    start: StaticEquilibrium | None = None,
) -> StaticEquilibrium:
    """User equilibrium on our own tables, in seconds and veh/s.

    Supported: turn bans and turn penalties, parallel links, user classes with tolls, distance costs and bans. Not
    supported: capacities that signals or crossing flows take away (give smaller `capacity_veh_per_s` where that
    matters), queues, and demand that depends on cost.

    Parameters
    ----------
    links : DataFrame
        `link_id` (0..n-1 in order), `from_node_id`, `to_node_id`, `length_m`, `free_flow_speed_mps`,
        `capacity_veh_per_s`.
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `trips_veh` in the period, and `user_class` where there are several. A trip
        may start with any link out of its origin and end with any link into its destination.
    turns : DataFrame, optional
        Allowed movements `from_link_id`, `to_link_id`, `penalty_s`; what is not listed is banned. Without it every
        movement is allowed, U-turns included, at no cost.
    duration_s : float
        Length of the period, above 0 s.
    alpha, power : float
        Of the travel-time function; defaults of the Bureau of Public Roads.
    classes : sequence of UserClass
        Fixed costs in seconds.
    gap, max_iterations, start
        As in `assign`.

    Raises
    ------
    NetworkError, DemandError, RunError
        Naming every fault.

    Examples
    --------
    >>> links = pd.DataFrame(
    ...     {"link_id": [0, 1], "from_node_id": 0, "to_node_id": 1, "length_m": [1000.0, 1000.0],
    ...      "free_flow_speed_mps": 10.0, "capacity_veh_per_s": 0.5}
    ... )
    >>> od = pd.DataFrame({"origin_node_id": [0], "dest_node_id": [1], "trips_veh": [3600.0]})
    >>> static_equilibrium(links, od).flow.round(3).tolist()
    [0.5, 0.5]
    """
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise RunError(f"duration_s={duration_s!r}; allowed is a number above 0 s")
    network = StaticNetwork.of_links(links, turns=turns, alpha=alpha, power=power)
    if "trips_veh" not in od.columns:
        raise DemandError(f"the OD table lacks column 'trips_veh'; it has {list(od.columns)}")
    flows = od.drop(columns="trips_veh").assign(flow=od["trips_veh"].to_numpy(float) / duration_s)
    return assign(network, flows, classes=classes, gap=gap, max_iterations=max_iterations, start=start)


def assign(
    network: StaticNetwork,
    od: pd.DataFrame,
    *,
    classes: Sequence[UserClass] = (UserClass(),),
    gap: float = 1e-6,
    max_iterations: int = 200,
    start: StaticEquilibrium | None = None,
) -> StaticEquilibrium:
    """User equilibrium of flows between nodes.

    Parameters
    ----------
    network : StaticNetwork
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `flow` (at least 0, in the unit of the capacities), and `user_class` (a name)
        where there are several classes. Equal pairs add up; trips from a node to itself are left out.
    classes : sequence of UserClass
    gap : float
        Relative gap to reach, above 0.
    max_iterations : int
        Searches for new paths. The search also ends where 20 of them bring no smaller gap (rounding: about 1e-15). A
        result that has not reached `gap` says so, and is logged as a warning.
    start : StaticEquilibrium, optional
        Begin with its routes, in proportion, on links with the same ends in the same order (times, capacities, turns,
        costs, bans and demand may differ). The result is the same, sooner.

    Returns
    -------
    StaticEquilibrium

    Raises
    ------
    DemandError
        Naming every fault of the table at once, OD pairs without any way included.
    NetworkError
        If the costs of a class cannot be used.
    RunError
        If the options are impossible, or `start` belongs to other links.
    """
    _check_options(gap, max_iterations, start, network)
    problem = _Problem.of(network, od, classes)
    paths, class_flow = problem.load(start)
    flow, rows = class_flow.sum(axis=0), []
    cost, fixed = network.arc_time, np.where(np.isfinite(problem.fixed), problem.fixed, 0.0)
    mark, stamp, best, best_at = np.full(flow.size, -1, dtype=np.int64), 1, np.inf, 0
    for iteration in range(1, max_iterations + 1):
        time, slope = cost.time(flow), cost.slope(flow)
        paths, class_flow, shortest, total = problem.renew(paths, time)
        flow = class_flow.sum(axis=0)
        reached = (total - shortest) / shortest if shortest > 0 else (np.inf if total > 0 else 0.0)
        objective = float(cost.integral(flow).sum() + (fixed * class_flow).sum())
        rows.append([iteration, reached, objective, total, shortest, int(np.count_nonzero(paths.flow > 0)), 0])
        best, best_at = min((best, best_at), (reached, iteration))
        if reached <= gap or iteration == max_iterations or iteration - best_at == _PATIENCE:
            break
        rows[-1][-1], _, stamp = exchange(
            problem.group_class, problem.group_od, paths.of, paths.start, paths.arc, paths.flow, problem.fixed,
            *problem.function, flow, time, slope, mark, stamp, _NEGLIGIBLE * reached, _MAX_PASSES,
            _KEEP_SHARE * (total - shortest),
        )  # fmt: skip
    curve = pd.DataFrame(rows, columns=list(_CURVE))
    if curve["relative_gap"].iloc[-1] > gap:
        _LOG.warning("static assignment stopped after %d iterations at relative gap %.3g; asked was %.3g",
                     len(curve), curve["relative_gap"].iloc[-1], gap)  # fmt: skip
    return problem.result(paths, class_flow, curve, gap)


def _check_options(gap: float, max_iterations: int, start: StaticEquilibrium | None, network: StaticNetwork) -> None:
    faults = []
    if not (np.isfinite(gap) and gap > 0):
        faults.append(f"gap={gap!r}; allowed is a number above 0")
    if max_iterations < 1:
        faults.append(f"max_iterations={max_iterations!r}; allowed is 1 or more")
    if start is not None and not np.array_equal(network.link_ends, start.network.link_ends):
        faults.append("start has links with other ends; ban links by a class instead of leaving them out")
    if faults:
        raise RunError("the assignment cannot be run: " + "; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """An assignment as the kernels see it; arcs lie in the network's order, OD pairs in that of `od`."""

    network: StaticNetwork
    names: tuple[str, ...]
    od: pd.DataFrame
    faults: tuple[str, ...]  # of OD rows that `od` leaves out
    out_start: np.ndarray  # (n_search_nodes + 1,)
    fixed: np.ndarray  # (n_classes, n_arcs)
    od_class: np.ndarray  # (n_od,)
    group_class: np.ndarray  # (n_groups,) a group is a class and an origin
    group_node: np.ndarray  # (n_groups,)
    group_od: np.ndarray  # (n_groups + 1,)
    od_node: np.ndarray  # (n_od,)
    demand: np.ndarray  # (n_od,)

    @classmethod
    def of(cls, network: StaticNetwork, od: pd.DataFrame, classes: Sequence[UserClass]) -> _Problem:
        fixed = network.fixed(classes)
        names = tuple(kind.name for kind in classes)
        table, faults = clean_demand(od, network.nodes, names)
        origin, dest = (np.searchsorted(network.nodes, table[c]) for c in ("origin_node_id", "dest_node_id"))
        od_class = class_number(table, names)
        group, group_od = np.unique(od_class * network.nodes.size + origin, return_index=True)
        return cls(
            network=network, names=names, od=table, faults=tuple(faults), out_start=network.out_start, fixed=fixed,
            od_class=od_class, group_class=group // network.nodes.size,
            group_node=network.source[group % network.nodes.size],
            group_od=np.append(group_od, len(table)).astype(np.int64), od_node=network.sink[dest],
            demand=np.array(table["flow"], dtype=float),
        )  # fmt: skip

    @property
    def function(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Travel time on arcs, as the kernels take it."""
        time = self.network.arc_time
        return time.free_time, time.free_time * time.alpha, time.per_capacity, time.power

    def load(self, start: StaticEquilibrium | None) -> tuple[PathSet, np.ndarray]:
        """Paths and class flows to begin with: those of `start`, and for other OD pairs the cheapest in turn."""
        if start is None:
            paths = PathSet.none(len(self.od))
        else:
            paths = warm_paths(start, self.network, self.od, self.od_class, self.fixed)
        flow = np.zeros(self.fixed.shape[1])
        np.add.at(flow, paths.arc, paths.flow[paths.arc_path])
        paths, class_flow, _, _ = self.renew(paths, self.network.arc_time.time(flow), loading_on=flow)
        stranded = stranded_faults(self.od[np.diff(paths.of) == 0])
        if self.faults or stranded:
            raise DemandError("these trips cannot be assigned: " + "; ".join([*self.faults, *stranded]))
        return paths, class_flow

    def renew(
        self, paths: PathSet, time: np.ndarray, *, loading_on: np.ndarray | None = None
    ) -> tuple[PathSet, np.ndarray, float, float]:
        """`renew_paths`; `loading_on` is the flow on top of which OD pairs without a path are loaded."""
        class_flow, loading = np.zeros_like(self.fixed), loading_on is not None
        total_flow = np.zeros(0) if loading_on is None else loading_on.copy()
        of, begin, arc, flow, shortest, total = renew_paths(
            self.out_start, self.network.tail, self.network.head, self.network.through, time, self.fixed,
            self.group_class, self.group_node, self.group_od, self.od_node, self.demand, paths.of, paths.start,
            paths.arc, paths.flow, class_flow, loading, *self.function, total_flow,
        )  # fmt: skip
        return PathSet(of=of, start=begin, arc=arc, flow=flow), class_flow, shortest, total

    def result(self, paths: PathSet, class_flow: np.ndarray, curve: pd.DataFrame, gap: float) -> StaticEquilibrium:
        """What the caller gets, in the caller's order of links."""
        network, last = self.network, curve.iloc[-1]
        time = network.arc_time.time(class_flow.sum(axis=0))
        cost = time[paths.arc] + self.fixed[self.od_class[paths.od][paths.arc_path], paths.arc]
        path_cost = np.bincount(paths.arc_path, weights=cost, minlength=paths.flow.size)
        real = network.arc_link >= 0
        by_class = np.zeros((len(self.names), network.n_links))
        by_class[:, network.arc_link[real]] = class_flow[:, real]
        flow = by_class.sum(axis=0)
        return StaticEquilibrium(
            network=network, classes=self.names, od=self.od, flow=flow, time=network.time.time(flow),
            class_flow=by_class, relative_gap=float(last["relative_gap"]), objective=float(last["objective"]),
            objective_bound=float(last["objective"] - (last["total_cost"] - last["shortest_cost"])),
            total_cost=float(last["total_cost"]), converged=bool(last["relative_gap"] <= gap), curve=curve,
            paths=paths.take(np.flatnonzero(paths.flow > 0)),
            od_cost=np.minimum.reduceat(path_cost, paths.of[:-1]) if len(self.od) else np.zeros(0),
        )  # fmt: skip


def system_optimum_time(time: Bpr) -> Bpr:
    """Marginal cost t + q dt/dq as a travel-time function: its user equilibrium is the system optimum of `time`.

    The derivative term alpha power t0 (q / capacity)^power has the form of the formula itself (Pigou 1920; Dafermos &
    Sparrow 1969, Journal of Research of the National Bureau of Standards 73B, 91-118).
    """
    return Bpr(
        free_time=time.free_time, capacity=time.capacity, alpha=time.alpha * (1.0 + time.power), power=time.power
    )
