"""Fitting: every candidate of every target, spread over processes; what was finished before is found again.

`fit_all` fits them all; `race_all` gives hopeless ones up and keeps to a budget (see `operation`). Features of a target
are made once for all candidates that a process fits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.work import spread, width
from models.candidates import Candidate
from models.contract import Forecaster, validation_start
from models.design import Workbench
from models.finished import Finished
from models.guard import Apparent, apparent
from models.operation import Allowance, Operated, operate
from models.panel import Panel

_TUNED_ZONES = 60  # settings are tried on a sample of so many zones (assumed: zones agree on settings)


@dataclass(frozen=True)
class Plan:
    """How settings are tuned, and the seed of everything."""

    tries: int
    tuner: str
    seed: int


def fit_all(past, sensed, wanted, when, plan, n_jobs, progress):  # type: ignore[no-untyped-def]
    """Every candidate of every target, by (name, target), the processor seconds, why their settings, and `Apparent`."""
    if len(sensed) >= width(n_jobs):  # the features of a target are made once for all its candidates
        groups = [(target, wanted) for target in sensed]
    else:  # fewer targets than processes: the citywide candidates, which take longest, go first and alone
        city = tuple(c for c in wanted if c.learner.scope == "city")
        local = tuple(c for c in wanted if c.learner.scope == "zone")
        groups = [(t, (c,)) for t in sensed for c in city] + [(t, local) for t in sensed]
    fitted: dict[tuple[str, str], Forecaster] = {}
    seconds: dict[tuple[str, str], float] = {}
    tuned: dict[tuple[str, str], str] = {}
    seen: dict[tuple[str, str], Apparent] = {}
    total = len(wanted) * len(sensed)
    finished = Finished(past, when, plan)

    def take(candidate: Candidate, target: str, model: Forecaster, taken: float, why: str, own: Apparent) -> None:
        fitted[candidate.name, target], seconds[candidate.name, target] = model, taken
        seen[candidate.name, target] = own
        if why:
            tuned[candidate.name, target] = why

    missing: list[tuple[str, tuple[Candidate, ...]]] = []
    for target, group in groups:
        left = []
        for candidate in group:
            there = finished.find("fit", target, sensed[target], candidate)
            if there is not None and there[2] is not None:
                take(candidate, target, there[0], there[1]["seconds"], there[1]["why"], there[2])
            else:
                left.append(candidate)
        if left:
            missing.append((target, tuple(left)))
    arguments = [(past, target, sensed[target], group, when, plan) for target, group in missing]

    def keep(k: int, found: Sequence[tuple[Forecaster, float, str, Apparent]]) -> None:
        """What is finished is stored before the rest is, in whatever order it comes."""
        target, group = missing[k]
        for candidate, (model, taken, why, own) in zip(group, found):
            finished.keep(model, {"seconds": taken, "why": why}, own, "fit", target, sensed[target], candidate)

    made = spread(_fit_group, arguments, n_jobs=n_jobs, keep=keep if finished else None)
    for (target, group), found in zip(missing, made):
        for candidate, (model, taken, why, own) in zip(group, found):
            take(candidate, target, model, taken, why, own)
        if progress is not None:
            progress(len(fitted), total, "Training the micromodels and the macromodel")
    ordered = [(c.name, target) for target in sensed for c in wanted]
    return {key: fitted[key] for key in ordered}, seconds, tuned, seen


def race_all(past, sensed, wanted, when, plan, n_jobs, progress, budget, prune, keep):  # type: ignore[no-untyped-def]
    """What became of every target's candidates, by target: fold by fold, with equal shares of the budget."""
    share = None if budget is None else budget.part(len(sensed))
    finished = Finished(past, when, plan, share, prune, list(keep), wanted)
    there = {target: _operated(finished, target, zones, wanted) for target, zones in sensed.items()}
    found: dict[str, Operated] = {target: done for target, done in there.items() if done is not None}
    missing = [target for target in sensed if target not in found]
    jobs = [(past, t, sensed[t], wanted, when, plan, share, prune, keep) for t in missing]

    def store(k: int, done: Operated) -> None:
        told = {name: getattr(done, name) for name in ("seconds", "left_out", "fits", "tuned")}
        told["names"] = list(done.fitted)
        for name, model in done.fitted.items():
            finished.keep(model, told, done.seen[name], "race", missing[k], sensed[missing[k]], name)

    made = spread(_operate_group, jobs, n_jobs=n_jobs, keep=store if finished else None)
    for target, done in zip(missing, made):
        found[target] = done
        if progress is not None:
            progress(len(found), len(sensed), "Training the micromodels and the macromodel")
    return {target: found[target] for target in sensed}


