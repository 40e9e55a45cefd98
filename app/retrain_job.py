"""What a job of kind `retrain` does: models learn again, and serve where they err no more than before.

Micromodels, macromodels and mixes alike, those that serve now.

The recipe (family and settings) stays. The last days are left out, the newer model and the one in force are compared on
them by the registry's rule (see `models.succession`), and what is stored has learned from all readings. Where an alarm
says that the world has changed, and long enough ago, only what came since is learned from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.code_version import code_version
from app.model_saving import place_of
from app.monitoring import alarm_book, watched
from app.renewed import NAMES
from app.texts import t
from data.errors import InputError, ZonewiseError
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel

log = logging.getLogger(__name__)
Key = tuple[str, str]
#: Days left out to compare on: this share of all, within these bounds (as a training's test days).
LEFT_OUT_SHARE, LEFT_OUT_DAYS = 0.2, (2, 7)
_KEPT_FIELDS = ("is_task", "task_reason", "model_in_use", "reason", "weight_micro", "by_hand", "settings", "guard")


def run_job(
    workspace: Workspace, params: dict[str, Any], report: Callable[..., None], cancelled: Callable[[], bool]
) -> str:
    """Train models again.

    Parameters
    ----------
    params : dict
        `keys`, a list of (zone, target), all where it is missing or empty, citywide models by their names in the
        registry; `zone`, all targets of it; `by` and `why` for the log.

    Returns
    -------
    str
        How many were promoted and kept, in words.

    Raises
    ------
    InputError
        If there is no such model, or no readings to learn from; or where none could be trained, why.
    """
    from models.registry import Registry
    from models.succession import succeed

    told = workspace.describe()
    training = str(told.get("runs", {}).get("training", ""))
    report(0, 1, t("retrain.reading"))
    seen = watched(workspace)
    models, panel = {**seen.serving, **seen.citywide}, seen.panel
    wanted = chosen(models, params)
    cut = left_out_from(panel)
    registry = Registry(workspace.models, by=str(params.get("by") or "retraining"))
    book = alarm_book(workspace)
    changed = changes(book.table(), panel, cut)
    place, counts, faults = place_of(panel), {"promoted": 0, "kept": 0}, []
    by_target: dict[str, list[Key]] = {}
    for key in wanted:
        by_target.setdefault(key[1], []).append(key)
    done = 0
    for target, keys in by_target.items():
        stored, judged, cards = {}, {}, {}
        for key in keys:
            if cancelled():
                raise InputError(t("retrain.stopped", n=counts["promoted"]))
            report(done, len(wanted), t("retrain.learning", zone=called(key[0])))
            try:
                stored[key], judged[key], since = learned(models[key], panel, cut, changed.get(key))
            except ZonewiseError as error:
                faults.append(f"{key[0]} {target}: {error}")
            else:
                cards[key] = card(registry, key, stored[key], judged[key], panel, cut, since) | {
                    "renews": training, "retrained_why": str(params.get("why") or ""),
                }  # fmt: skip
            done += 1
        if not stored:
            continue
        report(done, len(wanted), t("retrain.judging"))
        made, decisions = succeed(
            registry, stored, panel, left_out_from=panel.times[cut], judged=judged, cards=cards, place=place
        )
        served = {key: made[key] for key, decision in decisions.items() if decision.promote}
        counts["promoted"] += len(served)
        counts["kept"] += len(made) - len(served)
        close_alarms(book, served, panel.origin(len(panel) - 1))
    if faults and not sum(counts.values()):
        raise InputError("; ".join(faults[:5]))
    for fault in faults:
        log.warning("not trained again: %s", fault)
    return t("retrain.result", promoted=counts["promoted"], kept=counts["kept"], failed=len(faults))


def chosen(models: Iterable[Key], params: dict[str, Any]) -> list[Key]:
    """The models that a job is about, all faults named at once."""
    known = set(models)
    keys = [(str(zone), str(target)) for zone, target in params.get("keys") or ()]
    if zone := params.get("zone"):
        keys += [key for key in known if key[0] == zone]
        if not any(key[0] == zone for key in keys):
            raise InputError(f"zone '{zone}' has no micromodel to train again")
    strange = [f"{zone} {target}" for zone, target in keys if (zone, target) not in known]
    if strange:
        raise InputError(f"no micromodel to train again: {', '.join(strange)}")
    return sorted(set(keys or known))


def called(zone: str) -> str:
    """A zone's id, or what a citywide model is called."""
    kinds = {name: kind for kind, name in NAMES.items()}
    return t(f"monitor.errors.{kinds[zone]}") if zone in kinds else zone


def left_out_from(panel: Panel) -> int:
    """First position of the days left out."""
    days = len(panel) / panel.steps_per_day
    return len(panel) - int(np.clip(round(LEFT_OUT_SHARE * days), *LEFT_OUT_DAYS)) * panel.steps_per_day


