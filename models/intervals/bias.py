"""Decaying bias: how far a forecaster has lately erred to one side at this time of day, added to its next forecasts.

A model drifts away from its city: what it learned grows old, and it errs to the same side day after day. Errors that
have come in are averaged with falling weights, by zone, horizon and hour of the day; one error counts no more than a
usual one, so that an episode is not taken for a drift. How fast they are forgotten is chosen out of fold.

References
----------
Cui et al. (2012), doi:10.1175/WAF-D-11-00011.1 (decaying average of the bias); Huber (1964),
doi:10.1214/aoms/1177703732 (errors cut off)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.intervals.bias_kernels import decaying_bias
from models.intervals.pending import Pending

SLOTS = 24  # parts of a day that have a bias of their own
SMOOTH = np.exp(-0.5 * np.arange(-2, 3) ** 2)  # how far an error speaks for the hours beside its own (assumed)
MEMORIES_DAYS = (7.0, 14.0, 30.0)  # after which an error counts 1/e: tried by horizon (assumed)
BLOCKS = 10  # parts of the unseen origins, whose gains say how sure the mean gain is (assumed)


@dataclass(frozen=True, eq=False)
class DecayingBias:
    """Where the bias of one forecaster stands.

    Attributes
    ----------
    per_day : int
        Positions in a day.
    memory : ndarray, shape (S,)
        Days after which an error counts 1/e; 0 where no bias is followed.
    usual : ndarray, shape (Z, S)
        Median absolute error out of fold; larger ones count as much.
    bias : ndarray, shape (Z, S, SLOTS)
        What is added to a forecast, by part of the day of its origin.
    last : ndarray of int, shape (S,)
        Position of the origin whose error came in last, below 0 before the first.
    pending : ndarray of int, shape (p,)
        Positions of the origins whose readings are not all in, oldest first.
    """

    per_day: int
    memory: np.ndarray
    usual: np.ndarray
    bias: np.ndarray
    last: np.ndarray
    pending: np.ndarray

    @classmethod
    def start(cls, memory: np.ndarray, usual: np.ndarray, per_day: int) -> DecayingBias:
        """Before the first error."""
        nothing = np.zeros((*usual.shape, SLOTS))
        return cls(per_day, memory, usual, nothing, np.full(memory.size, -1), np.zeros(0, dtype=np.int64))

    @classmethod
    def fit(cls, errors: np.ndarray, known: np.ndarray, steps: np.ndarray, per_day: int) -> DecayingBias:
        """Choose the memory of each horizon from out-of-fold errors; the bias starts at 0.

        The memory with the least absolute error is taken, zones counting alike. A model in use is further from what it
        learned from than one that is validated, so that a bias is followed unless that clearly costs: unless the mean
        loss over blocks of origins exceeds its standard error.

        Parameters
        ----------
        errors : ndarray, shape (n, Z, S)
            Reading less forecast on the model's scale, oldest first; `nan` where none was read.
        known : ndarray of int, shape (n,)
            Last known position at each origin, increasing.
        steps : ndarray of int, shape (S,)
        per_day : int
        """
        size = np.abs(errors)
        usual = _median(size)
        parts = np.array_split(np.arange(known.size), BLOCKS)
        gains = np.full((len(MEMORIES_DAYS), BLOCKS, steps.size), np.nan)
        before = np.stack([_share(size[part], usual) for part in parts])
        for k, days in enumerate(MEMORIES_DAYS):
            added, _ = cls.start(np.full(steps.size, days), usual, per_day).follow(known, steps, errors, None)
            after = np.stack([_share(np.abs(errors[part] - added[part]), usual) for part in parts])
            np.divide(before - after, before, out=gains[k], where=before > 0)
        mean = np.nan_to_num(gains.mean(axis=1), nan=-np.inf)
        best, every = mean.argmax(axis=0), np.arange(steps.size)
        luck = np.nan_to_num(gains[best, :, every].std(axis=1, ddof=1)) / np.sqrt(BLOCKS)
        memory = np.where(mean[best, every] >= -luck, np.asarray(MEMORIES_DAYS)[best], 0.0)
        return cls.start(memory, usual, per_day)

    def follow(
        self, known: np.ndarray, steps: np.ndarray, errors: np.ndarray, late: np.ndarray | None
    ) -> tuple[np.ndarray, DecayingBias]:
        """What to add to forecasts from each origin, (n, Z, S), and the state after the last.

        Parameters
        ----------
        known : ndarray of int, shape (n,)
            Last known position at each origin, increasing and after `pending`.
        steps : ndarray of int, shape (S,)
        errors : ndarray, shape (n, Z, S)
            Of the forecasts without what is added; one counts from the origin at which its reading was known.
        late : ndarray or None, shape (p, Z, S)
            The same of the forecasts made at `pending`.
        """
        p, due = self.pending.size, Pending.of(self.pending, known, steps)
        every = errors if late is None else np.concatenate([late, errors])
        bias, last = self.bias.copy(), self.last.copy()
        added = np.zeros(errors.shape)
        rate = np.where(self.memory > 0, SLOTS / (self.per_day * SMOOTH.sum() * np.maximum(self.memory, 1e-9)), 0.0)
        slot = due.rows % self.per_day * SLOTS // self.per_day
        widest = max(1, self.per_day // SLOTS)
        decaying_bias(
            due.rows, steps, every.astype(float), slot, rate, self.usual, SMOOTH, widest, bias, due.told, last, added, p
        )
        return added, replace(self, bias=bias, last=last, pending=due.left)

    def pick(self, places: np.ndarray) -> DecayingBias:
        """Some of the zones: each learns from its own errors alone."""
        return replace(self, usual=self.usual[places], bias=self.bias[places])

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, to store."""
        own = {name: getattr(self, name) for name in _ARRAYS}
        return {**own, "per_day": np.array(self.per_day)}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray]) -> DecayingBias:
        """Inverse of `arrays`; `KeyError` names what is missing."""
        own = {name: arrays[name].copy() for name in _ARRAYS}
        return cls(per_day=int(arrays["per_day"]), **own)


_ARRAYS = ("memory", "usual", "bias", "last", "pending")


def _median(size: np.ndarray) -> np.ndarray:
    """Median over origins (n, Z, S) of what was read, 0 where nothing was."""
    heard = np.isfinite(size).any(axis=0)
    out = np.zeros(size.shape[1:])
    out[heard] = np.nanmedian(size[:, heard], axis=0)
    return out


def _share(size: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Sum of absolute errors (n, Z, S) in units of each zone's usual one, shape (S,)."""
    shares = np.divide(size, usual, out=np.zeros(size.shape), where=np.isfinite(size) & (usual > 0))
    return shares.sum(axis=(0, 1))
