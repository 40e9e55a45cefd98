"""Attention: a small network that says, for each forecast, which neighbour and which lag it looked at.

Each horizon asks a question that depends on the zone and its state; every lag, of the zone and of its neighbours,
answers to it by who it is and by what was read. The answers, positive and adding up to one, weigh the readings; what
comes of it enters the horizon's layer of a network otherwise like `pooled_mlp`. The weights can be read
(`AttentionNetwork.weights`): where the network looked, not what caused what.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.families.network import Parameters, check_ranges
from models.families.pooled import Batch, PooledNetwork
from models.families.pooled_mlp import begin, late, late_shapes, trunk, trunk_shapes
from models.families.series import Series
from models.families.tape import Node, Tape
from models.rows import Rows


class AttentionNetwork(PooledNetwork):
    """Attention over lags and neighbours; see `PooledNetwork` for the settings that all share.

    Settings
    --------
    heads : int
        Questions that each horizon asks, 1 to 8.
    key : int
        Length of a question, 2 to 64.
    width : int
        Units of the trunk, 4 to 1024.
    late : int
        Units of each horizon's own layer, 1 to 128.

    References
    ----------
    Vaswani et al. (2017), doi:10.48550/arXiv.1706.03762 (scaled products, several heads); Veličković et al. (2018),
    doi:10.48550/arXiv.1710.10903 (over neighbours).
    """

    family = "attention"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**PooledNetwork.defaults, "heads": 2, "key": 8, "width": 64, "late": 16}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"heads": (1, 2, 4), "width": (64, 128), "dropout": (0.0, 0.1, 0.25)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_ranges(
            self.family, self.settings, {"heads": (1, 8), "key": (2, 64), "width": (4, 1024), "late": (1, 128)}
        )

    @property
    def tokens(self) -> tuple[tuple[str, int], ...]:
        """Whose reading (`own`, `near1`, ...) and how many steps back: the last axis of `weights`."""
        assert self.layout is not None
        return Series.of(self.layout).tokens

    def weights(self, rows: Rows, place: int) -> np.ndarray:
        """Where the forecasts of a zone looked: shape (n, S, len(tokens)), positive, sums to one.

        Parameters
        ----------
        rows : Rows
            Of that zone alone.
        place : int
            Its place among the zones fitted on.
        """
        n, _, horizons = rows.shape
        total = np.zeros((n, horizons, len(self.tokens)))
        if not self.tokens:
            return total
        batch = self._batch(rows, np.arange(n), np.array([place]), self.horizon_places(rows))
        for member in range(len(self._flat)):
            w, tape = self._network(member), Tape(record=False)
            first = tape.concat(Node(batch.common), self._zone_node(tape, w, batch))
            body = trunk(tape, w, batch, first, 0, 0.0)
            total += self._look_at(tape, w, batch, body).value.mean(axis=2)
        return total / len(self._flat)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        assert self.layout is not None
        s, tokens, horizons = self.settings, len(self.tokens), len(self.layout.steps)
        zone = s["embedding"] + self._arrays["features"].shape[1]
        heads, key, inputs = s["heads"], s["key"], len(self.layout.common)
        shapes = trunk_shapes(inputs, zone, s["width"], 0)
        if tokens:
            shapes |= {
                "ask": (s["width"], heads * key),
                "ask_horizon": (horizons, heads * key),
                "who": (key, tokens),
                "reading": (key, 1),
                "value": (tokens, key),
                "mean": (tokens, key),
                "look_late": (heads * key, s["late"]),
                "look_out": (horizons, heads * key),
            }
        return shapes | late_shapes(s["width"], inputs + zone, len(self.layout.ahead), horizons, s["late"])

    def _begin(self, p: Parameters, rng: np.random.Generator) -> None:
        begin(p, rng)
        if self.tokens:
            p["value"] = 1 + 0.3 * rng.standard_normal(p.shapes["value"])
            for name in ("mean", "look_out"):
                p[name] = 0.0
            p["ask_horizon"] = 0.3 * rng.standard_normal(p.shapes["ask_horizon"])

    def _look_at(self, tape: Tape, w: dict[str, Node], batch: Batch, body: Node) -> Node:
        """Weights of the tokens, (B, S, heads, tokens)."""
        s = self.settings
        size, at = len(batch.zone), batch.at
        common = tape.reshape(tape.linear(body, w["ask"]), (size, 1, s["heads"] * s["key"]))
        question = w["ask_horizon"] if self._all(batch) else Node(w["ask_horizon"].value[at])
        asked = tape.reshape(tape.add(common, question), (size, len(at), s["heads"], s["key"]))
        asked = tape.mask(asked, np.asarray(s["key"] ** -0.5, dtype=asked.value.dtype))
        fits = tape.add(tape.linear(asked, w["who"]), tape.mul(tape.linear(asked, w["reading"]), self._readings(batch)))
        return tape.softmax(fits)

    def _readings(self, batch: Batch) -> Node:
        assert self.layout is not None
        return Node(batch.common[:, None, None, Series.of(self.layout).columns])

    def _all(self, batch: Batch) -> bool:
        assert self.layout is not None
        return np.array_equal(batch.at, np.arange(len(self.layout.steps)))

    def _outputs(self, tape: Tape, w: dict[str, Node], batch: Batch, zone: Node) -> Node:
        s = self.settings
        first = tape.concat(Node(batch.common), zone)
        body = trunk(tape, w, batch, first, 0, s["dropout"])
        if not self.tokens:
            return late(tape, w, batch, body, first, s["late"])
        weights = self._look_at(tape, w, batch, body)
        seen = tape.linear(tape.mul(weights, self._readings(batch)), w["value"])
        seen = tape.add(seen, tape.linear(weights, w["mean"]))
        seen = tape.reshape(seen, (len(batch.zone), len(batch.at), s["heads"] * s["key"]))
        out = late(tape, w, batch, body, first, s["late"], [tape.linear(seen, w["look_late"])])
        straight = w["look_out"] if self._all(batch) else Node(w["look_out"].value[batch.at])
        return tape.add(out, tape.weighted_sum(seen, straight))
