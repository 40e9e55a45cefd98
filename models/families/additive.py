"""An additive model: a line, and for a few features a smooth curve in place of the straight slope."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.families.sparse import ElasticNet
from models.learner import Learner, State
from models.rows import Layout, Rows

#: Quantiles of a feature in training at which its curve may bend, as many as `knots` (evenly spread between these).
FIRST_KNOT, LAST_KNOT = 0.1, 0.9


class Additive(Learner):
    """One additive model a zone and horizon: constant, slopes, and smooth curves of the features in `curved`.

    A curve is a slope and rounded bends: at a knot (a quantile of the zone's own feature) the slope begins
    to change, and beyond it settles on a new one. An elastic net decides which bends a zone needs; each is penalised
    `stiff` times as hard as a slope.

    Settings
    --------
    curved : list of str
        Features with a curve, of `layout.common`; those that a layout lacks are passed over.
    knots : int
        Places where a curve may bend.
    stiff : float
        Times the penalty of a slope.
    mix, path, reach, folds, caution, spared
        As in `ElasticNet`.

    References
    ----------
    Hastie & Tibshirani (1986), doi:10.1214/ss/1177013604 (additive models);
    Friedman & Silverman (1989), doi:10.1080/00401706.1989.10488470 (curves of hinges, chosen by their use)
    """

    family = "additive"
    rank = 3.0
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "curved": ("own_lag_0", "own_mean_1h", "own_usual", "neighbours_lag_0"),
            "knots": 3,
            "stiff": 2.0,
            **{key: ElasticNet.defaults[key] for key in ("mix", "path", "reach", "folds", "caution", "spared")},
        }
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"knots": (3, 2, 5), "stiff": (2.0, 8.0, 0.5)})

    inner: ElasticNet
    knot: np.ndarray | None = None
    spread: np.ndarray
    offset: np.ndarray

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        self.layout = rows.layout
        count, stiff = int(self.settings["knots"]), float(self.settings["stiff"])
        if count < 1 or stiff <= 0:
            raise SettingsError(f"{self.family} needs knots from 1 and stiff above 0, not {count} and {stiff:g}")
        places = self._curved()
        share = np.linspace(FIRST_KNOT, LAST_KNOT, count) if count > 1 else np.array([0.5])
        self.knot = np.quantile(rows.common[:, :, places], share, axis=0).transpose(1, 2, 0).astype(np.float32)
        self.spread = np.maximum(rows.common[:, :, places].std(axis=0, dtype=np.float64), 1e-3).astype(np.float32)
        self.offset = np.zeros((*self.knot.shape,), np.float32)
        bends = self._bends(rows, None)
        self.offset = bends.mean(axis=0, dtype=np.float64).astype(np.float32).reshape(self.knot.shape)
        wide = self._widened(rows, None)
        kept = {key: self.settings[key] for key in ("mix", "path", "reach", "folds", "caution")}
        stiffness = dict.fromkeys(wide.layout.common[len(rows.layout.common) :], stiff)
        self.inner = ElasticNet(seed=self.seed, **kept, spared={**self.settings["spared"], **stiffness}).fit(wide, y)
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        return self.inner.predict(self._widened(rows, places), places)

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Slope and bends of each feature together, by `layout.names`; the constant last. Exact."""
        assert self.layout is not None
        parts = self.inner.contributions(self._widened(rows, np.array([place])), horizon, place)
        f1, bends = len(self.layout.common), len(self._curved()) * int(self.settings["knots"])
        out = np.delete(parts, np.arange(f1, f1 + bends))
        for k, feature in enumerate(self._curved()):
            first = f1 + k * int(self.settings["knots"])
            out[feature] += parts[first : first + int(self.settings["knots"])].sum()
        return out

    def effects(self, feature: str, place: int, horizon: int, *, points: int = 41) -> tuple[np.ndarray, np.ndarray]:
        """What a feature adds to the forecast over the range seen, by itself.

        Parameters
        ----------
        feature : str
            One of `layout.common`.
        place : int
            Place of the zone.
        horizon : int
            Place in `layout.steps`.
        points : int

        Returns
        -------
        values, effect : ndarray, shape (points,)
            Values of the feature, and what it adds in the zone's scale, in comparison with its value 0.

        Raises
        ------
        SettingsError
            If the layout has no such common feature.
        """
        assert self.layout is not None
        if feature not in self.layout.common:
            raise SettingsError(f"no common feature {feature!r}; there are {list(self.layout.common)}")
        column = self.layout.common.index(feature)
        values = np.linspace(self.inner.low[place, column], self.inner.high[place, column], points)
        common = np.zeros((points + 1, 1, len(self.layout.common)), np.float32)
        common[:points, 0, column] = values
        ahead = np.zeros((points + 1, 1, len(self.layout.steps), len(self.layout.ahead)), np.float32)
        found = self.predict(Rows(common, ahead, self.layout), np.array([place]))[:, 0, horizon]
        return values, found[:-1] - found[-1]

    def pick(self, places: np.ndarray) -> Self:
        one = type(self)(seed=self.seed, **self.settings)
        one.layout, one.inner = self.layout, self.inner.pick(places)
        one.knot, one.spread, one.offset = self._knots()[places], self.spread[places], self.offset[places]
        return one

    def n_parameters(self) -> int:
        return self.inner.n_parameters() + self._knots().size

    def state(self) -> State:
        arrays = {f"inner_{key}": value for key, value in self.inner.state()[1].items()}
        return {}, arrays | {"knot": self._knots(), "spread": self.spread, "offset": self.offset}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        self.knot, self.spread, self.offset = arrays["knot"], arrays["spread"], arrays["offset"]
        self.inner = ElasticNet(seed=self.seed)
        self.inner.layout = self._wide_layout(self.layout)  # type: ignore[arg-type]
        inner = {key.removeprefix("inner_"): value for key, value in arrays.items() if key.startswith("inner_")}
        self.inner.restore({}, inner, {})

    def _knots(self) -> np.ndarray:
        if self.knot is None:
            raise NotFittedError(f"{self.family} has no curves yet: fit it first")
        return self.knot

    def _curved(self) -> np.ndarray:
        """Places in `layout.common` of the features with a curve."""
        assert self.layout is not None
        common = self.layout.common
        return np.array([common.index(name) for name in self.settings["curved"] if name in common], dtype=np.int64)

    def _wide_layout(self, layout: Layout) -> Layout:
        assert self.layout is not None
        bends = tuple(
            f"{self.layout.common[k]}_bend{j}" for k in self._curved() for j in range(int(self.settings["knots"]))
        )
        return Layout(layout.common + bends, layout.ahead, layout.steps)

    def _bends(self, rows: Rows, places: np.ndarray | None) -> np.ndarray:
        """Rounded hinges u^2 / (1 + u), u = (x - knot)+ in the feature's deviations, less their mean; (n, Z, bends)."""
        knot, spread, offset = self._knots(), self.spread, self.offset
        if places is not None:
            knot, spread, offset = knot[places], spread[places], offset[places]
        x = rows.common[:, :, self._curved()]
        over = np.maximum(x[..., None] - knot, 0.0) / spread[..., None]
        return (over * over / (1.0 + over) - offset).reshape(*x.shape[:2], -1)

    def _widened(self, rows: Rows, places: np.ndarray | None) -> Rows:
        """The rows and the bends."""
        return Rows(
            np.concatenate([rows.common, self._bends(rows, places)], axis=2), rows.ahead, self._wide_layout(rows.layout)
        )
