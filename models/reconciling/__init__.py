"""Reconciling: forecasts of zones, districts and the city that add up.

Read `hierarchy` (what adds up to what), `projection` (how forecasts that disagree are made to agree, arrays only) and
`reconciler` (models at every level, their errors, reconciled forecasts with intervals).
"""

from __future__ import annotations

from models.reconciling.hierarchy import CITY, Hierarchy, distance_and_time, upper_panel, weights_for
from models.reconciling.projection import METHODS, error_matrix, reconcile
from models.reconciling.reconciler import Reconciled, Reconciler, speed_of

__all__ = [
    "CITY",
    "METHODS",
    "Hierarchy",
    "Reconciled",
    "Reconciler",
    "distance_and_time",
    "error_matrix",
    "reconcile",
    "speed_of",
    "upper_panel",
    "weights_for",
]
