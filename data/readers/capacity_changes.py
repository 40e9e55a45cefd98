"""Where a street changes between two crossings so much that one link should not stand for all of it.

Simplification joins all stretches between crossings. A bottleneck, a speed limit or a new road class in the middle
would be averaged away; so a node stays where lanes, free-flow speed or class change for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from data.readers.road_part import SIGN_REACH_M, SIGNAL_REACH_M, Part, road_capacity

#: A change counts where the street stays as it is for this long on either side, m. Assumed: shorter stretches are turn
#: pockets and bus bays, which `turn_lanes` tells, and links much shorter than this hold too few vehicles to queue on.
MIN_RUN_M = 50.0
#: Free-flow speeds this much apart are a change (assumed).
SPEED_CHANGE = 0.1


@dataclass(frozen=True, slots=True)
class _Run:
    """A piece of a link that is alike: its length, and one of its parts to stand for it."""

    length_m: float
    part: Part


def change_nodes(graph: nx.MultiDiGraph) -> set[int]:
    """Nodes inside the links of a simplified graph that should stay nodes.

    Parameters
    ----------
    graph : MultiDiGraph
        Simplified, with `parts` on its edges.

    Returns
    -------
    set of int
        At most one in `MIN_RUN_M` of street, the greatest changes first; none where a signal or a sign that belongs to
        the next junction would come to govern the change instead.
    """
    streets: dict[frozenset[int], list[tuple[Part, ...]]] = {}
    for _, _, parts in sorted(graph.edges(data="parts"), key=lambda edge: (edge[0], edge[1], edge[2][0].end)):
        inside = frozenset(part.end for part in parts[:-1])
        if inside:
            streets.setdefault(inside, []).append(parts)
    return {node for sides in streets.values() for node in _of_street(sides)}


def _of_street(sides: Sequence[tuple[Part, ...]]) -> list[int]:
    """Change nodes of one street, whose directions are given one by one."""
    place, along = {}, 0.0
    for part in sides[0][:-1]:
        along += part.length_m
        place[part.end] = along
    whole = along + sides[0][-1].length_m
    size: dict[int, float] = {}
    for parts in sides:
        for node, change in _changes(parts):
            size[node] = max(size.get(node, 0.0), change)
    kept: list[int] = []
    for node in sorted(size, key=lambda node: (-size[node], place[node])):
        there = place[node]
        free = all(abs(place[other] - there) >= MIN_RUN_M for other in kept)
        if free and MIN_RUN_M <= there <= whole - MIN_RUN_M and not any(_governed(parts, node) for parts in sides):
            kept.append(node)
    return kept


def _changes(parts: tuple[Part, ...]) -> list[tuple[int, float]]:
    """Nodes at which one direction changes, and by how much (1 is a change of all the capacity there is)."""
    runs: list[_Run] = []
    for part in parts:
        if runs and not _differ(runs[-1].part, part):
            runs[-1] = _Run(runs[-1].length_m + part.length_m, part)
        else:
            runs.append(_Run(part.length_m, part))
    while len(runs) > 1:
        shortest = min(range(len(runs)), key=lambda k: (runs[k].length_m, k))
        if runs[shortest].length_m >= MIN_RUN_M:
            break
        runs = _joined(runs, shortest)
    return [(a.part.end, _size(a.part, b.part)) for a, b in pairwise(runs)]


def _joined(runs: list[_Run], short: int) -> list[_Run]:
    """Runs with one joined to the neighbour that is more like it; a run ends where its last part ends."""
    sides = [k for k in (short - 1, short + 1) if 0 <= k < len(runs)]
    host = min(sides, key=lambda k: (_size(runs[short].part, runs[k].part), k))
    first, second = sorted((short, host))
    end = runs[second].part.end
    new = _Run(runs[first].length_m + runs[second].length_m, runs[host].part.ending_at(end))
    rest = [*runs[:first], new, *runs[second + 1 :]]
    merged: list[_Run] = []
    for run in rest:
        if merged and not _differ(merged[-1].part, run.part):
            merged[-1] = _Run(merged[-1].length_m + run.length_m, run.part)
        else:
            merged.append(run)
    return merged


def _differ(a: Part, b: Part) -> bool:
    return a.lanes != b.lanes or a.road_class != b.road_class or _speed_change(a, b) >= SPEED_CHANGE


def _speed_change(a: Part, b: Part) -> float:
    return abs(a.speed_mps - b.speed_mps) / max(a.speed_mps, b.speed_mps)


def _size(a: Part, b: Part) -> float:
    low, high = sorted((road_capacity(a), road_capacity(b)))
    return max((high - low) / high, _speed_change(a, b), 0.01 * (a.road_class != b.road_class))


def _governed(parts: tuple[Part, ...], node: int) -> bool:
    """Whether a signal or sign would govern the end of a link that ended at this node."""
    at = next(k for k, part in enumerate(parts) if part.end == node)
    rest = 0.0
    for part in reversed(parts[: at + 1]):
        if (part.signal and rest <= SIGNAL_REACH_M) or (part.sign and rest <= SIGN_REACH_M):
            return True
        rest += part.length_m
        if rest > max(SIGNAL_REACH_M, SIGN_REACH_M):
            break
    return False
