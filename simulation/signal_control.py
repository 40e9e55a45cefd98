"""Signals that a process controls in a living city: actuated ones, max pressure, and a user's own controller.

A controller is a SimPy generator of one junction:

    def longest_queue(junction, live):
        while True:
            yield from junction.show(int(np.argmax(junction.queued())))
            yield junction.tick(10.0)

    city.run(processes=[control(longest_queue)])

`junction.show(phase)` ends the green that is on, waits until nobody is left in the intersection, and begins the other;
`junction.tick(s)` waits for the next whole multiple of s on the clock. A controller costs nothing while it waits.

What the lights show is kept with the city's state, so a run that goes on from `final_state` finds them as they were.
`actuated` keeps all that it knows: a run cut in two is one run, bit for bit. A generator's own variables are not kept:
a run goes on bit for bit if the controller decides at ticks that divide `step_s`, from the junction and the live city
alone, and if its changes are over by the next tick; whatever else it must remember it gives to `live.keep`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from data.errors import ZonewiseError
from simulation.errors import RunError
from simulation.traffic.actuated import ActuatedBank, Actuation
from simulation.traffic.actuated_kernels import NONE
from simulation.traffic.reading_kernels import queued as queued_at
from simulation.traffic.signals import PlanGroup, plan_groups
from simulation.traffic.webster import LOST_S_PER_PHASE

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.live import LiveCity, Process

MIN_GREEN_S = 5.0  # least green of a controlled phase, s; assumption: what a driver expects of a light

Controller = Callable[["Junction", "LiveCity"], Generator[simpy.Event, Any, Any]]


def junction_groups(city: City, link_ids: Iterable[int] | None = None) -> tuple[PlanGroup, ...]:
    """Junctions of a city that have a signal plan; of these, those with an approach among `link_ids`, if given.

    Raises
    ------
    RunError
        If there is none.
    """
    groups = plan_groups(city.signals, city.nodes, city.links)
    if link_ids is not None:
        wanted = np.unique(np.fromiter(link_ids, dtype=np.int64))
        groups = tuple(g for g in groups if np.isin(np.concatenate(g.phases), wanted).any())
    groups = tuple(g for g in groups if len(g.phases) > 1)
    if not groups:
        where = "" if link_ids is None else " at these links"
        raise RunError(f"{city.label} has no signals with two phases{where}; see city.signals for those it has")
    return groups


class Junction:
    """One signalled intersection, as its controller sees it.

    Attributes
    ----------
    node_ids : ndarray of int64
        Nodes at its stop lines.
    phases : tuple of ndarray of int64
        Links of each phase.
    lost_s, min_green_s : float
        Time without green at a change; time that every green lasts at least, s.
    """

    def __init__(
        self,
        live: LiveCity,
        group: PlanGroup,
        lights: dict[str, np.ndarray],
        place: int,
        *,
        lost_s: float,
        min_green_s: float,
        onward: dict[int, np.ndarray],
    ) -> None:
        self._live, self._lights, self._place = live, lights, place
        self.node_ids, self.phases = group.node_ids, group.phases
        self.lost_s, self.min_green_s = lost_s, min_green_s
        self._links = np.concatenate(self.phases)
        self._first = np.cumsum([0, *(links.size for links in self.phases)])[:-1]
        after = [onward.get(link, self._links[:0]) for link in self._links.tolist()]
        self._around = np.concatenate([self._links, *after])
        self._ways = np.maximum([links.size for links in after], 1)
        self._of = np.repeat(np.arange(self._links.size), [links.size for links in after])

    @property
    def phase(self) -> int:
        """Phase that is green or, during a change, the one that follows."""
        coming = int(self._lights["coming"][self._place])
        return int(self._lights["phase"][self._place]) if coming == NONE else coming

    @property
    def since_s(self) -> float:
        """When its green began or, during a change, the change, s of the clock."""
        return float(self._lights["since"][self._place])

    def queued(self, *, ahead_s: float = 0.0) -> np.ndarray:
        """Vehicles at the stop lines of each phase; with `ahead_s`, those who reach them by then at free flow too."""
        return self._by_phase(near_stop_line(self._live, self._links, ahead_s))

    def counts(self) -> np.ndarray:
        """Vehicles on the approaches of each phase, at the stop line or not. Shape (phases,)."""
        return self._by_phase(self._live.engine.on_link(self._links))

    def pressure(self) -> np.ndarray:
        """Queue of each phase less the mean queue of the links that follow, times saturation flow. Shape (phases,).

        veh times veh/s: what the policy of Varaiya (2013) compares, with equal shares of turns, since nobody knows
        them.
        """
        waiting = near_stop_line(self._live, self._around)
        n = self._links.size
        beyond = np.bincount(self._of, waiting[n:], minlength=n) / self._ways
        saturation = self._live.engine.arrays.discharge_veh_per_s[self._links]
        return self._by_phase(saturation * (waiting[:n] - beyond))

    def show(self, phase: int) -> Generator[simpy.Event, Any, None]:
        """Give green to a phase: `yield from junction.show(1)`. Over at once if it is green already.

        Raises
        ------
        RunError
            If there is no such phase.
        """
        if isinstance(phase, bool) or not isinstance(phase, int | np.integer) or not 0 <= phase < len(self.phases):
            raise RunError(f"{self}: phase {phase!r}; allowed: 0 to {len(self.phases) - 1}")
        lights, at, live = self._lights, self._place, self._live
        if lights["coming"][at] == NONE:
            if phase == lights["phase"][at]:
                return
            green_for = live.env.now - lights["since"][at]
            if green_for < self.min_green_s:
                yield self.wait(self.min_green_s - green_for)
            self._turn(self.phases[lights["phase"][at]], False)
            lights["coming"][at], lights["since"][at] = phase, live.env.now
        lights["coming"][at] = phase
        yield from self.finish()

    def finish(self) -> Generator[simpy.Event, Any, None]:
        """Wait until a change that has begun is over, and give green to the phase that follows."""
        lights, at, live = self._lights, self._place, self._live
        if lights["coming"][at] == NONE:
            return
        gone = live.env.now - lights["since"][at]
        if gone < self.lost_s:
            yield self.wait(self.lost_s - gone)
        if lights["coming"][at] != NONE:
            phase = int(lights["coming"][at])
            self._turn(self.phases[phase], True)
            lights["phase"][at], lights["coming"][at], lights["since"][at] = phase, NONE, live.env.now

    def wait(self, seconds: float) -> simpy.Event:
        """Event in some seconds."""
        if not seconds >= 0:
            raise RunError(f"{self}: wait({seconds!r}); allowed: 0 s and more")
        from simulation.clock import Phase

        return self._live.wait(float(seconds), Phase.SIGNALS)

    def tick(self, every_s: float) -> simpy.Event:
        """Event at the next whole multiple of `every_s` on the clock, later than now."""
        if not every_s > 0:
            raise RunError(f"{self}: tick({every_s!r}); allowed: above 0 s")
        now = self._live.env.now
        return self.wait((np.floor(now / every_s + 1e-9) + 1.0) * every_s - now)

    def __str__(self) -> str:
        return f"junction at node {int(self.node_ids[0])}"

    def _turn(self, links: np.ndarray, green: bool) -> None:
        self._live.lights.turn(links, green=green, now_s=self._live.env.now)

    def _by_phase(self, by_link: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(by_link, self._first, dtype=float))


def control(
    controller: Controller,
    *,
    link_ids: Iterable[int] | None = None,
    lost_s: float = LOST_S_PER_PHASE,
    min_green_s: float = MIN_GREEN_S,
) -> Process:
    """A process that gives junctions to a controller, for `City.run(processes=[...])`.

    Parameters
    ----------
    controller : callable
        Takes a `Junction` and the LiveCity and returns a SimPy generator; called once a junction. When its generator
        ends the lights stay as they are.
    link_ids : iterable of int, optional
        Approaches of the junctions that are meant; all junctions with two phases or more if not given.
    lost_s, min_green_s : float
        Time without green at a change, least green, s.

    Raises
    ------
    RunError
        When the run begins, if no junction is meant; during the run, if a controller fails: with its name, the
        junction, the time and what happened.
    """
    chosen = None if link_ids is None else tuple(link_ids)
    if not (0 <= lost_s <= 60 and 0 <= min_green_s <= 600):
        raise RunError(f"lost_s={lost_s:g}, min_green_s={min_green_s:g}; allowed: 0 to 60 and 0 to 600 s")

    def process(live: LiveCity) -> Generator[simpy.Event, Any, None]:
        groups = junction_groups(live.city, chosen)
        lights = _first_lights(live, groups)
        links = np.concatenate([np.concatenate(g.phases) for g in groups])
        if not live.keep(_name("control", links), lights, links=links):
            _begin(live, groups, lights["phase"])
        turns = live.city.turns[live.city.turns["from_link_id"].isin(links)]
        onward = {int(link): rows.to_numpy(np.int64) for link, rows in turns.groupby("from_link_id")["to_link_id"]}
        for place, group in enumerate(groups):
            junction = Junction(live, group, lights, place, lost_s=lost_s, min_green_s=min_green_s, onward=onward)
            live.env.process(junction.finish())  # of a change that a run before this one began
            live.env.process(_driven(controller, junction, live))
        yield live.env.timeout(0.0)

    return process


class ActuatedControl:
    """Junctions under vehicle actuation for as long as it is on: `start` in a living city, `stop` gives plans back."""

    def __init__(self, live: LiveCity, groups: Sequence[PlanGroup], settings: Actuation | None = None) -> None:
        self.live, self.groups = live, groups
        engine = live.engine
        lights = _first_lights(live, groups)
        self.bank = ActuatedBank(
            [group.phases for group in groups], settings or Actuation(), free_time_s=engine.free_time_s,
            headway_s=1.0 / engine.arrays.discharge_veh_per_s, now_s=live.env.now, phase=lights["phase"],
        )  # fmt: skip
        self._on = False

    def start(self) -> Generator[simpy.Event, Any, None]:
        """The process: looks at a junction when something can have changed."""
        live, bank = self.live, self.bank
        from simulation.clock import Phase

        self._on = True
        if not live.keep(_name("actuated", bank.links), bank.state, links=bank.links):
            _begin(live, self.groups, bank.state["phase"])
        engine, links = live.engine, bank.links
        while True:
            yield live.wait(bank.due_s - live.env.now, Phase.SIGNALS)
            if not self._on:
                return
            now = live.env.now
            queued, near = near_stop_line(live, links), near_stop_line(live, links, bank.settings.passage_s)
            to_green, to_red = bank.look(now, queued, near, engine.on_link(links))
            live.lights.turn(to_red, green=False, now_s=now)
            live.lights.turn(to_green, green=True, now_s=now)

    def stop(self) -> None:
        """Give the junctions their fixed plans back."""
        if self._on:
            self._on = False
            self.live.lights.drop(_name("actuated", self.bank.links))


def actuated(settings: Actuation | None = None, *, link_ids: Iterable[int] | None = None) -> Process:
    """A process that actuates junctions, for `City.run(processes=[...])`.

    Parameters
    ----------
    settings : Actuation, optional
    link_ids : iterable of int, optional
        Approaches of the junctions that are meant; all if not given.

    Raises
    ------
    RunError
        When the run begins, if no junction is meant.
    """
    chosen = None if link_ids is None else tuple(link_ids)

    def process(live: LiveCity) -> Generator[simpy.Event, Any, None]:
        return ActuatedControl(live, junction_groups(live.city, chosen), settings).start()

    return process


def max_pressure(*, every_s: float = 10.0) -> Controller:
    """A controller that gives green to the phase of greatest pressure: queue here less queue beyond.

    It needs no forecast and, where queues have room, serves every demand that any fixed plan could serve.

    Parameters
    ----------
    every_s : float
        Time between two decisions, s.

    References
    ----------
    Varaiya (2013), doi:10.1016/j.trc.2013.08.014
    """

    def most_pressed(junction: Junction, live: LiveCity) -> Generator[simpy.Event, Any, None]:
        while True:
            pressure = junction.pressure()
            if pressure.max() > pressure[junction.phase]:
                yield from junction.show(int(np.argmax(pressure)))
            yield junction.tick(every_s)

    return most_pressed


def near_stop_line(live: LiveCity, links: np.ndarray, ahead_s: float = 0.0) -> np.ndarray:
    """Vehicles of each link that stand at its end now or could reach it within `ahead_s` at free flow. Shape (k,)."""
    return np.asarray(queued_at(live.engine.v, links, live.env.now + ahead_s))


def _driven(controller: Controller, junction: Junction, live: LiveCity) -> Generator[simpy.Event, Any, None]:
    """Run a user's generator and say what went wrong in it."""
    name = getattr(controller, "__name__", type(controller).__name__)

    def failed(error: Exception | str) -> RunError:
        what = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return RunError(f"controller {name!r} of the {junction} failed at {live.local():%Y-%m-%d %H:%M:%S}: {what}")

    try:
        steps = controller(junction, live)
    except Exception as error:
        raise failed(error) from error
    if not isinstance(steps, Generator):
        raise failed(f"it returned {steps!r}; allowed: a generator, that is a function with a yield")
    value: Any = None
    while True:
        try:
            event = steps.send(value)
        except StopIteration:
            return
        except ZonewiseError:
            raise
        except Exception as error:
            raise failed(error) from error
        if not isinstance(event, simpy.Event):
            raise failed(f"it yielded {event!r}; allowed: events such as junction.wait(5) and junction.tick(10)")
        value = yield event


