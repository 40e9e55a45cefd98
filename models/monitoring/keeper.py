"""The keeper of one zone's model: day by day it asks a policy whether to train again, and does.

`policies.replay` asks the same for all zones of a panel at once; a keeper serves an agent that lives with its zone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from models.contract import Forecaster
from models.errors import ModelError
from models.monitoring.monitor import Monitor
from models.monitoring.policies import Lessons, Policy, better
from models.panel import Panel


@dataclass
class Keeper:
    """Trains one zone's micromodel again, when its policy says so.

    Parameters
    ----------
    policy : Policy
    model : Forecaster
        Of one zone, as it went into service.
    monitor : Monitor or None
        Of that zone, needed by the policy `on drift`; its alarms are lessons, and it begins anew after a training.

    Attributes
    ----------
    serving : Forecaster
        The model in service.
    trained : list of int
        Positions at which it was trained again.
    cpu_s : float
        Processor seconds of training, trials of models that were not kept included.
    """

    policy: Policy
    model: Forecaster
    monitor: Monitor | None = None
    trained: list[int] = field(default_factory=list, init=False)
    cpu_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.serving = self.model.bare()
        self._lessons = Lessons(1)
        self._days = 0

    def day_ended(self, panel: Panel, end: int) -> Forecaster | None:
        """The model trained again, where the policy asks for it; None where the one in service stays.

        Parameters
        ----------
        panel : Panel
            Of which the first `end` intervals are known.
        end : int
            One day after that of the call before.
        """
        self._days += 1
        begun = time.process_time()
        new = self._trained(panel, end)
        self.cpu_s += time.process_time() - begun
        if new is not None:
            self.serving = new
            self.trained.append(end)
        return new

    def _trained(self, panel: Panel, end: int) -> Forecaster | None:
        if self.policy.kind == "fixed" and self._days % self.policy.every_days == 0:
            try:
                return self.serving.refit(panel.until(end), train_end=panel.origin(end - 1))
            except ModelError:
                return None  # too little was read of late
        if self.policy.kind != "on drift" or self.monitor is None:
            return None
        self._lessons.note(self.monitor, panel)
        for _, since in self._lessons.due(end, panel.steps_per_day):
            new = better(self.model, self.serving, 0, panel, since, end)
            if new is not None:
                self.monitor.rebase(self.monitor.reference.pick(np.array([0])), np.array([0]))
                return new
        return None
