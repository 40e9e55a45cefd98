"""What can go wrong with key figures."""

from __future__ import annotations

from simulation.errors import SimulationError


class KpiError(SimulationError, ValueError):
    """Rates, groups, lines or limits that no figure can be made with."""
