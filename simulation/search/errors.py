"""What can go wrong with a search."""

from __future__ import annotations

from simulation.errors import SimulationError


class SearchError(SimulationError, ValueError):
    """A search that cannot be made: unknown objectives, candidates that are not told, a budget that allows nothing."""
