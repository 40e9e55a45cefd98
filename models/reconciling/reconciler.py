"""Forecasts that add up: models at every level, reconciled, with intervals from the errors of what was reconciled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.choosing import joined
from models.contract import Forecaster
from models.errors import HorizonError, NotFittedError, SettingsError
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES, ConformalIntervals
from models.panel import Panel
from models.profile import Profile
from models.reconciling.hierarchy import Hierarchy, upper_panel, zone_profile
from models.reconciling.method_choice import KEPT, chosen_methods, reconciled_errors
from models.reconciling.projection import Method, error_matrix, mapping, reconcile
from models.validation import Validation

if TYPE_CHECKING:
    from models.training import Training

MEDIAN = QUANTILES.index(0.5)
#: Forecasts of the zones from some origins and at some steps: (panel, origins, steps) to (n, Z, S), target's unit.
ZonePoint = Callable[[Panel, pd.DatetimeIndex, Sequence[int]], np.ndarray]


@dataclass(frozen=True, eq=False)
class Reconciled:
    """Forecasts of all nodes.

    Attributes
    ----------
    nodes : tuple of str, length N
        `_city`, districts, zones.
    base : ndarray, shape (n, N, S)
        Of each node's own model: they do not add up.
    point : ndarray, shape (n, N, S)
        Reconciled: aggregates are sums (or means) of the zones, to rounding.
    quantiles : ndarray, shape (n, N, S, Q)
        Around `point`, levels `QUANTILES`; quantiles of an aggregate are no sums of quantiles.
    """

    nodes: tuple[str, ...]
    base: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray


class Reconciler:
    """Zone, district and city forecasts of one target that agree.

    Attributes
    ----------
    hierarchy : Hierarchy
    target : str
    steps : tuple of int, length S
    upper_model : Forecaster
        Of the city and the districts.
    methods : tuple of str, length S
        What reconciles at each horizon.
    errors : ndarray, shape (n, N, S)
        Of the base forecasts out of fold: forecast less reading.
    """

    def __init__(
        self, hierarchy: Hierarchy, target: str, zone_point: ZonePoint, upper_model: Forecaster, usual: Profile
    ) -> None:
        self.hierarchy, self.target = hierarchy, target
        self.upper_model, self._zone_point, self._usual = upper_model, zone_point, usual
        self.steps = upper_model.anchors
        self.methods: tuple[Method, ...] = tuple(KEPT for _ in self.steps)
        self.errors = np.zeros((0, len(hierarchy.nodes), len(self.steps)))
        self._w: np.ndarray | None = None  # (S, N, N)
        self._stray: Profile | None = None
        self._offsets = np.zeros((0, 0, 0))

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        target: str,
        hierarchy: Hierarchy,
        train_end: pd.Timestamp,
        zones: Forecaster | Training | None = None,
        family: str = "ridge",
        method: Method | None = None,
        steps: Sequence[int] | None = None,
        seed: int = 0,
    ) -> Reconciler:
        """Fit models of the districts and the city, and learn how all levels err together.

        Parameters
        ----------
        panel : Panel
        target : str
        hierarchy : Hierarchy
        train_end : Timestamp
            UTC; nothing at or after it is read.
        zones : Forecaster, Training or None
            What forecasts the zones: a forecaster of all of them with its validation record, the models in use of a
            training (that `train` returned: refitted ones carry no record), or None to fit `family`.
        family : str
            Of the models above, and of the zones' where none is given.
        method : str or None
            One of `projection.METHODS` for all horizons; None chooses for each (see `method_choice`).
        steps : sequence of int or None
            Horizons in steps where no zones' model is given; None takes the anchors.
        seed : int

        Raises
        ------
        SettingsError
            If the zones' record is of other origins than those of the models above.
        """
        past = panel.until(panel.known_by(train_end))
        ids = hierarchy.zone_ids
        if zones is None:
            zones = LearnedForecaster(family, seed=seed).fit(
                past, target=target, zone_ids=ids, train_end=train_end, steps=steps
            )
        record, point, anchors = _in_use(zones, target, ids) if not isinstance(zones, Forecaster) else _one(zones, ids)
        usual = zone_profile(past, target, ids)
        above = upper_panel(past, target, hierarchy, usual)
        nodes = hierarchy.nodes[: hierarchy.uppers]
        upper = LearnedForecaster(family, seed=seed).fit(
            above, target=target, zone_ids=nodes, train_end=train_end, steps=anchors
        )
        found = cls(hierarchy, target, point, upper, usual)
        top = upper.validation
        assert top is not None
        if not np.array_equal(top.known, record.known):
            raise SettingsError(
                f"the zones' validation record has {record.known.size} origins, that of the levels above"
                f" {top.known.size}: fit both on the same panel up to the same train_end, calibrate_from left out"
            )
        errors = np.concatenate([top.point - top.actual, record.point - record.actual], axis=1)
        methods = (method,) * errors.shape[2] if method else None
        return found._learn(past, above, errors.astype(float), methods, top.day)

    def _learn(
        self, past: Panel, above: Panel, errors: np.ndarray, methods: tuple[Method, ...] | None, day: np.ndarray
    ) -> Reconciler:
        upper = self.hierarchy.upper
        reach = [step // past.steps_per_day for step in self.steps]
        self.errors, self.methods = errors, methods or chosen_methods(upper, errors, day, reach)
        self._w = np.stack([error_matrix(kind, upper, errors[:, :, s]) for s, kind in enumerate(self.methods)])
        zones = past.values[self.target][:, past.columns(self.hierarchy.zone_ids)]
        grid = np.concatenate([above.values[self.target], zones], axis=1)
        self._stray = Profile.fit(grid, past.calendar)
        assert self.upper_model.validation is not None
        known = self.upper_model.validation.known
        scores = -self._reconciled_errors() / self._strays(past, known)
        parts = [ConformalIntervals.fit(scores[:, k : k + 1]).offsets for k in range(self.hierarchy.uppers)]
        parts.append(ConformalIntervals.fit(scores[:, self.hierarchy.uppers :]).offsets)
        self._offsets = np.concatenate(parts)
        return self

    def covariance(self, step: int) -> np.ndarray:
        """Covariance (N, N) of reconciled forecasts' errors at a horizon: S G W G' S', so that levels agree in it too.

        References
        ----------
        Wickramasuriya, Athanasopoulos & Hyndman (2019), doi:10.1080/01621459.2018.1448825 (equation 6)
        """
        s = self._places((step,))[0]
        w = error_matrix("mint", self.hierarchy.upper, self.errors[:, :, s])
        assert self._w is not None
        both = self.hierarchy.matrix @ mapping(self.hierarchy.upper, self._w[s])
        return np.asarray(both @ w @ both.T)

    def forecast(
        self, panel: Panel, *, origins: pd.DatetimeIndex, steps: Sequence[int] | None = None,
        zone_base: np.ndarray | None = None,
    ) -> Reconciled:  # fmt: skip
        """Forecasts of all nodes that add up.

        Parameters
        ----------
        panel : Panel
            Of the zones.
        origins : DatetimeIndex, length n
        steps : sequence of int or None
            Some of the anchors; None takes all.
        zone_base : ndarray or None, shape (n, Z, S)
            Point forecasts of the zones made elsewhere; None asks the zones' models.

        Raises
        ------
        HorizonError
            For a step that is no anchor.
        """
        wanted = tuple(self.steps if steps is None else steps)
        places = self._places(wanted)
        assert self._w is not None
        known = panel.known(origins)
        above = upper_panel(panel, self.target, self.hierarchy, self._usual)
        top = self.upper_model.forecast(above, origins=origins, steps=wanted)[..., MEDIAN]
        zones = self._zone_point(panel, origins, wanted) if zone_base is None else zone_base
        base = np.concatenate([top, zones], axis=1)
        point = np.stack(
            [reconcile(base[:, :, k], self.hierarchy.upper, self._w[s]) for k, s in enumerate(places)], axis=2
        )
        stray = self._strays(panel, known, wanted)
        spread = point[..., None] + self._offsets[:, places] * stray[..., None]
        quantiles = np.maximum.accumulate(np.maximum(spread, 0.0), axis=3)
        return Reconciled(self.hierarchy.nodes, base, point, quantiles)

    def readings(self, panel: Panel) -> np.ndarray:
        """What was measured in every node, (T, N), target's unit; `nan` above where too many zones are silent."""
        above = upper_panel(panel, self.target, self.hierarchy, self._usual).values[self.target]
        return np.concatenate([above, panel.values[self.target][:, panel.columns(self.hierarchy.zone_ids)]], axis=1)

    def _reconciled_errors(self) -> np.ndarray:
        """Errors that reconciled forecasts would have had on the rows of `errors`; `nan` where any node has none."""
        assert self._w is not None
        parts = [reconciled_errors(self.hierarchy.upper, w, self.errors[:, :, s]) for s, w in enumerate(self._w)]
        return np.stack(parts, axis=2)

    def _strays(self, panel: Panel, known: np.ndarray, steps: Sequence[int] | None = None) -> np.ndarray:
        """What is usual for each node to stray by, (n, N, S), in the target's unit."""
        if self._stray is None:
            raise NotFittedError("the reconciler has not been fitted; call Reconciler.fit")
        aim = known[:, None] + np.asarray(self.steps if steps is None else steps)
        return self._stray.stray(panel.calendar, aim).transpose(0, 2, 1)

    def _places(self, steps: Sequence[int]) -> list[int]:
        strange = [step for step in steps if step not in self.steps]
        if strange:
            raise HorizonError(f"step(s) {strange[:5]} are no anchors; there are {self.steps}")
        return [self.steps.index(step) for step in steps]


