"""Series: the lags among the common features, as short series side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.rows import Layout


@dataclass(frozen=True)
class Series:
    """Which columns of the common features are lags, of whom.

    Attributes
    ----------
    who : tuple of str, length C
        In the order of the columns: `own`, `neighbours`, `near1`, a pollutant, ...
    places : tuple of tuple of int, length C
        Columns of lag 0, 1, ... of each, without a gap.
    """

    who: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(layout: Layout) -> Series:
        """The series of a layout: all that have a lag 0."""
        who = tuple(m[1] for name in layout.common if (m := re.fullmatch(r"(.+)_lag_0", name)))
        return Series(who, tuple(tuple(int(k) for k in layout.lags(name)) for name in who))

    @property
    def steps(self) -> int:
        """Lags of the longest."""
        return max((len(places) for places in self.places), default=0)

    @property
    def tokens(self) -> tuple[tuple[str, int], ...]:
        """Whose reading and how many steps back, of every lag there is."""
        return tuple((who, lag) for who, places in zip(self.who, self.places) for lag in range(len(places)))

    @property
    def columns(self) -> np.ndarray:
        """Columns of the tokens."""
        return np.array([k for places in self.places for k in places], dtype=np.int64)

    def read(self, common: np.ndarray) -> np.ndarray:
        """Series (B, steps, C) of common features (B, F1), oldest first; 0, "as usual", where a lag is missing."""
        out = np.zeros((len(common), self.steps, len(self.who)), dtype=common.dtype)
        for c, places in enumerate(self.places):
            out[:, self.steps - len(places) :, c] = common[:, list(places[::-1])]
        return out
