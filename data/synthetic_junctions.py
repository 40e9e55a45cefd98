"""Signals and roundabouts of a made-up city: which crossings have them, and what a roundabout looks like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data.synthetic_streets import CLASSES, Streets

#: Chance that a crossing is signalled, by the classes of the road that passes and of the one that crosses it, in the
#: centre; at the edge of the city it is `EDGE_SHARE` of that. Assumed.
SIGNAL_SHARE = {
    ("primary", "primary"): 1.0, ("primary", "secondary"): 1.0, ("primary", "tertiary"): 0.7,
    ("secondary", "secondary"): 0.8, ("secondary", "tertiary"): 0.4, ("tertiary", "tertiary"): 0.1,
    ("primary", "residential"): 0.08,
}  # fmt: skip
EDGE_SHARE = 0.6
ROUNDABOUT_SHARE = 0.3  # of the other crossings of main roads outside the centre; assumed
ROUNDABOUT_M = 16.0  # radius of the centre line; assumed, a compact roundabout of one lane
_MOTORWAY, _RAMP = CLASSES.index("motorway"), CLASSES.index("motorway_link")


def signal_nodes(streets: Streets, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Which nodes have signals. Shape (n,), bool.

    Ramps meet their road at a signal; a merge or a diverge of a motorway has none.
    """
    main, cross = _main_and_cross(streets)
    away = np.minimum(1.0, np.hypot(streets.x, streets.y) / radius)
    share = np.zeros((len(CLASSES) + 1, len(CLASSES) + 1))
    for (first, second), value in SIGNAL_SHARE.items():
        share[CLASSES.index(first), CLASSES.index(second)] = value
    chance = share[main, cross] * (1.0 - (1.0 - EDGE_SHARE) * away)
    chosen = rng.random(chance.size) < chance
    on_motorway, on_ramp = _touches(streets, _MOTORWAY), _touches(streets, _RAMP)
    return np.asarray(((chosen & (streets.degree() > 2)) | on_ramp) & ~on_motorway)


def with_roundabouts(
    streets: Streets, signal: np.ndarray, radius: float, rng: np.random.Generator
) -> tuple[Streets, np.ndarray]:
    """Streets with roundabouts at some crossings of main roads that have no signal, and the signals of their nodes.

    A roundabout of k arms is k nodes and k one-way links; traffic keeps right and circulates against the clock.
    """
    main, cross = _main_and_cross(streets)
    outside = np.hypot(streets.x, streets.y) > 0.2 * radius
    calm = ~signal & outside & (cross <= CLASSES.index("tertiary")) & (main > _RAMP) & (streets.degree() > 2)
    length = np.hypot(streets.x[streets.a] - streets.x[streets.b], streets.y[streets.a] - streets.y[streets.b])
    tight = np.concatenate([streets.a[(length < 4.0 * ROUNDABOUT_M) | streets.oneway],
                            streets.b[(length < 4.0 * ROUNDABOUT_M) | streets.oneway]])  # fmt: skip
    calm[tight] = False
    chosen = np.flatnonzero(calm & (rng.random(calm.size) < ROUNDABOUT_SHARE))
    if chosen.size == 0:
        return replace(streets, roundabout=np.zeros(streets.a.size, bool)), signal
    at: dict[int, list[int]] = {node: [] for node in chosen.tolist()}
    for edge, ends in enumerate(zip(streets.a.tolist(), streets.b.tolist())):
        for node in ends:
            if node in at:
                at[node].append(edge)
    a, b, x, y = streets.a.copy(), streets.b.copy(), streets.x.tolist(), streets.y.tolist()
    ring: list[tuple[int, int, int]] = []  # from node, to node, rank of the class
    via = dict(streets.via)
    for node, edges in at.items():
        angles = [_heading(streets, edge, node) for edge in edges]
        order = np.argsort(angles, kind="stable")
        first = len(x)
        for k, arm in enumerate(order.tolist()):
            edge, angle = edges[arm], angles[arm]
            x.append(streets.x[node] + ROUNDABOUT_M * np.cos(angle))
            y.append(streets.y[node] + ROUNDABOUT_M * np.sin(angle))
            (a if streets.a[edge] == node else b)[edge] = first + k
            after = angles[order[(k + 1) % len(order)]]
            theta = angle + ((after - angle) % (2.0 * np.pi)) * np.array([0.25, 0.5, 0.75])
            via[streets.a.size + len(ring)] = np.column_stack(
                [streets.x[node] + ROUNDABOUT_M * np.cos(theta), streets.y[node] + ROUNDABOUT_M * np.sin(theta)]
            )
            ring.append((first + k, first + (k + 1) % len(order), min(int(streets.rank[e]) for e in edges)))
    added = len(x) - streets.x.size
    new_a, new_b, rank = np.array(ring, dtype=np.int64).reshape(-1, 3).T
    name = np.full(len(ring), "Roundabout", dtype=object)
    whole = Streets(
        x=np.array(x), y=np.array(y), border=np.append(streets.border, np.zeros(added, bool)),
        a=np.append(a, new_a), b=np.append(b, new_b), rank=np.append(streets.rank, rank),
        name=np.append(streets.name, name),
        oneway=np.append(streets.oneway, np.ones(len(new_a), bool)), via=via,
        roundabout=np.append(np.zeros(streets.a.size, bool), np.ones(len(new_a), bool)),
    )  # fmt: skip
    return without_lone_nodes(whole, np.append(signal, np.zeros(added, bool)))


def without_lone_nodes(streets: Streets, signal: np.ndarray) -> tuple[Streets, np.ndarray]:
    """Streets numbered anew without nodes that no street meets, and the signals of their nodes."""
    kept, number = np.unique(np.concatenate([streets.a, streets.b]), return_inverse=True)
    half = streets.a.size
    return replace(
        streets, x=streets.x[kept], y=streets.y[kept], border=streets.border[kept], a=number[:half], b=number[half:]
    ), signal[kept]


def _touches(streets: Streets, rank: int) -> np.ndarray:
    there = np.zeros(streets.x.size, bool)
    there[np.concatenate([streets.a[streets.rank == rank], streets.b[streets.rank == rank]])] = True
    return there


def _main_and_cross(streets: Streets) -> tuple[np.ndarray, np.ndarray]:
    """Class of the road that passes each node (its most important arm) and of the one that crosses (its third arm).

    Shape (n,) each; `len(CLASSES)` where there is none.
    """
    node, rank = np.concatenate([streets.a, streets.b]), np.tile(streets.rank, 2)
    order = np.lexsort((rank, node))
    node, rank = node[order], rank[order]
    first = np.searchsorted(node, np.arange(streets.x.size))
    degree = streets.degree()
    padded = np.append(rank, [len(CLASSES)] * 3)
    main = np.where(degree > 0, padded[first], len(CLASSES))
    return main, np.where(degree > 2, padded[np.minimum(first + 2, rank.size)], len(CLASSES))


def _heading(streets: Streets, edge: int, node: int) -> float:
    """Direction in which a street leaves a node, radians in [0, 2 pi)."""
    forward = streets.a[edge] == node
    bend = streets.via.get(edge)
    other = streets.b[edge] if forward else streets.a[edge]
    x, y = (streets.x[other], streets.y[other]) if bend is None else bend[0 if forward else -1]
    return float(np.arctan2(y - streets.y[node], x - streets.x[node]) % (2.0 * np.pi))
