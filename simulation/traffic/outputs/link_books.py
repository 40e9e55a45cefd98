"""Link books: the `link_state` table of a run, computed exactly from its entry log.

The definitions are the engine's: a link's length counts half at entry and half at exit, time as it passes (Edie 1963,
Proc. 2nd Int. Symp. on the Theory of Road Traffic Flow, 139-154), and what happens at the end of an interval belongs
to the next. So intervals may be chosen after the run, and differ from those that it was run with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from data.schemas import LINK_STATE, empty
from simulation.errors import RunError
from simulation.link_state import N_CLASSES, N_SPEED_BINS, LinkInterval, interval_table
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.outputs.stay_kernels import book_interval
from simulation.traffic.outputs.stays import Stays


def link_intervals(
    log: EntryLog,
    *,
    length_m: np.ndarray,
    free_time_s: np.ndarray,
    step_s: float,
    start_s: float = 0.0,
    end_s: float | None = None,
    vehicle_class: np.ndarray | None = None,
    speed_bins: bool = True,
) -> Iterator[LinkInterval]:
    """All links, one interval after another; memory holds one interval at a time.

    Parameters
    ----------
    log : EntryLog
        From the first vehicle on; its end is taken for the end of the run.
    length_m, free_time_s : ndarray, shape (n_links,)
        Length and time over the empty link (`stays.free_flow_times`); m, s.
    step_s, start_s : float
        Length of an interval and start of the first, s.
    end_s : float, optional
        No interval begins at or after it; default the last row of the log.
    vehicle_class : ndarray of int64, shape (n_trips,), optional
        Index into `data.schemas.VEHICLE_CLASSES` of each trip; default all 0.
    speed_bins : bool
        Whether `speed_distance_m` is filled; without, it has no bins.

    Raises
    ------
    RunError
        If the log names links, trips or classes that are not there, or `step_s` is not above 0.
    """
    klass = _check(log, length_m, free_time_s, step_s, vehicle_class)
    n = length_m.size
    stays = Stays.of(log, n_links=n)
    by_stay = klass[stays.trip]
    end = log.end_s + 1e-9 * max(1.0, abs(log.end_s)) if end_s is None else end_s
    going = np.flatnonzero((stays.entry_s < start_s) & (stays.exit_s >= start_s))
    begin, number = start_s, 0
    while begin < end:
        until = start_s + (number + 1) * step_s
        first, last = np.searchsorted(stays.entry_s, [begin, until], side="left")
        rows = np.concatenate([going, np.arange(first, last)])
        books, speed = np.zeros((5, n, N_CLASSES)), np.zeros((n, N_CLASSES, N_SPEED_BINS if speed_bins else 0))
        kept = book_interval(
            rows, stays.link, by_stay, stays.entry_s, stays.exit_s, length_m, free_time_s, begin, until, books, speed,
        )  # fmt: skip
        going = rows[kept]
        yield LinkInterval(
            start_s=begin, step_s=until - begin, vehicle_distance_m=books[0], vehicle_time_s=books[1],
            inflow_veh=books[2], outflow_veh=books[3], queue_veh=books[4], speed_distance_m=speed,
        )  # fmt: skip
        begin, number = until, number + 1


def link_state(
    log: EntryLog,
    *,
    length_m: np.ndarray,
    free_time_s: np.ndarray,
    step_s: float,
    start: pd.Timestamp,
    start_s: float = 0.0,
    end_s: float | None = None,
    vehicle_class: np.ndarray | None = None,
) -> pd.DataFrame:
    """The `link_state` table of a run.

    Parameters
    ----------
    start : Timestamp
        Instant at which the clock was zero, UTC. The others are those of `link_intervals`.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.LINK_STATE`: one row a link, interval and class that had a vehicle.
    """
    intervals = link_intervals(
        log, length_m=length_m, free_time_s=free_time_s, step_s=step_s, start_s=start_s, end_s=end_s,
        vehicle_class=vehicle_class, speed_bins=False,
    )  # fmt: skip
    tables = [interval_table(interval, start) for interval in intervals]
    return pd.concat(tables, ignore_index=True) if tables else empty(LINK_STATE)


def _check(
    log: EntryLog, length_m: np.ndarray, free_time_s: np.ndarray, step_s: float, vehicle_class: np.ndarray | None
) -> np.ndarray:
    """Class of each trip; one error that names every fault."""
    faults = []
    if not step_s > 0:
        faults.append(f"step_s={step_s:g} s must be above 0")
    if length_m.shape != free_time_s.shape:
        faults.append(f"length_m has shape {length_m.shape}, free_time_s {free_time_s.shape}; both must be (n_links,)")
    klass = np.zeros(log.n_trips, dtype=np.int64) if vehicle_class is None else np.asarray(vehicle_class, np.int64)
    if klass.size < log.n_trips:
        faults.append(f"vehicle_class names {klass.size} trips, the log {log.n_trips}")
    if klass.size and (klass.min() < 0 or klass.max() >= N_CLASSES):
        faults.append(f"vehicle classes run from 0 to {N_CLASSES - 1}; found {klass.min()} to {klass.max()}")
    if faults:
        raise RunError("the books cannot be made: " + "; ".join(faults))
    return klass
