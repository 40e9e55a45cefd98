"""Training: every zone's micromodels, the macromodels and the baselines, chosen and assigned in one call.

`train` fits every candidate family, each for all zones in one batch, chooses by out-of-fold errors inside the
training part, and returns one `Training`; `refit` learns the chosen ones again from more data, for live use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from data.schemas import CHOICES, TARGETS, validate
from data.work import spread
from models.assign import check_overrides
from models.baselines import BASELINES
from models.candidates import candidates, variants, with_history
from models.choosing import USUAL, assignment, choose, validation_scores, with_tasks
from models.contract import Forecaster, validation_start
from models.ensemble import EnsembleForecaster
from models.errors import NoDataError, SettingsError, ShortHistoryError
from models.finished import Finished, digest_of
from models.fitting import Plan, fit_all, flat, race_all
from models.guard import Apparent
from models.learner import Learner
from models.learner import families as choosable
from models.operation import Allowance
from models.panel import Panel
from models.recipes import with_losses, with_moments, with_recipes
from models.select import Rule

Progress = Callable[[int, int, str], None]


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
        The chosen family's, each for its zone alone.
    candidates : dict of (name, target) to Forecaster
        Every candidate that competed, each for all zones that sense the target; baselines not among them.
    macromodels : dict of target to Forecaster
        The citywide candidate with the least error.
    mixes : dict of target to EnsembleForecaster
        Stack of all candidates, with weights by zone and horizon.
    baselines : dict of (family, target) to Forecaster
        Each on all zones that sense the target.
    scores : DataFrame
        Table `scores` of the out-of-fold errors, period "validation".
    seconds : dict
        Processor time of fitting by (name, target), s, validation and tuning included.
    newcomers : dict of (zone_id, target) to Forecaster
        Transferred micromodels of zones that report too little to learn from alone (see `models.newcomers`).
    tuned : dict of (name, target) to str
        Why these settings, in words, where they were tuned.
    left_out : dict of (name, target) to str
        Why a candidate was not fitted in full, where hopeless ones were given up or a budget was kept to.
    seen : dict of (name, target) to Apparent
        What candidates show on rows that they learned from, see `guard.apparent`.
    guard : DataFrame
        What the guard against overfitting found (see `models.guard`): zone_id, target, family (that serves), chosen
        (before the guard), fell_back, model_in_use, by_hand, skill and skill_se (of `chosen`, share of the usual
        value's error saved), kept (of its skill on rows learned from), blocks, words,
        promised and nested (error of the family chosen, the usual value's being 1, on the rows that it was chosen on,
        and on each fold where it was chosen on the other).
    """

    choices: pd.DataFrame
    assignment: pd.DataFrame
    micromodels: dict[tuple[str, str], Forecaster]
    candidates: dict[tuple[str, str], Forecaster]
    macromodels: dict[str, Forecaster]
    mixes: dict[str, EnsembleForecaster]
    baselines: dict[tuple[str, str], Forecaster]
    scores: pd.DataFrame
    seconds: dict[tuple[str, str], float]
    train_end: pd.Timestamp
    test_from: pd.Timestamp
    seed: int
    wall_s: float = field(default=0.0)
    tuned: dict[tuple[str, str], str] = field(default_factory=dict)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)
    seen: dict[tuple[str, str], Apparent] = field(default_factory=dict)
    guard: pd.DataFrame = field(default_factory=pd.DataFrame)
    newcomers: dict[tuple[str, str], Forecaster] = field(default_factory=dict)

    def in_use(self, zone_id: str, target: str) -> Forecaster:
        """The model that serves a zone and target: micromodel, macromodel or mix, as chosen."""
        row = self.choices[(self.choices["zone_id"] == zone_id) & (self.choices["target"] == target)]
        if row.empty:
            raise NoDataError(f"no model of '{target}' in zone '{zone_id}': it is not sensed there")
        kind = str(row["model_in_use"].iloc[0])
        if (zone_id, target) in self.newcomers:
            return self.newcomers[zone_id, target]
        if kind == "macromodel":
            return self.macromodels[target]
        return self.mixes[target].one(zone_id) if kind == "mix" else self.micromodels[zone_id, target]

    def named(self, target: str) -> dict[str, Forecaster]:
        """All models of a target by name: every baseline and candidate, `macromodel` and `mix`."""
        found = {name: model for (name, of), model in {**self.baselines, **self.candidates}.items() if of == target}
        citywide = (("macromodel", self.macromodels), ("mix", self.mixes))
        return found | {name: models[target] for name, models in citywide if target in models}

    def names_in_use(self, target: str, zones: Sequence[str]) -> list[str]:
        """Name, as in `named`, of what serves each zone: `macromodel`, `mix` or the family of its micromodel."""
        used = self.choices[self.choices["target"] == target].set_index("zone_id")["model_in_use"]
        return [
            self.micromodels[zone, target].name if used[zone] == "micromodel" else str(used[zone]) for zone in zones
        ]

    def seen_of(self, target: str) -> dict[str, Apparent]:
        """`seen` of one target, by candidate."""
        return {name: own for (name, of), own in self.seen.items() if of == target}

    def zones(self, target: str) -> tuple[str, ...]:
        """Zones with models of a target."""
        return tuple(zone for zone, of in self.micromodels if of == target)


