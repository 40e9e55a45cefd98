"""What can go wrong in a simulation, each with a text for the person who gave the input."""

from __future__ import annotations

from data.errors import ZonewiseError


class SimulationError(ZonewiseError):
    """Root of the simulation's own errors."""


class NetworkError(SimulationError, ValueError):
    """A street network that no vehicle could use: impossible speeds, capacities, densities or ids."""


class DemandError(SimulationError, ValueError):
    """Trips that cannot be made: negative numbers, unknown zones, no street to start from."""


class RunError(SimulationError, ValueError):
    """A run that was asked for with impossible options, or a state that belongs to another city."""


class StudyCancelled(SimulationError, RuntimeError):
    """The caller asked a study to stop; finished replications were reported before."""
