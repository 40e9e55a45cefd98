"""Welcome: a training's zones that report too little to learn from alone get transferred micromodels."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import CHOICES, validate
from models.choosing import assignment
from models.contract import Forecaster
from models.errors import NoDataError
from models.newcomers.forecaster import LEAST_DAYS, TransferredForecaster
from models.newcomers.lending import LEAST_DONORS, transfer_all
from models.panel import Panel

if TYPE_CHECKING:
    from models.training import Training

log = logging.getLogger(__name__)
#: A zone that was silent for as long before the training ends is not new but gone (assumed).
SILENT_DAYS = 2.0


def new_zones_of(panel: Panel, target: str, known: Sequence[str]) -> tuple[str, ...]:
    """Zones with half a day of readings and some in the last days that are not among those learned from."""
    grid = np.isfinite(panel.values[target])
    enough = grid.sum(axis=0) >= LEAST_DAYS * panel.steps_per_day
    lately = grid[-max(1, int(SILENT_DAYS * panel.steps_per_day)) :].any(axis=0)
    old = set(known)
    return tuple(zone for zone, fit in zip(panel.zone_ids, enough & lately) if fit and zone not in old)


def welcome(training: Training, past: Panel) -> Training:
    """The training with transferred forecasters for its new zones, their choices and reasons; itself without any.

    Parameters
    ----------
    training : Training
    past : Panel
        Its training part.
    """
    found: dict[tuple[str, str], TransferredForecaster] = {}
    for target in dict.fromkeys(of for _, of in training.micromodels):
        old = training.zones(target)
        new = new_zones_of(past, target, old)
        if not new or len(old) < LEAST_DONORS:
            continue
        try:
            made = transfer_all(training, past, target, new, train_end=past.origin(len(past) - 1))
        except NoDataError as error:
            log.warning("new zones stay without a model of %s: %s", target, error)
            continue
        found |= {(zone, target): model for zone, model in made.items()}
    if not found:
        return training
    tasks = set(training.choices["zone_id"])
    rows = []
    for (zone, target), model in found.items():
        rows.append(
            {
                "zone_id": zone, "target": target, "family": model.name, "model_in_use": "micromodel", "by_hand": False,
                "settings": json.dumps(model.settings(), sort_keys=True), "is_task": zone not in tasks,
                "reason": f"New zone: {model.reason}.", "weight_micro": 1.0,
                "task_reason": "The only quantity that the zone has begun to report",
            }
        )  # fmt: skip
        tasks.add(zone)
    choices = pd.concat([training.choices, pd.DataFrame(rows)], ignore_index=True)
    choices = validate(choices.sort_values(["zone_id", "target"], ignore_index=True), CHOICES)
    newcomers: dict[tuple[str, str], Forecaster] = dict(found)
    return replace(training, choices=choices, assignment=assignment(choices), newcomers=newcomers)
