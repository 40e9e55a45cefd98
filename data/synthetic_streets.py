"""Streets of a made-up radial-ring city: rings and radials with a hierarchy, thinned to look like streets of a town.

Rings lie a block apart; the number of radials doubles wherever their spacing exceeds 1.6 blocks, so blocks keep their
size while the city grows. Every so many metres a ring or radial is a collector or an arterial. Of the rest, streets are
taken away at random, never one that holds the town together, until as many links remain as were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

CENTRE_BLOCK_M, SUBURB_BLOCK_M, SUBURB_M = 90.0, 150.0, 3000.0  # assumed: size of blocks, and from where it holds
FIRST_RING_M = 150.0
#: Spacing of streets of each class, m (assumed, so that residential streets are about half of all street length, as in
#: the towns of `data.synthetic`).
SPACING_M = {"primary": 2400.0, "secondary": 1200.0, "tertiary": 600.0}
#: Share of streets that thinning takes from the full grid (assumed, so that three-way crossings prevail).
THINNED = 0.45
ONEWAY_SHARE, ONEWAY_CENTRE_SHARE = 0.06, 0.35  # of residential streets; assumed
JITTER = 0.12  # of a block, standard deviation of a crossing's place; assumed
MOTORWAY_FROM_LINKS = 2000  # smaller towns have no motorway ring (assumed)
MOTORWAY_AT = 0.62  # of the city's radius
MOTORWAY_GAP_M = 320.0  # between the rings on its two sides
STUB_M = 700.0  # of a main road beyond the last ring, to the border

CLASSES = ("motorway", "motorway_link", "primary", "secondary", "tertiary", "residential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streets:
    """Streets as undirected edges; `via` holds inner points of those that bend."""

    x: np.ndarray  # (n,) m
    y: np.ndarray
    border: np.ndarray  # (n,) bool
    a: np.ndarray  # (e,) first node
    b: np.ndarray
    rank: np.ndarray  # (e,) index into CLASSES
    name: np.ndarray  # (e,) str
    oneway: np.ndarray  # (e,) bool: from a to b alone
    via: dict[int, np.ndarray] = field(default_factory=dict)  # edge -> (k, 2)
    roundabout: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # (e,)

    def degree(self) -> np.ndarray:
        """Streets that meet at each node. Shape (n,)."""
        return np.bincount(np.concatenate([self.a, self.b]), minlength=self.x.size)


@dataclass(frozen=True, slots=True)
class _Rings:
    """Radius and number of nodes of each ring, and after which ring the motorway lies (-1: there is none)."""

    radius: np.ndarray
    count: np.ndarray
    motorway: int

    @property
    def first(self) -> np.ndarray:
        """First node of each ring, and the number of nodes."""
        return np.concatenate([[0], np.cumsum(self.count)])

    @property
    def edges(self) -> int:
        """Edges of the full grid."""
        return int(self.count.sum() + self.count[:-1].sum())


def make_streets(links: int, rng: np.random.Generator) -> tuple[Streets, float]:
    """Streets for about that many directed links, and the city's radius, m.

    The count is met within some percent: motorway and roundabouts come on top of what thinning leaves.
    """
    base = 6 if links < 600 else 8
    with_motorway = links >= MOTORWAY_FROM_LINKS
    edges = links / (2.0 - 0.5 * (ONEWAY_SHARE + ONEWAY_CENTRE_SHARE)) * 0.965
    rings = _rings(edges / (1.0 - THINNED), base, with_motorway)
    streets, spare = _grid(rings, base, rng)
    streets = _thinned(streets, spare, int(edges), rng)
    if rings.motorway >= 0:
        streets = _with_motorway(streets, rings)
    streets = _merged(streets)
    radius = float(rings.radius[-1])
    return _with_oneways(streets, radius, rng), radius


def block_m(radius: np.ndarray | float) -> np.ndarray:
    """Size of a block at a distance from the centre, m."""
    return np.asarray(CENTRE_BLOCK_M + (SUBURB_BLOCK_M - CENTRE_BLOCK_M) * np.minimum(1.0, radius / SUBURB_M))


def _rings(edges: float, base: int, with_motorway: bool) -> _Rings:
    """As many rings as it takes to have that many edges."""
    radius, count = [FIRST_RING_M], [base]
    while sum(count) + sum(count[:-1]) < edges or len(radius) < 3:
        radius.append(radius[-1] + float(block_m(radius[-1])))
        arc = 2.0 * np.pi * radius[-1] / count[-1]
        count.append(count[-1] * (2 if arc > 1.6 * block_m(radius[-1]) else 1))
    r = np.array(radius)
    at = int(np.searchsorted(r, MOTORWAY_AT * r[-1])) - 1 if with_motorway else -1
    if at >= 0:
        r[at + 1 :] += MOTORWAY_GAP_M - (r[at + 1] - r[at])
    return _Rings(r, np.array(count), at)


def _grid(rings: _Rings, base: int, rng: np.random.Generator) -> tuple[Streets, np.ndarray]:
    """All rings and radials, and which edges thinning may take."""
    first, n = rings.first, int(rings.count.sum())
    ring = np.repeat(np.arange(rings.count.size), rings.count)
    j = np.arange(n) - first[ring]
    angle = 2.0 * np.pi * j / rings.count[ring]
    radius = rings.radius[ring]
    shift = rng.normal(0.0, JITTER, (2, n)) * block_m(radius)
    main = _radial_rank(j, rings.count[ring], radius, base) <= CLASSES.index("tertiary")
    shift = np.clip(shift, -25.0, 25.0) * np.where(main, 0.3, 1.0)
    x, y = radius * np.cos(angle) + shift[0], radius * np.sin(angle) + shift[1]
    ring_rank = _ring_rank(rings)
    around = first[ring] + (j + 1) % rings.count[ring]
    out = ring < rings.count.size - 1
    doubles = rings.count[np.minimum(ring + 1, rings.count.size - 1)] // rings.count[ring]
    outward = first[ring + 1] + j * doubles
    radial = _radial_rank(j, rings.count[ring], radius, base)
    a, b = np.concatenate([np.arange(n), np.flatnonzero(out)]), np.concatenate([around, outward[out]])
    rank = np.concatenate([ring_rank[ring], radial[out]])
    degrees = np.round(np.degrees(angle)).astype(int)
    names = [f"Ring {k + 1}" for k in ring] + [f"Radial {d}" for d in degrees[out]]
    spare = rank == CLASSES.index("residential")
    crosses = np.concatenate([np.zeros(n, bool), ring[out] == rings.motorway])
    keep = ~(crosses & spare)
    x, y, stub_a, stub_b, stub_rank, stub_names = _stubs(x, y, rings, radial, first, degrees)
    streets = Streets(
        x=x, y=y, border=np.arange(x.size) >= n, a=np.append(a[keep], stub_a), b=np.append(b[keep], stub_b),
        rank=np.append(rank[keep], stub_rank), name=np.array([*np.array(names)[keep], *stub_names], dtype=object),
        oneway=np.zeros(keep.sum() + stub_a.size, bool),
    )  # fmt: skip
    return streets, np.append(spare[keep], np.zeros(stub_a.size, bool))


def _radial_rank(j: np.ndarray, count: np.ndarray, radius: np.ndarray, base: int) -> np.ndarray:
    """Class of the radial at each node: the farther out, the more of them are main roads."""
    rank = np.full(j.size, CLASSES.index("residential"))
    radials = np.full(j.size, base)
    while (radials <= count).any():
        on = (radials <= count) & (j % np.maximum(count // radials, 1) == 0)
        spacing = 2.0 * np.pi * radius / radials
        for name, metres in reversed(SPACING_M.items()):
            rank = np.where(on & (spacing >= 0.7 * metres), np.minimum(rank, CLASSES.index(name)), rank)
        if (radials == base).all():
            least = np.where((j // np.maximum(count // base, 1)) % 2, "secondary", "primary")
            rank = np.where(on, np.minimum(rank, [CLASSES.index(name) for name in least]), rank)
        radials = radials * 2
    return rank


def _ring_rank(rings: _Rings) -> np.ndarray:
    """Class of each ring: those nearest to multiples of each class's spacing, and the first, are main roads."""
    rank = np.full(rings.radius.size, CLASSES.index("residential"))
    for name, metres in reversed(SPACING_M.items()):
        for target in np.arange(metres, rings.radius[-1], metres):
            rank[np.abs(rings.radius - target).argmin()] = CLASSES.index(name)
    rank[0] = CLASSES.index("primary")
    rank[-1] = min(rank[-1], CLASSES.index("secondary"))
    return rank


