"""Network line: a ridge line per zone and horizon that goes with a network, on the inputs that the network sees.

A zone's own network corrects it (`mlp`); a city's network feeds it (`shared_body`). It is fitted twice, on the early
rows alone and on all: what the early line leaves over on the rows held out is what a new row would leave, and by it the
penalty is chosen and learning stopped. The line before trees (`first_line`) needs no such pair and is `ridge` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from models.families.network import centre_and_scale, standardise
from models.rows import Rows

#: Penalties tried, as a share of the known rows, from a nearly free line to none at all (assumed range).
PENALTIES = (0.003, 0.03, 0.1, 0.3, 1.0, 10.0, 1e6)


def held_out_rows(rows: Rows, share: float) -> tuple[int, int]:
    """How many rows are learned from first, and where those held out begin: the last `share` of them.

    Between the two lies a gap as long as the farthest horizon, so that what is held out was not known before, but of no
    more than a twentieth of the rows.
    """
    n = rows.shape[0]
    first_held = n - max(1, round(share * n))
    return max(1, first_held - min(max(rows.layout.steps), n // 20)), first_held


@dataclass(frozen=True, eq=False)
class NetworkLine:
    """Ridge lines of Z zones and S horizons.

    Attributes
    ----------
    centre, scale : ndarray, shape (Z, F1)
        Of the common features.
    ahead_centre, ahead_scale : ndarray, shape (Z, F2)
        Of the features ahead, over all horizons.
    weights : ndarray, shape (Z, S, 1 + F1 + F2)
        Of the line fitted on all rows; the constant first.
    early_weights : ndarray, shape (Z, S, 1 + F1 + F2)
        Of the line fitted on the early rows alone, on which the network learns.

    References
    ----------
    Hoerl & Kennard (1970), doi:10.1080/00401706.1970.10488634
    """

    centre: np.ndarray
    scale: np.ndarray
    ahead_centre: np.ndarray
    ahead_scale: np.ndarray
    weights: np.ndarray
    early_weights: np.ndarray

    @classmethod
    def fit(cls, rows: Rows, target: np.ndarray, *, early: int, first_held: int) -> Self:
        """Fit on the first `early` rows, choose each zone's penalty on those from `first_held`, then fit on all.

        Parameters
        ----------
        rows : Rows
        target : ndarray, shape (Z, S, n)
            `nan` where unknown.
        early, first_held : int
            Counts of rows.
        """
        centre, scale = centre_and_scale(rows.common, 0)
        ahead_centre, ahead_scale = centre_and_scale(rows.ahead, (0, 2))
        start = cls(centre, scale, ahead_centre, ahead_scale, np.empty(0), np.empty(0))
        common, ahead = start.inputs(rows)
        zones, horizons, _ = target.shape
        width = 1 + common.shape[2] + ahead.shape[3]
        tries = np.zeros((len(PENALTIES), zones, horizons, width), dtype=np.float32)
        whole_gram, whole_moment = [], []
        error = np.zeros((len(PENALTIES), zones))
        for k in range(horizons):
            design, outcome = _design(common, ahead[:, k], target[:, k])
            parts = [_gram(design[:, part], outcome[:, part]) for part in (slice(0, early), slice(early, None))]
            whole_gram.append(parts[0][0] + parts[1][0])
            whole_moment.append(parts[0][1] + parts[1][1])
            late, truth = design[:, first_held:], outcome[:, first_held:]
            for q, penalty in enumerate(PENALTIES):
                tries[q, :, k] = _solve(*parts[0], np.full(zones, penalty))
                rest = truth - np.matmul(late, tries[q, :, k][..., None])[..., 0]
                error[q] += np.square(rest, dtype=np.float64).sum(axis=1)
        choice = np.argmin(error * (1 - 1e-9 * np.arange(len(PENALTIES)))[:, None], axis=0)
        penalty = np.array(PENALTIES)[choice]
        weights = np.stack([_solve(g, m, penalty) for g, m in zip(whole_gram, whole_moment, strict=True)], axis=1)
        return cls(centre, scale, ahead_centre, ahead_scale, weights, tries[choice, np.arange(zones)])

    @classmethod
    def join(cls, parts: Sequence[NetworkLine]) -> Self:
        """The zones of several, one after another."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def inputs(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Standardised inputs, zones first: common (Z, n, F1) and ahead (Z, S, n, F2)."""
        common = standardise(rows.common.transpose(1, 0, 2), self.centre[:, None], self.scale[:, None])
        ahead = standardise(
            rows.ahead.transpose(1, 2, 0, 3), self.ahead_centre[:, None, None], self.ahead_scale[:, None, None]
        )
        return np.ascontiguousarray(common), np.ascontiguousarray(ahead)

    def forecast(self, common: np.ndarray, ahead: np.ndarray, at: np.ndarray | slice = slice(None)) -> np.ndarray:
        """What the lines of all rows say for the horizons `at`, (Z, S, n)."""
        return _line(self.weights[:, at], common, ahead)

    def early_forecast(self, common: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        """What the lines of the early rows say, (Z, S, n)."""
        return _line(self.early_weights, common, ahead)

    def pick(self, places: np.ndarray) -> NetworkLine:
        """Those of some zones."""
        return NetworkLine(*(getattr(self, f.name)[places] for f in fields(self)))

    def put(self, places: np.ndarray, other: NetworkLine) -> NetworkLine:
        """The same with the lines of `other` at some places."""
        made = {f.name: getattr(self, f.name).copy() for f in fields(self) if f.name != "early_weights"}
        for name, values in made.items():
            values[places] = getattr(other, name)
        return NetworkLine(**made, early_weights=np.zeros((len(self.centre), 0), dtype=np.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """For storing; see `restore`."""
        return {f"line_{f.name}": getattr(self, f.name) for f in fields(self) if f.name != "early_weights"}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Inverse of `arrays`; the lines of the early rows are not kept."""
        known = {f.name: arrays[f"line_{f.name}"] for f in fields(cls) if f.name != "early_weights"}
        return cls(**known, early_weights=np.zeros((len(known["centre"]), 0), dtype=np.float32))


def _line(weights: np.ndarray, common: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    f1 = common.shape[2]
    out = np.matmul(common, weights[:, :, 1 : 1 + f1].transpose(0, 2, 1)).transpose(0, 2, 1) + weights[:, :, :1]
    return out + np.matmul(ahead, weights[:, :, 1 + f1 :, None])[..., 0]


def _design(common: np.ndarray, ahead: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one horizon, all 0 where the outcome is unknown: design (Z, n, 1 + F1 + F2), outcome (Z, n)."""
    known = np.isfinite(target)
    design = np.concatenate([np.ones_like(common[:, :, :1]), common, ahead], axis=2)
    design *= known[..., None]
    return design, np.where(known, target, 0).astype(np.float32)


def _gram(design: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    across = design.transpose(0, 2, 1)
    return np.matmul(across, design), np.matmul(across, outcome[..., None])[..., 0]


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Ridge weights (Z, F) for penalties (Z,), as shares of the known rows (the Gram matrix's first number)."""
    rows = np.maximum(gram[:, 0, 0], 1.0).astype(np.float64)
    ridge = (penalty * rows)[:, None, None] * np.eye(gram.shape[1])
    return np.linalg.solve(gram + ridge, moment[..., None].astype(np.float64))[..., 0].astype(np.float32)