def train(
    panel: Panel,
    *,
    targets: Sequence[str] = TARGETS,
    train_end: pd.Timestamp,
    test_from: pd.Timestamp | None = None,
    calibrate_from: pd.Timestamp | None = None,
    steps: Sequence[int] | None = None,
    effort: str = "quick",
    families: Sequence[str | type[Learner]] | None = None,
    tries: int = 0,
    tuner: str = "random",
    seed: int = 0,
    n_jobs: int = 1,
    overrides: pd.DataFrame | None = None,
    guard: bool = True,
    rule: Rule = "both",
    settings: int = 1,
    prune: bool = False,
    budget: Allowance | None = None,
    losses: Sequence[str] = (),
    recipes: Sequence[str] = (),
    refreshable: bool = False,
    progress: Progress | None = None,
) -> Training:
    """Fit, choose and assign; nothing at or after `train_end` is read.

    Parameters
    ----------
    panel : Panel
    targets : sequence of str
        Those that no zone senses are passed over.
    train_end : Timestamp
        UTC; end of the training part, of which the last two fifths (from `calibrate_from`) validate and calibrate.
    test_from : Timestamp or None
        Start of the test part, at or after `train_end`; kept for the record.
    steps : sequence of int or None
        Horizons to learn, in steps; None takes `horizons.anchor_steps`.
    effort : {"quick", "standard", "thorough"}
        Which families compete; see `candidates`.
    families : sequence of str or type of Learner, or None
        These instead of an effort's: by name, also those of other packages, or as classes of your own.
    tries : int
        Settings tried of each family, in rolling folds before the validation part; 0 takes those of the candidates.
    tuner : {"grid", "random", "optuna"}
        How settings are found, see `tuning.tune`.
    seed : int
    n_jobs : int
        Processes; 1 stays in this one.
    overrides : DataFrame or None
        By hand: `zone_id` and any of `target` (with no `family` and `model_in_use`: the zone's task), `family` (which
        then competes, whatever the effort), `model_in_use`.
    guard : bool
        Whether a choice must pass the guard against overfitting to serve, see `models.guard`.
    rule : {"both", "error", "share", "least"}
        When a simpler candidate is as good as the best, see `select.Rule`.
    settings : int
        Settings that each family competes with, chosen by zone like the family itself; 1 takes the candidates' own.
    prune : bool
        Whether hopeless candidates are given up after a fold, see `models.operation`.
    budget : Allowance or None
        What fitting may spend over all targets; who is left out for it is told in every reason.
    losses : sequence of {"absolute", "squared", "huber"}
        Each candidate competes once for each of these that its family can minimise; none: with its own.
    recipes : sequence of {"start", "line"}
        Candidates compete with another start, or without the line that comes first, too; see `recipes`.
    refreshable : bool
        Families that can keep the moments of what they learned, so that `refresh` adds new readings to them without
        the rows of before; files grow by them.
    progress : callable or None
        Called with (done, total, message).

    Returns
    -------
    Training

    Raises
    ------
    ShortHistoryError, NoDataError, AssignmentError, SettingsError
    """
    started = time.perf_counter()
    test_from = train_end if test_from is None else test_from
    if test_from < train_end:
        raise ShortHistoryError(
            f"test_from {test_from} lies before train_end {train_end}: the test would be trained on"
        )
    local = tuple(c.name for c in candidates(effort, families) if c.learner.scope == "zone")
    by_name = () if overrides is None else choosable("zone")
    by_hand = check_overrides(overrides, panel, tuple(dict.fromkeys((USUAL, *local, *by_name))))
    wanted = candidates(effort, families, also=[name for name in by_hand["family"] if name not in ("", USUAL)])
    if budget is not None and tries:
        raise SettingsError(f"a budget goes with settings={settings}, not with tries={tries}, which spend another")
    wanted = with_recipes(with_losses(wanted, losses), recipes)
    if refreshable:
        wanted = with_moments(wanted)
    wanted = variants(wanted, settings, seed=seed)
    past = panel.until(panel.known_by(train_end))
    wanted = with_history(wanted, validation_start(past, len(past), calibrate_from) / past.steps_per_day)
    sensed = {target: zones for target in targets if (zones := _learnable(past, target))}
    if not sensed:
        raise NoDataError(f"no zone senses any of {list(targets)} before {train_end}")
    when = {"train_end": train_end, "calibrate_from": calibrate_from, "steps": steps}
    plan = Plan(tries, tuner, seed)
    left_out: dict[tuple[str, str], str] = {}
    told_out: dict[str, str] = {}
    if prune or budget is not None:
        keep = [name for name in by_hand["family"] if name]
        raced = race_all(past, sensed, wanted, when, plan, n_jobs, progress, budget, prune, keep)
        fitted = {(c.name, t): raced[t].fitted[c.name] for t in sensed for c in wanted if c.name in raced[t].fitted}
        seconds, tuned, seen = flat(raced, "seconds"), flat(raced, "tuned"), flat(raced, "seen")
        left_out, told_out = flat(raced, "left_out"), {target: found.words for target, found in raced.items()}
    else:
        fitted, seconds, tuned, seen = fit_all(past, sensed, wanted, when, plan, n_jobs, progress)
    baselines: dict[tuple[str, str], Forecaster] = {}
    for target, zones in sensed.items():
        for kind in BASELINES:
            begun = time.process_time()
            baselines[kind.kind, target] = kind(seed=seed).fit(past, target=target, zone_ids=zones, **when)
            seconds[kind.kind, target] = time.process_time() - begun
    rows: list[dict[str, object]] = []
    watched: list[dict[str, object]] = []
    micromodels: dict[tuple[str, str], Forecaster] = {}
    macromodels: dict[str, Forecaster] = {}
    mixes: dict[str, EnsembleForecaster] = {}
    for target, zones in sensed.items():
        own = {c.name: fitted[c.name, target] for c in wanted if (c.name, target) in fitted}
        usual = {family: model for (family, of), model in baselines.items() if of == target}
        known = {name: seen[name, target] for name in own}
        chosen = choose(
            own, usual, by_hand, seen=known, guard=guard, rule=rule, left_out=told_out.get(target, ""),
            past=None if effort == "quick" else past,
        )  # fmt: skip
        rows += chosen.rows
        watched += chosen.guard
        for zone, family in zip(zones, chosen.families):
            micromodels[zone, target] = (own.get(family) or usual[family]).one(zone)
        if chosen.macro:
            macromodels[target] = own[chosen.macro]
        if chosen.mix is not None:
            mixes[target] = chosen.mix
    choices = with_tasks(pd.DataFrame(rows), past, by_hand)
    told = [("micromodel", m) for m in micromodels.values()] + [("macromodel", m) for m in macromodels.values()]
    told += [("mix", m) for m in mixes.values()] + [(family, m) for (family, _), m in baselines.items()]
    made = Training(
        choices=validate(choices, CHOICES), assignment=assignment(choices), micromodels=micromodels, candidates=fitted,
        macromodels=macromodels, mixes=mixes, baselines=baselines,
        scores=validation_scores(told, past.step_s, seed), seconds=seconds, train_end=train_end, test_from=test_from,
        seed=seed, wall_s=time.perf_counter() - started, tuned=tuned, left_out=left_out, seen=seen,
        guard=pd.DataFrame(watched),
    )  # fmt: skip
    from models.newcomers.welcome import welcome

    return replace(welcome(made, past), wall_s=time.perf_counter() - started)


