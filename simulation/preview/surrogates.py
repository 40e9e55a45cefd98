"""Micromodels of what scenarios do to a zone, and the citywide macromodels beside them.

Everything is relative to the zone's base, and every model is exactly zero where no feature is: no change, no effect.

- `rerouted`: the quick rerouting as it is, the baseline that has learned nothing.
- `zone`: a penalised line a zone, the micromodels; what little is known of draws it to the rerouting as it is.
- `city`: one such line for all zones.
- `mixed`: a line a zone whose coefficients are drawn to those of the city's line (a random-coefficient model with the
  pooled line as its prior; Swamy 1970, doi:10.2307/1913012).
- `boosted`: one set of boosted trees for all zones (Chen & Guestrin 2016, doi:10.1145/2939672.2939785), less what they
  say where nothing changes.
- `blend`: the mean of `mixed` and `boosted`.

Lines read some features bent as well: twice a toll does not turn away twice the traffic.

All minimise absolute errors, not squared ones: a few scenarios jam the city, and squares would have every line serve
those. Lines get there by reweighting (Schlossmacher 1973, doi:10.1080/01621459.1973.10481436). The penalties are chosen
over folds of whole scenarios, and so is the kind that serves each quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

KINDS = ("rerouted", "zone", "city", "mixed", "boosted", "blend")
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
_TREES = {
    "objective": "reg:absoluteerror", "max_depth": 4, "eta": 0.1, "min_child_weight": 5, "lambda": 2.0,
    "subsample": 0.8, "colsample_bytree": 0.8, "nthread": 1,
}  # fmt: skip
_ROUNDS = 200
_REWEIGHTED = 8  # times; more change lines by less than their errors
#: Share of the median error below which an error counts by its square, so that weights stay finite (assumed).
_NEAR = 0.5


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Surrogate:
    """A fitted model of one quantity. R rows (zones, then the city), F features."""

    kind: str
    coef: np.ndarray  # (R, F); empty for boosted trees
    trees: bytes = b""
    n_zones: int = 0

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Relative effects, shape (K, R), of features (K, R, F)."""
        lines = np.asarray(np.einsum("krf,rf->kr", x, self.coef))
        if not self.trees:
            return lines
        z = self.n_zones
        found = boosted(self.trees, x[:, :z])
        if self.kind == "blend":
            found = 0.5 * (found + lines[:, :z])
        return np.concatenate([found, lines[:, z:]], axis=1)


def fit(
    kind: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, n_zones: int, own: int, penalty: float, seed: int
) -> Surrogate:
    """Learn one quantity.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    x : ndarray, shape (K, R, F)
        Features over the zone's base.
    y : ndarray, shape (K, R)
        Effects over the zone's base.
    weight : ndarray, shape (K, R)
        0 where nothing is known.
    n_zones : int
        Rows that are zones; the row after them is the city, which always has a line of its own.
    own : int
        Place of the rerouting's feature of this very quantity, -1 where there is none.
    penalty : float
        In rows of the mean square of a feature.
    seed : int
    """
    k, r, f = x.shape
    z = n_zones
    physics = np.zeros((r, f))
    if own >= 0:
        physics[:, own] = 1.0
    city_row = _line(x[:, z:], y[:, z:], weight[:, z:], penalty, physics[z:])
    if kind == "rerouted":
        return Surrogate(kind=kind, coef=physics, n_zones=z)
    if kind == "boosted":
        trees = _boost(x[:, :z], y[:, :z], weight[:, :z], seed)
        return Surrogate(kind=kind, coef=np.concatenate([np.zeros((z, f)), city_row]), trees=trees, n_zones=z)
    if kind == "zone":
        lines = _line(x[:, :z], y[:, :z], weight[:, :z], penalty, physics[:z])
    else:
        flat = _line(
            x[:, :z].reshape(1, k * z, f).swapaxes(0, 1), y[:, :z].reshape(k * z, 1), weight[:, :z].reshape(k * z, 1),
            penalty, physics[:1],
        )  # fmt: skip
        lines = np.repeat(flat, z, axis=0)
        if kind != "city":
            lines = _line(x[:, :z], y[:, :z], weight[:, :z], penalty, lines)
    trees = _boost(x[:, :z], y[:, :z], weight[:, :z], seed) if kind == "blend" else b""
    return Surrogate(kind=kind, coef=np.concatenate([lines, city_row]), trees=trees, n_zones=z)


def _line(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float, prior: np.ndarray) -> np.ndarray:
    """Lines of least absolute error through the origin, one a column of rows, drawn to `prior`. Shape (R, F)."""
    line, own = _ridge(x, y, weight, penalty, prior), weight
    if not (weight > 0).any():
        return line
    for _ in range(_REWEIGHTED):
        off = np.abs(y - np.einsum("krf,rf->kr", x, line))
        near = _NEAR * float(np.median(off[weight > 0])) + 1e-9
        own = weight * (near / np.maximum(off, near))
        line = _ridge(x, y, own, penalty, prior)
    return line


