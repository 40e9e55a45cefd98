"""The one contract that every forecaster keeps: micromodel, macromodel, ensemble and baseline alike.

A forecaster learns from a `Panel` up to an instant, forecasts quantiles for any origin from what was known then,
explains a forecast, tells its size, and turns itself into bytes and back. Subclasses say how to learn and how to
forecast the *deviation from the usual value*; this class does what all share: the checks, rolling-origin validation
inside the training part, conformal intervals, horizons between the anchors, physical range.
"""

from __future__ import annotations

import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from importlib import import_module
from itertools import pairwise
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd

from data.plugins import Plugin, PluginError
from models.design import Workbench
from models.errors import (
    HorizonError,
    ModelFileError,
    NoDataError,
    NotFittedError,
    ShortHistoryError,
    UnknownFamilyError,
    UnknownZoneError,
)
from models.horizons import anchor_steps, between, followed
from models.intervals import ConformalIntervals
from models.panel import Panel
from models.profile import Profile
from models.scale import from_scale, to_scale
from models.validation import Validation

FORMAT_VERSION = 2
MIN_DAYS = 4.0  # least history to learn from: two days to fit on, two to calibrate on
CALIBRATE_SHARE = 0.4  # part of the training history that validates and calibrates, where the caller names none
FIRST_DAYS = 8  # a first fit should have seen a weekend, where the history allows
N_FOLDS = 2
#: Where kinds are declared; a process that only loads models has imported none of them.
_KIND_MODULES = (
    "models.baselines",
    "models.forecasting",
    "models.ensemble",
    "models.distillation.student",
    "models.newcomers.forecaster",
)


