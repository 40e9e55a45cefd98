"""Gradient boosting (XGBoost) on what the ridge line leaves over; one booster for all horizons.

The line carries what is linear, so that few shallow trees are needed; the horizon is a feature. The booster is
stored in XGBoost's own binary format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.design import Design
from models.families.learned import LearnedForecaster
from models.families.linear import Lines, lines_state, restore_lines, straight_contributions
from models.features import Rows
from models.panel import Panel

#: XGBoost parameters of a micromodel; those of the macromodel are in `macro`.
PARAMETERS: Mapping[str, Any] = {
    "objective": "reg:squarederror", "eta": 0.1, "max_depth": 4, "min_child_weight": 30.0, "subsample": 0.7,
    "colsample_bytree": 0.6, "lambda": 10.0, "max_bin": 64, "tree_method": "hist", "base_score": 0.0,
}  # fmt: skip
ROUNDS = 60
ROW_BUDGET = 8_000  # rows (origin, zone, horizon) that a booster is fitted on
CLIP = 4.0  # leftovers beyond so many standard deviations are drawn in, so that incidents do not rule


class BoostedForecaster(LearnedForecaster):
    """A ridge line, corrected by gradient-boosted trees.

    References
    ----------
    Chen & Guestrin (2016), doi:10.1145/2939672.2939785
    """

    family = "xgboost"
    n_parts = 3
    parameters: Mapping[str, Any] = PARAMETERS
    rounds = ROUNDS
    row_budget = ROW_BUDGET

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.lines: Lines | None = None
        self.lasting = np.zeros((0, 2))
        self.error = np.zeros(0)  # (S,) standard deviation of the line's leftovers, scaled deviations
        self.extra = np.zeros((0, 0))  # (Z, E) further features of each zone; none for a micromodel
        self._booster: Any = None

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "rounds": self.rounds, **self.parameters}

    def _learn_rows(self, design: Design) -> None:
        import xgboost

        self.lines, self.lasting = design.linear, design.lasting
        self.extra = self._zone_features(design)
        horizons = np.arange(len(design.steps))
        line = self.lines.predict(design.rows, horizons)
        rest = design.outcome - line
        self.error = np.sqrt(np.nanmean(rest**2, axis=(0, 1))) + 1e-9
        picked = self._pick(rest.shape)
        x = self._inputs(design.rows, line, picked, horizons, self.extra)
        y = np.take_along_axis(rest, picked, axis=2) / self.error[picked]
        y = y.reshape(-1)
        heard = np.isfinite(y)
        matrix = xgboost.QuantileDMatrix(
            x[heard], np.clip(y[heard], -CLIP, CLIP), nthread=1, max_bin=int(self.parameters["max_bin"])
        )
        options = {**self.parameters, "seed": self.seed, "nthread": 1, "verbosity": 0}
        self._booster = xgboost.train(options, matrix, num_boost_round=self.rounds)

    def _pick(self, shape: tuple[int, int, int]) -> np.ndarray:
        """A few horizons for each origin and zone, taking turns, within the row budget: shape (n, Z, k)."""
        n, zones, horizons = shape
        each = int(np.clip(self.row_budget // max(n * zones, 1), 1, horizons))
        gap = -(-horizons // each)
        turn = (np.arange(n)[:, None] + 5 * np.arange(zones)) % gap
        picked = turn[..., None] + gap * np.arange(each)
        return np.where(picked < horizons, picked, picked % horizons)

    def _zone_features(self, design: Design) -> np.ndarray:
        return np.zeros((len(self.zone_ids), 0))

    def _inputs(
        self, rows: Rows, line: np.ndarray, picked: np.ndarray, horizons: np.ndarray, extra: np.ndarray
    ) -> np.ndarray:
        """Features of a booster, shape (n * Z * k, F): those of the rows, horizon, line and the zone's own."""
        n, zones, k = picked.shape
        steps = np.log(np.asarray(self.anchors))[horizons[picked]]
        chosen = np.take_along_axis(line, picked, axis=2)
        wide = np.broadcast_to(extra[None, :, None], (n, zones, k, extra.shape[1]))
        parts = [rows.pairs(picked), steps[..., None], chosen[..., None], wide]
        return np.concatenate(parts, axis=3, dtype=np.float32).reshape(n * zones * k, -1)

    def _predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        assert self.lines is not None
        line = self.lines.predict(rows, horizons)
        n, zones, k = line.shape
        picked = np.broadcast_to(np.arange(k), (n, zones, k))
        x = self._inputs(rows, line, picked, horizons, self.extra[places])
        added = self._booster.inplace_predict(x).reshape(n, zones, k)
        lasts = rows.mood @ self.lasting[horizons].T
        return np.stack([lasts, line - lasts, added * self.error[horizons]])

    def input_names(self) -> tuple[str, ...]:
        """Names of the booster's features."""
        assert self.featuriser is not None
        return (*self.featuriser.names, "horizon", "line", *self._extra_names())

    def _extra_names(self) -> tuple[str, ...]:
        return ()

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        """The line's contributions plus the booster's (SHAP values of trees, Lundberg et al. 2020)."""
        import xgboost

        assert self.featuriser is not None and self.lines is not None and self.profile is not None
        where, horizon = np.array([place]), self.anchors.index(anchor)
        lasts, straight, scale = self.profile.scale[place] * self.trust[:, horizon]
        rows = self.featuriser.rows(panel, known, (anchor,), where)
        line = straight_contributions(
            self.lines, self.lasting[horizon], rows, self.featuriser.names, horizon, float(lasts), float(straight)
        )
        horizons = np.array([horizon])
        first = np.zeros((1, 1, 1), dtype=np.int64)
        x = self._inputs(rows, self.lines.predict(rows, horizons), first, horizons, self.extra[where])
        matrix = xgboost.DMatrix(x, nthread=1)
        added = self._booster.predict(matrix, pred_contribs=True)[0].astype(float) * self.error[horizon] * scale
        total = dict.fromkeys((name for name, _, _ in line), 0.0) | {name: c for name, _, c in line}
        values = {name: v for name, v, _ in line}
        for name, value, contribution in zip(self.input_names(), x[0], added[:-1]):
            total[name] = total.get(name, 0.0) + float(contribution)
            values.setdefault(name, float(value))
        total["intercept"] += float(added[-1])
        return [(name, values[name], contribution) for name, contribution in total.items()]

    def _n_parameters(self) -> int:
        assert self.lines is not None and self.profile is not None
        return self.leaves + int(np.count_nonzero(self.lines.coefficient)) + int(self.profile.mean.size)

    @property
    def leaves(self) -> int:
        """Leaves of all trees."""
        return sum(tree.count("leaf=") for tree in self._booster.get_dump())

    def complexity(self) -> dict[str, float]:
        return {**super().complexity(), "leaves": float(self.leaves)}

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        meta, arrays, blobs = super()._state()
        assert self.lines is not None
        arrays |= lines_state(self.lines) | {
            "lasting": self.lasting,
            "boost_error": self.error,
            "boost_extra": self.extra,
        }
        return meta, arrays, {**blobs, "booster.ubj": bytes(self._booster.save_raw("ubj"))}

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        import xgboost

        super()._restore(meta, arrays, blobs)
        self.lines, self.error, self.extra = restore_lines(arrays), arrays["boost_error"], arrays["boost_extra"]
        self.lasting = arrays["lasting"]
        self._booster = xgboost.Booster({"nthread": 1})
        self._booster.load_model(bytearray(blobs["booster.ubj"]))
