"""The smallest learner there is, and rows for it: what tuning, overfitting and shift are tried on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.errors import SettingsError
from models.learner import Learner, State
from models.rows import Layout, Rows

DAY = 24


def made_rows(n: int = DAY * 20, zones: int = 4, features: int = 6, seed: int = 0) -> Rows:
    """Independent features, standard normal; horizons of 1 and 3 rows."""
    rng = np.random.default_rng(seed)
    names = tuple(f"own_lag_{k}" for k in range(features))
    common = rng.standard_normal((n, zones, features)).astype(np.float32)
    ahead = rng.standard_normal((n, zones, 2, 1)).astype(np.float32)
    return Rows(common, ahead, Layout(names, ("ahead_day",), (1, 3)))


def outcomes(rows: Rows, noise: float = 0.5, seed: int = 1, weight: float | np.ndarray = 0.8) -> np.ndarray:
    """`weight` (one, or one a zone) times the first feature, and noise."""
    rng = np.random.default_rng(seed)
    signal = np.broadcast_to(weight, rows.shape[1])[:, None] * rows.common[:, :, :1]
    return (signal + noise * rng.standard_normal(rows.shape)).astype(np.float32)


def days(rows: Rows) -> np.ndarray:
    """24 rows a day."""
    return np.arange(rows.shape[0]) // DAY


class Line(Learner):
    """A least-squares line a zone and horizon on the first `features`, drawn to 0 by `penalty`."""

    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"features": 3, "penalty": 1.0, "colour": "red"})
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"features": (1, 3, 6), "penalty": (1000.0, 1.0)})
    seen: ClassVar[list[dict[str, Any]]] = []
    pooled = False

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Line:
        k = self.settings["features"]
        if k == 5:
            raise SettingsError("five features are not allowed")
        Line.seen.append({"rows": rows.shape[0], "zones": rows.shape[1], "zone_features": zone_features})
        heard = np.isfinite(y)
        x = rows.common[:, :, :k].astype(float)
        gram = np.einsum("nzs,nzf,nzg->zsfg", heard.astype(float), x, x)
        cross = np.einsum("nzf,nzs->zsf", x, np.where(heard, y, 0.0))
        if self.pooled:
            gram, cross = (np.broadcast_to(a.sum(axis=0), a.shape) for a in (gram, cross))
        self.layout = rows.layout
        self.beta = np.linalg.solve(gram + self.settings["penalty"] * np.eye(k), cross[..., None])[..., 0]
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        beta = self.beta if places is None else self.beta[places]
        return np.einsum("nzf,zsf->nzs", rows.common[:, :, : beta.shape[2]], beta).astype(np.float32)

    def pick(self, places: np.ndarray) -> Line:
        raise NotImplementedError

    def n_parameters(self) -> int:
        return self.beta.size

    def state(self) -> State:
        raise NotImplementedError

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        raise NotImplementedError


class CityLine(Line):
    """One line for all zones."""

    scope = "city"
    pooled = True


Line.family, CityLine.family = "small line", "small line of the city"  # named afterwards: not among the library's
