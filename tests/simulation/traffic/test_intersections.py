"""Signal nodes become intersections: every shape that a street map has, drawn by hand."""

import numpy as np
import pandas as pd
import pytest

from simulation.traffic.intersections import GROUP_M, SPAN_M, find_intersections, phase_groups


def streets(nodes, links):
    """Tables from {node: (x, y, signal)} and (start, end) pairs; `<>` pairs run both ways."""
    table = pd.DataFrame(
        [(k, float(x), float(y), bool(signal)) for k, (x, y, signal) in nodes.items()],
        columns=["node_id", "x_m", "y_m", "signal"],
    )
    at = table.set_index("node_id")[["x_m", "y_m"]]
    rows = pd.DataFrame(links, columns=["from_node_id", "to_node_id"])
    step = at.loc[rows["to_node_id"]].to_numpy() - at.loc[rows["from_node_id"]].to_numpy()
    return table, rows.assign(link_id=np.arange(len(rows)), length_m=np.hypot(*step.T))


def both(*pairs):
    return [way for a, b in pairs for way in ((a, b), (b, a))]


def groups(intersection, weight=None):
    return [sorted(intersection.approach[g].tolist()) for g in phase_groups(intersection, weight)]


def test_a_crossing_of_two_streets_has_four_approaches_in_two_groups():
    arms = {1: (-100, 0, 0), 2: (100, 0, 0), 3: (0, -100, 0), 4: (0, 100, 0)}
    (one,) = find_intersections(*streets({0: (0, 0, 1), **arms}, both((1, 0), (2, 0), (3, 0), (4, 0))))
    assert one.approach.size == 4 and one.leaving.size == 4 and one.inside.size == 0 and one.crosses
    assert groups(one) == [[0, 2], [4, 6]] or groups(one) == [[4, 6], [0, 2]]
    assert one.conflict.sum(axis=0).tolist() == [2, 2, 2, 2]


def test_two_carriageways_make_one_intersection_of_two_nodes():
    """A street with carriageways 20 m apart (one way each) across a two-way street: the links between are inside."""
    nodes = {
        0: (0, 0, 1), 1: (0, 20, 1), 2: (-100, 0, 0), 3: (100, 0, 0), 4: (-100, 20, 0), 5: (100, 20, 0),
        6: (0, -100, 0), 7: (0, 120, 0),
    }  # fmt: skip
    links = [(2, 0), (0, 3), (5, 1), (1, 4), *both((0, 1), (6, 0), (7, 1))]
    (one,) = find_intersections(*streets(nodes, links))
    assert one.node_ids.tolist() == [0, 1]
    assert sorted(one.approach.tolist()) == [0, 2, 6, 8] and sorted(one.inside.tolist()) == [4, 5]
    assert sorted(groups(one)) == [[0, 2], [6, 8]]


def test_a_node_without_signal_between_two_signals_is_inside():
    """Signals stand at both stop lines of a street, 15 m before and after the crossing node."""
    nodes = {0: (0, 0, 0), 1: (-15, 0, 1), 2: (15, 0, 1), 3: (-100, 0, 0), 4: (100, 0, 0), 5: (0, -90, 0)}
    (one,) = find_intersections(*streets(nodes, both((3, 1), (1, 0), (0, 2), (2, 4), (5, 0))))
    assert one.node_ids.tolist() == [1, 0, 2]
    assert sorted(one.approach.tolist()) == [0, 7]  # the side street ends at no signal: it gives way
    assert not one.crosses


def test_a_t_junction_has_two_groups():
    nodes = {0: (0, 0, 1), 1: (-100, 0, 0), 2: (100, 0, 0), 3: (0, -100, 0)}
    (one,) = find_intersections(*streets(nodes, both((1, 0), (2, 0), (3, 0))))
    assert sorted(groups(one)) == [[0, 2], [4]]


def test_a_y_junction_has_two_groups():
    """Three arms at 120 degrees: the two busiest are one bent street, the third waits."""
    at = np.radians([90.0, 210.0, 330.0])
    arms = {k + 1: (100 * np.cos(a), 100 * np.sin(a), 0) for k, a in enumerate(at)}
    (one,) = find_intersections(*streets({0: (0, 0, 1), **arms}, both((1, 0), (2, 0), (3, 0))))
    flow = {0: 3.0, 2: 2.0, 4: 1.0}
    first, second = groups(one, [flow[k] for k in one.approach])
    assert one.crosses and first in ([0, 2], [0, 4]) and 0 not in second
    assert len(first) == 2 and len(second) == 1


