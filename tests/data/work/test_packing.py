"""What parts share is packed once, and comes out as it went in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("cloudpickle")
from data.work.packing import LARGE, Packer, unpack


def opened(packer, packets):
    """As workers open packets: shared ones first, in their order."""
    shared = {}
    for name, packet in packer.shared.items():
        shared[name] = unpack(packet, shared)
    return [unpack(packet, shared) for packet in packets]


def test_a_large_array_that_two_objects_hold_is_sent_once():
    """Two cities share streets of 8 MB and differ in a name: 8 MB are shared, the tasks are small."""
    streets = np.random.default_rng(1).normal(size=1_000_000)
    tasks = [({"name": "base", "streets": streets}, 1), ({"name": "new", "streets": streets.copy()}, 2)]
    packer = Packer()
    packets = packer.tasks(tasks)
    assert sum(len(p.data) for p in packer.shared.values()) == pytest.approx(streets.nbytes, rel=0.01)
    assert all(len(p.data) < 1000 for p in packets)
    for (city, k), (told, number) in zip(tasks, opened(packer, packets)):
        assert told["name"] == city["name"] and number == k
        np.testing.assert_array_equal(told["streets"], city["streets"])


def test_an_object_that_all_tasks_are_given_is_shared_with_its_columns():
    table = pd.DataFrame({"a": np.arange(LARGE, dtype=float), "b": "x"})
    packer = Packer()
    packets = packer.tasks([(table, k) for k in range(9)])
    assert sum(len(p.data) for p in packets) < 9 * 500
    found = opened(packer, packets)
    pd.testing.assert_frame_equal(found[8][0], table)
    assert found[8][1] == 8 and found[0][0] is found[8][0]


def test_small_and_plain_arguments_go_along():
    packer = Packer()
    packets = packer.tasks([("same", np.arange(3)), ("same", np.arange(3))])
    assert not packer.shared and opened(packer, packets)[1][0] == "same"
