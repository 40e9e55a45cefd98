"""Skims: matrices of travel time from place to place, experienced in a run or by the shortest way.

A place is a node, a zone or any other thing that trips start and end at; its number is its row in the matrix. Where no
trip was made, or no way leads, the matrix holds nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import TurnIndex
from simulation.traffic.outputs.stays import Stays

_ROWS_AT_ONCE = 128  # origins searched at once: bounds memory, 128 x links x 8 bytes


@dataclass(frozen=True, slots=True)
class Skim:
    """Mean travel time by departure interval, origin and destination.

    Parameters
    ----------
    edges_s : ndarray, shape (T + 1,)
        Departure intervals `edges_s[k] <= departure < edges_s[k + 1]`, s.
    time_s : ndarray, shape (T, P, P)
        Mean time, s; nan where no trip arrived. Axes: interval, origin, destination.
    trips : ndarray of int64, shape (T, P, P)
        Trips that the mean is over.
    """

    edges_s: np.ndarray
    time_s: np.ndarray
    trips: np.ndarray

    def to_table(self, names: Sequence[object] | None = None) -> pd.DataFrame:
        """Rows `origin`, `dest`, `departure_s`, `time_s`, `trips`, where there is a time; places by name if given."""
        k, o, d = np.nonzero(np.isfinite(self.time_s))
        label = np.arange(self.time_s.shape[1]) if names is None else np.asarray(list(names), dtype=object)
        return pd.DataFrame(
            {
                "origin": label[o], "dest": label[d], "departure_s": self.edges_s[k], "time_s": self.time_s[k, o, d],
                "trips": self.trips[k, o, d],
            }
        ).infer_objects()  # fmt: skip


def experienced_skim(
    travel_time_s: np.ndarray, depart_s: np.ndarray, orig: np.ndarray, dest: np.ndarray, *, places: int,
    edges_s: np.ndarray,
) -> Skim:  # fmt: skip
    """Mean time of the trips that were made, by place and departure.

    Parameters
    ----------
    travel_time_s : ndarray, shape (n_trips,)
        s, nan where the trip has not arrived (`EntryLog.travel_times`).
    depart_s : ndarray, shape (n_trips,)
    orig, dest : ndarray of int64, shape (n_trips,)
        Place of each trip's start and end, 0..places-1; -1 leaves a trip out.
    places : int
        Number of places, P. The matrix holds T x P x P values.
    edges_s : ndarray, shape (T + 1,)
        Bounds of the departure intervals, s, rising.

    Raises
    ------
    RunError
        Naming every fault: unequal lengths, places that are not there, bounds that do not rise.
    """
    edges = np.asarray(edges_s, dtype=float)
    faults = []
    if len({a.shape for a in map(np.asarray, (travel_time_s, depart_s, orig, dest))}) != 1:
        faults.append(f"{np.size(travel_time_s)} times, {np.size(depart_s)} departures, {np.size(orig)} origins and"
                      f" {np.size(dest)} destinations")  # fmt: skip
    for name, place in (("origins", orig), ("destinations", dest)):
        if np.size(place) and (np.min(place) < -1 or np.max(place) >= places):
            faults.append(
                f"{name} run from {np.min(place)} to {np.max(place)}; allowed: 0 to {places - 1}, -1 for none"
            )
    if edges.ndim != 1 or edges.size < 2 or np.any(np.diff(edges) <= 0):
        faults.append(f"edges_s must hold two or more instants that rise; found {edges[:4].tolist()}")
    if faults:
        raise RunError("no skim can be made: " + "; ".join(faults))
    k = np.searchsorted(edges, depart_s, side="right") - 1
    used = np.isfinite(travel_time_s) & (k >= 0) & (k < edges.size - 1) & (orig >= 0) & (dest >= 0)
    cell = (k[used] * places + orig[used]) * places + dest[used]
    shape = (edges.size - 1, places, places)
    size = shape[0] * places * places
    trips = np.bincount(cell, minlength=size).reshape(shape)
    total = np.bincount(cell, weights=travel_time_s[used], minlength=size).reshape(shape)
    return Skim(edges, np.divide(total, trips, out=np.full(shape, np.nan), where=trips > 0), trips)


def link_times(log: EntryLog | Stays, edges_s: np.ndarray, *, free_time_s: np.ndarray) -> np.ndarray:
    """Mean time over each link of those who entered in each interval, s; free flow where nobody did.

    Vehicles that were still on the link when the log ended do not count. Shape (T, n_links); `edges_s` as in
    `experienced_skim`, `free_time_s` (n_links,).
    """
    n, edges = free_time_s.size, np.asarray(edges_s, dtype=float)
    stays = log if isinstance(log, Stays) else Stays.of(log, n_links=n)
    k = np.searchsorted(edges, stays.entry_s, side="right") - 1
    used = np.isfinite(stays.exit_s) & (k >= 0) & (k < edges.size - 1)
    cell = k[used] * n + stays.link[used]
    shape = (edges.size - 1, n)
    count = np.bincount(cell, minlength=shape[0] * n).reshape(shape)
    total = np.bincount(cell, weights=(stays.exit_s - stays.entry_s)[used], minlength=shape[0] * n).reshape(shape)
    return np.divide(total, count, out=np.tile(free_time_s, (shape[0], 1)), where=count > 0)


def shortest_times(
    time_s: np.ndarray,
    turns: TurnIndex,
    origins: Sequence[np.ndarray] | np.ndarray,
    destinations: Sequence[np.ndarray] | np.ndarray,
) -> np.ndarray:
    """Time of the shortest way from place to place, first and last link included, by allowed turns.

    Parameters
    ----------
    time_s : ndarray, shape (n_links,)
        Time over each link, above 0, s; inf closes a link. For a skim of an hour, a row of `link_times`: the way is
        then the shortest by the times of that hour throughout.
    turns : TurnIndex
        Allowed movements and their penalties.
    origins, destinations : sequence of P and Q arrays of int64, or one array
        Links at which each place lets trips start and end (of a node: the links out of it and into it; `node_links`);
        the quickest counts. One array names one link a place.

    Returns
    -------
    ndarray, shape (P, Q)
        s; nan where no way leads. A place without links is reached by none.

    Raises
    ------
    RunError
        If a link is not there or a time is not above 0.
    """
    time = np.asarray(time_s, dtype=float)
    n, p, q = time.size, len(origins), len(destinations)
    if not (time > 0).all():
        raise RunError(f"link times must be above 0 s; link {int(np.argmin(time > 0))} has {time[~(time > 0)][0]:g} s")
    start = [np.atleast_1d(np.asarray(links, dtype=np.int64)) for links in origins]
    end = [np.atleast_1d(np.asarray(links, dtype=np.int64)) for links in destinations]
    named = np.concatenate([np.zeros(0, np.int64), *start, *end])
    if named.size and (named.min() < 0 or named.max() >= n):
        raise RunError(f"places name links {named.min()} to {named.max()}; links run from 0 to {n - 1}")
    # nodes of the search: the link itself stands for "at its end"; origins lie before the first link, destinations
    # after the last, at no cost but a sliver, which a sparse matrix needs to tell it from no edge
    sliver = 1e-9
    after = np.repeat(np.arange(n), np.diff(turns.in_start))
    first, last = _flat(start), _flat(end)
    edges = [
        (turns.in_link, after, turns.in_penalty + time[after]),
        (n + first[0], first[1], time[first[1]]),
        (last[1], n + p + last[0], np.full(last[0].size, sliver)),
    ]
    tail, head, cost = (np.concatenate(part) for part in zip(*edges))
    open_ = np.isfinite(cost)
    graph = coo_array((cost[open_], (tail[open_], head[open_])), shape=(n + p + q, n + p + q)).tocsr()
    out = np.empty((p, q))
    for k in range(0, p, _ROWS_AT_ONCE):
        rows = np.arange(k, min(k + _ROWS_AT_ONCE, p))
        out[rows] = dijkstra(graph, indices=n + rows)[:, n + p :] - sliver
    return np.where(np.isfinite(out), out, np.nan)


def node_links(
    nodes: np.ndarray, from_node: np.ndarray, to_node: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Links out of and into each of some nodes, as `shortest_times` takes them."""
    return _grouped(nodes, from_node), _grouped(nodes, to_node)


