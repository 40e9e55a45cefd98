"""A ridge line before the trees: it carries what is linear, so that few shallow trees are needed for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.families.pooled_ridge import PooledRidge
from models.families.ridge import Ridge
from models.learner import State
from models.rows import Layout, Rows

_POOLED_ROWS = 300_000  # origins times zones that one line for all zones is fitted on


@dataclass(frozen=True, eq=False)
class FirstLine:
    """A line for each zone and horizon, or one for all zones and each horizon.

    Attributes
    ----------
    ridge : Ridge or PooledRidge
        Fitted.
    columns : ndarray of int or None
        Places in `Layout.common` that the line sees; None for all features, those ahead included.
    """

    ridge: Ridge | PooledRidge
    columns: np.ndarray | None = None

    @classmethod
    def fit(cls, rows: Rows, y: np.ndarray, *, pooled: bool = False, own: bool = False) -> FirstLine:
        """Fit `Ridge`, or `PooledRidge`, with its defaults.

        Parameters
        ----------
        rows : Rows
        y : ndarray, shape (n, Z, S)
            `nan` where unknown.
        pooled : bool
            One line for all zones; from every k-th origin where there are too many rows.
        own : bool
            On the zone's own readings alone (`own_lag_...`, `own_mean_...`): damped persistence.
        """
        columns = None
        if own:
            names = enumerate(rows.layout.common)
            columns = np.array([k for k, name in names if name.startswith(("own_lag_", "own_mean_"))], dtype=np.int64)
        seen = _seen(rows, columns)
        if not pooled:
            return cls(Ridge().fit(seen, y), columns)
        n, zones, _ = rows.shape
        some = slice(None, None, max(1, -(-n * zones // _POOLED_ROWS)))
        return cls(PooledRidge().fit(seen.take(some), y[some]), columns)

    def predict(self, rows: Rows, places: np.ndarray) -> np.ndarray:
        """Values of the lines, shape (n, Z, S), float32; rows as in `Learner.predict`."""
        return self.ridge.predict(_seen(rows, self.columns), places).astype(np.float32, copy=False)

    def held(self, rows: Rows, places: np.ndarray) -> Rows:
        """The same rows, features held within the range that each zone's line was fitted on."""
        assert self.columns is None and isinstance(self.ridge, Ridge)
        return self.ridge.held(rows, places)

    def line(self, place: int, horizon: int) -> np.ndarray:
        """Coefficients by `Layout.names`, the constant last; `horizon` as fitted on."""
        return np.asarray(self.ridge.coefficients(place, horizon), dtype=np.float64)

    def shares(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Terms of one forecast, shape (F1 + F2 + 1,), the constant last; arguments as in `Learner.contributions`."""
        found = self.ridge.contributions(_seen(rows, self.columns), horizon, place)
        if self.columns is None:
            return found
        out = np.zeros(rows.width + 1)
        out[self.columns], out[-1] = found[:-1], found[-1]
        return out

    def pick(self, places: np.ndarray) -> FirstLine:
        """Lines of some zones."""
        return FirstLine(self.ridge.pick(places), self.columns)

    def n_parameters(self) -> int:
        """Coefficients that are not 0."""
        return self.ridge.n_parameters()

    def state(self) -> State:
        """As in `Learner.state`; arrays are named `line_...`."""
        _, arrays, _ = self.ridge.state()
        arrays = {f"line_{name}": value for name, value in arrays.items()}
        if self.columns is not None:
            arrays["line_columns"] = self.columns
        return {"line_pooled": isinstance(self.ridge, PooledRidge)}, arrays, {}

    @classmethod
    def restored(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray], layout: Layout | None) -> FirstLine | None:
        """Inverse of `state`; None where no line was kept."""
        if "line_pooled" not in meta:
            return None
        assert layout is not None
        kept = {name[5:]: value for name, value in arrays.items() if name.startswith("line_")}
        columns = kept.pop("columns", None)
        ridge = PooledRidge() if meta["line_pooled"] else Ridge()
        ridge.layout = layout if columns is None else _columns(layout, columns)
        ridge.restore({}, kept, {})
        return cls(ridge, columns)


def _seen(rows: Rows, columns: np.ndarray | None) -> Rows:
    if columns is None:
        return rows
    common = np.ascontiguousarray(rows.common[:, :, columns])  # the same sums however many zones there are
    return Rows(common, rows.ahead[..., :0], _columns(rows.layout, columns))


def _columns(layout: Layout, columns: np.ndarray) -> Layout:
    return Layout(tuple(layout.common[int(k)] for k in columns), (), layout.steps)
