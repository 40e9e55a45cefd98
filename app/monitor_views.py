"""What the monitor page shows, as tables: sensors by the hour, errors, alarms, models, changes and jobs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from app.jobs import Job, Jobs
from app.monitoring import alarm_book
from app.queries import Queries, targets_of
from app.texts import model_name, t
from data.errors import ZonewiseError
from data.schemas import TARGETS
from data.units import DISPLAY

KIND = "monitor"
HOURS = 24
STATES = ("heard", "part", "silent", "faulty", "none")
#: An hour counts as heard with this share of its readings (assumed: one of four quarter hours may be late).
_HEARD_SHARE = 0.75
_SENSED_DAYS = 7  # what a zone has reported in so many days, it is expected to report
_STUCK_H = 3.0  # as `models.monitoring.settings`
_REPLAYED = pd.Timedelta(days=7)  # readings older than this are a replay: their arrival is told, not their age
STALE_STEPS = 2
FILTERS = ("standing", "open", "acknowledged", "closed", "all")
_MOST_LOG, _MOST_JOBS = 400, 12
_MANY = 5  # changes of a kind, by one person within a minute, that are told as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the newest run of the monitor left: its counts and tables of zones, errors and series."""

    told: dict[str, Any]
    zones: pd.DataFrame
    errors: pd.DataFrame
    series: pd.DataFrame


def found(queries: Queries) -> Found | None:
    """The newest run of the monitor; None before the first, or after a new training."""
    runs = queries.info().runs
    run = runs.get(KIND)
    if run is None or queries.workspace.runs.manifest(run)["spec"].get("training") != runs.get("training"):
        return None
    tables = {name: queries.table(run, f"watched_{name}") for name in ("zones", "errors", "series")}
    return Found(told=queries.workspace.runs.read_json(run, KIND), **tables)


def newer_readings(queries: Queries) -> bool:
    """Whether readings or models came since the monitor last ran, or it never did."""
    told = found(queries)
    return told is None or pd.Timestamp(told.told["now"]) < queries.info().now


def version(queries: Queries) -> str:
    """Changes whenever something that the page shows does."""
    workspace = queries.workspace
    parts: list[Any] = [workspace.describe(), header_status(queries)]
    if workspace.jobs_path.is_file():
        parts += [[j.id, j.state, j.done, j.message] for j in Jobs(workspace.jobs_path).list(_MOST_JOBS)]
    for path in (workspace.root / "models" / "log.jsonl",):
        parts.append(path.stat().st_size if path.is_file() else 0)
    entries = workspace.root / "alarms" / "entries"
    parts.append(sorted(p.name for p in entries.iterdir()) if entries.is_dir() else [])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


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
    bad = np.zeros((len(zones), len(starts)), dtype=bool)
    least = int(np.ceil(_STUCK_H * 3600 / step_s))
    recent = state[state["time"] >= starts[0] - pd.Timedelta(hours=_STUCK_H)]
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


# ---------------------------------------------------------------------- errors


def targets(queries: Queries) -> list[str]:
    """Quantities that the workspace has models for."""
    return targets_of(queries.choices())


def error_rows(queries: Queries, target: str) -> pd.DataFrame:
    """Errors in shown units, the worst against validation first.

    Returns
    -------
    DataFrame
        zone_id, name, version, n, mae, validation (from the card, or the comparison's test where the card tells none),
        change (share by which `mae` is above `validation`), coverage, validation_coverage, horizon_s, family, state.
    """
    told = found(queries)
    columns = ["zone_id", "name", "version", "n", "mae", "validation", "change", "coverage", "validation_coverage",
               "horizon_s", "family", "state"]  # fmt: skip
    if told is None:
        return pd.DataFrame(columns=columns)
    rows = told.errors[told.errors["target"] == target].copy()
    factor = DISPLAY[target][1]
    tested = _tested(queries, target)
    rows["mae"] *= factor
    rows["validation"] = (rows["validation_mae"] * factor).fillna(rows["zone_id"].map(tested))
    rows["change"] = rows["mae"] / rows["validation"] - 1
    rows["name"] = rows["zone_id"].map(queries.zone_names())
    zones = told.zones[told.zones["target"] == target].set_index("zone_id")
    rows["family"] = rows["zone_id"].map(zones["family"]).map(lambda f: model_name(str(f)))
    standing = standing_alarms(queries)
    mine = set(standing.loc[standing["target"] == target, "zone_id"])
    rows["state"] = ["alarm" if zone in mine else "ok" for zone in rows["zone_id"]]
    return rows[columns].sort_values(["change", "zone_id"], ascending=[False, True], ignore_index=True)


