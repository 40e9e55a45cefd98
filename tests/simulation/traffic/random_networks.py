"""Random small networks with everything that the traffic kernel knows, and a check of its whole state.

Not a test itself: `conftest` hands it to the tests of verification.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields

import numpy as np

from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.layout import ARRIVED, END, LOST, NEXT_TRIP, NONE, OCCUPANCY
from simulation.traffic.network import Junctions, LinkArrays
from simulation.traffic.paths import Paths

#: What a network may have besides queues, merges and spillback.
FEATURES = ("lanes", "side_lanes", "pockets", "nodes", "yields", "signals", "drop", "paths", "round")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, a route table with two layers, and trips on it."""

    arrays: LinkArrays
    from_node: np.ndarray
    to_node: np.ndarray
    next_link: np.ndarray  # (2, D, n)
    first_link: np.ndarray  # (2, D, nodes)
    trips: Trips

    def engine(self, **options) -> TrafficEngine:
        """An empty engine of this network."""
        return TrafficEngine(self.arrays, self.next_link.shape[1], **{"log": True, **options})

    def go(self, engine, until_s, max_events=-1):
        """Advance by this case's routes; whether `until_s` was reached."""
        return engine.advance(until_s, self.next_link, first_link=self.first_link, max_events=max_events)

    def renumbered(self, order) -> Case:
        """The same network with link `order[i]` as link i."""
        new = np.empty(order.size, np.int64)
        new[order] = np.arange(order.size)
        to_new = lambda links: np.where(links >= 0, new[links], links).astype(links.dtype)  # noqa: E731
        fields = {
            f.name: value[order] if isinstance(value := getattr(self.arrays, f.name), np.ndarray) else value
            for f in dataclass_fields(LinkArrays)
        }
        if (rules := self.arrays.junctions) is not None:
            rows = [np.arange(rules.yield_start[k], rules.yield_start[k + 1]) for k in order]
            at = np.concatenate(rows)
            pockets = np.argsort(new[rules.pocket_link], kind="stable")
            onto = [new[rules.pocket_to[rules.pocket_start[k] : rules.pocket_start[k + 1]]] for k in pockets]
            fields["junctions"] = replace(
                rules, node=rules.node[order], yield_start=_starts(rows), yield_to=to_new(rules.yield_to[at]),
                yield_target=to_new(rules.yield_target[at]), yield_then=to_new(rules.yield_then[at]),
                yield_gap_s=rules.yield_gap_s[at], yield_lead_s=rules.yield_lead_s[at],
                critical_gap_s=rules.critical_gap_s[order],
                pocket_link=new[rules.pocket_link[pockets]].astype(np.int32),
                pocket_storage=rules.pocket_storage[pockets], pocket_headway_s=rules.pocket_headway_s[pockets],
                pocket_start=_starts(onto), pocket_to=_flat(onto),
            )  # fmt: skip
        trips = self.trips
        paths = None if trips.paths is None else replace(trips.paths, links=to_new(trips.paths.links))
        return Case(
            arrays=LinkArrays(**fields), from_node=self.from_node[order], to_node=self.to_node[order],
            next_link=to_new(self.next_link[:, :, order]), first_link=to_new(self.first_link),
            trips=replace(trips, origin_link=to_new(trips.origin_link), paths=paths),
        )  # fmt: skip


def _starts(parts):
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


def _flat(parts):
    return np.concatenate([*map(np.asarray, parts), []]).astype(np.int32)


def random_case(seed: int, *features: str, trips: int = 60, span_s: float = 60.0) -> Case:
    """A strongly connected network of 3 to 6 nodes, short links and low capacities, so that queues spill back.

    `features` of `FEATURES`; "round": lengths, headways and departures are whole, so that instants are often equal.
    """
    assert set(features) <= set(FEATURES)
    rng = np.random.default_rng([seed, 11])
    nodes = int(rng.integers(3, 7))
    ring = rng.permutation(nodes)
    ends = list(zip(ring, np.roll(ring, -1), strict=True))
    ends += [tuple(rng.choice(nodes, 2, replace=False)) for _ in range(int(rng.integers(2, 2 * nodes)))]
    ends = [ends[i] for i in rng.permutation(len(ends))]
    from_node, to_node = (np.array([pair[i] for pair in ends], np.int64) for i in (0, 1))
    arrays = _arrays(rng, from_node, to_node, features)
    table, first = _routes(rng, nodes, from_node, to_node)
    return Case(
        arrays=arrays, from_node=from_node, to_node=to_node, next_link=table, first_link=first,
        trips=_trips(rng, nodes, table, first, trips, span_s, features),
    )  # fmt: skip


