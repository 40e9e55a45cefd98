"""Micromodels that were trained again since a training: they serve in place of the training's own while in force.

A retraining stores a new version in the registry (see `retrain_job`); its card names the training that it renews.
Rolled back, the training's own model serves again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.live_forecasts import stored_models
from data.store.workspace import Workspace
from models.errors import ModelFileError, RegistryError

if TYPE_CHECKING:
    from models.contract import Forecaster

log = logging.getLogger(__name__)
Key = tuple[str, str]


def renewed_cards(workspace: Workspace, training: str) -> dict[Key, dict[str, Any]]:
    """Cards of versions in force that renew a training, by (zone, target)."""
    from models.registry import Registry

    registry = Registry(workspace.models)
    listed = registry.list()
    found = {}
    for row in listed[(listed["versions"] > 1) & (listed["version"] != "")].itertuples():
        key = (str(row.zone_id), str(row.target))
        try:
            card = registry.show(*key)
        except (RegistryError, ModelFileError) as error:
            log.warning("no card of %s in %s: %s", key[1], key[0], error)
            continue
        if card.get("renews") == training:
            found[key] = card
    return found


def renewed_models(workspace: Workspace, training: str) -> dict[Key, Forecaster]:
    """Models in force that renew a training; one that cannot be read is passed over, which is logged."""
    from models.registry import Registry

    registry, found = Registry(workspace.models), {}
    for key, card in renewed_cards(workspace, training).items():
        try:
            found[key] = registry.load(*key, str(card["version"]))
        except (RegistryError, ModelFileError) as error:
            log.warning("the renewed model of %s in %s cannot be read: %s", key[1], key[0], error)
    return found


def serving_models(workspace: Workspace, training: str, citywide: tuple[str, ...]) -> Mapping[Any, Forecaster]:
    """As `stored_models`, with micromodels that were trained again since in place of the training's own."""
    found = stored_models(workspace.runs, training, citywide)
    newer = {("micromodel", *key): model for key, model in renewed_models(workspace, training).items()}
    return {**found, **{key: model for key, model in newer.items() if key in found}}
