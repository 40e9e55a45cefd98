"""Trials: settings of a family are tried inside the training part, within a budget, as long as there is hope."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from models.errors import SettingsError
from models.learner import Learner
from models.rows import Rows
from models.tuning.choice import Try, choose_try
from models.tuning.folds import Fold, blocks_of, rolling_folds
from models.tuning.scoring import (
    DaySums,
    as_class,
    check_loss,
    fold_forecast,
    longest,
    point_losses,
    standard_error,
    usual_losses,
)
from models.tuning.search import METHODS, Bayesian, Places, make_search

HOPELESS_SHARE = 0.05  # worse than the best by more than this, and by two standard errors: given up (assumption)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent: settings tried, processor seconds, or both, whichever ends first.

    With `tries` alone a result does not depend on how quick the machine is; with `cpu_s` it does. The setting to
    start from (the family's own defaults) is always tried in full; a later one is stopped between folds, so
    that a budget is overrun by no more than one misjudged fold.
    """

    tries: int = 20
    cpu_s: float | None = None


@dataclass(frozen=True, eq=False)
class TuningResult:
    """What tuning found.

    Attributes
    ----------
    family : str
    best : dict
        The settings to use; those not in the space keep the family's defaults.
    tries : tuple of Try
        In the order tried; the first is the family's defaults, or the simplest setting where the space leaves them out.
    chosen : int
        Place in `tries` of `best`.
    reason : str
        Why, in words.
    cpu_s : float
        Processor seconds, all tries.
    """

    family: str
    best: dict[str, Any]
    tries: tuple[Try, ...]
    chosen: int
    reason: str
    cpu_s: float
    folds: tuple[Fold, ...] = field(default=())

    @property
    def table(self) -> pd.DataFrame:
        """All tries: the settings, `loss` (1: "as usual"), `se`, `folds`, `cpu_s`, `pruned`, `chosen`, `why`."""
        rows = [
            {
                **t.settings, "loss": t.loss, "se": t.se, "folds": len(t.fold_losses), "cpu_s": t.cpu_s,
                "pruned": t.pruned, "chosen": k == self.chosen, "why": t.why,
            }
            for k, t in enumerate(self.tries)
        ]  # fmt: skip
        return pd.DataFrame(rows)