def _operated(finished: Finished, target: str, zones: tuple[str, ...], wanted: Sequence[Candidate]) -> Operated | None:
    """What was kept of a target's candidates; None unless all of them that were fitted in full are there."""
    there = {c.name: finished.find("race", target, zones, c.name) for c in wanted} if finished else {}
    held = {name: one for name, one in there.items() if one is not None and one[2] is not None}
    told = next((one[1] for one in held.values()), None)
    if told is None or set(told["names"]) != set(held):
        return None
    fitted = {name: held[name][0] for name in told["names"]}
    seen = {name: held[name][2] for name in told["names"]}
    rest = {name: told[name] for name in ("seconds", "left_out", "fits", "tuned")}
    return Operated(fitted=fitted, seen=seen, **rest)  # type: ignore[arg-type]


def _operate_group(
    past: Panel, target: str, zones: tuple[str, ...], group: tuple[Candidate, ...], when: dict[str, Any], plan: Plan,
    share: Allowance | None, prune: bool, keep: Sequence[str],
) -> Operated:  # fmt: skip
    """Settings first, where they are tuned, then `operate`."""
    tuned: dict[str, str] = {}
    if plan.tries:
        bench = Workbench(past, target=target, zone_ids=zones, steps=when["steps"])
        found = [_tuned(c, bench, when, plan) if c.learner.space else (c, "") for c in group]
        tuned = {candidate.name: why for candidate, why in found if why}
        group = tuple(candidate for candidate, _ in found)
    done = operate(past, target, zones, group, when, seed=plan.seed, allowance=share, prune=prune, keep=keep)
    return replace(done, tuned=tuned)


def flat(found: dict[str, Operated], name: str) -> dict[tuple[str, str], Any]:
    """One attribute of all targets, by (candidate, target)."""
    return {(key, target): value for target, done in found.items() for key, value in getattr(done, name).items()}


def _fit_group(
    past: Panel, target: str, zones: tuple[str, ...], group: tuple[Candidate, ...], when: dict[str, Any], plan: Plan
) -> list[tuple[Forecaster, float, str, Apparent]]:
    """Fit some candidates of one target on features made once."""
    bench = Workbench(past, target=target, zone_ids=zones, steps=when["steps"])
    found: list[tuple[Forecaster, float, str, Apparent]] = []
    for candidate in group:
        begun = time.process_time()
        used, why = _tuned(candidate, bench, when, plan) if plan.tries and candidate.learner.space else (candidate, "")
        model = used.forecaster(plan.seed).fit(past, target=target, zone_ids=zones, bench=bench, **when)
        own = apparent(model, bench, past.known_by(when["train_end"]))
        found.append((model, time.process_time() - begun, why, own))
    return found


def _tuned(candidate: Candidate, bench: Workbench, when: dict[str, Any], plan: Plan) -> tuple[Candidate, str]:
    """The candidate with the settings that forecast best, on rows before the validation part, and why."""
    from models.tuning import tune

    panel = bench.panel
    start = validation_start(panel, len(panel), when["calibrate_from"])
    design = bench.design(min(max(start, panel.steps_per_day), len(panel)), candidate.reference)
    result = tune(
        candidate.learner, design.rows, design.outcome, method=plan.tuner, budget=plan.tries, folds=2, seed=plan.seed,
        zone_features=design.zone_features, fixed=candidate.settings, day=panel.calendar.day[design.known + 1],
        max_zones=_TUNED_ZONES,
    )  # fmt: skip
    return replace(candidate, settings={**candidate.settings, **result.best}), result.reason