def test_one_way_streets_that_cross_have_two_groups_and_that_merge_side_by_side_have_none():
    nodes = {0: (0, 0, 1), 1: (-100, 0, 0), 2: (100, 0, 0), 3: (0, -100, 0), 4: (0, 100, 0)}
    (cross,) = find_intersections(*streets(nodes, [(1, 0), (0, 2), (3, 0), (0, 4)]))
    assert sorted(groups(cross)) == [[0], [2]] and cross.crosses
    nodes[3] = (-100, -30, 0)
    (merge,) = find_intersections(*streets(nodes, [(1, 0), (3, 0), (0, 2)]))
    assert not merge.crosses


def test_a_signal_amid_a_block_crosses_nothing():
    (one,) = find_intersections(*streets({0: (0, 0, 1), 1: (-100, 0, 0), 2: (100, 0, 0)}, both((1, 0), (0, 2))))
    assert one.approach.size == 2 and not one.crosses


@pytest.mark.parametrize(("arms", "expected"), [(5, 3), (6, 3), (8, 4), (12, 4)])
def test_many_arms_have_few_groups_and_each_arm_one(arms, expected):
    """Five arms 72 degrees apart: 2 + 2 + 1; six: three straight streets; eight: four pairs; twelve are cut to four."""
    at = 2 * np.pi * np.arange(arms) / arms
    nodes = {k + 1: (100 * np.cos(a), 100 * np.sin(a), 0) for k, a in enumerate(at)}
    (one,) = find_intersections(*streets({0: (0, 0, 1), **nodes}, both(*((k, 0) for k in nodes))))
    found = phase_groups(one)
    assert len(found) <= expected
    assert sorted(np.concatenate(found).tolist()) == list(range(arms))


def test_a_bridge_over_a_crossing_is_not_part_of_it():
    """Two crossings 10 m apart on the map, joined by no street nearer than 200 m."""
    nodes = {0: (0, 0, 1), 1: (10, 0, 1), 2: (-100, 0, 0), 3: (0, -100, 0), 4: (110, 0, 0), 5: (10, 100, 0)}
    links = both((2, 0), (3, 0), (4, 1), (5, 1), (3, 4), (2, 5))
    assert [i.node_ids.tolist() for i in find_intersections(*streets(nodes, links))] == [[0], [1]]


def test_a_street_with_a_signal_every_30_m_is_many_intersections():
    """Twenty crossings in a row, each nearer to the next than a junction is wide: none becomes wider than allowed."""
    n, apart = 20, GROUP_M - 5
    nodes = {k: (k * apart, 0, 1) for k in range(n)} | {100 + k: (k * apart, -100, 0) for k in range(n)}
    links = both(*((k, k + 1) for k in range(n - 1)), *((100 + k, k) for k in range(n)))
    found = find_intersections(*streets(nodes, links))
    assert sorted(node for one in found for node in one.node_ids) == list(range(n))
    assert len(found) >= n * apart / (SPAN_M + apart)
    for one in found:
        x = np.array([nodes[k][0] for k in one.node_ids])
        assert np.ptp(x) <= SPAN_M


def test_the_numbers_of_nodes_and_links_do_not_matter():
    """Renumbered and shuffled, the same intersections have the same streets in the same order."""
    rng = np.random.default_rng(5)
    nodes = {k: (*rng.uniform(0, 400, 2), rng.random() < 0.6) for k in range(60)}
    pairs = [(a, b) for a in nodes for b in nodes if a < b and np.hypot(*np.subtract(nodes[a][:2], nodes[b][:2])) < 70]
    table, links = streets(nodes, both(*pairs))
    number, name = rng.permutation(60) * 7, rng.permutation(len(links))
    shuffled = links.assign(
        link_id=name, from_node_id=number[links["from_node_id"]], to_node_id=number[links["to_node_id"]]
    ).sample(frac=1.0, random_state=1)
    renamed = table.assign(node_id=number[table["node_id"]]).sample(frac=1.0, random_state=2)
    one, other = find_intersections(table, links), find_intersections(renamed, shuffled)
    assert len(one) == len(other) > 3
    for a, b in zip(one, other):
        assert name[a.approach].tolist() == b.approach.tolist()
        assert number[a.node_ids].tolist() == b.node_ids.tolist()
        assert name[a.inside].tolist() == b.inside.tolist() and name[a.leaving].tolist() == b.leaving.tolist()
