"""The automatic choice as it serves: in each zone the model in use, which follows its own late errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.following import Follower, follow
from models.monitoring.fleet import followers
from models.panel import Panel
from models.training import Training


@dataclass(frozen=True, eq=False)
class Server:
    """One model of all zones, and the zones that it serves.

    Attributes
    ----------
    name : str
        "macromodel", "mix" or the micromodels' family.
    model : Forecaster
        A family's micromodels together: what they share of their intervals is learned from all zones.
    places : ndarray of int
        Of the served zones among all zones of the training's target.
    """

    name: str
    model: Forecaster
    places: np.ndarray


def servers(training: Training, target: str) -> list[Server]:
    """Who serves a target's zones: macromodel, mix, and each family of micromodels that is in use."""
    models, names = training.named(target), np.array(training.names_in_use(target, training.zones(target)))
    return [Server(name, models[name], np.flatnonzero(names == name)) for name in dict.fromkeys(names)]


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
        Point forecasts at the models' anchors on the model's scale, by name of model, zones as in `Training.zones`;
        see `compare.model_levels`.
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
        model, level = server.model, levels[server.name]
        order = model.places(training.zones(target))  # of the training's zones among the model's
        mine = np.full((len(known), len(model.zone_ids), level.shape[2]), np.nan)
        mine[:, order] = level
        return follow(model, panel, known, level=mine, train_end=train_end)[:, order[server.places]]

    return _assembled(servers(training, target), told)


def around_in_use(
    training: Training, target: str, panel: Panel, known: np.ndarray, *, levels: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The same with each zone's static intervals, which follow nothing, around the forecasts; shape (n, Z, S, Q)."""

    def told(server: Server) -> np.ndarray:
        model, level = server.model, levels[server.name][:, server.places]
        places = model.places(training.zones(target))[server.places]
        return model.around(panel, level, known, places, model.anchors)

    return _assembled(servers(training, target), told)


def followers_of(training: Training, panel: Panel) -> dict[tuple[str, ...], Follower]:
    """Adaptive intervals of all that goes live, caught up with the readings of a panel.

    Parameters
    ----------
    training : Training
    panel : Panel
        What models have not seen of it tells how large their errors are now.

    Returns
    -------
    dict
        By ("micromodel", zone_id, target), ("macromodel", target) and ("mix", target). Micromodels of one family are
        followed together, since what they share is learned from all of their zones, and then each has its own.
    """
    own = {(model.name, target): model for (_, target), model in training.micromodels.items()}
    whole: dict[tuple[str, ...], Forecaster] = {key: {**training.baselines, **training.candidates}[key] for key in own}
    found: dict[tuple[str, ...], Follower] = {}
    together = followers(whole, panel)
    for (zone, target), model in training.micromodels.items():
        if (model.name, target) in together and (zone, target) not in training.newcomers:
            place = int(whole[model.name, target].places([zone])[0])
            found["micromodel", zone, target] = together[model.name, target].one(place)
    single: dict[tuple[str, ...], Forecaster] = {
        ("micromodel", *key): model for key, model in training.newcomers.items()
    }
    citywide: dict[tuple[str, ...], Forecaster] = {
        (name, target): model
        for name, models in (("macromodel", training.macromodels), ("mix", training.mixes))
        for target, model in models.items()
    }
    return found | followers(single, panel) | followers(citywide, panel)


def _assembled(every: Sequence[Server], told: Callable[[Server], np.ndarray]) -> np.ndarray:
    """What each server tells of its zones, side by side, zones in the order of their places."""
    fans = [told(server) for server in every]
    order = np.argsort(np.concatenate([server.places for server in every]))
    return np.concatenate(fans, axis=1)[:, order]
