"""Training: every zone's micromodels, the macromodels and the baselines, chosen and assigned in one call.

`train` fits all families of every zone and target, chooses by out-of-fold errors inside the training part, and
returns one `Training`; `refit` learns the chosen ones again from more data, for live use.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from data.schemas import ASSIGNMENT, CHOICES, SCORES, TARGETS, validate
from models.assign import InUse, check_overrides, choose_in_use, choose_task
from models.baselines import BASELINES, HistoricalAverage
from models.contract import Forecaster
from models.design import Workbench
from models.errors import NoDataError, ShortHistoryError
from models.families.boosting import BoostedForecaster
from models.families.linear import RidgeForecaster
from models.families.tree import TreeForecaster
from models.horizons import anchor_steps, horizon_steps
from models.macro import MacroForecaster
from models.mix import MixForecaster
from models.panel import Panel
from models.select import choose_family

Progress = Callable[[int, int, str], None]

#: Families that compete for each zone, besides the historical average.
FAMILIES: tuple[type[Forecaster], ...] = (RidgeForecaster, TreeForecaster, BoostedForecaster)
SCORED_HORIZONS_S = (900, 3600, 86_400)


@dataclass(frozen=True, eq=False)
class Training:
    """What a training run made.

    Attributes
    ----------
    choices : DataFrame
        Table `choices`, with `micro_mae, macro_mae, naive_mae, mix_mae, weight_micro` (out-of-fold means over the
        anchors, in the target's unit) and `task_reason`.
    assignment : DataFrame
        Table `assignment`: one task a zone.
    micromodels : dict of (zone_id, target) to Forecaster
        The chosen family.
    candidates : dict of (zone_id, target, family) to Forecaster
        Every family that competed.
    macromodels : dict of target to Forecaster
    mixes : dict of (zone_id, target) to MixForecaster
        Mixes with the learned weight, for every zone that has both parts.
    baselines : dict of (family, target) to Forecaster
        Each on all zones that sense the target.
    scores : DataFrame
        Table `scores` of the out-of-fold errors, period "validation".
    seconds : dict
        Fit time by (model, target, zone_id), s; macromodels under zone "".
    """

    choices: pd.DataFrame
    assignment: pd.DataFrame
    micromodels: dict[tuple[str, str], Forecaster]
    candidates: dict[tuple[str, str, str], Forecaster]
    macromodels: dict[str, Forecaster]
    mixes: dict[tuple[str, str], MixForecaster]
    baselines: dict[tuple[str, str], Forecaster]
    scores: pd.DataFrame
    seconds: dict[tuple[str, str, str], float]
    train_end: pd.Timestamp
    test_from: pd.Timestamp
    seed: int
    wall_s: float = field(default=0.0)

    def in_use(self, zone_id: str, target: str) -> Forecaster:
        """The model that serves a zone and target: micromodel, macromodel or mix, as chosen."""
        row = self.choices[(self.choices["zone_id"] == zone_id) & (self.choices["target"] == target)]
        if row.empty:
            raise NoDataError(f"no model of '{target}' in zone '{zone_id}': it is not sensed there")
        kind = str(row["model_in_use"].iloc[0])
        if kind == "macromodel":
            return self.macromodels[target]
        return self.mixes[zone_id, target] if kind == "mix" else self.micromodels[zone_id, target]


def train(
    panel: Panel,
    *,
    targets: Sequence[str] = TARGETS,
    train_end: pd.Timestamp,
    test_from: pd.Timestamp | None = None,
    calibrate_from: pd.Timestamp | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    overrides: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> Training:
    """Fit, choose and assign; nothing at or after `train_end` is read.

    Parameters
    ----------
    panel : Panel
    targets : sequence of str
        Those that no zone senses are passed over.
    train_end : Timestamp
        UTC; end of the training part, of which the second half (from `calibrate_from`) validates and calibrates.
    test_from : Timestamp or None
        Start of the test part, at or after `train_end`; kept for the record.
    seed : int
    n_jobs : int
        Processes; 1 stays in this one.
    overrides : DataFrame or None
        By hand: `zone_id` and any of `target` (with no `family` and `model_in_use`: the zone's task), `family`,
        `model_in_use`.
    progress : callable or None
        Called with (done, total, message).

    Returns
    -------
    Training

    Raises
    ------
    ShortHistoryError, NoDataError, AssignmentError
    """
    started = time.perf_counter()
    test_from = train_end if test_from is None else test_from
    if test_from < train_end:
        raise ShortHistoryError(
            f"test_from {test_from} lies before train_end {train_end}: the test would be trained on"
        )
    by_hand = check_overrides(overrides, panel, (HistoricalAverage.family, *(f.family for f in FAMILIES)))
    past = panel.until(max(0, min(int(panel.known(train_end)[0]) + 1, len(panel))))
    sensed = {target: _learnable(past, target) for target in targets}
    sensed = {target: zones for target, zones in sensed.items() if zones}
    if not sensed:
        raise NoDataError(f"no zone senses any of {list(targets)} before {train_end}")
    when = {"train_end": train_end, "calibrate_from": calibrate_from}
    jobs = _jobs(sensed, n_jobs)
    fitted: dict[tuple[str, str, str], Forecaster] = {}
    seconds: dict[tuple[str, str, str], float] = {}
    macromodels: dict[str, Forecaster] = {}
    for found in _run(jobs, past, sensed, when, seed, n_jobs, progress):
        for (zone, target, family), (model, taken) in found.items():
            seconds[family, target, zone] = taken
            if zone:
                fitted[zone, target, family] = model
            else:
                macromodels[target] = model
    baselines = _baselines(past, sensed, when, seed, seconds)
    rows, micromodels, mixes = [], {}, {}
    for target, zones in sensed.items():
        for zone in zones:
            candidates = {f.family: fitted[zone, target, f.family] for f in FAMILIES}
            usual = _for_zone(baselines["historical_average", target], zone)
            choice = choose_family({"historical_average": usual, **candidates}, reference=usual)
            hand = by_hand[(by_hand["zone_id"] == zone) & by_hand["target"].isin(["", target])]
            family = next((str(f) for f in hand["family"] if f), choice.family)
            micro = usual if family == "historical_average" else candidates[family]
            micromodels[zone, target] = micro
            fitted[zone, target, "historical_average"] = usual
            use = choose_in_use(micro, macromodels.get(target), baselines["seasonal_naive", target])
            if target in macromodels:
                mixes[zone, target] = MixForecaster.of(micro, macromodels[target], weight=use.weight_micro)
            rows.append(_choice_row(zone, target, micro, choice, use, hand))
    choices = _with_tasks(pd.DataFrame(rows), past, by_hand)
    training = Training(
        choices=validate(choices, CHOICES), assignment=_assignment(choices), micromodels=micromodels,
        candidates=fitted, macromodels=macromodels, mixes=mixes, baselines=baselines,
        scores=_validation_scores(micromodels, macromodels, mixes, baselines, past.step_s, seed),
        seconds=seconds, train_end=train_end, test_from=test_from, seed=seed,
    )  # fmt: skip
    return replace(training, wall_s=time.perf_counter() - started)


def refit(
    training: Training,
    panel: Panel,
    *,
    train_end: pd.Timestamp | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Training:
    """The chosen models, learned again from all that is known at `train_end` (None: the panel's end).

    Families, weights and intervals stay; the candidates that were not chosen are left out.
    """
    started = time.perf_counter()
    end = panel.origin(len(panel) - 1) if train_end is None else train_end
    past = panel.until(max(0, min(int(panel.known(end)[0]) + 1, len(panel))))
    todo: dict[tuple[str, str], Forecaster] = {("", t): m for t, m in training.macromodels.items()}
    todo |= {(zone, target): model for (zone, target), model in training.micromodels.items()}
    keys = list(todo)
    heavy = [[key] for key in keys if not key[0]]
    light = [key for key in keys if key[0]]
    chunks = heavy + [light[k :: max(1, 2 * n_jobs)] for k in range(max(1, 2 * n_jobs))]
    work = [[(key, _bare(todo[key])) for key in chunk] for chunk in chunks if chunk]
    done: dict[tuple[str, str], Forecaster] = {}
    seconds: dict[tuple[str, str, str], float] = {}
    for k, part in enumerate(_parallel(_refit_chunk, [(past, end, chunk) for chunk in work], n_jobs)):
        for key, (model, taken) in part.items():
            done[key] = model
            seconds[model.family, key[1], key[0]] = taken
        if progress is not None:
            progress(k + 1, len(work), "Refitting the chosen models")
    micromodels = {key: done[key] for key in training.micromodels}
    macromodels = {target: done["", target] for target in training.macromodels}
    return replace(
        training,
        micromodels=micromodels,
        macromodels=macromodels,
        candidates={(zone, target, m.family): m for (zone, target), m in micromodels.items()},
        mixes={
            (zone, target): mix.with_parts(micromodels[zone, target], macromodels[target])
            for (zone, target), mix in training.mixes.items()
        },
        baselines={key: model.refit(past, train_end=end) for key, model in training.baselines.items()},
        seconds=seconds,
        train_end=end,
        wall_s=time.perf_counter() - started,
    )


# ---------------------------------------------------------------------- work for the processes


def _learnable(past: Panel, target: str) -> tuple[str, ...]:
    """Zones with enough readings of a target to learn from: a fifth of the grid, and a day in its first half."""
    zones = past.sensed(target)
    if not zones:
        return ()
    half = past.values[target][: len(past) // 2, past.columns(zones)]
    enough = np.isfinite(half).sum(axis=0) >= past.steps_per_day
    return tuple(zone for zone, good in zip(zones, enough) if good)


def _jobs(sensed: dict[str, tuple[str, ...]], n_jobs: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """Macromodels first, since they take longest; then the zones in even chunks."""
    pairs = [(zone, target) for target, zones in sensed.items() for zone in zones]
    n_chunks = 1 if n_jobs == 1 else 4 * n_jobs
    chunks = [pairs[k::n_chunks] for k in range(n_chunks)] if n_jobs > 1 else [[pair] for pair in pairs]
    return [("macro", [("", target)]) for target in sensed] + [("micro", chunk) for chunk in chunks if chunk]


def _run(jobs, past, sensed, when, seed, n_jobs, progress):  # type: ignore[no-untyped-def]
    """Results of the jobs, in their order."""
    total = sum(len(pairs) for _, pairs in jobs)
    done = 0
    arguments = [(kind, pairs, past, sensed, when, seed) for kind, pairs in jobs]
    for (kind, pairs), found in zip(jobs, _parallel(_fit_job, arguments, n_jobs)):
        done += len(pairs)
        if progress is not None:
            progress(done, total, "Training the macromodel" if kind == "macro" else "Training the micromodels")
        yield found


def _parallel(function: Callable[..., Any], arguments: list[tuple[Any, ...]], n_jobs: int) -> Any:
    """Results in order; in this process where one job is asked for."""
    if n_jobs == 1 or len(arguments) == 1:
        return (function(*a) for a in arguments)
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1):
        return Parallel(return_as="generator", pre_dispatch="all", batch_size=1)(
            delayed(function)(*a) for a in arguments
        )


def _fit_job(
    kind: str, pairs: list[tuple[str, str]], past: Panel, sensed: dict[str, tuple[str, ...]], when: dict, seed: int
) -> dict[tuple[str, str, str], tuple[Forecaster, float]]:
    """Fit one macromodel, or all families of some zones and targets."""
    found = {}
    for zone, target in pairs:
        zones = sensed[target] if kind == "macro" else (zone,)
        bench = Workbench(past, target=target, zone_ids=zones)
        for family in (MacroForecaster,) if kind == "macro" else FAMILIES:
            started = time.perf_counter()
            model = family(seed=seed).fit(past, target=target, zone_ids=zones, bench=bench, **when)
            found[zone, target, family.family] = (model, time.perf_counter() - started)
    return found


def _refit_chunk(
    past: Panel, end: pd.Timestamp, chunk: list[tuple[tuple[str, str], Forecaster]]
) -> dict[tuple[str, str], tuple[Forecaster, float]]:
    found = {}
    for key, model in chunk:
        started = time.perf_counter()
        found[key] = (model.refit(past, train_end=end), time.perf_counter() - started)
    return found


def _bare(model: Forecaster) -> Forecaster:
    """A model without its validation record, which is not worth sending."""
    from copy import copy

    bare = copy(model)
    bare.validation = None
    return bare


# ---------------------------------------------------------------------- choosing and telling


def _baselines(
    past: Panel, sensed: dict[str, tuple[str, ...]], when: dict, seed: int, seconds: dict[tuple[str, str, str], float]
) -> dict[tuple[str, str], Forecaster]:
    found: dict[tuple[str, str], Forecaster] = {}
    for target, zones in sensed.items():
        for family in BASELINES:
            started = time.perf_counter()
            found[family.family, target] = family(seed=seed).fit(past, target=target, zone_ids=zones, **when)
            seconds[family.family, target, ""] = time.perf_counter() - started
    return found


def _for_zone(model: Forecaster, zone: str) -> Forecaster:
    """One zone's part of a baseline that was fitted on all."""
    from copy import copy

    from models.intervals import ConformalIntervals

    assert model.profile is not None and model.intervals is not None and model.validation is not None
    part, places, record = copy(model), model.places([zone]), model.validation
    part.zone_ids = (zone,)
    part.profile = model.profile.pick(places)
    part.intervals = ConformalIntervals(model.intervals.offsets[places])
    part.validation = record.pick(places)
    return part


def _choice_row(
    zone: str, target: str, micro: Forecaster, choice: Any, use: InUse, hand: pd.DataFrame
) -> dict[str, object]:
    model = next((str(m) for m in hand["model_in_use"] if m), use.model)
    manual = bool((hand["family"] != "").any() or (hand["model_in_use"] != "").any())
    weight = {"micromodel": 1.0, "macromodel": 0.0}.get(model, use.weight_micro)
    reason = f"{use.reason}. Family: {choice.reason}."
    return {
        "zone_id": zone, "target": target, "family": micro.family, "model_in_use": model, "by_hand": manual,
        "settings": json.dumps(micro.settings(), sort_keys=True), "is_task": False,
        "reason": f"Chosen by hand. Otherwise: {reason}" if manual else reason, "micro_mae": use.micro_mae,
        "macro_mae": use.macro_mae, "naive_mae": use.naive_mae, "mix_mae": use.mix_mae, "weight_micro": weight,
    }  # fmt: skip


def _with_tasks(choices: pd.DataFrame, past: Panel, by_hand: pd.DataFrame) -> pd.DataFrame:
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


def _assignment(choices: pd.DataFrame) -> pd.DataFrame:
    """One row a zone: its task, and why."""
    rows = choices[choices["is_task"]].drop(columns="is_task")
    rows = rows.assign(reason=rows["task_reason"] + ". " + rows["reason"])
    return validate(rows.reset_index(drop=True), ASSIGNMENT)


def _validation_scores(micromodels, macromodels, mixes, baselines, step_s, seed):  # type: ignore[no-untyped-def]
    """Out-of-fold MAE by zone and horizon, as a `scores` table."""
    anchors = anchor_steps(step_s)
    wanted = [h for h in SCORED_HORIZONS_S if h % step_s == 0 and h // step_s in anchors] or [step_s]
    index = [anchors.index(s) for s in horizon_steps(wanted, step_s)]
    rows = []

    def add(name: str, model: Forecaster) -> None:
        record = model.validation
        if record is None:
            return
        error = np.abs(record.actual - record.point)[:, :, index]
        known = np.isfinite(error).sum(axis=0)
        mean = np.where(known > 0, np.nansum(error, axis=0) / np.maximum(known, 1), np.nan)
        for z, zone in enumerate(model.zone_ids):
            for k, horizon in enumerate(wanted):
                rows.append(
                    (name, zone, model.target, float(horizon), "mae", "validation", seed, mean[z, k], int(known[z, k]))
                )

    for model in micromodels.values():
        add("micromodel", model)
    for model in macromodels.values():
        add("macromodel", model)
    for model in mixes.values():
        add("mix", model)
    for (family, _), model in baselines.items():
        add(family, model)
    names = ["model", "zone_id", "target", "horizon_s", "metric", "period", "seed", "value", "n"]
    table = pd.DataFrame(rows, columns=names).assign(lower=np.nan, upper=np.nan)
    return validate(table, SCORES)
