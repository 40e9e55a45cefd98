"""Alarms: what a monitor tells, as records that are kept for good and acknowledged by people.

The book is append-only: what happens to an alarm is a new entry, and its state is what the entries say. An alarm's id
follows from its zone, target, kind and instant, so that a replay of the same readings enters nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from data.errors import StoreError
from data.schemas import TIME_DTYPE, Column, Table, empty, validate
from data.store.protocol import Store
from models.errors import AlarmError
from models.monitoring.advice import ADVICES
from models.monitoring.settings import KINDS

STATES = ("open", "acknowledged", "closed")

ALARMS = Table(
    name="alarms", key=("alarm_id",),
    columns=(
        Column(name="alarm_id", kind="str"), Column(name="zone_id", kind="str"), Column(name="target", kind="str"),
        Column(name="kind", kind="str", choices=KINDS), Column(name="state", kind="str", choices=STATES),
        Column(name="since", kind="time"), Column(name="first_seen", kind="time"),
        Column(name="closed", kind="time", nullable=True), Column(name="size", kind="float", nullable=True),
        Column(name="size_text", kind="str"), Column(name="level", kind="float", low=0),
        Column(name="reason", kind="str"), Column(name="advice", kind="str", choices=ADVICES),
        Column(name="closed_why", kind="str"),
        Column(name="acknowledged_by", kind="str"), Column(name="note", kind="str"),
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One change in one zone for one target.

    Attributes
    ----------
    alarm_id, zone_id, target, kind : str
    since : Timestamp
        When the change most likely began, UTC.
    first_seen : Timestamp
        When the alarm was raised.
    size : float
        `mean` and `pattern` in the target's unit, `drift` in usual deviations of the readings, `variance` as errors'
        standard deviation over the usual one, `coverage` as the share covered, faults of readings in hours.
    size_text, reason : str
    advice : str
        "check the sensor", "retrain" or "wait".
    level : float
        The statistic over its threshold when the alarm was raised, 1 or more.
    state : str
        "open", "acknowledged" or "closed".
    closed : Timestamp or None
    closed_why, acknowledged_by, note : str
    """

    alarm_id: str
    zone_id: str
    target: str
    kind: str
    since: pd.Timestamp
    first_seen: pd.Timestamp
    size: float
    size_text: str
    reason: str
    advice: str
    level: float
    state: str = "open"
    closed: pd.Timestamp | None = None
    closed_why: str = ""
    acknowledged_by: str = ""
    note: str = ""

    @classmethod
    def new(cls, *, zone_id: str, target: str, kind: str, first_seen: pd.Timestamp, **told: Any) -> Alarm:
        """An alarm that has just been raised; its id follows from zone, target, kind and instant."""
        text = f"{zone_id}|{target}|{kind}|{first_seen.isoformat()}"
        name = hashlib.sha256(text.encode()).hexdigest()[:10]
        return cls(alarm_id=name, zone_id=zone_id, target=target, kind=kind, first_seen=first_seen, **told)

    def ended(self, at: pd.Timestamp, why: str) -> Alarm:
        """The same, closed."""
        return replace(self, state="closed", closed=at, closed_why=why)


def alarm_table(alarms: Iterable[Alarm]) -> pd.DataFrame:
    """The `alarms` table, oldest first."""
    rows = [asdict(alarm) for alarm in alarms]
    if not rows:
        return empty(ALARMS)
    table = pd.DataFrame(rows)
    for name in ("since", "first_seen", "closed"):
        table[name] = pd.to_datetime(table[name], utc=True).astype(TIME_DTYPE)
    return validate(table.sort_values(["first_seen", "zone_id", "target"], ignore_index=True), ALARMS)


