"""Turn pockets: lanes at the stop line that serve some turns only, from OpenStreetMap's `turn:lanes`.

Lanes that share a turn form one group; each group is a pocket with its own queue. A queue for a blocked turn then holds
up nobody else until its pocket is full. Where all lanes hang together there is no pocket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Angle to the left, deg, that each word of `turn:lanes` means; a lane leads to the turns nearest to its words.
WORD_DEG = {
    "left": 90.0, "slight_left": 45.0, "sharp_left": 135.0, "through": 0.0, "right": -90.0, "slight_right": -45.0,
    "sharp_right": -135.0, "reverse": 180.0, "merge_to_left": 0.0, "merge_to_right": 0.0, "": 0.0, "none": 0.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pockets:
    """Pockets p, in order of their links; see `simulation.traffic.network.Junctions`."""

    link: np.ndarray  # (p,) int32
    storage: np.ndarray  # (p,) int32, vehicles
    headway_s: np.ndarray  # (p,) s
    start: np.ndarray  # (p + 1,) int64, ranges of `to`
    to: np.ndarray  # int32, links that a pocket leads to

    @classmethod
    def none(cls) -> Pockets:
        """No pocket."""
        empty = np.zeros(0, dtype=np.int32)
        return cls(link=empty, storage=empty, headway_s=np.zeros(0), start=np.zeros(1, np.int64), to=empty)


def turn_pockets(links: pd.DataFrame, moves: pd.DataFrame, discharge_veh_per_s: np.ndarray) -> Pockets:
    """Pockets of all links with tagged lanes that part into two groups or more.

    Storage is the group's share of the lanes x jam density x length of the link, at least one vehicle (no tag tells how
    far back a lane begins). Each tagged lane discharges like a lane of the link, also where there are more of them at
    the stop line than along the link.

    Parameters
    ----------
    links : DataFrame
        `turn_lanes` is read where it is there; columns of `data.schemas.LINKS`.
    moves : DataFrame
        `a`, `p`, `angle` (deg to the left): allowed movements.
    discharge_veh_per_s : ndarray, shape (n_links,)
        Of a lane.
    """
    if "turn_lanes" not in links:
        return Pockets.none()
    text = links["turn_lanes"].to_numpy(str)
    found: list[tuple[int, int, float, list[int]]] = []
    jam = (links["jam_density_veh_per_m"] * links["length_m"]).to_numpy(float)
    rows = moves.groupby("a").indices
    for link in np.flatnonzero(np.char.find(text, "|") >= 0):
        at = rows.get(link)
        if at is None or len(at) < 2:
            continue
        targets, angles = moves["p"].to_numpy()[at], moves["angle"].to_numpy()[at]
        lanes = text[link].split("|")
        groups = lane_groups(lanes, angles)
        if len(groups) < 2:
            continue
        for width, members in groups:
            share = width / len(lanes)
            storage = max(round(share * jam[link]), 1)
            found.append((int(link), storage, 1.0 / (width * discharge_veh_per_s[link]), targets[members].tolist()))
    if not found:
        return Pockets.none()
    link_, storage_, headway, to = zip(*found)
    return Pockets(
        link=np.array(link_, np.int32), storage=np.array(storage_, np.int32), headway_s=np.array(headway),
        start=np.concatenate([[0], np.cumsum([len(t) for t in to])]).astype(np.int64),
        to=np.concatenate(to).astype(np.int32),
    )  # fmt: skip


def lane_groups(lanes: list[str], angles: np.ndarray) -> list[tuple[int, list[int]]]:
    """Groups of lanes that share a turn: number of lanes and positions of their turns, from the left.

    Parameters
    ----------
    lanes : list of str
        Words of each lane from the left, joined by `;`.
    angles : ndarray, shape (t,)
        Of the allowed turns, deg to the left. A turn that no lane names goes with the lane nearest to it.
    """
    meant = [[WORD_DEG.get(word, 0.0) for word in lane.split(";")] for lane in lanes]
    serves = [{int(np.argmin(np.abs(angles - deg))) for deg in degrees} for degrees in meant]
    for turn in set(range(len(angles))) - set().union(*serves):
        near = [min(abs(angles[turn] - deg) for deg in degrees) for degrees in meant]
        serves[int(np.argmin(near))].add(turn)
    groups: list[tuple[int, set[int]]] = []
    for served in serves:
        joined = [group for group in groups if group[1] & served]
        groups = [group for group in groups if not group[1] & served]
        groups.append((1 + sum(width for width, _ in joined), served.union(*(turns for _, turns in joined))))
    return [(width, sorted(turns)) for width, turns in groups]
