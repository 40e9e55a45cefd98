"""Families are chosen by their rank where two are as good, whatever a candidate is called."""

from __future__ import annotations

import numpy as np
import pytest

from models.candidates import candidates
from models.errors import SettingsError
from models.select import choose_families
from models.validation import Validation


def record(error: float) -> Validation:
    """Forty days of one origin, one zone, one horizon: readings 10, forecasts off by `error`."""
    shape = (40, 1, 1)
    ten, off = np.full(shape, 10.0, np.float32), np.full(shape, error, np.float32)
    one = np.ones(shape, np.float32)
    return Validation("speed_mps", np.arange(40), np.zeros(40, int), np.arange(40), ten, off, ten, one)


def test_of_two_as_good_the_one_of_lower_rank_is_taken():
    """Both err by 1; a variant's name says nothing of how simple it is."""
    records = {"a_network_told_otherwise": record(1.0), "line": record(1.0)}
    chosen = choose_families(records, np.ones((1, 1)), {"a_network_told_otherwise": 6.0, "line": 1.0})
    assert chosen[0].family == "line"


def test_a_clearly_better_one_is_taken_whatever_its_rank():
    records = {"network": record(0.5), "line": record(1.0)}
    assert choose_families(records, np.ones((1, 1)), {"network": 6.0, "line": 1.0})[0].family == "network"


def test_every_family_that_does_not_exist_is_named_at_once():
    with pytest.raises(SettingsError, match=r"crystal.*oracle"):
        candidates("quick", ("ridge", "crystal", "oracle"))
