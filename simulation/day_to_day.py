"""Day to day: the same day again and again, each time with better ways, until nearly nobody could have done better.

A run's drivers look at the streets on their way; they do not know what yesterday was like. Here they do: after each
round every trip learns how long each turn took in each five minutes, finds the way that would have been cheapest from
its instant of departure, and changes to it with a chance that grows with what it lost (`path_swaps`). Rounds end when
the relative gap is below what was asked for: what trips lost against their best ways, over what those would have cost
(Wardrop's first principle at each departure; Friesz et al. 1993, doi:10.1287/opre.41.1.179).

Experienced and best costs are both told turn by turn from the mean times of five minutes (`turn_times`). Closures,
charges and banned turns are those in force as a trip is released; who sets out before a street closes drives his way to
the end. Incidents that nobody can foresee are left out of such runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

import numpy as np

from simulation.diary import Diary
from simulation.errors import RunError
from simulation.run import RunResult
from simulation.streams import Purpose, uniform
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays, TurnIndex
from simulation.traffic.path_swaps import SwapRate, changed
from simulation.traffic.paths import Paths
from simulation.traffic.routing import CLOSED_PENALTY_S, free_times, link_keys
from simulation.turn_times import SPAN_S, TurnTimes, paid

#: Rounds at most, and rounds without a smaller gap after which the search ends (assumed).
ROUNDS, PATIENCE = 40, 12
#: Widest gap that may be asked for: above it there is nothing to bring about.
MOST_GAP = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How near to equilibrium a run is.

    Attributes
    ----------
    gap : float
        Relative gap over all trips whose way is known.
    first_gap : float
        That of the first round, whose drivers follow the streets they see.
    asked : float
        What was to be reached.
    rounds : int
        Runs.
    trips : int
        That the gap is over.
    mean_s, best_s : float
        Mean generalised cost, experienced and best, s.
    """

    gap: float
    first_gap: float
    asked: float
    rounds: int
    trips: int
    mean_s: float
    best_s: float

    @property
    def reached(self) -> bool:
        """Whether the gap is what was asked for."""
        return self.gap <= self.asked

    def to_array(self) -> np.ndarray:
        """Its figures in order."""
        return np.array(astuple(self), dtype=float)

    @classmethod
    def from_array(cls, value: np.ndarray) -> Learned:
        """From `to_array`."""
        gap, first, asked, rounds, trips, mean, best = (float(one) for one in value)
        return cls(
            gap=gap, first_gap=first, asked=asked, rounds=int(rounds), trips=int(trips), mean_s=mean, best_s=best
        )


def check_gap(gap: float) -> None:
    """Refuse a gap that cannot be asked for.

    Raises
    ------
    RunError
        If it is not above 0 and at most `MOST_GAP`.
    """
    if not 0 < gap <= MOST_GAP:
        raise RunError(f"equilibrium={gap!r}: give a relative gap above 0 and at most {MOST_GAP:g}, e.g. 0.03")


def learn_ways(
    run: Callable[[Diary], tuple[RunResult, T]],
    arrays: LinkArrays,
    turns: TurnIndex,
    *,
    gap: float,
    seed: int,
    rounds: int = ROUNDS,
) -> tuple[RunResult, T, Learned]:
    """Repeat a run with better and better ways.

    Parameters
    ----------
    run : callable
        Runs the city with a diary, its log on (`keep_entry_log`) and no random incidents; what it returns beside the
        result is passed on. Its trips must not depend on the ways.
    arrays, turns
        Of that city.
    gap : float
        Relative gap at which to stop.
    seed : int
        Of who changes.
    rounds : int
        Runs at most.

    Returns
    -------
    result : RunResult
        Of the round with the smallest gap.
    other
        What `run` returned beside it.
    learned : Learned

    Raises
    ------
    RunError
        If the gap cannot be asked for.
    """
    check_gap(gap)
    free_s, pieces = free_times(arrays), TurnTimes(turns, link_keys(arrays))
    willing = SwapRate()
    ways: Paths | None = None
    best: tuple[_Day, RunResult, T] | None = None
    first = np.nan
    k = 0
    for k in range(rounds):
        diary = Diary(ways)
        result, other = run(diary)
        day = _day(result, diary, free_s, pieces, seed)
        if k == 0:
            first = day.gap
        if best is None or day.gap < best[0].gap:
            best = day, result, other
        back = willing.see(day.gap)
        if not day.gap > gap or willing.since >= PATIENCE:
            break
        base = best[0] if back else day
        lot = uniform(seed, k, 0, Purpose.PATH_SWAP)[0]
        ways = changed(base.driven, base.better, willing.swaps(base.loss, base.order, lot))
    assert best is not None
    day, result, other = best
    told = Learned(
        gap=day.gap, first_gap=first, asked=gap, rounds=k + 1, trips=day.trips, mean_s=day.mean_s, best_s=day.best_s
    )
    return result, other, told


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Day:
    """A round: what was driven and what would have been better. Trips k."""

    driven: Paths
    better: Paths
    loss: np.ndarray  # (k,) share of its cost that each trip lost; 0 where nothing is known
    order: np.ndarray  # (k,) trips along origins, destinations and departures
    gap: float
    trips: int
    mean_s: float
    best_s: float


