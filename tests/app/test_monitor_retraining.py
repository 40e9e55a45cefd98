"""Policies of retraining: what is due when, by the clock of the readings."""

from __future__ import annotations

import pandas as pd
import pytest

from app.retraining import Schedule, due, next_fixed, note_training, schedule_of, set_schedule
from data.errors import InputError
from data.store.workspace import Workspace

TRAINED = pd.Timestamp("2026-03-01", tz="UTC")
KEYS = [("Z01", "speed_mps"), ("Z02", "speed_mps")]


def alarm(days: float, *, zone: str = "Z02", kind: str = "drift", state: str = "open") -> pd.DataFrame:
    since = TRAINED + pd.Timedelta(days=10) - pd.Timedelta(days=days)
    return pd.DataFrame(
        {"alarm_id": ["a1"], "zone_id": [zone], "target": ["speed_mps"], "kind": [kind], "state": [state],
         "since": [since]}
    )  # fmt: skip


def asked(schedule: Schedule, alarms: pd.DataFrame) -> tuple[list[tuple[str, str]], list[str]]:
    return due(schedule, alarms, KEYS, now=TRAINED + pd.Timedelta(days=10), trained=TRAINED)


def test_never_asks_for_nothing():
    assert asked(Schedule(), alarm(9)) == ([], [])


def test_a_fixed_policy_asks_for_all_once_its_days_are_over():
    assert asked(Schedule(kind="fixed", every_days=10), alarm(1))[0] == KEYS
    assert asked(Schedule(kind="fixed", every_days=11), alarm(1))[0] == []


def test_the_last_training_of_a_fixed_policy_counts_from_then_on():
    """Trained on the first by hand and on the fifth by the policy: seven days later is the twelfth."""
    schedule = Schedule(kind="fixed", every_days=7, last="2026-03-05T00:00:00+00:00")
    assert next_fixed(schedule, TRAINED) == pd.Timestamp("2026-03-12", tz="UTC")
    assert next_fixed(Schedule(), TRAINED) is None


def test_drift_is_learned_from_after_five_days_of_it_and_again_after_ten():
    schedule = Schedule(kind="on drift")
    assert asked(schedule, alarm(4.9)) == ([], [])
    assert asked(schedule, alarm(5)) == ([("Z02", "speed_mps")], ["a1"])
    once = Schedule(kind="on drift", lessons={"a1": 1})
    assert asked(once, alarm(9.9)) == ([], [])
    assert asked(once, alarm(10))[1] == ["a1"]


@pytest.mark.parametrize("other", [{"kind": "stuck"}, {"state": "closed"}, {"zone": "Z77"}])
def test_faults_of_sensors_closed_alarms_and_strange_zones_train_nothing(other):
    assert asked(Schedule(kind="on drift"), alarm(9, **other)) == ([], [])


def test_a_policy_is_kept_with_the_workspace(tmp_path):
    space = Workspace(tmp_path / "w")
    assert schedule_of(space) == Schedule()
    set_schedule(space, "on drift", by="Aino")
    note_training(space, TRAINED, ["a1"])
    note_training(space, TRAINED, ["a1", "a2"])
    assert schedule_of(space).lessons == {"a1": 2, "a2": 1}
    told = set_schedule(space, "fixed", every_days=3, by="Aino")
    note_training(space, TRAINED)
    assert (told.kind, told.every_days, told.by) == ("fixed", 3, "Aino")
    assert schedule_of(space).last == TRAINED.isoformat() and schedule_of(space).lessons == {"a1": 2, "a2": 1}


def test_faults_of_a_policy_are_named_together():
    with pytest.raises(InputError, match=r"kind 'daily'.*every_days=0"):
        Schedule(kind="daily", every_days=0)


def test_citywide_models_learn_again_once_a_quarter_of_the_zones_do():
    """One zone of four asks: macromodel and mix too; one of five: neither. A fixed policy asks for all."""
    city = [("_city", "speed_mps"), ("_mix", "speed_mps"), ("_city", "no2_ug_per_m3")]
    four = [(f"Z0{k}", "speed_mps") for k in range(1, 5)]

    def keys(zones):
        return due(Schedule(kind="on drift"), alarm(9), [*zones, *city], now=TRAINED + pd.Timedelta(days=10),
                   trained=TRAINED)[0]  # fmt: skip

    assert keys(four) == [("Z02", "speed_mps"), ("_city", "speed_mps"), ("_mix", "speed_mps")]
    assert keys([*four, ("Z05", "speed_mps")]) == [("Z02", "speed_mps")]
    fixed = due(Schedule(kind="fixed", every_days=7), alarm(9), [*four, *city], now=TRAINED + pd.Timedelta(days=10),
                trained=TRAINED)  # fmt: skip
    assert fixed[0] == sorted([*four, *city])
