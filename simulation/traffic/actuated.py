"""Vehicle-actuated signals: greens that last as long as vehicles come, for many junctions at once.

A fully actuated single ring as the FHWA Signal Timing Manual (2008, FHWA-HOP-08-024, chapters 4 and 5) describes it:
each phase has a minimum and a maximum green; a green ends when no vehicle is within the passage time of the stop line
(gap-out) or the maximum is reached (max-out), but only if another phase has a vehicle waiting; phases without one are
skipped; without any call the green rests. The maximum counts from the first call of another phase, or from the
beginning of the green if the call was there before.

Detectors see what the engine knows: who stands at the stop line, and who will reach it within the passage time at free
flow (a detector that far upstream). The bank looks at a junction only when something can have changed: no sooner than
the queue in green can have gone, or than a vehicle can have come up an empty approach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulation.errors import RunError
from simulation.traffic.actuated_kernels import NONE, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Actuation:
    """Settings of an actuated junction, s.

    Defaults are within the ranges of the Signal Timing Manual: minimum green 7 to 15 s on main streets (table 5-3),
    maximum 30 to 60 s (table 5-5), passage time 2 to 4 s (section 5.4). `lost_s` is the time between two greens in
    which nobody drives, as in fixed plans; the bank looks in steps of `resolution_s`.
    """

    min_green_s: float = 8.0
    max_green_s: float = 45.0
    passage_s: float = 3.0
    lost_s: float = 4.0
    resolution_s: float = 1.0

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= self.min_green_s <= self.max_green_s <= 600:
            faults.append(f"green from {self.min_green_s:g} to {self.max_green_s:g} s; allowed: 1 <= min <= max <= 600")
        if not 0 <= self.passage_s <= 30:
            faults.append(f"passage_s={self.passage_s:g}; allowed: 0 to 30")
        if not 0 <= self.lost_s <= 30:
            faults.append(f"lost_s={self.lost_s:g}; allowed: 0 to 30")
        if not 0.1 <= self.resolution_s <= 10:
            faults.append(f"resolution_s={self.resolution_s:g}; allowed: 0.1 to 10")
        if faults:
            raise RunError("signals cannot be actuated: " + "; ".join(faults))


class ActuatedBank:
    """Actuated junctions, looked at together.

    Parameters
    ----------
    phases : sequence of sequences of ndarray
        Links of each phase of each junction.
    settings : Actuation
    free_time_s, headway_s : ndarray, shape (n_links,)
        Of all links of the network, s: time over the empty link, time between vehicles that leave it in green.
    now_s : float
        Begin, s.
    phase : ndarray of int64, shape (junctions,), optional
        Phase that is green then; the first if not given.

    Attributes
    ----------
    links : ndarray of int64, shape (a,)
        Approaches of all junctions, in order.
    state : dict of ndarray
        All that the bank remembers, changed in place: `phase`, `coming` (-1 in green), `since`, `call_since`, `due`.
    """

    def __init__(
        self,
        phases: Sequence[Sequence[np.ndarray]],
        settings: Actuation,
        *,
        free_time_s: np.ndarray,
        headway_s: np.ndarray,
        now_s: float,
        phase: np.ndarray | None = None,
    ) -> None:
        self.settings = settings
        flat = [np.asarray(links, dtype=np.int64) for junction in phases for links in junction]
        self.links = np.concatenate(flat) if flat else np.zeros(0, dtype=np.int64)
        self._phase_start = np.concatenate([[0], np.cumsum([len(junction) for junction in phases])]).astype(np.int64)
        self._link_start = np.concatenate([[0], np.cumsum([links.size for links in flat])]).astype(np.int64)
        self._free, self._headway = free_time_s[self.links], headway_s[self.links]
        n = len(phases)
        self.state: dict[str, np.ndarray] = {
            "phase": np.zeros(n, dtype=np.int64) if phase is None else np.array(phase, dtype=np.int64),
            "coming": np.full(n, NONE, dtype=np.int64),
            "since": np.full(n, float(now_s)),
            "call_since": np.full(n, np.inf),
            "due": np.full(n, float(now_s) + settings.min_green_s),
        }
        self._to_green, self._to_red = np.zeros_like(self.links), np.zeros_like(self.links)

    @property
    def due_s(self) -> float:
        """When a junction is to be looked at next, s; inf if there is none."""
        return float(self.state["due"].min(initial=np.inf))

    def lights(self) -> tuple[np.ndarray, np.ndarray]:
        """Links that are green and links that are red now."""
        green = [self._of(k) for k in range(self.state["phase"].size) if self.state["coming"][k] == NONE]
        on = np.concatenate(green) if green else np.zeros(0, dtype=np.int64)
        return on, np.setdiff1d(self.links, on)

    def look(
        self, now_s: float, queued: np.ndarray, near: np.ndarray, on_link: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decide at every junction that is due.

        Parameters
        ----------
        now_s : float
        queued, near, on_link : ndarray, shape (a,)
            Vehicles of each of `links`: at the stop line, there within the passage time, in all.

        Returns
        -------
        to_green, to_red : ndarray of int64
            Links whose light changes.
        """
        how, state = self.settings, self.state
        n_green, n_red = decide(
            float(now_s), state["phase"], state["coming"], state["since"], state["call_since"], state["due"],
            self._phase_start, self._link_start, queued, near, on_link, self._free, self._headway,
            how.min_green_s, how.max_green_s, how.lost_s, how.resolution_s, self.links, self._to_green, self._to_red,
        )  # fmt: skip
        return self._to_green[:n_green].copy(), self._to_red[:n_red].copy()

    def _of(self, k: int) -> np.ndarray:
        """Links of the present phase of a junction."""
        p = self._phase_start[k] + self.state["phase"][k]
        return self.links[self._link_start[p] : self._link_start[p + 1]]
