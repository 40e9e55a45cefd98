"""The part `detectors`: what a detector is shown, and how its calls are counted."""

from __future__ import annotations

import numpy as np
import pytest

from app.benchmarks.life.detectors import _calls, _told


class Above:
    """Calls where a value lies above its setting."""

    def __init__(self, limit: float) -> None:
        self.limit, self.drift_detected = limit, False

    def update(self, value: float) -> None:
        self.drift_detected = value > self.limit


def test_a_gap_is_shown_as_the_usual_and_sizes_as_logarithms():
    """Sizes 1 and e: logarithms 0 and 1, their mean 0.5 stands for the gap; an error of 0 counts as 0.05."""
    z = np.array([[1.0, 0.0], [-np.e, 0.0], [np.nan, 0.0]])
    assert _told(z, "variance")[:, 0] == pytest.approx([0.0, 1.0, 0.5])
    assert _told(z, "variance")[:, 1] == pytest.approx(np.log(0.05))
    assert _told(z, "mean")[:, 0] == pytest.approx([1.0, -np.e, (1 - np.e) / 2])


def test_calls_of_all_zones_are_counted():
    """Three errors above 2 in two zones."""
    z = np.array([[3.0, 0.0], [1.0, 2.5], [2.5, -3.0]])
    assert _calls(Above, 2.0, z, "mean") == 3
