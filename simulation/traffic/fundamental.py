"""The flow-density relation of a link: triangular, in the vehicle form that the kernel uses."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.errors import NetworkError


@dataclass(frozen=True, slots=True, kw_only=True)
class FundamentalDiagram:
    """Triangular flow-density relation of a link over all its lanes (Newell 1993, doi:10.1016/0191-2615(93)90038-C)."""

    free_flow_speed: float  # m/s
    capacity: float  # veh/s
    jam_density: float  # veh/m, above the density at capacity

    def __post_init__(self) -> None:
        if min(self.free_flow_speed, self.capacity, self.jam_density) <= 0:
            raise NetworkError(
                f"free_flow_speed={self.free_flow_speed:g} m/s, capacity={self.capacity:g} veh/s and"
                f" jam_density={self.jam_density:g} veh/m must all be above 0"
            )
        if self.jam_density <= self.critical_density:
            raise NetworkError(
                f"jam_density={self.jam_density:g} veh/m must exceed capacity / free_flow_speed"
                f" = {self.critical_density:g} veh/m; was capacity given per hour?"
            )

    @property
    def critical_density(self) -> float:
        """Density at capacity, veh/m."""
        return self.capacity / self.free_flow_speed

    @property
    def wave_speed(self) -> float:
        """Speed at which the tail of a queue moves upstream, m/s."""
        return self.capacity / (self.jam_density - self.critical_density)

    def flow(self, density: float) -> float:
        """Stationary flow at a density in veh/m, veh/s; zero outside [0, jam density]."""
        free = self.free_flow_speed * density
        congested = self.wave_speed * (self.jam_density - density)
        return max(0.0, min(free, congested))
