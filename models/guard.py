"""The guard in service: a zone's model must show skill that is no luck, or it gives way to a simpler one, visibly.

Training asks two things of every model that was chosen, from out-of-fold forecasts that there are anyway. *Skill*: does
it save enough of the usual value's loss, over all horizons, at the shortest or at the middle one, clear of chance
however many zones try (`promotion.promotable`)? Horizons are asked apart, too: who forecasts the next quarter of an
hour well and tomorrow badly has learned something, and the usual value in its place would be worse. *Gap*: of the
skill that it shows on the rows it learned from, how much is left on rows it had not seen? A model without skill gives
way to the next simpler one that has some, at last to the usual value. A model with a wide gap gives way to the next
simpler one that is as good within chance: a wide gap alone harms nobody (grown trees know their own rows by heart), so
that it stays where it is clearly better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.design import Workbench
from models.forecasting import LearnedForecaster
from models.promotion import Skill
from models.tuning.scoring import DaySums, standard_error
from models.validation import Validation

FEW_DAYS = 7  # left out; fewer are cut in parts, or no standard error could be told (assumed)
ALPHA = 0.05  # share of those let in that is expected to have no skill (convention)
EACH = 0.5  # once the city's skill is clear, a zone's model serves that will more likely gain than lose
PARTS = 4  # of a day then: a morning's error says little of the evening's (assumed; `standard_error` minds the rest)
KEPT_SHARE = 0.5  # of the skill on rows learned from that should be left on others (assumed)
SAMPLE = 240  # origins on which both are told


@dataclass(frozen=True, eq=False)
class Apparent:
    """A model's errors on rows that it learned from and, the same rows, before it had; 1 is the usual value's error.

    Attributes
    ----------
    fitted, left_out : ndarray, shape (Z,)
        Mean over the horizons.
    """

    fitted: np.ndarray
    left_out: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Share of the skill on rows learned from that is left on rows that were not, (Z,); 1 where there is none."""
        claimed = 1 - self.fitted
        return np.where(claimed > 0.01, (1 - self.left_out) / np.maximum(claimed, 0.01), 1.0)


