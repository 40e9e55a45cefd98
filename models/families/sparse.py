"""Sparse lines: most features get no coefficient at all, so that a line reads in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.errors import SettingsError
from models.families.gram import block_bounds, blocks_of, zone_chunks
from models.families.lines import LineLearner
from models.families.ridge import easing
from models.families.sparse_kernels import sparse_lines
from models.learner import State
from models.rows import Rows


class ElasticNet(LineLearner):
    """A line a zone and horizon with a penalty on absolute and squared coefficients.

    Settings
    --------
    mix : float, above 0, at most 1
        Share of the penalty that is on absolute coefficients; 1 is the lasso.
    path : int
        Penalties tried, from the least that leaves no feature (none but those spared) down to `reach` times it.
    reach : float
        Between 0 and 1.
    folds : int
        Contiguous blocks of the history, each left out once.
    caution : float
        A sparser line is taken whose error on left-out blocks is this many standard errors worse than the best.
    spared : mapping of str to float
        Features that are penalised this much in comparison with the others (1); see `Ridge`.

    References
    ----------
    Tibshirani (1996), doi:10.1111/j.2517-6161.1996.tb02080.x (lasso);
    Zou & Hastie (2005), doi:10.1111/j.1467-9868.2005.00503.x (elastic net);
    Friedman, Hastie & Tibshirani (2010), doi:10.18637/jss.v033.i01 (coordinate descent on covariances, down a path)
    """

    family = "elastic_net"
    rank = 1.5
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"mix": 0.5, "path": 16, "reach": 0.0003, "folds": 5, "caution": 0.0, "spared": {"own_lag_0": 0.01}}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"mix": (0.5, 0.2, 0.8)})

    penalty: np.ndarray

    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        mix, reach = float(self.settings["mix"]), float(self.settings["reach"])
        folds, steps = int(self.settings["folds"]), int(self.settings["path"])
        if not (0 < mix <= 1 and 0 < reach < 1 and folds >= 2 and steps >= 2):
            raise SettingsError(
                f"{self.family} needs mix in (0, 1], reach in (0, 1), folds and path from 2,"
                f" not mix={mix:g}, reach={reach:g}, folds={folds}, path={steps}"
            )
        n, zones, horizons = rows.shape
        width = rows.width + 2
        bounds, gap = block_bounds(n, folds), max(rows.layout.steps)
        ease = easing(rows.layout, self.settings["spared"])[1:-1]
        path = np.geomspace(1.0, reach, steps)
        self.coefficient = np.zeros((zones, horizons, width - 1), np.float32)
        self.penalty = np.zeros((zones, horizons))
        for some in zone_chunks(rows, folds):
            part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
            self._see(part, some)
            blocks = blocks_of(part, y[:, some], bounds, gap)
            shape = (-1, bounds.size - 1, width, width)
            lines = self.coefficient[some].reshape(-1, width - 1)
            penalty = self.penalty[some].reshape(-1)
            caution = float(self.settings["caution"])
            sparse_lines(
                blocks.whole.reshape(shape), blocks.judged.reshape(shape), path, ease, mix, caution, 30, lines, penalty
            )

    def state(self) -> State:
        meta, arrays, blobs = super().state()
        return meta, arrays | {"penalty": self.penalty}, blobs


class Lasso(ElasticNet):
    """A line a zone and horizon with few coefficients; see `ElasticNet`, here with the penalty on absolute ones alone.

    A line that is as good within half a standard error takes the place of a longer one (assumption).
    """

    family = "lasso"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({**ElasticNet.defaults, "mix": 1.0, "caution": 0.5})
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"caution": (0.5, 0.0, 1.0)})
