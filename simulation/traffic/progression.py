"""Which signal feeds which: the way of platoons from the lights of one intersection to those of the next.

From each approach the main flow is followed upstream, link by link, until it comes out of another intersection. How
flows split at turns is not known from link flows alone; each link's flow is shared by the links that may follow in
proportion to theirs (assumption, as a gravity model of turns with equal costs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.traffic.coordination import Light, Stream
from simulation.traffic.intersections import Intersection

#: Signals further apart than this along a street are not coordinated, m (Manual on Uniform Traffic Control Devices
#: 2009, section 4D.04: coordinate signals within half a mile of each other).
COORDINATE_M = 800.0
_LEFT_DEG, _U_DEG = 45.0, 165.0  # a turn between these angles goes left
_LINKS_UPSTREAM, _LINKS_INSIDE = 12, 4  # links followed at most between two intersections and within one


class TurnFlows:
    """Flow of every movement from one link to the next, veh/s, from link flows.

    Parameters
    ----------
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`.
    turns : DataFrame or None
        `from_link_id`, `to_link_id` and, if known, `angle_deg` (positive to the left); every movement but U-turns if
        None.
    flow : ndarray, shape (n_links,)
        veh/s.

    Attributes
    ----------
    into, out_of : list of ndarray
        Rows of the movements into and out of each link, by position.
    first, second : ndarray, shape (turns,)
        Positions of the two links of each movement.
    flow, angle_deg : ndarray, shape (turns,)
    left_sign : float
        +1 where turns that cross the facing traffic go left, -1 where they go right (traffic drives on the left):
        the side on which turns cost more, left where both cost the same. 0 where angles are not known.
    """

    def __init__(self, links: pd.DataFrame, turns: pd.DataFrame | None, flow: np.ndarray) -> None:
        turns = _all_turns(links) if turns is None else turns
        position = pd.Index(links["link_id"])
        self.first = position.get_indexer(turns["from_link_id"])
        self.second = position.get_indexer(turns["to_link_id"])
        weight = np.maximum(flow[self.second], 1e-9)
        out = np.bincount(self.first, weight, minlength=len(links))
        self.flow = flow[self.first] * weight / out[self.first]
        angle = turns["angle_deg"] if "angle_deg" in turns.columns else pd.Series(np.zeros(len(turns)))
        self.angle_deg = angle.to_numpy(float)
        self.left_sign = _left_sign(turns)
        self.into = _rows(self.second, len(links))
        self.out_of = _rows(self.first, len(links))

    def crossing_and_rest(self, link: int) -> tuple[float, float]:
        """Flow of a link that turns across the facing traffic, and the rest of it, veh/h."""
        rows = self.out_of[link]
        angle, flow = self.left_sign * self.angle_deg[rows], 3600.0 * self.flow[rows]
        left = (angle > _LEFT_DEG) & (angle < _U_DEG)
        return float(flow[left].sum()), float(flow[~left].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How vehicles get from one intersection to an approach of the next."""

    upstream: int  # intersection
    downstream: int
    approach: int  # position among the approaches of the downstream intersection
    feeders: tuple[tuple[int, float, float], ...]  # upstream approach, share of the flow from it, travel time s

    def stream(self, lights: Mapping[int, Sequence[Light]], place: Mapping[int, int]) -> Stream:
        """As coordination sees it: with the lights and the new number of each intersection."""
        feeders = tuple((lights[self.upstream][k], share, travel_s) for k, share, travel_s in self.feeders)
        return Stream(
            upstream=place[self.upstream], downstream=place[self.downstream],
            light=lights[self.downstream][self.approach], feeders=feeders,
        )  # fmt: skip


def ways_between(
    intersections: Sequence[Intersection], links: pd.DataFrame, turn_flows: TurnFlows, nodes: pd.DataFrame
) -> list[Way]:
    """Ways between neighbouring intersections, at most one for each approach.

    Parameters
    ----------
    intersections : sequence of Intersection
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`, `length_m`, `free_flow_speed_mps`.
    turn_flows : TurnFlows
    nodes : DataFrame
        `node_id`.

    Returns
    -------
    list of Way
        In the order of intersections and approaches.
    """
    net = _Upstream(intersections, links, turn_flows, nodes)
    out = []
    for j, approaches in enumerate(net.approach):
        for link, k in approaches.items():
            found = net.follow(link)
            if found is None or found[0] == j:
                continue
            i, leaving, share, travel_s = found
            feeders = tuple((at, part * share, travel_s + extra) for at, part, extra in net.feeders(i, leaving))
            if feeders:
                out.append(Way(upstream=i, downstream=j, approach=k, feeders=feeders))
    return out


class _Upstream:
    """The network, read against the traffic."""

    def __init__(
        self,
        intersections: Sequence[Intersection],
        links: pd.DataFrame,
        turn_flows: TurnFlows,
        nodes: pd.DataFrame,
    ) -> None:
        position = pd.Index(links["link_id"])
        self.turns = turn_flows
        self.approach = [
            {p: k for k, p in enumerate(position.get_indexer(one.approach).tolist())} for one in intersections
        ]
        self.inside = [set(position.get_indexer(one.inside).tolist()) for one in intersections]
        owner = np.full(len(nodes) + 1, -1, dtype=np.int64)  # the last serves nodes that are not there
        node = pd.Index(nodes["node_id"])
        for i, one in enumerate(intersections):
            owner[node.get_indexer(one.node_ids)] = i
        self.begins_at = owner[node.get_indexer(links["from_node_id"])].tolist()
        self.length = links["length_m"].to_numpy(float)
        self.time = self.length / links["free_flow_speed_mps"].to_numpy(float)

    def follow(self, link: int) -> tuple[int, int, float, float] | None:
        """Upstream intersection of a link, the link that leaves it, share of the flow from there, time from there."""
        share, metres, seconds = 1.0, 0.0, 0.0
        for _ in range(_LINKS_UPSTREAM):
            metres, seconds = metres + self.length[link], seconds + self.time[link]
            if metres > COORDINATE_M:
                return None
            if self.begins_at[link] >= 0:
                return self.begins_at[link], link, share, float(seconds)
            rows = self.turns.into[link]
            flow = self.turns.flow[rows]
            if not rows.size or flow.sum() <= 0:
                return None
            order = np.lexsort((self.length[self.turns.first[rows]], -flow.round(9)))
            share *= float(flow[order[0]] / flow.sum())
            link = int(self.turns.first[rows[order[0]]])
        return None

    def feeders(self, i: int, leaving: int) -> list[tuple[int, float, float]]:
        """Approaches of intersection i that feed a link leaving it: position, share of its flow, time inside."""
        found: dict[int, tuple[float, float]] = {}
        ways = [(leaving, 1.0, 0.0, 0)]
        while ways:
            link, share, seconds, depth = ways.pop()
            rows = self.turns.into[link]
            total = self.turns.flow[rows].sum()
            if total <= 0:
                continue
            for row in rows:
                before, part = int(self.turns.first[row]), share * float(self.turns.flow[row] / total)
                if before in self.approach[i]:
                    k = self.approach[i][before]
                    old, time = found.get(k, (0.0, 0.0))
                    weight = old + part
                    mean = (old * time + part * seconds) / weight if weight > 0 else seconds
                    found[k] = weight, mean
                elif before in self.inside[i] and depth < _LINKS_INSIDE:
                    ways.append((before, part, seconds + self.time[before], depth + 1))
        return [(k, *found[k]) for k in sorted(found) if found[k][0] > 1e-6]


def _all_turns(links: pd.DataFrame) -> pd.DataFrame:
    """Every movement but back to where one came from; angles unknown."""
    ends = pd.DataFrame(links[["link_id", "from_node_id", "to_node_id"]])
    both = ends.merge(ends, left_on="to_node_id", right_on="from_node_id", suffixes=("_in", "_out"))
    both = both[both["from_node_id_in"] != both["to_node_id_out"]]
    return both.rename(columns={"link_id_in": "from_link_id", "link_id_out": "to_link_id"}).reset_index(drop=True)


def _rows(of: np.ndarray, n: int) -> list[np.ndarray]:
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], np.arange(1, n)))


def _left_sign(turns: pd.DataFrame) -> float:
    if "angle_deg" not in turns.columns or not len(turns):
        return 0.0
    angle = turns["angle_deg"].to_numpy(float)
    penalty = turns["penalty_s"].to_numpy(float) if "penalty_s" in turns.columns else np.zeros(len(turns))
    left, right = (angle > _LEFT_DEG) & (angle < _U_DEG), (angle < -_LEFT_DEG) & (angle > -_U_DEG)
    if not left.any() or not right.any():
        return 1.0
    return -1.0 if penalty[right].mean() > penalty[left].mean() + 1e-9 else 1.0
