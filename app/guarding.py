"""Forecasts from a workspace's present instant, made from readings that a defence has looked at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.errors import InputError
from data.schemas import TARGETS
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel
    from models.robustness import Cleaned, Defence


def present_guarded(
    workspace: Workspace,
    *,
    run: str | None = None,
    zone: str | None = None,
    target: str | None = None,
    horizon_s: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quantiles of the model in use at one horizon, from cleaned readings, and what was changed in them.

    Returns
    -------
    forecasts : DataFrame
        As `app.forecasting.present_forecasts`, and `believed`: whether a reading of the zone's own sensor of the last
        hours was; where not, the interval is widened.
    log : DataFrame
        `models.robustness.LOG_COLUMNS`: readings of the last three days that were changed, and why; local times.

    Raises
    ------
    InputError
        If the workspace has no forecasts yet, or zone, target or horizon is not among them.
    """
    from app.monitoring import watched_panel
    from app.pipeline import LIVE_MODELS
    from app.renewed import serving_models
    from models.robustness import Defence
    from models.robustness.defence import LOOK_BACK_DAYS

    told = workspace.describe()
    runs = told.get("runs", {})
    if "live" not in runs:
        raise InputError(f"workspace '{workspace.name}' has no forecasts yet; 'zonewise demo' makes them")
    models = serving_models(workspace, str(runs["training"]), LIVE_MODELS)
    panel = watched_panel(workspace, run or runs["live"])
    choices = _wanted(workspace.runs.read(runs["training"], "choices"), zone, target)
    now = int(panel.known(pd.Timestamp(told["now"]))[0])
    trained = max(pd.Timestamp(model.train_end) for model in models.values())
    defence = Defence.fit(panel, sorted(set(choices["target"])), train_end=trained)
    start = max(0, now + 1 - int(LOOK_BACK_DAYS * panel.steps_per_day))
    cleaned = defence.clean(panel, start=start, end=now + 1)
    names = workspace.runs.read(runs["city"], "zones").set_index("zone_id")["name"]
    begin = pd.Timestamp(told["now"]) + pd.Timedelta(seconds=horizon_s - told["step_s"])
    rows = []
    for choice in choices.itertuples():
        value, believed = _quantiles(models, choice, panel, defence, cleaned, now, horizon_s)
        rows.append(
            {
                "zone_id": choice.zone_id, "zone": names[choice.zone_id], "target": choice.target,
                "model": choice.model_in_use, "time": begin.tz_convert(told["timezone"]).isoformat(),
                "q05": value[0], "q50": value[1], "q95": value[2], "believed": believed,
            }
        )  # fmt: skip
    order = {name: k for k, name in enumerate(TARGETS)}
    table = pd.DataFrame(rows).sort_values(
        ["zone_id", "target"], key=lambda c: c.map(order) if c.name == "target" else c, ignore_index=True
    )
    log = cleaned.log.merge(choices[["zone_id", "target"]].astype(str), on=["zone_id", "target"])
    for column in ("since", "until"):
        log[column] = pd.to_datetime(log[column], utc=True).dt.tz_convert(told["timezone"])
    return table, log


def _wanted(choices: pd.DataFrame, zone: str | None, target: str | None) -> pd.DataFrame:
    for column, name in (("zone_id", zone), ("target", target)):
        if name is not None and name not in set(choices[column]):
            raise InputError(f"no {column} '{name}' in the workspace; there are {sorted(set(choices[column]))}")
    if zone is not None:
        choices = choices[choices["zone_id"] == zone]
    return choices[choices["is_task"]] if target is None else choices[choices["target"] == target]


def _quantiles(
    models: Mapping[tuple[str, ...], Forecaster], choice: object, panel: Panel, defence: Defence, cleaned: Cleaned,
    now: int, horizon_s: float,
) -> tuple[np.ndarray, bool]:  # fmt: skip
    """Quantiles 0.05, 0.5, 0.95 of the model in use, and whether the zone's own sensor is believed."""
    from models.intervals import QUANTILES
    from models.robustness import Fallback
    from models.robustness.guarded import blind_zones

    zone, target, name = str(choice.zone_id), str(choice.target), str(choice.model_in_use)  # type: ignore[attr-defined]
    parts = _parts(models, zone, target, name, float(getattr(choice, "weight_micro", 0.5)))
    origins = pd.DatetimeIndex([panel.origin(now)])
    blind = blind_zones(cleaned, target, np.array([now]), panel.columns([zone]))
    total = np.zeros(len(QUANTILES))
    for model, share in parts:
        step = round(horizon_s / panel.step_s)
        if step not in model.anchors or step * panel.step_s != horizon_s:
            there = [k * panel.step_s for k in model.anchors]
            raise InputError(f"--horizon {horizon_s:g} s is not forecast; there are {there}")
        fan = model.forecast(cleaned.panel, origins=origins, zone_ids=(zone,), steps=(step,))
        if blind.any():
            fan = Fallback.fit(model, panel, defence).widened(model, fan, (step,), blind)
        total += share * fan[0, 0, 0]
    at = [QUANTILES.index(q) for q in (0.05, 0.5, 0.95)]
    return total[at], not bool(blind.any())


def _parts(
    models: Mapping[tuple[str, ...], Forecaster], zone: str, target: str, name: str, weight: float
) -> list[tuple[Forecaster, float]]:
    """Models whose forecasts add up to the one in use, with their shares."""
    own, city = models.get(("micromodel", zone, target)), models.get(("macromodel", target))
    key = ("micromodel", zone, target) if name == "micromodel" else (name, target)
    if key in models and zone in models[key].zone_ids:
        return [(models[key], 1.0)]
    if own is not None and city is not None:
        return [(own, weight), (city, 1.0 - weight)]
    raise InputError(f"no stored model '{name}' for zone {zone} and {target}; 'zonewise train' makes it")
