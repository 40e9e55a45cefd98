"""The automatic choice as it serves: in each zone the model in use, which follows its own late errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.following import follow
from models.panel import Panel
from models.training import Training


@dataclass(frozen=True, eq=False)
class Server:
    """One model, and the zones that it serves.

    Attributes
    ----------
    kind : str
        "micromodel", "macromodel" or "mix".
    model : Forecaster
    places : ndarray of int
        Of the served zones among all zones of the training's target.
    """

    kind: str
    model: Forecaster
    places: np.ndarray


def servers(training: Training, target: str) -> list[Server]:
    """Who serves a target's zones: citywide models once for all of theirs, micromodels zone by zone."""
    zones = training.zones(target)
    used = training.choices[training.choices["target"] == target].set_index("zone_id")["model_in_use"]
    kinds = np.array([str(used[zone]) for zone in zones])
    citywide = (("macromodel", training.macromodels), ("mix", training.mixes))
    found = [
        Server(kind, models[target], np.flatnonzero(kinds == kind)) for kind, models in citywide if kind in set(kinds)
    ]
    own = np.flatnonzero(kinds == "micromodel")
    return found + [Server("micromodel", training.micromodels[zones[k], target], np.array([k])) for k in own]


def follow_in_use(
    training: Training, target: str, panel: Panel, known: np.ndarray, *, levels: Mapping[str, np.ndarray],
    train_end: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Quantiles of the model in use from consecutive origins, each from the errors known at its origin.

    Parameters
    ----------
    training : Training
    target : str
    panel : Panel
    known : ndarray of int, shape (n,)
        Last known position at each origin, increasing.
    levels : mapping of str to ndarray, shape (n, Z, S)
        Point forecasts at the models' anchors by kind of model, on the model's scale; see `compare.model_levels`.
    train_end : int or None
        Intervals of the panel that bound what the target can be; None takes those up to the first origin.

    Returns
    -------
    ndarray of float32, shape (n, Z, S, Q)
        In the target's unit, zones as in `Training.zones`; the median has the decaying bias taken off.

    Raises
    ------
    NotFittedError
        If a model in use carries no validation.
    """

    def told(server: Server) -> np.ndarray:
        if server.kind == "micromodel":
            own = levels[server.kind][:, server.places]
            return follow(server.model, panel, known, level=own, train_end=train_end)
        return follow(server.model, panel, known, level=levels[server.kind], train_end=train_end)[:, server.places]

    return _assembled(servers(training, target), told)


def around_in_use(
    training: Training, target: str, panel: Panel, known: np.ndarray, *, levels: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The same with each zone's static intervals, which follow nothing, around the forecasts; shape (n, Z, S, Q)."""

    def told(server: Server) -> np.ndarray:
        model, own = server.model, levels[server.kind][:, server.places]
        places = server.places if server.kind != "micromodel" else np.zeros(1, dtype=np.int64)
        return model.around(panel, own, known, places, model.anchors)

    return _assembled(servers(training, target), told)


def _assembled(every: Sequence[Server], told: Callable[[Server], np.ndarray]) -> np.ndarray:
    """What each server tells of its zones, side by side, zones in the order of their places."""
    fans = [told(server) for server in every]
    order = np.argsort(np.concatenate([server.places for server in every]))
    return np.concatenate(fans, axis=1)[:, order]