def _first_lights(live: LiveCity, groups: Sequence[PlanGroup]) -> dict[str, np.ndarray]:
    """Begin with the phase that the plan shows now, or shows next."""
    arrays, now = live.engine.arrays, live.env.now
    phase = np.zeros(len(groups), dtype=np.int64)
    for k, group in enumerate(groups):
        first = np.array([links[0] for links in group.phases])
        cycle = np.maximum(arrays.cycle_s[first], 1.0)
        into = (now - arrays.green_start_s[first]) % cycle
        wait = np.where(into < arrays.green_s[first], 0.0, cycle - into)
        phase[k] = int(np.argmin(wait))
    n = len(groups)
    return {"phase": phase, "coming": np.full(n, NONE, dtype=np.int64), "since": np.full(n, float(now))}


def _begin(live: LiveCity, groups: Sequence[PlanGroup], phase: np.ndarray) -> None:
    """Turn all lights of some junctions red but those of one phase each."""
    every = np.concatenate([np.concatenate(group.phases) for group in groups])
    green = np.concatenate([group.phases[k] for group, k in zip(groups, phase.tolist())])
    live.lights.turn(np.setdiff1d(every, green), green=False, now_s=live.env.now)
    live.lights.turn(green, green=True, now_s=live.env.now)


def _name(kind: str, links: np.ndarray) -> str:
    """Name under which lights are kept: two controls of different junctions never share it."""
    return f"{kind}_{int(links.min())}_{links.size}_{int(np.bitwise_xor.reduce(links * (links + 7919)))}"
