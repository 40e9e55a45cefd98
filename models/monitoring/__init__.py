"""Monitoring: is a forecaster still as good as when it was chosen, and if not, is it the sensor or the world?

Read `residuals` (what a forecaster got wrong, step by step), `reference` (what it usually gets wrong), `windows` (sums
of the last hours that change when something changes), `thresholds` (how large they must be to count, for a rate of
false alarms that was asked for), `inputs` (readings missing, stuck or out of range), `monitor` (all of it while time
runs), `alarms` (what is told, kept and acknowledged), `policies` (when to train again) and `keeper` (the same for one
zone, day by day). Arrays in, arrays out.
"""

from __future__ import annotations

from models.monitoring.alarms import ALARMS, Alarm, AlarmBook, alarm_table
from models.monitoring.fleet import followers, monitors, references, series_of_zones
from models.monitoring.keeper import Keeper
from models.monitoring.monitor import Monitor
from models.monitoring.reference import Reference, reference_of
from models.monitoring.residuals import Series, watched
from models.monitoring.settings import KINDS, MonitorSettings

__all__ = [
    "ALARMS",
    "KINDS",
    "Alarm",
    "AlarmBook",
    "Keeper",
    "Monitor",
    "MonitorSettings",
    "Reference",
    "Series",
    "alarm_table",
    "followers",
    "monitors",
    "reference_of",
    "references",
    "series_of_zones",
    "watched",
]
