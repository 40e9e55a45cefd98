"""Paths: the links of many trips, one after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Links that trips drive, first link included.

    Attributes
    ----------
    links : ndarray of int32
        All paths one after another.
    start : ndarray of int64, shape (k + 1,)
        Path of trip `i` is `links[start[i]:start[i + 1]]`; an empty one stands for a trip without a path of its own.
    """

    links: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return self.start.size - 1

    def __getitem__(self, i: int) -> np.ndarray:
        """Links of one path."""
        return self.links[self.start[i] : self.start[i + 1]]

    @classmethod
    def from_lists(cls, lists: list[list[int]] | list[np.ndarray]) -> Paths:
        """Paths from one sequence of links each."""
        sizes = np.array([len(path) for path in lists], dtype=np.int64)
        flat = np.concatenate([np.asarray(path, dtype=np.int32) for path in lists] or [np.empty(0, np.int32)])
        return cls(links=flat.astype(np.int32), start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def take(self, chosen: np.ndarray) -> Paths:
        """Paths of some trips, in the order of `chosen` (positions, shape (m,))."""
        chosen = np.asarray(chosen, dtype=np.int64)
        size = np.diff(self.start)[chosen]
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        within = np.arange(start[-1]) - np.repeat(start[:-1], size)
        return Paths(links=self.links[np.repeat(self.start[chosen], size) + within], start=start)
