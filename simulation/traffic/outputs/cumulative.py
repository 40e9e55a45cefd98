"""Cumulative counts: how many vehicles have passed each end of a link by then, and the delay between the curves.

With N(0, t) entries and N(L, t) exits, the vertical distance of the curves is the number of vehicles on the link, and
the area between the exits and the entries shifted by the free-flow time is the delay of all vehicles (Newell 1993,
doi:10.1016/0191-2615(93)90038-C; Cassidy & Windover 1995, Transportation Research Record 1484, 73-79). All counts are
of events strictly before an instant, as the engine counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import RunError
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.outputs.stays import Stays


@dataclass(frozen=True, slots=True)
class LinkCurves:
    """Both curves of one link: instants of entries (n,) and of exits (k <= n,), each in order, s."""

    link_id: int
    entry_s: np.ndarray
    exit_s: np.ndarray

    def entered(self, at_s: np.ndarray | float) -> np.ndarray:
        """N(0, t): vehicles that entered before each instant. Shape of `at_s`."""
        return np.searchsorted(self.entry_s, at_s, side="left")

    def left(self, at_s: np.ndarray | float) -> np.ndarray:
        """N(L, t): vehicles that left before each instant. Shape of `at_s`."""
        return np.searchsorted(self.exit_s, at_s, side="left")

    def on_link(self, at_s: np.ndarray | float) -> np.ndarray:
        """Vehicles on the link at each instant."""
        return self.entered(at_s) - self.left(at_s)

    def queue(self, at_s: np.ndarray | float, *, free_time_s: float) -> np.ndarray:
        """Vehicles past their free-flow time at each instant: the curve of virtual arrivals less that of exits."""
        return np.maximum(np.searchsorted(self.entry_s + free_time_s, at_s, side="left") - self.left(at_s), 0)

    def delay_s(self, *, free_time_s: float, until_s: float | None = None) -> float:
        """Delay of all vehicles until an instant (default the last exit), s: the area between the two curves.

        The curves are those of exits and of virtual arrivals. With or without overtaking, it is the vehicles' sum.
        """
        end = (float(self.exit_s[-1]) if self.exit_s.size else -np.inf) if until_s is None else until_s
        arrive = np.minimum(self.entry_s + free_time_s, end)
        leave = np.full(self.entry_s.size, end)
        leave[: self.exit_s.size] = np.minimum(self.exit_s, end)
        return float(np.maximum(leave - arrive, 0.0).sum()) if self.entry_s.size and np.isfinite(end) else 0.0

    def count_at(
        self, x_m: float, at_s: np.ndarray | float, *, length_m: float, speed_mps: float, wave_mps: float,
        jam_density_veh_per_m: float,
    ) -> np.ndarray:  # fmt: skip
        """N(x, t): vehicles that have passed a place on the link, by the kinematic-wave model.

        N(x, t) = min(N(0, t - x / u), N(L, t - (L - x) / w) + kappa (L - x)), the lesser of what the entries and what
        the exits allow (Newell 1993).

        Parameters
        ----------
        x_m : float
            Distance from the link's start, m, within [0, length_m].
        at_s : array_like
            Instants, s.
        length_m, speed_mps, wave_mps, jam_density_veh_per_m : float
            The link: length L, free-flow speed u, backward wave w, jam density kappa over all lanes.

        Returns
        -------
        ndarray of float
            Shape of `at_s`; not whole numbers where the second term decides.

        Raises
        ------
        RunError
            If the place is not on the link.
        """
        if not 0.0 <= x_m <= length_m:
            raise RunError(f"x_m={x_m:g} m is not on link {self.link_id}; allowed: 0 to {length_m:g} m")
        at = np.asarray(at_s, dtype=float)
        ahead = length_m - x_m
        return np.minimum(
            self.entered(at - x_m / speed_mps).astype(float),
            self.left(at - ahead / wave_mps) + jam_density_veh_per_m * ahead,
        )


def link_curves(log: EntryLog | Stays, link_ids: Sequence[int], *, n_links: int) -> list[LinkCurves]:
    """Curves of some links.

    Raises
    ------
    RunError
        If a link is not there.
    """
    ids = np.atleast_1d(np.asarray(link_ids, dtype=np.int64))
    wrong = ids[(ids < 0) | (ids >= n_links)]
    if wrong.size:
        raise RunError(f"no links {wrong[:5].tolist()}; links run from 0 to {n_links - 1}")
    stays = log if isinstance(log, Stays) else Stays.of(log, n_links=n_links)
    chosen = np.zeros(n_links, dtype=bool)
    chosen[ids] = True
    part = stays.take(np.flatnonzero(chosen[stays.link]))
    rows, start = part.by_link(n_links)
    out = []
    for link in ids:
        mine = rows[start[link] : start[link + 1]]
        gone = part.exit_s[mine]
        out.append(LinkCurves(int(link), part.entry_s[mine], np.sort(gone[np.isfinite(gone)])))
    return out


def cumulative_counts(
    log: EntryLog | Stays, link_ids: Sequence[int], times_s: np.ndarray, *, free_time_s: np.ndarray
) -> pd.DataFrame:
    """Counts of some links at some instants.

    Parameters
    ----------
    link_ids : sequence of int
    times_s : ndarray, shape (T,)
        Instants, s.
    free_time_s : ndarray, shape (n_links,)
        Time over each empty link, s.

    Returns
    -------
    DataFrame
        `link_id`, `time_s`, `entered_veh`, `left_veh`, `on_link_veh`, `queue_veh`; one row a link and instant.
    """
    times = np.asarray(times_s, dtype=float)
    curves = link_curves(log, link_ids, n_links=free_time_s.size)
    return pd.DataFrame(
        {
            "link_id": np.repeat(np.array([c.link_id for c in curves], dtype=np.int64), times.size),
            "time_s": np.tile(times, len(curves)),
            **{
                name: np.concatenate([np.zeros(0, int), *(count(c) for c in curves)])
                for name, count in (
                    ("entered_veh", lambda c: c.entered(times)),
                    ("left_veh", lambda c: c.left(times)),
                    ("on_link_veh", lambda c: c.on_link(times)),
                    ("queue_veh", lambda c: c.queue(times, free_time_s=float(free_time_s[c.link_id]))),
                )
            },
        }
    )