class AlarmBook:
    """Alarms in a `Store`, append-only: entries `entries/<number>-<digest>.json`, each of one or many happenings.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def enter(self, alarms: Iterable[Alarm]) -> int:
        """Note what monitors raised and ended; what was entered before is not entered again. Returns new happenings."""
        standing = self._standing()
        happenings: list[dict[str, Any]] = []
        for alarm in alarms:
            known = standing.get(alarm.alarm_id)
            if known is None:
                first = {**asdict(alarm), "state": "open", "closed": None, "closed_why": ""}
                happenings.append({"what": "raised", "alarm": first})
            if alarm.state == "closed" and (known is None or known["state"] != "closed"):
                told = {"alarm_id": alarm.alarm_id, "at": alarm.closed, "why": alarm.closed_why}
                happenings.append({"what": "closed", **told})
        if happenings:
            self._append(happenings)
        return len(happenings)

    def acknowledge(self, alarm_id: str, *, by: str, note: str = "", at: pd.Timestamp | None = None) -> None:
        """Note that somebody has seen an alarm.

        Parameters
        ----------
        alarm_id : str
            Whole, or so much of its beginning as no other alarm shares.
        by : str
            Who.
        note : str
        at : Timestamp or None
            When; None leaves it out.

        Raises
        ------
        AlarmError
            If there is no such alarm, several begin so, it is closed, or nobody signs.
        """
        standing = self._standing()
        found = [name for name in standing if alarm_id and name.startswith(alarm_id)]
        if len(found) != 1:
            some = ", ".join(found or [n for n, a in standing.items() if a["state"] != "closed"][:8]) or "none"
            raise AlarmError(
                f"{'several alarms begin' if found else 'no alarm begins'} with '{alarm_id}'; there are: {some}"
            )
        if not by.strip():
            raise AlarmError("an acknowledgement needs a name: who has seen the alarm?")
        if standing[found[0]]["state"] == "closed":
            raise AlarmError(
                f"alarm '{found[0]}' is closed ({standing[found[0]]['closed_why']}); nothing to acknowledge"
            )
        self._append([{"what": "acknowledged", "alarm_id": found[0], "by": by.strip(), "note": note, "at": at}])

    def table(self) -> pd.DataFrame:
        """All alarms as they stand, in the schema `ALARMS`."""
        return alarm_table(self.alarms())

    def alarms(self) -> list[Alarm]:
        """All alarms as they stand, oldest first."""
        times = ("since", "first_seen", "closed")
        found = []
        for told in self._standing().values():
            stamps = {name: None if told[name] is None else pd.Timestamp(told[name]) for name in times}
            size = float("nan") if told["size"] is None else float(told["size"])
            found.append(Alarm(**{**told, **stamps, "size": size}))
        return sorted(found, key=lambda alarm: (alarm.first_seen, alarm.alarm_id))

    def _standing(self) -> dict[str, dict[str, Any]]:
        """Alarms by id after all entries."""
        found: dict[str, dict[str, Any]] = {}
        for key in self.store.list("entries/"):
            try:
                happenings = json.loads(self.store.get(key))
                for one in happenings:
                    _apply(found, one)
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"alarms/{key} is damaged ({error}); remove it, its alarms will be raised again"
                ) from error
        return found

    def _append(self, happenings: list[dict[str, Any]]) -> None:
        value = json.dumps([_plain(one) for one in happenings], indent=1, sort_keys=True).encode()
        keys = self.store.list("entries/")
        last = max((int(key.removeprefix("entries/").split("-")[0]) for key in keys), default=0)
        self.store.put(f"entries/{last + 1:06d}-{hashlib.sha256(value).hexdigest()[:10]}.json", value)


def _apply(found: dict[str, dict[str, Any]], one: dict[str, Any]) -> None:
    if one["what"] == "raised":
        found.setdefault(one["alarm"]["alarm_id"], dict(one["alarm"]))
        return
    alarm = found[one["alarm_id"]]
    if one["what"] == "closed":
        alarm.update(state="closed", closed=one["at"], closed_why=one["why"])
    else:
        alarm.update(acknowledged_by=one["by"], note=one["note"])
        if alarm["state"] == "open":
            alarm["state"] = "acknowledged"


def _plain(value: Any) -> Any:
    """As JSON can hold it: times as text, what is not a number as null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return None
    return value
