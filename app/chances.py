"""Chances that a limit is passed, learned for it alone, and held against the days that they have not seen.

The app reads chances off forecast quantiles. A classifier learns the one limit that is asked about (see
`models.exceedance`), is calibrated, and says where there are too few episodes to learn from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.monitoring import watched_panel
from app.retrain_job import left_out_from
from data.errors import InputError
from data.store.workspace import Workspace
from models.panel import Panel

COLUMNS = ("zone_id", "chance", "usual_share", "episodes", "brier_skill", "n", "note")


def chances(
    workspace: Workspace, target: str, limit: float, *, horizon_s: float = 3600.0, below: bool = False
) -> pd.DataFrame:
    """Chance in every zone, from the newest readings.

    Parameters
    ----------
    workspace : Workspace
    target : str
        E.g. `no2_ug_per_m3`.
    limit : float
        In the unit that is shown, e.g. km/h of a speed.
    horizon_s : float
        So far ahead.
    below : bool
        Of lying below the limit, not above it.

    Returns
    -------
    DataFrame
        A row each zone that senses the target: `chance` now (`nan` where there are too few episodes), `usual_share` of
        the time, `episodes` learned from, `brier_skill` on the last days, which were left out (share of the squared
        error of always saying `usual_share` that is saved), from `n` forecasts, `note`.

    Raises
    ------
    InputError
        If no zone senses the target, or the horizon is none.
    """
    panel = watched_panel(workspace)
    if target not in panel.values:
        raise InputError(f"no readings of '{target}' in this workspace; there are {', '.join(sorted(panel.values))}")
    step = round(horizon_s / panel.step_s)
    if not 1 <= step <= panel.steps_per_day or abs(step * panel.step_s - horizon_s) > 1:
        raise InputError(f"horizon {horizon_s:g} s: a multiple of the step of {panel.step_s} s, at most a day")
    return learned(panel, target, limit / DISPLAY[target][1] if target in DISPLAY else limit, step, below)


def learned(panel: Panel, target: str, limit: float, step: int, below: bool) -> pd.DataFrame:
    """The same from a panel, `limit` in the unit of its readings."""
    from models.design import Design
    from models.exceedance import ExceedanceClassifier
    from models.horizons import followed
    from models.reliability import brier_skill
    from models.scale import to_scale

    cut = left_out_from(panel)
    past = panel.until(cut)
    zones = past.sensed(target)
    if not zones:
        raise InputError(f"no zone has reported enough of '{target}' to learn from")
    design = Design(past, target=target, zone_ids=zones, steps=(step,))
    profile = design.featuriser.base

    def happened(known: np.ndarray) -> np.ndarray:
        value = followed(panel.values[target][:, panel.columns(zones)], known[:, None] + np.array([step]))
        passed = value < limit if below else value > limit
        return np.where(np.isfinite(value), passed, np.nan)

    def room(known: np.ndarray) -> np.ndarray:
        """From what is usual at the moment forecast for up to the limit, in the zone's scale, (n, Z, 1, 1)."""
        usual = profile.usual(panel.calendar, known[:, None] + np.array([step])).transpose(0, 2, 1)
        return np.asarray((to_scale(target, np.array(limit)) - usual) / profile.scale[:, None])[..., None]

    inside = design.known[design.known + step < cut]
    rows = design.rows.take(np.arange(inside.size))
    model = ExceedanceClassifier().fit(rows, happened(inside), extra=room(inside))
    late = np.arange(cut - 1, len(panel) - step)
    at = design.featuriser.rows(panel, late, (step,))
    told, truth = model.predict_proba(at, extra=room(late))[:, :, 0], happened(late)[:, :, 0]
    now = np.array([len(panel) - 1])
    chance = model.predict_proba(design.featuriser.rows(panel, now, (step,)), extra=room(now))[0, :, 0]
    share = model.arrays["share"][:, 0]
    table = []
    for z, zone in enumerate(zones):
        heard = np.isfinite(told[:, z]) & np.isfinite(truth[:, z])
        skill = brier_skill(told[heard, z], truth[heard, z], share[z]) if heard.any() else np.nan
        table.append((zone, chance[z], share[z], int(model.arrays["episodes"][z, 0]), skill, int(heard.sum()),
                      model.note(z, 0)))  # fmt: skip
    return pd.DataFrame(table, columns=list(COLUMNS))