def tune(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    method: str = "grid",
    budget: Budget | int = 20,
    folds: int = 3,
    seed: int = 0,
    loss: str | float = "absolute",
    zone_features: np.ndarray | None = None,
    space: Mapping[str, Sequence[Any]] | None = None,
    fixed: Mapping[str, Any] | None = None,
    day: np.ndarray | None = None,
    max_zones: int | None = None,
    gap: int | None = None,
) -> TuningResult:
    """Choose a family's settings by forecasts of blocks that come after the rows fitted on.

    Parameters
    ----------
    family : str or class of Learner
    rows : Rows
        Of the training part alone, oldest first, one a step.
    y : ndarray of float32, shape (n, Z, S)
        Outcomes in the zone's scale; `nan` where nothing is known.
    method : "grid", "random" or "optuna"
        "optuna" needs the extra `tuning`.
    budget : Budget or int
        An int is a number of tries.
    folds : int
        Blocks scored, see `rolling_folds`.
    seed : int
        Of the learners, the order of the tries and the sample of zones.
    loss : "absolute", "squared" or float
        See `point_losses`; each horizon counts alike, in units of what the forecast "as usual" loses there.
    zone_features : ndarray or None, shape (Z, E)
    space : mapping of str to sequence, or None
        Values to try by setting, from simple to complex; None takes the family's own `space`.
    fixed : mapping or None
        Settings that all tries share.
    day : ndarray of int, shape (n,), or None
        Local day of each row: standard errors are over days; None takes ten blocks a fold.
    max_zones : int or None
        Score on a sample of so many zones, for cities too large to try everything on.
    gap : int or None
        Rows between those fitted on and those scored; None takes the longest horizon.

    Returns
    -------
    TuningResult

    Raises
    ------
    SettingsError
        Naming every argument that cannot be followed.
    ShortHistoryError
        If the rows are too few for the folds.
    TunerMissingError
        If method is "optuna" and the package is not there.

    Notes
    -----
    A try is given up when, on the folds scored so far, it is worse than the best by more than 5 % and two standard
    errors of their difference (by Optuna's median rule for that method). Of the tries left the simplest one is taken
    that is within one standard error of the difference to the best and within 0.5 % of its loss (Breiman et al. 1984,
    doi:10.1201/9781315139470, the rule of one standard error; here of the paired difference, which is sharper).
    """
    kind = as_class(family)
    tried = {name: tuple(values) for name, values in (kind.space if space is None else space).items()}
    fixed = dict(fixed or {})
    budget = Budget(tries=budget) if isinstance(budget, int) else budget
    _check(kind, tried, fixed, method, budget, rows, y, max_zones)
    check_loss(loss)
    parts = rolling_folds(rows.shape[0], folds=folds, gap=longest(rows) if gap is None else gap, day=day)
    rows, y, zone_features = sample_zones(rows, y, zone_features, max_zones, seed)
    bench = Bench(kind, rows, y, parts, day=day, loss=loss, seed=seed, zone_features=zone_features)
    start = tuple(_place_of(kind.defaults.get(name), values) for name, values in tried.items())
    search = make_search(method, tried, start, budget.tries, seed)
    done: list[Try] = []
    started = time.process_time()
    stopped = ""
    while len(done) < budget.tries:
        if done and budget.cpu_s is not None and not _affordable(done, time.process_time() - started, budget.cpu_s):
            stopped = f"; {budget.cpu_s:g} CPU s were spent after {len(done)} tries"
            break
        places = search.ask()
        if places is None:
            break
        settings = {name: tried[name][k] for name, k in zip(tried, places)}
        left = None if budget.cpu_s is None or not done else budget.cpu_s - (time.process_time() - started)
        give_up = search.hopeless if isinstance(search, Bayesian) else None
        found = _run(bench, settings, fixed, places, done, left, give_up)
        search.tell(found.loss, pruned=found.pruned)
        done.append(found)
    chosen, reason = choose_try(done)
    reason += f"; {len(done)} tried by {method}, {sum(t.pruned for t in done)} of them given up early{stopped}"
    return TuningResult(
        kind.family, {**fixed, **done[chosen].settings}, tuple(done), chosen, reason,
        time.process_time() - started, parts,
    )  # fmt: skip


class Bench:
    """Folds of the training part on which settings are scored alike."""

    def __init__(
        self,
        kind: type[Learner],
        rows: Rows,
        y: np.ndarray,
        folds: tuple[Fold, ...],
        *,
        day: np.ndarray | None,
        loss: str | float,
        seed: int,
        zone_features: np.ndarray | None,
    ) -> None:
        self.kind, self.rows, self.y, self.folds = kind, rows, y, folds
        self.loss, self.seed, self.zone_features = loss, seed, zone_features
        self.unit = usual_losses(y[folds[0].score.start :], loss)
        self.blocks = [
            blocks_of(f.score.stop - f.score.start, None if day is None else day[f.score]) for f in folds
        ]  # fmt: skip

    def score(self, settings: Mapping[str, Any], k: int) -> DaySums:
        """Losses of a setting in the k-th fold."""
        fold = self.folds[k]
        forecast = fold_forecast(
            self.kind, settings, self.rows, self.y, fold, seed=self.seed, zone_features=self.zone_features
        )
        return DaySums.of(point_losses(self.y[fold.score], forecast, self.loss), self.blocks[k], self.unit)

    @property
    def growth(self) -> list[float]:
        """How many times the rows of one fold the next fits on."""
        return [b.fit.stop / a.fit.stop for a, b in pairwise(self.folds)]


def sample_zones(
    rows: Rows, y: np.ndarray, zone_features: np.ndarray | None, max_zones: int | None, seed: int
) -> tuple[Rows, np.ndarray, np.ndarray | None]:
    """The same for a sample of the zones that have any outcome, in their order."""
    if max_zones is None or max_zones >= rows.shape[1]:
        return rows, y, zone_features
    heard = np.flatnonzero(np.isfinite(y).any(axis=(0, 2)))
    drawn = np.sort(np.random.default_rng(seed).permutation(heard)[:max_zones])
    return rows.pick(drawn), y[:, drawn], None if zone_features is None else zone_features[drawn]


