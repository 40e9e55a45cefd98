"""Feature choice: fewer or combined features, chosen on the past alone, in front of any learner.

Read `ForwardChoice` (which features a zone keeps), `NeighbourComponents` (principal components of the neighbours'
readings), then `PreparedLearner`, which puts such steps before a learner and is a learner itself.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.families.gram import block_bounds, blocks_of, zone_chunks
from models.learner import Learner, State, learner_class
from models.rows import Layout, Rows

_NEIGHBOUR = re.compile(r"(neighbours|near\d+|hop\d+)_")
FOLDS = 5  # blocks of time left out in turn; assumption
RIDGE = 0.01  # penalty of a candidate's coefficient, in shares of its variance; assumption


class Step(ABC):
    """One preparation step: learns from the past, then turns rows into rows."""

    name: ClassVar[str] = ""

    def __init__(self, size: int) -> None:
        self.size = int(size)
        self.arrays: dict[str, np.ndarray] = {}

    @abstractmethod
    def fit(self, rows: Rows, y: np.ndarray) -> Self:
        """Learn from rows (n, Z, ...) and outcomes (n, Z, S), zone by zone."""

    @abstractmethod
    def layout(self, layout: Layout) -> Layout:
        """Names after the step."""

    @abstractmethod
    def reduce(self, rows: Rows, places: np.ndarray | None = None) -> Rows:
        """The rows of the zones at `places`, prepared."""

    @abstractmethod
    def back(self, told: np.ndarray, rows: Rows, place: int) -> np.ndarray:
        """Contributions of prepared features as those of the features before the step; both with the constant last."""


class ForwardChoice(Step):
    """Keeps, zone by zone, at most `size` features that help to forecast blocks of time left out.

    Features enter one at a time: that which, fitted to what is left over by those before it, lowers the squared error
    on left-out blocks most, over all horizons; none more when none helps. The others count as 0, "as usual", so that
    every learner passes them over.

    References
    ----------
    Friedman et al. (2001), The Elements of Statistical Learning, section 3.3.2 (forward stepwise selection)
    """

    name = "keep"

    def fit(self, rows: Rows, y: np.ndarray) -> Self:
        n, zones, _ = rows.shape
        kept = np.zeros((zones, rows.width), dtype=np.float32)
        bounds, gap = block_bounds(n, FOLDS), max(rows.layout.steps)
        for some in zone_chunks(rows, FOLDS):
            part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
            blocks = blocks_of(part, y[:, some], bounds, gap)
            count, _, _, width, _ = blocks.whole.shape
            train = (blocks.whole.sum(axis=2, keepdims=True) - blocks.whole).reshape(count, -1, width, width)
            kept[some] = _forward(train, blocks.judged.reshape(train.shape), self.size)
        self.arrays = {"kept": kept}
        return self

    def layout(self, layout: Layout) -> Layout:
        return layout

    def reduce(self, rows: Rows, places: np.ndarray | None = None) -> Rows:
        kept, f1 = self.arrays["kept"], rows.common.shape[2]
        kept = kept if places is None else kept[places]
        return Rows(rows.common * kept[:, :f1], rows.ahead * kept[:, None, f1:], rows.layout)

    def back(self, told: np.ndarray, rows: Rows, place: int) -> np.ndarray:
        return told

    def chosen(self, place: int, layout: Layout) -> tuple[str, ...]:
        """Names of the features that a zone keeps."""
        return tuple(name for name, kept in zip(layout.names, self.arrays["kept"][place], strict=True) if kept)


class NeighbourComponents(Step):
    """Replaces the neighbours' readings by their first `size` principal components, zone by zone.

    References
    ----------
    Jolliffe & Cadima (2016), doi:10.1098/rsta.2015.0202
    """

    name = "reduce"

    def fit(self, rows: Rows, y: np.ndarray) -> Self:
        at = self._at(rows.layout)
        zones = rows.shape[1]
        size = min(self.size, len(at))
        middle = rows.common[:, :, at].mean(axis=0)
        axes = np.zeros((zones, len(at), size), dtype=np.float32)
        for zone in range(zones if size else 0):
            x = (rows.common[:, zone, at] - middle[zone]).astype(np.float64)
            turned = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :size]
            largest = turned[np.abs(turned).argmax(axis=0), np.arange(size)]
            swing = np.maximum((x @ turned).std(axis=0), 1e-6)
            axes[zone] = turned * np.where(largest < 0, -1.0, 1.0) / swing
        self.arrays = {"middle": middle, "axes": axes}
        return self

    def layout(self, layout: Layout) -> Layout:
        at = set(self._at(layout).tolist())
        if len(at) <= self.size:
            return layout
        names = [name for k, name in enumerate(layout.common) if k not in at]
        return replace(layout, common=(*names, *(f"neighbours_component_{k + 1}" for k in range(self.size))))

    def reduce(self, rows: Rows, places: np.ndarray | None = None) -> Rows:
        at = self._at(rows.layout)
        if len(at) <= self.size:
            return rows
        middle, axes = (v if places is None else v[places] for v in (self.arrays["middle"], self.arrays["axes"]))
        scores = ((rows.common[:, :, at] - middle).transpose(1, 0, 2) @ axes).transpose(1, 0, 2)
        common = np.concatenate([np.delete(rows.common, at, axis=2), scores], axis=2)
        return Rows(common, rows.ahead, self.layout(rows.layout))

    def back(self, told: np.ndarray, rows: Rows, place: int) -> np.ndarray:
        """A component's share goes to its readings in proportion to what each adds to it; its mean to the constant."""
        at = self._at(rows.layout)
        if len(at) <= self.size:
            return told
        f1, kept = rows.common.shape[2], rows.common.shape[2] - len(at)
        out = np.zeros(rows.width + 1)
        out[np.setdiff1d(np.arange(f1), at)] = told[:kept]
        out[f1:] = told[kept + self.size :]
        middle, axes = self.arrays["middle"][place], self.arrays["axes"][place]
        for k in range(self.size):
            parts = rows.common[0, 0, at] * axes[:, k]
            score = float(parts.sum() - middle @ axes[:, k])
            rate = told[kept + k] / score if abs(score) > 1e-6 else 0.0
            out[at] += rate * parts
            out[-1] += told[kept + k] - rate * float(parts.sum())
        return out

    def _at(self, layout: Layout) -> np.ndarray:
        return np.array([k for k, name in enumerate(layout.common) if _NEIGHBOUR.match(name)], dtype=np.int64)


