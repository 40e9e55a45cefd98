"""The learner behind a transferred forecaster: one zone's lines, their donors' sums kept, so that they warm up."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from models.errors import NotFittedError
from models.families.lines import LineLearner
from models.learner import State
from models.newcomers.warm import grams, warm_lines
from models.rows import Rows


class WarmLine(LineLearner):
    """Lines of one zone that lean on its donors' rows; made by `newcomers.transfer`, not chosen by name.

    Attributes
    ----------
    prior : ndarray, shape (1, S, P, P)
        Donors' sums of products, worth one row (see `warm.prior_of`).
    worth : ndarray, shape (1, S)
        Rows of the zone's own that the prior counts for, by horizon.
    """

    family = "warm_line"
    rank = 1.1
    losses = ("squared",)
    wrapper: ClassVar[bool] = True
    prior: np.ndarray | None = None
    worth: np.ndarray

    def begin(self, prior: np.ndarray, worth: np.ndarray, low: np.ndarray, high: np.ndarray) -> Self:
        """Take over what donors teach: see `prior`, `worth` and `lines.LineLearner.low`, each of one zone."""
        self.prior, self.worth = prior[None].astype(np.float32), worth[None].astype(float)
        self.low, self.high = low[None].astype(np.float32), high[None].astype(np.float32)
        return self

    def again(self) -> Self:
        """One that has taken over the same and learned nothing of its own yet."""
        assert self.prior is not None
        fresh = type(self)(seed=self.seed, **self.settings)
        return fresh.begin(self.prior[0], self.worth[0], self.low[0], self.high[0])

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn from own rows (n, 1, S) on top of what was taken over; `NotFittedError` where nothing was."""
        if self.prior is None:
            raise NotFittedError("a warm line needs its donors: make it with models.newcomers.transfer")
        self.layout = rows.layout
        self._learn(rows, y)
        return self

    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        assert self.prior is not None
        own = grams(rows, y)[0, :, 0].astype(np.float64)
        self.coefficient = warm_lines(own, self.prior[0].astype(np.float64), self.worth[0])[None].astype(np.float32)
        self._see(rows, slice(None))

    def state(self) -> State:
        meta, arrays, blobs = super().state()
        assert self.prior is not None
        return meta, {**arrays, "prior": self.prior, "worth": self.worth}, blobs

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        super().restore(meta, arrays, blobs)
        self.coefficient = arrays["coefficient"]
