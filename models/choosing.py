"""Choosing: families, models in use and tasks of all zones, as tables with their reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.schemas import ASSIGNMENT, SCORES, validate
from models.assign import choose_task, reason_in_use
from models.contract import Forecaster
from models.ensemble import EnsembleForecaster
from models.guard import Apparent, Checked, Guard, Verdict, guarded, no_skill, told
from models.panel import Panel
from models.select import InUse, Rule, choose_families, choose_in_use, error_unit, nested_losses
from models.validation import Validation

SCORED_HORIZONS_S = (900, 3600, 86_400)
USUAL = "historical_average"


@dataclass(frozen=True, eq=False)
class TargetChoice:
    """What was chosen for the zones of one target.

    Attributes
    ----------
    families : tuple of str, length Z
        Candidate that is each zone's micromodel.
    macro : str
        Candidate that is the macromodel; empty where there is none.
    mix : EnsembleForecaster or None
        Stack of all candidates, for all zones.
    rows : list of dict
        Rows of the `choices` table.
    guard : list of dict
        Rows of the `guard` table, see `training.Training`; none where the guard was left out.
    """

    families: tuple[str, ...]
    macro: str
    mix: EnsembleForecaster | None
    rows: list[dict[str, object]]
    guard: list[dict[str, object]]


def choose(
    fitted: Mapping[str, Forecaster],
    baselines: Mapping[str, Forecaster],
    by_hand: pd.DataFrame,
    *,
    seen: Mapping[str, Apparent] | None = None,
    guard: bool = True,
    rule: Rule = "both",
    left_out: str = "",
    past: Panel | None = None,
) -> TargetChoice:
    """Choose among the candidates of one target, from their out-of-fold errors.

    Parameters
    ----------
    fitted : mapping of str to Forecaster
        By candidate's name, all of the same zones.
    baselines : mapping of str to Forecaster
        With `historical_average` (a candidate, too) and `seasonal_naive`.
    by_hand : DataFrame
        See `assign.check_overrides`.
    seen : mapping of str to Apparent, or None
        What candidates show on rows that they learned from.
    guard : bool
        Whether a choice must pass the guard (see `models.guard`); one made by hand need not.
    rule : str
        When a simpler family is as good, see `select.choose_families`.
    left_out : str
        Which candidates were given up or left out, and why: joins every reason.
    past : Panel or None
        What the candidates learned from; where given, the mix is corrected (see `correction`).
    """
    first = next(iter(fitted.values()))
    zones, target = first.zone_ids, first.target
    usual, naive = _record(baselines[USUAL]), _record(baselines["seasonal_naive"])
    unit = error_unit(usual)
    micro = {USUAL: usual} | {name: _record(m) for name, m in fitted.items() if m.scope == "zone"}
    city = {name: _record(model) for name, model in fitted.items() if model.scope == "city"}
    ranks = {USUAL: baselines[USUAL].rank} | {name: model.rank for name, model in fitted.items()}
    choices = choose_families(micro, unit, ranks, rule=rule)
    macro = min(city, key=lambda name: pooled_loss(city[name], unit)) if city else ""
    hands = {z: by_hand[(by_hand["zone_id"] == z) & by_hand["target"].isin(["", target])] for z in zones}
    families = tuple(
        next((str(f) for f in hands[z]["family"] if f), choice.family) for z, choice in zip(zones, choices)
    )
    manual = tuple(any(hands[z]["family"] != "") for z in zones)
    watch = Guard(usual, unit) if guard else None
    checks, verdicts = {}, [Verdict(family) for family in families]
    if watch is not None:
        seen = {} if seen is None else seen
        checks = {name: watch.check(record, seen.get(name)) for name, record in micro.items() if name != USUAL}
        order = sorted(micro, key=lambda name: (ranks[name], name))
        verdicts = guarded(families, checks, order, usual=USUAL)
        families = tuple(f if hand else v.family for f, hand, v in zip(families, manual, verdicts))
    members = [*micro, *city]
    mix, point = None, None
    if city:
        models = [fitted.get(name, baselines.get(name)) for name in members]
        mix = EnsembleForecaster.of([m for m in models if m is not None], zones, name="mix", panel=past)
        point = _record(mix).point
    own = joined([micro[family].pick(np.array([z])) for z, family in enumerate(families)])
    used = choose_in_use(own, city[macro] if macro else None, naive, point, unit)
    if watch is not None and city:
        checks["macromodel"] = watch.check(city[macro], (seen or {}).get(macro))
        checks["mix"] = watch.check(usual, point=point)
        used = [_guarded_use(z, use, checks) for z, use in enumerate(used)]
    nested = nested_losses(micro, unit, ranks, rule=rule) if watch is not None else unit[:, 0]
    rows, kept = [], []
    for z, (zone, use) in enumerate(zip(zones, used)):
        hand = hands[zone]
        model = next((str(m) for m in hand["model_in_use"] if m), use.model)
        by_hand_too = manual[z] or bool((hand["model_in_use"] != "").any())
        share = float(mix.weights[: len(micro), z].sum(axis=0).mean()) if mix is not None else 1.0
        weight = {"micromodel": 1.0, "macromodel": 0.0}.get(model, share)
        reason = reason_in_use(use, family=families[z], macro=macro, target=target, weight_micro=share)
        reason = f"{reason}. Family: {choices[z].reason}."
        if verdicts[z].fell_from and not manual[z]:
            reason = f"{reason} {verdicts[z].words}."
        if left_out:
            reason = f"{reason} {left_out}."
        chosen = fitted.get(families[z], baselines.get(families[z]))
        assert chosen is not None
        rows.append(
            {"zone_id": zone, "target": target, "family": families[z], "model_in_use": model, "by_hand": by_hand_too,
             "settings": json.dumps(chosen.settings(), sort_keys=True), "is_task": False,
             "reason": f"Chosen by hand. Otherwise: {reason}" if by_hand_too else reason, "micro_mae": use.micro_mae,
             "macro_mae": use.macro_mae, "naive_mae": use.naive_mae, "mix_mae": use.mix_mae, "weight_micro": weight}
        )  # fmt: skip
        if watch is not None:
            row = _guard_row(z, zone, target, verdicts[z], families[z], use.model, checks, manual[z])
            kept.append({**row, "promised": choices[z].losses[choices[z].family], "nested": float(nested[z])})
    return TargetChoice(families, macro, mix, rows, kept)


def _guarded_use(z: int, use: InUse, checks: Mapping[str, Checked]) -> InUse:
    """The model in use, or the micromodel where the skill of that one is not clear of chance."""
    if use.model == "micromodel" or checks[use.model].clear[z]:
        return use
    why = no_skill(checks[use.model], z)
    return replace(use, model="micromodel", comparison=told(f"the {use.model}", why, "the micromodel"))


def _guard_row(
    z: int, zone: str, target: str, verdict: Verdict, family: str, model: str, checks: Mapping[str, Checked],
    manual: bool,
) -> dict[str, object]:  # fmt: skip
    """A row of the table `guard`: what was chosen, what serves, and the numbers of what was chosen."""
    asked = verdict.fell_from or family
    own = checks.get(asked)
    words = verdict.words or ("the usual value was chosen and needs no leave" if own is None else f"{asked} passed")
    return {
        "zone_id": zone, "target": target, "family": family, "chosen": asked,
        "fell_back": bool(verdict.fell_from) and not manual, "model_in_use": model, "by_hand": manual,
        "skill": 0.0 if own is None else float(own.skill.skill[z]),
        "skill_se": 0.0 if own is None else float(own.skill.se[z]),
        "kept": 1.0 if own is None else float(own.kept[z]),
        "blocks": 0 if own is None else own.skill.blocks, "words": words,
    }  # fmt: skip


def joined(records: list[Validation]) -> Validation:
    """Records of single zones, on the same origins, side by side."""

    def beside(name: str) -> np.ndarray:
        return np.concatenate([getattr(record, name) for record in records], axis=1)

    return replace(
        records[0], usual=beside("usual"), deviation=beside("deviation"), reading=beside("reading"),
        stray=beside("stray"),
    )  # fmt: skip


def pooled_loss(record: Validation, unit: np.ndarray) -> float:
    """Mean absolute error in `unit` over all zones, origins and horizons."""
    return float(np.nanmean(np.abs(record.actual - record.point) / unit))


def with_tasks(choices: pd.DataFrame, past: Panel, by_hand: pd.DataFrame) -> pd.DataFrame:
    """Mark each zone's task, with its reason."""
    tasks: dict[str, tuple[str, str, bool]] = {}
    for zone, rows in choices.groupby("zone_id", sort=False):
        hand = by_hand[(by_hand["zone_id"] == zone) & (by_hand["target"] != "")]
        wanted = [t for t in hand["target"] if t in set(rows["target"])]
        if wanted:
            tasks[str(zone)] = (wanted[0], "Task chosen by hand", True)
        else:
            tasks[str(zone)] = (*choose_task(past, str(zone), tuple(rows["target"])), False)
    task = choices["zone_id"].map(lambda z: tasks[z][0])
    return choices.assign(
        is_task=choices["target"] == task,
        by_hand=choices["by_hand"] | (choices["zone_id"].map(lambda z: tasks[z][2]) & (choices["target"] == task)),
        task_reason=choices["zone_id"].map(lambda z: tasks[z][1]),
    ).sort_values(["zone_id", "target"], ignore_index=True)