def apparent(model: LearnedForecaster, bench: Workbench, end: int, *, sample: int = SAMPLE) -> Apparent:
    """Errors of a fitted model on some of its validation origins, which its last fit learned from.

    Parameters
    ----------
    model : LearnedForecaster
        With its validation.
    bench : Workbench
        That it was fitted on; the features are there already.
    end : int
        Intervals that the last fit knew.
    sample : int
        Origins at most.
    """
    record, profile = model.validation, model.profile
    assert record is not None and profile is not None
    design = bench.design(end, model.reference)
    place = np.searchsorted(design.known, record.known)
    there = np.flatnonzero(
        (place < design.known.size) & (design.known[np.minimum(place, len(design.known) - 1)] == record.known)
    )
    there = there[:: max(1, -(-there.size // sample))]
    rows = design.rows.take(place[there])
    found = model.learner.predict(rows) + rows.common[:, :, :1] * model.share
    fitted = np.abs(found - design.outcome[place[there]]) * profile.scale[:, None]
    left_out = np.abs(record.level[there] - record.reading[there])
    usual = np.abs(record.usual[there] - record.reading[there])
    heard = np.isfinite(fitted) & np.isfinite(left_out)
    mean = [np.where(heard, part, 0.0).sum(axis=0) for part in (fitted, left_out, usual)]
    share = [(part / np.maximum(mean[2], 1e-9)).mean(axis=1) for part in mean[:2]]
    return Apparent(*share)


@dataclass(frozen=True, eq=False)
class Checked:
    """What the guard found of one model in all zones.

    Attributes
    ----------
    skill : Skill
        Of all horizons together.
    clear : ndarray of bool, shape (Z,)
        Whether the skill lets the model into service: over all horizons, at the shortest, or at the middle one,
        corrected for the number of zones and of these three.
    daily : ndarray, shape (D, Z)
        Mean loss by block of time.
    kept : ndarray, shape (Z,)
        See `Apparent.kept`; 1 where it was not told.
    """

    skill: Skill
    clear: np.ndarray
    daily: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a zone: which family serves, and, where it fell back, from which and why."""

    family: str
    fell_from: str = ""
    words: str = ""


class Guard:
    """Checks of models of one target, all against the usual value on the same rows.

    Parameters
    ----------
    usual : Validation
        Of the usual value.
    unit : ndarray, shape (Z, S)
        Errors count in these.
    alpha : float
        See `promotion.promotable`, whose correction is "bh" and whose `each` is 0.5: where nothing can be forecast the
        chance that any zone is let in stays below about twice that, and a city of few days left out is not denied its
        models for having many zones.
    """

    def __init__(self, usual: Validation, unit: np.ndarray, *, alpha: float = ALPHA) -> None:
        self.unit, self.alpha = unit, alpha
        self.block = blocks(usual.day)
        self._usual = self._sums(usual.actual, usual.point)

    def check(self, record: Validation, seen: Apparent | None = None, point: np.ndarray | None = None) -> Checked:
        """Check one model by its out-of-fold forecasts, or by others (n, Z, S) on the same rows."""
        by_horizon = self._sums(record.actual, record.point if point is None else point)
        sums, usual = _together(by_horizon), _together(self._usual)
        asked = sorted({0, len(by_horizon) // 2})
        skills = [Skill.of(sums, usual), *(Skill.of(by_horizon[s], self._usual[s]) for s in asked)]
        clear = np.any(
            [skill.promoted(alpha=self.alpha / len(skills), correction="bh", each=EACH) for skill in skills], axis=0
        )
        daily = np.divide(sums.total, sums.count, out=np.full(sums.total.shape, np.nan), where=sums.count > 0)
        kept = np.ones(clear.size) if seen is None else seen.kept
        return Checked(skills[0], clear, daily, kept)

    def _sums(self, actual: np.ndarray, point: np.ndarray) -> list[DaySums]:
        """Losses by block and zone, one for each horizon."""
        losses = np.abs(actual - point) / self.unit
        return [DaySums.of(losses[:, :, s : s + 1], self.block, np.ones(1)) for s in range(losses.shape[2])]


def _together(parts: Sequence[DaySums]) -> DaySums:
    """All horizons as one."""
    return DaySums(np.sum([part.total for part in parts], axis=0), np.sum([part.count for part in parts], axis=0))


def blocks(day: np.ndarray) -> np.ndarray:
    """Block of time of each row, from 0, never falling: its day, or a quarter of it where days are few.

    Examples
    --------
    >>> blocks(np.array([3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4])).tolist()
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7]
    """
    _, place, size = np.unique(day, return_inverse=True, return_counts=True)
    if size.size >= FEW_DAYS:
        return place
    within = np.arange(day.size) - np.concatenate([[0], np.cumsum(size)[:-1]])[place]
    return np.unique(place * PARTS + within * PARTS // size[place], return_inverse=True)[1]


def guarded(
    families: Sequence[str], checks: Mapping[str, Checked], order: Sequence[str], *, usual: str
) -> list[Verdict]:
    """Let each zone's family serve, or name the one that does in its place.

    Parameters
    ----------
    families : sequence of str, length Z
        Chosen.
    checks : mapping of str to Checked
        Of every candidate but the usual value.
    order : sequence of str
        Candidates from simple to complex, the usual value among them.
    usual : str
        Name of the usual value, which needs no leave.

    Returns
    -------
    list of Verdict, length Z
    """
    return [_verdict(z, family, checks, order, usual) for z, family in enumerate(families)]


def _verdict(z: int, family: str, checks: Mapping[str, Checked], order: Sequence[str], usual: str) -> Verdict:
    if family == usual:
        return Verdict(family)
    own = checks[family]
    simpler = [name for name in reversed(order[: order.index(family)]) if name != usual and checks[name].clear[z]]
    if not own.clear[z]:
        why = no_skill(own, z)
        taken = simpler[0] if simpler else usual
        return Verdict(taken, family, told(family, why, taken))
    if own.kept[z] >= KEPT_SHARE:
        return Verdict(family)
    why = f"of its skill on the rows it learned from {percent(max(own.kept[z], 0.0))} are left on others"
    for name in simpler:
        gap = checks[name].daily[:, z] - own.daily[:, z]
        if checks[name].kept[z] >= KEPT_SHARE and np.nanmean(gap) <= float(standard_error(gap)):
            return Verdict(name, family, told(family, f"{why}, and {name} is as good within chance", name))
    return Verdict(family, "", f"{family} stays though {why}: no simpler one is as good")


def no_skill(own: Checked, z: int) -> str:
    """Why a model is not let in, in words."""
    return (
        "neither over all horizons nor soon ahead is its skill over the usual value clear of chance among"
        f" {own.clear.size} zones (over all: {percent(own.skill.skill[z])}, standard error"
        f" {percent(own.skill.se[z])})"
    )


def told(fallen: str, why: str, taken: str) -> str:
    """A fall in words."""
    return f"Held back by the guard against overfitting: {fallen}, since {why}; {taken} serves in its place"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.1f} %"
