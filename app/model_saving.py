"""From a training to the registry: cards with their lineage, and newer versions in force only where they are not worse.

Models are judged as they were before the test days taught them anything; those stored have learned from all readings.
A stack of models belongs to its training, and goes into force with it unless it is pinned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from app.code_version import code_version
from models.cards import describe
from models.registry import CITY, Registry
from models.registry_files import Key
from models.succession import Decision, succeed

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel
    from models.training import Training

MIX = "_mix"
_PLACE_COLUMNS = {"lon": 4, "lat": 4, "area_m2": 0}  # and decimals: about 10 m


def store_models(
    registry: Registry,
    training: Training,
    final: Training,
    panel: Panel,
    *,
    training_run: str,
    source: str = "",
) -> dict[Key, Decision]:
    """Store every model of a training as a new version.

    Parameters
    ----------
    training, final : Training
        Before the test days, and learned again from all that is known.
    source : str
        "simulated" or "measured".

    Returns
    -------
    dict
        What was decided by (zone, target); of mixes nothing.
    """
    registry.sweep()
    place = place_of(panel)
    choices = training.choices.set_index(["zone_id", "target"])
    watched = training.guard.set_index(["zone_id", "target"])
    stored: dict[Key, Forecaster] = {**final.micromodels, **final.newcomers}
    judged: dict[Key, Forecaster] = {**training.micromodels, **training.newcomers}
    for target, model in final.macromodels.items():
        stored[CITY, target], judged[CITY, target] = model, training.macromodels[target]

    def card(key: Key, model: Forecaster, before: Forecaster) -> dict[str, Any]:
        seconds = training.seconds.get((model.name, key[1]), float("nan"))
        told: dict[str, Any] = {"training_run": training_run, "fit_seconds": seconds}
        if key in choices.index:
            row = choices.loc[key]
            told |= {name: row[name] for name in row.index if name != "settings"}
            told["fit_seconds"] = seconds / len(training.zones(key[1]))
        if key in watched.index:
            guard = watched.loc[key]
            told |= {"guard": str(guard["words"]), "fell_from": str(guard["chosen"]) if guard["fell_back"] else ""}
        lineage = {"training_run": training_run, "learned_again_from": before.train_end}
        sections = describe(
            model, panel=panel, judged=before, code_version=code_version()["models"], source=source, lineage=lineage
        )
        return {**told, **sections}

    cards: Mapping[Key, Mapping[str, Any]] = {key: card(key, model, judged[key]) for key, model in stored.items()}
    _, decisions = succeed(
        registry, stored, panel, left_out_from=training.test_from, judged=judged, cards=cards, place=place,
        seed=training.seed,
    )  # fmt: skip
    mixes: dict[Key, Forecaster] = {(MIX, target): model for target, model in final.mixes.items()}
    registry.save_many(
        mixes, {key: {**card(key, model, training.mixes[key[1]]), "place": place} for key, model in mixes.items()},
        why=dict.fromkeys(mixes, "belongs to its training"),
    )  # fmt: skip
    return decisions


def place_of(panel: Panel) -> str:
    """Names a city and its zones: other zones under the same ids make another place; other readings do not."""
    text = hashlib.sha256(json.dumps([panel.timezone, panel.zone_ids]).encode())
    if panel.zones is not None:
        for name in _PLACE_COLUMNS:
            if name in panel.zones:
                text.update(np.round(panel.zones[name].to_numpy(dtype=float), _PLACE_COLUMNS[name]).tobytes())
    return text.hexdigest()[:12]
