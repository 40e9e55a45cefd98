"""Travel time that grows with flow: the formula of the Bureau of Public Roads, its integral and its derivative.

Source: Bureau of Public Roads (1964), Traffic Assignment Manual; the integral is the term of the objective in Beckmann,
McGuire & Winsten (1956), Studies in the Economics of Transportation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.errors import NetworkError

#: Coefficients of the Bureau of Public Roads (1964): 15 % longer at capacity, fourth power.
BPR_ALPHA, BPR_POWER = 0.15, 4.0
_SHOWN = 3


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Bpr:
    """Travel time t(q) = t0 (1 + alpha (q / capacity)^power) of every link.

    The unit of time is that of `free_time`, the unit of flow that of `capacity`; all outputs follow.

    Attributes
    ----------
    free_time : ndarray, shape (n_links,)
        Time on the empty link; 0 is allowed and means a link that costs no time at any flow.
    capacity : ndarray, shape (n_links,)
        Above 0 where time depends on flow.
    alpha : ndarray, shape (n_links,)
        At least 0.
    power : ndarray, shape (n_links,)
        0, or at least 1: between them the derivative at no flow would be infinite.

    Raises
    ------
    NetworkError
        Naming every fault.
    """

    free_time: np.ndarray
    capacity: np.ndarray
    alpha: np.ndarray
    power: np.ndarray

    def __post_init__(self) -> None:
        shape = np.broadcast_shapes(*(np.shape(getattr(self, name)) for name in self.__slots__))
        for name in self.__slots__:
            values = np.broadcast_to(np.asarray(getattr(self, name), dtype=float), shape)
            object.__setattr__(self, name, np.array(values, order="C"))  # its own: others may change theirs
        depends = (self.free_time > 0) & (self.alpha > 0)
        faults = [
            *_faults("free_time", self.free_time, self.free_time >= 0, "at least 0"),
            *_faults("alpha", self.alpha, self.alpha >= 0, "at least 0"),
            *_faults("power", self.power, (self.power == 0) | (self.power >= 1), "0, or at least 1"),
            *_faults("capacity", self.capacity, (self.capacity > 0) | ~depends, "above 0 where time depends on flow"),
        ]
        if faults:
            raise NetworkError("no travel time follows from these links: " + "; ".join(faults))

    def time(self, flow: np.ndarray) -> np.ndarray:
        """Time at a flow of at least 0, shape (n_links,)."""
        return np.asarray(self.free_time + self._growth * self._ratio(flow) ** self.power)

    def slope(self, flow: np.ndarray) -> np.ndarray:
        """Derivative by the flow, alpha t0 power / capacity (q / capacity)^(power - 1), shape (n_links,)."""
        power = np.where(self.power > 0, self.power, 1.0)
        slope = self._growth * self.power * self.per_capacity * self._ratio(flow) ** (power - 1.0)
        return np.asarray(slope)

    def integral(self, flow: np.ndarray) -> np.ndarray:
        """Integral of the time from no flow to `flow`, shape (n_links,).

        t0 (q + alpha capacity / (power + 1) (q / capacity)^(power + 1)), in time x flow.
        """
        flow = np.asarray(flow, dtype=float)
        return self.free_time * flow + self._growth * flow * self._ratio(flow) ** self.power / (self.power + 1.0)

    @property
    def _growth(self) -> np.ndarray:
        return np.asarray(self.free_time * self.alpha)

    @property
    def per_capacity(self) -> np.ndarray:
        """1 / capacity, 0 where there is none. Shape (n_links,)."""
        return np.divide(1.0, self.capacity, out=np.zeros_like(self.capacity), where=self.capacity > 0)

    def _ratio(self, flow: np.ndarray) -> np.ndarray:
        return np.maximum(np.asarray(flow, dtype=float), 0.0) * self.per_capacity


def system_optimum_time(time: Bpr) -> Bpr:
    """Marginal cost t + q dt/dq as a travel-time function: its user equilibrium is the system optimum of `time`.

    The derivative term alpha power t0 (q / capacity)^power has the form of the formula itself (Pigou 1920; Dafermos &
    Sparrow 1969, Journal of Research of the National Bureau of Standards 73B, 91-118).
    """
    return Bpr(
        free_time=time.free_time, capacity=time.capacity, alpha=time.alpha * (1.0 + time.power), power=time.power
    )


def _faults(name: str, values: np.ndarray, good: np.ndarray, allowed: str) -> list[str]:
    bad = np.flatnonzero(~(good & np.isfinite(values)))
    if not bad.size:
        return []
    shown = ", ".join(f"link {k} has {values[k]:g}" for k in bad[:_SHOWN])
    return [f"{name} must be finite and {allowed}: {shown} ({bad.size} such links)"]
