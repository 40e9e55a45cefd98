"""Outlook: where a zone is heading, what its forecast rests on, and what to do about it, in plain words.

Read `daily` (days free of the hour and the weekday), `memory` (how much a day resembles the one before), `trend` (a
steady change), `changepoints` (sudden ones), `drivers` (what a forecast leans on), `upkeep` (train again, look at the
sensor, or leave it), `sensors` (where another sensor would tell most) and `report`, which brings all of it to one table
and to sentences. Every claim carries its doubt.
"""

from __future__ import annotations

from models.outlook.changepoints import Change, changes
from models.outlook.daily import Daily
from models.outlook.report import Outlook, outlook
from models.outlook.sensors import sensor_worth
from models.outlook.trend import Trend, trend

__all__ = ["Change", "Daily", "Outlook", "Trend", "changes", "outlook", "sensor_worth", "trend"]
