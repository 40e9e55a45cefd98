"""Who goes first: rules of junctions from what tables say of streets, signs and turns.

At a junction without signal, in this order: circulating traffic of a roundabout; streets without a stop or give-way
sign; the more important road class. Whoever comes second goes when the next vehicle of every stream that crosses his is
a critical gap away, one follow-up time after the vehicle ahead; before a full link, where there are no gaps, he has his
turns by what the streets discharge. Streets of equal rank that cross share the capacity of their junction: that of
priority to the right among small streets, else that of an all-way stop. A left turn from the main street gives way to
oncoming traffic, one that turns round to everybody. Signals switch all of it off. Slip roads of motorways and trunk
roads merge by capacity, and so do carriageways that run straight together.

Movements cross if they do so on paper: the ends of all arms lie on a circle, the way in beside the way out. Their
places follow from the angles of the turns table alone, so that no geometry is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.traffic.network import INSIDE_M, MIN_FREE_TIME_S, SATURATION_FLOW_PER_LANE, Junctions
from simulation.traffic.turn_pockets import Pockets, turn_pockets

#: Critical and follow-up headways, s, of right turns, straight on and left turns from a minor street that crosses two
#: lanes, and the critical one where it crosses four (Highway Capacity Manual 2010, exhibits 19-10 and 19-11, passenger
#: cars, no grade); taken for give-way signs and for lesser streets without sign as well (assumption).
CRITICAL_S, CRITICAL_WIDE_S, FOLLOW_UP_S = (6.2, 6.5, 7.1), (6.9, 6.5, 7.5), (3.3, 4.0, 3.5)
#: Left turn from the major street, s: the same exhibits.
CRITICAL_MAJOR_LEFT_S = 4.1
#: What a left turn from the stem of a T-junction needs less, s (the manual's equation for the critical headway, number
#: 20-16 in its seventh edition).
T_JUNCTION_S = 0.7
#: Entry of a roundabout: capacity 1,130 exp(-b v / 1,000) veh/h a lane against v veh/h circulating, b = 1.0 against one
#: lane and 0.7 against two (Highway Capacity Manual 2010, chapter 21). Siegloch's form of it has the
#: follow-up headway 3600 / 1130 s and the critical headway 3.6 b + half of that.
ROUNDABOUT_FOLLOW_UP_S = 3600.0 / 1130.0
ROUNDABOUT_CRITICAL_S = (3.6 * 1.0 + ROUNDABOUT_FOLLOW_UP_S / 2.0, 3.6 * 0.7 + ROUNDABOUT_FOLLOW_UP_S / 2.0)
#: What an all-way stop passes on in all, veh/h: with queues on all four approaches one vehicle a lane each 9.6 s where
#: approaches have one lane and each 11.5 s where they have two (base saturation headways, Highway Capacity Manual,
#: seventh edition, exhibit 21-15, geometry groups 1 and 5), so 4 x 3600 / 9.6 = 1,500 and 8 x 3600 / 11.5 = 2,504;
#: between and beyond in proportion (assumption). Other arms and splits differ little: three queues in a T 3 x 3600 /
#: 7.0 = 1,543, two queues face to face 2 x 3600 / 4.7 = 1,532 (cases 4 and 2). Taken for mini-roundabouts and for
#: larger streets of one rank too, whose signs nobody has mapped (assumption).
ALL_WAY_VEH_PER_H = 4 * 3600.0 / 9.6
ALL_WAY_MORE_VEH_PER_H = 8 * 3600.0 / 11.5 - ALL_WAY_VEH_PER_H
#: What small streets without signs pass on in all under priority to the right, veh/h: where three arms meet, and where
#: more do (measured in German towns: Stephan 2006, Strassenverkehrstechnik 50(9), 552-555). More with more lanes as
#: at an all-way stop (assumption). Whoever crosses counts, however uneven the streets (assumption: real junctions pass
#: on more where one street has nearly all of the traffic).
RIGHT_FIRST_T_VEH_PER_H, RIGHT_FIRST_VEH_PER_H = 1000.0, 900.0
#: Shortest headway of vehicles of one approach at an all-way stop, s: nobody else is there (the same exhibit, case 1).
ALL_WAY_FOLLOW_UP_S = 3.9
#: Classes from the most important; links of equal place are of equal rank. A `_link` comes behind its own class.
CLASSES = (
    ("motorway",), ("trunk",), ("primary",), ("secondary",), ("tertiary",), ("unclassified", "residential"),
    ("living_street",), ("service", "track"),
)  # fmt: skip
#: Classes of small streets, which have priority to the right where they meet.
SMALL = ("unclassified", "residential", "living_street", "service", "track")
#: Slip roads that merge by capacity with the streets they lead to.
SLIP_ROADS = {"motorway_link": ("motorway", "motorway_link"), "trunk_link": ("motorway", "trunk", "trunk_link")}
_TURN_DEG, _U_DEG = 45.0, 165.0
_SIDE_DEG = 1.0  # between the way in and the way out of one arm, on paper
_DEPTH = 3  # links upstream that a driver looks along where the last ones are short


@dataclass(frozen=True, slots=True, kw_only=True)
class JunctionRules:
    """What junctions make of links. Links n."""

    junctions: Junctions
    discharge_veh_per_s: np.ndarray  # (n,) over all lanes
    side_lanes: np.ndarray  # (n,) int64, positions beside the head at the stop line for any target
    report: dict[str, int]


def junction_rules(
    links: pd.DataFrame,
    turns: pd.DataFrame,
    signals: pd.DataFrame,
    *,
    saturation_veh_per_s: np.ndarray,
    drives_on_left: bool = False,
    passing: bool = True,
) -> JunctionRules:
    """Rules of every junction.

    Parameters
    ----------
    links : DataFrame
        Columns of `data.schemas.LINKS`; `control`, `roundabout` and `turn_lanes` are read where they are there.
    turns : DataFrame
        Columns of `data.schemas.TURNS`: movements that are not listed are not allowed and ask for no rule.
    signals : DataFrame
        Columns of `data.schemas.SIGNALS`; their nodes have no other rule.
    saturation_veh_per_s : ndarray, shape (n_links,)
        What leaves each link where nobody gives way, over all lanes.
    drives_on_left : bool
        Mirrors left and right.
    passing : bool
        Whether a vehicle that cannot go on leaves the other lanes of its link free: in a turn pocket where lanes are
        tagged, else beside the stop line, one vehicle a lane. If not, links are strictly first in, first out.

    Returns
    -------
    JunctionRules
        The same for the same streets, however their links are numbered.
    """
    moves = _movements(links, turns, signals, drives_on_left)
    level = _levels(links, moves)
    apart = _apart(links, moves)
    equal = _equal_junctions(moves, level, apart)
    yields = _yields(links, moves, level, equal, apart)
    yields = _with_upstream(yields, links, moves)
    discharge = np.minimum(_discharge(links, moves, yields, equal), saturation_veh_per_s)
    lane = discharge / links["lanes"].to_numpy(float)
    n = len(links)
    pockets = turn_pockets(links, moves, lane) if passing else Pockets.none()
    lanes = np.floor(links["lanes"].to_numpy(float) + 1e-6).astype(np.int64)
    forks = np.bincount(moves["a"], minlength=n) > 1
    side = np.where(forks & passing, np.maximum(lanes - 1, 0), 0)
    side[pockets.link] = 0
    circulating = _column(links, "roundabout", False).to_numpy(bool)
    node, headway = _limited(links, moves, level, equal)
    return JunctionRules(
        junctions=Junctions(
            node=node, node_headway_s=headway,
            yield_start=np.searchsorted(yields["a"].to_numpy(), np.arange(n + 1)).astype(np.int64),
            yield_target=yields["p"].to_numpy(np.int32), yield_to=yields["b"].to_numpy(np.int32),
            yield_then=yields["q"].to_numpy(np.int32), critical_gap_s=np.zeros(n),
            yield_gap_s=yields["gap"].to_numpy(float), yield_lead_s=yields["lead"].to_numpy(float),
            pocket_link=pockets.link, pocket_storage=pockets.storage, pocket_headway_s=pockets.headway_s,
            pocket_start=pockets.start, pocket_to=pockets.to,
        ),
        discharge_veh_per_s=discharge, side_lanes=side,
        report={
            "gives_way": int(np.unique(yields["a"]).size), "roundabout_links": int(circulating.sum()),
            "equal_junctions": int(headway.size), "turn_pockets": int(pockets.link.size),
            "links_with_side_lanes": int((side > 0).sum()),
        },
    )  # fmt: skip


def _column(links: pd.DataFrame, name: str, usual: object) -> pd.Series:
    return links[name] if name in links else pd.Series([usual] * len(links), index=links.index)


def _movements(links: pd.DataFrame, turns: pd.DataFrame, signals: pd.DataFrame, mirror: bool) -> pd.DataFrame:
    """Allowed movements from link `a` to link `p` at `node`, their angle to the left, deg, and their kind.

    Kind 0 turns right, 1 goes straight on, 2 turns left, 3 turns round. `signal`: the junction has one, or the link is
    inside of one that has (it begins at a signal and is shorter than `INSIDE_M`).
    """
    a, p = turns["from_link_id"].to_numpy(), turns["to_link_id"].to_numpy()
    angle = turns["angle_deg"].to_numpy(float) * (-1.0 if mirror else 1.0)
    node = links["to_node_id"].to_numpy()[a]
    lit = signals["node_id"].to_numpy()
    inside = np.isin(links["from_node_id"].to_numpy(), lit) & (links["length_m"].to_numpy() < INSIDE_M)
    kind = np.select([np.abs(angle) > _U_DEG, angle > _TURN_DEG, angle < -_TURN_DEG], [3, 2, 0], 1)
    moves = pd.DataFrame(
        {"a": a, "p": p, "node": node, "angle": angle, "kind": kind, "signal": np.isin(node, lit) | inside[a]}
    )
    return moves.sort_values(["a", "p"], ignore_index=True)


def _levels(links: pd.DataFrame, moves: pd.DataFrame) -> np.ndarray:
    """Place of every link among those that end at its node: the lower, the earlier it goes. float, (n_links,)."""
    known = {name: float(k) for k, group in enumerate(CLASSES) for name in group}
    known |= {f"{name}_link": place + 0.5 for name, place in known.items()}
    rank = links["road_class"].map(known).to_numpy(float)
    if np.isnan(rank).any():  # classes of another kind of table: by capacity a lane
        rank = -(links["capacity_veh_per_s"] / links["lanes"]).round(6).to_numpy(float)
        rank = np.searchsorted(np.unique(rank), rank).astype(float)
    control = _column(links, "control", "").to_numpy(str)
    rank = np.where(control == "priority", -1.0, rank)
    rank = np.where(np.isin(control, ("all_way_stop", "mini_roundabout")), 0.0, rank)
    rank = rank + np.where(np.isin(control, ("give_way", "stop")), 1000.0, 0.0)
    free = _column(links, "roundabout", False).to_numpy(bool) | (control == "capacity")
    return np.where(free, -1000.0, rank)


def _equal_junctions(moves: pd.DataFrame, level: np.ndarray, apart: pd.Series) -> np.ndarray:
    """Nodes where streets of the highest rank that is there cross each other. Their ids, in order.

    Three or more arms of one rank are equal; two are if one goes straight across the other, as one-way streets do. Arms
    of a roundabout never are, nor those that capacities alone rule.
    """
    open_ = moves[~moves["signal"]]
    arms = open_.drop_duplicates("a").assign(level=lambda t: level[t["a"]])
    top = arms[arms["level"] == arms.groupby("node")["level"].transform("min")]
    top = top[top["level"] > -1000.0]
    count = top.groupby("node")["a"].size()
    many = count.index[count >= 3].to_numpy()
    pair = count.index[count == 2].to_numpy()
    through = open_[open_["node"].isin(pair) & open_["a"].isin(top["a"]) & (open_["kind"] == 1)]
    both = through.merge(through, on="node", suffixes=("", "_b")).query("a < a_b and p != p_b")
    crossing = both[_crosses(both, moves, apart)] if len(both) else both
    return np.union1d(many, crossing["node"].to_numpy())


def _apart(links: pd.DataFrame, moves: pd.DataFrame) -> pd.Series:
    """Heading of link a_b against that of link a, deg to the left, for links that meet; indexed by both.

    It follows from a link that both may turn into, the way back into the own street included, which is behind.
    """
    ends = links[["link_id", "from_node_id", "to_node_id"]]
    back = ends.merge(ends, left_on=["from_node_id", "to_node_id"], right_on=["to_node_id", "from_node_id"])
    back = back.rename(columns={"link_id_x": "a", "link_id_y": "p"})[["a", "p"]].assign(angle=180.0)
    back = back[~back.duplicated("a", keep=False)]  # several streets between the same nodes: not known which
    known = pd.concat([moves[["a", "p", "angle"]], back]).drop_duplicates(["a", "p"])
    both = known.merge(known, on="p", suffixes=("", "_b"))
    both = both.assign(apart=both["angle"] - both["angle_b"]).drop_duplicates(["a", "a_b"])
    return both.set_index(["a", "a_b"])["apart"]


def _crosses(pairs: pd.DataFrame, moves: pd.DataFrame, apart: pd.Series) -> np.ndarray:
    """Whether movement a -> p meets movement a_b -> p_b: on their way, or in the same link. bool, (pairs,).

    All arms lie on a circle around the node, the way in (coming from outside) beside the way out. Two movements cross
    if their ends take turns along the circle. Where the turns table does not tell how two arms lie, they are taken to.
    """
    known = pd.Series(moves["angle"].to_numpy(), index=pd.MultiIndex.from_frame(moves[["a", "p"]]))
    own = known.reindex(pd.MultiIndex.from_frame(pairs[["a", "p"]])).to_numpy(float)
    other = known.reindex(pd.MultiIndex.from_frame(pairs[["a_b", "p_b"]])).to_numpy(float)
    turned = apart.reindex(pd.MultiIndex.from_frame(pairs[["a", "a_b"]])).to_numpy(float)
    side = _SIDE_DEG
    start, end = 180.0 + side, own - side  # places on the circle, against the heading of a
    start_b, end_b = turned + 180.0 + side, turned + other - side
    place = lambda x: np.mod(x - start, 360.0)  # noqa: E731
    between = (place(start_b) < place(end)) != (place(end_b) < place(end))
    return np.asarray(between | np.isnan(turned) | (pairs["p"] == pairs["p_b"]).to_numpy())


def _yields(
    links: pd.DataFrame, moves: pd.DataFrame, level: np.ndarray, equal: np.ndarray, apart: pd.Series
) -> pd.DataFrame:
    """Who gives way to whom: a vehicle from `a` to `p` to one from `b` to `q`, with the critical gap in s."""
    some = moves[~moves["signal"]]
    pairs = some.merge(some, on="node", suffixes=("", "_b"))
    one, other = level[pairs["a"]], level[pairs["a_b"]]
    top = pairs.assign(level=one).groupby("node")["level"].transform("min").to_numpy()
    oncoming = (one == other) & (pairs["kind"] == 2) & (pairs["kind_b"] < 2) & (pairs["p"] != pairs["p_b"])
    oncoming &= ~(pairs["node"].isin(equal) & (one == top)) & (one > -1000.0)
    round_turn = (pairs["kind"] == 3) & (pairs["kind_b"] < 3)
    keep = (pairs["a"] != pairs["a_b"]) & ((one > other) | oncoming | round_turn) & (pairs["kind_b"] < 3)
    keep &= ~_merges_by_capacity(links, pairs)
    keep &= (_column(links, "control", "") != "capacity").to_numpy()[pairs["a"]]
    pairs, oncoming, one, top = pairs[keep], oncoming[keep].to_numpy(), one[keep], top[keep]
    if len(pairs):
        cross = _crosses(pairs, moves, apart)
        pairs, oncoming, one, top = pairs[cross], oncoming[cross], one[cross], top[cross]
    lanes = links["lanes"].to_numpy()[pairs["a_b"]]
    wide, kind = lanes >= 2, np.minimum(pairs["kind"].to_numpy(), 2)
    gap = np.where(wide, np.array(CRITICAL_WIDE_S)[kind], np.array(CRITICAL_S)[kind])
    arms = moves.drop_duplicates("a").groupby("node")["a"].size()
    t_shape = arms.reindex(pairs["node"]).to_numpy() <= 3
    gap = gap - np.where(t_shape & (kind == 2), T_JUNCTION_S, 0.0)
    gap = np.where(oncoming & (one == top), CRITICAL_MAJOR_LEFT_S, gap)
    round_ = _column(links, "roundabout", False).to_numpy(bool)[pairs["a_b"]]
    gap = np.where(round_, np.where(wide, ROUNDABOUT_CRITICAL_S[1], ROUNDABOUT_CRITICAL_S[0]), gap)
    return pd.DataFrame(
        {"a": pairs["a"], "p": pairs["p"], "b": pairs["a_b"], "q": pairs["p_b"], "gap": gap, "lead": 0.0}
    ).reset_index(drop=True)  # fmt: skip


def _merges_by_capacity(links: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Slip roads, and carriageways that run straight together, where no sign says otherwise."""
    road = links["road_class"].to_numpy(str)
    sign = _column(links, "control", "").to_numpy(str)[pairs["a"]]
    mine, other = road[pairs["a"]], road[pairs["a_b"]]
    slip = np.zeros(len(pairs), dtype=bool)
    for name, into in SLIP_ROADS.items():
        slip |= (mine == name) & np.isin(other, into)
    straight = (pairs["kind"] == 1) & (pairs["kind_b"] == 1) & (pairs["p"] == pairs["p_b"])
    ring = _column(links, "roundabout", False).to_numpy(bool)[pairs["a_b"]]
    return (slip | (straight.to_numpy() & ~ring)) & ~np.isin(sign, ("stop", "give_way"))


