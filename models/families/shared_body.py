"""Shared body: what is worth knowing is learned once for the city, and each zone keeps a small line of its own on top.

The body is a pooled network (see `pooled_mlp`). A zone's head is a ridge line over the body's units, its forecast and
the zone's own features, fitted on what the body leaves over in that zone. The heads' penalties are chosen on the last
rows, which neither the body nor the heads learned from; a zone that gains nothing keeps the body's forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from models.families.network_line import NetworkLine, held_out_rows
from models.families.pooled_mlp import PooledMLP
from models.learner import Learner, State
from models.rows import Layout, Rows

_CHUNK_VALUES = 20_000_000  # numbers of the heads' inputs held at a time


class SharedBody(Learner):
    """A body for the city, a linear head per zone.

    Its `scope` is "city", for the body has seen all zones' outcomes; what `pick` returns holds the body and the heads
    of the zones picked alone. A zone is refitted without the others by `refit_heads`.

    Settings
    --------
    width, blocks, late, embedding, updates, batch, rate, decay, dropout, average, loss, quantile
        Of the body, see `PooledMLP`.
    holdout : float
        Share of the rows, the last, that choose the heads' penalties; the body does not learn from them.

    References
    ----------
    Yosinski et al. (2014), doi:10.48550/arXiv.1411.1792 (features learned elsewhere, a last layer learned here).
    """

    family = "shared_body"
    scope = "city"
    rank = 7.0
    losses = PooledMLP.losses
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**{k: v for k, v in PooledMLP.defaults.items() if k != "members"}, "width": 64, "blocks": 1, "holdout": 0.2}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"width": (32, 64, 128), "embedding": (0, 4), "dropout": (0.0, 0.1, 0.25)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        self.body = PooledMLP(seed=seed, **self.settings, members=1)
        self.heads: NetworkLine | None = None

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn body and heads (see `Learner.fit`)."""
        self.layout = rows.layout
        self.body.fit(rows, y, zone_features=zone_features)
        return self.refit_heads(rows, y)

    def refit_heads(self, rows: Rows, y: np.ndarray, places: np.ndarray | None = None) -> Self:
        """Fit the heads of the zones at `places` (None: all) on rows of these zones; the body stays as it is."""
        places = np.arange(rows.shape[1]) if places is None else np.asarray(places)
        n, zones, horizons = rows.shape
        early, first_held = held_out_rows(rows, self.settings["holdout"])
        width = rows.width + self.settings["width"] + 1
        chunk = max(1, _CHUNK_VALUES // (n * width * horizons))
        parts = []
        with threadpool_limits(limits=1, user_api="blas"):
            for start in range(0, zones, chunk):
                some = np.arange(start, min(start + chunk, zones))
                inputs, said = self._inputs(rows.pick(some), places[some])
                rest = (y[:, some] - said).transpose(1, 2, 0)
                parts.append(NetworkLine.fit(inputs, rest, early=early, first_held=first_held))
        made = NetworkLine.join(parts)
        self.heads = made if self.heads is None or zones == len(self.heads.centre) else self.heads.put(places, made)
        return self

    def _inputs(self, rows: Rows, places: np.ndarray) -> tuple[Rows, np.ndarray]:
        """Rows for the heads, with the body's units and forecast among them, and that forecast (n, Z, S)."""
        n, zones, _ = rows.shape
        said = self.body.predict(rows, places)
        units = self.body.units(rows, places).reshape(n, zones, -1)
        common = np.concatenate([rows.common, units], axis=2)
        layout = Layout(
            (*rows.layout.common, *(f"unit_{k}" for k in range(units.shape[2]))),
            (*rows.layout.ahead, "body"),
            rows.layout.steps,
        )
        return Rows(common, np.concatenate([rows.ahead, said[..., None]], axis=3), layout), said

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts (see `Learner.predict`)."""
        assert self.heads is not None
        places = np.arange(len(self.heads.centre)) if places is None else np.asarray(places)
        n, zones, horizons = rows.shape
        at = self.horizon_places(rows)
        out = np.empty((n, zones, horizons), dtype=np.float32)
        chunk = max(1, _CHUNK_VALUES // max(1, n * (rows.width + self.settings["width"] + 1) * horizons))
        for start in range(0, zones, chunk):
            some = np.arange(start, min(start + chunk, zones))
            inputs, said = self._inputs(rows.pick(some), places[some])
            heads = self.heads.pick(places[some])
            out[:, some] = said + heads.forecast(*heads.inputs(inputs), at).transpose(2, 0, 1)
        return out

    def pick(self, places: np.ndarray) -> Self:
        """The body and the heads of some zones."""
        assert self.heads is not None
        other = type(self)(seed=self.seed, **self.settings)
        other.layout, other.body, other.heads = self.layout, self.body.pick(places), self.heads.pick(places)
        return other

    def n_parameters(self) -> int:
        """Weights of the body and of the heads."""
        assert self.heads is not None
        return self.body.n_parameters() + int(self.heads.weights.size)

    def state(self) -> State:
        """Arrays alone."""
        assert self.heads is not None
        _, body, _ = self.body.state()
        return {}, {**{f"body_{name}": value for name, value in body.items()}, **self.heads.arrays()}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        self.body.layout = self.layout
        self.body.restore({}, {k[5:]: v for k, v in arrays.items() if k.startswith("body_")}, {})
        self.heads = NetworkLine.restore(arrays)
