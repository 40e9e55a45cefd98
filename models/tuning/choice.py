"""Choice among tries: the best, or a simpler one that is as good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.tuning.scoring import DaySums, standard_error
from models.tuning.search import Places

AS_GOOD_SHARE = 0.005  # of the best loss: a simpler setting no further off is as good (assumption)


@dataclass(frozen=True, eq=False)
class Try:
    """One setting and what it scored.

    Attributes
    ----------
    settings : dict
    places : tuple of int
        Its places in the space: 0 is the simplest value.
    fold_losses : tuple of float
        Mean loss in each fold scored; 1 is what "as usual" loses.
    sums : DaySums
        Relative losses by day and zone.
    cpu_s : float
        Fitting and forecasting, processor seconds.
    pruned : bool
        Given up before all folds were scored.
    why : str
        Why it was given up; "" where it was not.
    """

    settings: dict[str, Any]
    places: Places
    fold_losses: tuple[float, ...]
    sums: DaySums
    cpu_s: float
    pruned: bool = False
    why: str = ""

    @property
    def loss(self) -> float:
        """Mean loss over what was scored; 1 is what "as usual" loses."""
        return self.sums.mean() if self.fold_losses else float("inf")

    @property
    def se(self) -> float:
        """Standard error of `loss` over blocks of time."""
        return float(standard_error(self.sums.by_day())) if self.fold_losses else float("inf")


def choose_try(tries: Sequence[Try]) -> tuple[int, str]:
    """Place of the simplest try as good as the best among those scored in full, and why."""
    full = [k for k, t in enumerate(tries) if not t.pruned] or list(range(len(tries)))
    best = min(full, key=lambda k: (tries[k].loss, sum(tries[k].places), k))
    top = tries[best]
    for k in sorted(full, key=lambda k: (sum(tries[k].places), k)):
        if sum(tries[k].places) >= sum(top.places):
            break
        behind = tries[k].loss - top.loss
        if behind <= min(AS_GOOD_SHARE * top.loss, difference_error(tries[k], top)):
            return k, (
                f"{spell(tries[k].settings)} is as good as {spell(top.settings)} (loss {tries[k].loss:.4f} and"
                f" {top.loss:.4f} of what 'as usual' loses) and simpler"
            )
    first = tries[0]
    if best == 0:
        return 0, f"{spell(top.settings)}, the defaults, had the smallest loss, {top.loss:.4f} of what 'as usual' loses"
    gain, error = 1 - top.loss / first.loss, difference_error(top, first) / first.loss
    return best, (
        f"{spell(top.settings)} had the smallest loss, {top.loss:.4f} of what 'as usual' loses: {100 * gain:.1f} % less"
        f" than the defaults (standard error {100 * error:.1f} %)"
    )


def difference_error(one: Try, other: Try) -> float:
    """Standard error of the difference of two tries' losses over the blocks that both were scored on."""
    a, b = one.sums.by_day(), other.sums.by_day()
    both = min(a.size, b.size)
    return float(standard_error(a[:both] - b[:both]))


def spell(settings: Mapping[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "no settings"