def _stubs(
    x: np.ndarray, y: np.ndarray, rings: _Rings, radial: np.ndarray, first: np.ndarray, degrees: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Main roads go on beyond the last ring to the border."""
    last = np.arange(first[-2], first[-1])
    gates = last[radial[last] <= CLASSES.index("secondary")]
    far = 1.0 + STUB_M / rings.radius[-1]
    ends = x.size + np.arange(gates.size)
    names = [f"Radial {d}" for d in degrees[gates]]
    return np.append(x, x[gates] * far), np.append(y, y[gates] * far), gates, ends, radial[gates], names


def _thinned(streets: Streets, spare: np.ndarray, edges: int, rng: np.random.Generator) -> Streets:
    """Take spare streets away until, after joining at nodes that two streets share, some `edges` are left."""
    n = streets.x.size
    weight = np.where(spare, 2.0 + rng.random(spare.size), 1.0)
    tree = sparse.csgraph.minimum_spanning_tree(sparse.csr_array((weight, (streets.a, streets.b)), shape=(n, n)))
    held = set(zip(*(part.tolist() for part in tree.nonzero())))
    held_edge = np.array([(a, b) in held for a, b in zip(streets.a.tolist(), streets.b.tolist())])
    order = rng.permutation(np.flatnonzero(spare & ~held_edge))

    def left(k: int) -> int:
        keep = np.ones(spare.size, bool)
        keep[order[:k]] = False
        return int(keep.sum() - _joints(streets, keep).sum())

    low, high = 0, order.size
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if left(middle) > edges else (low, middle)
    keep = np.ones(spare.size, bool)
    keep[order[:low]] = False
    return _some(streets, keep)


def _some(streets: Streets, keep: np.ndarray) -> Streets:
    return replace(
        streets, a=streets.a[keep], b=streets.b[keep], rank=streets.rank[keep], name=streets.name[keep],
        oneway=streets.oneway[keep],
    )  # fmt: skip


def _joints(streets: Streets, keep: np.ndarray) -> np.ndarray:
    """Nodes at which exactly two streets of one class meet. Shape (n,), bool."""
    ends = np.concatenate([streets.a[keep], streets.b[keep]])
    rank = np.tile(streets.rank[keep], 2).astype(float)
    n = streets.x.size
    degree, total = np.bincount(ends, minlength=n), np.bincount(ends, rank, minlength=n)
    square = np.bincount(ends, rank**2, minlength=n)
    oneway = np.bincount(ends, np.tile(streets.oneway[keep], 2), minlength=n) > 0
    alike = np.isclose(square * degree, total**2)
    return np.asarray((degree == 2) & alike & ~streets.border & ~oneway)


def _with_motorway(streets: Streets, rings: _Rings) -> Streets:
    """Add two one-way carriageways and, where primary roads cross, ramps to the crossings on either side."""
    inner, outer = rings.motorway, rings.motorway + 1
    middle = 0.5 * (rings.radius[inner] + rings.radius[outer])
    first = rings.first
    crossing = (streets.a >= first[inner]) & (streets.a < first[outer]) & (streets.b >= first[outer])
    roads = np.flatnonzero(crossing & (streets.rank == CLASSES.index("primary")))
    angle = np.arctan2(streets.y[streets.a[roads]], streets.x[streets.a[roads]]) % (2.0 * np.pi)
    order = np.argsort(angle)
    roads, angle = roads[order], angle[order]
    ahead = 260.0 / middle
    x: list[float] = []
    y: list[float] = []
    rows: list[tuple[int, int, int, str]] = []  # from node, to node, rank of the class, name
    via: dict[int, np.ndarray] = {}
    n, e = streets.x.size, streets.a.size
    for side, direction in ((1.0, 1.0), (-1.0, -1.0)):
        radius = middle + 14.0 * side
        meets = streets.b[roads] if side > 0 else streets.a[roads]
        step = slice(None) if direction > 0 else slice(None, None, -1)
        angles, meets = angle[step], meets[step]
        leave, join = angles - direction * ahead, angles + direction * ahead
        base = n + len(x)
        for k, (off, on) in enumerate(zip(leave, join)):
            x += [radius * np.cos(off), radius * np.cos(on)]
            y += [radius * np.sin(off), radius * np.sin(on)]
            off_node, on_node = base + 2 * k, base + 2 * k + 1
            after = base + 2 * ((k + 1) % len(leave))
            to = leave[(k + 1) % len(leave)]
            span = direction * ((direction * (to - on)) % (2.0 * np.pi))
            for start, end, kind, begin, turn in (
                (off_node, on_node, 0, off, direction * 2.0 * ahead), (on_node, after, 0, on, span),
            ):  # fmt: skip
                pieces = max(2, int(abs(turn) * radius / 120.0))
                theta = begin + turn * np.arange(1, pieces) / pieces
                via[e + len(rows)] = radius * np.column_stack([np.cos(theta), np.sin(theta)])
                rows.append((start, end, kind, "Orbital motorway"))
            for start, end in ((off_node, int(meets[k])), (int(meets[k]), on_node)):
                rows.append((start, end, 1, "Motorway ramp"))
    a, b, rank = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(3))
    names = [row[3] for row in rows]
    return replace(
        streets, x=np.append(streets.x, x), y=np.append(streets.y, y),
        border=np.append(streets.border, np.zeros(len(x), bool)), a=np.append(streets.a, a), b=np.append(streets.b, b),
        rank=np.append(streets.rank, rank), name=np.append(streets.name, np.array(names, dtype=object)),
        oneway=np.append(streets.oneway, np.ones(len(a), bool)), via=via,
    )  # fmt: skip


def _merged(streets: Streets) -> Streets:
    """Join streets at nodes that no other street meets; drop nodes without streets."""
    joint = _joints(streets, np.ones(streets.a.size, bool))
    at: dict[int, list[int]] = {}
    for edge, (a, b) in enumerate(zip(streets.a.tolist(), streets.b.tolist())):
        for node in (a, b):
            if joint[node]:
                at.setdefault(node, []).append(edge)
    used = np.zeros(streets.a.size, bool)
    rows: list[tuple[int, int, int]] = []  # start, end, edge that stands for all
    via: dict[int, np.ndarray] = {}
    a, b = streets.a.tolist(), streets.b.tolist()
    for edge in range(len(a)):
        if used[edge] or (joint[a[edge]] and joint[b[edge]]):
            continue  # one inside a chain; its ends lead to it
        used[edge] = True
        if not joint[a[edge]] and not joint[b[edge]]:
            via.update({len(rows): streets.via[edge]} if edge in streets.via else {})
            rows.append((a[edge], b[edge], edge))
            continue
        start, node = (b[edge], a[edge]) if joint[a[edge]] else (a[edge], b[edge])
        inner, now = [], edge
        while joint[node]:
            inner.append((streets.x[node], streets.y[node]))
            now = at[node][0] if at[node][1] == now else at[node][1]
            used[now] = True
            node = a[now] + b[now] - node
        via[len(rows)] = np.array(inner)
        rows.append((start, node, edge))
    start, end, last = (np.array(part, dtype=np.int64) for part in zip(*rows))
    names, number = np.unique(np.concatenate([start, end]), return_inverse=True)
    loop = start == end
    keep = np.flatnonzero(~loop)
    return Streets(
        x=streets.x[names], y=streets.y[names], border=streets.border[names], a=number[: start.size][keep],
        b=number[start.size :][keep], rank=streets.rank[last][keep], name=streets.name[last][keep],
        oneway=streets.oneway[last][keep], via={k: via[row] for k, row in enumerate(keep.tolist()) if row in via},
        roundabout=np.zeros(keep.size, bool),
    )  # fmt: skip


def _with_oneways(streets: Streets, radius: float, rng: np.random.Generator) -> Streets:
    """Make some residential streets one-way, more of them near the centre, none that would cut a node off."""
    home = streets.rank == CLASSES.index("residential")
    away = np.hypot(streets.x[streets.a], streets.y[streets.a]) / radius
    share = ONEWAY_SHARE + (ONEWAY_CENTRE_SHARE - ONEWAY_SHARE) * np.maximum(0.0, 1.0 - 2.0 * away)
    chosen = home & (rng.random(home.size) < share)
    n = streets.x.size
    while True:
        oneway = streets.oneway | chosen
        back = ~oneway
        start, end = np.append(streets.a, streets.b[back]), np.append(streets.b, streets.a[back])
        graph = sparse.csr_array((np.ones(start.size), (start, end)), shape=(n, n))
        parts, part = sparse.csgraph.connected_components(graph, directed=True, connection="strong")
        wrong = chosen & (part[streets.a] != part[streets.b])
        if parts == 1 or not wrong.any():
            return replace(streets, oneway=oneway)
        chosen = chosen & ~wrong
