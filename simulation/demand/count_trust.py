"""How far counts are to be trusted, by counts left out: cross-validation over groups of links.

Counts are not independent pieces of news. Links of one corridor carry the same trips, and where a queue or a detour
makes the model wrong on one it is wrong on all. So counted links that carry the same trips are left out together, and
the standard deviations of all counts get the one factor under which counts left out are predicted best; with `inf`
the prior stays as it is (cross-validation, Stone 1974, doi:10.1111/j.2517-6161.1974.tb00994.x; by groups).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from simulation.errors import DemandError

#: Factors on the standard deviation of counts that are tried.
FACTORS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, np.inf)
#: Links whose flows vary together with at least this correlation under the prior carry the same trips; assumption.
ALIKE = 0.9
FOLDS = 5


def corridors(matrix: np.ndarray, prior_sd: np.ndarray, link: np.ndarray, *, alike: float = ALIKE) -> np.ndarray:
    """Number of the group of each count: links that carry the same trips, all hours of a link together.

    Parameters
    ----------
    matrix : ndarray, shape (m, n)
        Share of each pair on each counted link and hour.
    prior_sd : ndarray, shape (n,)
        Of the pairs.
    link : ndarray of int, shape (m,)
    alike : float
        Correlation of two counts, by the errors of the prior, from which on their links are of one group.

    Returns
    -------
    ndarray of int64, shape (m,)
        From 0.
    """
    news = np.asarray(matrix, float) * prior_sd
    length = np.sqrt(np.square(news).sum(axis=1))
    news = news / np.where(length > 0, length, 1.0)[:, None]
    links, row = np.unique(link, return_inverse=True)
    one, other = np.nonzero(news @ news.T >= alike)
    pairs = csr_array((np.ones(one.size), (row[one], row[other])), shape=(links.size, links.size))
    return np.asarray(connected_components(pairs, directed=False)[1], dtype=np.int64)[row]


def folds_of(group: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Fold of each count: groups in chance order, each to the fold that has the fewest counts. int64, shape (m,)."""
    names, size = np.unique(group, return_counts=True)
    filled, fold = np.zeros(count, dtype=np.int64), np.zeros(names.size, dtype=np.int64)
    for k in np.random.default_rng([seed, 7]).permutation(names.size):
        fold[k] = int(np.argmin(filled))
        filled[fold[k]] += size[k]
    return fold[np.searchsorted(names, group)]


def best_factor(
    matrix: np.ndarray,
    prior_sd: np.ndarray,
    gap: np.ndarray,
    count_sd: np.ndarray,
    fold: np.ndarray,
    *,
    factors: tuple[float, ...] = FACTORS,
) -> tuple[float, np.ndarray]:
    """Factor on the standard deviations of counts under which counts left out are predicted best.

    Each fold is predicted by the posterior mean of the pairs given the other folds: with K the covariance of the
    counts by the prior's errors, K[out, in] (K[in, in] + factor^2 diag(sd^2))^-1 gap[in].

    Parameters
    ----------
    matrix : ndarray, shape (m, n)
    prior_sd : ndarray, shape (n,)
    gap : ndarray, shape (m,)
        Counted less predicted by the prior.
    count_sd : ndarray, shape (m,)
        Above 0.
    fold : ndarray of int, shape (m,)
    factors : tuple of float
        At least 1 value; `inf` for a prior that stays.

    Returns
    -------
    factor : float
        The largest where several are best, as with a single fold.
    misfit : ndarray, shape (len(factors),)
        Mean square of (gap - predicted) / sd over the counts left out.

    Raises
    ------
    DemandError
        If shapes do not fit, or a standard deviation or a factor is not above 0.
    """
    m = gap.size
    shapes = {"matrix": (m, prior_sd.size), "count_sd": (m,), "fold": (m,)}
    wrong = [n for n, v in (("matrix", matrix), ("count_sd", count_sd), ("fold", fold)) if v.shape != shapes[n]]
    if wrong or not (count_sd > 0).all() or not factors or min(factors) <= 0:
        raise DemandError(f"no trust in counts: {wrong or 'count_sd and factors'} must fit {m} counts, and be above 0")
    news = matrix * prior_sd
    by_prior = news @ news.T
    left = np.zeros((len(factors), m))
    for k in np.unique(fold):
        out, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        for row, factor in enumerate(factors):
            guess = np.zeros(out.size)
            if rest.size and np.isfinite(factor):
                inner = by_prior[np.ix_(rest, rest)] + np.diag((factor * count_sd[rest]) ** 2)
                guess = by_prior[np.ix_(out, rest)] @ cho_solve(cho_factor(inner), gap[rest])
            left[row, out] = (gap[out] - guess) / count_sd[out]
    misfit = np.mean(left**2, axis=1)
    best = np.flatnonzero(misfit <= misfit.min() * (1 + 1e-12))
    return float(max(factors[k] for k in best)), misfit