def _run(
    bench: Bench,
    settings: dict[str, Any],
    fixed: Mapping[str, Any],
    places: Places,
    done: Sequence[Try],
    left_s: float | None,
    give_up: Any,
) -> Try:
    """Score one setting fold by fold, as long as there is hope and budget."""
    began = time.process_time()
    sums: list[DaySums] = []
    losses: list[float] = []
    running: list[float] = []
    best = min((t for t in done if not t.pruned), key=lambda t: t.loss, default=None)
    why = ""
    for k in range(len(bench.folds)):
        at = time.process_time()
        try:
            part = bench.score({**fixed, **settings}, k)
        except SettingsError as error:
            if not done:
                raise
            why = f"refused: {error}"
            break
        sums.append(part)
        losses.append(part.mean())
        joined = DaySums.joined(sums)
        running.append(joined.mean())
        if not np.isfinite(running[-1]):
            why = "its forecasts are not finite"
            break
        if k + 1 == len(bench.folds):
            break
        now = time.process_time()
        if left_s is not None and (now - began) + (now - at) * bench.growth[k] > left_s:
            why = "the budget ended"
            break
        if give_up(running) if give_up is not None else best is not None and _hopeless(joined, best):
            why = f"hopeless after fold {k + 1} of {len(bench.folds)}"
            break
    empty = DaySums(np.zeros((0, 0)), np.zeros((0, 0)))
    return Try(
        settings, places, tuple(losses), DaySums.joined(sums) if sums else empty, time.process_time() - began,
        bool(why), why,
    )  # fmt: skip


def _hopeless(joined: DaySums, best: Try) -> bool:
    """Clearly worse than the best on the same blocks."""
    mine = joined.by_day()
    other = best.sums.by_day()[: mine.size]
    behind = float(np.nanmean(mine - other))
    return behind > HOPELESS_SHARE * float(np.nanmean(other)) and behind > 2 * float(standard_error(mine - other))


def _affordable(done: Sequence[Try], spent: float, limit: float) -> bool:
    """Whether another try, as costly as the median one so far, fits."""
    return spent + float(np.median([t.cpu_s for t in done])) <= limit


def _place_of(value: Any, values: Sequence[Any]) -> int:
    """Place of a default among the values tried; the first where it is not among them."""
    return next((k for k, other in enumerate(values) if other == value), 0)


def _check(
    kind: type[Learner],
    space: Mapping[str, Sequence[Any]],
    fixed: Mapping[str, Any],
    method: str,
    budget: Budget,
    rows: Rows,
    y: np.ndarray,
    max_zones: int | None,
) -> None:
    """Every fault at once."""
    faults = []
    unknown = sorted((set(space) | set(fixed)) - set(kind.defaults))
    if unknown:
        faults.append(f"{kind.family} has no setting {unknown}; it has {sorted(kind.defaults)}")
    if empty := sorted(name for name, values in space.items() if not values):
        faults.append(f"the space has no values for {empty}")
    if both := sorted(set(space) & set(fixed)):
        faults.append(f"{both} are both tried and fixed; leave them out of one")
    if method not in METHODS:
        faults.append(f"there is no method {method!r}; there are {METHODS}")
    if budget.tries < 1:
        faults.append(f"budget of {budget.tries} tries; at least 1")
    if budget.cpu_s is not None and budget.cpu_s <= 0:
        faults.append(f"budget of {budget.cpu_s:g} CPU s; above 0")
    if max_zones is not None and max_zones < 1:
        faults.append(f"max_zones={max_zones}; at least 1")
    if y.shape != rows.shape:
        faults.append(f"y has shape {y.shape}; the rows have {rows.shape} (origins, zones, horizons)")
    if faults:
        raise SettingsError("cannot tune: " + "; ".join(faults))


__all__ = ["Bench", "Budget", "Try", "TuningResult", "choose_try", "tune"]
