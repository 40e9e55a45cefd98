"""Noise of road traffic: from the flow and speed of links to levels at facades and people who live with them.

Read `cnossos` (what vehicles sound like), `propagation` (how it reaches receptors), `levels` (`NoiseModel`: traffic to
hourly levels), then `indicators` (Lday, Levening, Lnight, Lden and exposure). `crtn` is an independent check.
A simple method for comparing scenarios, not one for legal noise maps: one kind of ground and road surface, houses by
their density alone.
"""

from __future__ import annotations

from simulation.noise.cnossos import OCTAVES_HZ, ROUNDABOUT, SIGNAL, junction_gain, vehicle_level
from simulation.noise.errors import NoiseError
from simulation.noise.indicators import daily_lden, exposure, lden
from simulation.noise.levels import BACKGROUND_DB, NoiseModel, flow_and_speed
from simulation.noise.propagation import Segments, Transfer, transfer

__all__ = [
    "BACKGROUND_DB", "OCTAVES_HZ", "ROUNDABOUT", "SIGNAL", "NoiseError", "NoiseModel", "Segments", "Transfer",
    "daily_lden", "exposure", "flow_and_speed", "junction_gain", "lden", "transfer", "vehicle_level",
]  # fmt: skip
