"""Ridge: one line a zone and horizon, from Gram matrices that can be kept for a daily refresh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.families.gram import block_bounds, blocks_of, zone_chunks
from models.families.gram_kernels import add_rows, left_out_errors, ridge_lines, searched_penalties
from models.families.lines import LineLearner
from models.learner import State
from models.rows import Layout, Rows


class Ridge(LineLearner):
    """A line a zone and horizon whose coefficients are held small; features are standardised inside.

    The penalty of each line is the one with which left-out blocks of the history were forecast best.

    Settings
    --------
    penalties : list of float
        Tried, in rows' worth a row: the penalty over the number of rows, on standardised features. Of more than 4,
        every third is judged, then those beside the best of these: the error falls and rises again with the penalty.
    folds : int
        Contiguous blocks of the history, each left out once.
    spared : mapping of str to float
        Features that are penalised this much in comparison with the others (1). The last reading is hardly held back:
        traffic and air persist, so that what is shrunk is the departure from damped persistence (assumption).
    share : float, 0 to 1
        How far a horizon listens to the other horizons of its zone when it chooses its penalty.
    refreshable : bool
        Keep the Gram matrices, so that `update` can add rows; 2 bytes times the square of the features a line.

    References
    ----------
    Hoerl & Kennard (1970), doi:10.1080/00401706.1970.10488634 (ridge);
    Racine (2000), doi:10.1016/S0304-4076(00)00030-0 (leaving out blocks of dependent data)
    """

    family = "ridge"
    rank = 1.0
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "penalties": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
            "folds": 5,
            "spared": {"own_lag_0": 0.01},
            "share": 0.0,
            "refreshable": False,
        }
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"share": (0.0, 0.5, 1.0), "spared": ({"own_lag_0": 0.01}, {})}
    )

    penalty: np.ndarray
    gram: np.ndarray | None = None

    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        _, zones, horizons = rows.shape
        width = rows.width + 2
        coefficient = np.zeros((zones, horizons, width - 1), np.float32)
        self.penalty = np.empty((zones, horizons))
        self.gram = np.empty((zones, horizons, width, width), np.float32) if self.settings["refreshable"] else None
        for some, gram, penalty, lines, seen in ridge_parts(rows, y, self.settings):
            coefficient[some], self.penalty[some] = lines, penalty
            self.low[some], self.high[some] = seen
            if self.gram is not None:
                self.gram[some] = gram
        self.coefficient = coefficient

    @property
    def can_update(self) -> bool:
        return self.gram is not None

    def update(self, rows: Rows, y: np.ndarray) -> Self:
        """Learn from new rows as well; the penalties stay.

        Parameters
        ----------
        rows : Rows
            New origins of all zones and horizons fitted on.
        y : ndarray, shape (n, Z, S)
            What followed; `nan` where unknown.

        Raises
        ------
        NotFittedError
            If it was not fitted, or without the setting `refreshable`.
        """
        if self.gram is None:
            raise NotFittedError("ridge keeps no Gram matrices to update: fit it with refreshable=True")
        width = self.gram.shape[-1]
        add_rows(rows.common, rows.ahead, y, 1.0, self.gram)
        self._see(rows, slice(None))
        self.coefficient = ridge_lines(
            self.gram.reshape(-1, width, width), self.penalty.reshape(-1), easing(rows.layout, self.settings["spared"])
        ).reshape(*self.gram.shape[:2], width - 1)
        return self

    def state(self) -> State:
        meta, arrays, blobs = super().state()
        arrays["penalty"] = self.penalty
        if self.gram is not None:
            low = np.tril_indices(self.gram.shape[-1])  # all that the kernels read
            arrays["gram"] = self.gram[..., low[0], low[1]]
        return meta, arrays, blobs

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        super().restore(meta, {key: value for key, value in arrays.items() if key != "gram"}, blobs)
        if "gram" in arrays:
            packed = arrays["gram"]
            width = self.lines().shape[-1] + 1
            low = np.tril_indices(width)
            self.gram = np.zeros((*packed.shape[:2], width, width), np.float32)
            self.gram[..., low[0], low[1]] = packed
            self.gram[..., low[1], low[0]] = packed


def ridge_parts(
    rows: Rows, y: np.ndarray, settings: Mapping[str, Any]
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """Ridge lines of some zones at a time.

    Parameters
    ----------
    rows : Rows
    y : ndarray, shape (n, Z, S)
    settings : mapping
        `penalties`, `folds`, `spared`, `share` as in `Ridge`.

    Yields
    ------
    slice
        Places of the zones.
    ndarray of float32, shape (z, S, P, P)
        Their Gram matrices over all rows.
    ndarray, shape (z, S)
        Penalties chosen.
    ndarray of float32, shape (z, S, P - 1)
        Lines, constant first.
    tuple of two ndarray of float32, shape (z, F1 + S * F2)
        Least and greatest value of each feature of `Rows.flat`.

    Raises
    ------
    SettingsError
        Fewer than 2 folds, or penalties that are none or not above 0.
    """
    n, _, horizons = rows.shape
    width = rows.width + 2
    folds = int(settings["folds"])
    tried = np.asarray(settings["penalties"], np.float32)
    if folds < 2 or tried.size == 0 or not (tried > 0).all():
        raise SettingsError(
            f"a ridge needs 2 folds or more and penalties above 0, not folds={folds}, penalties={tried.tolist()}"
        )
    tried = np.sort(tried)
    bounds, gap = block_bounds(n, folds), max(rows.layout.steps)
    if tried.size == 1:  # nothing to judge
        bounds, gap = block_bounds(n, 1), 0
    ease, share = easing(rows.layout, settings["spared"]), float(settings["share"])
    for some in zone_chunks(rows, bounds.size - 1):
        part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
        blocks = blocks_of(part, y[:, some], bounds, gap)
        gram = blocks.whole.sum(axis=2) if bounds.size > 2 else blocks.whole[:, :, 0]
        shape = (gram.shape[0] * horizons, -1, width, width)
        if tried.size == 1:
            place = np.zeros(gram.shape[:2], np.int64)
        else:
            known = (blocks.whole.reshape(shape), blocks.judged.reshape(shape), tried)
            if share == 0.0:
                place = searched_penalties(*known, ease.astype(np.float32)).reshape(-1, horizons)
            else:
                error = left_out_errors(*known, ease[None].astype(np.float32)).reshape(-1, horizons, tried.size)
                place = choose(error, share)
        penalty = tried[place].astype(float)
        lines = ridge_lines(gram.reshape(-1, width, width), penalty.reshape(-1), ease)
        assert blocks.low is not None and blocks.high is not None
        yield some, gram, penalty, lines.reshape(-1, horizons, width - 1), (blocks.low, blocks.high)


def easing(layout: Layout, spared: Mapping[str, float]) -> np.ndarray:
    """How hard the constant, each feature and the outcome are penalised in comparison, shape (P,)."""
    return np.array([1.0, *(spared.get(name, 1.0) for name in layout.names), 1.0])


def choose(error: np.ndarray, share: float) -> np.ndarray:
    """Which penalty each horizon takes, shape (Z, S).

    Parameters
    ----------
    error : ndarray, shape (Z, S, R)
        Sum of squared errors out of fold.
    share : float
        Weight of the mean over the zone's horizons, each in proportion to its own least error.
    """
    relative = error / np.maximum(error.min(axis=2, keepdims=True), 1e-12)
    return np.argmin((1 - share) * relative + share * relative.mean(axis=1, keepdims=True), axis=2)
