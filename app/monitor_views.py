"""What the monitor page shows, as tables: errors, alarms, models, changes and jobs; sensors are in `sensor_views`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from app.display import DISPLAY
from app.jobs import Job, Jobs
from app.monitoring import alarm_book
from app.queries import Queries, targets_of
from app.renewed import NAMES
from app.sensor_views import header_status, sensors
from app.texts import model_name, t

KIND = "monitor"
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


def marks(queries: Queries) -> tuple[str, str]:
    """What changes whenever something that the page shows does, and what changes as jobs get on.

    While a job runs the second changes a hundred times as often as the first.
    """
    workspace, jobs = queries.workspace, _newest(queries)
    parts: list[Any] = [workspace.describe(), header_status(queries), *([j.id, j.state] for j in jobs)]
    log = workspace.root / "models" / "log.jsonl"
    parts.append(log.stat().st_size if log.is_file() else 0)
    entries = workspace.root / "alarms" / "entries"
    parts.append(sorted(p.name for p in entries.iterdir()) if entries.is_dir() else [])
    return _digest(parts), _digest([[j.id, j.done, j.message] for j in jobs])


def version(queries: Queries) -> str:
    """The first of `marks`."""
    return marks(queries)[0]


def _newest(queries: Queries) -> list[Job]:
    """Jobs that the page shows, newest first."""
    path = queries.workspace.jobs_path
    return Jobs(path).list(_MOST_JOBS) if path.is_file() else []


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


# ---------------------------------------------------------------------- errors


def targets(queries: Queries) -> list[str]:
    """Quantities that the workspace has models for."""
    return targets_of(queries.choices())


def error_rows(queries: Queries, target: str) -> pd.DataFrame:
    """Errors in shown units, the worst against validation first; macromodel and mix, over all zones, come last.

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
    citywide = {name: t(f"monitor.errors.{kind}") for kind, name in NAMES.items()}
    rows["name"] = rows["zone_id"].map({**queries.zone_names(), **citywide})
    zones = told.zones[told.zones["target"] == target].set_index("zone_id")
    rows["family"] = rows["zone_id"].map(zones["family"]).map(lambda f: model_name(str(f)), na_action="ignore")
    standing = standing_alarms(queries)
    mine = set(standing.loc[standing["target"] == target, "zone_id"])
    rows["state"] = ["alarm" if zone in mine else "ok" for zone in rows["zone_id"]]
    rows = rows.assign(_last=rows["zone_id"].isin(citywide))
    order = ["_last", "change", "zone_id"]
    return rows.sort_values(order, ascending=[True, False, True], ignore_index=True)[columns]


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
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["zone_id", "change", "coverage", "n"])
    whole = whole[~whole["zone_id"].isin(NAMES.values())]
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
    jobs = _newest(queries)
    if not jobs:
        return []
    zone = queries.info().timezone
    return [_job(job, zone) for job in jobs]


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
    return any(job.open and job.kind in kinds for job in _newest(queries))
