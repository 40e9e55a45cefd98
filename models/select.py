"""Selection: which family a zone's micromodel is of, from out-of-fold forecasts inside the training part.

The best family by relative error wins, unless a simpler one is as good: within one standard error of the difference
(over days) and within one percent. "Nothing but the usual value" is always among the candidates, so that a target
without a pattern gets no model that pretends to see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster, Validation

#: Families from simple to complex; the order breaks ties.
SIMPLEST_FIRST = ("historical_average", "ridge", "tree", "xgboost")
TIE_SHARE = 0.01  # trust learned out of fold (see `contract`) flatters a family of two parts by about half of it


@dataclass(frozen=True, slots=True)
class FamilyChoice:
    """A zone's family: its name, each candidate's relative error (1: as the usual value), and why."""

    family: str
    losses: dict[str, float]
    reason: str


def choose_family(candidates: Mapping[str, Forecaster], *, reference: Forecaster) -> FamilyChoice:
    """Choose among fitted candidates of one zone and target.

    Parameters
    ----------
    candidates : mapping of str to Forecaster
        By family, each with its `validation`.
    reference : Forecaster
        Its validation errors are the unit of each horizon's errors: the historical average of the same zone or of many.

    References
    ----------
    Breiman et al. (1984), the one-standard-error rule.
    """
    zone = next(iter(candidates.values())).zone_ids
    unit = horizon_unit(reference, zone)
    daily = {name: daily_loss(_record(model), unit) for name, model in candidates.items()}
    losses = {name: float(np.nanmean(loss)) for name, loss in daily.items()}
    order = [name for name in SIMPLEST_FIRST if name in losses] + sorted(set(losses) - set(SIMPLEST_FIRST))
    best = min(order, key=lambda name: losses[name])
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


def horizon_unit(reference: Forecaster, zone_ids: tuple[str, ...]) -> np.ndarray:
    """Mean absolute out-of-fold error of the reference by horizon in the given zones, shape (zones, S)."""
    record = _record(reference)
    error = np.abs(record.actual - record.point)[:, reference.places(zone_ids)]
    known = np.isfinite(error)
    mean = np.where(known, error, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.maximum(mean, 1e-9)


def daily_loss(record: Validation, unit: np.ndarray) -> np.ndarray:
    """Mean absolute error in `unit` of each local day, shape (days,); `nan` for a day without readings."""
    loss = np.abs(record.actual - record.point) / unit
    return by_day(loss.reshape(loss.shape[0], -1), record.day)


def by_day(loss: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Mean of the known entries of (n, k) by day, shape (days,)."""
    _, place = np.unique(day, return_inverse=True)
    known = np.isfinite(loss)
    total = np.bincount(place, np.where(known, loss, 0.0).sum(axis=1))
    count = np.bincount(place, known.sum(axis=1))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _record(model: Forecaster) -> Validation:
    if model.validation is None:
        raise ValueError(f"{model!r} carries no validation; it was loaded or refitted, fit it to choose")
    return model.validation
