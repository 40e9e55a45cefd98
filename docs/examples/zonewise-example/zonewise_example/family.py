"""A family: forecasts from analogues, the moments of a zone's past that were most like now."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.learner import Learner, State
from models.rows import Rows


class Analogues(Learner):
    """The mean of what followed the most alike moments of the zone's own past.

    Alike is near in the features that hold for every horizon (last readings, means, neighbours), by Euclidean distance;
    nearer moments count more (Lorenz 1969, doi:10.1175/1520-0469(1969)26<636:APARBN>2.0.CO;2). Features are deviations
    from the usual in the zone's scale, so that none needs weighing to begin with.
    """

    family = "analogues"
    scope = "zone"
    rank = 4.5
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"alike": 25, "kept": 1500})
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"alike": (100, 50, 25, 10)})

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Analogues:
        """Keep the newest moments, (K, Z, F), and what followed them, (K, Z, S)."""
        self.layout = rows.layout
        newest = slice(-int(self.settings["kept"]), None)
        self.past = np.ascontiguousarray(rows.common[newest], dtype=np.float32)
        self.then = np.ascontiguousarray(y[newest], dtype=np.float32)
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Weighted means over the nearest moments; 0, the usual, where none of them was followed by a reading."""
        zones = np.arange(self.past.shape[1]) if places is None else places
        horizons = self.horizon_places(rows)
        out = np.zeros(rows.shape, dtype=np.float32)
        for column, zone in enumerate(zones):
            past, now = self.past[:, zone], rows.common[:, column]
            square = (now**2).sum(1)[:, None] - 2.0 * now @ past.T + (past**2).sum(1)  # (n, K) squared distances
            count = min(int(self.settings["alike"]), past.shape[0])
            near = np.argpartition(square, count - 1, axis=1)[:, :count]
            weight = 1.0 / (np.maximum(np.take_along_axis(square, near, axis=1), 0.0) + past.shape[1])
            followed = self.then[near, zone][:, :, horizons]  # (n, count, S)
            heard = np.isfinite(followed) * weight[:, :, None]
            total = heard.sum(axis=1)
            mean = (heard * np.nan_to_num(followed)).sum(axis=1) / np.maximum(total, 1e-9)
            out[:, column] = np.where(total > 0, mean, 0.0)
        return out

    def pick(self, places: np.ndarray) -> Analogues:
        """The past of some of the zones."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part.past, part.then = self.layout, self.past[:, places], self.then[:, places]
        return part

    def n_parameters(self) -> int:
        """Everything that is remembered."""
        return int(self.past.size + self.then.size)

    def state(self) -> State:
        """Two arrays."""
        return {}, {"past": self.past, "then": self.then}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """The same two arrays."""
        self.past, self.then = arrays["past"], arrays["then"]