def zone_access(link_zone: pd.DataFrame, links: pd.DataFrame, zones: pd.DataFrame, usable: np.ndarray) -> np.ndarray:
    """One link a zone that stands for it in a skim: of those mostly inside, the one nearest its centroid.

    Parameters
    ----------
    link_zone : DataFrame
        `link_id`, `zone_id`, `share`.
    links : GeoDataFrame
        `link_id` (0..n-1 in order) and geometry, in the frame of the zones' `x_m`, `y_m`.
    zones : DataFrame
        `zone_id`, `x_m`, `y_m`.
    usable : ndarray of bool, shape (n_links,)
        Links that may be chosen, e.g. `network.core_links`.

    Returns
    -------
    ndarray of int64, shape (n_zones,)
        In the order of `zones`; -1 where a zone has no usable link.
    """
    middle = links["geometry"].interpolate(0.5, normalized=True)
    inside = link_zone[(link_zone["share"] >= 0.5) & usable[link_zone["link_id"].to_numpy()]].merge(
        zones[["zone_id", "x_m", "y_m"]], on="zone_id"
    )
    at = middle.iloc[inside["link_id"].to_numpy()]
    away = np.hypot(at.x.to_numpy() - inside["x_m"].to_numpy(), at.y.to_numpy() - inside["y_m"].to_numpy())
    best = (
        inside.assign(away=away).sort_values(["away", "link_id"]).groupby("zone_id", observed=True)["link_id"].first()
    )
    return best.reindex(zones["zone_id"]).fillna(-1).to_numpy(dtype=np.int64)


def zones_of_links(link_zone: pd.DataFrame, zones: pd.DataFrame, n_links: int) -> np.ndarray:
    """The zone that most of each link lies in, as its row of `zones`; -1 where it lies in none. int64, (n_links,).

    Of trips with links as ends it makes the places of `experienced_skim`: `zones_of_links(...)[origin_link_id]`.
    """
    row = pd.Series(np.arange(len(zones)), index=zones["zone_id"].astype("str").to_numpy())
    ranked = link_zone.assign(row=row.reindex(link_zone["zone_id"].astype("str")).to_numpy())
    ranked = ranked.sort_values(["link_id", "share", "row"], ascending=[True, False, True])
    first = ranked.drop_duplicates("link_id")
    out = np.full(n_links, -1, dtype=np.int64)
    out[first["link_id"].to_numpy()] = first["row"].fillna(-1).to_numpy(dtype=np.int64)
    return out


def _flat(groups: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Place and link of every access."""
    place = np.repeat(np.arange(len(groups)), [group.size for group in groups])
    return place, np.concatenate([np.zeros(0, np.int64), *groups])


def _grouped(nodes: np.ndarray, node_of_link: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(node_of_link, kind="stable")
    bounds = np.searchsorted(node_of_link[order], [nodes, np.asarray(nodes) + 1], side="left")
    return [order[a:b] for a, b in bounds.T]
