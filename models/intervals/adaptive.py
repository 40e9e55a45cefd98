"""Adaptive intervals: quantiles that follow the errors seen so far, so that coverage holds while the world changes.

At each forecast origin only the scores whose readings had come in by then count: the score of a forecast made at
position p for s steps ahead is known from position p + s on, not before.

Each quantile of each zone and horizon is tracked by several experts. An expert moves its offset up by a step where a
reading lay above it and down where below, in the proportion in which its level is reached exactly; experts differ in
the size of the step, from one that never moves (split conformal) to one that follows within hours. They are mixed by
their pinball loss so far, and a last correction of the same kind, on what was really said, holds the coverage of the
mixture: after n readings a quantile's share of readings below it is off by at most (last correction - first) / (n x
step), whatever the series does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.errors import ScoresError, SettingsError
from models.intervals.adaptive_kernels import follow_cells
from models.intervals.pending import Pending
from models.intervals.split import QUANTILES


@dataclass(frozen=True)
class AdaptiveSettings:
    """How fast quantiles follow. Chosen on the training parts of METR-LA and Beijing (2013-03 to 2015-02).

    Attributes
    ----------
    rates : tuple of float
        Step sizes of the experts for the next interval, in units of probability (the step sizes of adaptive conformal
        inference); 0 keeps the static offsets.
    rate_exponent : float
        A horizon of s steps takes rate / s ** rate_exponent: errors of overlapping forecasts tell one story.
    hold : float
        Step size of the correction that holds the coverage, likewise.
    hold_exponent : float
    memory : float
        Readings over which the running size of scores, the unit of all steps, is averaged.
    forget : float
        Share of the experts' record that stays from one reading to the next; below 1, old merits fade.
    margin : float
        Standard errors by which every level is moved outwards, from as many independent scores as the start rests on:
        with few, some zones turn out to be covered less than promised, and this lifts the lowest.
    """

    rates: tuple[float, ...] = (0.0, 0.002, 0.005, 0.01)
    rate_exponent: float = 1.0
    hold: float = 0.01
    hold_exponent: float = 0.5
    memory: float = 200.0
    forget: float = 0.999
    margin: float = 0.14

    def __post_init__(self) -> None:
        faults = []
        if not self.rates or not all(0 <= rate < 1 for rate in self.rates):
            faults.append(f"rates={self.rates} must be one or more numbers from 0 to below 1")
        if not 0 <= self.hold < 1:
            faults.append(f"hold={self.hold} must lie from 0 to below 1")
        if self.memory < 1:
            faults.append(f"memory={self.memory} readings must be at least 1")
        if self.margin < 0:
            faults.append(f"margin={self.margin} must not be negative")
        if not 0 < self.forget <= 1:
            faults.append(f"forget={self.forget} must lie above 0 and at most at 1")
        if faults:
            raise SettingsError("; ".join(faults))


@dataclass(frozen=True, eq=False)
class AdaptiveState:
    """Where the quantiles of Z zones and S horizons stand after the origins so far; arrays alone, nothing hidden.

    Attributes
    ----------
    quantiles : tuple of float, length Q
    steps : ndarray of int, shape (S,)
        Horizons in positions.
    settings : AdaptiveSettings
    levels : ndarray, shape (S, Q)
        Levels aimed at: `quantiles` with the margin.
    rates, hold : ndarray, shape (S, K) and (S,)
        Step sizes by horizon.
    expert : ndarray, shape (Z, S, Q, K)
        Offsets of the experts.
    shift : ndarray, shape (Z, S, Q)
        Correction that holds the coverage, in units of `size`.
    size : ndarray, shape (Z, S)
        Running mean absolute score.
    record : ndarray, shape (Z, S, Q, K, 3)
        Experts' regret, its squares and its largest.
    ring : ndarray of float32, shape (Z, sum(steps + 1), Q, K + 1)
        What was said at the origins whose readings are not all in.
    pending : ndarray of int, shape (p,)
        Positions of those origins, oldest first, at most max(steps) of them.
    base : int
        Origins before `pending`.

    References
    ----------
    Gibbs & Candes (2021), arXiv:2106.00170 (adaptive conformal inference); Zaffran et al. (2022), arXiv:2202.07282
    (several step sizes, aggregated for each end apart); Angelopoulos, Candes & Tibshirani (2023), arXiv:2307.16895
    (steps in the score, not its rank; a tracker on top of any forecast of the quantile); Wintenberger (2017),
    doi:10.1007/s10994-016-5592-6 (Bernstein online aggregation, the experts' weights).
    """

    quantiles: tuple[float, ...]
    steps: np.ndarray
    settings: AdaptiveSettings
    levels: np.ndarray
    rates: np.ndarray
    hold: np.ndarray
    expert: np.ndarray
    shift: np.ndarray
    size: np.ndarray
    record: np.ndarray
    ring: np.ndarray
    pending: np.ndarray
    base: int

    @classmethod
    def start(
        cls,
        offsets: np.ndarray,
        *,
        steps: np.ndarray | tuple[int, ...],
        quantiles: tuple[float, ...] = QUANTILES,
        settings: AdaptiveSettings | None = None,
        spacing: int = 1,
        calibrated_on: int | None = None,
    ) -> AdaptiveState:
        """Before the first origin.

        Parameters
        ----------
        offsets : ndarray, shape (Z, S, Q)
            Static offsets to start from, of `ConformalIntervals`.
        steps : array of int, shape (S,)
            Horizons in positions, at least 1.
        quantiles : tuple of float, length Q
            Increasing, within 0 and 1.
        settings : AdaptiveSettings or None
        spacing : int
            Positions from one origin to the next: sparse origins overlap less, and may be followed faster.
        calibrated_on : int or None
            Origins, `spacing` apart, that the static offsets rest on; gives the margin. None: so many that there is
            none.

        Raises
        ------
        ScoresError
            If shapes, steps or quantiles do not fit together.
        """
        settings = settings or AdaptiveSettings()
        reach, levels = np.asarray(steps, dtype=np.int64), np.asarray(quantiles, dtype=float)
        faults = []
        if offsets.ndim != 3 or offsets.shape[1:] != (reach.size, levels.size):
            faults.append(f"offsets must have shape (zones, {reach.size}, {levels.size}); found {offsets.shape}")
        elif not np.isfinite(offsets).all():
            faults.append(f"offsets hold {int((~np.isfinite(offsets)).sum())} numbers that are not finite")
        if reach.ndim != 1 or (reach < 1).any():
            faults.append(f"steps={reach.tolist()} must be whole numbers of at least 1")
        if not ((levels > 0).all() and (levels < 1).all() and (np.diff(levels) > 0).all()):
            faults.append(f"quantiles={quantiles} must increase within 0 and 1")
        if spacing < 1:
            faults.append(f"spacing={spacing} must be at least 1 position")
        if faults:
            raise ScoresError("; ".join(faults))
        apart = np.maximum(1.0, reach / spacing)
        aimed = np.repeat(levels[None], reach.size, axis=0)
        if calibrated_on is not None:
            error = np.sqrt(levels * (1 - levels) / np.maximum(1.0, calibrated_on / apart[:, None]))
            outer = np.minimum(levels, 1 - levels)
            moved = np.minimum(settings.margin * error, 0.5 * outer)
            aimed = np.where(levels < 0.5, levels - moved, np.where(levels > 0.5, levels + moved, 0.5))
        rates = np.asarray(settings.rates) / apart[:, None] ** settings.rate_exponent
        zones, experts = offsets.shape[0], len(settings.rates)
        shape = (zones, reach.size, levels.size)
        tail = min(levels[0], 1 - levels[-1])
        size = (offsets[..., -1] - offsets[..., 0]) / max(-2 * np.log(2 * tail), 0.1)  # as if Laplace
        return cls(
            quantiles=tuple(quantiles), steps=reach, settings=settings, levels=aimed, rates=rates,
            hold=settings.hold / apart**settings.hold_exponent,
            expert=np.repeat(offsets.astype(float)[..., None], experts, axis=3), shift=np.zeros(shape),
            size=size.astype(float), record=np.zeros((*shape, experts, 3)),
            ring=np.zeros((zones, int((reach + 1).sum()), levels.size, experts + 1), dtype=np.float32),
            pending=np.zeros(0, dtype=np.int64), base=0,
        )  # fmt: skip

    def follow(
        self, known: np.ndarray, scores: np.ndarray, *, late: np.ndarray | None = None
    ) -> tuple[AdaptiveState, np.ndarray]:
        """Offsets at a sequence of origins, each from what was known there, and the state after the last.

        Parameters
        ----------
        known : ndarray of int, shape (n,)
            Last known position at each origin, increasing and after those of `pending`.
        scores : ndarray, shape (n, Z, S)
            Score of the forecast made at each origin, `nan` where no reading came; what is not known at any of these
            origins (the last rows) is never read, and may be anything.
        late : ndarray or None, shape (p, Z, S)
            Scores of the forecasts made at `pending`, as far as known by now.

        Returns
        -------
        AdaptiveState
            Two calls one after another give what one call on all origins gives, bit for bit.
        ndarray of float32, shape (n, Z, S, Q)
            Offsets in units of the score's denominator, non-decreasing along Q, 0 at the median.

        Raises
        ------
        ScoresError
            If shapes or the order of the origins are wrong.
        """
        zones, horizons = self.size.shape
        known = np.asarray(known, dtype=np.int64)
        p = self.pending.size
        due = Pending.of(self.pending, known, self.steps)
        late = np.empty((0, zones, horizons)) if late is None and p == 0 else late
        faults = []
        if scores.shape != (known.size, zones, horizons):
            faults.append(f"scores must have shape {(known.size, zones, horizons)}; found {scores.shape}")
        if late is None or late.shape != (p, zones, horizons):
            faults.append(
                f"late must have shape {(p, zones, horizons)}, the scores so far of the origins at"
                f" {self.pending.tolist()[:5]}...; found {None if late is None else late.shape}"
            )
        if (np.diff(due.rows) <= 0).any():
            faults.append(f"known must increase from {self.pending[-1] if p else 'the first'} on; found {known[:5]}...")
        if faults:
            raise ScoresError("; ".join(faults))
        assert late is not None
        issued = np.empty((known.size, zones, horizons, len(self.quantiles)), dtype=np.float32)
        if known.size == 0:
            return self, issued
        expert, shift, size, record, ring = (
            a.copy() for a in (self.expert, self.shift, self.size, self.record, self.ring)
        )
        place = np.concatenate([[0], np.cumsum(self.steps + 1)[:-1]]).astype(np.int64)
        follow_cells(
            due.rows, self.steps, p, self.base, due.told, np.concatenate([late, scores]).astype(float),
            self.levels, self.rates, self.hold, self.settings.memory, self.settings.forget,
            expert, shift, size, record, ring, place, issued,
        )  # fmt: skip
        after = replace(
            self, expert=expert, shift=shift, size=size, record=record, ring=ring,
            pending=due.left, base=self.base + due.rows.size - due.left.size,
        )  # fmt: skip
        return after, issued

    def step(self, known: int, late: np.ndarray | None = None) -> tuple[AdaptiveState, np.ndarray]:
        """One origin of a live service: the state after it and its offsets (Z, S, Q).

        `late` (p, Z, S): scores of the forecasts made at `pending` whose readings are in by `known`, else `nan`.
        """
        empty = np.full((1, *self.size.shape), np.nan)
        state, issued = self.follow(np.array([known]), empty, late=late)
        return state, issued[0]

    def pick(self, places: np.ndarray) -> AdaptiveState:
        """Some of the zones, as they stand."""
        parts: dict[str, Any] = {n: getattr(self, n)[places] for n in ("expert", "shift", "size", "record", "ring")}
        return replace(self, **parts)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that changes with time, to store; `restore` puts it back."""
        changing = {name: getattr(self, name) for name in _CHANGING}
        return {**changing, "base": np.array(self.base)}

    def restore(self, arrays: dict[str, np.ndarray]) -> AdaptiveState:
        """This state, made by `start` with the same offsets' shape and settings, as it was when `arrays` were stored.

        Raises
        ------
        ScoresError
            Naming every array that is missing or of another shape.
        """
        faults = [f"{name} is missing" for name in (*_CHANGING, "base") if name not in arrays]
        for name in _CHANGING:
            found = arrays[name].shape if name in arrays else getattr(self, name).shape
            if name != "pending" and found != getattr(self, name).shape:
                faults.append(f"{name} has shape {found}, not {getattr(self, name).shape}")
        if faults:
            raise ScoresError(f"the stored adaptive intervals do not fit: {'; '.join(faults)}; start anew")
        changed: dict[str, Any] = {name: arrays[name].copy() for name in _CHANGING}
        return replace(self, **changed, base=int(arrays["base"]))


_CHANGING = ("expert", "shift", "size", "record", "ring", "pending")


def follow(
    offsets: np.ndarray,
    scores: np.ndarray,
    *,
    known: np.ndarray,
    steps: np.ndarray | tuple[int, ...],
    quantiles: tuple[float, ...] = QUANTILES,
    settings: AdaptiveSettings | None = None,
    calibrated_on: int | None = None,
) -> np.ndarray:
    """Adaptive offsets over a sequence of origins, from static ones: shape (n, Z, S, Q).

    See `AdaptiveState.start` and `AdaptiveState.follow`, which this calls; the spacing of the origins is the commonest
    one of `known`.
    """
    gaps = np.diff(np.asarray(known))
    spacing = int(np.median(gaps)) if gaps.size else 1
    state = AdaptiveState.start(
        offsets, steps=steps, quantiles=quantiles, settings=settings, spacing=max(1, spacing),
        calibrated_on=calibrated_on,
    )  # fmt: skip
    return state.follow(known, scores)[1]
