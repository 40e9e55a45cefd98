"""Model cards: what a stored model was made from, how well it did on data left out, and what it is not fit for.

A card is a mapping of JSON values; the registry adds the version, sizes, lineage and digests. Whoever reads it needs no
project: numbers carry their unit in the name or beside them, and limits are sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from data.units import DISPLAY
from models.contract import Forecaster
from models.explain import plain_label
from models.intervals import QUANTILES, ConformalIntervals
from models.panel import Panel
from models.promotion import LEAST_SKILL
from models.registry_files import CARD_FORMAT
from models.scale import from_scale
from models.validation import Validation

TOLD_HORIZONS_S = (900, 3600, 21_600, 86_400)
NOMINAL = 0.9
_OFF = 0.05  # coverage further than this from the nominal one is a limit (assumed)
_FEW_WEEKS_DAYS, _YEAR_DAYS = 14.0, 330.0


def describe(
    model: Forecaster,
    *,
    panel: Panel | None = None,
    judged: Forecaster | None = None,
    code_version: Mapping[str, str] | str = "",
    source: str = "",
    lineage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A card's sections.

    Parameters
    ----------
    model : Forecaster
        What is stored.
    panel : Panel or None
        What it learned from; None leaves the data window out.
    judged : Forecaster or None
        The same with its out-of-fold record, where `model` was learned again and has none.
    code_version : mapping or str
        Digests of the code.
    source : str
        Where readings come from, in words, e.g. "simulated".
    lineage : mapping or None
        `training_run`, `teacher` (what it was distilled from), `transferred_from` and the like.

    Returns
    -------
    dict
        `format`, `task`, `data`, `features`, `seed`, `code_version`, `horizons_s`, `quantiles`, `validation`,
        `intervals`, `limits`, `lineage`.
    """
    record = (judged or model).validation if (judged or model).validation is not None else model.validation
    unit, factor, _, name = DISPLAY.get(model.target, ("", 1.0, 2, model.target))
    names = _features(model)
    data = {} if panel is None else _data(model, panel, source)
    card: dict[str, Any] = {
        "format": CARD_FORMAT,
        "task": {
            "quantity": name, "column": model.target, "zones": list(model.zone_ids), "step_s": model.step_s,
            "shown_unit": unit, "shown_factor": factor,
        },
        "data": data, "seed": model.seed, "code_version": code_version, "quantiles": list(QUANTILES),
        "horizons_s": [step * model.step_s for step in model.anchors], "lineage": dict(lineage or {}),
        "features": [
            {"name": n, "label": plain_label(n, step_s=model.step_s, target=model.target)} for n in names
        ],
        "validation": [] if record is None else _validation(model, record),
        "intervals": {} if record is None else _intervals(model, record),
    }  # fmt: skip
    return {**card, "limits": limits(model, card)}


def limits(model: Forecaster, card: Mapping[str, Any]) -> list[str]:
    """What a model is not fit for, in sentences, from the figures of its card."""
    unit, factor, digits, name = DISPLAY.get(model.target, ("", 1.0, 2, model.target))
    hours = max(model.anchors) * model.step_s / 3600
    out = [f"Forecasts up to {hours:g} h ahead, in steps of {model.step_s / 60:g} min; no further."]
    data = card.get("data") or {}
    if data.get("source") == "simulated":
        out.append("Learned from simulated readings: in the streets themselves nothing is proven.")
    days = data.get("days")
    if days is not None:
        if days < _FEW_WEEKS_DAYS:
            out.append(f"Learned from {days:.0f} days: it has seen no weekday more than twice.")
        elif days < _YEAR_DAYS:
            out.append(f"Learned from {days:.0f} days: of other seasons, holidays and roadworks it knows nothing.")
        if data.get("lowest") is not None:
            low, high = (f"{factor * data[key]:.{digits}f}" for key in ("lowest", "highest"))
            out.append(f"Has met {name} from {low} to {high} {unit}; beyond that it is on its own.".replace("  ", " "))
        if data["share_missing"] > 0.1:
            out.append(f"{100 * data['share_missing']:.0f} % of the readings it learned from were missing.")
    needed = [zone for zone in getattr(getattr(model, "featuriser", None), "needed", ()) if zone not in model.zone_ids]
    if needed:
        out.append(f"Reads the sensors of {len(needed)} other zone(s) too ({', '.join(needed[:6])}).")
    poor = [v for v in card.get("validation") or [] if v["skill"] is not None and v["skill"] < LEAST_SKILL]
    if poor:
        ahead = ", ".join(f"{v['horizon_s'] / 3600:g}" for v in poor)
        out.append(f"No better than the usual value for the time of day at {ahead} h ahead.")
    for row in (card.get("intervals") or {}).get("measured", []):
        if row["coverage"] is not None and abs(row["coverage"] - NOMINAL) > _OFF:
            wide = "too narrow" if row["coverage"] < NOMINAL else "too wide"
            out.append(
                f"Its {100 * NOMINAL:.0f} % intervals held {100 * row['coverage']:.0f} % of the readings at"
                f" {row['horizon_s'] / 3600:g} h ahead: {wide}."
            )
    if not card.get("validation"):
        out.append("No out-of-fold record is at hand: how well it does has to be measured.")
    return out


