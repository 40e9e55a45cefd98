"""Rehearsal: how far to trust donors, learned by letting old zones play the new one.

Some zones with long histories pretend to have begun a few days before an instant. They borrow as the new zone will,
and what followed tells how many days the borrowed usual day is worth, how many days of own rows the donors' rows are
worth at each horizon, what share the teacher earns, and how wide intervals must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.featuriser import Featuriser
from models.forecasting import LearnedForecaster
from models.horizons import followed
from models.intervals import QUANTILES, ConformalIntervals
from models.newcomers.forecaster import reach_of, with_own
from models.newcomers.likeness import blend, borrow
from models.newcomers.warm import WORTH_DAYS, grams, prior_of, squares, warm_lines
from models.panel import Panel
from models.profile import Profile
from models.rows import Rows
from models.weights import stacking_weights

PUPILS = 16  # zones that play the new one
SCORED_DAYS = 2.0  # that they are scored on, at most (assumed), and at most this share of the history
SCORED_SHARE = 0.25
SCORED_ORIGINS = 300
PRIOR_DAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # tried for the borrowed usual day
_TEACHER_POOL = 1e6  # days: all pupils share their teacher's weight


@dataclass(frozen=True, eq=False)
class Lessons:
    """What the rehearsal taught for zones with about so many days of their own.

    Attributes
    ----------
    days : float
        Own days that the pupils had.
    prior_days : float
        One of `PRIOR_DAYS`.
    loss : ndarray, shape (S, M)
        Mean squared error by horizon and `WORTH_DAYS`, in that of the best.
    weights : ndarray, shape (2, S)
        Shares of the warm line and of the teacher.
    offsets : ndarray, shape (1, S, Q)
        Of intervals, as `ConformalIntervals` holds them.
    pupils : int
    """

    days: float
    prior_days: float
    loss: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    pupils: int


def rehearse(
    panel: Panel,
    featuriser: Featuriser,
    history: tuple[np.ndarray, ...],
    values: np.ndarray,
    donors: np.ndarray,
    steps: Sequence[int],
    *,
    days: float,
    teacher: LearnedForecaster | None,
    zone_features: np.ndarray | None,
    far: np.ndarray,
    stride: int,
    seed: int,
) -> Lessons:
    """Let some donors begin again with `days` days.

    Parameters
    ----------
    panel : Panel
        The training part; every zone of `featuriser`.
    featuriser, history
        Of donors (first) and new zones, with the donors' own usual days.
    values : ndarray, shape (T, Z)
        Readings of the featuriser's zones on the model's scale.
    donors : ndarray of int
        Places of zones with a long history.
    steps : sequence of int, length S
    days : float
    teacher : LearnedForecaster or None
        A citywide model; a fresh one of its family is fitted without the pupils and before their instant.
    zone_features : ndarray or None, shape (Z, E)
    far : ndarray, shape (Z, Z)
        How unlike zones are (see `likeness.unlike`).
    stride : int
        Every so many origins is learned from.
    seed : int
        Draws the pupils.
    """
    end, spd = len(panel), panel.steps_per_day
    cut = end - int(min(SCORED_DAYS * spd, SCORED_SHARE * end))
    begin = max(0, cut - round(days * spd))
    rng = np.random.default_rng(seed)
    count = min(PUPILS, max(1, donors.size // 2))
    heard = np.isfinite(values[begin:cut, donors]).mean(axis=0) > 0.5
    able = donors[heard] if heard.any() else donors
    pupils = np.sort(rng.choice(able, min(count, able.size), replace=False))
    others = np.setdiff1d(donors, pupils)
    others = others if others.size else donors
    past = panel.until(cut)
    usual = Profile.fit(values[:cut], panel.calendar)
    own = np.full((cut, pupils.size), np.nan)
    own[begin:] = values[begin:cut, pupils]
    per_hour = max(1, 3600 // panel.step_s)
    borrowed = [
        borrow(
            values[begin:cut], own[begin:, j], others, usual, per_hour=per_hour, character=far[z][others]
        )
        for j, z in enumerate(pupils)
    ]  # fmt: skip
    scored = np.arange(cut - 1, end - 1, max(1, (end - cut) // SCORED_ORIGINS))
    days_lent = [one.profile for one in borrowed]
    prior_days = _best_prior_days(panel, values, own, pupils, days_lent, cut)
    profiles, usuals = zip(
        *(
            blend(own[:, j], past.calendar, one, prior_days=prior_days, reach=reach_of(panel.step_s))
            for j, one in enumerate(days_lent)
        )
    )
    posing = with_own(featuriser, pupils, profiles)
    posed = history[0].copy()
    posed[:cut, pupils] = np.concatenate(usuals, axis=1)
    posed[cut:, pupils] = posing.profile.pick(pupils).usual(panel.calendar, slice(cut, end))
    known = np.arange(min(spd // 2, cut // 4), cut - 1, stride)
    learned = np.concatenate([others, pupils])
    rows = posing.rows(past, known, steps, learned, history=(posed, *history[1:]))
    grid = posing.deviation(panel, slice(0, end), learned, (posed, *history[1:])).astype(np.float32)
    grid[:begin, others.size :] = np.nan
    outcome = followed(grid[:cut], known[:, None] + np.asarray(steps))
    gram = grams(rows, outcome)[:, :, 0]
    prior = prior_of(gram[: others.size], np.ones(others.size))
    test = posing.rows(panel, scored, steps, pupils)
    truth = followed(
        posing.deviation(panel, slice(0, end), pupils).astype(np.float32), scored[:, None] + np.asarray(steps)
    )
    judged = grams(test, truth)[:, :, 0]
    loss = np.zeros((len(steps), len(WORTH_DAYS)))
    lines = np.zeros((len(WORTH_DAYS), pupils.size, len(steps), rows.width + 1))
    for m, worth in enumerate(WORTH_DAYS):
        for j in range(pupils.size):
            lines[m, j] = warm_lines(
                gram[others.size + j].astype(float), prior, np.full(len(steps), worth * spd / stride)
            )
            loss[:, m] += squares(judged[j], lines[m, j]) / np.maximum(judged[j, :, 0, 0], 1.0)
    loss /= np.maximum(loss.min(axis=1, keepdims=True), 1e-12)
    best = np.argmin(loss, axis=1)
    chosen = lines[best, :, np.arange(len(steps))].transpose(1, 0, 2)
    forecasts = [_values(test, chosen)]
    if teacher is not None:
        forecasts.append(_taught(teacher, rows, outcome, test, others, zone_features, borrowed))
    errors = np.stack(forecasts) - truth
    weights = np.ones((1, len(steps)))
    if teacher is not None:
        weights = stacking_weights(errors, panel.calendar.day[scored + 1], pool_days=_TEACHER_POOL).mean(axis=1)
    mixed = np.einsum("mnzs,ms->nzs", np.stack(forecasts), weights)
    scale = posing.profile.scale[pupils]
    stray = posing.profile.pick(pupils).stray(panel.calendar, scored[:, None] + np.asarray(steps)).transpose(0, 2, 1)
    scores = (truth - mixed) * scale[:, None] / stray
    pooled = scores.reshape(-1, 1, len(steps))
    offsets = ConformalIntervals.fit(pooled, quantiles=QUANTILES).offsets
    return Lessons(days, prior_days, loss, weights, offsets, int(pupils.size))


def _best_prior_days(
    panel: Panel, values: np.ndarray, own: np.ndarray, pupils: np.ndarray, borrowed: Sequence[Profile], cut: int
) -> float:
    """Worth of a borrowed day, by how well pupils' usual values foretell what followed."""
    at = slice(cut, len(panel))
    kind, step = panel.calendar.day_type[at], panel.calendar.step_of_day[at]
    loss = np.zeros(len(PRIOR_DAYS))
    for k, prior_days in enumerate(PRIOR_DAYS):
        for j, z in enumerate(pupils):
            profile, _ = blend(
                own[:, j], panel.calendar, borrowed[j], prior_days=prior_days, reach=reach_of(panel.step_s)
            )
            off = np.abs(values[at, z] - profile.mean[0, kind, step]) / borrowed[j].scale[0]
            loss[k] += np.nanmean(off) if np.isfinite(off).any() else 0.0
    return PRIOR_DAYS[int(np.argmin(loss))]


