"""What was heard of the zones' sensors: each hour of the last day, and how old the newest readings are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from app.monitoring import alarm_book
from app.queries import Queries
from app.texts import t
from data.errors import ZonewiseError
from data.schemas import TARGETS

HOURS = 24
STATES = ("heard", "part", "silent", "faulty", "none")
#: An hour counts as heard with this share of its readings (assumed: one of four quarter hours may be late).
_HEARD_SHARE = 0.75
_SENSED_DAYS = 7  # what a zone has reported in so many days, it is expected to report
_REPLAYED = pd.Timedelta(days=7)  # readings older than this are a replay: their arrival is told, not their age
STALE_STEPS = 2

# ---------------------------------------------------------------------- how old the readings are


def age_of_readings(now: pd.Timestamp, *, wall: pd.Timestamp, arrived: pd.Timestamp | None) -> pd.Timedelta | None:
    """How old the newest reading of a followed feed is; None where no feed is followed.

    Parameters
    ----------
    now : Timestamp
        End of the newest reading, UTC.
    wall : Timestamp
        The clock on the wall, UTC.
    arrived : Timestamp or None
        When the feed last brought something. Of a replay of old readings this counts, not their age.
    """
    if arrived is None:
        return None
    age = wall - now
    return max(age if age <= _REPLAYED else wall - arrived, pd.Timedelta(0))


def staleness(queries: Queries, wall: pd.Timestamp | None = None) -> pd.Timedelta | None:
    """Age of the newest reading where that is more than two steps; None where readings are fresh, or nothing follows.

    Of a workspace that no feed writes to, readings are as old as they were meant to be.
    """
    info = queries.info()
    manifest = queries.workspace.runs.manifest(info.runs["live"])
    if not manifest["spec"].get("watched"):
        return None
    wall = wall or pd.Timestamp(datetime.now(UTC))
    age = age_of_readings(info.now, wall=wall, arrived=pd.Timestamp(manifest["created"]))
    return age if age is not None and age > pd.Timedelta(seconds=STALE_STEPS * info.step_s) else None


def age_words(age: pd.Timedelta) -> str:
    """An age as people say it, e.g. `45 min`, `3 h`, `2 days`."""
    minutes = age / pd.Timedelta(minutes=1)
    if minutes < 90:
        return t("monitor.age.minutes", n=round(minutes))
    return (
        t("monitor.age.hours", n=round(minutes / 60))
        if minutes < 2880
        else t("monitor.age.days", n=int(minutes // 1440))
    )


def header_status(queries: Queries) -> tuple[str, str]:
    """Local clock of the newest reading, and its age in words where it is stale."""
    info = queries.info()
    clock = info.now.tz_convert(info.timezone).strftime("%H:%M")
    try:
        age = staleness(queries)
    except ZonewiseError:
        age = None
    return clock, "" if age is None else age_words(age)


# ---------------------------------------------------------------------- sensors


def readings(queries: Queries, since: pd.Timestamp) -> pd.DataFrame:
    """Zones' readings from `since` up to now, of the live run and of the history before it."""
    info = queries.info()
    parts = []
    for kind in ("simulation", "live"):
        run = info.runs.get(kind)
        if run and queries.has_table(run, "zone_state"):
            held = queries.sql("DESCRIBE SELECT * FROM {t}", t=(run, "zone_state"))["column_name"].tolist()
            columns = ", ".join(["zone_id", "time", *[c for c in TARGETS if c in held]])
            text = f"SELECT {columns} FROM {{t}} WHERE time >= ? AND time < ?"
            span = since.to_pydatetime(), info.now.to_pydatetime()
            parts.append(queries.sql(text, *span, t=(run, "zone_state")))
    whole = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    whole["time"] = pd.to_datetime(whole["time"], utc=True)
    whole["zone_id"] = whole["zone_id"].astype(str)
    return whole.drop_duplicates(["zone_id", "time"], keep="last").sort_values(["zone_id", "time"], ignore_index=True)


