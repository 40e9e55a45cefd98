"""The scale that a target is modelled on: square roots for counts and concentrations, speeds as they are.

Flows and concentrations scatter more the higher they are; their square roots scatter about evenly, which a line and
an interval need. Forecast quantiles go back unchanged in meaning, since the square root is monotone.

References
----------
Bartlett (1936), doi:10.2307/2983678; Anscombe (1948), doi:10.1093/biomet/35.3-4.246 (counts).
"""

from __future__ import annotations

import numpy as np

_AS_IT_IS = ("speed_mps", "travel_time_index", "delay_s_per_km")


def to_scale(target: str, values: np.ndarray) -> np.ndarray:
    """Values on the model's scale; negative readings count as 0, `nan` stays."""
    values = np.asarray(values, dtype=float)
    return values if target in _AS_IT_IS else np.sqrt(np.maximum(values, 0.0))


def from_scale(target: str, values: np.ndarray) -> np.ndarray:
    """Inverse of `to_scale`: values in the target's unit, not negative."""
    floored = np.maximum(values, 0.0)
    return floored if target in _AS_IT_IS else floored**2