def _with_upstream(yields: pd.DataFrame, links: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """Add the links before short ones: whoever comes from there within the critical gap counts as well.

    `lead` is the time from the end of `b` to the junction, s; there `b` counts where its next link is `q`.
    """
    free = np.maximum(links["length_m"] / links["free_flow_speed_mps"], MIN_FREE_TIME_S).to_numpy(float)
    parts, last = [yields], yields
    into = moves.loc[moves["kind"] < 3, ["a", "p"]].rename(columns={"a": "before", "p": "b"})
    for _ in range(_DEPTH):
        lead = last["lead"] + free[last["b"]]
        further = last.assign(lead=lead)[lead < last["gap"]].merge(into, on="b")
        further = further[further["before"] != further["a"]]
        last = further.assign(q=further["b"], b=further["before"]).drop(columns="before")
        last = last.groupby(["a", "p", "b", "q"], as_index=False).agg({"gap": "max", "lead": "min"})
        parts.append(last)
    all_ = pd.concat(parts).groupby(["a", "p", "b", "q"], as_index=False).agg({"gap": "max", "lead": "min"})
    return all_.sort_values(["a", "p", "lead", "b", "q"], ignore_index=True)


def _discharge(links: pd.DataFrame, moves: pd.DataFrame, yields: pd.DataFrame, equal: np.ndarray) -> np.ndarray:
    """Most that leaves a link whose drivers give way, over all lanes, veh/s; inf where nobody does. (n_links,)."""
    n, lanes = len(links), links["lanes"].to_numpy(float)
    follow = np.zeros(n)
    minor = yields[(yields["lead"] == 0.0) & (yields["gap"] != CRITICAL_MAJOR_LEFT_S)].drop_duplicates(["a", "p"])
    kind = minor[["a", "p"]].merge(moves.loc[moves["kind"] < 3, ["a", "p", "kind"]], on=["a", "p"])
    mean = pd.Series(np.array(FOLLOW_UP_S)[kind["kind"]]).groupby(kind["a"].to_numpy()).mean()
    follow[mean.index] = mean.to_numpy()
    round_ = _column(links, "roundabout", False).to_numpy(bool)
    entry = np.unique(yields.loc[round_[yields["b"]] & (yields["lead"] == 0.0), "a"])
    follow[entry] = ROUNDABOUT_FOLLOW_UP_S
    control = _column(links, "control", "").to_numpy(str)
    stops = np.isin(links["to_node_id"], equal) & (control == "all_way_stop")
    follow[stops] = ALL_WAY_FOLLOW_UP_S
    equals = np.isin(links["to_node_id"], equal) & (follow == 0.0)
    follow[equals] = 1.0 / SATURATION_FLOW_PER_LANE
    return np.divide(lanes, follow, out=np.full(n, np.inf), where=follow > 0)


def _limited(
    links: pd.DataFrame, moves: pd.DataFrame, level: np.ndarray, equal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Junctions of limited capacity: which one each link ends at, and the headway of all that crosses it, s."""
    end = links["to_node_id"].to_numpy()
    open_ = np.zeros(len(links), dtype=bool)
    open_[moves.loc[~moves["signal"], "a"]] = True
    node = np.where(np.isin(end, equal) & open_, np.searchsorted(equal, end), -1).astype(np.int32)
    here = node >= 0
    lanes = np.bincount(node[here], weights=links["lanes"].to_numpy(float)[here], minlength=equal.size)
    mean = lanes / np.maximum(np.bincount(node[here], minlength=equal.size), 1)
    # an all-way stop, if of the highest rank that is there any street is larger, or has a sign
    top = np.full(equal.size, np.inf)
    np.minimum.at(top, node[here], level[here])
    small = links["road_class"].isin(SMALL).to_numpy() & (_column(links, "control", "").to_numpy(str) == "")
    stop = np.bincount(node[here], weights=~small[here] & (level[here] == top[node[here]]), minlength=equal.size) > 0
    right_first = np.where(_arms(links, equal) > 3, RIGHT_FIRST_VEH_PER_H, RIGHT_FIRST_T_VEH_PER_H)
    with_lanes = ALL_WAY_VEH_PER_H + ALL_WAY_MORE_VEH_PER_H * np.maximum(mean - 1.0, 0.0)
    return node, 3600.0 / np.where(stop, with_lanes, right_first * with_lanes / ALL_WAY_VEH_PER_H)


def _arms(links: pd.DataFrame, nodes: np.ndarray) -> np.ndarray:
    """Number of arms of some nodes: nodes next to them, on whatever street and in whatever direction."""
    both = links[["from_node_id", "to_node_id"]].to_numpy()
    pairs = pd.DataFrame(np.concatenate([both, both[:, ::-1]]), columns=["node", "next"]).drop_duplicates()
    return pairs.groupby("node").size().reindex(nodes, fill_value=0).to_numpy()
