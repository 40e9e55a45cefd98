"""From runs to rows and figures: medians, the rule of what may be compared, and ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from app.benchmarks.peers.task import Outcome

#: Share by which an engine's vehicles may differ from the demand; beyond it the engine is shown, but no ratio is made.
MADE_TOLERANCE = 0.01
OURS = "zonewise"


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The names in the order of a round: each round begins with the next one, so that none always runs first."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def row(outcomes: Sequence[Outcome], demand: int) -> dict[str, Any]:
    """One engine's runs of one task as a row: median, least and greatest CPU time, medians of the rest.

    Raises
    ------
    ValueError
        If two runs made different numbers of trips: then they were no repetitions.
    """
    if len({outcome.trips_made for outcome in outcomes}) != 1:
        raise ValueError(f"runs made {sorted({o.trips_made for o in outcomes})} trips; repetitions make the same")
    cpu = [outcome.cpu_s for outcome in outcomes]
    last = asdict(outcomes[-1])
    kept = {name: last[name] for name in ("trips_made", "trips_done", "version")}
    middle = {
        name: median(getattr(outcome, name) for outcome in outcomes)
        for name in ("setup_s", "after_s", "compile_s", "mean_travel_time_s", "mean_over_all_s")
    }
    parts = {
        f"{name}_s": median(dict(outcome.parts_s)[name] for outcome in outcomes) for name, _ in outcomes[0].parts_s
    }
    return {
        "cpu_s": median(cpu), "cpu_s_min": min(cpu), "cpu_s_max": max(cpu), "runs": len(cpu), **parts, **middle, **kept,
        "peak_mib": max(outcome.peak_mib for outcome in outcomes), "demand": demand,
        "comparable": comparable(last["trips_made"], demand),
    }  # fmt: skip


def comparable(made: int, demand: int) -> bool:
    """Whether an engine ran the demand: its vehicles differ from it by at most `MADE_TOLERANCE`."""
    return abs(made - demand) <= MADE_TOLERANCE * demand


def ratios(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """CPU time of each comparable peer over ours; nothing if ours did not run the demand."""
    ours = rows.get(OURS)
    if ours is None or not ours["comparable"]:
        return {}
    return {name: peer["cpu_s"] / ours["cpu_s"] for name, peer in rows.items() if name != OURS and peer["comparable"]}
