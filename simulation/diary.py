"""What drivers keep from one day to the next: the ways they mean to drive, and the rules under which they set out.

A diary goes with one run (`City.run(diary=...)`). With ways, its trips drive those from end to end; without, they
follow the routes of the run. Either way it notes for each trip which closures, charges and banned turns held for it as
it was released, so that a search for better ways obeys the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulation.traffic.network import TurnIndex
from simulation.traffic.paths import Paths
from simulation.traffic.routing import CLOSED_PENALTY_S
from simulation.traffic.trips import Trips

if TYPE_CHECKING:
    from simulation.live import LiveCity


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Rules:
    """What held from some release on. G groups of vehicles, n links."""

    closed: np.ndarray  # (G, n) bool
    charge_s: np.ndarray  # (G, n)
    turns: TurnIndex

    @property
    def cost_s(self) -> np.ndarray:
        """What links cost beside time, s: charges, and what keeps everybody out of a closed street who can. (G, n)."""
        return np.asarray(self.charge_s + CLOSED_PENALTY_S * self.closed)


class Diary:
    """Ways and rules of one run's trips, in the order of their release.

    Parameters
    ----------
    ways : Paths, optional
        One a trip; a trip whose way is empty, or leads from or to other links than its own, follows the routes.

    Attributes
    ----------
    rules : list of Rules
        Different ones, in order of time.
    """

    def __init__(self, ways: Paths | None = None) -> None:
        self.ways = ways
        self.rules: list[Rules] = []
        self._rule: list[np.ndarray] = []
        self._group: list[np.ndarray] = []

    def given(self, live: LiveCity, trips: Trips, dest_link: np.ndarray) -> Trips:
        """Note trips that are about to be released, and give them their ways."""
        routes = live.routes
        last = self.rules[-1] if self.rules else None
        if last is None or not (
            np.array_equal(last.closed, routes.closed) and np.array_equal(last.charge_s, routes.charge_s)
            and last.turns is routes.turns
        ):  # fmt: skip
            self.rules.append(
                Rules(closed=routes.closed.copy(), charge_s=routes.charge_s.copy(), turns=routes.turns)
            )  # fmt: skip
        self._rule.append(np.full(len(trips), len(self.rules) - 1))
        self._group.append(trips.layer // routes.perceptions)
        if self.ways is None or not len(trips):
            return trips
        first = live.engine.released
        number = first + np.arange(len(trips))
        here = self.ways.take(number[number < len(self.ways)])
        size = np.zeros(len(trips), dtype=np.int64)
        size[: len(here)] = np.diff(here.start)
        some = np.flatnonzero(size)
        fits = np.zeros(len(trips), dtype=bool)
        fits[some] = (here.links[here.start[some]] == trips.origin_link[some]) & (
            here.links[here.start[some + 1] - 1] == dest_link[some]
        )
        links = here.links[np.repeat(fits[: len(here)], size[: len(here)])]
        start = np.concatenate([[0], np.cumsum(np.where(fits, size, 0))]).astype(np.int64)
        return replace(trips, paths=Paths(links=links, start=start))

    def drop(self, taken: int) -> None:
        """Forget the last trips, which were taken back before they departed."""
        if taken:
            for notes in (self._rule, self._group):
                notes[-1] = notes[-1][: notes[-1].size - taken]

    @property
    def rule(self) -> np.ndarray:
        """Place in `rules` of each trip. Shape (k,)."""
        return np.concatenate([*self._rule, np.zeros(0, dtype=np.int64)]).astype(np.int64)

    @property
    def group(self) -> np.ndarray:
        """Row of its rules of each trip. Shape (k,)."""
        return np.concatenate([*self._group, np.zeros(0, dtype=np.int64)]).astype(np.int64)
