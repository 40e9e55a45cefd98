"""Access of the streets that a plan closes or cuts off: do residents and emergency vehicles get there, how far round?

On empty streets, before and after, by the permanent measures: those with hours leave a way at other times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from data.schemas import VEHICLE_CLASSES
from simulation.route_use import access_weights
from simulation.traffic.routing import free_times

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.traffic.network import TurnIndex

#: Origins searched at once: bounds the memory.
_ROWS = 64
COLUMNS = (
    "link_id", "name", "closed_to", "homes_reach", "residents_before_s", "residents_after_s", "residents_detour_s",
    "emergency_before_s", "emergency_after_s", "emergency_detour_s",
)  # fmt: skip


def access_changes(city: City, changed: City, *, emergency_passes: bool = True, least_s: float = 1.0) -> pd.DataFrame:
    """Links whose access a plan changes.

    A resident's car must drive to an end of the link: to the link itself, or, where it is closed, to the end of an open
    link that leads to it, from where they walk. Emergency vehicles drive to the link's far end. Times are means over
    the places where trips begin (zones and gateways), weighted by their trips: where ambulances and engines stand is
    not known.

    Parameters
    ----------
    city, changed : City
        Before and after.
    emergency_passes : bool
        Whether emergency vehicles may drive through streets that the plan closes (bollards that sink), or must go
        round like everybody.
    least_s : float
        Changes of less are not told, s.

    Returns
    -------
    DataFrame
        One row for each link that is closed to cars, or reached later or earlier by `least_s` or more, or no longer:
        `link_id`, `name`, `closed_to` (classes), `homes_reach` (share of the trips' origins from which residents still
        reach it), and before, after and detour, s (inf where there is no way), of residents and emergency vehicles.
        Worst first.
    """
    n = len(city.links)
    origins = access_weights(city.demand.origins, np.arange(n))
    weight = city.pair_trips().sum(axis=1)
    weight = np.asarray(origins.T @ (weight / max(weight.sum(), 1e-12)))
    starts = np.flatnonzero(weight > 0)
    before_closed, after_closed = city.closed_array()[0], changed.closed_array()[0]
    before = _times(city, before_closed, starts)
    after = _times(changed, after_closed, starts)
    freed = _times(changed, before_closed, starts) if emergency_passes else after
    feeders = city.turn_index()
    share = weight[starts] / weight[starts].sum()
    own_before, _ = _mean(_walked(before, before_closed, feeders), share)
    own_after, reach = _mean(_walked(after, after_closed, feeders), share)
    siren_before, siren_after = _mean(before, share)[0], _mean(freed, share)[0]
    with np.errstate(invalid="ignore"):
        detour, siren = own_after - own_before, siren_after - siren_before
    moved = ~(np.abs(np.nan_to_num(detour, nan=0.0)) < least_s) | ~(np.abs(np.nan_to_num(siren, nan=0.0)) < least_s)
    rows = np.flatnonzero(moved | (after_closed & ~before_closed))
    closed = changed.closed_array()
    table = pd.DataFrame({
        "link_id": rows,
        "name": city.links["name"].to_numpy()[rows] if "name" in city.links.columns else "",
        "closed_to": [", ".join(k for k, shut in zip(VEHICLE_CLASSES, closed[:, row]) if shut) for row in rows],
        "homes_reach": reach[rows], "residents_before_s": own_before[rows], "residents_after_s": own_after[rows],
        "residents_detour_s": detour[rows], "emergency_before_s": siren_before[rows],
        "emergency_after_s": siren_after[rows], "emergency_detour_s": siren[rows],
    }, columns=list(COLUMNS))  # fmt: skip
    worst = np.maximum(table["residents_detour_s"].fillna(0.0), table["emergency_detour_s"].fillna(0.0))
    return table.loc[worst.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def _times(city: City, closed: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Free-flow time from the beginning of each start link to the end of each link, s, inf without a way. (S, n)."""
    turns, free = city.turn_index(), free_times(city.link_arrays())
    n = free.size
    into = np.repeat(np.arange(n), np.diff(turns.in_start))
    use = ~closed[into] & ~closed[turns.in_link]
    cost = np.maximum(free[into] + turns.in_penalty, 1e-6)
    graph = csr_array((cost[use], (turns.in_link[use], into[use])), shape=(n, n))
    out = np.empty((starts.size, n))
    for first in range(0, starts.size, _ROWS):
        part = starts[first : first + _ROWS]
        out[first : first + _ROWS] = dijkstra(graph, indices=part) + free[part, None]
    out[closed[starts]] = np.inf
    out[:, closed] = np.inf
    return out


def _walked(times: np.ndarray, closed: np.ndarray, turns: TurnIndex) -> np.ndarray:
    """Times at which residents are at the link: its own or, where closed, the earliest of those that lead to it."""
    out = times.copy()
    for link in np.flatnonzero(closed):
        feeding = turns.in_link[turns.in_start[link] : turns.in_start[link + 1]]
        out[:, link] = times[:, feeding].min(axis=1) if feeding.size else np.inf
    return out


def _mean(times: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the starts that reach each link, inf where none does, and the share that does."""
    known = np.isfinite(times)
    reach = share @ known
    total = share @ np.where(known, times, 0.0)
    return np.divide(total, reach, out=np.full(reach.shape, np.inf), where=reach > 0), reach
