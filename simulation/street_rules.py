"""The rules of a living city's streets: what each vehicle class may not enter, must pay, or would rather drive around.

Closures, tolls, avoided streets and banned turns change amid a run. Classes under the same rules share a group, and
with it their routes; whenever rules change, drivers under way choose again in the group that is now theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.errors import RunError
from simulation.standing import Avoided, avoided_table, hold
from simulation.streams import Purpose, uniform
from simulation.traffic.costs import Toll, by_group, cost_groups, toll_eur
from simulation.traffic.engine import TrafficEngine
from simulation.traffic.network import LinkArrays
from simulation.traffic.routing import CLOSED_PENALTY_S, N_PERCEPTIONS, Routes

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.demand.trips import DayTrips


class StreetRules:
    """Rules in force, and the routes under them. They begin as those that the city has for good.

    Parameters
    ----------
    city : City
    base : LinkArrays
        Its links as built.
    engine : TrafficEngine
        Its vehicles follow the rules at once.
    seed : int
    informed_share : float
        Share of drivers who look at travel times, 0 to 1; the others drive by habit.
    redraw : callable
        Called when trips that have not departed may choose anew, or start elsewhere.

    Attributes
    ----------
    routes : Routes
    """

    def __init__(
        self,
        city: City,
        base: LinkArrays,
        engine: TrafficEngine,
        *,
        seed: int,
        informed_share: float,
        redraw: Callable[[], None],
    ) -> None:
        self._base, self._engine, self._costs = base, engine, city.costs
        self._seed, self._informed_share, self._redraw = seed, informed_share, redraw
        self._closures = city.closed_array().astype(np.int64)  # how many closures hold, (classes, n)
        self._avoided: list[Avoided] = list(city.avoided)
        self._tolls: list[Toll] = list(city.tolls)
        self._turns = city.turn_index()
        self._turn_bans = np.zeros(self._turns.in_link.size, dtype=np.int64)  # how many bans hold
        closed, charge_s = self._kinds()
        self._group = cost_groups(closed, charge_s)  # of each class, then of its avoiders, where there are any
        self.routes = Routes(
            base, self._turns, city.demand.dest_link, by_group(closed, self._group), seed=seed,
            charge_s=by_group(charge_s, self._group), habits=0 if informed_share == 1 else N_PERCEPTIONS,
        )  # fmt: skip

    def closed(self) -> np.ndarray:
        """Links closed now, bool, shape (classes, n_links)."""
        return self._closures > 0

    def charge_s(self) -> np.ndarray:
        """Tolls and costs of distance in force, in seconds of each class's time. Shape (classes, n_links)."""
        length_m = self._base.length_m
        return self._costs.charge_s(length_m, toll_eur(self._tolls, length_m.size))

    def close(self, links: np.ndarray, classes: Iterable[int] | None, by: int) -> None:
        """Close links to vehicle classes (indices; all if None) with `by` 1, take one closure back with -1.

        Raises
        ------
        RunError
            If a class is unknown, or a link is opened that is not closed.
        """
        rows = np.arange(len(VEHICLE_CLASSES)) if classes is None else np.array(list(classes), dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(VEHICLE_CLASSES)):
            raise RunError(
                f"vehicle classes {rows.tolist()}; allowed: 0 to {len(VEHICLE_CLASSES) - 1}, {VEHICLE_CLASSES}"
            )
        cells = np.ix_(rows, links)
        if by < 0 and (self._closures[cells] <= 0).any():
            raise RunError(f"links {links.tolist()[:5]} are not closed; every open needs its close")
        before = self._closures > 0
        self._closures[cells] += by
        if not np.array_equal(before, self._closures > 0):
            self._choose_again()

    def avoid(self, links: np.ndarray, share: Sequence[float]) -> Callable[[], None]:
        """Let a share of each class, 0 to 1, drive around some links from now on; returns what ends it."""
        entry = Avoided(links=links, share=tuple(float(one) for one in share))
        return hold(self._avoided, entry, self._choose_again)

    def charge(
        self, links: np.ndarray, eur: float | Sequence[float], classes: Iterable[int] | None
    ) -> Callable[[], None]:
        """Charge vehicle classes (indices; all if None) on each of some links, EUR; returns what takes it back."""
        rows = tuple(range(len(VEHICLE_CLASSES)) if classes is None else classes)
        each = None if np.ndim(eur) == 0 else tuple(float(one) for one in np.asarray(eur))
        toll = Toll(
            link_ids=tuple(links.tolist()), eur=float(eur) if each is None else 0.0, classes=rows, each_eur=each  # type: ignore[arg-type]
        )  # fmt: skip
        return hold(self._tolls, toll, self._reroute)

    def ban_turns(self, from_link: np.ndarray, to_link: np.ndarray) -> Callable[[], None]:
        """Forbid turns from now on; returns what allows them again. Bans of a turn count.

        Raises
        ------
        RunError
            If the city has no such turn.
        """
        n = self._base.length_m.size
        known = np.repeat(np.arange(n), np.diff(self._turns.in_start)) * n + self._turns.in_link
        wanted = to_link * n + from_link
        at = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
        if wanted.size and (not known.size or (known[at] != wanted).any()):
            raise RunError("a turn that the city does not have cannot be banned; see the turns table")

        def ban(by: int) -> None:
            self._turn_bans[at] += by
            penalty = self._turns.in_penalty + CLOSED_PENALTY_S * (self._turn_bans > 0)
            self.routes.set_turns(replace(self._turns, in_penalty=penalty))
            self.routes.update()

        if not at.size:
            return lambda: None
        ban(+1)
        return lambda: ban(-1)

    def avoids(self, trips: DayTrips) -> np.ndarray | None:
        """Which trips avoid the streets that some avoid, bool, shape (trips,); None while there are no such streets."""
        if not self._avoided:
            return None
        shut, share = avoided_table(self._avoided, self._base.length_m.size)
        lot = uniform(self._seed, 0, trips.key, Purpose.AVOIDS)
        return (lot < share[trips.vehicle_class]) & ~shut[trips.origin_link] & ~shut[trips.dest_link]

    def layer_of(self, taste: np.ndarray, vehicle_class: np.ndarray, avoids: np.ndarray | None = None) -> np.ndarray:
        """Route layer of trips by their taste in (0, 1), class, and whether they avoid streets (`avoids`)."""
        share, habits = self._informed_share, self.routes.habits
        learning = self.routes.perceptions - habits
        perception = np.minimum((taste / max(share, 1e-9) * learning).astype(np.int64), learning - 1)
        if habits:
            by_habit = np.minimum(((taste - share) / (1 - share) * habits).astype(np.int64), habits - 1)
            perception = np.where(taste < share, perception, learning + by_habit)
        kind = vehicle_class if avoids is None else vehicle_class + len(VEHICLE_CLASSES) * avoids
        return self.routes.layer(perception, self._group[kind])

    def settle(self) -> None:
        """After a restore: rules that an earlier run left in force end here."""
        closed, charge_s = (by_group(table, self._group) for table in self._kinds())
        if not (np.array_equal(self.routes.closed, closed) and np.array_equal(self.routes.charge_s, charge_s)):
            self._reroute()

    def _choose_again(self) -> None:
        self._reroute()
        self._redraw()

    def _reroute(self) -> None:
        """Other links are closed or charged: vehicles choose again, in the group of their class."""
        closed, charge_s = self._kinds()
        old, self._group = self._group, cost_groups(closed, charge_s)
        self.routes.set_groups(by_group(closed, self._group), by_group(charge_s, self._group))
        self.routes.update()
        trips, many = self._engine.v.trips, len(VEHICLE_CLASSES)
        was, perception = np.divmod(trips["layer"], self.routes.perceptions)
        kind = trips["vehicle_class"].astype(np.int64)
        if old.size > many and self._group.size > many:  # who avoided goes on avoiding
            kind = kind + many * ((was == old[many + kind]) & (was != old[kind]))
        self._engine.relayer(self.routes.layer(perception, self._group[kind]))

    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """Closures and charges of each class and, where some avoid streets, of its avoiders. Shape (kinds, n) each."""
        closed, charge_s = self.closed(), self.charge_s()
        if not self._avoided:
            return closed, charge_s
        shut, share = avoided_table(self._avoided, closed.shape[1])
        return np.concatenate([closed, closed | (shut & (share > 0)[:, None])]), np.concatenate([charge_s, charge_s])
