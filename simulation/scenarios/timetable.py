"""Measures with hours: one process that switches them on and off, and leaves every link as it found it.

Several measures may hold on one link at once. The `Overlay` keeps a list of what is in force and works out what
follows (the lowest limit, the fewest lanes, the cleanest fleet), so that the end of one measure never ends another's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simulation.scenarios.fleet_change import FleetChange, together
from simulation.scenarios.live_protocol import Live
from simulation.standing import hold

if TYPE_CHECKING:
    from simulation.air.fleet import Fleet
    from simulation.city import City
    from simulation.scenarios.measures import Measure
    from simulation.traffic.actuated import Actuation

Undo = Callable[[], None]
_LOOK_AGAIN_S = 60.0


def timetable(measures: Sequence[Measure], live: Live) -> Generator[Any, Any, None]:
    """Switch measures at their hours, for as long as the run lasts.

    Parameters
    ----------
    measures : sequence of Measure
        Those without hours are passed over: they are part of the City.
    live : Live

    Yields
    ------
    simpy.Event
        A timeout to the next start or end.
    """
    simple = [part for measure in measures for part in measure.parts(live.city)]
    timed = [(measure, measure.active) for measure in simple if measure.active is not None]
    if not timed:
        return
    overlay = Overlay(live)
    undo: dict[int, Undo] = {}
    edges = sorted({edge % 86_400.0 for _, hours in timed for edge in (hours.start_s, hours.end_s)})
    while True:
        now = round(live.time_of_day_s(), 3) % 86_400.0
        holds = [hours.hold(live.local()) if hours.on_some_days else hours.hold_at(now) for _, hours in timed]
        for number in [number for number in undo if not holds[number]]:
            undo.pop(number)()
        for number, (measure, _) in enumerate(timed):
            if number not in undo and holds[number]:
                undo[number] = measure.begin(overlay)
        waits = [live.seconds_until(edge) for edge in edges]
        # No edge lies ahead where all are now: hours of 00:00-24:00, or an hour that the clocks skip in spring.
        yield live.env.timeout(min((wait for wait in waits if wait > 0.002), default=_LOOK_AGAIN_S))


class Overlay:
    """What measures in force make of a living city's links."""

    def __init__(self, live: Live) -> None:
        self.live = live
        links = live.city.links
        self._built_speed = links["free_flow_speed_mps"].to_numpy(dtype=float)
        self._built_lanes = links["lanes"].to_numpy(dtype=float)
        self._fleets: list[Fleet | None] = [None, *(fleet for _, fleet in live.city.link_fleet)]
        self._own_fleet = np.zeros(len(links), dtype=np.int64)  # position in `_fleets`
        for number, (ids, _) in enumerate(live.city.link_fleet):
            self._own_fleet[list(ids)] = number + 1
        self._posted: list[tuple[np.ndarray, np.ndarray]] = []
        self._speeds: list[tuple[np.ndarray, np.ndarray]] = []
        self._lanes: list[tuple[np.ndarray, np.ndarray]] = []
        self._changes: list[tuple[np.ndarray, FleetChange]] = []
        self._retimed: list[pd.DataFrame] = []
        self._plans: dict[Any, pd.DataFrame] = {}
        self._actuated: list[tuple[np.ndarray, Actuation]] = []
        self._controls: dict[tuple[int, tuple[int, ...]], Undo] = {}

    def close(self, links: np.ndarray, classes: Iterable[int]) -> Undo:
        """Close links to some classes."""
        rows = list(classes)
        self.live.close(links.tolist(), rows)
        return lambda: self.live.open(links.tolist(), rows)

    def limit_speed(self, links: np.ndarray, speed_mps: np.ndarray) -> Undo:
        """Hold links at or below a speed."""
        return hold(self._speeds, (links, speed_mps), lambda: self._apply_speeds(links))

    def set_lanes(self, links: np.ndarray, lanes: np.ndarray) -> Undo:
        """Give links other lanes; the fewest hold where measures overlap."""
        return hold(self._lanes, (links, lanes), lambda: self._apply_lanes(links))

    def post_speed(self, links: np.ndarray, speed_mps: np.ndarray) -> Undo:
        """Let links be driven at a speed, faster or slower; of several the last begun holds, and limits beside it."""
        return hold(self._posted, (links, speed_mps), lambda: self._apply_speeds(links))

    def change_fleet(self, links: np.ndarray, change: FleetChange) -> Undo:
        """Let other engines drive on links; changes that overlap add up."""
        return hold(self._changes, (links, change), lambda: self._apply_fleets(links))

    def retime(self, measure: Any, plans: Callable[[City], pd.DataFrame]) -> Undo:
        """Give signals the plans that a measure makes, which are worked out once; of several the last begun holds."""
        if measure not in self._plans:
            self._plans[measure] = plans(self.live.city)
        table = self._plans[measure]
        return hold(self._retimed, table, lambda: self._apply_plans(table["link_id"].to_numpy()))

    def actuate(self, links: np.ndarray, settings: Actuation) -> Undo:
        """Actuate whole junctions; of several measures the last begun holds, and those of the city itself stay."""
        always = {link for held, _ in self.live.city.actuated for link in held}
        links = np.array([link for link in links.tolist() if link not in always], dtype=np.int64)
        return hold(self._actuated, (links, settings), self._apply_actuated)

    def scale_demand(
        self, factor: float, origins: list[str] | None, destinations: list[str] | None, classes: list[int] | None = None
    ) -> Undo:
        """Multiply trips that start from now on, of all classes (None) or some."""
        if classes is None:
            return self.live.scale_demand(factor, origin_zones=origins, dest_zones=destinations)
        return self.live.scale_demand(factor, origin_zones=origins, dest_zones=destinations, classes=classes)

    def _apply_speeds(self, links: np.ndarray) -> None:
        posted = self._built_speed.copy()
        for chosen, values in self._posted:
            posted[chosen] = values
        for chosen, values in self._speeds:
            posted[chosen] = np.minimum(posted[chosen], values)
        self._set(self.live.set_speed, links, posted, posted != self._built_speed)

    def _apply_lanes(self, links: np.ndarray) -> None:
        """Lanes may also grow; where measures overlap the fewest win."""
        fewest = np.full(len(self._built_lanes), np.inf)
        for chosen, lanes in self._lanes:
            fewest[chosen] = np.minimum(fewest[chosen], lanes)
        self._set(self.live.set_lanes, links, fewest, np.isfinite(fewest))

    @staticmethod
    def _set(setter: Callable[..., None], links: np.ndarray, values: np.ndarray, held: np.ndarray) -> None:
        """Set what is held, give back the rest."""
        on, off = links[held[links]], links[~held[links]]
        if off.size:
            setter(off.tolist(), None)
        if on.size:
            setter(on.tolist(), values[on].tolist())

    def _apply_plans(self, links: np.ndarray) -> None:
        columns = ["cycle_s", "green_start_s", "green_s"]
        plan = self.live.city.signals.set_index("link_id")[columns]
        for table in self._retimed:
            plan.update(table.set_index("link_id")[columns])
        cycle, start, green = plan.loc[links].to_numpy(dtype=float).T
        self.live.retime(links.tolist(), cycle_s=cycle, green_start_s=start, green_s=green)

    def _apply_actuated(self) -> None:
        """Each junction is controlled for the last measure that wants it; controls that stay as they are go on."""
        owner: dict[int, int] = {}
        for number, (links, _) in enumerate(self._actuated):
            owner.update(dict.fromkeys(links.tolist(), number))
        wanted: dict[tuple[int, tuple[int, ...]], Actuation] = {}
        for number, entry in enumerate(self._actuated):
            own = tuple(sorted(link for link, last in owner.items() if last == number))
            if own:
                wanted[id(entry), own] = entry[1]
        for key in [key for key in self._controls if key not in wanted]:
            self._controls.pop(key)()
        for key, settings in wanted.items():
            if key not in self._controls:
                self._controls[key] = self.live.actuate(list(key[1]), settings)

    def _apply_fleets(self, links: np.ndarray) -> None:
        """Links with the same own fleet and the same changes in force get the same fleet."""
        row = np.full(self._own_fleet.size, -1, dtype=np.int64)
        row[links] = np.arange(links.size)
        table = np.zeros((links.size, 1 + len(self._changes)), dtype=np.int64)
        table[:, 0] = self._own_fleet[links]
        for number, (chosen, _) in enumerate(self._changes):
            at = row[chosen]
            table[at[at >= 0], 1 + number] = 1
        kinds, kind = np.unique(table, axis=0, return_inverse=True)
        for number, (own, *held) in enumerate(kinds.tolist()):
            changes = [change for (_, change), holds in zip(self._changes, held) if holds]
            fleet = self._fleets[own]
            if changes:
                fleet = together(changes).of(fleet or self.live.city.fleet)
            self.live.set_link_fleet(links[kind.ravel() == number].tolist(), fleet)
