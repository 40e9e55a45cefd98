"""Signal nodes grouped into intersections: which links lead in, which lie inside, and who crosses whom.

OpenStreetMap puts one signal node on each crossing of two carriageways, so a large junction has several. Nodes that
lie close together and are joined by short links are one intersection. Its approaches are the links that lead in from
outside; the short links between its nodes are inside and clear with the green before them. Two approaches cross if
their headings do; from that follow the groups of approaches that may be green together.

Everything is ordered by place (x, then y, then heading), never by number, so that two tables of the same streets give
the same intersections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

#: Signal nodes nearer than this may belong together, m; assumption: width of a large junction with two carriageways.
GROUP_M = 35.0
#: No intersection is wider, m; assumption: two such widths and a stop line each side. Keeps a street with a signal
#: every 30 m from becoming one intersection.
SPAN_M = 80.0
#: Approaches whose headings differ by less than this run side by side, deg; those that differ by more than
#: `OPPOSED_DEG` meet head-on. Assumptions; a street may bend by 65 degrees within a junction and remain one street.
PARALLEL_DEG, OPPOSED_DEG = 45.0, 115.0
#: The heading of a link at its stop line is taken over this length, m (assumption).
HEADING_M = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intersection:
    """One signalled intersection. Links are named by `link_id`, nodes by `node_id`."""

    node_ids: np.ndarray  # (k,) int64, by place
    x_m: float  # centre
    y_m: float
    approach: np.ndarray  # (a,) int64 links that lead in, by heading
    stop_node: np.ndarray  # (a,) int64 node at the stop line of each approach
    heading: np.ndarray  # (a,) rad from east, direction of travel at the stop line
    inside: np.ndarray  # (i,) int64 links between its nodes
    leaving: np.ndarray  # (e,) int64 links that lead out
    conflict: np.ndarray  # (a, a) bool: headings neither side by side nor head-on

    @property
    def crosses(self) -> bool:
        """Whether its approaches need turns; if not, the signal is there for people on foot."""
        return len(phase_groups(self)) > 1


def find_intersections(nodes: pd.DataFrame, links: pd.DataFrame) -> tuple[Intersection, ...]:
    """Intersections of a network, ordered by their centre.

    Two signal nodes belong together if they are nearer than `GROUP_M` and joined by links that are all no longer than
    that (a bridge over a crossing is not), taken in order of distance as long as no intersection grows beyond
    `SPAN_M`. A node without a signal of its own is part of an intersection if links no longer than `GROUP_M` join it
    to two or more of its signal nodes. An approach ends at a signal node; arms that end at a node without one are not
    controlled. A signal in the middle of a block, at a pedestrian crossing or where one-way streets merge side by
    side makes an intersection whose `crosses` is False.

    Parameters
    ----------
    nodes : DataFrame
        `node_id`, `x_m`, `y_m`, `signal`.
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`, `length_m`; `geometry`, if there, gives the headings.

    Returns
    -------
    tuple of Intersection
        Those with at least one approach.
    """
    net = _Net(nodes, links)
    signal = np.flatnonzero(nodes["signal"].to_numpy(bool))
    if not signal.size:
        return ()
    owner = np.full(len(nodes), -1, dtype=np.int64)
    owner[signal] = _groups(net, signal)
    owner = _with_inner_nodes(net, owner)
    found = [_intersection(net, np.flatnonzero(owner == k)) for k in range(int(owner.max()) + 1)]
    return tuple(sorted((i for i in found if i.approach.size), key=lambda i: (i.x_m, i.y_m)))


def phase_groups(
    intersection: Intersection, weight: Sequence[float] | np.ndarray | None = None, *, most: int = 4
) -> list[np.ndarray]:
    """Approaches that may be green together, the most important group first.

    The heaviest approach leads; with it go the approach that faces it most squarely and all that run beside one of the
    two. Then the heaviest of the rest leads, and so on: a crossing of two streets has two groups, a skew five-leg one
    three. Groups beyond `most` join the group whose lead is nearest to their own axis.

    Parameters
    ----------
    intersection : Intersection
    weight : sequence of float, shape (a,), optional
        Importance, e.g. flow; all alike if not given. Ties go by heading.
    most : int
        Largest number of groups.

    Returns
    -------
    list of ndarray
        Positions in `intersection.approach`; each approach in one group.
    """
    heading = intersection.heading
    rank = np.zeros(heading.size) if weight is None else np.asarray(weight, dtype=float)
    left = sorted(range(heading.size), key=lambda k: (-rank[k], heading[k], k))
    apart = np.degrees(np.abs(_wrapped(heading[:, None] - heading[None, :])))
    groups: list[np.ndarray] = []
    while left:
        lead = left[0]
        facing = [k for k in left if apart[lead, k] >= OPPOSED_DEG]
        partner = max(facing, key=lambda k: (round(apart[lead, k], 6), -left.index(k))) if facing else lead
        group = [k for k in left if min(apart[lead, k], apart[partner, k]) <= PARALLEL_DEG]
        groups.append(np.array(sorted(group)))
        left = [k for k in left if k not in group]
    while len(groups) > most:
        extra = groups.pop()
        axis = [abs(np.cos(heading[extra[0]] - heading[group[0]])) for group in groups]
        near = int(np.argmax(axis))
        groups[near] = np.sort(np.concatenate([groups[near], extra]))
    return groups


class _Net:
    """Positions instead of ids, and where every node is."""

    def __init__(self, nodes: pd.DataFrame, links: pd.DataFrame) -> None:
        position = pd.Series(np.arange(len(nodes)), index=nodes["node_id"].to_numpy())
        self.node_id = nodes["node_id"].to_numpy(np.int64)
        self.signal = nodes["signal"].to_numpy(bool)
        self.xy = nodes[["x_m", "y_m"]].to_numpy(float)
        self.link_id = links["link_id"].to_numpy(np.int64)
        self.start = position.loc[links["from_node_id"].to_numpy()].to_numpy()
        self.end = position.loc[links["to_node_id"].to_numpy()].to_numpy()
        self.length = links["length_m"].to_numpy(float)
        self.heading = _headings(links, self.xy[self.start], self.xy[self.end])
        self.into = np.argsort(self.end, kind="stable")
        self.out_of = np.argsort(self.start, kind="stable")
        self.first_in = np.searchsorted(self.end[self.into], np.arange(len(nodes) + 1))
        self.first_out = np.searchsorted(self.start[self.out_of], np.arange(len(nodes) + 1))

    def at(self, members: np.ndarray, first: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Links at some nodes, by `first_in`/`into` or `first_out`/`out_of`."""
        return np.concatenate([order[first[k] : first[k + 1]] for k in members])


def _headings(links: pd.DataFrame, start_xy: np.ndarray, end_xy: np.ndarray) -> np.ndarray:
    """Direction of travel at the end of each link, rad from east; of the whole link where it has no geometry."""
    step = end_xy - start_xy
    if "geometry" in links.columns:
        lines = np.asarray(links["geometry"].to_numpy(), dtype=object)
        length = shapely.length(lines)
        end = shapely.get_coordinates(shapely.line_interpolate_point(lines, length))
        before = shapely.get_coordinates(shapely.line_interpolate_point(lines, np.maximum(length - HEADING_M, 0.0)))
        drawn = end - before
        step = np.where(np.hypot(*drawn.T)[:, None] > 0, drawn, step)
    return np.asarray(np.arctan2(step[:, 1], step[:, 0]))


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return np.asarray((angle + np.pi) % (2.0 * np.pi) - np.pi)


def _groups(net: _Net, signal: np.ndarray) -> np.ndarray:
    """Number of the intersection of each signal node: pairs join in order of distance. Shape (signals,)."""
    n, short = len(net.node_id), net.length <= GROUP_M
    ones = np.ones(int(short.sum()))
    joined = connected_components(coo_array((ones, (net.start[short], net.end[short])), shape=(n, n)), directed=False)[
        1
    ]
    by_place = np.lexsort((net.xy[signal, 1], net.xy[signal, 0]))
    xy, part = net.xy[signal][by_place], joined[signal][by_place]
    pairs = cKDTree(xy).query_pairs(GROUP_M, output_type="ndarray").reshape(-1, 2)
    pairs = pairs[part[pairs[:, 0]] == part[pairs[:, 1]]]
    distance = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T).round(6)
    label = np.arange(len(xy))
    members = {k: [k] for k in range(len(xy))}
    for a, b in pairs[np.lexsort((pairs[:, 1], pairs[:, 0], distance))]:
        one, other = sorted((int(label[a]), int(label[b])))
        if one == other:
            continue
        both = members[one] + members[other]
        reach = xy[both][:, None] - xy[both][None]
        if np.hypot(reach[..., 0], reach[..., 1]).max() <= SPAN_M:
            members[one] = both
            label[members.pop(other)] = one
    out = np.empty(len(xy), dtype=np.int64)
    out[by_place] = np.unique(label, return_inverse=True)[1]
    return out


def _with_inner_nodes(net: _Net, owner: np.ndarray) -> np.ndarray:
    """Give nodes without a signal to the intersection of which they join two signal nodes by short links."""
    short = net.length <= GROUP_M
    a = np.concatenate([net.start[short], net.end[short]])
    b = np.concatenate([net.end[short], net.start[short]])
    near = pd.DataFrame({"node": a, "signal": b, "owner": owner[b]})
    near = near[(owner[a] < 0) & (near["owner"] >= 0)].drop_duplicates()
    count = near.groupby(["node", "owner"]).size().rename("joined").reset_index()
    count = count[count["joined"] >= 2].sort_values(["node", "joined"], ascending=[True, False])
    count = count.drop_duplicates("node")
    out = owner.copy()
    out[count["node"].to_numpy()] = count["owner"].to_numpy()
    return out


def _intersection(net: _Net, members: np.ndarray) -> Intersection:
    members = members[np.lexsort((net.xy[members, 1], net.xy[members, 0]))]
    arriving, leaving = net.at(members, net.first_in, net.into), net.at(members, net.first_out, net.out_of)
    own = np.isin(net.start[arriving], members) & (net.length[arriving] <= SPAN_M)
    inside = arriving[own]
    approach = arriving[~own & net.signal[net.end[arriving]]]
    approach = _by_place(net, approach)
    heading = net.heading[approach]
    apart = np.degrees(np.abs(_wrapped(heading[:, None] - heading[None, :])))
    centre = net.xy[members[net.signal[members]]].mean(axis=0)
    return Intersection(
        node_ids=net.node_id[members], x_m=float(centre[0]), y_m=float(centre[1]),
        approach=net.link_id[approach], stop_node=net.node_id[net.end[approach]], heading=heading,
        inside=net.link_id[_by_place(net, inside)],
        leaving=net.link_id[_by_place(net, np.setdiff1d(leaving, inside))],
        conflict=(apart > PARALLEL_DEG) & (apart < OPPOSED_DEG),
    )  # fmt: skip


def _by_place(net: _Net, links: np.ndarray) -> np.ndarray:
    """Links by heading, then by their ends and length."""
    start, end = net.xy[net.start[links]], net.xy[net.end[links]]
    keys = (net.length[links], start[:, 1], start[:, 0], end[:, 1], end[:, 0], net.heading[links].round(9))
    return np.asarray(links[np.lexsort(keys)])