STEPS: Mapping[str, type[Step]] = MappingProxyType({step.name: step for step in (ForwardChoice, NeighbourComponents)})


class PreparedLearner(Learner):
    """Any learner behind preparation steps: `PreparedLearner(learner="ridge", steps=[["reduce", 4], ["keep", 20]])`.

    Settings
    --------
    learner : str, settings : mapping
        Family behind the steps, and its settings.
    steps : list of [name, size]
        In order: "keep" (`ForwardChoice`) or "reduce" (`NeighbourComponents`).

    Raises
    ------
    SettingsError
        Naming every step that does not exist or whose size is below 1.
    """

    family = "prepared"
    wrapper = True
    rank = 2.0
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"learner": "ridge", "settings": {}, "steps": [["keep", 20]]}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"steps": ([["keep", 10]], [["keep", 20]], [["keep", 40]], [["reduce", 4]])}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        faults = [f"step {list(step)!r}" for step in self.settings["steps"] if step[0] not in STEPS or int(step[1]) < 1]
        if faults:
            raise SettingsError(f"prepared: {'; '.join(faults)}: there are {sorted(STEPS)}, each with a size from 1")
        self.steps = [STEPS[name](size) for name, size in self.settings["steps"]]
        self.inner = learner_class(self.settings["learner"])(seed=seed, **self.settings["settings"])
        self.scope = self.inner.scope  # type: ignore[misc]

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Fit the steps, one on what the last made of the rows, then the learner."""
        self.layout = rows.layout
        for step in self.steps:
            rows = step.fit(rows, y).reduce(rows)
        self.inner.fit(rows, y, zone_features=zone_features)
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts; see `Learner.predict`."""
        if self.layout is None:
            raise NotFittedError("prepared has not been fitted: call fit first")
        for step in self.steps:
            rows = step.reduce(rows, places)
        return self.inner.predict(rows, places)

    def pick(self, places: np.ndarray) -> Self:
        """The part that serves some of the zones."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part.inner = self.layout, self.inner.pick(places)
        for mine, theirs in zip(self.steps, part.steps, strict=True):
            theirs.arrays = {key: value[places] for key, value in mine.arrays.items()}
        return part

    def n_parameters(self) -> int:
        """Those of the learner; the loadings of components count, choices do not."""
        loadings = sum(step.arrays["axes"].size for step in self.steps if "axes" in step.arrays)
        return self.inner.n_parameters() + loadings

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """The learner's, told in the features before the steps."""
        before = []
        for step in self.steps:
            before.append(rows)
            rows = step.reduce(rows, np.array([place]))
        told = self.inner.contributions(rows, horizon, place)
        for step, was in zip(reversed(self.steps), reversed(before), strict=True):
            told = step.back(told, was, place)
        return told

    def state(self) -> State:
        """See `Learner.state`."""
        meta, arrays, blobs = self.inner.state()
        named = {f"inner_{key}": value for key, value in arrays.items()}
        for k, step in enumerate(self.steps):
            named |= {f"step{k}_{key}": value for key, value in step.arrays.items()}
        return {"inner": meta}, named, blobs

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        layout = self.layout
        for k, step in enumerate(self.steps):
            step.arrays = {key[6:]: v for key, v in arrays.items() if key.startswith(f"step{k}_")}
            layout = step.layout(layout) if layout is not None else None
        self.inner.layout = layout
        self.inner.restore(meta["inner"], {k[6:]: v for k, v in arrays.items() if k.startswith("inner_")}, blobs)


