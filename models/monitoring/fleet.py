"""A city's micromodels under watch: their references made together, so that zones share what a tail looks like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.contract import Forecaster, validation_start
from models.following import Follower
from models.monitoring.monitor import Monitor
from models.monitoring.reference import OPTIMISM, WISHED_DAYS, Reference, optimism
from models.monitoring.residuals import Series, joined, watched
from models.monitoring.settings import MonitorSettings
from models.panel import Panel


def references(
    models: Mapping[tuple[str, str], Forecaster],
    panel: Panel,
    *,
    end: int | None = None,
    settings: MonitorSettings | None = None,
) -> dict[str, tuple[tuple[str, ...], Reference]]:
    """Zones and their reference by target.

    Parameters
    ----------
    models : mapping of (zone_id, target) to Forecaster
        Micromodels, each of one zone; with their validation where they have it.
    panel : Panel
    end : int or None
        Intervals of the panel that models may have seen; None takes those before their `train_end`.
    settings : MonitorSettings or None
    """
    found = {}
    for target in sorted({target for _, target in models}):
        mine = {zone: model for (zone, of), model in models.items() if of == target}
        stop = end if end is not None else max(panel.known_by(pd.Timestamp(m.train_end)) for m in mine.values())
        start = max(1, min(validation_start(panel, stop), stop - int(WISHED_DAYS * panel.steps_per_day)))
        parts = [watched(model, panel, start, stop) for model in mine.values()]
        ratio = np.concatenate(
            [
                np.full(1, OPTIMISM) if m.validation is None else optimism(m, s, start)
                for m, s in zip(mine.values(), parts)
            ]
        )
        found[target] = (tuple(mine), Reference.fit(joined(parts), settings=settings, ratio=ratio))
    return found


def monitors(
    references_: Mapping[str, tuple[tuple[str, ...], Reference]], settings: MonitorSettings | None = None
) -> dict[tuple[str, str], Monitor]:
    """A monitor for each zone and target alone, as agents hold them."""
    return {
        (zone, target): Monitor(target, (zone,), reference.pick(np.array([place])), settings)
        for target, (zones, reference) in references_.items()
        for place, zone in enumerate(zones)
    }


def followers(models: Mapping[tuple[str, ...], Forecaster], panel: Panel) -> dict[tuple[str, ...], Follower]:
    """Adaptive intervals of models that carry their validation, caught up with all readings of a panel.

    Parameters
    ----------
    models : mapping of any key to Forecaster
        Those without a validation are left out.
    panel : Panel
        What a model has not seen of it tells how large its errors are now; a model that is refitted afterwards takes
        the follower over.
    """
    found = {}
    for key, model in models.items():
        if model.validation is None:
            continue
        follower = Follower.start(model, panel)
        first = max(panel.known_by(pd.Timestamp(model.train_end)), int(model.validation.known[-1]) + 2)
        unseen = np.arange(first - 1, len(panel) - 1)  # the last is the service's first
        if unseen.size:
            follower.advance(model, panel, panel.origins(unseen))
        found[key] = follower
    return found


def series_of_zones(models: Mapping[str, Forecaster], panel: Panel, start: int, end: int) -> Series:
    """What micromodels of one target got wrong from `start` up to `end`, zones in the order of `models`."""
    return joined([watched(model, panel, start, end) for model in models.values()])
