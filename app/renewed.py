"""Models that serve: what the registry has in force, a training's own where that cannot be had.

A training stores its models with its run and, as new versions, in the registry. What is in force there may be another
version: trained again since (see `retrain_job`), kept because the newer one erred more, rolled back to, pinned, or put
in by hand. That one serves then, the citywide models and mixes alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.live_forecasts import stored_models
from app.model_saving import MIX
from data.store.workspace import Workspace
from models.errors import ModelFileError, RegistryError
from models.registry import CITY

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.registry import Registry

log = logging.getLogger(__name__)
Key = tuple[str, str]
#: Names under which citywide models stand in the registry instead of a zone's, by the name that runs give them.
NAMES = {"macromodel": CITY, "mix": MIX}


def renewed_cards(workspace: Workspace, training: str) -> dict[Key, dict[str, Any]]:
    """Cards of versions in force that are not a training's own, by (zone, target); citywide ones by `NAMES`.

    A version that was learned for other zones does not serve these, whatever they are called.
    """
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
        if card.get("renews") == training or (
            card.get("training_run") != training and _of_the_same_place(registry, key, card, training)
        ):
            found[key] = card
    return found


def _of_the_same_place(registry: Registry, key: Key, card: Mapping[str, Any], training: str) -> bool:
    """Whether a version was learned for the zones of a training, by the newest version that the training stored."""
    for version in reversed(registry.versions(*key)):
        try:
            other = registry.show(*key, version)
        except (RegistryError, ModelFileError):
            continue
        if other.get("training_run") == training:
            place = other.get("place", "")
            return bool(card.get("place", place) == place)
    return False


def renewed_models(workspace: Workspace, training: str) -> dict[Key, Forecaster]:
    """Micromodels in force that are not a training's own; one that cannot be read is passed over, which is logged."""
    return {key: model for key, model in _renewed(workspace, training).items() if key[0] not in NAMES.values()}


def serving_models(workspace: Workspace, training: str, citywide: tuple[str, ...]) -> Mapping[Any, Forecaster]:
    """As `stored_models`, with what the registry has in force in place of the training's own."""
    found = stored_models(workspace.runs, training, citywide)
    return {**found, **replacing(workspace, training, found)}


def replacing(workspace: Workspace, training: str, own: Mapping[Any, Forecaster]) -> dict[Any, Forecaster]:
    """Models in force in place of a training's own, by the keys of `stored_models`; what does not fit is logged."""
    run_name = {name: citywide for citywide, name in NAMES.items()}
    found: dict[Any, Forecaster] = {}
    for (zone, target), model in _renewed(workspace, training).items():
        key = (run_name[zone], target) if zone in run_name else ("micromodel", zone, target)
        if key in own and _fits(model, own[key]):
            found[key] = model
    return found


def in_force(workspace: Workspace, training: str) -> dict[str, str]:
    """Versions that serve and are not a training's own, `zone/target` to number: what a live day depends on besides."""
    return {"/".join(key): str(card["version"]) for key, card in sorted(renewed_cards(workspace, training).items())}


def _renewed(workspace: Workspace, training: str) -> dict[Key, Forecaster]:
    from models.registry import Registry

    registry, found = Registry(workspace.models), {}
    for key, card in renewed_cards(workspace, training).items():
        try:
            found[key] = registry.load(*key, str(card["version"]))
        except (RegistryError, ModelFileError) as error:
            log.warning("the model in force of %s in %s cannot be read: %s", key[1], key[0], error)
    return found


def _fits(model: Forecaster, own: Forecaster) -> bool:
    """Whether a model forecasts the same zones in the same steps as a training's own."""
    same = model.target == own.target and model.step_s == own.step_s and set(own.zone_ids) <= set(model.zone_ids)
    if not same:
        log.warning("the model in force of %s does not fit the zones or steps of the training", own.target)
    return same