def changes(alarms: pd.DataFrame, panel: Panel, cut: int) -> dict[Key, int]:
    """Position since which a zone's world is another, where that leaves enough to learn from before `cut`."""
    from models.contract import MIN_DAYS
    from models.monitoring.settings import WORLD_KINDS

    found = {}
    for alarm in alarms[(alarms["state"] != "closed") & alarms["kind"].isin(WORLD_KINDS)].itertuples():
        at = panel.known_by(alarm.since)
        if cut - at >= MIN_DAYS * panel.steps_per_day:
            found[str(alarm.zone_id), str(alarm.target)] = at
    return found


def learned(
    model: Forecaster, panel: Panel, cut: int, since: int | None
) -> tuple[Forecaster, Forecaster, pd.Timestamp]:
    """The model learned again from all readings, the same without the days left out, and the first reading learned."""
    first = since or 0
    part = panel if not first else panel.during(first, len(panel))
    before = model.refit(part.until(cut - first), train_end=panel.origin(cut - 1))
    return model.refit(part, train_end=panel.origin(len(panel) - 1)), before, panel.times[first]


def card(
    registry: Any, key: Key, model: Forecaster, judged: Forecaster, panel: Panel, cut: int, since: pd.Timestamp
) -> dict[str, Any]:
    """Card of a model that was trained again: what it was chosen for stays, errors are those of the days left out."""
    from models.cards import describe, limits
    from models.errors import ModelFileError, RegistryError

    try:
        old = registry.show(*key)
    except (RegistryError, ModelFileError):
        old = {}
    lineage = {"learned_again_from": judged.train_end, "learned_since": since.isoformat()}
    told = describe(
        model, panel=panel, judged=judged, code_version=code_version()["models"],
        source=str((old.get("data") or {}).get("source", "")), lineage=lineage,
    )  # fmt: skip
    rows, held = left_out_scores(judged, panel, cut)
    told |= {
        "validation": rows,
        "intervals": {"nominal": 0.9, "how": "kept, and measured on the days left out", "measured": held},
    }
    return {**{name: old[name] for name in _KEPT_FIELDS if name in old}, **told, "limits": limits(model, told)}


def left_out_scores(model: Forecaster, panel: Panel, cut: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Errors and coverage by horizon on the days left out, as cards tell them, in the target's unit."""
    from models.cards import TOLD_HORIZONS_S
    from models.horizons import followed
    from models.intervals import QUANTILES
    from models.scale import from_scale

    seconds = {step * panel.step_s: step for step in model.anchors}
    told = [(h, seconds[h]) for h in TOLD_HORIZONS_S if h in seconds]
    known = np.arange(cut - 1, len(panel) - 1)
    if not told or not known.size or model.profile is None:
        return [], []
    steps = [step for _, step in told]
    origins = panel.origins(known)
    aim = known[:, None] + np.asarray(steps)
    forecast = model.forecast(panel, origins=origins, steps=steps)
    actual = followed(panel.values[model.target][:, panel.columns(model.zone_ids)], aim)
    usual = from_scale(
        model.target, model.profile.usual(panel.calendar, known[:, None] + np.asarray(steps)).transpose(0, 2, 1)
    )
    low, middle, high = (QUANTILES.index(q) for q in (0.05, 0.5, 0.95))
    rows, held = [], []
    for place, (horizon_s, _) in enumerate(told):
        own, other = (np.abs(actual[:, :, place] - level[:, :, place]) for level in (forecast[..., middle], usual))
        both = np.isfinite(own) & np.isfinite(other)
        if not both.any():
            continue
        mae, usual_mae = float(own[both].mean()), float(other[both].mean())
        rows.append(
            {"horizon_s": horizon_s, "mae": mae, "rmse": float(np.sqrt((own[both] ** 2).mean())),
             "usual_mae": usual_mae, "skill": 1 - mae / usual_mae if usual_mae > 0 else None, "n": int(both.sum()),
             "days": int(np.unique(panel.calendar.day[known]).size)}
        )  # fmt: skip
        inside = (actual[:, :, place] >= forecast[:, :, place, low]) & (
            actual[:, :, place] <= forecast[:, :, place, high]
        )
        width = float(np.mean((forecast[:, :, place, high] - forecast[:, :, place, low])[both]))
        held.append(
            {"horizon_s": horizon_s, "coverage": float(inside[both].mean()), "mean_width": width, "n": int(both.sum())}
        )
    return rows, held


def close_alarms(book: Any, served: dict[Key, str], at: pd.Timestamp) -> int:
    """End the alarms of a changed world in zones where a newer model serves now; returns how many."""
    from models.monitoring.settings import WORLD_KINDS

    ended = [
        alarm.ended(at, t("retrain.closed", version=served[alarm.zone_id, alarm.target]))
        for alarm in book.alarms()
        if alarm.state != "closed" and alarm.kind in WORLD_KINDS and (alarm.zone_id, alarm.target) in served
    ]
    book.enter(ended)
    return len(ended)