def _values(rows: Rows, lines: np.ndarray) -> np.ndarray:
    """Forecasts (n, Z, S) of lines (Z, S, 1 + F)."""
    f1 = rows.common.shape[2]
    out = np.einsum("nzf,zsf->nzs", rows.common, lines[:, :, 1 : 1 + f1], optimize=True)
    return out + np.einsum("nzsf,zsf->nzs", rows.ahead, lines[:, :, 1 + f1 :], optimize=True) + lines[:, :, 0]


def _taught(teacher, rows, outcome, test, others, zone_features, borrowed):  # type: ignore[no-untyped-def]
    """What a teacher of the same family says of pupils that it never saw, (n, pupils, S)."""
    kept = np.arange(others.size)
    share = np.zeros((1, outcome.shape[2]))
    if teacher.start != "usual":
        share = teacher.share.mean(axis=0, keepdims=True)
    known = rows.pick(kept)
    y = outcome[:, kept] - known.common[:, :, :1] * share.astype(np.float32)
    fresh = type(teacher.learner)(seed=teacher.seed, **teacher.learner.settings)
    fresh.fit(known, y, zone_features=None if zone_features is None else zone_features[others])
    alike = np.array([int(np.argmax(others == one.donors[0])) if one.donors.size else 0 for one in borrowed])
    return fresh.predict(test, alike) + test.common[:, :, :1] * share


__all__ = ["PRIOR_DAYS", "PUPILS", "Lessons", "rehearse"]
