"""No vehicle is made or lost, at any event, on any network."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

FEATURES = ("lanes", "side_lanes", "pockets", "nodes", "yields", "signals", "drop", "paths", "round")
features = st.lists(st.sampled_from(FEATURES), unique=True)


@given(seed=st.integers(0, 10**6), features=features, gate_fill=st.sampled_from([0.5, 0.7, 1.0]))
@settings(max_examples=60, deadline=None)
def test_at_every_event_each_vehicle_is_in_one_place_and_will_be_woken(random_networks, seed, features, gate_fill):
    """Step by step through jams and gridlocks: the whole state holds together after each event, until all are there."""
    case = random_networks.random_case(seed, *features, trips=40)
    engine = case.engine(gate_fill=gate_fill, patience_s=5.0, jump_s=20.0)
    engine.release(case.trips)
    due, events = -np.inf, 0
    while not case.go(engine, 1e5, max_events=1):
        events += 1
        assert events < 20_000
        due = random_networks.check_state(engine, due)
    counts = engine.counts()
    assert (counts.departed, counts.arrived, counts.lost) == (40, 40, 0)


def changed(arrays, rng):
    """Links with other speeds, lanes, capacities and signals; some hold less than before, some more."""
    n = arrays.length_m.size
    factor = np.where(rng.random(n) < 0.5, 1.0, rng.choice([0.3, 0.5, 2.0, 3.0], n))
    speed = arrays.speed_mps * rng.choice([0.5, 1.0], n)
    return replace(
        arrays, speed_mps=speed, capacity_veh_per_s=arrays.capacity_veh_per_s * factor * 0.4,
        discharge_veh_per_s=arrays.discharge_veh_per_s * factor,
        jam_density_veh_per_m=np.maximum(
            arrays.jam_density_veh_per_m * factor, 1.25 * arrays.capacity_veh_per_s * factor * 0.4 / speed
        ),
        cycle_s=np.where(rng.random(n) < 0.3, 30.0, arrays.cycle_s),
        green_s=np.where(arrays.green_s > 0, arrays.green_s, 12.0),
    )  # fmt: skip


@given(seed=st.integers(0, 10**6), features=features)
@settings(max_examples=60, deadline=None)
def test_nobody_is_lost_when_streets_signals_and_routes_change(random_networks, seed, features):
    """Links widened and narrowed below what they hold, signals set, layers swapped, routes changed, trips released."""
    case = random_networks.random_case(seed, *features)
    rng = np.random.default_rng(seed)
    engine = case.engine(patience_s=5.0, jump_s=20.0, books=True)
    engine.release(case.trips)
    n = engine.n_links
    for at in np.sort(rng.uniform(0.0, 200.0, 12)):
        case.go(engine, max(at, engine.now))
        match rng.integers(6):
            case 0:
                engine.set_links(changed(case.arrays, rng))
            case 1:
                engine.set_links(case.arrays)
            case 2:
                some = rng.choice(n, 3, replace=False)
                engine.set_signals(
                    some, cycle_s=25.0, green_start_s=rng.uniform(0, 25), green_s=rng.choice([0.0, 10.0])
                )
            case 3:
                engine.relayer(rng.integers(0, 2, engine.v.trips.size))
            case 4:
                case = replace(case, next_link=case.next_link[::-1].copy(), first_link=case.first_link[::-1].copy())
            case 5 if engine.counts().departed == engine.released:
                engine.release(replace(case.trips, depart_s=case.trips.depart_s + engine.now))
        for _ in range(50):
            random_networks.check_state(engine, shrunk=True)
            case.go(engine, engine.now + 10.0, max_events=1)
    engine.set_links(case.arrays)
    case.go(engine, 1e5)
    counts = engine.counts()
    assert counts.arrived == engine.released == counts.departed and counts.lost == 0
    random_networks.check_state(engine)
