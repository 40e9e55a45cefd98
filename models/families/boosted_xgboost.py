"""Gradient boosting by XGBoost, one booster for each zone: the horizon is a feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.families.boosted_trees import check_boosting
from models.families.first_line import FirstLine
from models.families.forest import Forest
from models.families.pairs import pairs_of
from models.families.read_boosters import forest_of
from models.learner import Learner, State
from models.rows import Layout, Rows

OBJECTIVES: Mapping[str, str] = MappingProxyType(
    {"squared": "reg:squarederror", "absolute": "reg:absoluteerror", "pinball": "reg:quantileerror"}
)


class XGBoost(Learner):
    """A booster a zone on what a ridge line leaves over.

    Parameters
    ----------
    loss, level, rounds, eta, max_depth, max_bin, patience, holdout, linear_first
        As in `BoostedTrees`.
    min_child_weight, shrink : float
        XGBoost's `min_child_weight` (rows, with squared loss) and `lambda`.
    sample, features : float
        XGBoost's `subsample` and `colsample_bytree`.
    budget : int
        Pairs of origin and horizon it learns from, evenly thinned.

    References
    ----------
    Chen & Guestrin (2016), doi:10.1145/2939672.2939785
    """

    family = "xgboost"
    rank = 5.0
    losses = ("absolute", "squared", "pinball")
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "loss": "absolute", "level": 0.5, "rounds": 100, "eta": 0.1, "max_depth": 4, "min_child_weight": 10.0,
        "max_bin": 32, "shrink": 5.0, "sample": 0.7, "features": 0.7, "patience": 10, "holdout": 0.2,
        "linear_first": True, "budget": 6_000,
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({
        "max_depth": (2, 3, 4, 5), "eta": (0.05, 0.1), "min_child_weight": (10.0, 30.0, 100.0),
        "loss": ("squared", "absolute"), "linear_first": (True, False),
    })  # fmt: skip

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_boosting(self.family, self.settings)
        self.line: FirstLine | None = None
        self._boosters: list[Any] = []  # None: a zone without data
        self._forest: tuple[Forest, np.ndarray] | None = None  # the same trees as they forecast, once asked for

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """As the contract says; zone by zone."""
        self.layout = rows.layout
        zones = rows.shape[1]
        self.line = FirstLine.fit(rows, y) if self.settings["linear_first"] else None
        self._boosters, self._forest = [], None
        for z in range(zones):
            place = np.array([z])
            mine, rest = rows.pick(place), y[:, place]
            if self.line is not None:
                rest = rest - self.line.predict(mine, place)
            self._boosters.append(self._train(mine, rest))
        return self

    def _train(self, rows: Rows, rest: np.ndarray) -> Any:
        wanted = self.settings
        pairs = pairs_of(rows, rest, 0, wanted["budget"])
        if pairs.size == 0:
            return None
        x = np.column_stack([pairs.x, step_feature(rows.layout)[pairs.horizon]])
        return train(wanted, x, pairs.y, pairs.origin, self.seed)

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """As the contract says."""
        places = np.arange(len(self._boosters)) if places is None else np.asarray(places, dtype=np.int64)
        if self._forest is None:
            self._forest = forest_of(self._boosters)
        forest, base = self._forest
        step = np.broadcast_to(step_feature(rows.layout)[:, None], (*rows.shape, 1))
        asked = Rows(rows.common, np.concatenate([rows.ahead, step], axis=3), rows.layout)
        out = forest.predict(asked, places, np.zeros(rows.shape[2], np.int64)) + base[places][:, None]
        return out if self.line is None else out + self.line.predict(rows, places)

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """The line's terms and XGBoost's own SHAP values (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9).

        What the horizon adds is in the constant.
        """
        x, out = rows.at(horizon)[0, 0], np.zeros(rows.width + 1)
        if self._boosters[place] is not None:
            out = folded_shap(self._boosters[place], np.append(x, step_feature(rows.layout)[horizon]), rows.width)
        return out if self.line is None else out + self.line.shares(rows, horizon, place)

    def pick(self, places: np.ndarray) -> Self:
        """As the contract says."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part._boosters = self.layout, [self._boosters[place] for place in places]
        part.line = None if self.line is None else self.line.pick(places)
        return part

    def n_parameters(self) -> int:
        """As the contract says."""
        return booster_parameters(self._boosters) + (0 if self.line is None else self.line.n_parameters())

    def state(self) -> State:
        """As the contract says; boosters in XGBoost's own UBJSON."""
        meta, arrays, _ = ({}, {}, {}) if self.line is None else self.line.state()
        return {**meta, "zones": len(self._boosters)}, arrays, stored(self._boosters)

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """As the contract says."""
        self.line = FirstLine.restored(meta, arrays, self.layout)
        self._boosters, self._forest = restored(blobs, int(meta["zones"])), None


