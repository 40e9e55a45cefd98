"""Ensembles: several forecasters of the same zones as one, with intervals of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.correction import Correction, Moments
from models.design import Workbench
from models.errors import NotFittedError, SettingsError
from models.forecasting import LearnedForecaster
from models.intervals import ConformalIntervals
from models.panel import Panel
from models.validation import Validation
from models.weights import RIDGE, RIDGES, mixed, stacking_weights

Method = Literal["stack", "average", "best"]
METHODS: tuple[Method, ...] = ("stack", "average", "best")


class EnsembleForecaster(Forecaster):
    """A weighted mean of members, the weights by zone and horizon.

    Parameters
    ----------
    members : sequence of Forecaster
        Micromodels, macromodels or both; None takes a ridge line a zone and a pooled XGBoost.
    method : {"stack", "average", "best"}
        Weights that would have made out-of-fold errors least (see `weights`), equal ones, or all on the member with
        the least error in a zone, at each horizon.
    name : str
        What it is called in tables, e.g. `mix`.
    correct : bool
        Whether `fit` also learns what the weighted mean still misses, see `correction`; of stacked means alone.

    Raises
    ------
    SettingsError
        For an unknown method.
    """

    kind = "ensemble"

    def __init__(
        self,
        members: Sequence[Forecaster] | None = None,
        *,
        seed: int = 0,
        method: Method = "stack",
        name: str = "ensemble",
        correct: bool = False,
    ) -> None:
        super().__init__(seed=seed)
        if method not in METHODS:
            raise SettingsError(f"there is no method {method!r} of combining forecasts; there are {METHODS}")
        self.members = list(members) if members is not None else _default_members(seed)
        self.method: Method = method
        self.correct, self.correction = correct and method == "stack", Correction([], ())
        self.family = self.name = name
        self.scope = "city" if any(member.scope == "city" for member in self.members) else "zone"
        self.weights = np.ones((len(self.members), 1, 1)) / max(1, len(self.members))

    @classmethod
    def of(
        cls,
        members: Sequence[Forecaster],
        zone_ids: Sequence[str],
        *,
        method: Method = "stack",
        weights: np.ndarray | None = None,
        name: str = "ensemble",
        panel: Panel | None = None,
    ) -> EnsembleForecaster:
        """Ensemble of fitted members for zones that all of them know.

        Weights, where none (M, Z, S) are given, come from out-of-fold forecasts; what is promised, and intervals, from
        the same forecasts mixed by weights of the other folds. Where the panel is given that the members learned from,
        what the mean still misses is learned, too.
        """
        made = cls(members, seed=members[0].seed, method=method, name=name, correct=panel is not None)
        made._adopt(zone_ids)
        made._weigh(weights, panel)
        return made

    def _adopt(self, zone_ids: Sequence[str]) -> None:
        """Zones, target, horizons and the profile are the first member's."""
        first = self.members[0]
        self.zone_ids, self.target, self.step_s = tuple(zone_ids), first.target, first.step_s
        self.train_end, self.anchors = first.train_end, first.anchors
        assert first.profile is not None
        self.profile = first.profile.pick(first.places(zone_ids))

    def _weigh(self, weights: np.ndarray | None = None, panel: Panel | None = None) -> None:
        records = self._records()
        first, levels = records[0], np.stack([record.level for record in records])
        if weights is None:
            errors = levels - first.reading
            level = _crossed(levels, errors, first, self.method)
            ridge = _best_ridge(levels, errors, first) if self.method == "stack" else RIDGE
            self.weights = combine(errors, first.day, self.method, ridge)
            if self.correct and panel is not None:
                unseen = self._learn_correction(panel, levels, errors, first, ridge)
                level = np.where(np.isfinite(unseen), unseen, level)
        else:
            self.weights = np.asarray(weights, dtype=float)
            level = mixed(levels, self.weights)
        self.validation = replace(first, deviation=(level - first.usual).astype(np.float32))
        self.intervals = ConformalIntervals.fit(self.validation.scores)

    def _learn_correction(
        self, panel: Panel, levels: np.ndarray, errors: np.ndarray, record: Validation, ridge: float | np.ndarray
    ) -> np.ndarray:
        """Learn the correction; what it promises (n, Z, S), `nan` where there is none."""
        others = sorted(name for name in panel.values if name != self.target)
        moments = self._moments(panel, record.known, np.arange(len(self.zone_ids)), others)

        def shares(rows: np.ndarray) -> np.ndarray:
            return combine(errors[:, rows], record.day[rows], self.method, ridge if rows.all() else RIDGE)

        self.correction, unseen = Correction.learn(
            moments, others, self.anchors, levels, record, shares, seed=self.seed
        )
        return unseen

    def _moments(self, panel: Panel, known: np.ndarray, places: np.ndarray, others: Sequence[str]) -> Moments:
        assert self.profile is not None
        zones = [self.zone_ids[k] for k in places]
        return Moments.of(panel, self.target, zones, self.profile.scale[places], others, known)

    def _records(self) -> list[Validation]:
        found = []
        for member in self.members:
            if member.validation is None:
                raise NotFittedError(f"{member!r} carries no validation; it was loaded or refitted, fit it to combine")
            found.append(member.validation.pick(member.places(self.zone_ids)))
        return found

    def settings(self) -> dict[str, Any]:
        share = {member.name: round(float(w.mean()), 4) for member, w in zip(self.members, self.weights)}
        corrected = [self.anchors[k] for k in self.correction.corrected]
        return {"seed": self.seed, "method": self.method, "members": share, "corrected_steps": corrected}

    def fit(
        self,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        train_end: pd.Timestamp,
        calibrate_from: pd.Timestamp | None = None,
        steps: Sequence[int] | None = None,
        bench: Workbench | None = None,
    ) -> Self:
        """Fit every member, citywide ones on all zones that sense the target, then weights and intervals."""
        until = panel.until(panel.known_by(train_end))
        every = sorted({*until.sensed(target), *zone_ids}, key=lambda z: int(panel.columns([z])[0]))
        for member in self.members:
            city = member.scope == "city"
            member.fit(
                panel, target=target, zone_ids=every if city else zone_ids, train_end=train_end,
                calibrate_from=calibrate_from, steps=steps,
                bench=bench if not city or tuple(every) == tuple(zone_ids) else None,
            )  # fmt: skip
        self._adopt(zone_ids)
        self._weigh(panel=until)
        return self

    def refit(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """Refit every member; weights and intervals stay."""
        return self.with_members([member.refit(panel, train_end=train_end) for member in self.members])

    @property
    def can_refresh(self) -> bool:
        return any(member.can_refresh and w.any() for member, w in zip(self.members, self.weights))

    def refresh(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """Refresh the members that can be; the others, weights and intervals stay."""
        if not self.can_refresh:
            return super().refresh(panel, train_end=train_end)
        again = self.with_members([m.refresh(panel, train_end=train_end) if m.can_refresh else m for m in self.members])
        again.train_end, again.refreshed_from = pd.Timestamp(train_end).isoformat(), self.full_end
        return again

    def with_members(self, members: Sequence[Forecaster]) -> Self:
        """The same ensemble of members that were learned again."""
        again = type(self)(members, seed=self.seed, method=self.method, name=self.name, correct=self.correct)
        again._adopt(self.zone_ids)
        again.weights, again.intervals, again.correction = self.weights, self.intervals, self.correction
        return again

    def _pick(self, places: np.ndarray) -> None:
        self.weights = self.weights[:, places]
        self.members = [member.one(self.zone_ids[0]) for member in self.members]

    def _learn(self, bench: Workbench, end: int) -> None:
        raise NotImplementedError("an ensemble is learned by its members; call fit or refit")

    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        assert self.profile is not None
        level = np.add(*self._parts(panel, known, places, steps))
        aim = known[:, None] + np.asarray(steps)
        return np.asarray(level - self.profile.pick(places).usual(panel.calendar, aim).transpose(0, 2, 1))

    def point_of(
        self, panel: Panel, known: np.ndarray, zone_ids: Sequence[str], steps: Sequence[int],
        points: Mapping[int, np.ndarray],
    ) -> np.ndarray:  # fmt: skip
        """Point forecasts (n, Z, S) on the model's scale, from those that some members have made already.

        Parameters
        ----------
        panel : Panel
        known : ndarray of int, shape (n,)
            Last known positions.
        zone_ids : sequence of str
        steps : sequence of int
        points : mapping of int to ndarray, shape (n, Z, S)
            Of the same origins, zones and steps, by `id` of the member.
        """
        places = self.places(zone_ids)
        if not set(steps) <= set(self.anchors):
            return self._point(panel, known, places, steps)
        return np.add(*self._parts(panel, known, places, steps, points))

    def _parts(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int],
        points: Mapping[int, np.ndarray] = MappingProxyType({}),
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Weighted mean of the members' forecasts, and what the correction adds to it, (n, Z, S) each."""
        zones = [self.zone_ids[k] for k in places]
        horizons = [self.anchors.index(step) for step in steps]
        total, square = (np.zeros((known.size, places.size, len(steps))) for _ in range(2))
        for member, weights in zip(self.members, self.weights):
            if weights.any():
                point = points.get(id(member))
                if point is None:
                    point = member._point(panel, known, member.places(zones), steps)
                part = point * weights[places][:, horizons]
                total += part
                square += part * point
        if not known.size or not set(horizons) & set(self.correction.corrected):
            return total, np.zeros(total.shape)
        moments = self._moments(panel, known, places, self.correction.others)
        spread = np.sqrt(np.maximum(square - total**2, 0.0))
        return total, self.correction.predict(moments, known, steps, horizons, total, spread)

    def _n_parameters(self) -> int:
        members = sum(member._n_parameters() for member in self.members)
        return members + self.weights.size + self.correction.n_parameters()

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        """Members' contributions, each weighed; their usual values may differ a little, which `other_usual` holds.

        What the correction adds is one contribution.
        """
        zone = [self.zone_ids[place]]
        horizon = self.anchors.index(anchor)
        aim = known[:, None] + anchor
        assert self.profile is not None
        usual = float(self.profile.usual(panel.calendar, aim)[0, 0, place])
        found: dict[str, tuple[float, float]] = {}
        gap = 0.0
        for member, weights in zip(self.members, self.weights):
            weight = float(weights[place, horizon])
            if weight == 0.0:
                continue
            where = int(member.places(zone)[0])
            assert member.profile is not None
            gap += weight * (float(member.profile.usual(panel.calendar, aim)[0, 0, where]) - usual)
            for name, value, contribution in member._contributions(panel, known, where, anchor):
                seen, so_far = found.get(name, (value, 0.0))
                found[name] = (seen, so_far + weight * contribution)
        if abs(gap) > 1e-12:
            seen, so_far = found.get("other_usual", (gap, 0.0))
            found["other_usual"] = (seen, so_far + gap)
        if horizon in self.correction.corrected:
            added = float(self._parts(panel, known, np.array([place]), (anchor,))[1][0, 0, 0])
            found["correction"] = (added, added)
        return [(name, value, contribution) for name, (value, contribution) in found.items()]

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        blobs = {
            f"member{k}.{name}": data for k, member in enumerate(self.members) for name, data in member.save().items()
        }
        meta: dict[str, Any] = {"method": self.method, "family": self.name, "members": len(self.members)}
        if self.correction.corrected:
            meta["correction"], boosters = self.correction.state()
            blobs |= boosters
        return meta, {"weights": self.weights}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        self.method, self.weights = meta["method"], arrays["weights"]
        self.family = self.name = meta["family"]
        if "correction" in meta:
            self.correction = Correction.restore(meta["correction"], blobs)
        self.members = []
        for k in range(int(meta["members"])):
            head = f"member{k}."
            files = {name.removeprefix(head): data for name, data in blobs.items() if name.startswith(head)}
            self.members.append(Forecaster.load(files))
        self.scope = "city" if any(member.scope == "city" for member in self.members) else "zone"


def combine(errors: np.ndarray, day: np.ndarray, method: Method, ridge: float | np.ndarray = RIDGE) -> np.ndarray:
    """Weights (M, Z, S) from out-of-fold errors (M, n, Z, S); `ridge` is that of stacked ones."""
    members, _, zones, horizons = errors.shape
    if method == "stack":
        return stacking_weights(errors, day, ridge=ridge)
    if method == "average":
        return np.full((members, zones, horizons), 1.0 / members)
    heard = np.isfinite(errors).all(axis=0)
    loss = np.where(heard, np.abs(errors), 0.0).sum(axis=1)
    return (np.arange(members)[:, None, None] == np.argmin(loss, axis=0)).astype(float)


def _crossed(
    levels: np.ndarray, errors: np.ndarray, record: Validation, method: Method, ridge: float = RIDGE
) -> np.ndarray:
    """Forecasts (n, Z, S) of a mix whose weights were learned on the other folds alone.

    What a mix promises on the rows that its weights were learned from is too good. Of one fold alone nothing can be
    left out.
    """
    out = np.empty(record.reading.shape)
    folds = np.unique(record.fold)
    for fold in folds:
        inside = record.fold == fold
        rest = ~inside if len(folds) > 1 else inside
        out[inside] = mixed(levels[:, inside], combine(errors[:, rest], record.day[rest], method, ridge))
    return out


def _best_ridge(levels: np.ndarray, errors: np.ndarray, record: Validation) -> np.ndarray:
    """Of `RIDGES` the one (S,) whose shares erred least on folds that they had not seen, by horizon."""
    if np.unique(record.fold).size < 2:
        return np.full(record.reading.shape[2], RIDGE)
    heard = np.isfinite(record.reading)
    reading = np.where(heard, record.reading, 0.0)
    found = [np.abs(_crossed(levels, errors, record, "stack", ridge) - reading) for ridge in RIDGES]
    loss = np.stack([one.sum(axis=0, where=heard) for one in found])  # (K, Z, S)
    usual = np.maximum(loss.mean(axis=0), 1e-9)  # zones count alike, whatever their level
    return np.asarray(RIDGES)[np.argmin((loss / usual).sum(axis=1), axis=0)]


def _default_members(seed: int) -> list[Forecaster]:
    return [LearnedForecaster("ridge", seed=seed), LearnedForecaster("macro_xgboost", seed=seed)]
