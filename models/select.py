"""Selection: which family a zone's micromodel is of, and whether it, the macromodel or a mix serves the zone.

Everything rests on out-of-fold errors inside the training part. The best family by relative error wins, unless a
simpler one is as good: within one standard error of the difference (over days) and within half a percent. "Nothing
but the usual value" is always among the candidates, so that a target without a pattern gets no model that pretends to
see one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.learner import Learner
from models.scale import from_scale
from models.validation import Validation
from models.weights import stacking_weights

TIE_SHARE = 0.005  # how much worse a simpler family may be and still be taken
MIX_GAIN = 0.005  # least gain of a mix over the better part
CLEAR = 1.645  # two-sided 90 % of a normal


@dataclass(frozen=True, slots=True)
class FamilyChoice:
    """A zone's family: its name, each candidate's relative error (1: as the usual value), and why."""

    family: str
    losses: dict[str, float]
    reason: str


def simplest_first(names: Sequence[str]) -> list[str]:
    """Names of families from simple to complex; what is no learner (the historical average) comes first."""
    rank = {name: Learner.registry[name].rank if name in Learner.registry else 0.0 for name in names}
    return sorted(names, key=lambda name: (rank[name], name))


def choose_families(records: Mapping[str, Validation], unit: np.ndarray) -> list[FamilyChoice]:
    """Choose a family for each zone.

    Parameters
    ----------
    records : mapping of str to Validation
        By family, of the same zones, origins and horizons.
    unit : ndarray, shape (Z, S)
        Errors count in these: the mean error of a reference at each horizon (see `error_unit`).

    Returns
    -------
    list of FamilyChoice, length Z

    References
    ----------
    Breiman et al. (1984), the one-standard-error rule.
    """
    order = simplest_first(list(records))
    daily = {name: daily_losses(records[name], unit) for name in order}
    mean = {name: np.nanmean(loss, axis=0) for name, loss in daily.items()}
    table = np.stack([mean[name] for name in order])
    found = []
    for z in range(table.shape[1]):
        losses = {name: float(value) for name, value in zip(order, table[:, z])}
        best = order[int(np.nanargmin(table[:, z]))] if np.isfinite(table[:, z]).any() else order[0]
        found.append(_parsimonious(order, best, losses, {name: daily[name][:, z] for name in order}))
    return found


def _parsimonious(order: list[str], best: str, losses: dict[str, float], daily: dict[str, np.ndarray]) -> FamilyChoice:
    for name in order[: order.index(best)]:
        gap = daily[name] - daily[best]
        error = float(np.nanstd(gap) / np.sqrt(max(np.isfinite(gap).sum() - 1, 1)))
        if losses[name] - losses[best] <= min(error, TIE_SHARE * losses[best]):
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


def crossed_point(records: Sequence[Validation]) -> np.ndarray:
    """Forecasts of a stack whose weights were learned on the other folds alone, shape (n, Z, S), target's unit.

    What a stack promises on the rows that its weights were learned from is too good; this is what choices rest on.
    """
    first = records[0]
    levels = np.stack([record.level for record in records])
    errors = levels - first.reading
    folds = np.unique(first.fold)
    out = np.empty(first.reading.shape, dtype=float)
    for fold in folds:
        inside = first.fold == fold
        rest = ~inside if len(folds) > 1 else inside
        weights = stacking_weights(errors[:, rest], first.day[rest])
        out[inside] = np.einsum("mnzs,mzs->nzs", levels[:, inside], weights)
    return from_scale(first.target, out)


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
    micro: Validation, macro: Validation | None, naive: Validation, mix_point: np.ndarray | None, unit: np.ndarray
) -> InUse:
    """Micromodel, macromodel or mix for one zone, from forecasts of readings that none had seen.

    Parameters
    ----------
    micro, macro, naive : Validation
        Of the one zone, on the same rows: its chosen micromodel, the macromodel, seasonal naive.
    mix_point : ndarray or None, shape (n, 1, S)
        Forecasts of the mix with weights learned on other rows (see `crossed_point`).
    unit : ndarray, shape (1, S)
        See `choose_families`.
    """
    naive_mae, micro_mae = mean_error(naive), mean_error(micro)
    own = daily_losses(micro, unit)[:, 0]
    days = int(np.isfinite(own).sum())
    if macro is None:
        return InUse("micromodel", micro_mae, float("nan"), naive_mae, float("nan"), days, "There is no macromodel")
    city = daily_losses(macro, unit)[:, 0]
    gap = own - city
    error = float(np.nanstd(gap, ddof=1) / np.sqrt(days)) if days > 1 else float("inf")
    clear = abs(float(np.nanmean(gap))) > CLEAR * error
    losses = float(np.nanmean(own)), float(np.nanmean(city))
    macro_mae, mix_mae = mean_error(macro), float("nan")
    share = (losses[0] - losses[1]) / losses[1]
    if mix_point is not None:
        mixed = float(np.nanmean(daily_losses(micro, unit, mix_point)[:, 0]))
        mix_mae = float(np.nanmean(np.abs(micro.actual - mix_point)))
        gain = 1 - mixed / min(losses)
        if gain > MIX_GAIN:
            told = f"{100 * gain:.1f} % less error than the better of the two"
            return InUse("mix", micro_mae, macro_mae, naive_mae, mix_mae, days, told)
    if clear and share > 0:
        told = f"{100 * share:.1f} % more error without it, clear of chance"
        return InUse("macromodel", micro_mae, macro_mae, naive_mae, mix_mae, days, told)
    told = f"{-100 * share:.1f} % less error, clear of chance" if clear else "a draw, so the smaller model serves"
    return InUse("micromodel", micro_mae, macro_mae, naive_mae, mix_mae, days, told)


def mean_error(record: Validation) -> float:
    """Mean absolute out-of-fold error, in the target's unit; `nan` where nothing is known."""
    error = np.abs(record.actual - record.point)
    known = error[np.isfinite(error)]
    return float(known.mean()) if known.size else float("nan")