def _arrays(rng, from_node, to_node, features):
    n, whole = from_node.size, "round" in features
    pick = (
        (lambda values: rng.choice(values, n)) if whole else (lambda values: rng.uniform(min(values), max(values), n))
    )
    speed = pick([10.0, 20.0])
    headway = pick([1.0, 2.0, 4.0])
    jam = np.maximum(pick([0.1, 0.2]), 1.25 / headway / speed)
    signal = (rng.random(n) < 0.4) & ("signals" in features)
    return LinkArrays(
        length_m=pick([20.0, 40.0, 100.0]), lanes=rng.integers(1, 4, n) if "lanes" in features else np.ones(n),
        speed_mps=speed, capacity_veh_per_s=1.0 / headway,
        discharge_veh_per_s=1.0 / (headway * rng.choice([1.0, 1.0, 2.0], n)), jam_density_veh_per_m=jam,
        cycle_s=np.where(signal, pick([20.0, 30.0]), 0.0), green_start_s=np.where(signal, pick([0.0, 10.0]), 0.0),
        green_s=np.where(signal, pick([8.0, 12.0]), 0.0),
        merge_weight=rng.choice([0.25, 0.5, 1.0], n),
        capacity_drop=rng.choice([0.0, 0.1, 0.25], n) if "drop" in features else None,
        side_lanes=rng.integers(0, 3, n) if "side_lanes" in features else None,
        key=rng.integers(0, 2**63, n).astype(np.uint64),
        junctions=_junctions(rng, from_node, to_node, features),
    )  # fmt: skip


def _junctions(rng, from_node, to_node, features):
    n = from_node.size
    limited = np.full(n, NONE, np.int32)
    n_limited = 0
    if "nodes" in features:
        at = rng.choice(np.unique(to_node), 2, replace=False)
        for k, node in enumerate(at):
            limited[to_node == node] = k
        n_limited = 2
    share = 0.6 if "yields" in features else 0.0
    yields = [[m for m in np.flatnonzero(to_node == to_node[k]) if m < k and rng.random() < share] for k in range(n)]
    count = sum(map(len, yields))
    after = [rng.choice(np.flatnonzero(from_node == to_node[k])) for k, to in enumerate(yields) for _ in to]
    some = lambda links: np.where(rng.random(count) < 0.5, NONE, links).astype(np.int32)  # noqa: E731
    pockets = []
    if "pockets" in features:
        for k in range(n):
            onto = np.flatnonzero(from_node == to_node[k])
            if onto.size > 1 and rng.random() < 0.5:
                cut = int(rng.integers(1, onto.size))
                pockets.append((k, onto[:cut]))
                if rng.random() < 0.5:
                    pockets.append((k, onto[cut:]))
    return Junctions(
        node=limited, node_headway_s=rng.choice([1.0, 2.0], n_limited),
        yield_start=_starts(yields), yield_to=_flat(yields), yield_target=some(_flat([after])),
        yield_then=some(_flat([after])), yield_gap_s=rng.choice([3.0, 5.0], count),
        yield_lead_s=rng.choice([0.0, 1.0], count),
        critical_gap_s=rng.choice([3.0, 5.0], n),
        pocket_link=np.array([k for k, _ in pockets], np.int32),
        pocket_storage=rng.integers(1, 4, len(pockets)).astype(np.int32),
        pocket_headway_s=rng.choice([1.0, 2.0], len(pockets)),
        pocket_start=_starts([to for _, to in pockets]), pocket_to=_flat([to for _, to in pockets]),
    )  # fmt: skip


def _routes(rng, nodes, from_node, to_node):
    """Two layers of shortest ways (Bellman-Ford) with costs of their own. A trip ends on any link into its node."""
    n = from_node.size
    table = np.full((2, nodes, n), NONE, np.int32)
    first = np.full((2, nodes, nodes), NONE, np.int32)
    for layer in range(2):
        cost = rng.uniform(1.0, 3.0, n)
        for dest in range(nodes):
            to_end = np.where(to_node == dest, cost, np.inf)  # from the beginning of a link
            for _ in range(n):
                for link in np.flatnonzero(to_node != dest):
                    to_end[link] = cost[link] + to_end[from_node == to_node[link]].min(initial=np.inf)
            for link in range(n):
                onto = np.flatnonzero(from_node == to_node[link])
                table[layer, dest, link] = END if to_node[link] == dest else onto[np.argmin(to_end[onto])]
            for origin in range(nodes):
                onto = np.flatnonzero(from_node == origin)
                first[layer, dest, origin] = onto[np.argmin(to_end[onto])]
    return table, first


def _trips(rng, nodes, table, first, number, span_s, features):
    whole = "round" in features
    depart = np.sort(rng.integers(0, int(span_s), number).astype(float) if whole else rng.uniform(0, span_s, number))
    dest, layer = rng.integers(0, nodes, number), rng.integers(0, 2, number)
    by_node = rng.random(number) < 0.5
    origin = np.where(by_node, -2 - rng.integers(0, nodes, number), rng.integers(0, table.shape[2], number))
    paths = None
    if "paths" in features:
        lists: list[list[int]] = []
        for k in range(number):
            path = []
            if rng.random() < 0.5 and origin[k] >= 0:
                link = origin[k]
                while link >= 0:
                    path.append(int(link))
                    link = table[layer[k], dest[k], link]
            lists.append(path)
        paths = Paths.from_lists(lists)
    return Trips(
        depart_s=depart, origin_link=origin, dest_row=dest, layer=layer, vehicle_class=rng.integers(0, 4, number),
        paths=paths,
    )  # fmt: skip


