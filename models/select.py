"""Selection: which family a zone's micromodel is of, and whether it, the macromodel or a mix serves the zone.

Everything rests on out-of-fold errors inside the training part; a zone's own are drawn towards those of all zones, by
the days that there are, so that a short history does not choose by luck. The best family by relative error wins,
unless a simpler one is as good: within one standard error of the difference (over days) and within half a percent.
Of macromodel and mix, where they err alike, the mix serves: forecasts combined suffer less when the world changes
(Clemen 1989, doi:10.1016/0169-2070(89)90012-5). "Nothing but the usual value" is always among the candidates, so that
a target without a pattern gets no model that pretends to see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import SettingsError
from models.validation import Validation

TIE_SHARE = 0.005  # how much worse a simpler family may be and still be taken
CLEAR = 1.645  # two-sided 90 % of a normal
POOL_DAYS = 10.0  # days of left-out errors that all zones together count for beside a zone's own (assumed)

#: When a simpler family is as good as the best: within one standard error of the difference and within `TIE_SHARE`
#: ("both"), within either alone ("error", "share"), or only where it is the best itself ("least").
Rule = Literal["both", "error", "share", "least"]
RULES: tuple[Rule, ...] = ("both", "error", "share", "least")


@dataclass(frozen=True, slots=True)
class FamilyChoice:
    """A zone's family: its name, each candidate's relative error (1: as the usual value), and why."""

    family: str
    losses: dict[str, float]
    reason: str


def choose_families(
    records: Mapping[str, Validation], unit: np.ndarray, ranks: Mapping[str, float], *, rule: Rule = "both"
) -> list[FamilyChoice]:
    """Choose a family for each zone.

    Parameters
    ----------
    records : mapping of str to Validation
        By candidate, of the same zones, origins and horizons.
    unit : ndarray, shape (Z, S)
        Errors count in these: the mean error of a reference at each horizon (see `error_unit`).
    ranks : mapping of str to float
        How complex each candidate is (see `learner.Learner.rank`): of two as good the lower one is taken.
    rule : {"both", "error", "share", "least"}
        When two are as good, see `Rule`.

    Returns
    -------
    list of FamilyChoice, length Z

    Raises
    ------
    SettingsError
        For another rule.

    References
    ----------
    Breiman et al. (1984), the one-standard-error rule.
    """
    if rule not in RULES:
        raise SettingsError(f"there is no rule {rule!r} for a simpler family; there are {RULES}")
    order = sorted(records, key=lambda name: (ranks[name], name))
    daily = {name: daily_losses(records[name], unit) for name in order}
    table = np.stack([pooled(daily[name]) for name in order])
    found = []
    for z in range(table.shape[1]):
        losses = {name: float(value) for name, value in zip(order, table[:, z])}
        best = order[int(np.nanargmin(table[:, z]))] if np.isfinite(table[:, z]).any() else order[0]
        found.append(_parsimonious(order, best, losses, {name: daily[name][:, z] for name in order}, rule))
    return found


def _parsimonious(
    order: list[str], best: str, losses: dict[str, float], daily: dict[str, np.ndarray], rule: Rule
) -> FamilyChoice:
    for name in order[: order.index(best)] if rule != "least" else ():
        gap = daily[name] - daily[best]
        error = float(np.nanstd(gap) / np.sqrt(max(np.isfinite(gap).sum() - 1, 1)))
        share = TIE_SHARE * losses[best]
        if losses[name] - losses[best] <= {"both": min(error, share), "error": error}.get(rule, share):
            return FamilyChoice(
                name, losses, f"{name} is as good as {best} ({losses[name]:.3f} and {losses[best]:.3f} of the usual"
                f" value's error on days left out) and simpler"
            )  # fmt: skip
    others = [name for name in order if name != best]
    second = min(others, key=lambda name: losses[name]) if others else best
    return FamilyChoice(
        best, losses, f"{best} had the smallest error on days left out: {losses[best]:.3f} of the usual value's error,"
        f" next {second} with {losses[second]:.3f}"
    )  # fmt: skip


def nested_losses(
    records: Mapping[str, Validation], unit: np.ndarray, ranks: Mapping[str, float], *, rule: Rule = "both"
) -> np.ndarray:
    """What choosing itself keeps: loss of each zone on a fold, of the candidate chosen on the other folds, shape (Z,).

    The loss of the candidate that was chosen, on the rows that it was chosen on, is flattered by the choice (Cawley &
    Talbot 2010, JMLR 11, 2079-2107); this one is not. 1 is the usual value's; `nan` where there is one fold alone.

    Parameters
    ----------
    records, unit, ranks, rule
        As for `choose_families`.
    """
    first = next(iter(records.values()))
    folds = np.unique(first.fold)
    zones = unit.shape[0]
    total, count = np.zeros(zones), np.zeros(zones)
    for fold in folds if folds.size > 1 else ():
        rest, inside = first.fold != fold, np.flatnonzero(first.fold == fold)
        chosen = choose_families({n: r.during(rest) for n, r in records.items()}, unit, ranks, rule=rule)
        for name in {choice.family for choice in chosen}:
            mine = np.array([z for z, choice in enumerate(chosen) if choice.family == name])
            part = records[name].during(inside).pick(mine)
            loss = np.abs(part.actual - part.point) / unit[mine]
            total[mine] += np.nansum(loss, axis=(0, 2))
            count[mine] += np.isfinite(loss).sum(axis=(0, 2))
    return np.divide(total, count, out=np.full(zones, np.nan), where=count > 0)


def error_unit(record: Validation) -> np.ndarray:
    """Mean absolute out-of-fold error by zone and horizon, shape (Z, S), above 0, in the target's unit."""
    error = np.abs(record.actual - record.point)
    known = np.isfinite(error)
    mean = np.where(known, error, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.maximum(mean, 1e-9)


def daily_losses(record: Validation, unit: np.ndarray, point: np.ndarray | None = None) -> np.ndarray:
    """Mean absolute error in `unit` over the horizons, by local day and zone: shape (days, Z); `nan` for none."""
    loss = np.abs(record.actual - (record.point if point is None else point)) / unit
    known = np.isfinite(loss)
    total, count = np.where(known, loss, 0.0).sum(axis=2), known.sum(axis=2)
    _, place = np.unique(record.day, return_inverse=True)
    days = int(place.max()) + 1
    sums, counts = np.zeros((days, loss.shape[1])), np.zeros((days, loss.shape[1]))
    np.add.at(sums, place, total)
    np.add.at(counts, place, count)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True, slots=True)
