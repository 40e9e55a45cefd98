"""The search's own surrogate: what plans that were not simulated would do, and how unsure that is.

A Gaussian process a simulated objective over candidates taken: what each does alone (a linear kernel), what they do
together (a kernel of how many candidates two plans share), and luck (Rasmussen & Williams 2006, Gaussian Processes for
Machine Learning, section 5.4, for the choice of its scales by marginal likelihood; scikit-learn's implementation). With
a preview, its answer is the mean from which the process starts, as far as it has proved right so far.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel


class Guess:
    """What is believed of one objective.

    Parameters
    ----------
    x : ndarray, shape (n, F)
        Plans simulated, as 0 and 1.
    y : ndarray, shape (n,)
        Their effect.
    foreseen : ndarray, shape (n,), optional
        What a preview says of them.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, foreseen: np.ndarray | None = None) -> None:
        self.trust = 0.0
        if foreseen is not None and float(foreseen @ foreseen) > 0:
            self.trust = float(np.clip((foreseen @ y) / (foreseen @ foreseen), 0.0, 1.5))
        rest = y - self.trust * (foreseen if foreseen is not None else 0.0)
        self._scale = max(float(np.std(rest)), 1e-12)
        kernel = (
            ConstantKernel(1.0, (1e-2, 1e2)) * DotProduct(0.3, (1e-2, 1e1))
            + ConstantKernel(0.3, (1e-3, 1e2)) * RBF(1.5, (0.7, 10.0))
            + WhiteKernel(0.01, (1e-5, 0.5))
        )
        self._process = GaussianProcessRegressor(kernel, alpha=1e-8, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(x, rest / self._scale)

    def draw(self, x: np.ndarray, rng: np.random.Generator, foreseen: np.ndarray | None = None) -> np.ndarray:
        """One possible truth of some plans together, shape (n,)."""
        mean, cov = self._process.predict(x, return_cov=True)
        values, vectors = np.linalg.eigh(cov)
        drawn = mean + vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(len(mean)))
        return np.asarray(self._back(drawn, foreseen))

    def mean(self, x: np.ndarray, foreseen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Expected effect of plans and its standard deviation, shape (n,) each."""
        mean, sd = self._process.predict(x, return_std=True)
        return np.asarray(self._back(mean, foreseen)), np.asarray(sd * self._scale)

    def _back(self, values: np.ndarray, foreseen: np.ndarray | None) -> np.ndarray:
        return values * self._scale + self.trust * (foreseen if foreseen is not None else 0.0)
