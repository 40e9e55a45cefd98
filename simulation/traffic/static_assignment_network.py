"""The graph that static assignment searches: nodes joined by links, or links joined by allowed turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from simulation.errors import NetworkError
from simulation.traffic.bpr import BPR_ALPHA, BPR_POWER, Bpr

NONE = -1
_SHOWN = 5


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class UserClass:
    """Travellers who see costs alike: `time + fixed` on every link, none on links that they may not use.

    Flows of all classes add up on a link; give the trips of a class of long vehicles in passenger-car units.

    Attributes
    ----------
    name : str
    fixed : float or ndarray, shape (n_links,)
        Cost of a link that does not depend on flow, in the network's unit of time, at least 0; see `fixed_cost`.
    banned : None or ndarray of bool, shape (n_links,)
    """

    name: str = "all"
    fixed: float | np.ndarray = 0.0
    banned: np.ndarray | None = None


def fixed_cost(
    *,
    toll: np.ndarray | float = 0.0,
    time_per_toll: float = 0.0,
    length: np.ndarray | float = 0.0,
    time_per_length: float = 0.0,
) -> np.ndarray:
    """Tolls and distance as time: `toll x time_per_toll + length x time_per_length`, shape (n_links,).

    `time_per_toll` is one over the value of time, e.g. 60 / 12 min/EUR at 12 EUR/h.
    """
    return np.asarray(np.asarray(toll, float) * time_per_toll + np.asarray(length, float) * time_per_length)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StaticNetwork:
    """Links with travel times that depend on flow, and what may follow what. Make it with `of` or `of_links`.

    Attributes
    ----------
    n_links : int
    time : Bpr
        Of the links, in the caller's order.
    nodes : ndarray, shape (n_nodes,)
        Node ids, ascending.
    tail, head, arc_link : ndarray, shape (n_arcs,)
        The search graph, arcs in order of their tails; `arc_link` is the link that an arc stands for, or -1.
    arc_time : Bpr
        Time on every arc.
    through : ndarray of bool, shape (n_search_nodes,)
        Whether routes may pass through a search node.
    source, sink : ndarray, shape (n_nodes,)
        Search nodes at which trips from and to a node start and end.
    link_ends : ndarray, shape (n_links, 2)
        Node ids at the start and the end of each link.
    """

    n_links: int
    time: Bpr
    nodes: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    arc_link: np.ndarray
    arc_time: Bpr = field(repr=False)
    through: np.ndarray
    source: np.ndarray
    sink: np.ndarray
    link_ends: np.ndarray

    @classmethod
    def of(
        cls,
        from_node: np.ndarray,
        to_node: np.ndarray,
        time: Bpr,
        *,
        turns: pd.DataFrame | None = None,
        first_thru_node: int | None = None,
    ) -> StaticNetwork:
        """Network of arrays, in any units that agree.

        Parameters
        ----------
        from_node, to_node : ndarray of int, shape (n_links,)
            Node ids; parallel links are allowed.
        time : Bpr
            Travel time of each link.
        turns : DataFrame, optional
            Every allowed movement: `from_link_id`, `to_link_id` (positions of the links), `penalty_s` (in the unit of
            `time`). What is not listed is banned. Without it every movement is allowed and free, at the cost of a
            smaller search.
        first_thru_node : int, optional
            Routes do not pass through nodes with a smaller id (they may start and end there).

        Raises
        ------
        NetworkError
            Naming every fault.
        """
        start, end = np.asarray(from_node, np.int64), np.asarray(to_node, np.int64)
        n = start.size
        faults = []
        if not n or end.size != n or time.free_time.size != n:
            faults.append(
                f"{n} start nodes, {end.size} end nodes and {time.free_time.size} travel times; allowed are equal"
                " numbers above 0"
            )
        faults += _turn_faults(turns, n, start, end) if not faults else []
        if faults:
            raise NetworkError("these links make no network: " + "; ".join(faults))
        # an order that does not depend on how the links are numbered, so that neither does the result
        order = np.lexsort((time.power, time.alpha, time.capacity, time.free_time, end, start))
        nodes, ends = np.unique(np.concatenate([start, end]), return_inverse=True)
        tail, head = ends[:n][order], ends[n:][order]
        through = np.ones(nodes.size, bool) if first_thru_node is None else nodes >= first_thru_node
        if turns is None:
            source = sink = np.arange(nodes.size)
            arc_link, penalty = order, np.zeros(n)
        else:
            rank = np.empty(n, np.int64)
            rank[order] = np.arange(n)
            tail, head, arc_link, penalty = _turn_graph(tail, head, rank, order, turns, nodes.size, through)
            source, sink = 2 * n + np.arange(nodes.size), 2 * n + nodes.size + np.arange(nodes.size)
            through = np.ones(2 * n + 2 * nodes.size, bool)
        return cls(
            n_links=n, time=time, nodes=nodes, tail=tail, head=head, arc_link=arc_link,
            arc_time=_arc_time(time, arc_link, penalty), through=through, source=source, sink=sink,
            link_ends=np.stack([start, end], axis=1),
        )  # fmt: skip

    @classmethod
    def of_links(
        cls,
        links: pd.DataFrame,
        *,
        turns: pd.DataFrame | None = None,
        alpha: float = BPR_ALPHA,
        power: float = BPR_POWER,
        first_thru_node: int | None = None,
    ) -> StaticNetwork:
        """Network of our own tables, in seconds and veh/s.

        Parameters
        ----------
        links : DataFrame
            `link_id` (0..n-1 in order), `from_node_id`, `to_node_id`, `length_m`, `free_flow_speed_mps`,
            `capacity_veh_per_s`.
        turns : DataFrame, optional
            `from_link_id`, `to_link_id`, `penalty_s`: see `of`.
        alpha, power : float
            Coefficients of `Bpr`.
        first_thru_node : int, optional
            See `of`.

        Raises
        ------
        NetworkError
            Naming every fault.
        """
        needed = ("link_id", "from_node_id", "to_node_id", "length_m", "free_flow_speed_mps", "capacity_veh_per_s")
        missing = [name for name in needed if name not in links.columns]
        if missing:
            raise NetworkError(f"the links table lacks column(s) {missing}; needed are {list(needed)}")
        faults = []
        if not np.array_equal(links["link_id"].to_numpy(), np.arange(len(links))):
            faults.append("link_id must be 0..n-1 in order")
        for name in needed[3:]:
            values = links[name].to_numpy(float)
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if bad.size:
                faults.append(f"{name} must be above 0; link {bad[0]} has {values[bad[0]]:g} ({bad.size} such links)")
        if faults:
            raise NetworkError("these links make no network: " + "; ".join(faults))
        free = links["length_m"].to_numpy(float) / links["free_flow_speed_mps"].to_numpy(float)
        time = Bpr(
            free_time=free, capacity=links["capacity_veh_per_s"].to_numpy(float), alpha=np.array(alpha),
            power=np.array(power),
        )  # fmt: skip
        start, end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
        return cls.of(start, end, time, turns=turns, first_thru_node=first_thru_node)

    @property
    def out_start(self) -> np.ndarray:
        """Arcs out of search node v are `out_start[v] .. out_start[v + 1] - 1`. Shape (n_search_nodes + 1,)."""
        return np.searchsorted(self.tail, np.arange(self.through.size + 1))

    def fixed(self, classes: Sequence[UserClass]) -> np.ndarray:
        """Fixed cost of each class on each arc, inf where banned. Shape (n_classes, n_arcs).

        Raises
        ------
        NetworkError
            Naming every class whose costs have another shape, are negative or are not finite.
        """
        faults = []
        fixed = np.zeros((len(classes), self.arc_link.size))
        real = self.arc_link >= 0
        if len({kind.name for kind in classes}) != len(classes) or not classes:
            faults.append(f"classes {[kind.name for kind in classes]}; allowed are one or more of different names")
        for k, kind in enumerate(classes):
            cost, banned = np.asarray(kind.fixed, float), kind.banned
            if cost.shape not in ((), (self.n_links,)):
                faults.append(f"class '{kind.name}': fixed has shape {cost.shape}; allowed is ({self.n_links},)")
            elif not (np.isfinite(cost) & (cost >= 0)).all():
                faults.append(
                    f"class '{kind.name}': fixed costs must be finite and at least 0 (they are {cost.min():g}..)"
                )
            else:
                fixed[k, real] = np.broadcast_to(cost, self.n_links)[self.arc_link[real]]
            if banned is not None and np.shape(banned) != (self.n_links,):
                faults.append(f"class '{kind.name}': banned has shape {np.shape(banned)}; allowed is ({self.n_links},)")
            elif banned is not None:
                fixed[k, real] += np.where(np.asarray(banned, bool)[self.arc_link[real]], np.inf, 0.0)
        if faults:
            raise NetworkError("the classes cannot be used: " + "; ".join(faults))
        return fixed


def _turn_faults(turns: pd.DataFrame | None, n: int, start: np.ndarray, end: np.ndarray) -> list[str]:
    if turns is None:
        return []
    missing = [name for name in ("from_link_id", "to_link_id", "penalty_s") if name not in turns.columns]
    if missing:
        return [f"the turns table lacks column(s) {missing}"]
    first, second = turns["from_link_id"].to_numpy(), turns["to_link_id"].to_numpy()
    penalty = turns["penalty_s"].to_numpy(float)
    faults = []
    outside = (np.minimum(first, second) < 0) | (np.maximum(first, second) >= n)
    if outside.any():
        faults.append(f"{outside.sum()} turn(s) name links outside 0..{n - 1}")
    else:
        apart = np.flatnonzero(end[first] != start[second])
        shown = ", ".join(f"{first[k]} to {second[k]}" for k in apart[:_SHOWN])
        if apart.size:
            faults.append(f"{apart.size} turn(s) join links that do not meet: {shown}")
    if not (np.isfinite(penalty) & (penalty >= 0)).all():
        faults.append("turn penalties must be finite and at least 0")
    return faults


def _turn_graph(
    tail: np.ndarray,
    head: np.ndarray,
    rank: np.ndarray,
    order: np.ndarray,
    turns: pd.DataFrame,
    n_nodes: int,
    through: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Link r runs from search node 2r to 2r + 1; turns join ends to starts; node v starts at 2n + v, ends n_nodes on.

    Returns tail, head, link and penalty of every arc.
    """
    n = tail.size
    first, second = rank[turns["from_link_id"].to_numpy()], rank[turns["to_link_id"].to_numpy()]
    passing = through[head[first]]
    first, second, penalty = first[passing], second[passing], turns["penalty_s"].to_numpy(float)[passing]
    link, none = np.arange(n), np.full(n, NONE)
    arcs = (
        (2 * link, 2 * link + 1, order, np.zeros(n)),
        (2 * first + 1, 2 * second, np.full(first.size, NONE), penalty),
        (2 * n + tail, 2 * link, none, np.zeros(n)),
        (2 * link + 1, 2 * n + n_nodes + head, none, np.zeros(n)),
    )
    start, end, arc_link, cost = (np.concatenate(part) for part in zip(*arcs))
    by_tail = np.lexsort((cost, end, start))
    return start[by_tail], end[by_tail], arc_link[by_tail], cost[by_tail]


def _arc_time(time: Bpr, arc_link: np.ndarray, penalty: np.ndarray) -> Bpr:
    """Time on arcs: that of the link, or a penalty that no flow changes."""
    real = arc_link >= 0
    return Bpr(
        free_time=np.where(real, time.free_time[arc_link], penalty),
        capacity=np.where(real, time.capacity[arc_link], 1.0),
        alpha=np.where(real, time.alpha[arc_link], 0.0),
        power=np.where(real, time.power[arc_link], 0.0),
    )