def _day(result: RunResult, diary: Diary, free_s: np.ndarray, pieces: TurnTimes, seed: int) -> _Day:
    assert result.entry_log is not None and result.released is not None
    log, trips = result.entry_log, result.released
    depart = trips["depart_s"].to_numpy(float)
    origin, dest = (trips[name].to_numpy(np.int64) for name in ("origin_link_id", "dest_link_id"))
    k = depart.size
    times = pieces.means(log, depart, origin, free_s)
    ways = _whole_ways(log, diary.ways, origin, dest)
    rule, group = diary.rule, diary.group
    spent, best, unknown = np.full(k, np.nan), np.full(k, np.nan), np.diff(ways.start) == 0
    found: list[tuple[np.ndarray, Paths]] = []
    for r, rules in enumerate(diary.rules):
        mine = np.flatnonzero((rule == r) & (origin >= 0) & (dest >= 0))
        if not mine.size:
            continue
        row, cost = group[mine], pieces.cost_s(rules.turns, rules.cost_s)
        search = pieces.journeys(origin[mine], dest[mine], depart[mine])
        arrival, cheapest = search.fastest(times, slot_s=SPAN_S, seed=seed, charge_s=cost, row=row)
        own = pieces.pieces(ways.take(mine))
        barred = np.where(cost >= CLOSED_PENALTY_S, CLOSED_PENALTY_S, 0.0)
        needs = paid(cheapest, barred, row)  # closed streets that nobody can do without are no loss
        spent[mine] = times.arrivals(own, depart[mine]) - depart[mine] + paid(own, cost, row) - needs
        best[mine] = arrival - depart[mine] + paid(cheapest, cost, row) - needs
        cheapest = pieces.links(cheapest)
        found.append((mine, cheapest))
    known = ~unknown & np.isfinite(best) & np.isfinite(spent)
    excess = np.where(known, np.maximum(spent - best, 0.0), 0.0)
    least = np.where(known, spent - excess, 0.0)
    total, many = float(least.sum()), int(known.sum())
    loss = np.divide(excess, spent, out=np.where(unknown & np.isfinite(best), 1.0, 0.0), where=known & (spent > 0))
    return _Day(
        driven=ways, better=_put_together(ways, found, loss > 0), loss=loss, order=np.lexsort((depart, dest, origin)),
        gap=float(excess.sum()) / total if total > 0 else 0.0, trips=many,
        mean_s=float((least + excess).sum()) / max(many, 1), best_s=total / max(many, 1),
    )  # fmt: skip


def _whole_ways(log: EntryLog, given: Paths | None, origin: np.ndarray, dest: np.ndarray) -> Paths:
    """The way of each trip from end to end: as driven, or as meant by who did not arrive; empty where neither tells."""
    k = origin.size
    driven = log.paths(k)
    here = np.where(np.isfinite(log.arrivals(k)) & (origin >= 0), np.arange(k), -1)
    if given is None:
        nowhere = Paths(links=driven.links[:0], start=np.zeros(1, dtype=np.int64))
    else:
        nowhere = given
    lengths = np.diff(nowhere.start)
    meant = np.flatnonzero((here < 0)[: lengths.size] & (lengths > 0)[:k])
    fits = (nowhere.links[nowhere.start[meant]] == origin[meant]) & (
        nowhere.links[nowhere.start[meant + 1] - 1] == dest[meant]
    )
    meant = meant[fits]
    here[meant] = k + meant
    last = driven.start[-1]
    start = np.concatenate([driven.start, nowhere.start[1:] + last, [last + nowhere.links.size]])
    both = Paths(links=np.concatenate([driven.links, nowhere.links]), start=start)
    return both.take(np.where(here < 0, len(both) - 1, here))


def _put_together(driven: Paths, found: list[tuple[np.ndarray, Paths]], better: np.ndarray) -> Paths:
    """The better ways of those trips that have one, and the driven ways of the others."""
    at = np.arange(len(driven))
    links, start = [driven.links], [driven.start]
    last, number = driven.start[-1], len(driven)
    for mine, ways in found:
        take = better[mine] & (np.diff(ways.start) > 0)
        at[mine[take]] = number + np.flatnonzero(take)
        links.append(ways.links)
        start.append(ways.start[1:] + last)
        last, number = last + ways.start[-1], number + len(ways)
    return Paths(links=np.concatenate(links), start=np.concatenate(start)).take(at)


def as_told(learned: Learned | None) -> dict[str, Any] | None:
    """A `Learned` as plain values, for files."""
    return None if learned is None else dict(zip(Learned.__slots__, astuple(learned)))
