"""The processes that every city has: weather, incidents, demand, routes. Each is a SimPy generator over a LiveCity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import simpy
from scipy.stats import poisson

from simulation.clock import Phase
from simulation.demand.trips import DayTrips, around_closed, joined, sample_day
from simulation.live import LiveCity
from simulation.streams import Purpose, normal, uniform
from simulation.traffic.routing import link_keys
from simulation.traffic.trips import Trips

#: Incidents: median duration, spread of its log, and share of capacity left while one lane of two is blocked
#: (0.35 for one of two lanes: Highway Capacity Manual 2010, exhibit 10-17).
INCIDENT_MEDIAN_S, INCIDENT_LOG_SD, INCIDENT_CAPACITY = 30 * 60.0, 0.5, 0.35


@dataclass(frozen=True, slots=True)
class Incident:
    """A link that loses most of its capacity for a while. Times are seconds of the clock."""

    link_id: int
    start_s: float
    end_s: float


def weather_process(live: LiveCity, table: pd.DataFrame) -> Generator[simpy.Event, Any, None]:
    """Show processes the weather of the hour."""
    hours = (pd.DatetimeIndex(table["time"]) - live.start).total_seconds().to_numpy()
    columns = {name: table[name].to_numpy() for name in table.select_dtypes("number").columns}  # not `filled`
    while True:
        row = int(np.searchsorted(hours, live.env.now, side="right")) - 1
        live.weather = {name: float(values[row]) for name, values in columns.items()}
        if row + 1 == len(hours):
            return
        yield live.wait(float(hours[row + 1]) - live.env.now, Phase.WEATHER)


def incidents_of_day(live: LiveCity, day: pd.Timestamp, per_day: float) -> list[Incident]:
    """Incidents that begin on a local day, the same in every run with the same seed.

    Each is where the longest and widest streets win most often: every link draws a number of its own for it, and the
    least one over the link's length and capacity wins (an exponential race). So a street that becomes wider or narrower
    gains or loses incidents, and all others stay where they are.
    """
    number, zero = day.toordinal(), _midnight_s(live, day)
    count = int(poisson.ppf(uniform(live.seed, number, 0, Purpose.INCIDENT)[0], per_day))
    links = live.city.links
    weight = (links["length_m"] * links["capacity_veh_per_s"]).to_numpy(float)
    k = np.arange(1, count + 1)
    chance = uniform(live.seed, number, link_keys(live.engine.arrays)[None, :], Purpose.INCIDENT, index=k[:, None] + 4)
    where = np.argmin(-np.log(chance) / weight, axis=1)
    # whole seconds: the clock's sums are then exact, wherever a run begins
    when = np.round(6 * 3600.0 + 15 * 3600.0 * uniform(live.seed, number, k, Purpose.INCIDENT, index=2))
    spread = np.exp(INCIDENT_LOG_SD * normal(live.seed, number, k, Purpose.INCIDENT, index=3))
    length = np.maximum(np.round(INCIDENT_MEDIAN_S * spread), 1.0)
    return [
        Incident(int(link), zero + float(begin), zero + float(begin + last))
        for link, begin, last in zip(where, when, length)
    ]


def incident_process(
    live: LiveCity, per_day: float, log: Callable[[Incident], None]
) -> Generator[simpy.Event, Any, None]:
    """Let incidents of each day begin and end; a run that starts amid one finds it there."""
    day, blocked = live.local().normalize(), Counter[int]()
    yesterday = incidents_of_day(live, day - pd.Timedelta(days=1), per_day)
    going_on = {
        i.link_id for i in (*yesterday, *incidents_of_day(live, day, per_day)) if i.start_s <= live.env.now < i.end_s
    }
    over = [int(link) for link in np.flatnonzero(live.capacity_share < 1) if int(link) not in going_on]
    if over:
        live.set_capacity_share(over, 1.0)
    for incident in yesterday:
        if incident.end_s > live.env.now:
            live.env.process(_incident(live, incident, log, blocked))
    while True:
        for incident in incidents_of_day(live, day, per_day):
            if incident.end_s > live.env.now:
                live.env.process(_incident(live, incident, log, blocked))
        day = _next_day(day)
        yield live.wait(_midnight_s(live, day) - live.env.now, Phase.MEASURES)


def _incident(
    live: LiveCity, incident: Incident, log: Callable[[Incident], None], blocked: Counter[int]
) -> Generator[simpy.Event, Any, None]:
    """One incident; while two block the same link, it is clear when both are over."""
    if incident.start_s > live.env.now:
        yield live.wait(incident.start_s - live.env.now)
    log(incident)
    blocked[incident.link_id] += 1
    live.set_capacity_share([incident.link_id], INCIDENT_CAPACITY)
    yield live.wait(incident.end_s - live.env.now)
    blocked[incident.link_id] -= 1
    if not blocked[incident.link_id]:
        live.set_capacity_share([incident.link_id], 1.0)


def routes_process(live: LiveCity) -> Generator[simpy.Event, Any, None]:
    """Let drivers learn the travel times of each interval and choose their ways anew."""
    if not np.isfinite(live.routes.time_to()).any():
        live.routes.update()
    while True:
        yield live.wait(live.step_s, Phase.SIGNALS)
        looking = live.routes.looking(round(live.env.now / live.step_s))
        live.routes.learn(live.engine.travel_times(), live.engine.free_time_s, looking)
        live.routes.update(looking)


def demand_process(live: LiveCity) -> Generator[simpy.Event, Any, None]:
    """Release trips interval by interval; a day's trips are drawn when it begins.

    Where demand or closures change within an interval, its trips that have not departed are taken back and chosen anew.
    """
    row_of = np.full(len(live.city.links), -1, dtype=np.int64)
    row_of[live.routes.dest_link] = np.arange(live.routes.dest_link.size)
    day: pd.Timestamp | None = None
    trips: DayTrips | None = None
    zero = until = live.env.now  # of the wall's clock in the run's, and the end of what has been released

    def release() -> None:
        assert trips is not None
        wall = live.env.now - zero
        first, last = np.searchsorted(trips.depart_s, [wall, until - zero])
        chosen = _scaled(live, trips.take(np.arange(first, last)))
        if extra := live.extra_trips(live.env.now, until):
            chosen = joined([chosen, *(replace(one, depart_s=one.depart_s - zero) for one in extra)])
        chosen = around_closed(live.city.demand, chosen, live.closed())
        released = Trips(
            depart_s=np.maximum(chosen.depart_s + zero, live.env.now),  # rounding
            origin_link=chosen.origin_link,
            dest_row=row_of[chosen.dest_link],
            layer=live.rules.layer_of(chosen.taste, chosen.vehicle_class, live.rules.avoids(chosen)),
            vehicle_class=chosen.vehicle_class,
        )
        if live.diary is not None:
            released = live.diary.given(live, released, chosen.dest_link)
        live.engine.release(released)
        if live.trip_log is not None:
            live.trip_log.add(released, chosen)

    def again() -> None:
        if live.env.now < until:
            taken = live.engine.recall()
            for notes in (live.trip_log, live.diary):
                if notes is not None:
                    notes.drop(taken)
            release()

    live.on_demand_change(again)
    while live.env.now < live.end_s:
        today = live.local().normalize()
        if today != day:
            day = today
            trips = sample_day(live.city.demand, seed=live.seed, day=today.toordinal(), weekend=today.dayofweek >= 5)
        # by the clock on the wall: on the nights when it changes, an hour of trips is left out or comes twice
        zero, until = live.env.now - live.time_of_day_s(), live.env.now + live.step_s
        release()
        yield live.wait(live.step_s, Phase.DEMAND)


def _scaled(live: LiveCity, trips: DayTrips) -> DayTrips:
    """Apply the demand factors in force: below 1 some trips stay away, above 1 some come twice, by their key."""
    factor = live.demand_factor()
    if factor is None or not len(trips):
        return trips
    by_class = factor.reshape(-1, len(live.city.demand.places) ** 2)  # one row, or one a class
    expected = by_class[trips.vehicle_class if len(by_class) > 1 else 0, trips.pair]
    lot = uniform(live.seed, 0, trips.key, Purpose.TRIP_KEEP)
    copies = np.floor(expected + lot).astype(np.int64)
    return trips.take(np.repeat(np.arange(len(trips)), copies))


def _midnight_s(live: LiveCity, day: pd.Timestamp) -> float:
    """Clock time of a local midnight, s."""
    return float((day - live.start).total_seconds())


def _next_day(day: pd.Timestamp) -> pd.Timestamp:
    """The next local midnight, whatever the length of the day."""
    return (day.tz_localize(None) + pd.Timedelta(days=1)).tz_localize(
        day.tz, ambiguous=True, nonexistent="shift_forward"
    )
