"""Selection in operation: candidates are fitted fold by fold, as long as there is hope and budget.

`train` fits every candidate in full. Where many compete that is waste: after its first fold a hopeless one is given up
(successive halving by evidence, not by halves: who is clearly behind goes, be it none or nine of ten), and a budget of
processor seconds or of fits is kept to, simple candidates first. Whoever is given up or left out is named, with the
reason, in every zone's row of `choices`.

References
----------
Jamieson & Talwalkar (2016), AISTATS, PMLR 51, 240-248 (successive halving); Maron & Moore (1997),
doi:10.1023/A:1006556606079 (racing: give up what is clearly behind).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.candidates import Candidate
from models.design import Workbench
from models.errors import SettingsError
from models.forecasting import LearnedForecaster
from models.guard import Apparent, apparent, blocks, percent
from models.panel import Panel
from models.select import daily_losses, error_unit, pooled
from models.tuning.scoring import standard_error
from models.turns import kind_of
from models.validation import Validation

BEHIND = 0.05  # of the best's error: how far behind a zone's best a candidate is hopeless there (assumed)
CLEAR_SE = 2.0  # and standard errors of the difference over all zones (convention: about one in forty by chance)
ROOM = 0.05  # share of the zones in which it may be nearer, and still goes (assumed)
PILOT_PARTS = 16  # of the first fold's rows that a pilot learns from, to tell what a fit will cost


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a selection may spend, over all targets: processor seconds, fits, or both, whichever ends first.

    One fit is one fold, or the last fit on everything, of one candidate for all zones of a target: three make a
    candidate of use. With `fits` alone a result does not depend on how quick the machine is; with `cpu_s` it does. The
    simplest candidate that learns a zone at a time is fitted in full whatever the allowance, since a training must end
    with a model.

    Raises
    ------
    SettingsError
        For an amount that is not above 0.
    """

    cpu_s: float | None = None
    fits: int | None = None

    def __post_init__(self) -> None:
        faults = [f"{name}={value}" for name, value in (("cpu_s", self.cpu_s), ("fits", self.fits))
                  if value is not None and not value > 0]  # fmt: skip
        if faults:
            raise SettingsError(f"a budget must be above 0; found {', '.join(faults)}")

    def part(self, of: int) -> Allowance:
        """An equal share of it."""
        return Allowance(
            None if self.cpu_s is None else self.cpu_s / of, None if self.fits is None else max(1, self.fits // of)
        )

    @property
    def words(self) -> str:
        """In words."""
        told = [] if self.cpu_s is None else [f"{self.cpu_s:g} CPU s"]
        return " and ".join(told + ([] if self.fits is None else [f"{self.fits} fits"]))


@dataclass(frozen=True, eq=False)
class Operated:
    """What became of the candidates of one target.

    Attributes
    ----------
    fitted : dict of str to LearnedForecaster
        Those fitted in full.
    seconds : dict of str to float
        Processor seconds of every candidate, also of those given up.
    seen : dict of str to Apparent
        See `guard.apparent`.
    left_out : dict of str to str
        Why a candidate was given up, or not begun.
    fits : int
        Fits made.
    tuned : dict of str to str
        Why these settings, in words, where they were tuned before.
    """

    fitted: dict[str, LearnedForecaster]
    seconds: dict[str, float]
    seen: dict[str, Apparent]
    left_out: dict[str, str]
    fits: int
    tuned: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Who was given up or left out, in a sentence; empty for nobody."""
        return (
            "Not fitted in full: " + "; ".join(f"{n} ({w})" for n, w in self.left_out.items()) if self.left_out else ""
        )


@dataclass(eq=False)
class _Course:
    """One candidate on its way."""

    candidate: Candidate
    model: LearnedForecaster
    parts: list[Validation] = field(default_factory=list)
    stage_s: list[float] = field(default_factory=list)
    pilot_s: float = 0.0

    @property
    def name(self) -> str:
        return self.candidate.name


def operate(
    past: Panel,
    target: str,
    zones: Sequence[str],
    group: Sequence[Candidate],
    when: Mapping[str, Any],
    *,
    seed: int,
    allowance: Allowance | None = None,
    prune: bool = True,
    keep: Sequence[str] = (),
) -> Operated:
    """Fit candidates of one target fold by fold; give up who is hopeless, and stop where the allowance ends.

    Parameters
    ----------
    past : Panel
        The training part.
    target : str
    zones : sequence of str
    group : sequence of Candidate
        At least one that learns a zone at a time.
    when : mapping
        `train_end`, `calibrate_from`, `steps` of `contract.Forecaster.fit`.
    seed : int
    allowance : Allowance or None
    prune : bool
        Whether hopeless candidates are given up after a fold: those that, among the candidates of their kind (a zone at
        a time, or citywide), are behind the best by more than 5 % in at least 95 % of the zones, and by two standard
        errors over all zones.
    """
    bench = Workbench(past, target=target, zone_ids=zones, steps=when["steps"])
    order = sorted(group, key=lambda c: (c.rank, c.learner.scope, c.name))
    first = next(c for c in order if c.learner.scope == "zone")
    safe = {first.name, *keep}
    race = _Field(bench, _Purse(allowance), prune, safe)
    waiting = [_Course(c, c.forecaster(seed)) for c in sorted(order, key=lambda c: c.name not in safe)]
    for course in waiting:
        _, race.end, race.edges = course.model.begin(past, target, zones, bench=bench, **when)
    for _ in range(2):  # who found no room at first may find some once others were given up
        waiting = [course for course in waiting if not race.start(course)]
        race.give_up(0)
    for course in waiting:
        race.left_out[course.name] = f"the budget of {race.purse.words} would not have sufficed"
    for fold in range(1, len(race.edges) - 1):
        race.go_on(fold)
        if fold < len(race.edges) - 2:
            race.give_up(fold)
    return race.conclude()


class _Purse:
    """What was spent, and whether more is affordable."""

    def __init__(self, allowance: Allowance | None) -> None:
        self.limit = allowance or Allowance()
        self.words = self.limit.words
        self.begun, self.fits = time.process_time(), 0

    @property
    def spent(self) -> float:
        return time.process_time() - self.begun

    def affords(self, seconds: float, fits: int) -> bool:
        slow = self.limit.cpu_s is not None and self.spent + seconds > self.limit.cpu_s
        return not slow and (self.limit.fits is None or self.fits + fits <= self.limit.fits)


class _Field:
    """All candidates of a target on their way."""

    def __init__(self, bench: Workbench, purse: _Purse, prune: bool, safe: set[str]) -> None:
        self.bench, self.purse, self.prune, self.safe = bench, purse, prune, safe
        self.end, self.edges = 0, np.zeros(0, dtype=int)
        self.alive: list[_Course] = []
        self.left_out: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def start(self, course: _Course) -> bool:
        """Score the first fold, if that and all that is to follow is affordable."""
        if course.name not in self.safe:
            if self.purse.limit.cpu_s is not None and not course.pilot_s:
                course.pilot_s = self._pilot(course)
            wanted = course.pilot_s * self._growth(0) + sum(self._ahead(other) for other in self.alive)
            left = sum(self._fits_left(other) for other in self.alive)
            if not self.purse.affords(wanted, left + len(self.edges)):
                return False
        self._score(course, 0)
        self.alive.append(course)
        return True

    def go_on(self, fold: int) -> None:
        """Score the next fold of those left, the best first; who is no longer affordable goes."""
        for course in self._by_merit():
            fits = len(self.edges) - fold
            if course.name not in self.safe and not self.purse.affords(self._ahead(course), fits):
                self.alive.remove(course)
                self.left_out[course.name] = f"the budget of {self.purse.words} ended after {told_folds(fold)}"
                continue
            self._score(course, fold)

    def give_up(self, fold: int) -> None:
        """Let go of the hopeless ones of either kind."""
        if not self.prune:
            return
        for scope in ("zone", "city"):
            rivals = [course for course in self.alive if course.candidate.learner.scope == scope]
            if len(rivals) < 2:
                continue
            records = {course.name: Validation.join(course.parts) for course in rivals}
            self.left_out |= {n: why for n, why in hopeless(records, fold + 1).items() if n not in self.safe}
        self.alive = [course for course in self.alive if course.name not in self.left_out]

    def conclude(self) -> Operated:
        """Fit on everything, the best first."""
        fitted, seen = {}, {}
        for course in self._by_merit():
            if course.name not in self.safe and not self.purse.affords(self._ahead(course), 1):
                self.left_out[course.name] = f"the budget of {self.purse.words} ended before its last fit"
                continue

            def last(course: _Course = course) -> None:
                course.model.conclude(self.bench, self.end, course.parts)
                seen[course.name] = apparent(course.model, self.bench, self.end)

            self._timed(course, last)
            self.purse.fits += 1
            fitted[course.name] = course.model
        return Operated(fitted, self.seconds, seen, self.left_out, self.purse.fits)

    def _score(self, course: _Course, fold: int) -> None:
        a, b = int(self.edges[fold]), int(self.edges[fold + 1])
        taken = self._timed(course, lambda: course.parts.append(course.model._validate(self.bench, fold, a, b)))
        course.stage_s.append(taken)
        self.purse.fits += 1

    def _timed(self, course: _Course, work: Callable[[], object]) -> float:
        begun = time.process_time()
        work()
        taken = time.process_time() - begun
        self.seconds[course.name] = self.seconds.get(course.name, 0.0) + taken
        return taken

    def _pilot(self, course: _Course) -> float:
        """About the seconds of a first fold, from a part of its rows; the quicker of two, as the first may compile."""
        design = self.bench.design(int(self.edges[0]), course.model.reference)
        part = slice(0, max(1, design.rows.shape[0] // PILOT_PARTS))
        taken = []
        for _ in range(2):
            begun = time.process_time()
            learner = kind_of(course.model.learner)(seed=course.model.seed, **course.model.learner.settings)
            learner.fit(design.rows.take(part), design.outcome[part], zone_features=design.zone_features)
            taken.append(time.process_time() - begun)
        return min(taken) * PILOT_PARTS

    def _growth(self, fold: int) -> float:
        """Seconds of a fold and all that follows it, in units of that fold's: as the rows."""
        rows = np.append(self.edges[fold:-1], self.end)
        return float(rows.sum() / rows[0])

    def _ahead(self, course: _Course) -> float:
        """Seconds that a candidate will still take."""
        done = len(course.stage_s)
        return course.stage_s[-1] * (self._growth(done - 1) - 1)

    def _fits_left(self, course: _Course) -> int:
        return len(self.edges) - len(course.stage_s)

    def _by_merit(self) -> list[_Course]:
        """Those left: the best of each kind first, a zone's kind before the citywide, then by their error."""
        if len(self.alive) < 2:
            return list(self.alive)
        unit = usual_unit(self.alive[0].parts[0])
        loss = {
            course.name: float(np.nanmean(pooled(daily_losses(Validation.join(course.parts), unit))))
            for course in self.alive
        }
        ranked = sorted(self.alive, key=lambda course: loss[course.name])
        heads = [next((c for c in ranked if c.candidate.learner.scope == scope), None) for scope in ("zone", "city")]
        return [c for c in heads if c is not None] + [c for c in ranked if c not in heads]


def hopeless(records: Mapping[str, Validation], folds: int) -> dict[str, str]:
    """Candidates of one kind that are clearly behind, with the reason in words.

    Parameters
    ----------
    records : mapping of str to Validation
        Of the same rows.
    folds : int
        Folds scored so far, for the words.
    """
    first = next(iter(records.values()))
    unit, block = usual_unit(first), blocks(first.day)
    daily = {name: daily_losses(replace(record, day=block), unit) for name, record in records.items()}
    table = np.stack([pooled(losses) for losses in daily.values()])
    names = list(records)
    best = int(np.nanargmin(np.nanmean(table, axis=1)))
    found = {}
    for k, name in enumerate(names):
        behind = table[k] / np.nanmin(table, axis=0) - 1
        if k == best or np.mean(behind <= BEHIND) > ROOM:
            continue
        gap = np.nanmean(daily[name] - daily[names[best]], axis=1)
        if np.nanmean(gap) > CLEAR_SE * float(standard_error(gap)):
            share = float(np.nanmean(table[k]) / np.nanmean(table[best]) - 1)
            found[name] = f"{percent(share)} more error than {names[best]} after {told_folds(folds)}"
    return found


def usual_unit(record: Validation) -> np.ndarray:
    """Mean error of the usual value by zone and horizon (Z, S), as `select.error_unit`, from any candidate's record."""
    return error_unit(replace(record, deviation=np.zeros_like(record.deviation)))


def told_folds(count: int) -> str:
    """Number of folds in words.

    Examples
    --------
    >>> told_folds(1), told_folds(2)
    ('the first fold', '2 folds')
    """
    return "the first fold" if count == 1 else f"{count} folds"


__all__ = ["Allowance", "Operated", "hopeless", "operate"]