class Forecaster(ABC):
    """Models of one target in one or more zones: a micromodel each, or one macromodel for all.

    Parameters
    ----------
    seed : int
        Everything random in the model follows from it.
    """

    kind: ClassVar[str] = ""  # names the class in stored files
    family: str = ""
    scope: str = "zone"  # "city": one model for all zones
    rank: float = 0.0  # simpler models go first where two are as good
    registry: ClassVar[dict[str, type[Forecaster]]] = {}
    exact_between: ClassVar[bool] = False  # `_deviations` takes any step, so that nothing is interpolated

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.kind:
            Forecaster.registry[cls.kind] = cls

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.name = self.family
        self.anchors: tuple[int, ...] = ()
        self.target = ""
        self.zone_ids: tuple[str, ...] = ()
        self.step_s = 0
        self.train_end = ""
        self.refreshed_from = ""  # end of the last full fit, of one that was refreshed since
        self.profile: Profile | None = None
        self.intervals: ConformalIntervals | None = None
        self.validation: Validation | None = None

    def __repr__(self) -> str:
        where = f"{len(self.zone_ids)} zones" if len(self.zone_ids) != 1 else self.zone_ids[0]
        return f"{type(self).__name__}({self.target or 'not fitted'}{', ' + where if self.target else ''})"

    def brought_by(self) -> Plugin | None:
        """The plug-in that its family comes from; None where Zonewise has it."""
        return None

    def settings(self) -> dict[str, Any]:
        """What was chosen by hand or by tuning, as JSON values."""
        return {"seed": self.seed}

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
        """Learn from what was known at `train_end`; nothing at or after it is read.

        The part from `calibrate_from` on is first forecast by models fitted before it, in two rolling folds: their
        errors validate the family and give the intervals. The model that stays is then fitted on the whole.

        Parameters
        ----------
        panel : Panel
        target : str
            Key of `panel.values`.
        zone_ids : sequence of str
            Zones to learn; neighbours' past readings may be read too.
        train_end : Timestamp
            UTC.
        calibrate_from : Timestamp or None
            Start of the validation part; None takes the last two fifths of the history.
        steps : sequence of int or None
            Horizons to learn, in steps (the anchors); None takes `anchor_steps`.
        bench : Workbench or None
            Features already made for the same panel, target, zones and steps, to be shared between families.

        Raises
        ------
        ShortHistoryError, NoDataError, UnknownZoneError
        """
        bench, end, edges = self.begin(panel, target, zone_ids, train_end, calibrate_from, steps, bench)
        folds = [self._validate(bench, k, int(a), int(b)) for k, (a, b) in enumerate(pairwise(edges))]
        return self.conclude(bench, end, folds)

    def forecast(
        self,
        panel: Panel,
        *,
        origins: pd.DatetimeIndex,
        zone_ids: Sequence[str] | None = None,
        steps: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Quantile forecasts from what was known at each origin.

        Parameters
        ----------
        panel : Panel
            Same step and zones as the one fitted on; what comes after an origin may be there, and is not looked at.
        origins : DatetimeIndex, length n
            UTC.
        zone_ids : sequence of str or None
            Zones wanted; None takes all that the model knows.
        steps : sequence of int or None
            Horizons in steps; None takes the anchors.

        Returns
        -------
        ndarray, shape (n, Z, S, Q)
            In the target's unit, not negative, non-decreasing along Q, whose levels are `QUANTILES`. A zone that has
            not reported for hours is forecast to be as usual.
        """
        if self.intervals is None or self.profile is None:
            raise NotFittedError(f"{self.family} has not been fitted; call fit first")
        wanted = tuple(self.anchors if steps is None else steps)
        places = self.places(zone_ids)
        known = self._known(panel, origins)
        point = self._point(panel, known, places, wanted)
        return self.around(panel, point, known, places, wanted)

    def around(
        self, panel: Panel, point: np.ndarray, known: np.ndarray, places: np.ndarray, steps: Sequence[int]
    ) -> np.ndarray:
        """Quantiles (n, Z, S, Q), in the target's unit, around point forecasts (n, Z, S) on the model's scale."""
        assert self.intervals is not None and self.profile is not None
        offsets = self.intervals.offsets[places]
        if tuple(steps) != self.anchors:
            below, above, share = between(self.anchors, steps)
            offsets = offsets[:, below] + share[:, None] * (offsets[:, above] - offsets[:, below])
        aim = known[:, None] + np.asarray(steps)
        stray = self.profile.pick(places).stray(panel.calendar, aim).transpose(0, 2, 1)
        out = from_scale(self.target, point[..., None] + offsets * stray[..., None])
        return np.maximum.accumulate(out, axis=3)

    def refit(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """The same model, learned again from all that is known at `train_end`; its intervals stay. For live use."""
        again = copy(self)
        again.train_end, again.refreshed_from = pd.Timestamp(train_end).isoformat(), ""
        end = panel.known_by(train_end)
        again._check_history(panel, end, None)
        again._learn(Workbench(panel, target=self.target, zone_ids=self.zone_ids, steps=self.anchors), end)
        again.validation = None
        return again

    @property
    def full_end(self) -> str:
        """End of the readings at its last full fit; `refresh` leaves it where it is, and moves `train_end`."""
        return self.refreshed_from or self.train_end

    @property
    def can_refresh(self) -> bool:
        """Whether `refresh` can add new readings to what was learned; see `models.refreshing`."""
        return False

    def refresh(self, panel: Panel, *, train_end: pd.Timestamp) -> Self:
        """The same model, what came since it last learned added to it; what it looks at, and intervals, stay.

        Raises
        ------
        NotFittedError
            If it keeps nothing that readings could be added to (`can_refresh`).
        ShortHistoryError
            If the panel does not reach back to what a forecast of the first new reading looks at.
        """
        raise NotFittedError(f"{self.name or self.family} keeps no moments to add readings to; refit it")

    def bare(self) -> Self:
        """The same without its validation record, which need not travel between processes."""
        bare = copy(self)
        bare.validation = None
        return bare

    def one(self, zone_id: str) -> Self:
        """What serves one zone, as a forecaster of its own; a citywide model stays whole inside."""
        places = self.places([zone_id])
        part = copy(self)
        part.zone_ids = (zone_id,)
        if self.profile is not None:
            part.profile = self.profile.pick(places)
        if self.intervals is not None:
            part.intervals = ConformalIntervals(self.intervals.offsets[places])
        if self.validation is not None:
            part.validation = self.validation.pick(places)
        part._pick(places)
        return part

    def explain(self, panel: Panel, *, origin: pd.Timestamp, zone_id: str, step: int) -> pd.DataFrame:
        """What adds up to one median forecast, in the target's unit.

        Returns
        -------
        DataFrame
            `feature`, `label` (plain words), `value` (what the feature was), `contribution`. The first row
            is the usual value (`feature` = "usual"), the others are sorted by size; they sum to the median forecast
            except where that is held at zero. Contributions say what the model used, not what caused what.
        """
        from models.explain import contributions_table

        places = self.places([zone_id])
        known = self._known(panel, pd.DatetimeIndex([origin]))
        return contributions_table(self, panel, known, places, int(step))

    def places(self, zone_ids: Sequence[str] | None) -> np.ndarray:
        """Places of zones in `zone_ids`; `UnknownZoneError` for one that the model was not fitted on."""
        if zone_ids is None:
            return np.arange(len(self.zone_ids))
        unknown = [zone for zone in zone_ids if zone not in self.zone_ids]
        if unknown:
            raise UnknownZoneError(f"{self!r} was not fitted on zone(s) {unknown[:5]}; it knows {self.zone_ids[:8]}")
        return np.array([self.zone_ids.index(zone) for zone in zone_ids], dtype=np.int64)

    def complexity(self) -> dict[str, float]:
        """Size of the model: `parameters` that were learned, and `bytes` as stored."""
        return {"parameters": float(self._n_parameters()), "bytes": float(sum(map(len, self.save().values())))}

    def save(self) -> dict[str, bytes]:
        """The model as files by name: `model.json`, `arrays.npz` and what the family adds. No pickle."""
        if self.intervals is None or self.profile is None:
            raise NotFittedError(f"{self.family} has not been fitted; there is nothing to save")
        meta, arrays, blobs = self._state()
        arrays = {**arrays, **self.profile.state("base_"), "offsets": self.intervals.offsets}
        bundle = io.BytesIO()
        np.savez_compressed(bundle, **cast(dict[str, Any], arrays))
        files = {"arrays.npz": bundle.getvalue(), **blobs}
        head = {
            "format_version": FORMAT_VERSION, "kind": self.kind, "family": self.family, "seed": self.seed,
            "target": self.target, "zone_ids": self.zone_ids, "step_s": self.step_s, "anchors": self.anchors,
            "train_end": self.train_end, "state": meta,
            "sha256": {name: hashlib.sha256(value).hexdigest() for name, value in files.items()},
        }  # fmt: skip
        if self.refreshed_from:
            head["refreshed_from"] = self.refreshed_from
        if (plugin := self.brought_by()) is not None:
            head["plugin"] = plugin.told()
        return {"model.json": json.dumps(head, sort_keys=True).encode(), **files}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Forecaster:
        """Inverse of `save`, for a model of any family.

        Raises
        ------
        ModelFileError
            If a file is missing, damaged or of another format version, or the family is neither one of Zonewise nor one
            that an installed package brings.
        """
        try:
            head = json.loads(files["model.json"])
            version, kind = head["format_version"], str(head.get("kind", ""))
            digests = dict(head.get("sha256") or {})
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFileError(f"model.json is missing or damaged ({error}); train the model again") from error
        if kind not in Forecaster.registry:
            for module in _KIND_MODULES:
                import_module(module)
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ModelFileError(
                f"model.json has format version {version}, this release reads {FORMAT_VERSION}: a newer Zonewise wrote"
                " it. Use that release, or train the model again"
            )
        if version != FORMAT_VERSION or kind not in Forecaster.registry:
            raise ModelFileError(
                f"model.json has format version {version} and kind {kind!r}; this release reads version"
                f" {FORMAT_VERSION} and kinds {sorted(Forecaster.registry)}; train the model again"
            )
        for name, digest in digests.items():  # a damaged booster would end the process, not raise
            if name not in files or hashlib.sha256(files[name]).hexdigest() != digest:
                raise ModelFileError(
                    f"{name} of a model of family {head.get('family')} is missing or damaged; train the model again"
                )
        try:
            with np.load(io.BytesIO(files["arrays.npz"]), allow_pickle=False) as bundle:
                arrays = {key: bundle[key] for key in bundle.files}
            model = Forecaster.registry[kind](seed=int(head["seed"]))
            model.anchors = tuple(int(step) for step in head["anchors"])
            model.target, model.zone_ids = str(head["target"]), tuple(head["zone_ids"])
            model.step_s, model.train_end = int(head["step_s"]), str(head["train_end"])
            model.refreshed_from = str(head.get("refreshed_from", ""))
            model.profile = Profile.restore(arrays, "base_")
            model.intervals = ConformalIntervals(arrays["offsets"])
            model._restore(head["state"], arrays, dict(files))
        except (UnknownFamilyError, PluginError) as error:
            raise ModelFileError(_absent(head, error)) from error
        except ModelFileError:  # of a model inside this one
            raise
        except Exception as error:
            raise ModelFileError(
                f"the files of a model of family {head.get('family')} are damaged"
                f" ({type(error).__name__}: {error}); train it again"
            ) from error
        return model

    # ------------------------------------------------------------------ what a family adds

    @abstractmethod
    def _learn(self, bench: Workbench, end: int) -> None:
        """Fit on the first `end` intervals and set `profile` (one series a zone of `zone_ids`)."""

    @abstractmethod
    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        """Forecast less usual value, (n, places, steps), on the model's scale; `steps` are anchors."""

    def _pick(self, places: np.ndarray) -> None:  # noqa: B027
        """Keep what serves some of the zones; nothing to do where a family holds nothing by zone."""

    @abstractmethod
    def _n_parameters(self) -> int:
        """Numbers that were learned from data."""

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        """JSON values, arrays and files that `_restore` needs."""
        return {}, {}, {}

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:  # noqa: B027
        """Inverse of `_state`; nothing to do where that is empty."""

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        """(feature, value, contribution) of the deviation for one zone, origin and anchor, on the model's scale."""
        deviation = float(self._deviations(panel, known, np.array([place]), (anchor,))[0, 0, 0])
        return [(self.family, deviation, deviation)]

    # ------------------------------------------------------------------ shared steps

    def begin(
        self,
        panel: Panel,
        target: str,
        zone_ids: Sequence[str],
        train_end: pd.Timestamp,
        calibrate_from: pd.Timestamp | None,
        steps: Sequence[int] | None,
        bench: Workbench | None,
    ) -> tuple[Workbench, int, np.ndarray]:
        """What is learned from: features, the end of the training part, and the edges of the folds that validate."""
        self.target, self.zone_ids, self.step_s = target, tuple(zone_ids), panel.step_s
        self.train_end = pd.Timestamp(train_end).isoformat()
        self.anchors = anchor_steps(panel.step_s) if steps is None else tuple(sorted(int(s) for s in steps))
        bench = bench or Workbench(panel, target=target, zone_ids=self.zone_ids, steps=self.anchors)
        if bench.steps != self.anchors or bench.zone_ids != self.zone_ids:
            raise HorizonError(f"the workbench was made for steps {bench.steps} and {len(bench.zone_ids)} zone(s)")
        end = panel.known_by(train_end)
        start = None if calibrate_from is None else int(panel.known(pd.Timestamp(calibrate_from))[0]) + 1
        self._check_history(panel, end, start)
        start = validation_start(panel, end) if start is None else start
        return bench, end, np.linspace(start, end, N_FOLDS + 1).astype(int)

    def conclude(self, bench: Workbench, end: int, folds: Sequence[Validation]) -> Self:
        """Keep what validated, with its intervals, and learn from the whole."""
        self.validation = Validation.join(folds)
        self.intervals = ConformalIntervals.fit(self.validation.scores)
        self._learn(bench, end)
        return self

    def _point(self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int]) -> np.ndarray:
        """Point forecasts on the model's scale, shape (n, places, steps)."""
        assert self.profile is not None
        aim = known[:, None] + np.asarray(steps)[None, :]
        if self.exact_between or tuple(steps) == self.anchors:
            deviation = self._deviations(panel, known, places, steps)
        else:
            below, above, share = between(self.anchors, steps)
            used = np.union1d(below, above)
            at = self._deviations(panel, known, places, [self.anchors[k] for k in used])
            low, high = at[:, :, np.searchsorted(used, below)], at[:, :, np.searchsorted(used, above)]
            deviation = low + share * (high - low)
        usual = self.profile.pick(places).usual(panel.calendar, aim).transpose(0, 2, 1)
        return np.asarray(usual + deviation)

    def _validate(self, bench: Workbench, fold: int, fit_end: int, end: int) -> Validation:
        """Forecast the intervals from `fit_end` to `end` by a model that knew the first `fit_end` only."""
        self._learn(bench, fit_end)
        assert self.profile is not None
        panel = bench.panel
        known = bench.validation_origins(fit_end, end)
        deviation = self._deviations(panel, known, np.arange(len(self.zone_ids)), self.anchors, bench)
        aim = known[:, None] + np.asarray(self.anchors)
        grid = to_scale(self.target, panel.values[self.target][:end, panel.columns(self.zone_ids)])
        reading = followed(grid, aim).astype(np.float32)
        usual, stray = self.profile.usual(panel.calendar, aim), self.profile.stray(panel.calendar, aim)
        usual, stray = (a.transpose(0, 2, 1).astype(np.float32) for a in (usual, stray))
        return Validation(
            self.target, known, np.full(known.size, fold), panel.calendar.day[known + 1], usual,
            deviation.astype(np.float32), reading, stray,
        )  # fmt: skip

    def _check_history(self, panel: Panel, end: int, start: int | None) -> None:
        if self.target not in panel.values:
            raise NoDataError(f"the panel has no '{self.target}'; it has {sorted(panel.values)}")
        columns = panel.columns(self.zone_ids)
        least = int(MIN_DAYS * panel.steps_per_day)
        if end < least:
            raise ShortHistoryError(
                f"{end / panel.steps_per_day:.1f} days of '{self.target}' before {self.train_end};"
                f" at least {MIN_DAYS:g} days are needed"
            )
        if start is not None and not panel.steps_per_day <= start <= end - panel.steps_per_day // 2:
            raise ShortHistoryError(
                f"calibrate_from leaves {start / panel.steps_per_day:.1f} days to fit on and"
                f" {(end - start) / panel.steps_per_day:.1f} to calibrate on; at least 1 and 0.5 are needed"
            )
        heard = np.isfinite(panel.values[self.target][:end, columns]).sum(axis=0)
        silent = [zone for zone, n in zip(self.zone_ids, heard) if n < panel.steps_per_day]
        if silent:
            raise NoDataError(
                f"zone(s) {silent[:5]} have less than a day of readings of '{self.target}' before {self.train_end};"
                f" leave them out, or let the macromodel's neighbours speak for them"
            )

    def _known(self, panel: Panel, origins: pd.DatetimeIndex) -> np.ndarray:
        if panel.step_s != self.step_s:
            raise HorizonError(f"{self!r} was fitted on steps of {self.step_s} s; the panel's are {panel.step_s} s")
        known = panel.known(origins)
        if known.size and (known.min() < 0 or known.max() >= len(panel)):
            first, last = panel.origin(0), panel.origin(len(panel) - 1)
            raise ShortHistoryError(
                f"forecast origins must lie within {first} and {last}, where the panel has rows;"
                f" found {origins.min()} to {origins.max()}"
            )
        return known


def _absent(head: Mapping[str, Any], error: Exception) -> str:
    """Why a model whose family comes from elsewhere cannot be loaded here."""
    plugin = head.get("plugin")
    if plugin is None:
        return f"the family of a model is not known here ({error}); define or install it, or train the model again"
    return (
        f"a model of family {head.get('family')!r} needs package {plugin['package']} {plugin['version']}, with which it"
        f" was trained; install it, or train the model again ({error})"
    )


def validation_start(panel: Panel, end: int, named: pd.Timestamp | None = None) -> int:
    """Position where the validation part of a training part of `end` intervals begins: `named`, where it is given."""
    if named is not None:
        return panel.known_by(named)
    return max(end - int(CALIBRATE_SHARE * end), min(FIRST_DAYS * panel.steps_per_day, int(0.7 * end)))
