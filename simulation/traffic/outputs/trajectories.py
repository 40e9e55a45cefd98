"""Trajectories: time and space of a sample of trips, exact within the kinematic-wave model.

The engine decides when a vehicle enters and leaves a link. In between, the vehicle's place follows from the vehicles
ahead (Newell 1993, doi:10.1016/0191-2615(93)90038-C; vehicle by vehicle: Newell 2002,
doi:10.1016/S0191-2615(00)00044-8): at the place where j vehicles fit between it and the link's end, x = L - j / kappa
(with kappa the jam density at which whole vehicles fill the link), it moves on no earlier than
`exit of the j-th vehicle ahead + (L - x) / w`. So it drives freely, meets the tail of the queue, and moves up, stop by
stop, as those ahead leave. Lines between these points are straight. Where the gridlock rules moved vehicles, which they
do against the model, places may overlap.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.streams import Purpose, uniform
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays, make_links
from simulation.traffic.outputs.stays import Stays
from simulation.traffic.outputs.trajectory_kernels import positions

COLUMNS = ("trip", "link_id", "time_s", "distance_m", "route_m")


def sample_trips(n_trips: int, *, count: int, seed: int) -> np.ndarray:
    """Numbers of a sample of trips, in order: those with the smallest keyed random numbers.

    A larger sample with the same seed holds the smaller one.

    Raises
    ------
    RunError
        If `count` is below 0.
    """
    if count < 0:
        raise RunError(f"count={count} trips; allowed: 0 or more")
    lot = uniform(seed, 0, np.arange(n_trips), Purpose.TRIP_KEEP) if n_trips else np.zeros(0)
    return np.sort(np.argsort(lot, kind="stable")[:count])


def trajectories(log: EntryLog, arrays: LinkArrays, *, trips: np.ndarray) -> pd.DataFrame:
    """Where some trips were when.

    Parameters
    ----------
    log : EntryLog
        Of all vehicles, not of the sample alone: those ahead shape the trajectories.
    arrays : LinkArrays
        The links as they were in the run.
    trips : ndarray of int64
        Which trips (`sample_trips`).

    Returns
    -------
    DataFrame
        `trip`, `link_id`, `time_s`, `distance_m` from the start of the link, `route_m` from the start of the trip; in
        order of trip and time. Each traversal begins with a row at 0 m and, if it has ended, ends with one at the
        link's length; between two rows the vehicle drives at constant speed. A vehicle that is still on its link when
        the log ends is followed to that instant.

    Raises
    ------
    RunError
        If a trip is not in the log.
    """
    chosen = np.unique(np.asarray(trips, dtype=np.int64))
    if chosen.size and (chosen[0] < 0 or chosen[-1] >= log.n_trips):
        raise RunError(f"trips {chosen[0]} to {chosen[-1]} asked for; the log has trips 0 to {log.n_trips - 1}")
    n = arrays.length_m.size
    stays = Stays.of(log, n_links=n)
    mine = np.zeros(log.n_trips, dtype=bool)
    mine[chosen] = True
    wanted = np.flatnonzero(mine[stays.trip])
    wanted = wanted[np.argsort(stays.trip[wanted], kind="stable")]
    physics = make_links(arrays)
    rows, start = stays.by_link(n)
    which, time, place = positions(
        wanted[np.argsort(stays.link[wanted], kind="stable")], rows, start, stays.link, stays.entry_s, stays.exit_s,
        arrays.length_m, np.array(physics["free_time"]), np.array(physics["wave_time"]),
        physics["storage"].astype(np.int64), log.end_s,
    )  # fmt: skip
    order = np.lexsort((np.arange(which.size), which, stays.trip[which]))
    which, time, place = which[order], time[order], place[order]
    table = pd.DataFrame(
        {
            "trip": stays.trip[which].astype(np.int64), "link_id": stays.link[which].astype(np.int64), "time_s": time,
            "distance_m": place,
        }
    )  # fmt: skip
    length = arrays.length_m[stays.link[wanted]]
    new_trip = np.diff(stays.trip[wanted], prepend=-1) != 0
    total = np.concatenate([[0.0], np.cumsum(length)])[:-1]
    behind = total - np.repeat(total[new_trip], np.diff(np.flatnonzero(np.append(new_trip, True))))
    before = pd.Series(behind, index=wanted)
    return table.assign(route_m=before.loc[which].to_numpy() + place)[list(COLUMNS)]
