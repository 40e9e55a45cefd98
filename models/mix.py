"""The mix: a weighted mean of a zone's micromodel and the macromodel, with intervals of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd

from models.contract import Forecaster, Validation
from models.design import Workbench
from models.families.linear import RidgeForecaster
from models.intervals import ConformalIntervals
from models.macro import MacroForecaster
from models.panel import Panel


class MixForecaster(Forecaster):
    """`weight` times the micromodel plus the rest times the macromodel.

    Parameters
    ----------
    weight : float
        Share of the micromodel, 0 to 1, learned from out-of-fold forecasts (see `models.assign`).
    micro, macro : Forecaster or None
        The two parts; without them, `fit` makes a ridge line and a pooled XGBoost.
    """

    family = "mix"

    def __init__(
        self, *, seed: int = 0, weight: float = 0.5, micro: Forecaster | None = None, macro: Forecaster | None = None
    ) -> None:
        super().__init__(seed=seed)
        self.weight = float(weight)
        self.micro: Forecaster = micro or RidgeForecaster(seed=seed)
        self.macro: Forecaster = macro or MacroForecaster(seed=seed)

    @classmethod
    def of(cls, micro: Forecaster, macro: Forecaster, *, weight: float) -> MixForecaster:
        """Mix of two fitted models; its intervals come from their out-of-fold forecasts on the same rows."""
        mix = cls(seed=micro.seed, weight=weight, micro=micro, macro=macro)
        mix._adopt()
        mix.validation = mix.joint_validation()
        mix.intervals = ConformalIntervals.fit(mix.validation.scores)
        return mix

    def _adopt(self) -> None:
        """Zone, target and profile are the micromodel's."""
        micro = self.micro
        self.target, self.zone_ids, self.step_s = micro.target, micro.zone_ids, micro.step_s
        self.train_end, self.profile = micro.train_end, micro.profile

    def joint_validation(self) -> Validation:
        """Out-of-fold forecasts of the mix."""
        a, b = self.micro.validation, self.macro.validation
        assert a is not None and b is not None
        places = self.macro.places(self.zone_ids)
        level = self.weight * a.level + (1 - self.weight) * b.level[:, places]
        return replace(a, parts=(level - a.usual)[None], trust=np.ones((1, level.shape[2])))

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "weight": self.weight, "micro": self.micro.family, "macro": self.macro.family}

    def fit(
        self,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        train_end: pd.Timestamp,
        calibrate_from: pd.Timestamp | None = None,
        bench: Workbench | None = None,
    ) -> Self:
        """Fit both parts, the macromodel on every zone that senses the target, then the intervals of the mix."""
        until = panel.until(max(0, min(int(panel.known(pd.Timestamp(train_end))[0]) + 1, len(panel))))
        every = sorted({*until.sensed(target), *zone_ids}, key=lambda z: int(panel.columns([z])[0]))
        self.micro.fit(
            panel, target=target, zone_ids=zone_ids, train_end=train_end, calibrate_from=calibrate_from, bench=bench
        )
        self.macro.fit(panel, target=target, zone_ids=every, train_end=train_end, calibrate_from=calibrate_from)
        self._adopt()
        self.validation = self.joint_validation()
        self.intervals = ConformalIntervals.fit(self.validation.scores)
        return self

    def refit(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """Refit both parts; weight and intervals stay."""
        return self.with_parts(
            self.micro.refit(panel, train_end=train_end), self.macro.refit(panel, train_end=train_end)
        )

    def with_parts(self, micro: Forecaster, macro: Forecaster) -> Self:
        """The same mix of parts that were learned again."""
        again = type(self)(seed=self.seed, weight=self.weight, micro=micro, macro=macro)
        again._adopt()
        again.intervals = self.intervals
        return again

    def _learn(self, bench: Workbench, end: int) -> None:
        raise NotImplementedError("a mix is learned by its parts; call fit or refit")

    def _parts(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        assert self.profile is not None
        zones = [self.zone_ids[k] for k in places]
        own, aim = self.micro._point(panel, known, self.micro.places(zones), steps)
        city, _ = self.macro._point(panel, known, self.macro.places(zones), steps)
        usual = self.profile.pick(places).usual(panel.calendar, aim).transpose(0, 2, 1)
        return (self.weight * own + (1 - self.weight) * city - usual)[None]

    def _n_parameters(self) -> int:
        return self.micro._n_parameters() + self.macro._n_parameters() + 1

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        """Both parts' contributions, each weighed; the two usual values differ a little, which `macro_usual` holds."""
        zone = [self.zone_ids[place]]
        own = self.micro._contributions(panel, known, int(self.micro.places(zone)[0]), anchor)
        where = int(self.macro.places(zone)[0])
        city = self.macro._contributions(panel, known, where, anchor)
        assert self.profile is not None and self.macro.profile is not None
        aim = known[:, None] + anchor
        gap = (
            self.macro.profile.usual(panel.calendar, aim)[0, 0, where]
            - self.profile.usual(panel.calendar, aim)[0, 0, place]
        )
        found = {"macro_usual": (float(gap), (1 - self.weight) * float(gap))}
        for share, part in ((self.weight, own), (1 - self.weight, city)):
            for name, value, contribution in part:
                seen, so_far = found.get(name, (value, 0.0))
                found[name] = (seen, so_far + share * contribution)
        return [(name, value, contribution) for name, (value, contribution) in found.items()]

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        blobs = {
            f"{part}.{name}": data for part in ("micro", "macro") for name, data in getattr(self, part).save().items()
        }
        return {"weight": self.weight}, {}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        self.weight = float(meta["weight"])
        for part in ("micro", "macro"):
            files = {name.removeprefix(f"{part}."): data for name, data in blobs.items() if name.startswith(f"{part}.")}
            setattr(self, part, Forecaster.load(files))