def _features(model: Forecaster) -> tuple[str, ...]:
    featuriser = getattr(model, "featuriser", None)
    return () if featuriser is None else tuple(featuriser.layout(model.anchors).names)


def _data(model: Forecaster, panel: Panel, source: str) -> dict[str, Any]:
    """The readings up to the model's `train_end`."""
    end = panel.known_by(pd.Timestamp(model.train_end))
    zones = [zone for zone in model.zone_ids if zone in panel.zone_ids]
    values = (
        panel.values[model.target][:end, panel.columns(zones)] if model.target in panel.values else np.empty((0, 0))
    )
    known = np.isfinite(values)
    some = bool(known.any())
    return {
        "source": source, "begins": panel.times[0].isoformat(), "ends": model.train_end,
        "days": end / panel.steps_per_day, "readings": int(known.sum()),
        "share_missing": float(1 - known.mean()) if known.size else 1.0, "timezone": str(panel.timezone),
        "lowest": float(values[known].min()) if some else None, "highest": float(values[known].max()) if some else None,
    }  # fmt: skip


def _told(model: Forecaster) -> list[tuple[int, int]]:
    """(place of the anchor, seconds) of the horizons that a card tells of."""
    seconds = [step * model.step_s for step in model.anchors]
    return [(seconds.index(h), h) for h in TOLD_HORIZONS_S if h in seconds]


def _validation(model: Forecaster, record: Validation) -> list[dict[str, Any]]:
    """Out-of-fold errors by horizon beside those of the usual value, over all the model's zones."""
    usual = from_scale(record.target, record.usual)
    rows = []
    for place, horizon_s in _told(model):
        actual = record.actual[:, :, place]
        own, other = (np.abs(actual - forecast[:, :, place]) for forecast in (record.point, usual))
        both = np.isfinite(own) & np.isfinite(other)
        if not both.any():
            continue
        mae, usual_mae = float(own[both].mean()), float(other[both].mean())
        rows.append(
            {"horizon_s": horizon_s, "mae": mae, "rmse": float(np.sqrt((own[both] ** 2).mean())),
             "usual_mae": usual_mae, "skill": 1 - mae / usual_mae if usual_mae > 0 else None, "n": int(both.sum()),
             "days": int(np.unique(record.day).size)}
        )  # fmt: skip
    return rows


def _intervals(model: Forecaster, record: Validation) -> dict[str, Any]:
    """Coverage of 90 % intervals calibrated on the first fold and measured on the later ones."""
    folds = np.unique(record.fold)
    how = "calibrated on the first fold, measured on the later"
    told: dict[str, Any] = {"nominal": NOMINAL, "how": how, "measured": []}
    if folds.size < 2:
        return told
    first = record.fold == folds[0]
    offsets = ConformalIntervals.fit(record.scores[first]).offsets
    low, high = QUANTILES.index(0.05), QUANTILES.index(0.95)
    scores, stray, level = record.scores[~first], record.stray[~first], record.level[~first]
    for place, horizon_s in _told(model):
        own = scores[:, :, place]
        known = np.isfinite(own)
        inside = (own >= offsets[:, place, low]) & (own <= offsets[:, place, high])
        edges = [
            from_scale(record.target, level[:, :, place] + offsets[:, place, k] * stray[:, :, place])
            for k in (low, high)
        ]
        told["measured"].append(
            {"horizon_s": horizon_s, "coverage": float(inside[known].mean()) if known.any() else None,
             "mean_width": float(np.mean(edges[1] - edges[0])), "n": int(known.sum())}
        )  # fmt: skip
    return told
