"""Signal plans for SUMO: one `tlLogic` a junction, with every connection's light at every instant of the cycle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from data.errors import InputError
from data.exports.sumo_network import Connections, element, first_edge, is_loop, last_edge
from data.units import MPS_PER_KMH

#: Yellow by the speed of the street, km/h and s (FGSV 2010, Richtlinien fuer Lichtsignalanlagen); at most the time that
#: is lost between greens.
YELLOW_S = ((50.0, 3.0), (60.0, 4.0), (np.inf, 5.0))
_U_TURN_DEG = 165.0
_TURN_DEG = 45.0  # sharper turns across oncoming traffic give way to it


def signalled_nodes(links: pd.DataFrame, signals: pd.DataFrame, connections: Connections) -> dict[int, np.ndarray]:
    """Rows of `connections` that each traffic light controls, by node; the position there is the link index.

    A node has a light if a link with a plan ends there and leads on; all links into it are then part of it.

    Raises
    ------
    InputError
        Naming the nodes where plans of different cycles meet: SUMO has one cycle a junction.
    """
    end = pd.Series(links["to_node_id"].to_numpy(), index=links["link_id"].to_numpy())
    node = end.loc[connections.from_link].to_numpy()
    planned = np.isin(connections.from_link, signals["link_id"].to_numpy())
    cycles = signals.groupby(end.loc[signals["link_id"]].to_numpy())["cycle_s"].nunique()
    wrong = cycles.index[cycles > 1].tolist()
    if wrong:
        raise InputError(
            f"signals of different cycles meet at {len(wrong)} node(s), first {wrong[:5]}; SUMO needs one cycle a"
            f" junction: give the links that end there one cycle_s"
        )
    return {int(at): np.flatnonzero(node == at) for at in np.unique(node[planned])}


def signal_lines(
    links: pd.DataFrame, signals: pd.DataFrame, connections: Connections, *, drives_on_left: bool
) -> list[str]:
    """Lines of the traffic-light file: programs first, then which connection has which light."""
    speed = pd.Series(links["free_flow_speed_mps"].to_numpy(), index=links["link_id"].to_numpy())
    limit = np.array([kmh for kmh, _ in YELLOW_S])
    row = np.searchsorted(limit, speed.loc[signals["link_id"]].to_numpy() / MPS_PER_KMH - 1e-6)
    yellow = np.array([seconds for _, seconds in YELLOW_S])[row]
    plans = signals.assign(yellow_s=yellow).set_index("link_id")[["cycle_s", "green_start_s", "green_s", "yellow_s"]]
    loop = pd.Series(is_loop(links), index=links["link_id"].to_numpy())
    programs, wires = [], []
    for node, rows in signalled_nodes(links, signals, connections).items():
        programs.append(element("tlLogic", {"id": node, "type": "static", "programID": "zonewise", "offset": 0},
                                closed=False))  # fmt: skip
        for duration, state in phases(plans, connections, rows, drives_on_left=drives_on_left):
            programs.append("    " + element("phase", {"duration": duration, "state": state}))
        programs.append("</tlLogic>")
        for index, row in enumerate(rows):
            link = int(connections.from_link[row])
            wires.append(element("connection", {
                "from": last_edge(link, loop[link]), "to": first_edge(int(connections.to_link[row])),
                "fromLane": int(connections.from_lane[row]), "toLane": int(connections.to_lane[row]), "tl": node,
                "linkIndex": index,
            }))  # fmt: skip
    return [*programs, *wires]


def phases(
    plans: pd.DataFrame, connections: Connections, rows: np.ndarray, *, drives_on_left: bool = False
) -> list[tuple[float, str]]:
    """Durations, s, and states of one junction's program, from the beginning of the cycle.

    `G` passes, `g` gives way first (a turn across oncoming traffic, a street without a light of its own, and where two
    streams join in one lane the one that turns more), `y` is the first of the time lost after a green, `r` stops.
    `plans` has `cycle_s`, `green_start_s`, `green_s` and `yellow_s` by link.
    """
    link = connections.from_link[rows]
    own = plans.loc[np.intersect1d(link, plans.index.to_numpy())]
    cycle = float(own["cycle_s"].iloc[0])
    start, green = own["green_start_s"].to_numpy() % cycle, np.minimum(own["green_s"].to_numpy(), cycle)
    yellow = np.minimum(own["yellow_s"].to_numpy(), cycle - green)
    corners = np.concatenate([[0.0, cycle], start, (start + green) % cycle, (start + green + yellow) % cycle])
    corners = np.unique(np.round(corners, 3))
    angle = connections.angle_deg[rows]
    gives_way = ((-1.0 if drives_on_left else 1.0) * angle > _TURN_DEG) | (np.abs(angle) >= _U_TURN_DEG)
    lane = list(zip(connections.to_link[rows], connections.to_lane[rows]))
    straightest = np.argsort(np.abs(angle), kind="stable")
    at = {name: k for k, name in enumerate(own.index)}
    told: list[tuple[float, str]] = []
    for a, b in pairwise(corners):
        since = ((a + b) / 2 - start) % cycle
        light = np.where(since < green, "G", np.where(since < green + yellow, "y", "r"))
        shown = [str(light[at[name]]) if name in at else "g" for name in link]
        taken = set()
        for k in straightest:
            if shown[k] == "G" and (gives_way[k] or lane[k] in taken):
                shown[k] = "g"
            elif shown[k] == "G":
                taken.add(lane[k])
        state = "".join(shown)
        if told and told[-1][1] == state:
            told[-1] = (round(told[-1][0] + float(b - a), 3), state)
        else:
            told.append((round(float(b - a), 3), state))
    return told
