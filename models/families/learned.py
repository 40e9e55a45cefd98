"""What the learned families share: features in, deviations from the usual out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.contract import Forecaster
from models.design import Design, Workbench
from models.features import Featuriser, Rows
from models.panel import Panel


class LearnedForecaster(Forecaster):
    """A forecaster that maps the features of `models.features` to deviations, in each zone's own scale."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.featuriser: Featuriser | None = None
        self._design_end = -1

    @abstractmethod
    def _learn_rows(self, design: Design) -> None:
        """Fit on a design."""

    @abstractmethod
    def _predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        """Parts of the scaled deviations, shape (P, n, places, horizons); `rows` hold just these zones and anchors."""

    def _learn(self, bench: Workbench, end: int) -> None:
        design = bench.design(end)
        self.featuriser, self._design_end = design.featuriser, end
        self.profile = design.featuriser.profile.pick(np.arange(len(self.zone_ids)))
        self._learn_rows(design)

    def _parts(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        assert self.featuriser is not None and self.profile is not None
        horizons = np.array([self.anchors.index(step) for step in steps])
        if bench is not None and tuple(steps) == self.anchors:
            rows = bench.validation_rows(self._design_end, known)
        else:
            rows = self.featuriser.rows(panel, known, steps, places)
        return self._predict(rows, places, horizons) * self.profile.scale[places][:, None]

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        assert self.featuriser is not None
        meta, arrays = self.featuriser.state()
        return {"featuriser": meta}, {f"f_{key}": value for key, value in arrays.items()}, {}

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        own = {key[2:]: value for key, value in arrays.items() if key.startswith("f_")}
        self.featuriser = Featuriser.restore(meta["featuriser"], own)
