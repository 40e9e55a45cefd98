"""Pooled networks: one network for the whole city, told which zone it speaks for by a vector learned for each zone.

The base of `pooled_mlp`, `convolution` and `attention`: drawing batches over origins and zones, steps, averages of
weights, early stopping on blocks of days held out, several members averaged, forecasts in pieces.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from models.families.network import (
    LOSSES,
    AdamW,
    Parameters,
    centre_and_scale,
    check_choices,
    check_ranges,
    dropout_mask,
    learning_rate,
    loss_gradient,
    loss_value,
    standardise,
)
from models.families.tape import Node, Tape
from models.learner import Learner, State
from models.rows import Rows

PIECE = 8192  # samples of a forecast computed at a time
_FEWEST_SAMPLES = 32  # of a step
_HELD_SAMPLES = 20_000  # at most, for one look at the held-out rows
_GAIN_TOLERANCE = 0.01  # forecasts shrink only where the loss falls by more than this share (assumed)
_GAINS = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples; a sample is one origin of one zone, with the horizons at `at`.

    Attributes
    ----------
    common : ndarray, shape (B, F1)
        Standardised.
    ahead : ndarray, shape (B, S, F2)
        Standardised.
    zone : ndarray of int, shape (B,)
    features : ndarray, shape (B, E)
        What the zone is like, standardised.
    at : ndarray of int, shape (S,)
        Places of the horizons among those fitted on.
    rng : Generator or None
        For dropout; None while forecasting.
    """

    common: np.ndarray
    ahead: np.ndarray
    zone: np.ndarray
    features: np.ndarray
    at: np.ndarray
    rng: np.random.Generator | None = None

    def drop(self, tape: Tape, node: Node, share: float) -> Node:
        """Leave out a share of a layer's units while learning."""
        if self.rng is None or share <= 0:
            return node
        return tape.mask(node, dropout_mask(self.rng, node.value.shape, share, node.value.dtype))