def _tested(queries: Queries, target: str) -> dict[str, float]:
    """The micromodels' error of the comparison's test days an hour ahead, shown unit."""
    runs = queries.info().runs
    if "comparison" not in runs or not queries.has_table(runs["comparison"], "scores"):
        return {}
    rows = queries.sql(
        "SELECT zone_id, value FROM {t} WHERE model = 'micromodel' AND metric = 'mae' AND target = ? AND zone_id <> ''"
        " AND horizon_s = 3600 AND period = 'test'", target, t=(runs["comparison"], "scores"),
    )  # fmt: skip
    return {str(r.zone_id): float(r.value) * DISPLAY[target][1] for r in rows.itertuples()}


# ---------------------------------------------------------------------- alarms


def alarms(queries: Queries) -> pd.DataFrame:
    """All alarms in the book, newest first, with the zone's name."""
    table = alarm_book(queries.workspace).table()
    names = queries.zone_names()
    named = table.assign(name=[names.get(str(zone), str(zone)) for zone in table["zone_id"]])
    return named.iloc[::-1].reset_index(drop=True)


def standing_alarms(queries: Queries) -> pd.DataFrame:
    """Those that are not closed."""
    table = alarms(queries)
    return table[table["state"] != "closed"]


def filtered(table: pd.DataFrame, which: str) -> pd.DataFrame:
    """Alarms of a filter, of `FILTERS`; those that nobody has seen first."""
    if which == "standing":
        table = table[table["state"] != "closed"]
    elif which != "all":
        table = table[table["state"] == which]
    order = table["state"].map({"open": 0, "acknowledged": 1, "closed": 2})
    return table.assign(_order=order).sort_values("_order", kind="stable", ignore_index=True).drop(columns="_order")


def advice_now(alarm: Any, now: pd.Timestamp) -> str:
    """What to do about an alarm as things stand: who was told to wait is told to train once there is enough to learn.

    Parameters
    ----------
    alarm : row of `ALARMS`
    now : Timestamp
        End of the newest reading, UTC.
    """
    from models.monitoring.advice import LEARNABLE_H

    lasted = (now - alarm.since) / pd.Timedelta(hours=1)
    return "retrain" if alarm.advice == "wait" and alarm.state != "closed" and lasted >= LEARNABLE_H else alarm.advice


