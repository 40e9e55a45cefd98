"""Part `conformal`: adaptive intervals beside two published ways of making them, on the same forecasts.

DtACI moves the level that a window of past errors is read at, by several step sizes mixed by their record; the
conformal PID controller moves the width itself and corrects what has added up (without a scorecaster, which the model
is). Both know the size of an error when its reading has come, not before, start from the model's errors out of fold,
and have the settings of their papers, which reckon with an error that is known at once. Twelve stations of Beijing
through a year never seen, 1 and 6 hours ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.benchmarks.life.adaptive import PANELS, STEPS, WISHED, line_of, within
from app.benchmarks.models.cut import following
from app.benchmarks.models.panels import each_there, narrowed
from data.errors import InputError
from models.following import Follower
from models.intervals import QUANTILES
from models.intervals.scores import hits, interval_score
from models.scale import from_scale, to_scale

Array = np.ndarray
MISS = 0.1  # share of readings outside a 90 % interval
#: Past errors that DtACI reads its level at, and those whose largest is the PID's unit of a step.
WINDOW, RECENT = 720, 100
GAMMAS = tuple(0.001 * 2.0**k for k in range(8))
LOCAL = 500.0  # readings that DtACI's regret is bounded over
RATE, SATURATION_GAIN, SATURATION = 0.1, 1.0, 5.0
_LOW, _HIGH = QUANTILES.index(0.05), QUANTILES.index(0.95)


def dtaci(errors: Array, before: Array, ahead: int) -> Array:
    """Half-widths (n, Z) by dynamically tuned adaptive conformal inference.

    Parameters
    ----------
    errors : ndarray, shape (n, Z)
        Size of the error of each origin's forecast `ahead` steps on, in its usual size; `nan` where nothing was read.
        Row k is known from row k + `ahead` on.
    before : ndarray, shape (m, Z)
        Sizes known at the start, oldest first.
    ahead : int

    References
    ----------
    Gibbs & Candes (2024), arXiv:2208.08401, algorithm 1 and the settings of its section 3.
    """
    gamma = np.array(GAMMAS)[:, None]
    zones = errors.shape[1]
    level = np.full((gamma.size, zones), MISS)
    weight = np.full((gamma.size, zones), 1.0 / gamma.size)
    sharing = 1.0 / (2 * LOCAL)
    spread = (1 - MISS) ** 2 * MISS**3 + MISS**2 * (1 - MISS) ** 3
    eta = np.sqrt(3 / LOCAL) * np.sqrt((np.log(gamma.size * LOCAL) + 2) / spread)
    kept = before[-WINDOW:].copy()
    width = np.empty_like(errors)
    for row in range(len(errors)):
        due = row - ahead
        if due >= 0:
            score = errors[due]
            heard = np.isfinite(score)
            beta = np.nanmean(kept >= score, axis=0)
            loss = np.where(level > beta, (1 - MISS) * (level - beta), MISS * (beta - level))
            grown = weight * np.exp(-eta * loss)
            grown = (1 - sharing) * grown / grown.sum(axis=0) + sharing / gamma.size
            weight = np.where(heard, grown / grown.sum(axis=0), weight)
            level = np.where(heard, level + gamma * (MISS - (beta < level)), level)
            kept = np.concatenate([kept[1:], np.where(heard, score, kept[0])[None]])
        now = (weight * level).sum(axis=0)
        place = np.clip(np.ceil((1 - now) * len(kept)).astype(int), 1, len(kept)) - 1
        width[row] = np.take_along_axis(np.sort(kept, axis=0), place[None], axis=0)[0]
        width[row] = np.where(now <= 0, kept.max(axis=0), np.where(now >= 1, 0.0, width[row]))
    return width


def pid(errors: Array, before: Array, ahead: int) -> Array:
    """Half-widths (n, Z) by the conformal PID controller: a tracked quantile and an integrator; see `dtaci`.

    References
    ----------
    Angelopoulos, Candes & Tibshirani (2023), arXiv:2307.16895, equations 3, 6 and 10.
    """
    recent = before[-RECENT:].copy()
    tracked = np.quantile(before, 1 - MISS, axis=0)
    total, count = np.zeros(errors.shape[1]), np.zeros(errors.shape[1])
    gain = SATURATION_GAIN * np.quantile(before, 1 - MISS, axis=0)
    width = np.empty_like(errors)
    for row in range(len(errors)):
        due = row - ahead
        if due >= 0:
            score = errors[due]
            heard = np.isfinite(score)
            miss = (score > width[due]).astype(float)
            tracked = np.where(heard, tracked + RATE * recent.max(axis=0) * (miss - MISS), tracked)
            total, count = total + np.where(heard, miss - MISS, 0.0), count + heard
            recent = np.concatenate([recent[1:], np.where(heard, score, recent[0])[None]])
        turn = np.clip(total * np.log(count + 1) / (SATURATION * (count + 1)), -1.5, 1.5)
        width[row] = np.maximum(tracked + gain * np.tan(turn), 0.0)
    return width


WAYS: dict[str, Callable[[Array, Array, int], Array]] = {"DtACI": dtaci, "conformal PID": pid}


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Windows that hold, and the interval score over the follower's, by panel, horizon and way."""
    figures: list[dict[str, Any]] = []
    notes: list[str] = []
    for bench in each_there(narrowed(PANELS, panels), notes):
        panel = bench.panel
        model = line_of(bench, seed)
        assert model.profile is not None and model.validation is not None
        known = np.arange(bench.test_from - 1, len(panel) - 1)
        fan = Follower.start(model, bench.train).advance(
            model, panel, pd.DatetimeIndex([panel.origin(int(k)) for k in known])
        )
        point = model._point(panel, known, np.arange(len(bench.zone_ids)), STEPS)
        actual = following(panel.values[bench.target], known, STEPS)
        stray = model.profile.stray(panel.calendar, known[:, None] + np.asarray(STEPS)).transpose(0, 2, 1)
        size = np.abs(to_scale(bench.target, actual) - point) / stray
        for h, step in enumerate(STEPS):
            ends = {"the follower": (fan[:, :, h, _LOW], fan[:, :, h, _HIGH])}
            past = np.abs(model.validation.scores[:, :, h])
            past = past[np.isfinite(past).all(axis=1)]
            for name, way in WAYS.items():
                half = way(size[:, :, h], past, step) * stray[:, :, h]
                ends[name] = tuple(from_scale(bench.target, point[:, :, h] + s * half) for s in (-1, 1))  # type: ignore[assignment]
            figures += _figures(f"conformal: {bench.name} {step} h", ends, actual[:, :, h], seed)
    if not figures:
        raise InputError("; ".join(notes))
    return {"figures": figures, "notes": notes}


def _figures(head: str, ends: dict[str, tuple[Array, Array]], actual: Array, seed: int) -> list[dict[str, Any]]:
    score = {name: float(np.nanmean(interval_score(actual, *pair))) for name, pair in ends.items()}
    made = []
    for name, pair in ends.items():
        inside = hits(actual, *pair)
        made += [
            figure(f"{head}, {name}: 30-day windows within 87-93 %", within(inside), "1",
                   target=WISHED if name == "the follower" else None, at_most=False, n=inside.size, seed=seed),
            figure(f"{head}, {name}: coverage", float(np.nanmean(inside)), "1"),
            figure(f"{head}, {name}: Winkler score over the follower's", score[name] / score["the follower"], "1"),
        ]  # fmt: skip
    return made
