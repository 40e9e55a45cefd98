"""Promotion: the rule by which a model is let into service, that chance alone may not pass however many zones try.

`Skill` is what a model saves of the usual value's loss, `promotable` the rule. Training asks it of every zone's choice
(see `models.guard`), `models.overfitting.shuffled_target` of outcomes whose days were exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import stats

from models.tuning.scoring import DaySums, standard_error
from models.verdicts import corrected

LEAST_SKILL = 0.005  # a model that saves less than this share of the usual value's loss is not worth its keep (assumed)
ALPHA = 0.025  # chance of letting in a model without skill (convention: one side of 5 %)


@dataclass(frozen=True, eq=False)
class Skill:
    """Share of the usual value's loss that a model saves on blocks of time left out, and its standard error.

    Attributes
    ----------
    skill, se : ndarray, shape (Z,)
        By zone.
    city, city_se : float
        All zones together.
    blocks : int
        Blocks behind the standard errors.
    """

    skill: np.ndarray
    se: np.ndarray
    city: float
    city_se: float
    blocks: int

    @classmethod
    def of(cls, model: DaySums, usual: DaySums) -> Self:
        """From sums of both losses, (D, Z), over the same blocks.

        The error is that of a ratio of sums, linearised, so that a block with few rows counts for little.
        """
        gap = usual.total - model.total
        level = np.maximum(usual.total.sum(axis=0), 1e-12)
        skill = gap.sum(axis=0) / level
        se = standard_error((gap - skill * usual.total) / (level / gap.shape[0]))
        whole = np.maximum(usual.total.sum(), 1e-12)
        city = gap.sum() / whole
        city_se = standard_error((gap.sum(axis=1) - city * usual.total.sum(axis=1)) / (whole / gap.shape[0]))
        return cls(skill, se, float(city), float(city_se), gap.shape[0])

    def promoted(
        self, *, together: bool = True, alpha: float = ALPHA, correction: str = "holm", each: float | None = None
    ) -> np.ndarray:
        """What `promotable` says of each zone, shape (Z,)."""
        city = (self.city, self.city_se) if together else None
        return promotable(
            self.skill, self.se, blocks=self.blocks, city=city, alpha=alpha, correction=correction, each=each
        )


def promotable(
    skill: np.ndarray,
    se: np.ndarray,
    *,
    blocks: int,
    city: tuple[float, float] | None = None,
    alpha: float = ALPHA,
    least: float = LEAST_SKILL,
    correction: str = "holm",
    each: float | None = None,
) -> np.ndarray:
    """Whether a model may go into service: its skill is worth having and clear of chance, however many zones there are.

    Parameters
    ----------
    skill, se : ndarray, shape (Z,) or ()
        Share of the usual value's loss that the model saves on days left out, and its standard error.
    blocks : int
        Days behind the standard error.
    city : tuple of float or None
        Skill and standard error of all zones together: zones then borrow strength from each other. None judges each
        zone by its own days alone, with Holm's correction; a few days then promote next to nobody among many zones.
    alpha : float
        Chance that any zone is let in where nothing can be forecast in the whole city; twice that with `city`.
    least : float
        Skill below this is not worth having.
    correction : str
        For the number of zones, see `verdicts.corrected`. With "bh" at most the share `alpha` of those let in is
        expected to have no skill; where no zone has any, that is the same as "holm", and where most have, far more
        of them pass.
    each : float or None
        Chance of no skill at which a zone is still let in by its shrunk skill, once that of the city is clear; None
        takes `alpha`. With 0.5 it is let in where it will more likely gain than lose: chance alone is then kept out by
        the city's test, and a few days left out do not cost zones their models.

    Returns
    -------
    ndarray of bool, shape of `skill`

    Notes
    -----
    With `city`, and where the city's own skill is clear of chance, a zone is also let in by its skill shrunk to the
    city's, by what zones are seen to differ (empirical Bayes; Efron & Morris 1975, doi:10.1080/01621459.1975.10479864).
    """
    skill, se = np.broadcast_arrays(np.asarray(skill, float), np.asarray(se, float))
    usable = np.isfinite(skill) & np.isfinite(se) & (blocks > 1)
    p = np.where(usable, _chance(skill, se, blocks), np.nan)
    alone = np.nan_to_num(corrected(np.atleast_1d(p), correction).reshape(p.shape), nan=1.0) <= alpha
    clear = alone & (skill >= least)
    if city is not None and float(_chance(np.asarray(city[0]), np.asarray(city[1]), blocks)) <= alpha:
        level, error = _shrunk(skill, se, usable, city, blocks)
        clear |= (_chance(level, error, blocks) <= (alpha if each is None else each)) & (level >= least)
    return usable & clear


def drawn(skill: np.ndarray, se: np.ndarray, city: tuple[float, float], *, blocks: int) -> np.ndarray:
    """Skills drawn to that of all zones together, as far as the days cannot tell zones apart; shape of `skill`.

    A zone without a standard error takes the city's.
    """
    skill, se = np.broadcast_arrays(np.asarray(skill, float), np.asarray(se, float))
    return _shrunk(skill, se, np.isfinite(skill) & np.isfinite(se) & (blocks > 1), city, blocks)[0]


def _chance(skill: np.ndarray, se: np.ndarray, blocks: int) -> np.ndarray:
    """One-sided p-value of no skill."""
    ratio = np.where(se > 0, skill / np.where(se > 0, se, 1.0), np.where(skill > 0, np.inf, -np.inf))
    return stats.t.sf(ratio, max(blocks - 1, 1))


def _shrunk(
    skill: np.ndarray, se: np.ndarray, usable: np.ndarray, city: tuple[float, float], blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Skills drawn to the city's, and their remaining standard errors.

    A variance from few days is uncertain itself: it counts as much as its days less one, that of all zones as ten.
    """
    middle = float((se[usable] ** 2).mean()) if usable.any() else 1.0
    own = (np.where(usable, se, 0.0) ** 2 * (blocks - 1) + 10 * middle) / (blocks + 9)
    apart = float(skill[usable].var(ddof=1)) - middle if usable.sum() > 1 else 0.0
    real = max(apart, 0.0)
    keep = real / np.maximum(real + own, 1e-300)
    level = city[0] + keep * (np.where(usable, skill, city[0]) - city[0])
    return level, np.sqrt(real * (1 - keep) + ((1 - keep) * city[1]) ** 2)
