"""The clock of a living city: SimPy's, with an order of processes that are due at one instant."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
import simpy


class Phase(float, Enum):
    """Order of processes that are due at the same instant; a plain `env.timeout` counts as a measure."""

    WEATHER = 0.5
    MEASURES = 1.0
    SIGNALS = 2.0
    DEMAND = 3.0
    SENSORS = 4.0
    AGENTS = 5.0


class At(simpy.Event):
    """A timeout with a phase."""

    def __init__(self, env: simpy.Environment, delay: float, phase: Phase) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=phase.value, delay=delay)  # type: ignore[arg-type]


class Clock(simpy.Environment):
    """SimPy's environment, with something to do before each new instant."""

    def __init__(self, initial_time: float, before: Callable[[float], None]) -> None:
        super().__init__(initial_time)
        self._before = before
        self._reached = -np.inf

    def step(self) -> None:
        """Handle the next event; first bring the city to its instant."""
        at = self.peek()
        if at > self._reached and at != np.inf:
            self._reached = at
            self._before(float(at))
        event = self._queue[0][3] if self._queue else None
        try:
            super().step()
        except BaseException:
            if event is None or event._ok:
                raise
            raise event._value from None  # SimPy raises a copy, which an error of several arguments does not survive
