"""When a workspace's micromodels are trained again: never, every so many days, or where the world has changed.

The policy is kept in `workspace.json`. It is asked after every run of the monitor, and by the clock of the readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from data.errors import InputError
from data.store.workspace import Workspace

KEY = "retraining"
KINDS = ("never", "fixed", "on drift")
MOST_DAYS = 366
#: Share of a quantity's zones whose world must have changed for its citywide models to learn again too (assumed).
CITY_SHARE = 0.25
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When to train again.

    Attributes
    ----------
    kind : {"never", "fixed", "on drift"}
    every_days : int
        Of `fixed`.
    by : str
        Who chose it.
    last : str
        Of `fixed`: newest reading at the last training that it asked for, ISO 8601; empty before the first.
    lessons : mapping of str to int
        Of `on drift`: trainings that each alarm has led to.
    """

    kind: str = "never"
    every_days: int = 7
    by: str = ""
    last: str = ""
    lessons: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [] if self.kind in KINDS else [f"kind {self.kind!r}; allowed: {', '.join(KINDS)}"]
        if not 1 <= self.every_days <= MOST_DAYS:
            faults.append(f"every_days={self.every_days} must lie between 1 and {MOST_DAYS}")
        if faults:
            raise InputError("the retraining policy cannot be used: " + "; ".join(faults))


def schedule_of(workspace: Workspace) -> Schedule:
    """The workspace's policy; `never` where none was set."""
    told = workspace.describe().get(KEY) or {}
    known = {name: told[name] for name in ("kind", "every_days", "by", "last", "lessons") if name in told}
    return Schedule(**known)


def set_schedule(workspace: Workspace, kind: str, *, every_days: int = 7, by: str = "") -> Schedule:
    """Choose a policy; what the one before has led to is kept."""
    before = schedule_of(workspace)
    made = Schedule(kind=kind, every_days=int(every_days), by=by, last=before.last, lessons=before.lessons)
    _keep(workspace, made)
    return made


def note_training(workspace: Workspace, now: pd.Timestamp, alarms: Iterable[str] = ()) -> None:
    """Note that the policy has led to a training, from these alarms where drift did."""
    before = schedule_of(workspace)
    lessons = dict(before.lessons)
    for alarm in alarms:
        lessons[alarm] = lessons.get(alarm, 0) + 1
    last = before.last if lessons != dict(before.lessons) else now.isoformat()
    _keep(workspace, Schedule(kind=before.kind, every_days=before.every_days, by=before.by, last=last, lessons=lessons))


def _keep(workspace: Workspace, schedule: Schedule) -> None:
    told: dict[str, Any] = {"kind": schedule.kind, "every_days": schedule.every_days, "by": schedule.by}
    workspace.update(**{KEY: {**told, "last": schedule.last, "lessons": dict(schedule.lessons)}})


def next_fixed(schedule: Schedule, trained: pd.Timestamp) -> pd.Timestamp | None:
    """When a fixed policy asks for the next training, by the clock of the readings; None for other policies."""
    if schedule.kind != "fixed":
        return None
    last = max(trained, pd.Timestamp(schedule.last)) if schedule.last else trained
    return last + pd.Timedelta(days=schedule.every_days)


def due(
    schedule: Schedule, alarms: pd.DataFrame, keys: Iterable[Key], *, now: pd.Timestamp, trained: pd.Timestamp
) -> tuple[list[Key], list[str]]:
    """Models to train now, and the alarms that ask for it.

    Parameters
    ----------
    schedule : Schedule
    alarms : DataFrame
        `models.monitoring.ALARMS`.
    keys : iterable of (zone_id, target)
        All models in force, citywide ones by their names in the registry.
    now, trained : Timestamp
        End of the newest reading, and of those that the models learned from, UTC.

    Notes
    -----
    On drift, a zone is trained once its alarm of a changed world stands for 5 days, and again after 10, 20 and 40:
    whenever there is twice as much to learn from (see `models.monitoring.policies`). Macromodel and mix of a quantity
    learn again with the zones once a quarter of its zones are asked to.
    """
    from app.renewed import NAMES
    from models.monitoring.policies import LEARN_AFTER_DAYS
    from models.monitoring.settings import WORLD_KINDS

    at = next_fixed(schedule, trained)
    if at is not None:
        return (sorted(keys), []) if now >= at else ([], [])
    if schedule.kind != "on drift":
        return [], []
    known, wanted, asking = set(keys), [], []
    open_ = alarms[(alarms["state"] != "closed") & alarms["kind"].isin(WORLD_KINDS)]
    for alarm in open_.itertuples():
        days = (now - alarm.since) / pd.Timedelta(days=1)
        reached = sum(days >= least for least in LEARN_AFTER_DAYS)
        key = (str(alarm.zone_id), str(alarm.target))
        if key in known and reached > schedule.lessons.get(str(alarm.alarm_id), 0):
            wanted.append(key)
            asking.append(str(alarm.alarm_id))
    asked, city = set(wanted), set(NAMES.values())
    for name, target in known:
        zones = {zone for zone, of in known if of == target} - city
        if name in city and zones and sum((zone, target) in asked for zone in zones) >= CITY_SHARE * len(zones):
            wanted.append((name, target))
    return sorted(set(wanted)), asking