def sensor_hours(
    state: pd.DataFrame, zones: list[str], *, now: pd.Timestamp, step_s: float, hours: int = HOURS,
    faults: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """What was heard of each zone in each of the last hours.

    Parameters
    ----------
    state : DataFrame
        zone_id, time and targets, ordered; long enough to tell what a zone usually reports.
    zones : list of str
        All zones, also those without a sensor.
    now : Timestamp
        End of the newest reading, UTC.
    step_s : float
    hours : int
    faults : DataFrame or None
        zone_id, since, until (UTC) in which readings are known to be at fault.

    Returns
    -------
    DataFrame
        zone_id, hour (its start, UTC), state (of `STATES`), heard and expected (readings).
    """
    bucket = pd.Timedelta(seconds=max(3600.0, step_s))
    first = (now - pd.Timedelta(seconds=step_s)).floor(bucket) - (hours - 1) * bucket
    starts = pd.date_range(first, periods=hours, freq=bucket)
    targets = [c for c in TARGETS if c in state]
    known = state[targets].notna()
    sensed = known.groupby(state["zone_id"]).any().sum(axis=1).reindex(zones, fill_value=0)
    recent = state["time"] >= first
    at = ((state.loc[recent, "time"] - first) // bucket).to_numpy()
    told = pd.DataFrame({"zone_id": state.loc[recent, "zone_id"], "at": at, "heard": known[recent].sum(axis=1)})
    heard = told.pivot_table(index="zone_id", columns="at", values="heard", aggfunc="sum", fill_value=0)
    heard = heard.reindex(index=zones, columns=range(hours), fill_value=0)
    length = np.full(hours, bucket / pd.Timedelta(seconds=step_s))
    length[-1] = max(1.0, (now - starts[-1]) / pd.Timedelta(seconds=step_s))
    expected = sensed.to_numpy()[:, None] * np.round(length)[None, :]
    share = np.divide(heard.to_numpy(), expected, out=np.zeros(expected.shape), where=expected > 0)
    code = np.select([expected == 0, share >= _HEARD_SHARE, share > 0], ["none", "heard", "part"], "silent")
    bad = _faulty(zones, starts, bucket, faults) | _stuck(state, zones, starts, bucket, step_s, targets)
    code = np.where(bad & (expected > 0) & (code != "silent"), "faulty", code)
    return pd.DataFrame(
        {
            "zone_id": np.repeat(zones, hours), "hour": np.tile(starts, len(zones)), "state": code.ravel(),
            "heard": heard.to_numpy().ravel(), "expected": expected.ravel().astype(int),
        }
    )  # fmt: skip


def _faulty(
    zones: list[str], starts: pd.DatetimeIndex, bucket: pd.Timedelta, faults: pd.DataFrame | None
) -> np.ndarray:
    bad = np.zeros((len(zones), len(starts)), dtype=bool)
    place = {zone: k for k, zone in enumerate(zones)}
    for fault in () if faults is None else faults.itertuples():
        if fault.zone_id in place:
            bad[place[fault.zone_id]] |= (starts < fault.until) & (starts + bucket > fault.since)
    return bad


def _stuck(
    state: pd.DataFrame, zones: list[str], starts: pd.DatetimeIndex, bucket: pd.Timedelta, step_s: float,
    targets: list[str],
) -> np.ndarray:  # fmt: skip
    """Hours in which a reading above zero is the same as all through the hours before."""
    from models.monitoring.settings import MonitorSettings

    bad = np.zeros((len(zones), len(starts)), dtype=bool)
    least_h = MonitorSettings().stuck_h
    least = int(np.ceil(least_h * 3600 / step_s))
    recent = state[state["time"] >= starts[0] - pd.Timedelta(hours=least_h)]
    place = recent["zone_id"].map({zone: k for k, zone in enumerate(zones)})
    if least < 2 or recent.empty:
        return bad
    for target in targets:
        value = recent[target]
        same = value.notna() & (value > 0) & (value == value.shift()) & (recent["zone_id"] == recent["zone_id"].shift())
        run = same.groupby((~same).cumsum()).cumsum()
        hit = (run >= least) & (recent["time"] >= starts[0]) & place.notna()
        bad[place[hit].astype(int), ((recent.loc[hit, "time"] - starts[0]) // bucket).astype(int)] = True
    return bad


def sensors(queries: Queries) -> pd.DataFrame:
    """A row each zone, those in need first: zone_id, name, last (UTC or NaT), age, state (of now), runs.

    `runs` are stretches of hours of one state, oldest first: (state, first hour, last hour, how many).
    """
    info = queries.info()

    def make() -> pd.DataFrame:
        names = queries.zone_names()
        state = readings(queries, info.now - pd.Timedelta(days=_SENSED_DAYS))
        alarms = alarm_book(queries.workspace).table()
        faults = alarms[alarms["kind"].isin(("stuck", "range"))]
        faults = faults.assign(until=faults["closed"].fillna(info.now + pd.Timedelta(hours=1)))
        table = sensor_hours(state, list(names), now=info.now, step_s=info.step_s, faults=faults)
        known = state[[c for c in TARGETS if c in state]].notna().any(axis=1)
        last = state[known].groupby("zone_id")["time"].max() + pd.Timedelta(seconds=info.step_s)
        rows = []
        for zone, part in table.groupby("zone_id", sort=False):
            at = last.get(zone, pd.NaT)
            age = info.now - at if at is not pd.NaT else pd.NaT
            stretches = merged(part["state"].tolist(), part["hour"].tolist())
            rows.append({"zone_id": zone, "name": names[str(zone)], "last": at, "age": age,
                         "state": _state_now(stretches, age, info.step_s), "runs": stretches})  # fmt: skip
        whole = pd.DataFrame(rows)
        order = whole["state"].map({"silent": 0, "faulty": 1, "part": 2, "heard": 3, "none": 4})
        return whole.assign(_order=order).sort_values(["_order", "zone_id"], ignore_index=True).drop(columns="_order")

    entries = queries.workspace.root / "alarms" / "entries"
    stamp = entries.stat().st_mtime if entries.is_dir() else 0.0
    return queries.keep(("sensors", info.runs["live"], info.runs.get("simulation"), info.now, stamp), make)


def _state_now(stretches: list[tuple[str, Any, Any, int]], age: Any, step_s: float) -> str:
    state = stretches[-1][0]
    if state == "none":
        return state
    if age is pd.NaT or age >= pd.Timedelta(seconds=STALE_STEPS * step_s):
        return "silent"
    return state


def merged(states: list[str], hours: list[Any]) -> list[tuple[str, Any, Any, int]]:
    """Stretches of one state: (state, first hour, last hour, how many).

    Examples
    --------
    >>> merged(["heard", "heard", "silent"], [7, 8, 9])
    [('heard', 7, 8, 2), ('silent', 9, 9, 1)]
    """
    out: list[tuple[str, Any, Any, int]] = []
    for state, hour in zip(states, hours):
        if out and out[-1][0] == state:
            out[-1] = (state, out[-1][1], hour, out[-1][3] + 1)
        else:
            out.append((state, hour, hour, 1))
    return out
