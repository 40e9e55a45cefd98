"""Design: the rows that a family learns from, made once and shared by all families of a zone and target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from models.features import Featuriser, Rows
from models.horizons import anchor_steps
from models.panel import Panel

MAX_ROWS = 16_000  # (origin, zone) rows in a design; a pooled one takes every second or third origin
MAX_CHECKS = 700  # validation origins in a fold
SHRINK_ROWS = 20.0
N_BLOCKS = 5  # contiguous parts of the history by which penalties are chosen


class Design:
    """Features and outcomes of the first `end` intervals.

    Attributes
    ----------
    featuriser : Featuriser
    known : ndarray of int, shape (n,)
        Forecast origins, as last known positions, oldest first.
    rows : Rows
    outcome : ndarray, shape (n, Z, S)
        Deviation from the usual at each anchor, in the zone's scale; `nan` where no reading followed.
    """

    def __init__(self, panel: Panel, *, target: str, zone_ids: Sequence[str], neighbours: bool = True) -> None:
        self.steps = anchor_steps(panel.step_s)
        self.featuriser, history = Featuriser.fit(panel, target=target, zone_ids=zone_ids, neighbours=neighbours)
        n_zones = len(zone_ids)
        first = min(panel.steps_per_day, len(panel) // 3)
        stride = max(1, (len(panel) - first) * n_zones // MAX_ROWS)
        self.known = np.arange(first, len(panel) - 1, stride)
        self.rows = self.featuriser.rows(panel, self.known, self.steps, history=history)
        aim = self.known[:, None] + np.asarray(self.steps)
        inside = aim < len(panel)
        grid = self.featuriser.deviation(panel, slice(0, len(panel)), np.arange(n_zones), history)
        self.outcome = np.where(inside[..., None], grid[np.where(inside, aim, 0)], np.nan).transpose(0, 2, 1)

    @property
    def blocks(self) -> np.ndarray:
        """Contiguous part of the history that each origin lies in, shape (n,)."""
        return np.arange(self.known.size) * N_BLOCKS // self.known.size

    @cached_property
    def lasting(self) -> np.ndarray:
        """Shares of the present deviation and of the last day's mean that usually last, by horizon: shape (S, 2).

        Least squares through the origin, drawn towards 0 as if `SHRINK_ROWS` more rows had shown nothing.
        """
        mood = self.rows.mood.reshape(-1, 2)
        y = self.outcome.reshape(len(mood), -1)
        found = []
        for column in y.T:
            heard = np.isfinite(column)
            x = mood[heard]
            found.append(np.linalg.solve(x.T @ x + SHRINK_ROWS * np.eye(2), x.T @ column[heard]))
        return np.stack(found)

    @cached_property
    def linear(self):  # type: ignore[no-untyped-def]
        """The ridge solution of this design, solved once however many families stand on it."""
        from models.families.linear import solve_horizons

        return solve_horizons(self.rows, self.outcome, self.blocks)


class Workbench:
    """Designs and validation features of one panel, target and set of zones, each made when first asked for."""

    def __init__(self, panel: Panel, *, target: str, zone_ids: Sequence[str], neighbours: bool = True) -> None:
        self.panel, self.target, self.zone_ids, self.neighbours = panel, target, tuple(zone_ids), neighbours
        self._designs: dict[int, Design] = {}
        self._checks: dict[int, tuple[np.ndarray, Rows]] = {}

    def design(self, end: int) -> Design:
        """Design of the first `end` intervals; later ones are not read."""
        if end not in self._designs:
            self._designs[end] = Design(
                self.panel.until(end), target=self.target, zone_ids=self.zone_ids, neighbours=self.neighbours
            )
        return self._designs[end]

    def validation_origins(self, fit_end: int, end: int) -> np.ndarray:
        """Last known positions of the origins that a fold is checked on, at most `MAX_CHECKS` of them."""
        stride = max(1, -(-(end - fit_end) // MAX_CHECKS))
        return np.arange(fit_end - 1, end - 1, stride)

    def validation_rows(self, design_end: int, known: np.ndarray) -> Rows:
        """Features of a fold's validation origins, by the featuriser that knew the first `design_end` intervals."""
        if design_end not in self._checks or not np.array_equal(self._checks[design_end][0], known):
            design = self.design(design_end)
            self._checks[design_end] = (known, design.featuriser.rows(self.panel, known, design.steps))
        return self._checks[design_end][1]
