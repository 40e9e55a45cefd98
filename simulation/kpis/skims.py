"""Travel times from place to place by car, on the times that links had in some hours of a run.

Each place is stood for by its heaviest access links. A time is that of the fastest way if the hour's mean link times
held all along it (an instantaneous time, not one that a driver experienced), from the end of the first link to the end
of the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulation.demand.spec import Access, DemandSpec
from simulation.kpis.ledger import Ledger
from simulation.route_use import access_weights
from simulation.traffic.routing import CLOSED_PENALTY_S, Routes, free_times

if TYPE_CHECKING:
    from simulation.traffic.network import LinkArrays, TurnIndex

#: Access links that stand for a place, the heaviest ones; assumption.
LINKS_PER_PLACE = 3
#: Longest mean time over a link that is believed, s: a link on which vehicles stood and nobody drove has none.
LONGEST_LINK_S = 3600.0


def link_times(ledger: Ledger, arrays: LinkArrays) -> np.ndarray:
    """Mean time over each link in each noted hour, s: its length over the mean speed there, never below free flow.

    Free flow with the mean wait at a signal where nobody drove. Shape (K, n_links).
    """
    free = free_times(arrays)
    least = arrays.length_m / arrays.speed_mps
    out = np.empty((len(ledger.hour_starts), free.size))
    for k, (distance, time) in enumerate(zip(ledger.link_distance_m, ledger.link_time_s)):
        pace = np.divide(time, distance, out=np.full(free.size, np.inf), where=distance > 0)
        seen = np.clip(pace * arrays.length_m, least, LONGEST_LINK_S)
        out[k] = np.where(time > 0, seen, free)
    return out


def place_skim(
    arrays: LinkArrays, turns: TurnIndex, demand: DemandSpec, closed: np.ndarray, link_time_s: np.ndarray
) -> np.ndarray:
    """Mean time from each place to each, s; nan where no way leads. Shape (K, P, P): hour, origin, destination.

    Parameters
    ----------
    arrays, turns
        Of the city.
    demand : DemandSpec
        Reads places and where their trips start and end.
    closed : ndarray of bool, shape (K, n_links)
        Links that cars may not use in each hour.
    link_time_s : ndarray, shape (K, n_links)
    """
    n = link_time_s.shape[1]
    begins, ends = _heaviest(demand.origins), _heaviest(demand.destinations)
    targets = np.unique(ends.link)
    weight_from, weight_to = access_weights(begins, np.arange(n)), access_weights(ends, targets)
    routes = Routes(
        arrays, turns, targets, np.zeros((1, n), dtype=bool), seed=0, perceptions=1, perception_sd=0.0,
        switch_share=0.0, switch_s=0.0,
    )  # fmt: skip
    places = len(demand.places)
    out = np.full((len(link_time_s), places, places), np.nan, dtype=np.float32)
    for k, times in enumerate(link_time_s):
        routes.known_s[:] = times
        routes.set_closed(closed[k][None, :])
        routes.update()
        to = routes.time_to()  # (targets, n)
        open_way = (to < CLOSED_PENALTY_S) & ~closed[k][None, :]
        total = weight_to @ (weight_from @ np.where(open_way, to, 0.0).T).T
        known = weight_to @ (weight_from @ open_way.T.astype(float)).T
        with np.errstate(invalid="ignore", divide="ignore"):
            out[k] = np.where(known > 1e-9, total / known, np.nan).T
    return out


def _heaviest(access: Access) -> Access:
    """The heaviest links of each place alone, their weights summing to 1."""
    start, link, cumulative = [0], [], []
    for first, last in zip(access.start[:-1], access.start[1:]):
        weight = np.diff(access.cumulative[first:last], prepend=0.0)
        kept = np.sort(np.argsort(-weight, kind="stable")[:LINKS_PER_PLACE])
        share = weight[kept] / max(float(weight[kept].sum()), 1e-12)
        link.append(access.link[first:last][kept])
        cumulative.append(np.cumsum(share))
        start.append(start[-1] + kept.size)
    return Access(start=np.array(start, dtype=np.int64), link=np.concatenate(link).astype(np.int64),
                  cumulative=np.concatenate(cumulative))  # fmt: skip


def mean_times(skim_s: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean time of the trips from each place, weighted by trips; nan where none has a known time. Shape (P,).

    Parameters
    ----------
    skim_s : ndarray, shape (K, P, P)
    weight : ndarray, shape (P, P)
        Trips.
    """
    known = np.isfinite(skim_s)
    total = (np.where(known, skim_s, 0.0) * weight).sum(axis=(0, 2), dtype=float)
    trips = (known * weight).sum(axis=(0, 2), dtype=float)
    return np.divide(total, trips, out=np.full(trips.shape, np.nan), where=trips > 0)