def _forward(train: np.ndarray, judged: np.ndarray, size: int) -> np.ndarray:
    """Features that enter, (Z, F) of 0 and 1, from Gram matrices without and of left-out blocks, (Z, M, P, P).

    The constant enters first. When a feature enters, all others and the outcome are replaced by what it leaves over of
    them, on the rows learned from and, by the same coefficients, on those judged: a change of basis of both matrices.
    """
    train, judged = train.astype(np.float64), judged.astype(np.float64)
    zones, _, width, _ = train.shape
    kept = np.zeros((zones, width - 2), dtype=np.float32)
    at = np.arange(width)
    _enter(train, judged, np.zeros(zones, dtype=np.int64))
    power = np.maximum(np.diagonal(train, axis1=2, axis2=3), 0.0).copy()
    noise = np.maximum(judged[:, :, -1, -1].sum(axis=1), 1e-12)
    going = np.ones(zones, dtype=bool)
    for _ in range(min(size, width - 2)):
        left = np.diagonal(train, axis1=2, axis2=3)
        usable = left > 1e-3 * power + 1e-9  # what others tell already has next to nothing left
        beta = np.where(usable, train[..., -1], 0.0) / np.where(usable, left + RIDGE * power, 1.0)
        gain = (2.0 * beta * judged[..., -1] - beta**2 * judged[:, :, at, at]).sum(axis=1) / noise[:, None]
        gain[:, 0] = gain[:, -1] = 0.0
        gain[:, 1:-1][kept > 0] = 0.0
        best = gain.argmax(axis=1)
        going &= gain[np.arange(zones), best] > 1e-5
        if not going.any():
            break
        kept[np.flatnonzero(going), best[going] - 1] = 1.0
        some = np.flatnonzero(going)
        train_some, judged_some = train[some], judged[some]
        _enter(train_some, judged_some, best[some])
        train[some], judged[some] = train_some, judged_some
    return kept


def _enter(train: np.ndarray, judged: np.ndarray, feature: np.ndarray) -> None:
    """Take one feature of each zone out of all the others, in place."""
    zones = np.arange(len(train))
    row = train[zones, :, feature]  # (Z, M, P)
    pivot = row[zones, :, feature]
    fine = pivot > 1e-12
    rate = np.where(fine[..., None], row / np.where(fine, pivot, 1.0)[..., None], 0.0)
    rate[zones, :, feature] = 0.0
    for gram in (train, judged):
        own = gram[zones, :, feature].copy()
        square = own[zones, :, feature]
        gram -= rate[..., :, None] * own[..., None, :] + own[..., :, None] * rate[..., None, :]
        gram += rate[..., :, None] * rate[..., None, :] * square[..., None, None]
