"""What can go wrong with noise: impossible traffic, receptors or options."""

from __future__ import annotations

from simulation.errors import SimulationError


class NoiseError(SimulationError, ValueError):
    """Noise cannot be computed from what was given."""