def alarm_series(queries: Queries, alarm: Any) -> pd.DataFrame:
    """Readings and forecasts around an alarm in shown units and local time; empty where none were kept."""
    told = found(queries)
    if told is None:
        return pd.DataFrame(columns=["time", "reading", "median", "low", "high"])
    rows = told.series[(told.series["zone_id"] == alarm.zone_id) & (told.series["target"] == alarm.target)]
    factor, zone = DISPLAY[alarm.target][1], queries.info().timezone
    shown = {name: rows[name] * factor for name in ("reading", "median", "low", "high")}
    times = pd.to_datetime(rows["time"], utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    return pd.DataFrame({"time": times, **shown}).reset_index(drop=True)


# ---------------------------------------------------------------------- models, changes, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The strip: zones with a sensor and those heard now, alarms, error and coverage since training, models.

    `change` is the median over models of their error against validation, less one; `nan` where nothing was scored.
    """

    zones: int
    fresh: int
    open: int
    acknowledged: int
    change: float
    scored: int
    coverage: float
    models: int
    pinned: int


def figures(queries: Queries) -> Figures:
    """Figures of the strip."""
    table = sensors(queries)
    table = table[table["state"] != "none"]
    states = alarms(queries)["state"].value_counts()
    rows = [error_rows(queries, target) for target in targets(queries)]
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["change", "coverage", "n"])
    scored = whole[whole["change"].notna()] if len(whole) else whole
    known = whole[whole["coverage"].notna()] if len(whole) else whole
    total = float(known["n"].sum()) if len(known) else 0.0
    listed = models(queries)
    return Figures(
        zones=len(table), fresh=int((table["state"] != "silent").sum()), open=int(states.get("open", 0)),
        acknowledged=int(states.get("acknowledged", 0)),
        change=float(scored["change"].median()) if len(scored) else float("nan"), scored=len(scored),
        coverage=float((known["coverage"] * known["n"]).sum() / total) if total else float("nan"),
        models=len(listed), pinned=int(listed["pinned"].sum()),
    )  # fmt: skip


def models(queries: Queries) -> pd.DataFrame:
    """Micromodels in force: zone_id, target, version, versions, family, train_end, pinned, note."""
    from models.registry import Registry

    listed = Registry(queries.workspace.models).list()
    listed = listed[~listed["zone_id"].str.startswith("_")]
    return listed.assign(pinned=listed["note"].str.startswith("pinned")).reset_index(drop=True)


def log_rows(queries: Queries, zone: str = "") -> pd.DataFrame:
    """Changes of what is in force, newest first: when (local), zone_id, quantity, action, version, was, by, why."""
    from models.registry import Registry

    table = Registry(queries.workspace.models).log(zone or None)
    table = table.iloc[::-1].head(_MOST_LOG).reset_index(drop=True)
    local = pd.to_datetime(table["when"], utc=True, format="ISO8601").dt.tz_convert(queries.info().timezone)
    words = [DISPLAY[x][3] if x in DISPLAY else x for x in table["target"]]
    return table.assign(when=local.dt.strftime("%Y-%m-%d %H:%M"), quantity=words)


def grouped(rows: pd.DataFrame, most: int = 30) -> list[list[dict[str, Any]]]:
    """Changes in a row of the same kind, minute and author as one group where they are many; newest first."""
    out: list[list[dict[str, Any]]] = []
    if rows.empty:
        return out
    same = (rows[["action", "by", "when"]] != rows[["action", "by", "when"]].shift()).any(axis=1).cumsum()
    for _, part in rows.groupby(same, sort=False):
        told = part.to_dict("records")
        out += [told] if len(told) >= _MANY else [[row] for row in told]
    return out[:most]


def job_rows(queries: Queries) -> list[dict[str, Any]]:
    """Jobs of the workspace, newest first: id, kind, state, share (0 to 1), message, started, ended, open."""
    path = queries.workspace.jobs_path
    if not path.is_file():
        return []
    zone = queries.info().timezone
    return [_job(job, zone) for job in Jobs(path).list(_MOST_JOBS)]


def _job(job: Job, zone: str) -> dict[str, Any]:
    def clock(at: float | None) -> str:
        return "–" if at is None else pd.Timestamp(at, unit="s", tz="UTC").tz_convert(zone).strftime("%Y-%m-%d %H:%M")

    told = f"monitor.job.{job.kind}"
    try:
        kind = t(told)
    except KeyError:
        kind = job.kind
    done = job.state == "done"
    share = 1.0 if done else job.done / job.total if job.total else 0.0
    words = job.message or (job.result if done and job.kind == "retrain" else "")
    return {
        "id": job.id, "kind": kind, "state": job.state, "share": share,
        "message": words, "started": clock(job.started or job.created), "ended": clock(job.ended), "open": job.open,
    }  # fmt: skip


def open_job(queries: Queries, *kinds: str) -> bool:
    """Whether a job of one of these kinds is queued or running."""
    path = queries.workspace.jobs_path
    return path.is_file() and any(job.open and job.kind in kinds for job in Jobs(path).list(_MOST_JOBS))


def header_status(queries: Queries) -> tuple[str, str]:
    """Local clock of the newest reading, and its age in words where it is stale."""
    info = queries.info()
    clock = info.now.tz_convert(info.timezone).strftime("%H:%M")
    try:
        age = staleness(queries)
    except ZonewiseError:
        age = None
    return clock, "" if age is None else age_words(age)