def refit(
    training: Training,
    panel: Panel,
    *,
    train_end: pd.Timestamp | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Training:
    """The chosen models, learned again from all that is known at `train_end` (None: the panel's end).

    Families, weights and intervals stay; candidates that serve no zone are left out, and so is a mix that none uses.
    """
    started = time.perf_counter()
    end = panel.origin(len(panel) - 1) if train_end is None else train_end
    past = panel.until(panel.known_by(end))
    mixed = set(training.choices.loc[training.choices["model_in_use"] == "mix", "target"])
    needed = {}
    for (name, target), model in training.candidates.items():
        chosen = any(m.name == name for (_, of), m in training.micromodels.items() if of == target)
        weighs = target in mixed and any(
            member is model and weights.any()
            for member, weights in zip(training.mixes[target].members, training.mixes[target].weights)
        )
        if chosen or weighs or training.macromodels.get(target) is model:
            needed[name, target] = model
    finished = Finished(past, end, training.seed)
    done: dict[tuple[str, str], Forecaster] = {}
    seconds: dict[tuple[str, str], float] = {}
    marks = {key: digest_of(model.bare().save()) for key, model in needed.items()} if finished else {}
    for key in needed:
        there = finished.find("refit", *key, marks.get(key))
        if there is not None:
            done[key], seconds[key] = there[0], there[1]["seconds"]
    keys = [key for key in needed if key not in done]

    def keep(k: int, found: tuple[Forecaster, float]) -> None:
        finished.keep(found[0], {"seconds": found[1]}, None, "refit", *keys[k], marks[keys[k]])

    jobs = [(past, end, needed[key].bare()) for key in keys]
    made = spread(_refit_one, jobs, n_jobs=n_jobs, keep=keep if finished else None)
    for key, (model, taken) in zip(keys, made):
        done[key], seconds[key] = model, taken
        if progress is not None:
            progress(len(done), len(needed), "Refitting the chosen models")
    done = {key: done[key] for key in needed}
    baselines = {key: model.refit(past, train_end=end) for key, model in training.baselines.items()}
    again = {id(training.candidates[key]): model for key, model in done.items()}
    again |= {id(training.baselines[key]): model for key, model in baselines.items()}
    families = done | baselines
    return replace(
        training,
        micromodels={(z, t): families[model.name, t].one(z) for (z, t), model in training.micromodels.items()},
        macromodels={target: again[id(model)] for target, model in training.macromodels.items()},
        candidates=done,
        mixes={
            target: mix.with_members([again.get(id(member), member) for member in mix.members])
            for target, mix in training.mixes.items()
            if target in mixed
        },
        baselines=baselines, seconds=seconds, train_end=end, wall_s=time.perf_counter() - started,
        newcomers={key: model.refit(past, train_end=end) for key, model in training.newcomers.items()},
    )  # fmt: skip


def _learnable(past: Panel, target: str) -> tuple[str, ...]:
    """Zones with enough readings of a target to learn from: a fifth of the grid, and a day in its first half."""
    zones = past.sensed(target)
    if not zones:
        return ()
    half = past.values[target][: len(past) // 2, past.columns(zones)]
    enough = np.isfinite(half).sum(axis=0) >= past.steps_per_day
    return tuple(zone for zone, good in zip(zones, enough) if good)


def _refit_one(past: Panel, end: pd.Timestamp, model: Forecaster) -> tuple[Forecaster, float]:
    begun = time.process_time()
    return model.refit(past, train_end=end), time.process_time() - begun
