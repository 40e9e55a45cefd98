"""Robustness: what bad readings do to forecasts, and what a simple defence saves.

Read `disturbances` (faults that a sensor, a clock, a unit or a stranger may cause, put into a panel on purpose),
`adversary` (the worst readings within a sensor's tolerance), `habits` (what is usual in a zone and between it and its
companions), `checks` (which readings do not fit), `defence` (a panel cleaned of them, with a log), `guarded` (forecasts
from a cleaned panel, with wider intervals where a sensor cannot be believed) and `growth` (how much errors grow).
All of it looks back only: a reading is judged by what was known when it came.
"""

from __future__ import annotations

from models.robustness.adversary import worst_within
from models.robustness.defence import LOG_COLUMNS, Cleaned, Defence
from models.robustness.disturbances import KINDS, Disturbance, apart, disturbed
from models.robustness.growth import Growth, error_growth
from models.robustness.guarded import Fallback, guarded_forecast
from models.robustness.habits import Habits

__all__ = [
    "KINDS",
    "LOG_COLUMNS",
    "Cleaned",
    "Defence",
    "Disturbance",
    "Fallback",
    "Growth",
    "Habits",
    "apart",
    "disturbed",
    "error_growth",
    "guarded_forecast",
    "worst_within",
]
