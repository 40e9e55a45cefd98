"""What a zone's model looks at, asked in three ways: contributions, permutation, gain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from app.monitoring import watched
from data.errors import InputError
from data.store.workspace import Workspace
from models.forecasting import LearnedForecaster
from models.panel import Panel

WAYS = ("contributions", "permutation", "gain")
#: Readings looked at, and origins explained one by one.
DAYS, ORIGINS = 7, 48


def importances(workspace: Workspace, zone: str, target: str, *, by: str, ahead_s: float) -> pd.DataFrame:
    """A table of features (permutation: groups of them), the one that matters most first.

    Parameters
    ----------
    workspace : Workspace
    zone, target : str
        Of a micromodel that serves.
    by : {"contributions", "permutation", "gain"}
    ahead_s : float
        So far ahead; the nearest horizon learned is taken.

    Raises
    ------
    InputError
        If no such micromodel serves, or it is of a kind that cannot be asked.
    """
    seen = watched(workspace)
    model, panel = seen.serving.get((zone, target)), seen.panel
    if not isinstance(model, LearnedForecaster):
        there = ", ".join(sorted({f"{z} {of}" for z, of in seen.serving})[:8])
        raise InputError(f"no micromodel of '{target}' in zone '{zone}' that could be asked; there are {there}")
    step = min(model.anchors, key=lambda s: abs(s * panel.step_s - ahead_s))
    first = max(1, len(panel) - DAYS * panel.steps_per_day)
    known = np.arange(first, len(panel) - step)
    if by == "permutation":
        return _permuted(model, panel, zone, known, step)
    from models.explain import importance
    from models.gain import gain_importance

    if by == "gain":
        return gain_importance(model, panel, zone_id=zone, origins=panel.origins(known), step=step)
    some = known[:: max(1, known.size // ORIGINS)]
    return importance(model, panel, zone_id=zone, origins=panel.origins(some), step=step)


def _permuted(model: LearnedForecaster, panel: Panel, zone: str, known: np.ndarray, step: int) -> pd.DataFrame:
    from models.horizons import followed
    from models.importance import permutation_importance

    assert model.featuriser is not None
    place = model.places([zone])
    rows = model.featuriser.rows(panel, known, (step,), place)
    grid = model.featuriser.deviation(panel, slice(0, len(panel)), place).astype(np.float32)
    horizon = model.anchors.index(step)
    y = followed(grid, known[:, None] + np.array([step]))
    y = y - rows.common[:, :, :1] * model.share[place][:, [horizon]].astype(np.float32)
    found = permutation_importance(model.learner, rows, y, block=panel.steps_per_day, places=place)
    base = float(found.base[0])
    return pd.DataFrame(
        {"group": found.groups, "error_growth": found.mean[:, 0] / base, "lower": found.low[:, 0] / base,
         "upper": found.high[:, 0] / base}
    ).sort_values("error_growth", ascending=False, ignore_index=True)  # fmt: skip
