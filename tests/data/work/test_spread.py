"""Parts spread over this machine: in order, and kept as they end."""

from __future__ import annotations

import time

from data.work import chosen_place, spread, width, working_at
from data.work.spread import in_order


def slow_first():
    """A part that takes longer the smaller its number is; by value, since workers cannot import tests."""

    def part(k):
        time.sleep(0.4 if k == 0 else 0.0)
        return k * k

    return part


def test_parts_come_in_their_order_from_processes_and_from_here():
    tasks = [(k,) for k in range(5)]
    assert list(spread(slow_first(), tasks)) == [0, 1, 4, 9, 16]
    assert list(spread(slow_first(), tasks, n_jobs=2)) == [0, 1, 4, 9, 16]


def test_a_part_is_kept_before_an_earlier_one_has_ended():
    """Part 2 ends first: it is kept at once, but handed on after parts 0 and 1."""
    kept = []
    made = in_order(iter([(2, "c"), (0, "a"), (1, "b")]), lambda k, found: kept.append(k))
    assert next(made) == "a" and kept == [2, 0]
    assert list(made) == ["b", "c"] and kept == [2, 0, 1]


def test_here_parts_are_computed_when_they_are_asked_for():
    begun = []
    made = spread(begun.append, [(1,), (2,)])
    next(made)
    assert begun == [1]


def test_the_place_in_force_takes_all_parts_and_ends_with_its_block():
    class Everywhere:
        width = 7

        def run(self, function, tasks, keep):
            return iter(["there"] * len(tasks))

    with working_at(Everywhere()):
        assert list(spread(slow_first(), [(1,)], n_jobs=1)) == ["there"] and width(2) == 7
    assert chosen_place() is None and width(2) == 2
