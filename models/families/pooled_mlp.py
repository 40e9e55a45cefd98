"""The pooled perceptron: the city's macromodel of the neural kind, a shared network with a vector learned per zone.

A trunk of residual blocks reads the common features and the zone; then each horizon has a small layer that also sees
the features of its own interval, so that a forecast for one horizon never needs the features of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.families.network import Parameters, check_ranges
from models.families.pooled import PIECE, Batch, PooledNetwork
from models.families.tape import Node, Tape
from models.rows import Rows

_AT_ZERO = ("late_out", "out", "line", "line_ahead", "vectors", "late_b")


class PooledMLP(PooledNetwork):
    """Shared multilayer perceptron with zone embedding; see `PooledNetwork` for the settings that all share.

    Settings
    --------
    width : int
        Units of the trunk, 4 to 1024.
    blocks : int
        Residual blocks after the first layer, 0 to 6.
    late : int
        Units of each horizon's own layer, 1 to 128.

    References
    ----------
    He et al. (2016), doi:10.1109/CVPR.2016.90 (residual blocks); Guo & Berkhahn (2016), doi:10.48550/arXiv.1604.06737
    (vectors learned for categories).
    """

    family = "macro_mlp"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**PooledNetwork.defaults, "width": 128, "blocks": 1, "late": 8}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {
            "width": (64, 128, 256),
            "blocks": (0, 1, 2),
            "embedding": (0, 4, 12),
            "dropout": (0.0, 0.1, 0.25),
            "rate": (3e-4, 1e-3, 3e-3),
        }
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_ranges(self.family, self.settings, {"width": (4, 1024), "blocks": (0, 6), "late": (1, 128)})

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        assert self.layout is not None
        s = self.settings
        zone = s["embedding"] + self._arrays["features"].shape[1]
        return trunk_shapes(len(self.layout.common), zone, s["width"], s["blocks"]) | late_shapes(
            s["width"], len(self.layout.common) + zone, len(self.layout.ahead), len(self.layout.steps), s["late"]
        )

    def _begin(self, p: Parameters, rng: np.random.Generator) -> None:
        begin(p, rng)

    def _outputs(self, tape: Tape, w: dict[str, Node], batch: Batch, zone: Node) -> Node:
        first = tape.concat(Node(batch.common), zone)
        body = trunk(tape, w, batch, first, self.settings["blocks"], self.settings["dropout"])
        return late(tape, w, batch, body, first, self.settings["late"])

    def units(self, rows: Rows, places: np.ndarray) -> np.ndarray:
        """What the trunk of the first member says of rows of the zones at `places`, (n * len(places), width)."""
        w = self._network(0)
        n, zones, _ = rows.shape
        out = np.empty((n * zones, self.settings["width"]), dtype=np.float32)
        for start in range(0, len(out), PIECE):
            samples = np.arange(start, min(start + PIECE, len(out)))
            batch, tape = self._batch(rows, samples, places, self.horizon_places(rows)), Tape(record=False)
            first = tape.concat(Node(batch.common), self._zone_node(tape, w, batch))
            out[samples] = trunk(tape, w, batch, first, self.settings["blocks"], 0.0).value
        return out


def trunk_shapes(inputs: int, zone: int, width: int, blocks: int) -> dict[str, tuple[int, ...]]:
    """Arrays of `trunk`."""
    shapes: dict[str, tuple[int, ...]] = {"first": (inputs + zone, width), "first_b": (width,)}
    for k in range(blocks):
        shapes |= {f"block{k}": (width, width), f"block{k}_b": (width,)}
    return shapes


def late_shapes(width: int, inputs: int, f2: int, horizons: int, units: int) -> dict[str, tuple[int, ...]]:
    """Arrays of `late`."""
    return {
        "late": (width, horizons * units),
        "late_b": (horizons, units),
        "late_ahead": (f2, units),
        "late_out": (horizons, units),
        "out": (width, horizons),
        "line": (inputs, horizons),
        "line_ahead": (horizons, f2),
        "constant": (horizons,),
    }


def begin(p: Parameters, rng: np.random.Generator) -> None:
    """Starting values: layers by their fan-in (He et al. 2015, doi:10.1109/ICCV.2015.123), what leads out at 0."""
    for name, shape in p.shapes.items():
        if len(shape) == 2 and name not in _AT_ZERO:
            p[name] = rng.standard_normal(shape) * np.sqrt(2 / max(shape[0], 1))


def trunk(tape: Tape, w: dict[str, Node], batch: Batch, first: Node, blocks: int, share: float) -> Node:
    """The shared layers: (B, inputs) to (B, width)."""
    body = batch.drop(tape, tape.relu(tape.linear(first, w["first"], w["first_b"])), share)
    for k in range(blocks):
        more = tape.relu(tape.linear(body, w[f"block{k}"], w[f"block{k}_b"]))
        body = tape.add(body, batch.drop(tape, more, share))
    return body


def late(
    tape: Tape, w: dict[str, Node], batch: Batch, body: Node, first: Node, units: int, more: Sequence[Node] = ()
) -> Node:
    """Each horizon's own layer, which sees its features ahead, and the lines that skip all layers: (B, S).

    `more` are what other parts of a network add to that layer before its threshold, (B, S, units).
    """
    at, size = batch.at, len(batch.zone)
    whole = w["late_b"].value.shape[0]
    middle = tape.reshape(tape.linear(body, w["late"]), (size, whole, units))
    out = tape.add(tape.linear(body, w["out"]), tape.linear(first, w["line"]), w["constant"])
    threshold, weight, line = w["late_b"], w["late_out"], w["line_ahead"]
    if len(at) < whole or not np.array_equal(at, np.arange(whole)):
        middle, out = Node(middle.value[:, at]), Node(out.value[:, at])
        threshold, weight, line = (Node(node.value[at]) for node in (threshold, weight, line))
    parts = [middle, threshold, *more]
    if batch.ahead.shape[2]:
        ahead = Node(batch.ahead)
        parts.append(tape.linear(ahead, w["late_ahead"]))
        out = tape.add(out, tape.weighted_sum(ahead, line))
    return tape.add(out, tape.weighted_sum(tape.relu(tape.add(*parts)), weight))
