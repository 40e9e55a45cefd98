"""Progress on the terminal: one bar a step, shown only for steps that take a while."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

_NAMES = {
    "city": "City", "calibration": "Calibrating air", "simulation": "Simulating", "training": "Training",
    "comparison": "Comparing", "live": "Living the next day", "study": "Replications", "kernels": "Compiling traffic",
}  # fmt: skip
#: Steps that are others where readings stand in for a simulation.
_OF_READINGS = {"simulation": "Reading sensors", "live": "Newest day"}
_DELAY_S, _EVERY_S = 1.0, 0.25
_SHORT_S = {"kernels": 2.0}  # steps that are not worth a line when they took less


class Bars:
    """Called as a `Report`; draws on standard error, and tells of each step when it ends."""

    def __init__(self, *, quiet: bool = False, measured: bool = False) -> None:
        self._quiet = quiet
        self._names = _NAMES | (_OF_READINGS if measured else {})
        self._bar: tqdm[None] | None = None
        self._step = ""
        self._since = self._drawn = 0.0
        self._terminal = sys.stderr.isatty()  # elsewhere a line a step is enough
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(finished=kind is None)

    def __call__(self, step: str, done: float, total: float, message: str) -> None:
        """Show how far a step is."""
        if self._quiet:
            return
        if step != self._step:
            self._end(finished=True)
            self._step, self._since = step, time.perf_counter()
            if self._terminal:
                self._bar = self._new(step)
        self._last = message
        now = time.perf_counter()
        if self._bar is not None and now - self._since > _DELAY_S and now - self._drawn > _EVERY_S:
            self._drawn = now
            self._bar.n = round(100 * done / max(total, 1e-9))
            self._bar.set_postfix_str(message)

    def _new(self, step: str) -> tqdm[None]:
        return tqdm(
            total=100, desc=self._names.get(step, step), delay=_DELAY_S, leave=False, file=sys.stderr,
            bar_format="{desc:<20} {percentage:3.0f} % |{bar:24}| {postfix}",
        )  # fmt: skip

    def _end(self, *, finished: bool) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if finished and self._step:
            taken = time.perf_counter() - self._since
        if finished and self._step and taken >= _SHORT_S.get(self._step, 0.0):
            tqdm.write(f"{self._names.get(self._step, self._step):<20} {taken:6.1f} s  {self._last}", file=sys.stderr)
        self._step = ""
