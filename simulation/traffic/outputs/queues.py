"""Queue maps: on which link vehicles waited, how many, when and for how long.

A vehicle is queued while it is on a link beyond its free-flow time there. Vehicles that wait at the gate of their first
link are on no link; `gate_waits` tells of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.outputs.stay_kernels import count_at, delay_by_link
from simulation.traffic.outputs.stays import Stays


def queue_map(log: EntryLog | Stays, times_s: np.ndarray, *, free_time_s: np.ndarray) -> pd.DataFrame:
    """Vehicles on every link at some instants.

    Parameters
    ----------
    log : EntryLog or Stays
    times_s : ndarray, shape (T,)
        Instants, s, rising.
    free_time_s : ndarray, shape (n_links,)
        Time over each empty link, s (`stays.free_flow_times`).

    Returns
    -------
    DataFrame
        `link_id`, `time_s`, `on_link_veh`, `queue_veh` (those past their free-flow time); a row for each link that
        holds a vehicle at that instant, by instant, then link.

    Raises
    ------
    RunError
        If the instants do not rise.
    """
    times = np.asarray(times_s, dtype=float)
    if times.ndim != 1 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise RunError(f"times_s must be finite and rise; found {times[:5].tolist()} of {times.size}")
    n = free_time_s.size
    stays = log if isinstance(log, Stays) else Stays.of(log, n_links=n)
    on_link, queued = np.zeros((times.size, n), np.int32), np.zeros((times.size, n), np.int32)
    count_at(stays.link, stays.entry_s, stays.exit_s, free_time_s, times, on_link, queued)
    when, link = np.nonzero(on_link)
    return pd.DataFrame(
        {
            "link_id": link, "time_s": times[when], "on_link_veh": on_link[when, link],
            "queue_veh": queued[when, link],
        }
    )  # fmt: skip


def link_delays(log: EntryLog | Stays, *, free_time_s: np.ndarray, until_s: float | None = None) -> np.ndarray:
    """Time that all vehicles spent on each link beyond free flow, until the end of the log or an instant before, s.

    Shape (n_links,).
    """
    stays = log if isinstance(log, Stays) else Stays.of(log, n_links=free_time_s.size)
    return delay_by_link(stays.link, stays.entry_s, stays.exit_s, free_time_s, _end(log, stays, until_s))


def gate_waits(log: EntryLog, depart_s: np.ndarray, origin: np.ndarray) -> pd.DataFrame:
    """How long trips waited to start, by the place where they did.

    Parameters
    ----------
    log : EntryLog
    depart_s : ndarray, shape (n_trips,)
        s.
    origin : ndarray of int64, shape (n_trips,)
        Node or link where each trip starts.

    Returns
    -------
    DataFrame
        `origin`, `trips`, `entered`, `wait_s` (sum; those that never entered count to the end of the log),
        `longest_s`; the longest sum first.
    """
    if depart_s.shape != origin.shape or depart_s.size < log.n_trips:
        raise RunError(f"depart_s and origin need {log.n_trips} trips or more; found {depart_s.shape}, {origin.shape}")
    start = log.starts(depart_s.size)
    wait = np.maximum(np.where(np.isnan(start), max(log.end_s, 0.0), start) - depart_s, 0.0)
    table = pd.DataFrame({"origin": origin, "entered": np.isfinite(start), "wait": wait}).groupby("origin")
    out = table.agg(trips=("wait", "size"), entered=("entered", "sum"), wait_s=("wait", "sum"),
                    longest_s=("wait", "max"))  # fmt: skip
    return out.reset_index().sort_values(["wait_s", "origin"], ascending=[False, True], ignore_index=True)


@dataclass(frozen=True, slots=True)
class QueuePeriod:
    """The time around a link's longest queue in which its queue never dissolved."""

    begin_s: float
    peak_s: float
    end_s: float  # inf where it lasts to the end of the log
    queue_veh: int  # at the peak
    arrived_veh: int  # vehicles past their free-flow time from begin to peak


def longest_queue(entry_s: np.ndarray, exit_s: np.ndarray, free_time_s: float) -> QueuePeriod | None:
    """The period of a link's longest queue; None where nobody waited.

    Parameters
    ----------
    entry_s, exit_s : ndarray, shape (s,)
        Of every vehicle on the link, s; `exit_s` is inf while there.
    """
    due = entry_s + free_time_s
    held = exit_s > due + 1e-9
    if not held.any():
        return None
    times = np.concatenate([due[held], exit_s[held & np.isfinite(exit_s)]])
    change = np.ones(times.size, dtype=np.int64)
    change[int(held.sum()) :] = -1
    order = np.lexsort((-change, times))  # at one instant, arrivals first: a queue that is handed on does not dissolve
    times, level = times[order], np.cumsum(change[order])
    peak = int(np.argmax(level))
    clear = np.flatnonzero(level == 0)
    after = clear[clear > peak]
    first = int(clear[clear < peak][-1]) + 1 if (clear < peak).any() else 0
    begin, at = float(times[first]), float(times[peak])
    arrived = int(np.count_nonzero((due >= begin) & (due <= at)))
    return QueuePeriod(begin, at, float(times[after[0]]) if after.size else np.inf, int(level[peak]), arrived)


def _end(log: EntryLog | Stays, stays: Stays, until_s: float | None) -> float:
    if until_s is not None:
        return until_s
    if isinstance(log, EntryLog):
        return log.end_s
    gone = stays.exit_s[np.isfinite(stays.exit_s)]
    return max(float(gone.max()) if gone.size else -np.inf, float(stays.entry_s[-1]) if len(stays) else -np.inf)