def step_feature(layout: Layout) -> np.ndarray:
    """The horizon as a feature: logarithm of its steps, float32, shape (S,)."""
    return np.log(np.asarray(layout.steps, dtype=np.float32))


def thinned(y: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origins, zones and horizons of known outcomes, oldest first, about `budget` of them, taking turns."""
    n, zones, horizons = y.shape
    gap = max(1, -(-int(np.isfinite(y).sum()) // budget))
    turn = np.arange(n)[:, None, None] + 7 * np.arange(zones)[:, None] + 3 * np.arange(horizons)
    origin, zone, horizon = np.nonzero(np.isfinite(y) & (turn % gap == 0))
    return origin, zone, horizon


def train(wanted: Mapping[str, Any], x: np.ndarray, y: np.ndarray, origin: np.ndarray, seed: int) -> Any:
    """A booster on rows, oldest first; the origins after the first 1 - `holdout` tell when to stop.

    Parameters
    ----------
    wanted : mapping
        Settings as in `XGBoost`.
    x : ndarray of float32, shape (N, F)
    y : ndarray of float32, shape (N,)
    origin : ndarray of int, shape (N,)
        Rising.
    """
    import xgboost

    options = {
        "objective": OBJECTIVES[wanted["loss"]], "eta": wanted["eta"], "max_depth": wanted["max_depth"],
        "min_child_weight": wanted["min_child_weight"], "lambda": wanted["shrink"], "max_bin": wanted["max_bin"],
        "subsample": wanted["sample"], "colsample_bytree": wanted["features"], "tree_method": "hist",
        "seed": seed, "nthread": 1, "verbosity": 0,
    }  # fmt: skip
    if wanted["loss"] == "pinball":
        options["quantile_alpha"] = wanted["level"]
    cut = y.size
    if wanted["patience"] > 0:
        cut = int(np.searchsorted(origin, origin[-1] * (1.0 - wanted["holdout"])))
        cut = y.size if min(cut, y.size - cut) < 5 else cut
    first = xgboost.QuantileDMatrix(x[:cut], y[:cut], nthread=1, max_bin=wanted["max_bin"])
    if cut == y.size:
        return xgboost.train(options, first, num_boost_round=wanted["rounds"])
    later = xgboost.QuantileDMatrix(x[cut:], y[cut:], nthread=1, max_bin=wanted["max_bin"], ref=first)
    stop = xgboost.callback.EarlyStopping(rounds=wanted["patience"])
    tried = xgboost.train(
        options, first, num_boost_round=wanted["rounds"], evals=[(later, "later")], callbacks=[stop], verbose_eval=False
    )
    # the last rows, too, are learned from, once they have said how many rounds
    whole = xgboost.QuantileDMatrix(x, y, nthread=1, max_bin=wanted["max_bin"])
    return xgboost.train(options, whole, num_boost_round=max(1, tried.best_iteration + 1))


def stored(boosters: Sequence[Any]) -> dict[str, bytes]:
    """Boosters as files by place, in XGBoost's own UBJSON; no file for None."""
    return {f"{k}.ubj": bytes(b.save_raw("ubj")) for k, b in enumerate(boosters) if b is not None}


def restored(blobs: Mapping[str, bytes], count: int) -> list[Any]:
    """Inverse of `stored`, for so many boosters."""
    import xgboost

    found: list[Any] = [None] * count
    for k in range(count):
        if (raw := blobs.get(f"{k}.ubj")) is not None:
            found[k] = xgboost.Booster({"nthread": 1})
            found[k].load_model(bytearray(raw))
    return found


def folded_shap(booster: Any, x: np.ndarray, width: int) -> np.ndarray:
    """SHAP values of the first `width` features of one row and, last, the constant with those of the others."""
    import xgboost

    shap = booster.predict(xgboost.DMatrix(x[None].astype(np.float32), nthread=1), pred_contribs=True)[0].astype(float)
    return np.append(shap[:width], shap[width:].sum())


def booster_parameters(boosters: Sequence[Any]) -> int:
    """Feature and threshold of each split, value of each leaf, over all boosters; None has none."""
    total = 0
    for booster in boosters:
        if booster is not None:
            frame = booster.trees_to_dataframe()
            leaves = int((frame["Feature"] == "Leaf").sum())
            total += 2 * (len(frame) - leaves) + leaves
    return total
