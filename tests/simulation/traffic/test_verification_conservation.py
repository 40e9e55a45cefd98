"""No vehicle is made or lost, at any event, on any network."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

FEATURES = ("side_lanes", "pockets", "nodes", "yields", "signals", "drop", "paths", "round")
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
