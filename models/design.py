"""Design: the rows that a family learns from, made once and shared by all families of some zones and a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from models.featuriser import Featuriser
from models.horizons import anchor_steps, followed
from models.panel import Panel
from models.rows import Rows
from models.zone_features import zone_features

#: Bytes of a design's features held at once. Beyond it, who learns from all zones takes every second or third origin,
#: and who learns zone by zone takes all origins of some zones after others, `TURN_BYTES` at a time (both assumed).
MAX_BYTES, TURN_BYTES = 1_200_000_000, 300_000_000
#: Validation origins in a fold, at most: as many as hold so many numbers to be forecast, and no fewer than the second.
CHECK_CELLS, MAX_CHECKS = 2_000_000, 1_500


class Design:
    """Features and outcomes of all intervals of a panel.

    Attributes
    ----------
    featuriser : Featuriser
    known : ndarray of int, shape (n,)
        Forecast origins of `rows`, as last known positions, oldest first: all, or a part where all would be too large.
    rows : Rows
        Made when first asked for.
    outcome : ndarray of float32, shape (n, Z, S)
        Deviation from the usual at each step, in the zone's scale; `nan` where no reading followed.
    every : ndarray of int
        All origins, those of `turns`.
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
        self.steps, self.panel = tuple(steps), panel
        self.featuriser, self._history = Featuriser.fit(
            panel, target=target, zone_ids=zone_ids, neighbours=neighbours, reference=reference
        )
        first = min(panel.steps_per_day, len(panel) // 12)
        self.every = np.arange(first, len(panel) - 1)
        self.bytes_each = bytes_of(self.featuriser, self.steps)
        self.known = self.every[:: max(1, -(-self.every.size * len(zone_ids) * self.bytes_each // MAX_BYTES))]
        self.zone_features = zone_features(panel, self.featuriser)

    @cached_property
    def rows(self) -> Rows:
        return self.featuriser.rows(self.panel, self.known, self.steps, history=self._history)

    @cached_property
    def outcome(self) -> np.ndarray:
        return self._outcome(self.known, np.arange(len(self.featuriser.zone_ids)))

    @property
    def large(self) -> bool:
        """Whether `rows` leave origins out, so that `turns` have more."""
        return self.known.size < self.every.size

    def turns(self) -> Iterator[tuple[np.ndarray, Rows, np.ndarray]]:
        """Places of some zones, all their rows and outcomes, one part of the zones after the other."""
        width = zones_a_turn(self.every.size, self.bytes_each)
        for first in range(0, len(self.featuriser.zone_ids), width):
            places = np.arange(first, min(first + width, len(self.featuriser.zone_ids)))
            rows = self.featuriser.rows(self.panel, self.every, self.steps, places, self._history)
            yield places, rows, self._outcome(self.every, places)

    def _outcome(self, known: np.ndarray, places: np.ndarray) -> np.ndarray:
        aim = known[:, None] + np.asarray(self.steps)
        grid = self.featuriser.deviation(self.panel, slice(0, len(self.panel)), places, self._history)
        return np.ascontiguousarray(followed(grid.astype(np.float32), aim))


def bytes_of(featuriser: Featuriser, steps: Sequence[int]) -> int:
    """What the features and outcomes of one origin and zone take."""
    layout = featuriser.layout(steps)
    return 4 * (len(layout.common) + len(layout.steps) * (len(layout.ahead) + 1))


def zones_a_turn(origins: int, each: int) -> int:
    """How many zones' features are held at once, at least one."""
    return max(1, TURN_BYTES // max(origins * each, 1))


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
        """Last known positions of the origins that a fold is checked on: all of them, up to a bound."""
        most = max(MAX_CHECKS, CHECK_CELLS // (len(self.zone_ids) * len(self.steps)))
        stride = max(1, -(-(end - fit_end) // most))
        return np.arange(fit_end - 1, end - 1, stride)

    def validation_turns(self, design_end: int, known: np.ndarray, reference: str = "usual") -> list[np.ndarray] | None:
        """Places of zones whose validation features are made one part after the other; None where all fit at once."""
        featuriser, zones = self.design(design_end, reference).featuriser, len(self.zone_ids)
        each = bytes_of(featuriser, self.steps)
        if zones * known.size * each <= MAX_BYTES:
            return None
        width = zones_a_turn(known.size, each)
        return [np.arange(first, min(first + width, zones)) for first in range(0, zones, width)]

    def validation_rows(self, design_end: int, known: np.ndarray, reference: str = "usual") -> Rows:
        """Features of a fold's validation origins, by the featuriser that knew the first `design_end` intervals."""
        key = (design_end, reference)
        if key not in self._checks or not np.array_equal(self._checks[key][0], known):
            design = self.design(design_end, reference)
            self._checks[key] = (known, design.featuriser.rows(self.panel, known, design.steps))
        return self._checks[key][1]