class PooledNetwork(Learner):
    """One network over all zones; families say its arrays (`_shapes`) and what it computes (`_outputs`).

    Settings
    --------
    loss : str
        "absolute", "huber", "squared" or "pinball" (with `quantile`).
    updates, passes, batch : int
        Steps at most, passes over the samples at most, and samples of a step (fewer where there are few samples). The
        cost is bounded whatever the number of zones and rows.
    rate, decay, dropout : float
        Peak learning rate, weight decay, share of units left out.
    embedding : int
        Length of the vector learned for each zone; 0 for none.
    members : int
        Networks from different starts, averaged.
    holdout : float
        Share of the rows that a member does not learn from, another block for each member, the last rows first. They
        decide when it is best, and by how much all forecasts shrink towards "as usual".
    average : float
        Memory of the moving average of the weights, as a share of all steps (Polyak & Juditsky 1992,
        doi:10.1137/0330046).
    """

    scope = "city"
    rank = 9.0
    losses = LOSSES
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "loss": "absolute",
            "quantile": 0.5,
            "updates": 3000,
            "passes": 10,
            "batch": 512,
            "rate": 1e-3,
            "decay": 1.0,
            "dropout": 0.1,
            "embedding": 4,
            "members": 3,
            "holdout": 0.1,
            "average": 0.02,
        }
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_choices(self.family, self.settings, {"loss": LOSSES})
        check_ranges(
            self.family,
            self.settings,
            {
                "quantile": (0.001, 0.999),
                "updates": (1, 10_000_000),
                "passes": (1, 10_000),
                "batch": (1, 1_000_000),
                "rate": (1e-6, 1.0),
                "decay": (0.0, 10.0),
                "dropout": (0.0, 0.9),
                "embedding": (0, 256),
                "members": (1, 50),
                "holdout": (0.0, 0.5),
                "average": (0.0, 1.0),
            },
        )
        self._flat = np.zeros((0, 0), dtype=np.float32)  # (members, P)
        self._arrays: dict[str, np.ndarray] = {}

    @abstractmethod
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Arrays of the network, for `self.layout`, but for the zones' vectors, which are kept apart."""

    @abstractmethod
    def _begin(self, p: Parameters, rng: np.random.Generator) -> None:
        """Set the starting values."""

    @abstractmethod
    def _outputs(self, tape: Tape, w: dict[str, Node], batch: Batch, zone: Node) -> Node:
        """Forecasts (B, S) for samples; `zone` (B, embedding + E) tells the zone."""

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn (see `Learner.fit`)."""
        self.layout = rows.layout
        zones = rows.shape[1]
        features = np.zeros((zones, 0), np.float32) if zone_features is None else np.asarray(zone_features, np.float32)
        features = np.nan_to_num(features)
        self._arrays = dict(
            zip(
                ("common_centre", "common_scale", "ahead_centre", "ahead_scale", "zone_centre", "zone_scale"),
                (
                    *_scale_of(_samples(rows.common, 2)),
                    *_scale_of(_samples(rows.ahead, 3)),
                    *centre_and_scale(features, 0),
                ),
                strict=True,
            )
        )
        self._arrays["features"] = standardise(features, self._arrays["zone_centre"], self._arrays["zone_scale"])
        known_zones = np.isfinite(y).any(axis=(0, 2))
        with threadpool_limits(limits=1, user_api="blas"):
            made = [self._train(member, rows, y, known_zones) for member in range(self.settings["members"])]
        self._flat = np.stack([flat for flat, _, _ in made])
        self._arrays["vectors"] = np.stack([vectors for _, vectors, _ in made])
        self._arrays["gain"] = np.mean([gain for _, _, gain in made], axis=0).astype(np.float32)
        return self

    def _train(
        self, member: int, rows: Rows, y: np.ndarray, known_zones: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One member: its numbers (P,), the zones' vectors (Z, embedding) and the gain by horizon (S,)."""
        s = self.settings
        n, zones, horizons = rows.shape
        rng = np.random.default_rng([self.seed, member])
        learn, held = _blocks(n, s["holdout"], member, s["members"], max(rows.layout.steps))
        outcome = y.reshape(n * zones, horizons)
        samples = (learn[:, None] * zones + np.flatnonzero(known_zones)).ravel()
        samples = samples[np.isfinite(outcome[samples]).any(axis=1)]
        look = (held[:, None] * zones + np.flatnonzero(known_zones)).ravel()
        look = look[np.isfinite(outcome[look]).any(axis=1)]
        if len(look) > _HELD_SAMPLES:
            look = np.sort(rng.choice(look, _HELD_SAMPLES, replace=False))
        p = Parameters({**self._shapes(), "vectors": (zones, s["embedding"])})
        self._begin(p, rng)
        if not len(samples):
            return p.flat[: p.flat.size - p["vectors"].size].copy(), p["vectors"].copy(), np.zeros(horizons)
        plain = [name for name, shape in p.shapes.items() if len(shape) > 1]
        adam = AdamW(p, s["decay"] * p.mask(plain))
        mean = p.like(p.flat.copy())
        size = int(min(s["batch"], len(samples), max(_FEWEST_SAMPLES, len(samples) // 30)))
        updates = min(s["updates"], max(1, round(s["passes"] * len(samples) / size)))
        fade = 1 - 1 / max(1.0, s["average"] * updates)
        best, best_loss, best_out = p.flat.copy(), np.inf, np.zeros((len(look), horizons), np.float32)
        if len(look):
            best_loss = self._held_loss(best_out, outcome[look])
        every = max(1, updates // 20)
        everywhere, every_zone = np.arange(horizons), np.arange(zones)
        found = not len(look)
        for update in range(1, updates + 1):
            chosen = samples[rng.integers(0, len(samples), size)]
            grad = self._gradient(p, self._batch(rows, chosen, every_zone, everywhere, rng), outcome[chosen])
            adam.step(grad, learning_rate(update / updates, s["rate"]))
            now = min(fade, (update - 1) / update)
            mean.flat *= now
            mean.flat += (1 - now) * p.flat
            if update % every == 0 or update == updates:
                if not len(look):
                    best = mean.flat
                    continue
                out = self._look(mean, rows, look)
                loss = self._held_loss(out, outcome[look])
                if loss < best_loss:
                    best, best_loss, best_out, found = mean.flat.copy(), loss, out, True
        gain = np.full(horizons, float(found))
        if len(look) and found:
            losses = np.stack([self._loss_by_horizon(share * best_out, outcome[look]) for share in _GAINS])
            near = losses <= losses.min(axis=0) * (1 + _GAIN_TOLERANCE)
            gain = _GAINS[len(_GAINS) - 1 - np.argmax(near[::-1], axis=0)]
        final = p.like(best)
        vectors = final["vectors"].copy()
        if s["embedding"]:
            vectors[~known_zones] = vectors[known_zones].mean(axis=0)
        return final.flat[: final.flat.size - vectors.size].copy(), vectors, gain

    def _gradient(self, p: Parameters, batch: Batch, outcome: np.ndarray) -> np.ndarray:
        """Gradient (P,) of the mean loss over samples and horizons."""
        tape = Tape()
        w = {name: Node(p[name], needs=True) for name in p.shapes}
        out = self._outputs(tape, w, batch, self._zone_node(tape, w, batch))
        slope = loss_gradient(out.value - outcome, self.settings["loss"], self.settings["quantile"])
        tape.backward(out, slope.astype(p.flat.dtype) * p.flat.dtype.type(1 / slope.size))
        grad = p.like(np.zeros_like(p.flat))
        for name, node in w.items():
            if node.grad is not None:
                grad[name] = node.grad
        return grad.flat

    def _batch(
        self,
        rows: Rows,
        samples: np.ndarray,
        places: np.ndarray,
        at: np.ndarray,
        rng: np.random.Generator | None = None,
    ) -> Batch:
        """Gather samples (origin * zones + zone) of rows that hold the zones at `places` alone."""
        a = self._arrays
        common = _samples(rows.common, 2)[samples]
        ahead = _samples(rows.ahead, 2)[samples]
        zone = places[samples % len(places)]
        return Batch(
            standardise(common, a["common_centre"], a["common_scale"]),
            standardise(ahead, a["ahead_centre"], a["ahead_scale"]),
            zone,
            a["features"][zone],
            at,
            rng,
        )

    def _look(self, p: Parameters, rows: Rows, samples: np.ndarray) -> np.ndarray:
        """Forecasts of samples of all zones, (len(samples), S), without recording."""
        w = {name: Node(p[name]) for name in p.shapes}
        out = np.empty((len(samples), rows.shape[2]), dtype=np.float32)
        at, zones = self.horizon_places(rows), np.arange(rows.shape[1])
        for start in range(0, len(samples), PIECE):
            here = slice(start, start + PIECE)
            out[here] = self._forecast(w, self._batch(rows, samples[here], zones, at))
        return out

    def _forecast(self, w: dict[str, Node], batch: Batch) -> np.ndarray:
        tape = Tape(record=False)
        return self._outputs(tape, w, batch, self._zone_node(tape, w, batch)).value

    def _zone_node(self, tape: Tape, w: dict[str, Node], batch: Batch) -> Node:
        """What tells the zones of samples, (B, embedding + E): the vector learned and what the zone is like."""
        return tape.concat(tape.look_up(w["vectors"], batch.zone), Node(batch.features))

    def _loss_by_horizon(self, out: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        loss = loss_value(out - outcome, self.settings["loss"], self.settings["quantile"])
        known = np.isfinite(loss)
        return np.where(known, loss, 0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)

    def _held_loss(self, out: np.ndarray, outcome: np.ndarray) -> float:
        return float(self._loss_by_horizon(out, outcome).mean())

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts (see `Learner.predict`)."""
        places = np.arange(len(self._arrays["features"])) if places is None else np.asarray(places)
        n, zones, horizons = rows.shape
        at = self.horizon_places(rows)
        total = np.zeros((n * zones, horizons), dtype=np.float32)
        networks = [self._network(member) for member in range(len(self._flat))]
        for start in range(0, len(total), PIECE):
            samples = np.arange(start, min(start + PIECE, len(total)))
            batch = self._batch(rows, samples, places, at)
            for w in networks:
                total[samples] += self._forecast(w, batch)
        total *= self._arrays["gain"][at] / np.float32(len(self._flat))
        return total.reshape(n, zones, horizons)

    def _network(self, member: int) -> dict[str, Node]:
        """Arrays of a member, the zones' vectors among them."""
        p = Parameters(self._shapes()).like(self._flat[member])
        return {**{name: Node(p[name]) for name in p.shapes}, "vectors": Node(self._arrays["vectors"][member])}

    def pick(self, places: np.ndarray) -> Self:
        """The same network with the vectors of some zones."""
        other = type(self)(seed=self.seed, **self.settings)
        other.layout, other._flat = self.layout, self._flat
        other._arrays = {
            **self._arrays,
            "features": self._arrays["features"][places],
            "vectors": self._arrays["vectors"][:, places],
        }
        return other

    def n_parameters(self) -> int:
        """Weights of all members, and the zones' vectors."""
        return int(self._flat.size + self._arrays["vectors"].size)

    def state(self) -> State:
        """Arrays alone."""
        return {}, {"flat": self._flat, **self._arrays}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        self._arrays = {name: value for name, value in arrays.items() if name != "flat"}
        self._flat = arrays["flat"]


def _samples(values: np.ndarray, axes: int) -> np.ndarray:
    """The first axes as one, whatever the others hold."""
    return values.reshape(prod(values.shape[:axes]), *values.shape[axes:])


def _scale_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of columns, from at most some 200,000 rows spread over all."""
    return centre_and_scale(values[:: max(1, len(values) // 200_000)], 0)


def _blocks(n: int, share: float, member: int, members: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out: a block a member, the last rows first, a gap of `reach` rows around."""
    size = round(share * n)
    if size == 0:
        return np.arange(n), np.arange(0)
    start = n - size - round(member * (n - size) / max(members, 1))
    held = np.arange(start, start + size)
    gap = min(reach, n // 20)
    rest = np.arange(n)
    return rest[(rest < start - gap) | (rest >= start + size + gap)], held