class InUse:
    """Which model serves a zone, and the numbers that say so: mean errors over the horizons, in the target's unit."""

    model: str
    micro_mae: float
    macro_mae: float
    naive_mae: float
    mix_mae: float
    days: int
    comparison: str


def choose_in_use(
    micro: Validation,
    macro: Validation | None,
    naive: Validation,
    mix_point: np.ndarray | None,
    unit: np.ndarray,
) -> list[InUse]:
    """Micromodel, macromodel or mix for each zone, from forecasts of readings that none had seen.

    Parameters
    ----------
    micro, macro, naive : Validation
        On the same rows: each zone's chosen micromodel, the macromodel, seasonal naive.
    mix_point : ndarray or None, shape (n, Z, S)
        Forecasts of the mix with weights learned on other rows (see `ensemble`).
    unit : ndarray, shape (Z, S)
        See `choose_families`.

    Returns
    -------
    list of InUse, length Z
    """
    zones = unit.shape[0]
    naive_mae, micro_mae = mean_errors(naive), mean_errors(micro)
    own = daily_losses(micro, unit)
    days = np.isfinite(own).sum(axis=0)
    nothing = np.full(zones, np.nan)
    if macro is None:
        return [
            InUse("micromodel", micro_mae[z], np.nan, naive_mae[z], np.nan, int(days[z]), "There is no macromodel")
            for z in range(zones)
        ]
    city = daily_losses(macro, unit)
    mixed = nothing if mix_point is None else pooled(daily_losses(micro, unit, mix_point))
    macro_mae = mean_errors(macro)
    mix_mae = nothing if mix_point is None else _means(np.abs(micro.actual - mix_point))
    gap = own - city
    error = np.full(zones, np.inf)
    if own.shape[0] > 1:
        error = np.nanstd(gap, axis=0, ddof=1) / np.sqrt(np.maximum(days, 1))
    table = np.stack([pooled(own), pooled(city), mixed])
    best = np.nanmin(table, axis=0)
    found = []
    for z in range(zones):
        clear = bool(abs(float(np.nanmean(gap[:, z]))) > CLEAR * error[z]) if np.isfinite(error[z]) else False
        share = table[0, z] / table[1, z] - 1
        if table[0, z] <= (1 + TIE_SHARE) * best[z]:
            model = "micromodel"
            told = f"{abs(100 * share):.1f} % {'less' if share <= 0 else 'more'} error than the macromodel"
            told += ", clear of chance" if clear else ", a draw in which the smaller model serves"
        elif not np.isfinite(table[2, z]) or table[1, z] < (1 - TIE_SHARE) * table[2, z]:
            model, told = "macromodel", f"{100 * share:.1f} % more error without it"
            told += ", clear of chance" if clear else ""
        else:
            gain = 1 - table[2, z] / min(table[0, z], table[1, z])
            told = f"{abs(100 * gain):.1f} % {'less' if gain >= 0 else 'more'} error than the better of the two"
            model = "mix"
        found.append(InUse(model, micro_mae[z], macro_mae[z], naive_mae[z], mix_mae[z], int(days[z]), told))
    return found


def pooled(daily: np.ndarray) -> np.ndarray:
    """Mean loss of each zone (days, Z), drawn towards that of all zones by `POOL_DAYS`: shape (Z,)."""
    known = np.isfinite(daily)
    days = known.sum(axis=0)
    own = np.where(known, daily, 0.0).sum(axis=0) / np.maximum(days, 1)
    every = own[days > 0].mean() if (days > 0).any() else np.nan
    return np.asarray((days * own + POOL_DAYS * every) / (days + POOL_DAYS))


def mean_errors(record: Validation) -> np.ndarray:
    """Mean absolute out-of-fold error of each zone, shape (Z,), in the target's unit; `nan` where nothing is known."""
    return _means(np.abs(record.actual - record.point))


def _means(error: np.ndarray) -> np.ndarray:
    known = np.isfinite(error)
    count = known.sum(axis=(0, 2))
    total = np.where(known, error, 0.0).sum(axis=(0, 2))
    return np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0)
