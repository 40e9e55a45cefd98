"""Quantile lines: the line that half of the outcomes lie above (least absolute deviations), and other levels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.families.lines import LineLearner
from models.families.quantile_kernels import check_lines
from models.families.ridge import Ridge, easing, ridge_parts
from models.families.sparse import ElasticNet
from models.learner import State
from models.rows import Rows

#: Half width of the rounded part of the loss in standard deviations of the residuals; 0: narrower with more rows.
#: Huber's 1.345 keeps 95 % of the efficiency of least squares under normal errors.
BANDS: Mapping[str, float] = MappingProxyType({"absolute": 0.0, "huber": 1.345})
#: How many times as hard features are penalised to which the elastic net gives no coefficient (assumption).
OUTSIDE = 100.0


class QuantileLinear(LineLearner):
    """A line a zone and horizon that minimises absolute instead of squared errors, with a ridge penalty.

    The penalty is the one that blocked cross-validation chose for the ridge line, times the curvature of the loss, so
    that it shrinks as much.

    Settings
    --------
    loss : {"absolute", "huber"}
        What `predict` minimises: absolute errors (the median line), or squared ones near 0 and absolute ones beyond.
    quantiles : list of float
        Levels of `predict_quantiles`, between 0 and 1, in order.
    support : {"sparse", "all"}
        Which features count: those to which an elastic net of the zone gives a coefficient (the others are penalised
        `OUTSIDE` times as hard), or all alike.
    harder : float
        Times the penalty of the ridge line. Absolute errors need less (assumption): where errors have heavy tails a few
        large ones make the ridge line cautious, and they weigh little here.
    rounds : int
        Most steps of the descent.
    penalties, folds, spared, share
        As in `Ridge`.

    References
    ----------
    Koenker & Bassett (1978), doi:10.2307/1913643 (quantile lines);
    He, Pan, Tan & Zhou (2023), doi:10.1016/j.jeconom.2021.07.010 (smoothing the check loss, its width, and gradient
    steps); Barzilai & Borwein (1988), doi:10.1093/imanum/8.1.141 (the steps); Huber (1964), doi:10.1214/aoms/1177703732
    """

    family = "quantile_linear"
    rank = 2.0
    losses = ("absolute", "huber")
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "loss": "absolute",
            "quantiles": (),
            "support": "sparse",
            "harder": 0.1,
            "rounds": 20,
            **{key: Ridge.defaults[key] for key in ("penalties", "folds", "spared", "share")},
        }
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"harder": (0.1, 0.3, 1.0), "support": ("sparse", "all"), "loss": ("absolute", "huber")}
    )

    quantile: np.ndarray | None = None

    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        levels = np.asarray(self.settings["quantiles"], float).reshape(-1)
        loss = self.settings["loss"]
        support = self.settings["support"]
        if (
            loss not in BANDS
            or support not in ("all", "sparse")
            or not ((levels > 0) & (levels < 1)).all()
            or (np.diff(levels) <= 0).any()
        ):
            raise SettingsError(
                f"{self.family} takes loss {sorted(BANDS)}, not {loss!r}; support 'all' or 'sparse', not {support!r};"
                f" and quantiles between 0 and 1 in order, not {levels.tolist()}"
            )
        _, zones, horizons = rows.shape
        size = rows.width + 1
        self.coefficient = np.zeros((zones, horizons, size), np.float32)
        self.quantile = np.zeros((zones, horizons, levels.size, size), np.float32)
        ease = easing(rows.layout, self.settings["spared"])[1:-1]
        pilot = None
        if self.settings["support"] == "sparse":
            pilot = ElasticNet(folds=self.settings["folds"], spared=self.settings["spared"]).fit(rows, y)
        rounds, harder = int(self.settings["rounds"]), float(self.settings["harder"])
        median = np.array([0.5])
        for some, gram, penalty, start, seen in ridge_parts(rows, y, self.settings):
            part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
            self.low[some], self.high[some] = seen
            if pilot is not None:
                start = pilot.lines()[some]
            eases = ease * np.where(start[..., 1:] == 0.0, OUTSIDE, 1.0)
            known = (part.common, part.ahead, y[:, some], gram, start, penalty * harder, eases)
            lines = np.empty((gram.shape[0], horizons, 1, size), np.float32)
            check_lines(*known, median, BANDS[loss], rounds, loss == "absolute", lines)
            self.coefficient[some] = lines[:, :, 0]
            if levels.size:
                check_lines(*known, levels, 0.0, rounds, True, self.quantile[some])

    def predict_quantiles(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts of the levels of the setting `quantiles`, shape (n, Z, S, Q); they never cross.

        Raises
        ------
        NotFittedError
            If it was fitted without levels.

        References
        ----------
        Chernozhukov, Fernandez-Val & Galichon (2010), doi:10.3982/ECTA7880 (crossing quantiles put in order)
        """
        if self.quantile is None or not self.quantile.shape[2]:
            raise NotFittedError(f"{self.family} knows no quantiles: fit it with quantiles=[0.05, 0.95] or so")
        lines = self.quantile if places is None else self.quantile[places]
        return np.sort(np.stack([self._line(rows, places, lines[:, :, q]) for q in range(lines.shape[2])], -1), axis=-1)

    def n_parameters(self) -> int:
        return super().n_parameters() + (0 if self.quantile is None else int(np.count_nonzero(self.quantile)))

    def state(self) -> State:
        meta, arrays, blobs = super().state()
        assert self.quantile is not None
        return meta, arrays | {"quantile": self.quantile}, blobs
