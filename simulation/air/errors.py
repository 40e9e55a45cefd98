"""What can go wrong with air: a fleet without vehicles, weather that does not cover the run."""

from __future__ import annotations

from simulation.errors import SimulationError


class AirError(SimulationError, ValueError):
    """Air cannot be computed from what was given."""


class FleetError(AirError):
    """A fleet whose shares, fuels or vehicles make no sense."""


class WeatherError(AirError):
    """Weather that does not cover the time asked for, or is not hourly."""
