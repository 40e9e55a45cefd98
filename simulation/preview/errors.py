"""What can go wrong with a preview."""

from __future__ import annotations

from simulation.errors import SimulationError


class PreviewError(SimulationError, ValueError):
    """A preview that cannot be learned, read or asked: too few scenarios, another city, a quantity it does not know."""
