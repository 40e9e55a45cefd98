"""Why the test part came out worse than the validation promised, part by part, with a figure for each.

`generalisation.generalisation_gap` splits the gap into what the data did (*shift*: the naive model's own gap) and
*optimism*. Optimism above a few per cent asks where it comes from; three causes can be measured:

- **choosing**: the best of several looks better than it is on the rows that it was chosen on. Measured by choosing on
  the other folds (nested). A mix has none: what it promises rests on weights of the other folds (see `ensemble`).
- **age**: the model learned nothing while the test part went by. Measured by one that learns its first half, too, and
  is scored on the second.
- what is **left**: the test part is harder, or easier, for this model than the naive one's gap tells. A second naive
  model tells how far this depends on which one is asked.

References
----------
Cawley & Talbot (2010), JMLR 11, 2079-2107 (choosing on what one is judged by).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.generalisation import EXPLAIN_OPTIMISM


@dataclass(frozen=True, slots=True, kw_only=True)
class GapParts:
    """A gap and its parts, as shares: `(1 + total)` is the product of one plus each part.

    Attributes
    ----------
    total, shift, optimism : float
        `(1 + optimism) = (1 + choosing) (1 + age) (1 + left)`.
    choosing : float
    age : float or None
        None where it was not measured.
    left : float
        With `age` in it where that was not measured.
    other_shift : float or None
        Gap of a second naive model; None where there is none.
    clear : bool
        Whether optimism is clear of chance.
    """

    total: float
    shift: float
    optimism: float
    choosing: float
    age: float | None
    left: float
    other_shift: float | None
    clear: bool

    @property
    def to_explain(self) -> bool:
        """Whether optimism is above 3 % and clear of chance."""
        return self.clear and self.optimism > EXPLAIN_OPTIMISM

    def words(self) -> str:
        """The parts in sentences."""
        out = (
            f"the test part came out {_points(self.total)} against the validation: {_points(self.shift)} because the"
            f" data changed (the last value's own gap), {_points(self.optimism)} optimism"
        )
        if not np.isfinite(self.optimism):
            return "the gap cannot be told: nothing was scored in one of the parts"
        out += "" if self.clear else ", which chance may be"
        told = [f"{_points(self.choosing)} from choosing on the rows that it was judged on"]
        if self.age is not None:
            told.append(f"{_points(self.age)} from age (one that learned the first half too, on the second)")
        rest = f"{_points(self.left)} is left"
        if self.other_shift is not None:
            second = (1 + self.total) / (1 + self.other_shift) - 1
            rest += (
                f": the data changed for this model otherwise than for the last value; by the usual value's own gap,"
                f" {_points(self.other_shift)}, optimism would be {_points(second)}"
            )
        return f"{out}. Of it {', '.join(told)}; {rest}."


def gap_parts(
    *,
    total: float,
    shift: float,
    clear: bool,
    plain: float,
    nested: float,
    stale: float | None = None,
    fresh: float | None = None,
    other_shift: float | None = None,
) -> GapParts:
    """Parts of a gap, from losses.

    Parameters
    ----------
    total, shift : float
        Shares, see `generalisation.GapReport`.
    clear : bool
        Whether the interval of optimism excludes 0.
    plain, nested : float
        Validation loss as promised, and of what was chosen (or weighed) on the other folds.
    stale, fresh : float or None
        Test loss of the model, and of it with its second half forecast by one that learned the first.
    other_shift : float or None
        Gap of another naive model.
    """
    optimism = np.log1p(total) - np.log1p(shift)
    choosing = np.log(nested / plain)
    age = None if stale is None or fresh is None else float(np.log(stale / fresh))
    left = optimism - choosing - (age or 0.0)
    return GapParts(
        total=total, shift=shift, optimism=float(np.expm1(optimism)), choosing=float(np.expm1(choosing)),
        age=None if age is None else float(np.expm1(age)), left=float(np.expm1(left)), other_shift=other_shift,
        clear=clear,
    )  # fmt: skip


def nested_loss(losses: dict[str, np.ndarray], fold: np.ndarray) -> tuple[str, float, float]:
    """The best of several by all rows, what it promises, and what choosing on the other folds keeps.

    Parameters
    ----------
    losses : dict of str to ndarray, shape (n, ...)
        By candidate, on the same rows; `nan` where nothing is known.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    str
        The best.
    float
        Its mean loss, on the rows that it was chosen on.
    float
        Mean loss of what was chosen fold by fold on the others; the same where there is one fold alone.
    """
    plain = {name: float(np.nanmean(loss)) for name, loss in losses.items()}
    best = min(plain, key=lambda name: plain[name])
    folds = np.unique(fold)
    if folds.size < 2:
        return best, plain[best], plain[best]
    total, count = 0.0, 0
    for one in folds:
        inside = fold == one
        chosen = min(losses, key=lambda name: float(np.nanmean(losses[name][~inside])))
        found = losses[chosen][inside]
        total += float(np.nansum(found))
        count += int(np.isfinite(found).sum())
    return best, plain[best], total / max(count, 1)


def _points(share: float) -> str:
    return f"{100 * share:+.1f} %"
