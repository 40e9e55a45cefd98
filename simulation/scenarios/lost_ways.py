"""Which trips a scenario leaves without a way, and what the engine does with them.

A link that is closed costs a driver two hours more (`simulation.traffic.routing.CLOSED_PENALTY_S`), and a banned turn
too: nobody is stranded, and who has no other way drives through. `lost_trips` finds those: trips that have a way in the
base and none that keeps to the rules. Trips whose own street is closed to them start or end on another open street of
their place, where it has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from data.schemas import VEHICLE_CLASSES
from simulation.demand.spec import Access
from simulation.traffic.costs import cost_groups
from simulation.traffic.routing import CLOSED_PENALTY_S

if TYPE_CHECKING:
    from simulation.city import City

#: Columns of the table of lost trips.
COLUMNS = ("origin_zone_id", "dest_zone_id", "vehicle_class", "trips_veh", "why")
_LEAST_VEH = 1e-6


def lost_trips(base: City, changed: City) -> pd.DataFrame:
    """Trips of a weekday that have a way in the base and none in the changed city.

    Parameters
    ----------
    base, changed : City
        Before and after; the changed one has all its measures for good.

    Returns
    -------
    DataFrame
        `origin_zone_id`, `dest_zone_id` (zones or gateways), `vehicle_class`, `trips_veh` (vehicles a weekday), `why`:
        `no way` or `closed at an end` (no open street at the place). Most trips first.
    """
    before, after = _lost_share(base), _lost_share(changed)
    od, places = changed.demand.od_veh, np.array(changed.demand.places, dtype=object)
    parts = []
    for k, name in enumerate(VEHICLE_CLASSES):
        newly = np.clip(after[0][k] - before[0][k], 0.0, 1.0)
        veh = od * changed.demand.class_share[k] * newly
        o, d = np.nonzero(veh > _LEAST_VEH)
        ended = (after[1][k][o] | after[2][k][d]).astype(bool)
        parts.append(
            pd.DataFrame({
                "origin_zone_id": places[o], "dest_zone_id": places[d], "vehicle_class": name, "trips_veh": veh[o, d],
                "why": np.where(ended, "closed at an end", "no way"),
            })
        )  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("trips_veh", ascending=False, kind="stable", ignore_index=True)[list(COLUMNS)]


def _lost_share(city: City) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of the trips of each pair without a way by the rules, and places without an open street.

    Returns
    -------
    share : ndarray, shape (classes, P, P)
    no_start, no_end : ndarray of bool, shape (classes, P)
    """
    closed = city.closed_array()
    group = cost_groups(closed, np.zeros(closed.shape))
    p = len(city.demand.places)
    share = np.zeros((len(VEHICLE_CLASSES), p, p))
    no_start, no_end = np.zeros((2, len(VEHICLE_CLASSES), p), dtype=bool)
    for g in range(int(group.max()) + 1):
        rows = np.flatnonzero(group == g)
        share[rows], no_start[rows], no_end[rows] = _of_group(city, closed[rows[0]])
    return share, no_start, no_end


def _of_group(city: City, closed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_lost_share`, of vehicles that may not use some links, bool, shape (n_links,)."""
    n = len(city.links)
    turns = city.turns
    allowed = (turns["penalty_s"] < CLOSED_PENALTY_S).to_numpy()
    one, two = turns["from_link_id"].to_numpy()[allowed], turns["to_link_id"].to_numpy()[allowed]
    keep = ~closed[one] & ~closed[two]
    graph = coo_array((np.ones(int(keep.sum()), dtype=np.int8), (one[keep], two[keep])), shape=(n, n)).tocsr()
    many, part_of = connected_components(graph, directed=True, connection="strong")
    # of links to strong parts, then which part reaches which: nearly all links are in one
    starts, no_start = _by_part(city.demand.origins, closed, part_of, many)
    ends, no_end = _by_part(city.demand.destinations, closed, part_of, many)
    used_o, used_d = (np.flatnonzero(table.sum(axis=0) > 0) for table in (starts, ends))
    cross = part_of[one[keep]] != part_of[two[keep]]
    edges = part_of[one[keep]][cross], part_of[two[keep]][cross]
    back = coo_array((np.ones(edges[0].size, dtype=np.int8), (edges[1], edges[0])), shape=(many, many)).tocsr()
    reach = np.zeros((used_o.size, used_d.size))
    for column, part in enumerate(used_d):
        found = np.zeros(many, dtype=bool)
        found[breadth_first_order(back, part, directed=True, return_predecessors=False)] = True
        reach[:, column] = found[used_o]
    share = 1.0 - starts[:, used_o].toarray() @ reach @ ends[:, used_d].toarray().T
    return np.where(share < 1e-9, 0.0, share), no_start, no_end


def _by_part(access: Access, closed: np.ndarray, part_of: np.ndarray, many: int) -> tuple[Any, np.ndarray]:
    """Share of each place's trips on each strong part of the network, on open links; and places without any.

    Returns
    -------
    share : sparse array, shape (P, parts)
    none : ndarray of bool, shape (P,)
        Places that have streets, but no open one.
    """
    p = access.start.size - 1
    owner = np.repeat(np.arange(p), np.diff(access.start))
    first = np.concatenate([[True], owner[1:] != owner[:-1]]) if owner.size else np.zeros(0, dtype=bool)
    weight = access.cumulative - np.where(first, 0.0, np.concatenate([[0.0], access.cumulative[:-1]])[: owner.size])
    open_weight = np.where(closed[access.link], 0.0, weight)
    total = np.bincount(owner, open_weight, minlength=p)
    kept = total[owner] > 0
    share = np.divide(open_weight, total[owner], out=np.zeros_like(open_weight), where=kept)
    table = coo_array((share, (owner, part_of[access.link])), shape=(p, many)).tocsc()
    return table, (np.bincount(owner, minlength=p) > 0) & (total <= 0)
