"""Part `distillation`: a stacked mix and a macromodel taught to one small model a zone, on five real panels.

The gap is what a family trained directly errs more than its teacher on the test part; a student closes its share of it.
Where the direct student is no worse than the teacher there is nothing to close: such a panel-horizon counts as met if
the student is no worse than the direct one by more than 1 %, and is told apart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.cut import recent
from app.benchmarks.models.panels import each_there, names, narrowed
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.candidates import candidates
from models.contract import Forecaster
from models.design import Workbench
from models.distillation import DistilledForecaster, Lesson, Teacher
from models.ensemble import EnsembleForecaster
from models.forecasting import LearnedForecaster
from models.scale import from_scale

#: Students' families: a tree of lines (the default), a line, boosted trees.
STUDENTS = ("model_tree", "quantile_linear", "boosted_trees")
#: Every so many zones of the larger panels, for time.
EVERY = {"metr": 5, "scats": 2, "auckland": 2}
TRAIN_DAYS = 365  # of long panels
CLOSED, NEAR, SMALL, NO_WORSE = 0.5, 1.03, 1 / 20, 1.01


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of the part; `InputError` if no panel is there."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    notes: list[str] = []
    for whole in each_there(narrowed(names(), panels), notes):
        bench = recent(whole, train_days=TRAIN_DAYS)
        found, told[bench.name] = _panel(bench, seed)
        figures += found
    if not figures:
        raise InputError("; ".join(notes))
    return {"figures": figures + _summary(told, seed), "panels": told, "notes": notes}


class _Member(Teacher):
    """One member of a teacher, from the same answers."""

    def __init__(self, whole: Teacher, place: int) -> None:
        self._whole, self._place, self.name = whole, place, whole.members[place].name

    def lesson(self, bench: Workbench, end: int, stop: int | None = None) -> Lesson:
        found = self._whole.lesson(bench, end, stop)
        return replace(found, soft=found.answers[self._place])


def _panel(bench: BenchmarkPanel, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    train, zones = bench.train, bench.zone_ids[:: EVERY.get(bench.name, 1)]
    work = Workbench(train, target=bench.target, zone_ids=zones, steps=bench.steps)
    city = next(c for c in candidates("quick") if c.name == "macro_xgboost")
    members: list[Forecaster] = [LearnedForecaster(f, seed=seed) for f in ("quantile_linear", "boosted_trees")]
    members.append(city.forecaster(seed))
    end = train.origin(len(train) - 1)
    begun = time.process_time()
    for member in members:
        member.fit(train, target=bench.target, zone_ids=zones, train_end=end, steps=bench.steps, bench=work)
    mix = EnsembleForecaster.of(members, zones, name="mix")
    taught_s = time.process_time() - begun
    whole = Teacher(mix, seed=seed)
    teachers: dict[str, tuple[Forecaster, Teacher]] = {
        "mix": (mix, whole), "macromodel": (members[2], _Member(whole, 2)),
    }  # fmt: skip
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"zones": len(zones), "unit": bench.unit, "teachers_cpu_s": taught_s, "rows": {}}
    direct = {"quantile_linear": members[0], "boosted_trees": members[1]}
    direct["model_tree"] = _learned(LearnedForecaster("model_tree", seed=seed), work, mix)
    errors = {family: _errors(bench, model, zones) for family, model in direct.items()}
    for kind, (model, teacher) in teachers.items():
        goal, size = _errors(bench, model, zones), model.complexity()["bytes"]
        for family in STUDENTS:
            begun = time.process_time()
            student = DistilledForecaster(family, teacher=teacher, seed=seed)
            _learned(student, work, mix)
            spent = time.process_time() - begun
            found = _errors(bench, student, zones)
            each = [student.one(zone).complexity()["bytes"] for zone in zones[:: max(1, len(zones) // 12)]]
            head = f"{bench.name}: {kind} to {family}"
            figures.append(
                figure(f"{head}, largest student over the teacher's bytes", max(each) / size, "1", target=SMALL,
                       n=len(each), seed=seed)
            )  # fmt: skip
            rows = {
                task: {"direct": errors[family][task], "student": found[task], "teacher": goal[task]} for task in goal
            }
            told["rows"][f"{kind} {family}"] = {
                "errors": rows, "cpu_s": spent, "teacher_bytes": size, "student_bytes_median": float(np.median(each)),
                "students_bytes_all_zones": student.complexity()["bytes"], "belief": student.belief.tolist(),
            }  # fmt: skip
            for task, row in rows.items():
                figures += _figures(f"{bench.name} {task}: {kind} to {family}", row, bench.unit, seed)
    return figures, told


def _learned(model: LearnedForecaster, work: Workbench, like: Forecaster) -> LearnedForecaster:
    """Fitted on the whole training part; intervals are the teacher's, as they play no part in what is measured."""
    model.target, model.zone_ids, model.anchors = like.target, like.zone_ids, like.anchors
    model.step_s, model.train_end, model.intervals = like.step_s, like.train_end, like.intervals
    model._learn(work, len(work.panel))
    return model


def _errors(bench: BenchmarkPanel, model: Forecaster, zones: tuple[str, ...]) -> dict[str, float]:
    """MAE on the test part by figure, in the panel's telling unit."""
    panel, places = bench.panel, bench.panel.columns(zones)
    level = model._point(panel, bench.origins, model.places(zones), bench.steps)
    error = np.abs(from_scale(bench.target, level) - bench.actual[:, places]) * bench.per_unit
    return {task.name: float(np.nanmean(error[task.rows][:, :, task.places])) for task in bench.tasks}


def _closed(row: dict[str, float]) -> float:
    """Share of the gap that the student closes; `nan` where there is none."""
    gap = row["direct"] - row["teacher"]
    return (row["direct"] - row["student"]) / gap if gap > 0 else float("nan")


def _figures(head: str, row: dict[str, float], unit: str, seed: int) -> list[dict[str, Any]]:
    ratio = row["student"] / row["teacher"]
    figures = [figure(f"{head}, student over teacher, MAE", ratio, "1", target=NEAR, seed=seed)]
    if np.isfinite(closed := _closed(row)):
        return [*figures, figure(f"{head}, share of the gap closed", closed, "1", target=CLOSED, at_most=False)]
    worse = row["student"] / row["direct"]
    return [*figures, figure(f"{head}, no gap: student over direct, MAE", worse, "1", target=NO_WORSE)]


def _summary(told: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """Over all panel-horizons, by teacher and family."""
    found: list[dict[str, Any]] = []
    for kind in ("mix", "macromodel"):
        for family in STUDENTS:
            rows = [r for panel in told.values() for r in panel["rows"][f"{kind} {family}"]["errors"].values()]
            closed = np.array([_closed(row) for row in rows])
            gap = np.isfinite(closed)
            met = np.where(gap, closed >= CLOSED, [row["student"] <= NO_WORSE * row["direct"] for row in rows])
            near = np.array([row["student"] <= NEAR * row["teacher"] for row in rows])
            head = f"{kind} to {family}: panel-horizons"
            found += [
                figure(f"{head} with half of the gap closed", float(met.mean()), "1", target=0.5, at_most=False,
                       n=len(rows), seed=seed),
                figure(f"{head} without a gap", float((~gap).sum()), "1", n=len(rows), seed=seed),
                figure(f"{head} within 3 % of the teacher", float(near.mean()), "1", n=len(rows), seed=seed),
            ]  # fmt: skip
    return found
