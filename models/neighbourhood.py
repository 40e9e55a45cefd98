"""Neighbourhood: whose readings help to forecast a zone, by the map and by what the past shows.

*Nearest* neighbours come from the panel's weights (adjacency, common border, distance along the road). Where a zone
has none, *leading* ones are learned: the zones whose present deviation best tells the change that the zone's own
deviation does not tell, on the training part alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_SINGLE = 4  # neighbours that enter one by one (assumed)
MAX_CANDIDATES = 256  # zones looked at for each zone when the leading ones are learned (assumed; bounds the time)
MAX_MEMBERS = 32  # neighbours of one zone that enter a weighted mean (assumed; bounds the memory)
MIN_CORRELATION = 0.05  # a candidate below it is noise for any history of a few hundred independent readings


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Neighbours of Z zones as columns of the C series that are read; -1 where there are fewer.

    Attributes
    ----------
    single : ndarray of int, shape (Z, N_SINGLE)
        Those that enter one by one: nearest first, or, where there is none, learned ones, best first.
    hop1, hop2 : ndarray of int, shape (Z, m)
        Direct neighbours, and neighbours' neighbours without the zone and its own neighbours.
    weight1, weight2 : ndarray of float32, shape (Z, m)
        Their weights, each row summing to 1 or 0.
    """

    single: np.ndarray
    hop1: np.ndarray
    weight1: np.ndarray
    hop2: np.ndarray
    weight2: np.ndarray

    @classmethod
    def of(
        cls, weights: np.ndarray, focus: np.ndarray, deviation: np.ndarray, *, lead: int, heard: np.ndarray
    ) -> Neighbourhood:
        """Neighbours of the zones at `focus`.

        Parameters
        ----------
        weights : ndarray, shape (N, N)
            Weight of each neighbour (column) of each zone of the panel (row).
        focus : ndarray of int, shape (Z,)
        deviation : ndarray, shape (T, N)
            The training part, gaps `nan`.
        lead : int
            Steps ahead that the leading neighbours should tell.
        heard : ndarray of bool, shape (N,)
            Zones that report the target at all.

        Returns
        -------
        Neighbourhood
            With columns of the panel; see `read` and `onto`.
        """
        weights = weights * heard
        hop1, weight1 = _largest(weights[focus], MAX_MEMBERS)
        beyond = weights[focus] @ weights
        beyond[weights[focus] > 0] = 0.0
        beyond[np.arange(focus.size), focus] = 0.0
        hop2, weight2 = _largest(beyond, MAX_MEMBERS)
        single = _wide(hop1[:, :N_SINGLE], N_SINGLE)
        alone = ~(single >= 0).any(axis=1)
        single[alone] = _leading(focus[alone], deviation, lead, heard)
        return cls(single, hop1, _shares(weight1), hop2, _shares(weight2))

    def read(self, focus: np.ndarray) -> np.ndarray:
        """Columns of the panel that are needed, those of `focus` first."""
        every = np.unique(np.concatenate([getattr(self, n).ravel() for n in _COLUMNS]))
        return np.concatenate([focus, np.setdiff1d(every[every >= 0], focus)]).astype(np.int64)

    def onto(self, needed: np.ndarray, n: int) -> Neighbourhood:
        """The same as places in `needed`, where the panel has `n` columns."""
        place = np.full(n + 1, -1, dtype=np.int64)
        place[needed] = np.arange(needed.size)
        move = {name: place[getattr(self, name)] for name in _COLUMNS}
        return Neighbourhood(weight1=self.weight1, weight2=self.weight2, **move)

    def pick(self, places: np.ndarray) -> Neighbourhood:
        """Neighbours of some of the zones."""
        return Neighbourhood(*(getattr(self, name)[places] for name in _FIELDS))

    def state(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays to store, their names led by `prefix`."""
        return {f"{prefix}{name}": getattr(self, name) for name in _FIELDS}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray], prefix: str) -> Neighbourhood:
        """Inverse of `state`."""
        return cls(*(arrays[f"{prefix}{name}"] for name in _FIELDS))


def reading_for(weights: np.ndarray, focus: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Columns whose readings may be asked for the zones at `focus`: they, two hops around, and where a zone has no
    neighbour, the candidates among which leading ones are learned; sorted."""
    near = (weights[focus] * heard) > 0
    hop = np.flatnonzero(near.any(axis=0))
    beyond = np.flatnonzero(((weights[hop] * heard) > 0).any(axis=0))
    alone = ~near.any(axis=1)
    learned = np.flatnonzero(heard)[:MAX_CANDIDATES] if alone.any() else hop
    return np.unique(np.concatenate([focus, hop, beyond, learned])).astype(np.int64)


_COLUMNS = ("single", "hop1", "hop2")
_FIELDS = ("single", "hop1", "weight1", "hop2", "weight2")


def _largest(weights: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the largest positive weights of each row, heaviest first, and the weights; -1 and 0 beyond."""
    most = min(most, weights.shape[1], max(1, int((weights > 0).sum(axis=1).max(initial=0))))
    order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    value = np.take_along_axis(weights, order, axis=1)
    return np.where(value > 0, order, -1).astype(np.int64), np.where(value > 0, value, 0.0).astype(np.float32)


def _wide(columns: np.ndarray, width: int) -> np.ndarray:
    return np.pad(columns, ((0, 0), (0, width - columns.shape[1])), constant_values=-1)


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def _leading(focus: np.ndarray, deviation: np.ndarray, lead: int, heard: np.ndarray) -> np.ndarray:
    """The learned neighbours, shape (Z, N_SINGLE).

    What a zone's next deviation leaves over after its own two last ones is correlated with every candidate's present
    deviation (less what the zone's own deviation tells of it); candidates are taken one by one, each cleared of those
    already taken (orthogonal matching, Pati et al. 1993, doi:10.1109/ACSSC.1993.342465).
    """
    filled = np.where(np.isfinite(deviation), deviation, 0.0).astype(np.float32)
    found = np.full((focus.size, N_SINGLE), -1, dtype=np.int64)
    if filled.shape[0] <= lead + 50:
        return found
    now, before, after = filled[1:-lead], filled[: -lead - 1], filled[1 + lead :]
    every = np.flatnonzero(heard)[:MAX_CANDIDATES]
    for row, zone in enumerate(focus):
        candidates = every[every != zone]
        base = np.stack([now[:, zone], before[:, zone]], axis=1)
        gram = base.T @ base + 1e-3 * now.shape[0] * np.eye(2, dtype=np.float32)
        rest = after[:, zone] - base @ np.linalg.solve(gram, base.T @ after[:, zone])
        pool = now[:, candidates]
        pool = pool - base @ np.linalg.solve(gram, base.T @ pool)
        norm = np.sqrt((pool**2).sum(axis=0)) + 1e-6
        pool, alive = pool / norm, norm > 1e-2 * np.sqrt(now.shape[0])
        size = float(np.sqrt((rest**2).sum())) + 1e-9
        for k in range(min(N_SINGLE, candidates.size)):
            gain = np.where(alive, np.abs(rest @ pool), -1.0)
            best = int(np.argmax(gain))
            if gain[best] < MIN_CORRELATION * size:
                break
            found[row, k] = candidates[best]
            taken = pool[:, best].copy()
            rest = rest - taken * (taken @ rest)
            pool = pool - np.outer(taken, taken @ pool)
            left = np.sqrt((pool**2).sum(axis=0))
            alive &= left > 0.1
            pool = pool / np.maximum(left, 1e-6)
            alive[best] = False
    return found
