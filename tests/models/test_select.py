"""Families are chosen by their rank where two are as good, whatever a candidate is called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.candidates import EFFORTS, candidates
from models.errors import SettingsError
from models.select import RULES, choose_families, nested_losses
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


@pytest.mark.parametrize("effort", sorted(EFFORTS))
def test_a_family_named_by_hand_competes_whatever_the_effort(effort):
    """What the effort has stays as it is, settings and all; ridge is in every effort, `lasso` in none."""
    own = candidates(effort)
    assert candidates(effort, also=["ridge", "ridge"]) == own
    more = candidates(effort, also=["lasso", "ridge"])
    assert more[:-1] == own
    assert (more[-1].name, more[-1].family) == ("lasso", "lasso")


def test_named_families_take_the_efforts_place():
    assert [c.name for c in candidates("thorough", ("ridge", "tree", "ridge"))] == ["ridge", "tree"]
    assert [c.name for c in candidates("quick", ("ridge", "tree"), also=("mlp",))] == ["ridge", "tree", "mlp"]


def test_what_only_prepares_rows_for_another_family_is_none_to_choose():
    with pytest.raises(SettingsError, match="prepared") as told:
        candidates("quick", ("ridge", "prepared"))
    assert "prepared" not in str(told.value).split("there are")[1]


def uneven(error: float, scatter: float) -> Validation:
    """As `record`, the error moving from day to day by `scatter`."""
    plain = record(error)
    return replace(plain, deviation=plain.deviation + (scatter * (-1.0) ** np.arange(40))[:, None, None].astype("f4"))


@pytest.mark.parametrize(
    ("error", "scatter", "takes_the_line"),
    [(1.003, 0.1, {"both", "error", "share"}), (1.02, 0.2, {"error"}), (1.003, 0.0, {"share"}), (1.02, 0.0, set())],
)
def test_a_rule_says_how_much_worse_a_simpler_family_may_be(error, scatter, takes_the_line):
    """A network errs by 1, a line by 1.003 or 1.02. A scatter of 0.1 (0.2) over 40 days is a standard error of 0.016
    (0.032) of the difference; half a percent is 0.005."""
    records = {"line": uneven(error, scatter), "network": record(1.0)}
    for rule in RULES:
        (chosen,) = choose_families(records, np.ones((1, 1)), {"line": 1.0, "network": 6.0}, rule=rule)
        assert (chosen.family == "line") == (rule in takes_the_line), rule


def test_a_rule_that_does_not_exist_is_told():
    with pytest.raises(SettingsError, match="coin"):
        choose_families({"line": record(1.0)}, np.ones((1, 1)), {"line": 1.0}, rule="coin")


def test_what_choosing_keeps_is_scored_where_nothing_was_chosen():
    """`a` errs by 1 in the first fold and by 3 in the second, `b` by 2 in both. Chosen on the second, `b` scores 2 in
    the first, chosen on the first `a` scores 3 in the second: 2.5 on average, while `a` and `b` promise 2."""
    halves = np.repeat([0, 1], 20)
    a = replace(record(1.0), deviation=np.where(halves == 0, 1.0, 3.0)[:, None, None].astype("f4"), fold=halves)
    b = replace(record(2.0), fold=halves)
    ranks = {"a": 1.0, "b": 2.0}
    np.testing.assert_allclose(nested_losses({"a": a, "b": b}, np.ones((1, 1)), ranks), [2.5])
    assert np.isnan(nested_losses({"b": record(2.0)}, np.ones((1, 1)), {"b": 2.0})).all()
