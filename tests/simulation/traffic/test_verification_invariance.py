"""What must not change anything: where the clock is cut, a save and a resume, the numbers of links, a growing ring."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

FEATURES = ("lanes", "side_lanes", "pockets", "nodes", "yields", "signals", "drop", "paths", "round")
seeds = st.integers(0, 10**6)
features = st.lists(st.sampled_from(FEATURES), unique=True)
RULES = {"patience_s": 5.0, "jump_s": 20.0, "seed": 3}


def rows(engine):
    """The entry log as bytes."""
    log = engine.entry_log()
    return log.time_s.tobytes(), log.trip.tobytes(), log.link.tobytes()


def same_state(one, other):
    return all(value.tobytes() == other.state()[name].tobytes() for name, value in one.state().items())


@given(seed=seeds, features=features, cuts=st.lists(st.floats(0.0, 400.0), max_size=8), step=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_no_cut_of_the_clock_moves_anybody(random_networks, seed, features, cuts, step):
    """At any instants, after any number of events: delays depend on no step, bit for bit."""
    case = random_networks.random_case(seed, *features)
    whole, cut = case.engine(**RULES), case.engine(**RULES)
    for engine in (whole, cut):
        engine.release(case.trips)
    case.go(whole, 2000.0)
    for until in sorted(cuts):
        while not case.go(cut, until, max_events=step):
            pass
    case.go(cut, 2000.0)
    assert rows(whole) == rows(cut) and same_state(whole, cut) and whole.counts().arrived == len(case.trips)


@given(seed=seeds, features=features, at=st.floats(1.0, 150.0))
@settings(max_examples=40, deadline=None)
def test_a_run_resumed_from_its_state_is_the_same_run(random_networks, seed, features, at):
    """With fixed paths, side lanes, pockets, junctions and the log on: what is logged before and after is the whole."""
    case = random_networks.random_case(seed, *features)
    whole, first, second = (case.engine(**RULES) for _ in range(3))
    for engine in (whole, first):
        engine.release(case.trips)
    case.go(whole, 2000.0)
    case.go(first, at)
    second.restore(first.state())
    assert same_state(first, second)
    case.go(second, 2000.0)
    parts = [a + b for a, b in zip(rows(first), rows(second), strict=True)]
    assert tuple(parts) == rows(whole) and same_state(whole, second)


@given(seed=seeds, features=features, parts=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_trips_released_in_parts_are_the_same_trips(random_networks, seed, features, parts):
    """Each release renumbers the trips inside; the log keeps their numbers in the order of all releases."""
    case = random_networks.random_case(seed, *features)
    whole, cut = case.engine(**RULES), case.engine(**RULES)
    whole.release(case.trips)
    case.go(whole, 2000.0)
    depart = case.trips.depart_s
    for begin in np.arange(parts) * 60.0 / parts:
        case.go(cut, begin)
        end = begin + 60.0 / parts
        cut.release(case.trips.between(*np.searchsorted(depart, [begin, end])))
        random_networks.check_state(cut)
    case.go(cut, 2000.0)
    assert rows(whole) == rows(cut) and whole.counts() == cut.counts() and cut.counts().arrived == depart.size


@given(seed=seeds, features=features)
@settings(max_examples=40, deadline=None)
def test_renumbered_links_carry_the_same_traffic(random_networks, seed, features):
    """Links keep their keys; every row of the log is the same but for the links' numbers."""
    case = random_networks.random_case(seed, *features)
    order = np.random.default_rng(seed).permutation(case.from_node.size)
    other = case.renumbered(order)
    logs = []
    for each in (case, other):
        engine = each.engine(**RULES)
        engine.release(each.trips)
        each.go(engine, 2000.0)
        logs.append(engine.entry_log())
    one, two = logs
    assert one.time_s.tobytes() == two.time_s.tobytes() and one.trip.tobytes() == two.trip.tobytes()
    assert one.link.tolist() == np.where(two.link >= 0, order[two.link], two.link).tolist()
