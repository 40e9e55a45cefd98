"""The lights of a living city: fixed plans, lights that a process controls, and what such processes remember.

A process that controls signals claims its links by `keep`, sets their lights by `set`, and gives them back to their
plans by `drop`. What it keeps is part of a run's final state, and so is what its lights show.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulation.errors import RunError
from simulation.traffic.engine import TrafficEngine
from simulation.traffic.network import LinkArrays

#: A light that is told when to change: with this cycle and green it stays as it is for longer than any run, s.
FOREVER_S = 1e9


class Lights:
    """Signals at the ends of links.

    Parameters
    ----------
    base : LinkArrays
        The links as measures find them; its signals are changed in place, so that whatever rebuilds the links of the
        engine leaves the lights as they are.
    engine : TrafficEngine
    """

    def __init__(self, base: LinkArrays, engine: TrafficEngine) -> None:
        self._base, self._engine = base, engine
        self._plan = np.stack([base.cycle_s, base.green_start_s, base.green_s])  # the fixed plans in force, (3, n)
        self._held = np.zeros(base.cycle_s.size, dtype=bool)  # links whose lights a process controls
        self._kept: dict[str, tuple[Mapping[str, np.ndarray], np.ndarray]] = {}
        self._saved: dict[str, np.ndarray] = {}
        self._orphans = np.zeros(0, dtype=np.int64)

    def retime(
        self,
        links: np.ndarray,
        cycle_s: float | np.ndarray,
        green_start_s: float | np.ndarray,
        green_s: float | np.ndarray,
    ) -> None:
        """Give links another fixed plan; a cycle of 0 is no signal. Controlled lights follow it when they are dropped.

        Raises
        ------
        RunError
            If a green does not fit its cycle.
        """
        cycle, green = np.broadcast_arrays(np.asarray(cycle_s, dtype=float), np.asarray(green_s, dtype=float))
        wrong = ~((cycle == 0) | ((cycle > 0) & (green > 0) & (green <= cycle)))
        if wrong.any():
            raise RunError(
                f"a plan needs 0 < green_s <= cycle_s; found green {green[wrong][0]:g} s in {cycle[wrong][0]:g} s"
            )
        self._plan[0, links], self._plan[1, links], self._plan[2, links] = cycle_s, green_start_s, green_s
        self._show_plan(links[~self._held[links]])

    def turn(self, links: np.ndarray, *, green: bool, now_s: float) -> None:
        """Turn lights green, or red, until told otherwise; for links that were claimed by `keep`."""
        if links.size:
            self._set(links, FOREVER_S, now_s if green else 0.0, FOREVER_S if green else 0.0)

    def plan(self, links: np.ndarray) -> np.ndarray:
        """Cycle, begin of green and green of the fixed plans in force, s. Shape (3, k)."""
        return self._plan[:, links].copy()

    def keep(self, name: str, arrays: Mapping[str, np.ndarray], links: np.ndarray) -> bool:
        """Keep a process's arrays with the city's state; in a run that goes on, fill them with what was saved.

        Parameters
        ----------
        name : str
            The same in both runs, without a dot.
        arrays : mapping of arrays
            Changed in place by the process from now on.
        links : ndarray of int64
            Links whose lights the process controls: nobody else may, and a run that goes on finds them as they were.

        Returns
        -------
        bool
            Whether the arrays were filled.

        Raises
        ------
        RunError
            If the name is taken, another process controls a link, or what was saved has other arrays.
        """
        rivals = [other for other, (_, theirs) in self._kept.items() if np.isin(links, theirs).any()]
        if name in self._kept or rivals or "." in name:
            why = f"{rivals[0]!r} controls some of its links" if rivals else "the name is taken or has a dot"
            raise RunError(f"{name!r} cannot be kept: {why}; let one process control a signal")
        saved = {key: self._saved[f"{name}.{key}"] for key in arrays if f"{name}.{key}" in self._saved}
        if saved and (len(saved) < len(arrays) or any(a.shape != arrays[key].shape for key, a in saved.items())):
            raise RunError(f"the state has other arrays of {name!r} than this run; resume with the same processes")
        self._kept[name] = arrays, links
        self._held[links] = True
        for key, old in saved.items():
            arrays[key][...] = old
        return bool(saved)

    def drop(self, name: str) -> None:
        """End what `keep` began; lights go back to their fixed plans."""
        _, links = self._kept.pop(name)
        self._held[links] = False
        self._show_plan(links)

    def state(self) -> dict[str, np.ndarray]:
        """What processes keep, and the lights that they control."""
        base, held = self._base, np.flatnonzero(self._held)
        lights = np.stack([base.cycle_s[held], base.green_start_s[held], base.green_s[held]])
        arrays = {f"{name}.{key}": a.copy() for name, (own, _) in self._kept.items() for key, a in own.items()}
        return {"held": held, "lights": lights, **arrays}

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """After the engine's restore: arrays wait for `keep`, controlled lights are as they were."""
        self._saved = dict(saved)
        held, base = self._saved.pop("held", np.zeros(0, dtype=np.int64)), self._base
        if held.size:
            base.cycle_s[held], base.green_start_s[held], base.green_s[held] = self._saved.pop("lights")
        self._orphans = held

    def release_orphans(self) -> None:
        """Give lights that a process of the earlier run controlled, and none of this run does, their plans back."""
        self._show_plan(self._orphans[~self._held[self._orphans]])

    def _show_plan(self, links: np.ndarray) -> None:
        if links.size:
            self._set(links, *self._plan[:, links])

    def _set(
        self,
        links: np.ndarray,
        cycle_s: float | np.ndarray,
        green_start_s: float | np.ndarray,
        green_s: float | np.ndarray,
    ) -> None:
        base = self._base
        base.cycle_s[links], base.green_start_s[links], base.green_s[links] = cycle_s, green_start_s, green_s
        self._engine.set_signals(links, cycle_s=cycle_s, green_start_s=green_start_s, green_s=green_s)
