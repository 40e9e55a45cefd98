"""Recipes: the same families with another loss, start or without their line, each under a name of its own."""

from __future__ import annotations

import pytest

from models.candidates import candidates
from models.errors import SettingsError
from models.learner import families, learner_class
from models.recipes import LOSSES, told_loss, with_losses, with_moments, with_recipes
from models.training import train


def by_name(found):
    return {candidate.name: candidate for candidate in found}


def test_a_family_competes_once_for_each_loss_that_it_can_minimise():
    """Ridge knows squares alone and stays; boosting takes both; a median line has no mean to offer, and stays."""
    given = candidates("quick", ["ridge", "boosted_trees", "quantile_linear"])
    found = by_name(with_losses(given, ("squared", "absolute")))
    assert list(found) == ["ridge", "boosted_trees_squared", "boosted_trees", "quantile_linear"]
    assert found["boosted_trees_squared"].settings["loss"] == "squared"
    assert found["boosted_trees"].settings["loss"] == "absolute"
    assert "loss" not in found["ridge"].settings


def test_one_loss_takes_the_place_of_the_other():
    given = candidates("quick", ["ridge", "boosted_trees"])
    assert list(by_name(with_losses(given, ("squared",)))) == ["ridge", "boosted_trees_squared"]
    assert with_losses(given, ()) == given


def test_every_loss_that_a_family_names_can_be_made_and_is_told():
    for name in families():
        kind = learner_class(name)
        if "loss" in kind.defaults:
            assert kind.losses[0] == kind.defaults["loss"], name
            for loss in kind.losses:
                assert kind(loss=loss).settings["loss"] == loss
                assert told_loss(kind, {"loss": loss}) == ("absolute" if loss == "pinball" else loss)
        elif kind.__module__.startswith("models."):
            assert kind.losses == ("squared",), f"{name} does not say what it minimises"


def test_other_starts_and_trees_without_a_line_compete_too():
    found = by_name(with_recipes(candidates("quick", ["ridge", "boosted_trees", "tree"]), ("start", "line")))
    assert found["ridge_from_last"].start == "last" and found["ridge_from_usual"].start == "usual"
    assert found["boosted_trees_no_line"].settings["linear_first"] is False
    assert found["tree_no_line"].settings["first_line"] == "none"
    assert "ridge_no_line" not in found and found["boosted_trees"].settings == {}


def test_moments_are_kept_by_those_who_can():
    found = by_name(with_moments(candidates("quick", ["ridge", "tree"])))
    assert found["ridge"].settings["refreshable"] is True and "refreshable" not in found["tree"].settings


def test_names_that_do_not_exist_are_refused_with_those_that_do():
    with pytest.raises(SettingsError, match="'cubic'.*" + LOSSES[0]):
        with_losses(candidates("quick"), ("cubic",))
    with pytest.raises(SettingsError, match=r"'pie'.*start, line"):
        with_recipes(candidates("quick"), ("pie",))


def test_two_losses_are_scored_apart(city):
    """A tree of medians and one of means are two candidates, with an error of their own and other forecasts."""
    made = train(
        city, targets=["flow_veh_per_h"], train_end=city.times[9 * city.steps_per_day], steps=(1, 4),
        families=["ridge", "tree"], losses=("absolute", "squared"), seed=1,
    )  # fmt: skip
    assert {name for name, _ in made.candidates} == {"ridge", "tree", "tree_squared"}
    records = [made.candidates[name, "flow_veh_per_h"].validation.point for name in ("tree", "tree_squared")]
    assert (records[0] != records[1]).any()
