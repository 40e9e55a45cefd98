"""The work of static assignment: demand in the order of the kernels, and the paths on their way to equilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import DemandError
from simulation.traffic.static_assignment_demand import class_number, clean_demand, stranded_faults
from simulation.traffic.static_assignment_kernels import class_flows, exchange, search
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass
from simulation.traffic.static_assignment_result import PathSet, StaticEquilibrium
from simulation.traffic.static_assignment_warm import warm_paths

#: Passes over the known paths go on until this share of the excess cost is left: then new paths are worth more.
_KEEP_SHARE = 0.1
_MAX_PASSES = 100
#: OD pairs whose used paths differ by less than this share of the relative gap wait for a later sweep.
_NEGLIGIBLE = 0.1
#: How often an origin's flow is settled when its paths have been sought.
_SWEEP_PASSES = 2
#: What a row of the curve holds.
CURVE = ("relative_gap", "objective", "exact", "total_cost", "shortest_cost", "paths_used", "passes")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Demand:
    """Network, classes and trips as the kernels see them; arcs lie in the network's order, OD pairs in that of `od`."""

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
    flow: np.ndarray  # (n_od,)

    @classmethod
    def of(cls, network: StaticNetwork, od: pd.DataFrame, classes: Sequence[UserClass]) -> Demand:
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
            flow=np.array(table["flow"], dtype=float),
        )  # fmt: skip

    @property
    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Class and OD pairs of the groups."""
        return self.group_class, self.group_od

    def check_ways(self, paths: PathSet) -> None:
        """`DemandError` if some OD pair has no path, with the faults of the table's other rows."""
        faults = [*self.faults, *stranded_faults(self.od[np.diff(paths.of) == 0])]
        if faults:
            raise DemandError("these trips cannot be assigned: " + "; ".join(faults))


class AssignmentState:
    """Paths and flows on their way to equilibrium."""

    def __init__(self, demand: Demand, start: StaticEquilibrium | None) -> None:
        self.demand = demand
        cost = demand.network.arc_time
        self._function = (cost.free_time, cost.free_time * cost.alpha, cost.per_capacity, cost.power)
        self._finite = np.where(np.isfinite(demand.fixed), demand.fixed, 0.0)
        self._mark, self._stamp = np.full(demand.fixed.shape[1], -1, dtype=np.int64), 1
        self._tolerance = 0.0
        if start is None:
            self.paths = PathSet.none(len(demand.od))
        else:
            self.paths = warm_paths(start, demand.network, demand.od, demand.od_class, demand.fixed)
        self._sum()

    def sweep(self) -> list[float]:
        """Seek new paths origin after origin, settling each at once; then settle all. Returns a row of the curve."""
        fresh = self.unrouted
        total, shortest = self._search(_SWEEP_PASSES)
        self.demand.check_ways(self.paths)
        excess = total - shortest
        gap = np.inf if fresh else _relative(total, shortest)
        passes, self._stamp = exchange(
            0, self.demand.group_class.size, *self.demand.groups, *self._arrays(), self.demand.fixed, *self._function,
            self.flow, self.time, self.slope, self._mark, self._stamp, self._tolerance, _MAX_PASSES,
            _KEEP_SHARE * max(excess, 0.0),
        )  # fmt: skip
        self._tolerance = 0.0 if fresh else _NEGLIGIBLE * max(gap, 0.0)
        self._sum()
        return self._row(gap, False, total, shortest, passes)

    @property
    def unrouted(self) -> bool:
        """Whether some OD pair has no path yet."""
        return bool((np.diff(self.paths.of) == 0).any())

    def check(self) -> list[float]:
        """Seek all paths at the present costs: the exact gap. Returns a row of the curve."""
        total, shortest = self._search(0)
        return self._row(_relative(total, shortest), True, total, shortest, 0)

    def _search(self, passes: int) -> tuple[float, float]:
        """Total and shortest cost."""
        demand, network = self.demand, self.demand.network
        of, start, arc, flow, shortest, total, self._stamp = search(
            demand.out_start, network.tail, network.head, network.through, demand.fixed, demand.group_class,
            demand.group_node, demand.group_od, demand.od_node, demand.flow, *self._arrays(), *self._function,
            self.flow, self.time, self.slope, self._mark, self._stamp, passes, self._tolerance,
        )  # fmt: skip
        self.paths = PathSet(of=of, start=start, arc=arc, flow=flow)
        return total, shortest

    def _sum(self) -> None:
        """Flows anew from the paths, so that rounding does not grow, and times and slopes at them."""
        self.class_flow = class_flows(
            self.demand.fixed.shape[0], self.demand.fixed.shape[1], *self.demand.groups, *self._arrays()
        )
        self.flow = self.class_flow.sum(axis=0)
        cost = self.demand.network.arc_time
        self.time, self.slope = cost.time(self.flow), cost.slope(self.flow)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.paths.of, self.paths.start, self.paths.arc, self.paths.flow

    def _row(self, gap: float, exact: bool, total: float, shortest: float, passes: int) -> list[float]:
        cost = self.demand.network.arc_time
        objective = float(cost.integral(self.flow).sum() + (self._finite * self.class_flow).sum())
        return [gap, objective, exact, total, shortest, int(np.count_nonzero(self.paths.flow > 0)), passes]

    def result(self, curve: pd.DataFrame, gap: float) -> StaticEquilibrium:
        """What the caller gets, in the caller's order of links."""
        demand, paths, last = self.demand, self.paths, curve.iloc[-1]
        network, n_od = demand.network, len(demand.od)
        cost = self.time[paths.arc] + self._finite[demand.od_class[paths.od][paths.arc_path], paths.arc]
        path_cost = np.bincount(paths.arc_path, weights=cost, minlength=paths.flow.size)
        real = network.arc_link >= 0
        by_class = np.zeros((len(demand.names), network.n_links))
        by_class[:, network.arc_link[real]] = self.class_flow[:, real]
        flow = by_class.sum(axis=0)
        return StaticEquilibrium(
            network=network, classes=demand.names, od=demand.od, flow=flow, time=network.time.time(flow),
            class_flow=by_class, relative_gap=float(last["relative_gap"]), objective=float(last["objective"]),
            objective_bound=float(last["objective"] - max(last["total_cost"] - last["shortest_cost"], 0.0)),
            total_cost=float(last["total_cost"]), converged=bool(last["relative_gap"] <= gap), curve=curve,
            paths=paths.take(np.flatnonzero(paths.flow > 0)),
            od_cost=np.minimum.reduceat(path_cost, paths.of[:-1]) if n_od else np.zeros(0),
        )  # fmt: skip


def _relative(total: float, shortest: float) -> float:
    """Relative gap; rounding alone makes the total smaller than the shortest."""
    if shortest > 0:
        return max(total - shortest, 0.0) / shortest
    return np.inf if total > 0 else 0.0
