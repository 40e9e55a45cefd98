"""What moves demand from day to day beside luck: rain and events, as processes of a run. Off unless asked for.

Give them to `City.run(processes=...)`. How days vary with each other is in `DemandSpec` (`city_day_sd`, common to all
places, `place_day_sd`, `place_hour_sd`).
Rain: Keay & Simmonds (2005, doi:10.1016/j.aap.2004.07.005) found 1.4 % less traffic in Melbourne on wet days in winter,
2.1 % in spring. Some trips start anew in cars when it rains on those who walk and cycle; where that is known, give a
factor above 1.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import simpy

from simulation.clock import Phase
from simulation.demand.spec import DemandSpec
from simulation.errors import DemandError
from simulation.live import LiveCity, Process

#: Vehicle trips in rain per trip in dry weather; between the two seasons of Keay & Simmonds (2005).
RAIN_FACTOR = 0.98
#: It rains from this on, mm/h; assumption: a wet street.
RAIN_FROM_MM_PER_H = 0.1
_DAY = pd.Timedelta(days=1)


def rain_demand(factor: float = RAIN_FACTOR, *, from_mm_per_h: float = RAIN_FROM_MM_PER_H) -> Process:
    """A process under which trips of rainy hours are multiplied by a factor.

    Parameters
    ----------
    factor : float
        At least 0; 1 changes nothing.
    from_mm_per_h : float
        Rain of the hour (`precipitation_mm_per_h` of the weather) from which on it counts, above 0.

    Raises
    ------
    DemandError
        If one of them is impossible.
    """
    if not (np.isfinite(factor) and factor >= 0) or not (np.isfinite(from_mm_per_h) and from_mm_per_h > 0):
        raise DemandError(f"rain factor={factor!r} must be at least 0, and from_mm_per_h={from_mm_per_h!r} above 0")

    def rain(live: LiveCity) -> Generator[simpy.Event, object, None]:
        undo = None
        while True:
            wet = live.weather.get("precipitation_mm_per_h", 0.0) >= from_mm_per_h
            if wet and undo is None:
                undo = live.scale_demand(factor)
            elif not wet and undo is not None:
                undo()
                undo = None
            yield live.wait(live.step_s, Phase.MEASURES)

    return rain


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """People come to a place, and leave it again: a match, a fair, a concert.

    Attributes
    ----------
    place : str
        Zone or gateway.
    vehicles : float
        That come, and that leave. They come from, and leave to, where the place's usual trips do.
    date : str
        Local date, e.g. "2026-01-31".
    begin_s, end_s : float
        When it begins and ends, s since local midnight, up to 86,400.
    arrive_over_s, leave_over_s : float
        Trips to it depart evenly over this time before it begins, trips from it after it ends; assumptions.
    """

    place: str
    vehicles: float
    date: str
    begin_s: float
    end_s: float
    arrive_over_s: float = 5400.0
    leave_over_s: float = 2700.0

    def __post_init__(self) -> None:
        faults = []
        if not (np.isfinite(self.vehicles) and self.vehicles >= 0):
            faults.append(f"vehicles={self.vehicles!r} must be at least 0")
        if not 0 <= self.begin_s <= self.end_s <= 86_400:
            faults.append(f"begin_s={self.begin_s!r} and end_s={self.end_s!r} must be 0 <= begin <= end <= 86,400 s")
        if not (self.arrive_over_s > 0 and self.leave_over_s > 0):
            faults.append("arrive_over_s and leave_over_s must be above 0 s")
        if faults:
            raise DemandError("an event cannot happen: " + "; ".join(faults))


def event_demand(event: Event) -> Process:
    """A process that adds an event's trips on its day: usual trips to and from the place, multiplied for a while.

    The factor is 1 + vehicles / trips that the place has in that time on a weekday, so that as many come as were said,
    but for chance; a place without usual trips has none to multiply.

    Raises
    ------
    DemandError
        When the run begins, if the place is unknown or has no trips in that time.
    """

    def happen(live: LiveCity) -> Generator[simpy.Event, object, None]:
        demand = live.city.demand
        if event.place not in demand.places:
            raise DemandError(f"event at unknown place '{event.place}'; there are {list(demand.places)}")
        at = demand.places.index(event.place)
        spans = (
            ("to", max(event.begin_s - event.arrive_over_s, 0.0), event.begin_s, (None, [event.place])),
            ("from", event.end_s, min(event.end_s + event.leave_over_s, 86_400.0), ([event.place], None)),
        )
        midnight = (live.local().normalize() - live.start).total_seconds()
        day = live.local().normalize()
        while str(day.date()) < event.date:
            day = (day.tz_localize(None) + _DAY).tz_localize(day.tz)
            midnight = (day - live.start).total_seconds()
        if str(day.date()) != event.date:
            return
        for way, first, last, where in spans:
            if last <= first:
                continue
            usual = _usual(demand, at, way, first, last)
            if usual <= 0:
                raise DemandError(f"no usual trips {way} '{event.place}' in that time; an event has none to multiply")
            if midnight + last <= live.env.now:
                continue
            if midnight + first > live.env.now:
                yield live.wait(midnight + first - live.env.now, Phase.MEASURES)
            undo = live.scale_demand(1.0 + event.vehicles / usual, origin_zones=where[0], dest_zones=where[1])
            yield live.wait(midnight + last - live.env.now, Phase.MEASURES)
            undo()

    return happen


def _usual(demand: DemandSpec, at: int, way: str, first_s: float, last_s: float) -> float:
    """Weekday trips to or from a place that depart in a span."""
    total = 0.0
    for hour in range(24):
        part = max(min(last_s, (hour + 1) * 3600.0) - max(first_s, hour * 3600.0), 0.0) / 3600.0
        if part > 0:
            trips = demand.od_veh * demand.hour_share(hour)
            total += part * float(trips[:, at].sum() if way == "to" else trips[at].sum())
    return total
