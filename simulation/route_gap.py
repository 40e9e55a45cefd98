"""How far from equilibrium the ways are that drivers took in a run: the relative gap in one hour.

Drivers of a run learn the times of streets while it lasts and choose again on their way (`processes.routes_process`);
they do not learn from one day to the next, and they perceive times with an error of their own. So a gap remains, and
a study states it for base and scenario alike: what trips lost against the cheapest way at their instant of departure,
over what they would have spent on it, both by the mean times of turns in five minutes (`turn_times`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulation.traffic.entry_log import EntryLog
from simulation.traffic.routing import CLOSED_PENALTY_S, free_times, link_keys
from simulation.turn_times import TurnTimes, paid

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.kpis.ledger import Ledger
    from simulation.run import RunResult

#: Time before and after the hour in which links are looked at, s; trips that take longer are left out.
BEFORE_S, AFTER_S = 900.0, 3600.0
#: Trips that are looked at, evenly along their order of release: each takes a search of its own.
MOST_TRIPS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGap:
    """Relative gap of the trips that departed in an hour.

    Attributes
    ----------
    gap : float
        Sum of (experienced - best) over sum of best. nan without trips.
    trips : int
        Trips that it is over.
    mean_s, best_s : float
        Mean generalised cost, experienced and best, s.
    hour_start_s : float
        Beginning of the hour, in seconds of the run's clock.
    """

    gap: float
    trips: int
    mean_s: float
    best_s: float
    hour_start_s: float

    def to_array(self) -> np.ndarray:
        """Its figures in order."""
        return np.array(astuple(self), dtype=float)

    @classmethod
    def from_array(cls, value: np.ndarray) -> RouteGap:
        """From `to_array`."""
        gap, trips, mean, best, start = value
        return cls(gap=float(gap), trips=int(trips), mean_s=float(mean), best_s=float(best), hour_start_s=float(start))


def route_gap(city: City, result: RunResult, ledger: Ledger) -> RouteGap:
    """Gap of the busiest noted hour of a run that kept its entry log.

    Closures and charges are those in force at the end of that hour. Free times are those of the city as it is built.

    Parameters
    ----------
    city : City
        The one that ran.
    result : RunResult
        With `entry_log` and `released`.
    ledger : Ledger
        Of that run.
    """
    assert result.entry_log is not None and result.released is not None
    busiest = int(np.argmax([time.sum() for time in ledger.link_time_s]))
    begin = ledger.hour_starts[busiest]
    log, depart, trips = _window(result.entry_log, result.released["depart_s"].to_numpy(float), begin)
    origin, dest = (result.released[name].to_numpy(np.int64)[trips] for name in ("origin_link_id", "dest_link_id"))
    klass = result.released["vehicle_class"].cat.codes.to_numpy(np.int64)[trips]
    spent = log.travel_times(depart)
    mine = np.flatnonzero(
        (depart >= begin) & (depart < begin + 3600.0) & np.isfinite(spent) & (origin >= 0) & (dest >= 0)
    )
    mine = mine[:: max(1, -(-mine.size // MOST_TRIPS))]
    if not mine.size:
        return RouteGap(gap=float("nan"), trips=0, mean_s=float("nan"), best_s=float("nan"), hour_start_s=begin)
    arrays, turns = city.link_arrays(), city.turn_index()
    pieces = TurnTimes(turns, link_keys(arrays))
    before = result.released["depart_s"].to_numpy(float)[trips] < begin - BEFORE_S  # on the way as the window opens
    times = pieces.means(log, depart, np.where(before, -1, origin), free_times(arrays))
    cost = pieces.cost_s(turns, ledger.charge_s[busiest] + CLOSED_PENALTY_S * ledger.closed[busiest])
    row, own = klass[mine], pieces.pieces(log.paths(depart.size).take(mine))
    search = pieces.journeys(origin[mine], dest[mine], depart[mine])
    arrival, ways = search.fastest(times, charge_s=cost, row=row)
    needs = paid(ways, np.where(cost >= CLOSED_PENALTY_S, CLOSED_PENALTY_S, 0.0), row)
    best = arrival - depart[mine] + paid(ways, cost, row) - needs
    driven = times.arrivals(own, depart[mine]) - depart[mine] + paid(own, cost, row) - needs
    fine = np.isfinite(best) & np.isfinite(driven)
    excess = np.maximum(driven[fine] - best[fine], 0.0)
    least = driven[fine] - excess
    total = float(least.sum())
    return RouteGap(
        gap=float(excess.sum() / total) if total > 0 else float("nan"), trips=int(fine.sum()),
        mean_s=float(driven[fine].mean()) if fine.any() else float("nan"),
        best_s=float(least.mean()) if fine.any() else float("nan"), hour_start_s=begin,
    )  # fmt: skip


def _window(log: EntryLog, depart_s: np.ndarray, begin: float) -> tuple[EntryLog, np.ndarray, np.ndarray]:
    """Rows around the hour, with its trips numbered anew; who was on the way already departs at the first row."""
    part = log.between(begin - BEFORE_S, begin + 3600.0 + AFTER_S)
    trips, number = np.unique(part.trip, return_inverse=True)
    cut = EntryLog(number, part.link, part.time_s)
    depart = depart_s[trips]
    return cut, np.where(depart >= begin - BEFORE_S, depart, cut.starts(trips.size)), trips
