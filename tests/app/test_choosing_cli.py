"""What the guard found as a command tells it, and how a budget reaches the training."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from app.cli import main
from app.job_spec import JobSpec
from app.training_options import TrainingOptions, told_training, train_options
from data.errors import InputError
from data.store.workspace import open_workspace
from models.operation import Allowance


@pytest.fixture
def town(tmp_path, monkeypatch):
    """A workspace with a training of two zones, one of them held back."""
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    monkeypatch.delenv("ZONEWISE_WORKSPACE", raising=False)
    space = open_workspace("town")
    table = pd.DataFrame(
        {"zone_id": ["Z01", "Z02"], "target": "speed_mps", "family": ["ridge", "historical_average"],
         "chosen": ["ridge", "tree"], "fell_back": [False, True], "words": ["ridge passed", "Held back: tree"]}
    )  # fmt: skip
    with space.runs.write("training", {"made": 1}) as run:
        run.table("guard", table)
    space.update(runs={"training": space.runs.list()[0]["id"]})
    return space


def test_who_was_held_back_is_listed_and_all_are_on_request(town, capsys):
    main(["models", "guard", "town", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["zone_id"] for row in rows] == ["Z02"] and rows[0]["words"] == "Held back: tree"
    main(["models", "guard", "town", "--all", "--json"])
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 2


def test_a_workspace_without_a_training_says_how_to_get_one(town, capsys):
    town.update(runs={})
    with pytest.raises(SystemExit):
        main(["models", "guard", "town"])
    assert "zonewise train town" in capsys.readouterr().err


def test_a_budget_makes_another_training_and_none_leaves_it_as_it_was():
    plain, frugal = TrainingOptions(), TrainingOptions(settings=3, budget=60.0)
    assert told_training(plain) == {"effort": "quick"}
    assert told_training(frugal) == {"effort": "quick", "settings": 3, "budget": 60.0}
    assert {name: train_options(plain)[name] for name in ("settings", "prune", "budget")} == {
        "settings": 1, "prune": False, "budget": None
    }  # fmt: skip
    assert {name: train_options(frugal)[name] for name in ("settings", "prune", "budget")} == {
        "settings": 3, "prune": True, "budget": Allowance(cpu_s=60.0)
    }  # fmt: skip


def test_losses_recipes_tries_and_moments_reach_the_training_and_its_name():
    asked = TrainingOptions(loss="squared, absolute,squared", recipes="line", tries=4, tuner="grid", refreshable=True)
    assert told_training(asked) == {
        "effort": "quick", "tries": 4, "tuner": "grid", "loss": ["squared", "absolute"], "recipes": ["line"],
        "refreshable": True,
    }  # fmt: skip
    given = train_options(asked)
    assert (given["losses"], given["recipes"], given["tries"], given["tuner"], given["refreshable"]) == (
        ("squared", "absolute"), ("line",), 4, "grid", True
    )  # fmt: skip


def test_what_no_training_can_follow_is_refused_at_once():
    """A budget with tries, a loss and a recipe that do not exist: three faults, one error."""
    with pytest.raises(InputError, match=r"loss='cubic'.*recipes='pie'.*not with --tries"):
        JobSpec(tries=3, budget=5, loss="squared,cubic", recipes="pie")


def test_option_values_are_those_that_the_models_know():
    from app import training_options as told
    from models import recipes
    from models.candidates import EFFORTS
    from models.tuning.search import METHODS

    assert tuple(EFFORTS) == told.EFFORTS and told.LOSSES == recipes.LOSSES and told.RECIPES == recipes.RECIPES
    assert set(told.TUNERS) == set(METHODS)


def test_a_budget_below_nothing_and_no_settings_are_refused_at_once():
    with pytest.raises(InputError, match=r"settings=0.*budget=-1"):
        JobSpec(settings=0, budget=-1)
