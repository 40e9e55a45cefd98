"""Convolution: a small network that reads the lags as a series, pooled over the city, with a vector learned per zone.

Filters slide over the last readings of the zone and of its neighbours side by side, each filter over three steps, and
halve the series until little is left of it; the trunk and the horizons' layers follow as in `pooled_mlp`. Unlike a
recurrent network it has no loop over the lags.
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

_SIZE, _STRIDE = 3, 2


class ConvolutionalNetwork(PooledNetwork):
    """Temporal convolution over own and neighbours' lags; see `PooledNetwork` for the settings that all share.

    Settings
    --------
    filters : int
        Channels of a convolution, 2 to 256.
    width : int
        Units of the trunk, 4 to 1024.
    late : int
        Units of each horizon's own layer, 1 to 128.

    References
    ----------
    Bai, Kolter & Koltun (2018), doi:10.48550/arXiv.1803.01271
    """

    family = "convolution"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**PooledNetwork.defaults, "filters": 32, "width": 64, "late": 16}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"filters": (16, 32), "width": (64, 128), "dropout": (0.0, 0.1, 0.25)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_ranges(self.family, self.settings, {"filters": (2, 256), "width": (4, 1024), "late": (1, 128)})

    def _depth(self) -> tuple[int, int]:
        """Convolutions, and steps left after them."""
        assert self.layout is not None
        steps, depth = Series.of(self.layout).steps, 0
        while steps >= _SIZE:
            steps, depth = (steps - _SIZE) // _STRIDE + 1, depth + 1
        return depth, steps

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        assert self.layout is not None
        s = self.settings
        zone = s["embedding"] + self._arrays["features"].shape[1]
        channels = len(Series.of(self.layout).who)
        depth, left = self._depth()
        shapes: dict[str, tuple[int, ...]] = {}
        for k in range(depth):
            shapes |= {f"filter{k}": (_SIZE * channels, s["filters"]), f"filter{k}_b": (s["filters"],)}
            channels = s["filters"]
        if depth:
            shapes["filter_zone"] = (zone, s["filters"])
        inputs = len(self.layout.common)
        shapes |= trunk_shapes(inputs + left * channels, zone, s["width"], 0)
        return shapes | late_shapes(
            s["width"], inputs + zone, len(self.layout.ahead), len(self.layout.steps), s["late"]
        )

    def _begin(self, p: Parameters, rng: np.random.Generator) -> None:
        begin(p, rng)

    def _outputs(self, tape: Tape, w: dict[str, Node], batch: Batch, zone: Node) -> Node:
        assert self.layout is not None
        series = Node(Series.of(self.layout).read(batch.common))
        depth, left = self._depth()
        for k in range(depth):
            series = tape.linear(tape.windows(series, _SIZE, _STRIDE), w[f"filter{k}"], w[f"filter{k}_b"])
            if k == 0:
                bias = tape.linear(zone, w["filter_zone"])
                series = tape.add(series, tape.reshape(bias, (len(batch.zone), 1, self.settings["filters"])))
            series = tape.relu(series)
        flat = tape.reshape(series, (len(batch.zone), left * series.value.shape[2]))
        first = tape.concat(Node(batch.common), zone)
        body = trunk(tape, w, batch, tape.concat(first, flat), 0, self.settings["dropout"])
        return late(tape, w, batch, body, first, self.settings["late"])
