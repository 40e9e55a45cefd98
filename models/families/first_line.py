"""A ridge line before the trees: it carries what is linear, so that few shallow trees are needed for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rows import Rows


@dataclass(frozen=True, eq=False)
class FirstLine:
    """One line for each zone and horizon.

    Attributes
    ----------
    coefficients : ndarray of float32, shape (Z, S, F1 + F2 + 1)
        By `Layout.names`, the constant last.
    """

    coefficients: np.ndarray

    @classmethod
    def fit(cls, rows: Rows, y: np.ndarray, ridge: float) -> FirstLine:
        """Ridge regression (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634), zone by zone.

        Parameters
        ----------
        rows : Rows
        y : ndarray, shape (n, Z, S)
            `nan` where unknown; a zone and horizon without any gets a line of zeros.
        ridge : float
            Rows in which each feature is 1 and the outcome 0, in effect; the constant is not held back.
        """
        n, zones, horizons = rows.shape
        f1, width = rows.common.shape[2], rows.width
        coefficients = np.zeros((zones, horizons, width + 1), dtype=np.float32)
        penalty = np.full(width + 1, ridge)
        penalty[-1] = 1e-6
        x = np.ones((n, width + 1), dtype=np.float32)
        for z in range(zones):
            x[:, :f1] = rows.common[:, z]
            for s in range(horizons):
                known = np.isfinite(y[:, z, s])
                if not known.any():
                    continue
                x[:, f1:-1] = rows.ahead[:, z, s]
                some = x if known.all() else x[known]
                gram = (some.T @ some).astype(np.float64)
                gram[np.diag_indices(width + 1)] += penalty
                moment = some.T @ y[known, z, s].astype(np.float32)
                coefficients[z, s] = np.linalg.solve(gram, moment.astype(np.float64))
        return cls(coefficients)

    @classmethod
    def pooled(cls, rows: Rows, y: np.ndarray, ridge: float) -> FirstLine:
        """One line for all zones and each horizon: `coefficients` of one zone."""
        zones, horizons = rows.shape[1:]
        f1, width = rows.common.shape[2], rows.width
        gram = np.zeros((horizons, width + 1, width + 1))
        moment = np.zeros((horizons, width + 1))
        x = np.ones((rows.shape[0], width + 1), dtype=np.float32)
        for z in range(zones):
            x[:, :f1] = rows.common[:, z]
            for s in range(horizons):
                known = np.isfinite(y[:, z, s])
                x[:, f1:-1] = rows.ahead[:, z, s]
                some = x[known]
                gram[s] += some.T @ some
                moment[s] += some.T @ y[known, z, s]
        gram[:, np.arange(width), np.arange(width)] += ridge
        gram[:, -1, -1] += 1e-6
        return cls(np.linalg.solve(gram, moment[..., None])[None, ..., 0].astype(np.float32))

    def predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        """Values of the lines, shape (n, Z, S), for zones and horizons at these places."""
        f1 = rows.common.shape[2]
        some = self.coefficients[places[:, None], horizons]
        common = np.matmul(rows.common.transpose(1, 0, 2), some[:, :, :f1].transpose(0, 2, 1)).transpose(1, 0, 2)
        ahead = np.einsum("nzsf,zsf->nzs", rows.ahead, some[:, :, f1:-1])
        return np.asarray(common + ahead + some[:, :, -1], dtype=np.float32)

    def shares(self, x: np.ndarray, place: int, horizon: int) -> np.ndarray:
        """Terms of one forecast, shape (F1 + F2 + 1,), the constant last."""
        return np.append(x, 1.0) * self.coefficients[place, horizon].astype(np.float64)

    def pick(self, places: np.ndarray) -> FirstLine:
        """Lines of some zones."""
        return FirstLine(self.coefficients[places])
