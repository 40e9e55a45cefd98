"""The guard in service: who shows no skill gives way, a wide gap gives way where a simpler one is as good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic_city

from models.guard import Apparent, Checked, Guard, blocks, guarded
from models.promotion import Skill
from models.training import train
from models.tuning.scoring import DaySums
from models.validation import Validation

ORDER = ("usual", "line", "tree", "network")


def checked(*, clear: bool, kept: float = 1.0, loss: float = 1.0) -> Checked:
    """Forty days of one zone with daily losses around `loss`; every model has the same accidents."""
    wave = 0.1 * np.sin(np.arange(40.0))[:, None]
    skill = Skill(np.array([0.1]), np.array([0.2]), 0.1, 0.2, 40)
    return Checked(skill, np.array([clear]), loss + wave, np.array([kept]))


def test_who_shows_no_skill_gives_way_to_the_next_simpler_that_does():
    """The network fails, so does the tree: the line serves, and the words name the network and the line."""
    checks = {"line": checked(clear=True), "tree": checked(clear=False), "network": checked(clear=False)}
    (verdict,) = guarded(["network"], checks, ORDER, usual="usual")
    assert (verdict.family, verdict.fell_from) == ("line", "network")
    assert "network, since neither over all horizons" in verdict.words and "line serves" in verdict.words


def test_where_nobody_shows_skill_the_usual_value_serves():
    checks = {name: checked(clear=False) for name in ORDER[1:]}
    (verdict,) = guarded(["tree"], checks, ORDER, usual="usual")
    assert (verdict.family, verdict.fell_from) == ("usual", "tree")
    assert guarded(["usual"], checks, ORDER, usual="usual")[0].fell_from == ""


@pytest.mark.parametrize(("loss", "serves"), [(1.0, "line"), (1.3, "network")])
def test_a_wide_gap_gives_way_only_where_a_simpler_one_is_as_good(loss, serves):
    """The network keeps a fifth of its skill. A line that errs as much takes its place; one that errs by 0.3 more on
    every day, without scatter in the difference, does not."""
    checks = {"line": checked(clear=True, loss=loss), "tree": checked(clear=False),
              "network": checked(clear=True, kept=0.2)}  # fmt: skip
    (verdict,) = guarded(["network"], checks, ORDER, usual="usual")
    assert verdict.family == serves
    assert "20.0 % are left on others" in verdict.words


def test_the_share_of_skill_kept_is_that_of_both_parts():
    """Errors of 0.5 on rows learned from and 0.8 on others: skills of 0.5 and 0.2, two fifths are kept."""
    seen = Apparent(np.array([0.5, 1.2]), np.array([0.8, 1.5]))
    np.testing.assert_allclose(seen.kept, [0.4, 1.0])


def test_few_days_are_cut_in_quarters_and_many_are_not():
    assert blocks(np.repeat([5, 6], 8)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert blocks(np.repeat(np.arange(7), 3)).tolist() == np.repeat(np.arange(7), 3).tolist()


def test_skill_is_the_share_of_the_usual_loss_that_is_saved():
    """Losses of 2 and 4 against 4 and 4 of the usual value: 2 of 8 saved."""
    count = np.ones((2, 1))
    skill = Skill.of(DaySums(np.array([[2.0], [4.0]]), count), DaySums(np.array([[4.0], [4.0]]), count))
    assert skill.skill[0] == pytest.approx(0.25) and skill.city == pytest.approx(0.25) and skill.blocks == 2


def test_skill_at_one_horizon_is_enough():
    """Half of the error saved at the first horizon, a tenth lost at the second: no skill over both would be clear if
    the second lost as much, yet the usual value would be worse soon ahead."""
    rng = np.random.default_rng(0)
    shape = (960, 3, 2)
    reading = rng.standard_normal(shape).astype(np.float32)
    zero, one = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    day = np.arange(960) // 24
    usual = Validation("speed_mps", np.arange(960), np.zeros(960, int), day, one * 20, zero, reading + 20, one)
    deviation = np.stack([0.5 * reading[:, :, 0], rng.standard_normal((960, 3)) * 1.2], axis=2).astype(np.float32)
    guard = Guard(usual, np.ones((3, 2)))
    own = guard.check(replace(usual, deviation=deviation))
    assert (own.skill.skill < 0).all() and own.clear.all()
    assert not guard.check(replace(usual, deviation=rng.standard_normal(shape).astype(np.float32))).clear.any()


@pytest.fixture(scope="module")
def town():
    return synthetic_city.panel(zones=3, days=14, seed=11, gaps=0.0)


ASKED = {"targets": ("speed_mps",), "families": ("ridge", "macro_ridge"), "seed": 2}


def test_where_nothing_can_be_forecast_no_learned_model_serves(town):
    """Each time of the day gets the readings of other days at that time, their deviations with a random sign."""
    rng = np.random.default_rng(1)
    grid = town.values["speed_mps"].reshape(14, 96, 3)
    mean = grid.mean(axis=0)
    noise = rng.permuted(grid - mean, axis=0) * rng.choice([-1.0, 1.0], grid.shape)
    panel = replace(town, values={"speed_mps": np.clip(mean + noise, 0.1, None).reshape(-1, 3)})
    trained = train(panel, train_end=panel.times[12 * 96], **ASKED)
    assert set(trained.choices["family"]) == {"historical_average"}
    assert set(trained.choices["model_in_use"]) == {"micromodel"}
    assert set(trained.guard["family"]) == {"historical_average"}


def test_a_family_that_fails_is_named_in_the_reason_and_flagged(town, monkeypatch):
    """Skill worth having is asked for beyond what anything can show: all fall back, and say so."""
    monkeypatch.setattr("models.guard.Skill.promoted", lambda self, **_: np.zeros(self.skill.shape, bool))
    asked = {**ASKED, "targets": ("no2_ug_per_m3",), "train_end": town.times[12 * 96]}
    trained = train(town, **asked)
    assert trained.guard["fell_back"].all() and set(trained.guard["chosen"]) == {"ridge"}
    assert set(trained.choices["family"]) == {"historical_average"}
    assert trained.choices["reason"].str.contains("Held back by the guard against overfitting: ridge").all()
    free = train(town, guard=False, **asked)
    assert set(free.choices["family"]) == {"ridge"} and free.guard.empty