def assignment(choices: pd.DataFrame) -> pd.DataFrame:
    """One row a zone: its task, and why."""
    rows = choices[choices["is_task"]].drop(columns="is_task")
    rows = rows.assign(reason=rows["task_reason"] + ". " + rows["reason"])
    return validate(rows.reset_index(drop=True), ASSIGNMENT)


def validation_scores(models: Iterable[tuple[str, Forecaster]], step_s: int, seed: int) -> pd.DataFrame:
    """Out-of-fold MAE by zone and horizon, as a `scores` table, of named models."""
    parts = []
    for name, model in models:
        record = model.validation
        if record is None:
            continue
        wanted = [h for h in SCORED_HORIZONS_S if h % step_s == 0 and h // step_s in model.anchors]
        wanted = wanted or [model.anchors[0] * step_s]
        index = [model.anchors.index(h // step_s) for h in wanted]
        error = np.abs(record.actual - record.point)[:, :, index]
        known = np.isfinite(error).sum(axis=0)
        mean = np.where(known > 0, np.nansum(error, axis=0) / np.maximum(known, 1), np.nan)
        z, k = (axis.ravel() for axis in np.indices(mean.shape))
        table = {
            "model": name, "zone_id": np.asarray(model.zone_ids, dtype=object)[z], "target": model.target,
            "horizon_s": np.asarray(wanted, dtype=float)[k], "metric": "mae", "period": "validation", "seed": seed,
            "value": mean.ravel(), "lower": np.nan, "upper": np.nan, "n": known.ravel().astype(np.int64),
        }  # fmt: skip
        parts.append(pd.DataFrame(table))
    return validate(pd.concat(parts, ignore_index=True), SCORES)


def _record(model: Forecaster) -> Validation:
    if model.validation is None:
        raise ValueError(f"{model!r} carries no validation; it was loaded or refitted, fit it to choose")
    return model.validation
