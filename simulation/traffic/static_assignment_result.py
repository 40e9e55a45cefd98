"""What static assignment finds: flows, times, how close to equilibrium it is, and the routes with their flows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from simulation.traffic.paths import Paths
from simulation.traffic.static_assignment_network import NONE, StaticNetwork


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PathSet:
    """Routes as arcs of the search graph: those of OD pair w are `of[w] .. of[w + 1] - 1`, ordered and together.

    Attributes
    ----------
    of : ndarray of int64, shape (n_od + 1,)
    start : ndarray of int64, shape (n_paths + 1,)
    arc : ndarray of int32
    flow : ndarray, shape (n_paths,)
    """

    of: np.ndarray
    start: np.ndarray
    arc: np.ndarray
    flow: np.ndarray

    @classmethod
    def none(cls, n_od: int) -> PathSet:
        """No path for any of the OD pairs."""
        whole = np.zeros(n_od + 1, np.int64)
        return cls(of=whole, start=whole[:1], arc=np.zeros(0, np.int32), flow=np.zeros(0))

    @property
    def od(self) -> np.ndarray:
        """OD pair of each path. Shape (n_paths,)."""
        return np.repeat(np.arange(self.of.size - 1), np.diff(self.of))

    @property
    def arc_path(self) -> np.ndarray:
        """Path of each entry of `arc`."""
        return np.repeat(np.arange(self.flow.size), np.diff(self.start))

    def take(self, rows: np.ndarray) -> PathSet:
        """Some paths, given in order of their OD pairs."""
        taken = Paths(links=self.arc, start=self.start).take(rows)
        of = np.searchsorted(self.od[rows], np.arange(self.of.size))
        return PathSet(of=of, start=taken.start, arc=taken.links, flow=self.flow[rows])


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StaticEquilibrium:
    """A user equilibrium, as near as `relative_gap` says. Units are those of the network's times and of the trips.

    Link flows at equilibrium are unique where times rise with flow; **path flows are not**: other path flows make the
    same link flows. Those given here are one choice, the same on every run.

    Attributes
    ----------
    network : StaticNetwork
    classes : tuple of str
        Names of the user classes.
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `user_class`, `flow`: what was assigned (sums of equal pairs, without trips
        from a node to itself), one row an OD pair and class.
    flow, time : ndarray, shape (n_links,)
        Flow of all classes and travel time at it, in the caller's order of links.
    class_flow : ndarray, shape (n_classes, n_links)
    relative_gap : float
        (total cost - cost if all took the cheapest path at these costs) / the latter.
    objective : float
        Beckmann's: integrals of time over flow, plus fixed costs x flow.
    objective_bound : float
        What no assignment can be below: objective - (total - shortest); the objective is convex.
    total_cost : float
        Sum of flow x (time + fixed cost), in time x flow.
    converged : bool
        Whether `relative_gap` reached what was asked.
    curve : DataFrame
        One row a search for paths: `iteration`, `relative_gap`, `objective`, `exact`, `total_cost`, `shortest_cost`,
        `paths_used`, `passes` (over the known paths). Where `exact` is false the gap and the costs were found origin
        after origin while the flow moved, and the objective was reached afterwards; the last row is exact.
    paths : PathSet
        Routes in use, as arcs of the search graph.
    od_cost : ndarray, shape (n_od,)
        Cost of the cheapest route of each row of `od`: a skim.
    """

    network: StaticNetwork = field(repr=False)
    classes: tuple[str, ...]
    od: pd.DataFrame = field(repr=False)
    flow: np.ndarray = field(repr=False)
    time: np.ndarray = field(repr=False)
    class_flow: np.ndarray = field(repr=False)
    relative_gap: float
    objective: float
    objective_bound: float
    total_cost: float
    converged: bool
    curve: pd.DataFrame = field(repr=False)
    paths: PathSet = field(repr=False)
    od_cost: np.ndarray = field(repr=False)

    @property
    def iterations(self) -> int:
        """How often shortest paths were sought for all OD pairs."""
        return len(self.curve)

    def link_table(self) -> pd.DataFrame:
        """`link_id` (position), `flow`, `time`, `free_time`, `volume_over_capacity`, and a flow for each class."""
        cost = self.network.time
        ratio = np.divide(self.flow, cost.capacity, out=np.full(self.flow.size, np.nan), where=cost.capacity > 0)
        table = pd.DataFrame(
            {
                "link_id": np.arange(self.flow.size), "flow": self.flow, "time": self.time, "free_time": cost.free_time,
                "volume_over_capacity": ratio,
            }
        )  # fmt: skip
        if len(self.classes) > 1:
            table = table.assign(**{f"flow_{name}": self.class_flow[k] for k, name in enumerate(self.classes)})
        return table

    def link_paths(self, rows: np.ndarray | None = None) -> Paths:
        """Routes as positions of links, first link included.

        Parameters
        ----------
        rows : ndarray of int, optional
            Paths in this order (numbers as in `route_shares`, or as drawn by `draw`); all if not given.
        """
        link = self.network.arc_link[self.paths.arc]
        real = link != NONE
        size = np.bincount(self.paths.arc_path[real], minlength=self.paths.flow.size)
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        paths = Paths(links=link[real].astype(np.int32), start=start)
        return paths if rows is None else paths.take(rows)

    def route_shares(self) -> pd.DataFrame:
        """One row a route in use, those of an OD pair together.

        Returns
        -------
        DataFrame
            `path` (number in `link_paths`), `origin_node_id`, `dest_node_id`, `user_class`, `flow`, `share` of the OD
            pair's flow.
        """
        od = self.paths.od
        total = np.bincount(od, weights=self.paths.flow, minlength=len(self.od))
        table = self.od.iloc[od][["origin_node_id", "dest_node_id", "user_class"]].reset_index(drop=True)
        table.insert(0, "path", np.arange(self.paths.flow.size))
        return table.assign(flow=self.paths.flow, share=self.paths.flow / total[od])

    def draw(
        self,
        origin_node_id: np.ndarray,
        dest_node_id: np.ndarray,
        uniform: np.ndarray,
        *,
        user_class: str | None = None,
    ) -> np.ndarray:
        """A route for each trip, with the probabilities of `route_shares`.

        Parameters
        ----------
        origin_node_id, dest_node_id : ndarray of int, shape (k,)
        uniform : ndarray, shape (k,)
            In [0, 1), one number a trip: seeded random numbers, or quantiles to keep the shares exactly.
        user_class : str, optional
            The first class if not given.

        Returns
        -------
        ndarray of int64, shape (k,)
            Numbers of paths for `link_paths`; -1 where the OD pair was not assigned.
        """
        mine = self.od.index[self.od["user_class"] == (self.classes[0] if user_class is None else user_class)]
        known = pd.MultiIndex.from_frame(self.od.loc[mine, ["origin_node_id", "dest_node_id"]])
        at = known.get_indexer(pd.MultiIndex.from_arrays([np.asarray(origin_node_id), np.asarray(dest_node_id)]))
        path = np.full(at.size, NONE, dtype=np.int64)
        found = at >= 0
        od = mine.to_numpy()[at[found]]
        total = np.concatenate([[0.0], np.cumsum(self.paths.flow)])
        first, end = self.paths.of[od], self.paths.of[od + 1]
        level = total[first] + np.asarray(uniform, float)[found] * (total[end] - total[first])
        path[found] = np.clip(np.searchsorted(total, level, side="right") - 1, first, end - 1)
        return path

    def turn_flows(self) -> pd.DataFrame:
        """`from_link_id`, `to_link_id`, `flow` of every movement in use."""
        routes = self.link_paths()
        links, path = routes.links, np.repeat(np.arange(len(routes)), np.diff(routes.start))
        inner = np.flatnonzero(path[:-1] == path[1:]) if path.size else np.zeros(0, np.int64)
        key = links[inner].astype(np.int64) * self.network.n_links + links[inner + 1]
        turn, which = np.unique(key, return_inverse=True)
        return pd.DataFrame(
            {
                "from_link_id": turn // self.network.n_links, "to_link_id": turn % self.network.n_links,
                "flow": np.bincount(which, weights=self.paths.flow[path[inner]], minlength=turn.size),
            }
        )  # fmt: skip
