"""Response curves: how a stored micromodel's forecast moves when one input moves and the others stay as they are now.

The input runs over what was observed in the last days, from its 2nd to its 98th percentile. A curve says what the model
does, not what causes what; inputs that always go together are moved apart here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.feature_words import spoken_labels
from app.model_views import anchor, load, or_none, origin, panel, version
from app.queries import Queries

KEPT, POINTS = 4, 15
#: Inputs that cannot be moved alone: the time of day is two numbers, and interactions follow from others.
_TIED = ("ahead_sin", "ahead_cos", "own_x_", "horizon", "zone_")
_LOW, _HIGH = 2.0, 98.0  # percentiles of what was observed
_LEAST_RANGE = 1e-6


def curves(queries: Queries, zone_id: str, target: str, step: int) -> tuple[pd.DataFrame, int] | None:
    """The inputs that move a forecast most, in shown units; None for a model that has no inputs, or cannot be asked.

    Parameters
    ----------
    step : int
        Steps ahead of `now`.

    Returns
    -------
    DataFrame
        `feature`, `label`, `x` (usual swings above usual; switches from 0 to 1), `forecast`, `now` (the input's value
        now), `at` (the forecast now); `POINTS` rows an input, the one that moves it most first.
    int
        The horizon that is shown, in steps: the model's own next to `step`.
    """
    model = load(queries, zone_id, target)
    if getattr(model, "featuriser", None) is None or zone_id not in model.zone_ids:
        return None
    at, info = anchor(model, step), queries.info()
    key = ("curves", info.runs["live"], info.now, zone_id, target, version(queries, zone_id, target), at)
    rows = queries.keep(
        key, lambda: or_none(lambda: response(model, panel(queries), origin(queries), zone_id, at), zone_id, target)
    )
    if rows is None or rows.empty:
        return None
    factor = DISPLAY[target][1]
    rows = spoken_labels(rows, step_s=info.step_s, target=target)
    return rows.assign(forecast=rows["forecast"] * factor, at=rows["at"] * factor), at


def response(model: Any, history: Any, now: pd.Timestamp, zone_id: str, step: int) -> pd.DataFrame:
    """The table of `curves` in the target's own unit, of a `LearnedForecaster` and one of its horizons."""
    from models.explain import plain_label
    from models.rows import Rows
    from models.scale import from_scale

    place = model.places([zone_id])
    known = np.asarray(history.known(pd.DatetimeIndex([now])))
    seen = model.featuriser.rows(history, np.arange(history.steps_per_day - 1, int(known[0]) + 1), (step,), place)
    base = model.featuriser.rows(history, known, (step,), place)
    names, wide = base.layout.names, base.common.shape[2]
    own, observed = base.at(0)[0, 0], seen.at(0)[:, 0]
    low, high = np.percentile(observed, [_LOW, _HIGH], axis=0)
    free = [k for k, n in enumerate(names) if not n.startswith(_TIED) and high[k] - low[k] > _LEAST_RANGE]
    if not free:
        return pd.DataFrame()
    grid = np.linspace(low[free], high[free], POINTS)  # (points, inputs)
    every = np.repeat(own[None], 1 + grid.size, axis=0).astype(np.float32)
    for j, k in enumerate(free):
        every[1 + j * POINTS : 1 + (j + 1) * POINTS, k] = grid[:, j]
    rows = Rows(every[:, None, :wide], every[:, None, None, wide:], base.layout)
    found = model.learner.predict(rows, place)[:, 0, 0].astype(float)
    if model.start != "usual":
        found = found + every[:, 0] * float(model.share[place[0], model.anchors.index(step)])
    usual = float(model.profile.usual(history.calendar, known[:, None] + step)[0, 0, place[0]])
    level = from_scale(model.target, usual + found * float(model.profile.scale[place[0]]))
    moved = level[1:].reshape(len(free), POINTS)
    order = sorted(range(len(free)), key=lambda j: (-float(np.ptp(moved[j])), names[free[j]]))
    parts = [
        pd.DataFrame(
            {
                "feature": names[free[j]],
                "label": plain_label(names[free[j]], step_s=model.step_s, target=model.target),
                "x": grid[:, j], "forecast": moved[j], "now": float(own[free[j]]), "at": float(level[0]),
            }
        )
        for j in order[:KEPT] if np.ptp(moved[j]) > 0
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
