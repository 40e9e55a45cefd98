"""Refreshing a workspace's models: new readings added to those that keep their moments, as new versions in force.

Nothing is compared before a refreshed version serves, unlike after a retraining (see `retrain_job`): it is the line in
force with some days more among its rows. Where that is not so plain it is left to a retraining: a zone with an open
alarm, or readings that began to differ. Whoever is pinned stays, and `zonewise models rollback` undoes a refresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from app.monitoring import Watched, alarm_book, watched
from data.errors import ZonewiseError
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.registry import Registry

COLUMNS = ("zone_id", "target", "state", "days", "reason")
Key = tuple[str, str]


def refresh_models(
    workspace: Workspace, seen: Watched | None = None, *, least_days: float = 1.0, by: str = ""
) -> pd.DataFrame:
    """Refresh what can be refreshed.

    Parameters
    ----------
    workspace : Workspace
    seen : Watched or None
        Models that serve and readings, where they have been read already.
    least_days : float
        Of new readings, below which a model stays as it is.
    by : str
        Who, for the log.

    Returns
    -------
    DataFrame
        A row each model that serves: `zone_id`, `target`, `state` ("refreshed" or "kept"), `days` of readings that are
        new to it, `reason`.

    Raises
    ------
    InputError
        If there are no models.
    """
    from models.refreshing import FULL_DAYS
    from models.registry import Registry

    seen = watched(workspace) if seen is None else seen
    panel, models = seen.panel, {**seen.serving, **seen.citywide}
    training = str(workspace.describe()["runs"]["training"])
    registry = Registry(workspace.models, by=by)
    alarms = alarm_book(workspace).table()
    open_ = alarms[alarms["state"] != "closed"]
    alarmed = set(zip(open_["zone_id"].astype(str), open_["target"].astype(str)))
    end = panel.origin(len(panel) - 1)
    rows: list[dict[str, Any]] = []
    made: dict[Key, Forecaster] = {}
    cards: dict[Key, dict[str, Any]] = {}
    why: dict[Key, str] = {}
    for key, model in sorted(models.items()):
        days = max(0.0, (end - pd.Timestamp(model.train_end)) / pd.Timedelta(days=1))
        state, reason = "kept", _kept(registry, key, model, days, least_days, key in alarmed)
        if not reason:
            try:
                made[key] = model.refresh(panel, train_end=end)
            except ZonewiseError as error:
                reason = str(error)
            else:
                state, age = "refreshed", (end - pd.Timestamp(model.full_end)) / pd.Timedelta(days=1)
                reason = f"{days:.1f} days of readings added"
                if age > FULL_DAYS:
                    reason += f"; its usual day is {age:.0f} days old: train again"
                cards[key] = _card(registry, key, model, training, end)
                why[key] = reason
        rows.append({"zone_id": key[0], "target": key[1], "state": state, "days": round(days, 2), "reason": reason})
    if made:
        registry.save_many(made, cards, why=why)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _kept(registry: Registry, key: Key, model: Forecaster, days: float, least_days: float, alarmed: bool) -> str:
    """Why a model is not refreshed; empty where nothing stands in the way."""
    from models.errors import ModelFileError, RegistryError

    if not model.can_refresh:
        return "keeps nothing to add readings to (trained without --refreshable, or not by lines)"
    if days <= 0 or days < least_days:
        return f"{days:.1f} days are new to it"
    if alarmed:
        return "an alarm is open: look at it, then train again"
    try:
        pin = registry.standing(*key).pin
    except (RegistryError, ModelFileError) as error:
        return f"not in the registry: {error}"
    return f"pinned by {pin.get('by') or 'somebody'}" if pin else ""


def _card(registry: Registry, key: Key, model: Forecaster, training: str, end: pd.Timestamp) -> dict[str, Any]:
    """The card of the version before, with what was added: errors told are still those of the last full fit."""
    old = dict(registry.show(*key))
    lineage = {**(old.get("lineage") or {}), "refreshed_from": old.get("version"), "full_fit_until": model.full_end}
    decision = {"promoted": True, "reason": f"refreshed from {old.get('version')}: the same line, with new readings"}
    data = {**(old.get("data") or {}), "refreshed_until": end.isoformat()}
    return {**old, "renews": training, "lineage": lineage, "decision": decision, "data": data}