def _ridge(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float, prior: np.ndarray) -> np.ndarray:
    """Ridge lines through the origin, one a column of rows, drawn to `prior`. Shape (R, F)."""
    by_row = x.transpose(1, 2, 0)  # (R, F, K)
    gram = (by_row * weight.T[:, None]) @ by_row.transpose(0, 2, 1)
    right = np.einsum("krf,kr->rf", x, weight * (y - np.einsum("krf,rf->kr", x, prior)))
    size = np.maximum(np.einsum("rff->rf", gram).mean(axis=0), 1e-9) / max(x.shape[0], 1)
    ridge = penalty * np.eye(x.shape[2]) * size
    return prior + np.linalg.solve(gram + ridge, right[:, :, None])[:, :, 0]


def _boost(x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int) -> bytes:
    import xgboost as xgb

    known = weight.ravel() > 0
    rows = x.reshape(-1, x.shape[2])[known].astype(np.float32)
    told = xgb.DMatrix(rows, label=y.ravel()[known], weight=weight.ravel()[known])
    return bytes(xgb.train({**_TREES, "seed": seed}, told, num_boost_round=_ROUNDS).save_raw("ubj"))


@lru_cache(maxsize=64)
def _booster(trees: bytes) -> Any:
    import xgboost as xgb

    model = xgb.Booster()
    model.load_model(bytearray(trees))
    model.set_param({"nthread": 1})
    return model


def boosted(trees: bytes, x: np.ndarray) -> np.ndarray:
    """What trees say of features (K, Z, F), less what they say of no change. Shape (K, Z)."""
    model = _booster(trees)
    rows = np.concatenate([x.reshape(-1, x.shape[2]), np.zeros((1, x.shape[2]))]).astype(np.float32)
    found = model.inplace_predict(rows)
    return np.asarray((found[:-1] - found[-1]).reshape(x.shape[:2]), dtype=float)


def folds(k: int, seed: int) -> np.ndarray:
    """Fold of each scenario, shape (K,): whole scenarios, all their zones together."""
    return np.asarray(np.random.default_rng([seed, 517]).permutation(k) % min(FOLDS, k))


def out_of_fold(
    kind: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, n_zones: int, own: int, penalty: float, seed: int
) -> np.ndarray:
    """Predictions of every scenario by models that have not seen it, shape (K, R)."""
    fold, found = folds(len(x), seed), np.zeros(y.shape)
    for one in np.unique(fold):
        train, test = fold != one, fold == one
        model = fit(kind, x[train], y[train], weight[train], n_zones=n_zones, own=own, penalty=penalty, seed=seed)
        found[test] = model.predict(x[test])
    return found


def choose(
    kinds: Sequence[str], x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, n_zones: int, own: int, seed: int
) -> tuple[str, float, np.ndarray, dict[str, float]]:
    """The kind and penalty of the least error over the folds: mean absolute error of zones, weighted.

    Returns
    -------
    tuple
        Kind, penalty, its out-of-fold predictions (K, R), and the error of each kind at its best.
    """
    tried: dict[str, tuple[float, float, np.ndarray]] = {}
    zone = weight[:, :n_zones]

    def note(kind: str, penalty: float, found: np.ndarray) -> None:
        error = float((zone * np.abs(found - y)[:, :n_zones]).sum() / max(zone.sum(), 1e-12))
        if kind not in tried or error < tried[kind][0]:
            tried[kind] = (error, penalty, found)

    single = [kind for kind in kinds if kind != "blend"]
    if "blend" in kinds:
        single += [kind for kind in ("mixed", "boosted") if kind not in single]
    for kind in single:
        for penalty in PENALTIES if kind in ("zone", "city", "mixed") else (10.0,):
            found = out_of_fold(kind, x, y, weight, n_zones=n_zones, own=own, penalty=penalty, seed=seed)
            note(kind, penalty, found)
    if "blend" in kinds:
        (_, penalty, lines), (_, _, trees) = tried["mixed"], tried["boosted"]
        both = lines.copy()
        both[:, :n_zones] = 0.5 * (lines + trees)[:, :n_zones]
        note("blend", penalty, both)
    chosen = min(kinds, key=lambda kind: tried[kind][0])
    return chosen, tried[chosen][1], tried[chosen][2], {kind: tried[kind][0] for kind in kinds}


def bent(x: np.ndarray, first: int, steepness: float = 4.0) -> np.ndarray:
    """Features with the first ones once more, bent: sign(x) log(1 + 4 |x|); 0 stays 0. (K, R, F) to (K, R, F + first).

    Parameters
    ----------
    x : ndarray, shape (K, R, F)
    first : int
    steepness : float
        Change of the base at which a feature begins to bend is one over it (assumed: a quarter).
    """
    own = x[:, :, :first]
    return np.concatenate([x, np.sign(own) * np.log1p(steepness * np.abs(own))], axis=2)
