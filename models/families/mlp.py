"""Perceptrons: a small network per zone on top of its own line, all zones' networks trained in one batched loop.

Each zone first gets a ridge line per horizon; the network learns what the line leaves over, starts at nothing and is
kept only as far as it helps on the zone's last days, which it does not learn from. So a zone without curvature keeps
its line, and one without signal forecasts about "as usual".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from models.families.network import (
    LOSSES,
    AdamW,
    Best,
    Parameters,
    check_choices,
    check_ranges,
    dropout_mask,
    learning_rate,
    loss_gradient,
    loss_value,
)
from models.families.network_line import NetworkLine, held_out_rows
from models.learner import Learner, State
from models.rows import Rows

_STEPS_OF_A_ROUND = (15, 50)
_CHUNK_BYTES = 2_000_000  # of one layer's values: about what a core's cache holds


class ZoneMLP(Learner):
    """A multilayer perceptron for each zone.

    A hidden unit sees the common features and those of one horizon; its weights serve all horizons of the zone, but for
    its threshold and its weight in the forecast. Beside it a line by horizon is learned on (the skip connection).

    Settings
    --------
    hidden : int
        Units of a hidden layer, 2 to 256.
    layers : int
        Hidden layers, 1 or 2.
    loss : str
        "absolute", "huber", "squared" or "pinball" (with `quantile`).
    rounds, patience : int
        Rounds of learning at most, and without getting better on the held-out rows. A round is a pass over the rows,
        but of 15 to 50 steps.
    batch : int
        Rows of a step.
    rate, decay, dropout : float
        Peak learning rate, weight decay, share of the units left out in a step.
    holdout : float
        Share of the rows, the last ones, that decide when to stop.
    members : int
        Networks per zone from different starts, averaged.

    Notes
    -----
    Zones share the random stream (starting weights, order of rows, dropout) but no data, so that a zone's network is
    the same whether fitted alone, in another order or among a thousand, up to the rounding of batched products.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), doi:10.1038/323533a0; He et al. (2015), doi:10.1109/ICCV.2015.123 (starts).
    """

    family = "mlp"
    scope = "zone"
    rank = 6.0
    losses = LOSSES
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "hidden": 16,
            "layers": 1,
            "loss": "absolute",
            "quantile": 0.5,
            "rounds": 25,
            "patience": 10,
            "batch": 128,
            "rate": 4e-3,
            "decay": 0.3,
            "dropout": 0.1,
            "holdout": 0.2,
            "members": 3,
        }
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {
            "hidden": (8, 16, 32),
            "layers": (1, 2),
            "dropout": (0.0, 0.1, 0.25),
            "decay": (0.02, 0.3, 1.0),
            "rate": (1e-3, 4e-3, 1e-2),
            "members": (1, 3),
        }
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_choices(self.family, self.settings, {"loss": LOSSES, "layers": (1, 2)})
        check_ranges(
            self.family,
            self.settings,
            {
                "hidden": (2, 256),
                "quantile": (0.001, 0.999),
                "rounds": (1, 10_000),
                "patience": (1, 10_000),
                "batch": (1, 1_000_000),
                "rate": (1e-6, 1.0),
                "decay": (0.0, 10.0),
                "dropout": (0.0, 0.9),
                "holdout": (0.05, 0.5),
                "members": (1, 50),
            },
        )
        self.line: NetworkLine | None = None
        self._flat = np.zeros((1, 0, 0), dtype=np.float32)  # (members, Z, P)
        self._spread = np.zeros((0, 0), dtype=np.float32)  # (Z, S): what the line leaves over

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn (see `Learner.fit`); all zones of a chunk take each step together."""
        self.layout = rows.layout
        n, zones, horizons = rows.shape
        early, first_held = held_out_rows(rows, self.settings["holdout"])
        chunk = max(1, _CHUNK_BYTES // (4 * horizons * self.settings["hidden"] * min(self.settings["batch"], n)))
        members = self.settings["members"]
        lines = []
        flat = np.zeros((members, zones, self._parameters(rows, 0).flat.shape[-1]), dtype=np.float32)
        spread = np.ones((zones, horizons), dtype=np.float32)
        with threadpool_limits(limits=1, user_api="blas"):
            for start in range(0, zones, chunk):
                some = np.arange(start, min(start + chunk, zones))
                few, target = rows.pick(some), np.ascontiguousarray(y[:, some].transpose(1, 2, 0))  # (Z, S, n)
                line = NetworkLine.fit(few, target, early=early, first_held=first_held)
                lines.append(line)
                common, ahead = line.inputs(few)
                rest = target - line.early_forecast(common, ahead)
                part = rest[:, :, :early]
                known = np.isfinite(part)
                size = np.sqrt(np.square(np.where(known, part, 0)).sum(axis=2) / np.maximum(known.sum(axis=2), 1))
                spread[some] = np.where(size > 1e-3, size, 1)
                rest = (rest / spread[some][:, :, None]).astype(np.float32)
                for member in range(members):
                    rng = np.random.default_rng([self.seed, member])
                    flat[member, some] = self._train(rows, common, ahead, rest, early, first_held, rng)
        self.line, self._flat, self._spread = NetworkLine.join(lines), flat, spread
        return self

    def _parameters(self, rows: Rows, zones: int) -> Parameters:
        f1, f2 = rows.common.shape[2], rows.ahead.shape[3]
        assert self.layout is not None
        horizons, hidden = len(self.layout.steps), self.settings["hidden"]
        shapes: dict[str, tuple[int, ...]] = {
            "common": (f1, hidden),
            "ahead": (f2, hidden),
            "threshold": (horizons, hidden),
            "out": (horizons, hidden),
            "line_common": (f1, horizons),
            "line_ahead": (horizons, f2),
            "constant": (horizons,),
        }
        if self.settings["layers"] == 2:
            shapes |= {"deep": (hidden, hidden), "deep_threshold": (hidden,)}
        return Parameters(shapes, (zones,))

    def _train(
        self,
        rows: Rows,
        common: np.ndarray,
        ahead: np.ndarray,
        rest: np.ndarray,
        early: int,
        first_held: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Train the networks of a chunk of zones; returns (Z, P)."""
        s = self.settings
        zones = len(common)
        parameters = self._parameters(rows, zones)
        width = common.shape[2] + ahead.shape[3]
        for name in ("common", "ahead", "deep"):
            if name in parameters.shapes:
                shape = parameters.shapes[name]
                scale = np.sqrt(2 / (shape[0] if name == "deep" else max(width, 1)))
                parameters[name] = rng.standard_normal(shape).astype(np.float32) * np.float32(scale)
        decay = s["decay"] * parameters.mask([k for k in parameters.shapes if k not in ("threshold", "deep_threshold")])
        adam = AdamW(parameters, decay)
        held = (common[:, first_held:], ahead[:, :, first_held:], rest[:, :, first_held:])
        best = Best(parameters.flat, self._held_loss(parameters, *held), s["patience"])
        place, alive = np.arange(zones), np.flatnonzero(np.isfinite(best.loss))
        steps = int(np.clip(round(early / s["batch"]), *_STEPS_OF_A_ROUND))
        order = _Order(early, min(s["batch"], early), rng)
        for epoch in range(1, s["rounds"] + 1):
            if len(alive) < len(parameters.flat):
                if not len(alive):
                    break
                stay = np.isin(place, alive)
                parameters = parameters.like(parameters.flat[stay])
                adam.keep(stay)
                adam.parameters = parameters
                common, ahead, rest = common[stay], ahead[stay], rest[stay]
                held = (common[:, first_held:], ahead[:, :, first_held:], rest[:, :, first_held:])
                place = alive
            for k in range(steps):
                progress = (epoch - 1 + k / steps) / s["rounds"]
                part = order.next()
                grad = self._gradient(parameters, common[:, part], ahead[:, :, part], rest[:, :, part], rng)
                adam.step(grad.flat, learning_rate(progress, s["rate"]))
            go_on = best.offer(epoch, place, parameters.flat, self._held_loss(parameters, *held))
            alive = place[go_on]
        return best.flat

    def _held_loss(self, parameters: Parameters, common: np.ndarray, ahead: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Mean loss of each zone on rows held out, `nan` where no outcome is known; shape (Z,)."""
        error = _forward(parameters, common, ahead)[0] - rest
        loss = loss_value(error, self.settings["loss"], self.settings["quantile"]).reshape(len(error), -1)
        known = np.isfinite(loss)
        count = known.sum(axis=1)
        total = np.where(known, loss, 0).sum(axis=1, dtype=np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def _gradient(
        self, parameters: Parameters, common: np.ndarray, ahead: np.ndarray, rest: np.ndarray, rng: np.random.Generator
    ) -> Parameters:
        """Gradient of the mean loss of a batch, by hand."""
        share, hidden = self.settings["dropout"], self.settings["hidden"]
        kind = parameters.flat.dtype
        masks = [dropout_mask(rng, (common.shape[1], hidden), share, kind) for _ in range(self.settings["layers"])]
        out, layers = _forward(parameters, common, ahead, masks if share > 0 else None)
        slope = loss_gradient(out - rest, self.settings["loss"], self.settings["quantile"])
        slope *= kind.type(1 / (slope.shape[1] * slope.shape[2]))
        return _backward(parameters, common, ahead, slope, layers, masks if share > 0 else None)

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts (see `Learner.predict`)."""
        assert self.line is not None and self.layout is not None
        places = np.arange(len(self._spread)) if places is None else np.asarray(places)
        at = self.horizon_places(rows)
        n, _, horizons = rows.shape
        out = np.empty((n, len(places), horizons), dtype=np.float32)
        chunk = max(1, 4 * _CHUNK_BYTES // (4 * horizons * self.settings["hidden"] * max(n, 1)))
        shared = self._parameters(rows, 0)
        for start in range(0, len(places), chunk):
            here = slice(start, start + chunk)
            some = places[here]
            line = self.line.pick(some)
            common, ahead = line.inputs(rows.pick(np.arange(len(places))[here]))
            total = sum(_forward(shared.like(flat[some]), common, ahead, at=at)[0] for flat in self._flat)
            value = total * (self._spread[some][:, at, None] / np.float32(len(self._flat)))
            value = value + line.forecast(common, ahead, at)
            out[:, here] = value.transpose(2, 0, 1)
        return out

    def pick(self, places: np.ndarray) -> Self:
        """The networks of some zones."""
        assert self.line is not None
        other = type(self)(seed=self.seed, **self.settings)
        other.layout, other.line = self.layout, self.line.pick(places)
        other._flat, other._spread = self._flat[:, places], self._spread[places]
        return other

    def n_parameters(self) -> int:
        """Weights of lines and networks."""
        assert self.line is not None
        return int(self._flat.size + self.line.weights.size)

    def state(self) -> State:
        """Arrays alone."""
        assert self.line is not None
        return {}, {"flat": self._flat, "spread": self._spread, **self.line.arrays()}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        self._flat, self._spread = arrays["flat"], arrays["spread"]
        self.line = NetworkLine.restore(arrays)


class _Order:
    """Batches of rows in random order, pass after pass; each batch sorted, which memory likes."""

    def __init__(self, rows: int, batch: int, rng: np.random.Generator) -> None:
        self._rows, self._batch, self._rng = rows, batch, rng
        self._left = np.empty(0, dtype=np.int64)

    def next(self) -> np.ndarray:
        if len(self._left) < self._batch:
            self._left = self._rng.permutation(self._rows)
        part, self._left = self._left[: self._batch], self._left[self._batch :]
        return np.sort(part)


def _forward(
    p: Parameters,
    common: np.ndarray,
    ahead: np.ndarray,
    masks: list[np.ndarray] | None = None,
    at: np.ndarray | slice = slice(None),
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs (Z, S, b) of a stack of networks, and the layers; common (Z, b, F1), ahead (Z, S, b, F2)."""
    zones, horizons, size, f2 = ahead.shape
    first = np.matmul(common, p["common"])[:, None] + p["threshold"][:, at][:, :, None]
    out = np.matmul(common, p["line_common"][:, :, at]).transpose(0, 2, 1) + p["constant"][:, at][:, :, None]
    if f2:
        first += np.matmul(ahead.reshape(zones, -1, f2), p["ahead"]).reshape(first.shape)
        out = out + np.matmul(ahead, p["line_ahead"][:, at][..., None])[..., 0]
    layers = [np.maximum(first, 0, out=first)]
    if masks is not None:
        first *= masks[0]
    if "deep" in p.shapes:
        second = np.matmul(first.reshape(zones, horizons * size, -1), p["deep"]) + p["deep_threshold"][:, None]
        second = np.maximum(second, 0, out=second).reshape(first.shape)
        if masks is not None:
            second *= masks[1]
        layers.append(second)
    return out + np.matmul(layers[-1], p["out"][:, at][..., None])[..., 0], layers


def _backward(
    p: Parameters,
    common: np.ndarray,
    ahead: np.ndarray,
    slope: np.ndarray,
    layers: list[np.ndarray],
    masks: list[np.ndarray] | None,
) -> Parameters:
    """Gradient by the numbers of each network, given the loss's slope (Z, S, b) by its outputs.

    A unit that was left out or stood below its threshold has the value 0, so `layer > 0` stands for both.
    """
    zones, _, _, f2 = ahead.shape
    grad = p.like(np.empty_like(p.flat))
    across = np.ascontiguousarray(common.transpose(0, 2, 1))
    grad["constant"] = slope.sum(axis=2)
    grad["line_common"] = np.matmul(across, slope.transpose(0, 2, 1))
    grad["out"] = np.matmul(slope[:, :, None], layers[-1])[:, :, 0]
    if f2:
        grad["line_ahead"] = np.matmul(slope[:, :, None], ahead)[:, :, 0]
    back = slope[..., None] * p["out"][:, :, None]
    if "deep" in p.shapes:
        back *= layers[1] > 0
        if masks is not None:
            back *= masks[1]
        flat = back.reshape(zones, -1, back.shape[-1])
        grad["deep"] = np.matmul(layers[0].reshape(flat.shape).transpose(0, 2, 1), flat)
        grad["deep_threshold"] = flat.sum(axis=1)
        back = np.matmul(flat, p["deep"].transpose(0, 2, 1)).reshape(back.shape)
    back *= layers[0] > 0
    if masks is not None:
        back *= masks[0]
    grad["threshold"] = back.sum(axis=2)
    grad["common"] = np.matmul(across, back.sum(axis=1))
    if f2:
        grad["ahead"] = np.matmul(
            ahead.reshape(zones, -1, f2).transpose(0, 2, 1), back.reshape(zones, -1, back.shape[-1])
        )
    return grad
