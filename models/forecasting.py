"""Any learner as a forecaster: features in, deviations from the usual out, in each zone's own scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd

from data.plugins import Plugin
from models.contract import Forecaster
from models.design import Design, Workbench
from models.errors import SettingsError
from models.featuriser import REFERENCES, Featuriser
from models.learner import Learner, learner_class, plugin_of
from models.panel import Panel
from models.refreshing import new_rows, spacing
from models.rows import Rows
from models.turns import beside, kind_of, restored

#: What a forecast starts from before the learner speaks: the usual value, the last reading, or a share of the latter.
STARTS = ("usual", "last", "lasting")
SHRINK_ROWS = 20.0  # rows without news that the lasting share is drawn towards 0 by (assumed)


class LearnedForecaster(Forecaster):
    """Micromodels of one family for some zones, trained in one batch; or one macromodel, if the family is a city's.

    Parameters
    ----------
    family : str or type of Learner
        By name, also of one that another package brings, or as a class.
    seed : int
    start : {"usual", "last", "lasting"}
        What the learner's outcome is a change of: the usual value; the last reading (where changes are what repeats);
        or the share of the present deviation that usually lasts. Families hold features within the range they have
        seen; what a forecast starts from is not held, so that an episode beyond all seen is not forecast away.
    reference : {"usual", "level", "season"}
        What features and outcomes deviate from, see `featuriser.Featuriser`.
    settings : mapping or None
        Of the learner.
    name : str
        What the model is called in tables; the family where empty.

    Raises
    ------
    SettingsError
        For a family, a start or a setting that does not exist.
    """

    kind = "learned"

    def __init__(
        self,
        family: str | type[Learner] = "ridge",
        *,
        seed: int = 0,
        start: str = "lasting",
        reference: str = "usual",
        settings: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> None:
        super().__init__(seed=seed)
        faults = [] if start in STARTS else [f"there is no start {start!r}; there are {STARTS}"]
        if reference not in REFERENCES:
            faults.append(f"there is no reference {reference!r}; there are {REFERENCES}")
        if faults:
            raise SettingsError("; ".join(faults))
        kind = learner_class(family)
        self.family, self.start, self.reference = kind.family, start, reference
        self.name = name or kind.family
        self.learner: Learner = kind(seed=seed, **(settings or {}))
        self.scope, self.rank = self.learner.scope, self.learner.rank
        self.featuriser: Featuriser | None = None
        self.share = np.zeros((1, 1))  # (Z, S) of the present deviation that a forecast starts from
        self._design_end = -1
        self.every = (1, 0)  # of the origins learned from: each so many steps, and which, by the clock

    def brought_by(self) -> Plugin | None:
        return plugin_of(kind_of(self.learner))

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "start": self.start, "reference": self.reference, **self.learner.settings}

    def _learn(self, bench: Workbench, end: int) -> None:
        design = bench.design(end, self.reference)
        self.featuriser, self._design_end = design.featuriser, end
        self.profile = design.featuriser.base
        if self.scope == "zone" and design.large:
            self._learn_in_turns(bench.panel, design)
            return
        self.every = spacing(bench.panel, design.known)
        self.learner, self.share = self._learned(design.rows, design.outcome, design.zone_features)

    def _learn_in_turns(self, panel: Panel, design: Design) -> None:
        """Some zones after others, each as it would be among all: a zone's model knows its own outcomes alone."""
        parts, shares = [], []
        for places, rows, outcome in design.turns():
            part, share = self._learned(rows, outcome, design.zone_features[places])
            parts.append(part)
            shares.append(share)
        self.every = spacing(panel, design.every)
        self.learner, self.share = beside(parts, [len(share) for share in shares]), np.concatenate(shares)

    def _learned(self, rows: Rows, outcome: np.ndarray, zone_features: np.ndarray) -> tuple[Learner, np.ndarray]:
        """A fresh learner of these rows, and the shares of the present deviation that forecasts start from."""
        share = self.shares_of(rows, outcome)
        if self.start != "usual":
            outcome = outcome - rows.common[:, :, :1] * share.astype(np.float32)
        fresh = kind_of(self.learner)(seed=self.seed, **self.learner.settings)
        return fresh.fit(rows, outcome, zone_features=zone_features), share

    @property
    def can_refresh(self) -> bool:
        return self.learner.can_update

    def refresh(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        if not self.can_refresh:
            return super().refresh(panel, train_end=train_end)
        assert self.featuriser is not None
        found = new_rows(self.featuriser, panel, self.anchors, pd.Timestamp(self.train_end), train_end, self.every)
        again = copy(self)
        again.validation = None
        if found is None:
            return again
        rows, outcome = found
        if self.start != "usual":
            outcome = outcome - rows.common[:, :, :1] * self.share.astype(np.float32)
        again.learner = self.learner.duplicate().update(rows, outcome)
        again.train_end, again.refreshed_from = pd.Timestamp(train_end).isoformat(), self.full_end
        return again

    def shares_of(self, rows: Rows, outcome: np.ndarray) -> np.ndarray:
        """Share of the present deviation that a forecast starts from, (Z, S), by rows and outcomes (n, Z, S)."""
        zones, horizons = outcome.shape[1:]
        if self.start != "lasting":
            return np.full((zones, horizons), float(self.start == "last"))
        now = rows.common[:, :, :1]
        heard = np.isfinite(outcome)
        both = np.where(heard, outcome, 0.0) * now
        return np.asarray(both.sum(axis=0) / ((heard * now**2).sum(axis=0) + SHRINK_ROWS))

    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        assert self.featuriser is not None and self.profile is not None
        if bench is not None and tuple(steps) == self.anchors:
            turns = bench.validation_turns(self._design_end, known, self.reference)
            if turns is not None:
                parts = [self._deviations(panel, known, places[turn], steps) for turn in turns]
                return np.concatenate(parts, axis=1)
            rows = bench.validation_rows(self._design_end, known, self.reference)
        else:
            rows = self.featuriser.rows(panel, known, steps, places)
        found = self.learner.predict(rows, places)
        if self.start != "usual":
            horizons = [self.anchors.index(step) for step in steps]
            found = found + rows.common[:, :, :1] * self.share[places][:, horizons]
        return np.asarray(found * self.profile.scale[places][:, None])

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        assert self.featuriser is not None and self.profile is not None
        rows = self.featuriser.rows(panel, known, (anchor,), np.array([place]))
        horizon = self.anchors.index(anchor)
        found = np.array(self.learner.contributions(rows, 0, place), dtype=float)
        found[0] += float(rows.common[0, 0, 0]) * self.share[place, horizon]
        found *= self.profile.scale[place]
        values = [*rows.at(0)[0, 0].tolist(), 1.0]
        return [(n, float(v), float(c)) for n, v, c in zip((*rows.layout.names, "intercept"), values, found)]

    def _pick(self, places: np.ndarray) -> None:
        assert self.featuriser is not None
        self.featuriser = self.featuriser.pick(places)
        self.learner = self.learner.pick(places)
        self.share = self.share[places]

    def _n_parameters(self) -> int:
        assert self.profile is not None
        return int(self.learner.n_parameters()) + int(self.profile.mean.size)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        assert self.featuriser is not None
        meta, arrays = self.featuriser.state()
        learned, numbers, blobs = self.learner.state()
        head: dict[str, Any] = {
            "featuriser": meta,
            "learner": learned,
            "settings": self.learner.settings,
            "start": self.start,
        }
        head |= {"reference": self.reference, "name": self.name}
        if self.can_refresh:
            head["every"] = self.every
        named = {f"f_{key}": value for key, value in arrays.items()} | {f"l_{k}": v for k, v in numbers.items()}
        return {**head, "family": self.family}, {**named, "share": self.share}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        own = {key[2:]: value for key, value in arrays.items() if key.startswith("f_")}
        self.featuriser = Featuriser.restore(meta["featuriser"], own)
        self.family, self.start, self.share = meta["family"], meta["start"], arrays["share"]
        self.reference, self.name = meta["reference"], meta["name"]
        every, which = meta.get("every", (1, 0))
        self.every = int(every), int(which)
        empty = learner_class(self.family)(seed=self.seed, **meta["settings"])
        empty.layout = self.featuriser.layout(self.anchors)
        learned = {k[2:]: v for k, v in arrays.items() if k.startswith("l_")}
        self.learner = restored(empty, meta["learner"], learned, blobs)
        self.scope, self.rank = empty.scope, empty.rank