def speed_of(distance: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Speed of every node, m/s, from reconciled distance (veh m/s) and time (veh); `nan` where no vehicle is foreseen.

    Both add up, so that a district's speed is its vehicles' distance over their time, never a mean of speeds.
    """
    return np.divide(distance, time, out=np.full(np.shape(distance), np.nan), where=time > 0)


def _one(model: Forecaster, zone_ids: Sequence[str]) -> tuple[Validation, ZonePoint, tuple[int, ...]]:
    if model.validation is None:
        raise NotFittedError(f"{model!r} carries no validation; it was loaded or refitted, fit it to reconcile")

    def point(panel: Panel, origins: pd.DatetimeIndex, steps: Sequence[int]) -> np.ndarray:
        return model.forecast(panel, origins=origins, zone_ids=zone_ids, steps=steps)[..., MEDIAN]

    return model.validation.pick(model.places(zone_ids)), point, model.anchors


def _in_use(training: Training, target: str, zone_ids: Sequence[str]) -> tuple[Validation, ZonePoint, tuple[int, ...]]:
    """What serves each zone: its record beside the others', and its forecasts, asked by model and not by zone."""
    rows = training.choices[training.choices["target"] == target].set_index("zone_id")
    models: list[Forecaster] = []
    served: dict[int, list[int]] = {}
    for z, zone in enumerate(zone_ids):
        kind = str(rows.loc[zone, "model_in_use"])
        if kind == "macromodel":
            model = training.macromodels[target]
        elif kind == "mix":
            model = training.mixes[target]
        else:
            name = training.micromodels[zone, target].name
            model = training.candidates.get((name, target)) or training.baselines[name, target]
        models.append(model)
        served.setdefault(id(model), []).append(z)
    records = [_one(model, [zone])[0] for model, zone in zip(models, zone_ids)]

    def point(panel: Panel, origins: pd.DatetimeIndex, steps: Sequence[int]) -> np.ndarray:
        out = np.empty((len(origins), len(zone_ids), len(steps)))
        for of in served.values():
            out[:, of] = _one(models[of[0]], [zone_ids[z] for z in of])[1](panel, origins, steps)
        return out

    return joined(records), point, models[0].anchors