def check_state(engine: TrafficEngine, since_s: float = -np.inf, shrunk: bool = False) -> float:
    """Every invariant of the kernel's state; returns when the next event is due.

    Nobody is in two places or in none; queues, side lanes, gates, lists of askers, rings, books and the heap agree; no
    event lies before `since_s`; nobody waits without an event that will wake them.
    """
    v = engine.v
    counts = engine.counts()
    assert counts.conserved, counts
    where = np.zeros(v.trips.size, np.int64)  # in how many places each trip is
    due = _check_heap(v)
    for link, spec in enumerate(v.links):
        _check_link(v, link, spec, where, shrunk)
    for asker in np.flatnonzero(v.askers["target"] != NONE):
        assert asker in _askers(v, v.askers["target"][asker]), f"asker {asker} is on no list"
    waiting = np.arange(v.trips.size) >= v.total[NEXT_TRIP]
    ended = v.trips["origin"] == NONE
    assert (where + waiting + ended == 1).all(), np.flatnonzero(where + waiting + ended != 1)
    assert where.sum() == counts.on_road + counts.waiting
    assert counts.arrived == v.total[ARRIVED] and counts.lost == v.total[LOST]
    if v.rule["books"][0]:
        assert (v.flow[:, :, OCCUPANCY].sum(axis=1) == v.links["count"]).all()
    assert due >= since_s, (due, since_s)
    departure = v.trips["depart"][v.total[NEXT_TRIP]] if waiting.any() else np.inf
    return min(due, departure)


def _check_heap(v):
    last = v.events.size - 1
    size = int(v.events["id"][last])
    times, ties, ids, place = (v.events[name] for name in ("time", "tie", "id", "place"))
    for i in range(1, size):
        parent = (i - 1) // 4
        assert (times[parent], ties[parent]) <= (times[i], ties[i])
    assert np.unique(ids[:size]).size == size
    assert (place[ids[:size]] == np.arange(size)).all()
    idle = np.setdiff1d(np.arange(last), ids[:size])
    assert (place[idle] == NONE).all()
    assert not np.isnan(times[:size]).any()
    return times[0] if size else np.inf


def _askers(v, link):
    found, other = [], v.links["ask_head"][link]
    while other != NONE:
        found.append(int(other))
        assert len(found) <= v.askers.size and v.askers["target"][other] == link
        other = v.askers["next"][other]
    return found


def _check_link(v, link, spec, where, shrunk):
    n = v.links.size
    count, aside, ring = int(spec["count"]), int(spec["aside"]), int(spec["ring_size"])
    assert 0 <= aside <= count <= ring and 0 <= spec["head"] < ring
    assert shrunk or count <= spec["storage"] <= ring
    slots = v.slots[spec["ring_start"] : spec["ring_start"] + ring]
    queue = (spec["head"] + np.arange(count - aside)) % ring
    where[slots["trip"][queue]] += 1
    assert (np.diff(slots["entry"][queue]) >= 0).all()
    gone = slots["exit"][(spec["head"] - aside - 1 - np.arange(ring - count)) % ring]
    assert (gone[:-1] >= gone[1:]).all()  # exits in order, newest first

    stood = 0
    for s in range(spec["lane_start"], spec["lane_start"] + spec["lane_count"]):
        lane, trip, number = v.lanes[s], v.lanes["first"][s], 0
        assert lane["link"] == link
        while trip != NONE:
            where[trip] += 1
            number += 1
            last, trip = trip, v.trips["next"][trip]
        assert number == lane["count"] <= lane["capacity"]
        assert lane["last"] == (last if number else NONE)
        assert (v.askers["target"][n + s] != NONE) == (number > 0)
        stood += number
    assert stood == aside

    trip, number = spec["gate_head"], 0
    while trip != NONE:
        where[trip] += 1
        number += 1
        assert spec["gate_tail"] == trip or v.trips["next"][trip] != NONE
        trip = v.trips["next"][trip]
    assert number == spec["gate_count"]

    asks, ready = v.askers["target"][link] != NONE, v.events["place"][link] != NONE
    assert not (asks and ready)
    assert not (asks or ready) or count > aside
    if count > aside and not asks and not ready:  # its own side lane is full
        lanes = v.lanes[spec["lane_start"] : spec["lane_start"] + spec["lane_count"]]
        assert ((lanes["count"] == lanes["capacity"]) & (lanes["target_start"] < lanes["target_end"])).any()
    wanted = len(_askers(v, link)) > 0
    gate = spec["gate_head"] != NONE and count < max(1.0, v.rule["gate_fill"][0] * spec["storage"])
    served = v.events["place"][n + link] != NONE
    assert served or not (wanted or gate), f"link {link} is asked for and never serves"
