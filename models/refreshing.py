"""Refreshing: new readings added to what lines have learned, without the readings of before.

A ridge line knows its rows by their moments alone. Where these are kept (setting `refreshable`), a day of readings is
a sum and a solution: microseconds a zone and horizon, and to rounding the line that a fit on all rows would give.

**What is held fixed** is what the rows are made of: the usual day, each zone's scale, the neighbours that are read, the
means of the weather, the share of the present deviation that forecasts start from, the penalties, and the intervals
(which follow errors by themselves, see `following`). These age with the season. **A full refit is needed** where they
do: when the policy's days are over, when an alarm says that the world has changed, when sensors, neighbours or zones
change, or, as a rule of thumb (assumed), after `FULL_DAYS` days of refreshing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.errors import ShortHistoryError
from models.featuriser import Featuriser
from models.horizons import followed
from models.panel import Panel
from models.rows import Rows

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.training import Training

#: Days after which a usual day should be learned again: half of what it forgets by half in (assumed; see `profile`).
FULL_DAYS = 14.0
#: Features look back a week; a panel that begins later would make other rows of the same readings.
BACK_DAYS = 8


def spacing(panel: Panel, known: np.ndarray) -> tuple[int, int]:
    """Every how many steps there is an origin, and which of them by the clock, whatever the panel begins with."""
    every = int(known[1] - known[0]) if known.size > 1 else 1
    return every, int(_clock(panel)[known[0]] % every) if known.size else 0


def new_rows(
    featuriser: Featuriser,
    panel: Panel,
    steps: tuple[int, ...],
    since: pd.Timestamp,
    train_end: pd.Timestamp,
    every: tuple[int, int] = (1, 0),
) -> tuple[Rows, np.ndarray] | None:
    """Rows whose outcomes became known from `since` to `train_end`.

    Parameters
    ----------
    featuriser : Featuriser
        As it was fitted; it learns nothing here.
    panel : Panel
        With `BACK_DAYS` days before the first of these origins, or from its own beginning.
    steps : tuple of int
        Horizons.
    since, train_end : Timestamp
        UTC; what was known at `since` has been learned from already.
    every : tuple of int
        See `spacing`: rows count as they did in the fit.

    Returns
    -------
    tuple of Rows and ndarray of float32, shape (n, Z, S), or None
        Features of the origins, and outcomes, `nan` for those known before and those not known yet. An origin shortly
        before `since` is among them with the horizons that it could not be learned for then. None where nothing is new.

    Raises
    ------
    ShortHistoryError
        If the panel begins too late.
    """
    end, old = panel.known_by(train_end), panel.known_by(since)
    if end <= old:
        return None
    first = old - max(steps)
    if first < panel.steps_per_day or panel.times[0] > since:
        raise ShortHistoryError(
            f"readings from {panel.times[0]} on cannot be added to a model that learned until {since}: give at least"
            f" {BACK_DAYS} days before that, which its features look back on"
        )
    known = np.arange(first, end - 1)
    known = known[_clock(panel)[known] % every[0] == every[1]]
    past = panel.until(end)
    rows = featuriser.rows(past, known, steps)
    aim = known[:, None] + np.asarray(steps)
    begin = int(known[0]) if known.size else 0
    grid = featuriser.deviation(past, slice(begin, end), np.arange(len(featuriser.zone_ids))).astype(np.float32)
    outcome = followed(grid, aim - begin)
    outcome = np.where((aim >= old)[:, None, :], outcome, np.float32(np.nan))
    return rows, np.ascontiguousarray(outcome)


def refresh(training: Training, panel: Panel, *, train_end: pd.Timestamp | None = None) -> tuple[Training, list[str]]:
    """A training whose lines have learned what came since, and the candidates that had to stay as they were.

    Micromodels, macromodels and mixes whose candidates keep their moments (`train(refreshable=True)`) are refreshed.

    Raises
    ------
    ShortHistoryError
        As `new_rows`.
    """
    end = panel.origin(len(panel) - 1) if train_end is None else train_end
    again: dict[int, Forecaster] = {}
    stayed = []
    for (name, target), model in training.candidates.items():
        if model.can_refresh:
            again[id(model)] = model.refresh(panel, train_end=end)
        else:
            stayed.append(f"{name}/{target}")
    candidates = {key: again.get(id(model), model) for key, model in training.candidates.items()}
    micromodels = {
        (zone, target): candidates[model.name, target].one(zone)
        if (model.name, target) in candidates and candidates[model.name, target].can_refresh else model
        for (zone, target), model in training.micromodels.items()
    }  # fmt: skip
    mixes = {
        target: mix.with_members([again.get(id(member), member) for member in mix.members])
        for target, mix in training.mixes.items()
    }
    macromodels = {target: again.get(id(model), model) for target, model in training.macromodels.items()}
    made = replace(
        training, candidates=candidates, micromodels=micromodels, macromodels=macromodels, mixes=mixes, train_end=end
    )
    return made, stayed


def _clock(panel: Panel) -> np.ndarray:
    """Steps since 1970 at which each interval begins, shape (T,)."""
    seconds = np.asarray(panel.times.as_unit("s").asi8)
    return seconds // panel.step_s
