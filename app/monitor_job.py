"""What a job of kind `monitor` does: the newest readings against their forecasts, as tables that the page shows.

Alarms go into the workspace's book. Where the policy asks for it, a job of kind `retrain` follows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.jobs import Jobs, start_worker
from app.monitoring import alarm_book, monitor_workspace, watched
from app.renewed import renewed_cards
from app.retrain_job import called
from app.retraining import due, note_training, schedule_of
from app.texts import t
from data.errors import InputError, ZonewiseError
from data.store.runs import run_id
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from app.monitoring import Watched
    from models.contract import Forecaster
    from models.panel import Panel

log = logging.getLogger(__name__)
KIND = "monitor"
Key = tuple[str, str]
#: Errors are told an hour ahead, of at most so many days after a model last learned.
HORIZON_S, ERROR_DAYS = 3600, 7
_SERIES_DAYS = 6  # readings and forecasts that are kept for a chart, of zones with an alarm
_KEPT_RUNS = 6
ERRORS = ("zone_id", "target", "version", "horizon_s", "n", "mae", "coverage", "validation_mae", "validation_coverage")
SERIES = ("zone_id", "target", "time", "reading", "median", "low", "high")


def run_job(
    workspace: Workspace, params: dict[str, Any], report: Callable[..., None], cancelled: Callable[[], bool]
) -> str:
    """Watch the readings since training, and store what was found as a run of kind `monitor`.

    Parameters
    ----------
    params : dict
        `retrain`: false leaves the policy out.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    InputError
        As `monitor_workspace`; or if the job was stopped.
    """
    told = workspace.describe()
    training = str(told.get("runs", {}).get("training", ""))
    report(0, 10, t("monitor.job.watching"))
    seen = watched(workspace)
    panel, models = seen.panel, {**seen.serving, **seen.citywide}
    found = monitor_workspace(workspace, seen=seen)
    versions = {key: str(card["version"]) for key, card in renewed_cards(workspace, training).items()}
    spec = {
        "training": training, "since": found.since.isoformat(), "now": found.now.isoformat(),
        "live": told["runs"].get("live"), "renewed": {"/".join(key): version for key, version in versions.items()},
    }  # fmt: skip
    run = run_id(KIND, spec)
    if not workspace.runs.has(run):
        rows = []
        for done, (key, model) in enumerate(models.items()):
            if cancelled():
                raise InputError(t("job.stopped"))
            if done % 10 == 0:
                report(5 + 5 * done / len(models), 10, t("monitor.job.scoring", zone=called(key[0])))
            rows.append({"zone_id": key[0], "target": key[1], **scores(model, panel), **promised(workspace, key)})
        with workspace.runs.write(KIND, spec, parents=(training,)) as writer:
            writer.table("watched_zones", found.zones)
            writer.table("watched_errors", pd.DataFrame(rows, columns=list(ERRORS)))
            writer.table("watched_series", series_of_alarms(seen.serving, panel, found.alarms))
            writer.json("monitor", {"since": found.since.isoformat(), "now": found.now.isoformat(), **found.told()})
    workspace.alter(lambda told: {**told, "runs": {**told.get("runs", {}), KIND: run}})
    _forget(workspace, run)
    if params.get("retrain", True) and follow_policy(workspace, models, found.now) is None:
        refresh_daily(workspace, seen)
    return run


def scores(model: Forecaster, panel: Panel) -> dict[str, Any]:
    """Error of the median and coverage of the 90 % band since the model last learned, an hour ahead or the next step.

    Of a model of several zones, over all of them.

    Returns
    -------
    dict
        `horizon_s`, `n`, `mae` in the target's unit, `coverage`; the last two `nan` where nothing can be scored.
    """
    from models.intervals import QUANTILES

    step = max(1, round(HORIZON_S / panel.step_s))
    out: dict[str, Any] = {"horizon_s": float(step * panel.step_s), "n": 0, "mae": np.nan, "coverage": np.nan}
    first = max(panel.known_by(pd.Timestamp(model.train_end)), len(panel) - ERROR_DAYS * panel.steps_per_day, 1)
    known = np.arange(first - 1, len(panel) - step)
    if not known.size:
        return out
    origins = panel.origins(known)
    try:
        fan = model.forecast(panel, origins=origins, steps=(step,))[:, :, 0]
    except ZonewiseError as error:
        log.warning("no errors of %s in %s: %s", model.target, model.zone_ids, error)
        return out
    actual = panel.values[model.target][known + step][:, panel.columns(model.zone_ids)]
    low, middle, high = (fan[..., QUANTILES.index(q)] for q in (0.05, 0.5, 0.95))
    both = np.isfinite(actual) & np.isfinite(middle)
    if both.any():
        out["n"] = int(both.sum())
        out["mae"] = float(np.abs(actual - middle)[both].mean())
        out["coverage"] = float(((actual >= low) & (actual <= high))[both].mean())
    return out


def promised(workspace: Workspace, key: Key) -> dict[str, Any]:
    """What validation promised of the version in force, an hour ahead: `version`, error and coverage."""
    from models.errors import ModelFileError, RegistryError
    from models.registry import Registry

    try:
        card = Registry(workspace.models).show(*key)
    except (RegistryError, ModelFileError):
        return {"version": "", "validation_mae": np.nan, "validation_coverage": np.nan}

    def at_hour(rows: Any, name: str) -> float:
        found = [r[name] for r in rows or [] if r["horizon_s"] == HORIZON_S and r.get(name) is not None]
        return float(found[0]) if found else np.nan

    held = (card.get("intervals") or {}).get("measured")
    return {
        "version": str(card["version"]), "validation_mae": at_hour(card.get("validation"), "mae"),
        "validation_coverage": at_hour(held, "coverage"),
    }  # fmt: skip


def series_of_alarms(models: Mapping[Key, Forecaster], panel: Panel, alarms: pd.DataFrame) -> pd.DataFrame:
    """Readings and forecasts of the next interval over the last days, where an alarm stands open."""
    from models.intervals import QUANTILES

    parts = []
    keys = alarms.loc[alarms["state"] != "closed", ["zone_id", "target"]].drop_duplicates()
    first = max(1, len(panel) - _SERIES_DAYS * panel.steps_per_day)
    for zone, target in keys.itertuples(index=False):
        if (zone, target) not in models:
            continue
        known = np.arange(first - 1, len(panel) - 1)
        fan = models[zone, target].forecast(panel, origins=panel.origins(known), steps=(1,))[:, 0, 0]
        told = {name: fan[:, QUANTILES.index(q)] for name, q in (("median", 0.5), ("low", 0.05), ("high", 0.95))}
        reading = panel.values[target][known + 1, panel.columns([zone])[0]]
        parts.append(
            pd.DataFrame(
                {"zone_id": zone, "target": target, "time": panel.times[known + 1], "reading": reading, **told}
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(SERIES))


def follow_policy(workspace: Workspace, models: Mapping[Key, Forecaster], now: pd.Timestamp) -> str | None:
    """Start a job `retrain` where the policy asks for it and none is open; its id."""
    jobs = Jobs(workspace.jobs_path)
    if any(job.open and job.kind == "retrain" for job in jobs.list()):
        return None
    schedule = schedule_of(workspace)
    trained = min(pd.Timestamp(model.full_end) for model in models.values())
    keys, alarms = due(schedule, alarm_book(workspace).table(), models, now=now, trained=trained)
    if not keys:
        return None
    why = t("retrain.why.drift") if alarms else t("retrain.why.fixed", n=schedule.every_days)
    job = jobs.add("retrain", {"keys": [list(key) for key in keys], "by": t("retrain.by.policy"), "why": why})
    note_training(workspace, now, alarms)
    start_worker(workspace.root, job)
    return job


def refresh_daily(workspace: Workspace, seen: Watched) -> None:
    """Add a day of readings, or more, to the models that keep their moments; what stands in the way is logged."""
    from app.refreshing import refresh_models

    try:
        refresh_models(workspace, seen, by=t("retrain.by.policy"))
    except ZonewiseError as error:
        log.warning("models were not refreshed: %s", error)


def _forget(workspace: Workspace, run: str) -> None:
    """Remove what was found earlier, but for the last few."""
    old = [m for m in workspace.runs.list(KIND) if m["id"] != run]
    for manifest in old[: max(0, len(old) - _KEPT_RUNS)]:
        workspace.runs.remove(str(manifest["id"]))
