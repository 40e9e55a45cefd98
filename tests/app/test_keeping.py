"""What is kept stays within its bytes, whoever keeps it, and what is asked for often stays longest."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd

from app import keeping
from app.keeping import SHELF, Shelf, weight_of
from app.queries import Queries
from data.store.workspace import Workspace


def test_the_value_asked_for_longest_ago_goes_first():
    """Room for 10 bytes: of values of 4, 4 and 4 the one that nobody asked for since goes."""
    shelf = Shelf(10)
    shelf.put("a", 1, "x", 4)
    shelf.put("a", 2, None, 4)
    assert shelf.find("a", 1) == ("x",)
    shelf.put("b", 1, "z", 4)
    assert (shelf.find("a", 1), shelf.find("a", 2), shelf.find("b", 1)) == (("x",), None, ("z",))
    assert (len(shelf), shelf.bytes) == (2, 8)


def test_a_value_that_is_put_again_counts_once_and_one_that_is_too_large_stays_alone():
    shelf = Shelf(10)
    shelf.put("a", 1, "x", 4)
    shelf.put("a", 1, "y", 6)
    assert (shelf.find("a", 1), shelf.bytes) == (("y",), 6)
    shelf.put("a", 2, "large", 50)
    assert (len(shelf), shelf.bytes, shelf.find("a", 2)) == (1, 50, ("large",))
    shelf.forget("a")
    assert (len(shelf), shelf.bytes) == (0, 0)


def test_a_weight_counts_arrays_within_objects_once():
    """A million doubles are 8 MB, in a list and an object that both hold the same array too; a table's text counts."""

    class Model:
        def __init__(self, weights: np.ndarray) -> None:
            self.weights = self.again = weights

    numbers = np.zeros(10**6)
    assert 8e6 <= weight_of([Model(numbers), numbers, {"x": numbers}]) < 8.01e6
    table = pd.DataFrame({"a": np.arange(1000.0), "b": ["x" * 100] * 1000})
    assert weight_of(table) == table.memory_usage(deep=True).sum() > 8000 + 100_000


def test_of_a_very_large_value_a_part_tells_the_weight_of_the_whole(monkeypatch):
    """Ten thousand different strings of 100 bytes, of which 500 are looked at: within a tenth of all."""
    value = [f"{k:0100d}" for k in range(10_000)]
    whole = weight_of(value)
    monkeypatch.setattr(keeping, "_MOST_PARTS", 500)
    assert abs(weight_of(value) / whole - 1) < 0.1


def test_what_a_workspace_keeps_goes_with_it(tmp_path):
    gc.collect()  # what earlier tests left goes first
    queries = Queries(Workspace(tmp_path))
    before = len(SHELF)
    made = []
    for _ in range(2):
        queries.keep(("k",), lambda: made.append(1) or "answer")
    assert len(made) == 1 and len(SHELF) == before + 1
    assert Queries(Workspace(tmp_path)).keep(("k",), lambda: "other") == "other"
    del queries
    gc.collect()
    assert len(SHELF) == before
