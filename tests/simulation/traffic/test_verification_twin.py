"""The kernel against a slow plain twin, written from the model's words alone: the same instants, bit for bit."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from simulation.traffic import heap_kernels

tie_of = njit(heap_kernels.tie_of.py_func)  # a part of the kernels, callable from Python
NEVER = float("inf")
READY, SERVE = 0, 1  # of events at one instant, heads come to their stop lines before links let vehicles in
GATE = -1  # asks like a link, for those who begin their trip


@dataclass
class Street:
    """One link: its physics, the vehicles on it, when each entered and left, who asks to enter."""

    free_s: float
    headway_in_s: float
    headway_s: float
    wave_s: float
    fits: int
    lanes: int  # vehicles side by side, one a lane, each lane with its own headway
    turn: float  # virtual time of one service for a vehicle that comes from here
    cycle_s: float
    green_start_s: float
    green_s: float
    queue: list = field(default_factory=list)  # trips
    entered: list = field(default_factory=list)  # s
    left: list = field(default_factory=list)  # s
    stamps: dict = field(default_factory=dict)  # asking street or GATE: virtual finish, None: lost while red
    gate: list = field(default_factory=list)  # trips
    clock: float = 0.0

    def green_from(self, at):
        if self.cycle_s == 0:
            return at
        number = np.floor((at - self.green_start_s) / self.cycle_s)
        if at - (self.green_start_s + number * self.cycle_s) < self.green_s:
            return at
        return self.green_start_s + (number + 1) * self.cycle_s

    def head_ready(self):
        """Free-flow time after its entry, not before the vehicle ahead, a headway after that in its lane, in green."""
        at = max([self.entered[len(self.left)] + self.free_s, *self.left[-1:]])
        if len(self.left) >= self.lanes:
            at = max(at, self.left[-self.lanes] + self.lanes * self.headway_s)
        return self.green_from(at)

    def accepts(self):
        """A headway after the last entry into the lane, a wave after the exit of the vehicle `fits` places ahead."""
        k = len(self.entered)
        if k - len(self.left) >= self.fits:
            return NEVER
        at = self.entered[-self.lanes] + self.lanes * self.headway_in_s if k >= self.lanes else -NEVER
        return max(at, self.left[k - self.fits] + self.wave_s) if k >= self.fits else at


class Twin:
    """Discrete events by looking at every link each time."""

    def __init__(self, case, gate_fill, seed):
        a, self.case, self.fill, self.seed = case.arrays, case, gate_fill, np.uint64(seed)
        free = np.maximum(a.length_m / a.speed_mps, 0.5)
        wave = a.length_m * (a.jam_density_veh_per_m - a.capacity_veh_per_s / a.speed_mps) / a.capacity_veh_per_s
        fits = np.maximum(np.ceil(a.jam_density_veh_per_m * a.length_m - 1e-9), 1).astype(int)
        physics = (
            free, 1 / a.capacity_veh_per_s, 1 / a.discharge_veh_per_s, wave, fits,
            np.minimum(a.lanes, fits).astype(int), 1 / a.merge_weight, a.cycle_s, a.green_start_s, a.green_s,
        )  # fmt: skip
        self.streets = [Street(*values) for values in zip(*(column.tolist() for column in physics), strict=True)]
        self.events = {}  # (kind, link): s
        self.log = defaultdict(list)  # trip: [(link, s)]

    def run(self):
        trips, number = self.case.trips, 0
        while True:
            rank = lambda e: (self.events[e], e[0], self.tie(e[1], self.events[e]))  # noqa: E731
            event = min(self.events, key=rank, default=None)
            now = NEVER if event is None else self.events[event]
            if number < len(trips) and trips.depart_s[number] <= now:
                self.depart(number, float(trips.depart_s[number]))
                number += 1
            elif now == NEVER:
                return dict(self.log)
            else:
                del self.events[event]
                (self.ready if event[0] == READY else self.serve)(event[1], now)

    def tie(self, link, at):
        return int(tie_of(self.case.arrays.key[link], self.seed, at))

    def following(self, trip):
        """Next link of a trip by its own path or the route table."""
        t, case = self.case.trips, self.case
        if t.paths is not None and len(t.paths[trip]):
            return [*t.paths[trip], -2][len(self.log[trip])]
        return int(case.next_link[t.layer[trip], t.dest_row[trip], self.log[trip][-1][0]])

    def depart(self, trip, now):
        t, link = self.case.trips, int(self.case.trips.origin_link[trip])
        if link < 0:
            link = int(self.case.first_link[t.layer[trip], t.dest_row[trip], -2 - link])
        street = self.streets[link]
        street.gate.append(trip)
        if len(street.gate) == 1:
            self.ask(link, GATE, street.turn, now)

    def ask(self, link, who, turn, now):
        self.streets[link].stamps[who] = self.streets[link].clock + turn
        self.wake(link, now)

    def wake(self, link, now):
        self.events[SERVE, link] = max(self.streets[link].accepts(), now)

    def ready(self, link, now):
        target = self.following(self.streets[link].queue[0])
        if target == -2:
            self.log[self.leave(link, now)].append((-2, now))
        else:
            self.ask(target, link, self.streets[link].turn, now)

    def leave(self, link, now):
        street = self.streets[link]
        street.left.append(now)
        trip = street.queue.pop(0)
        if street.queue:
            self.events[READY, link] = street.head_ready()
        if street.stamps:
            self.wake(link, now)
        return trip

    def serve(self, link, now):
        """Of those who may go, the earliest stamp goes first; at red a place in the order is lost."""
        street = self.streets[link]
        if street.accepts() > now:
            self.wake(link, now)
            return
        room = len(street.queue) < max(1, self.fill * street.fits)
        may = {GATE: now} if room and GATE in street.stamps else {}
        may |= {who: self.streets[who].green_from(now) for who in street.stamps if who != GATE}
        for who, at in may.items():
            if at > now:
                street.stamps[who] = None
            elif street.stamps[who] is None:
                street.stamps[who] = street.clock + self.streets[who].turn
        # a tie goes to another link before the gate, and among links to one by lot
        rank = lambda who: (street.stamps[who], who == GATE, self.tie(who, now))  # noqa: E731
        who = min((who for who, at in may.items() if at <= now), key=rank, default=None)
        if who is not None:
            street.clock = street.stamps.pop(who)
            trip = street.gate.pop(0) if who == GATE else self.leave(who, now)
            self.log[trip].append((link, now))
            street.queue.append(trip)
            street.entered.append(now)
            if len(street.queue) == 1:
                self.events[READY, link] = street.head_ready()
            if who == GATE and street.gate:
                street.stamps[GATE] = street.clock + street.turn
        room = len(street.queue) < max(1, self.fill * street.fits)
        left = [who for who in street.stamps if who != GATE or room]
        if left:
            later = min(may.get(k, now) for k in left) if who is None else now
            self.events[SERVE, link] = max(later, street.accepts(), now)


features = st.lists(st.sampled_from(("lanes", "signals", "paths", "round")), unique=True)


@given(seed=st.integers(0, 10**6), features=features, gate_fill=st.sampled_from([0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_the_kernel_and_its_twin_agree_to_the_last_bit(random_networks, seed, features, gate_fill):
    """Queues, spillback, merges, gates, signals, equal instants; gridlocks stay, since no rule resolves them here."""
    case = random_networks.random_case(seed, *features)
    engine = case.engine(gate_fill=gate_fill, patience_s=1e9, jump_s=1e9, seed=5)
    engine.release(case.trips)
    case.go(engine, 1e6)
    log, found = engine.entry_log(), defaultdict(list)
    for trip, link, time in zip(log.trip.tolist(), log.link.tolist(), log.time_s.tolist(), strict=True):
        found[trip].append((link, time))
    assert dict(found) == Twin(case, gate_fill, 5).run()
