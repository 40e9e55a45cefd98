"""Design: the rows that a family learns from, made once and shared by all families of some zones and a target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.featuriser import Featuriser
from models.horizons import anchor_steps, followed
from models.panel import Panel
from models.rows import Rows
from models.zone_features import zone_features

MAX_BYTES = 1_200_000_000  # of a design's features; beyond it, every second or third origin is taken
MAX_CHECKS = 1_500  # validation origins in a fold


class Design:
    """Features and outcomes of all intervals of a panel.

    Attributes
    ----------
    featuriser : Featuriser
    known : ndarray of int, shape (n,)
        Forecast origins, as last known positions, oldest first.
    rows : Rows
    outcome : ndarray of float32, shape (n, Z, S)
        Deviation from the usual at each step, in the zone's scale; `nan` where no reading followed.
    zone_features : ndarray, shape (Z, E)
        What each zone is like.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        steps: Sequence[int],
        neighbours: bool = True,
        reference: str = "usual",
    ) -> None:
        self.steps = tuple(steps)
        self.featuriser, history = Featuriser.fit(
            panel, target=target, zone_ids=zone_ids, neighbours=neighbours, reference=reference
        )
        n_zones = len(zone_ids)
        first = min(panel.steps_per_day, len(panel) // 12)
        layout = self.featuriser.layout(self.steps)
        each = 4 * n_zones * (len(layout.common) + len(self.steps) * (len(layout.ahead) + 1))
        stride = max(1, -(-(len(panel) - first) * each // MAX_BYTES))
        self.known = np.arange(first, len(panel) - 1, stride)
        self.rows = self.featuriser.rows(panel, self.known, self.steps, history=history)
        aim = self.known[:, None] + np.asarray(self.steps)
        grid = self.featuriser.deviation(panel, slice(0, len(panel)), np.arange(n_zones), history).astype(np.float32)
        self.outcome = np.ascontiguousarray(followed(grid, aim))
        self.zone_features = zone_features(panel, self.featuriser)


class Workbench:
    """Designs and validation features of one panel, target and set of zones, each made when first asked for.

    Parameters
    ----------
    panel : Panel
    target : str
    zone_ids : sequence of str
    steps : sequence of int or None
        Horizons in steps; None takes the anchors.
    neighbours : bool
        Whether neighbours' readings may be read.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        steps: Sequence[int] | None = None,
        neighbours: bool = True,
    ) -> None:
        self.panel, self.target, self.zone_ids, self.neighbours = panel, target, tuple(zone_ids), neighbours
        self.steps = anchor_steps(panel.step_s) if steps is None else tuple(steps)
        self._designs: dict[tuple[int, str], Design] = {}
        self._checks: dict[tuple[int, str], tuple[np.ndarray, Rows]] = {}

    def design(self, end: int, reference: str = "usual") -> Design:
        """Design of the first `end` intervals, later ones not read; `reference` as in `Featuriser`."""
        key = (end, reference)
        if key not in self._designs:
            self._designs[key] = Design(
                self.panel.until(end), target=self.target, zone_ids=self.zone_ids, steps=self.steps,
                neighbours=self.neighbours, reference=reference,
            )  # fmt: skip
        return self._designs[key]

    def validation_origins(self, fit_end: int, end: int) -> np.ndarray:
        """Last known positions of the origins that a fold is checked on, at most `MAX_CHECKS` of them."""
        stride = max(1, -(-(end - fit_end) // MAX_CHECKS))
        return np.arange(fit_end - 1, end - 1, stride)

    def validation_rows(self, design_end: int, known: np.ndarray, reference: str = "usual") -> Rows:
        """Features of a fold's validation origins, by the featuriser that knew the first `design_end` intervals."""
        key = (design_end, reference)
        if key not in self._checks or not np.array_equal(self._checks[key][0], known):
            design = self.design(design_end, reference)
            self._checks[key] = (known, design.featuriser.rows(self.panel, known, design.steps))
        return self._checks[key][1]
