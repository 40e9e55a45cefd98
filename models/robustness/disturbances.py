"""Disturbances: faults put into a panel's readings on purpose, at known places and times, drawn from a seed.

What a fault does to a reading depends on readings up to its own time alone, so that a disturbed panel is one that a
service could have received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import PanelError, SettingsError
from models.panel import Panel

#: Kinds, and what the strength of each counts.
KINDS: dict[str, str] = {
    "noise": "signal to noise, dB: the spread of the zone's readings over that of the noise",
    "gaps": "share of readings lost, at random",
    "blocks": "hours that each silence lasts; silences take half of the time",
    "silent": "hours since the sensor's last reading; 0 for the whole time",
    "stuck": "hours after which the sensor repeats its last reading; 0 from the start",
    "bias": "added to each reading, in standard deviations of the zone's readings",
    "drift": "added per day, growing from 0, in standard deviations of the zone's readings",
    "replay": "days ago that the readings shown are of",
    "late": "minutes by which the clock is wrong: a reading is shown that much after it was taken",
    "factor": "what each reading is multiplied by, e.g. 1.609 where miles are taken for kilometres",
}
_LEAST: dict[str, float] = {"noise": -60.0, "bias": -100.0, "drift": -100.0}


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """One fault.

    Attributes
    ----------
    kind : str
        Key of `KINDS`.
    strength : float
        See `KINDS`.

    Raises
    ------
    SettingsError
        For a kind that does not exist, or a strength that its kind cannot have.
    """

    kind: str
    strength: float

    def __post_init__(self) -> None:
        faults = []
        if self.kind not in KINDS:
            faults.append(f"there is no disturbance {self.kind!r}; there are {', '.join(KINDS)}")
        elif not np.isfinite(self.strength) or self.strength < _LEAST.get(self.kind, 0.0):
            faults.append(
                f"strength {self.strength!r} of {self.kind!r} must be a number of at least"
                f" {_LEAST.get(self.kind, 0.0):g} ({KINDS[self.kind]})"
            )
        if self.kind == "gaps" and self.strength > 1:
            faults.append(f"strength {self.strength:g} of 'gaps' is a share: at most 1")
        if self.kind in ("blocks", "replay", "factor") and self.strength == 0:
            faults.append(f"strength of {self.kind!r} must be above 0")
        if faults:
            raise SettingsError("; ".join(faults))

    def __str__(self) -> str:
        return f"{self.kind} {self.strength:g}"


def disturbed(
    panel: Panel,
    target: str,
    disturbance: Disturbance,
    *,
    zone_ids: Sequence[str],
    episodes: Sequence[tuple[int, int]],
    seed: int,
) -> Panel:
    """The panel with a fault in some zones during some episodes.

    Parameters
    ----------
    panel : Panel
        Not changed.
    target : str
    disturbance : Disturbance
    zone_ids : sequence of str
        Zones whose sensor is at fault.
    episodes : sequence of (int, int)
        First position and the one after the last, of each time that the fault lasts.
    seed : int

    Raises
    ------
    PanelError
        If the panel has no such target, or an episode lies outside of it.
    """
    if target not in panel.values:
        raise PanelError(f"the panel has no '{target}'; it has {sorted(panel.values)}")
    wrong = [pair for pair in episodes if not 0 <= pair[0] < pair[1] <= len(panel)]
    if wrong:
        raise PanelError(f"episodes {wrong[:3]} must lie within 0 to {len(panel)}, the first before the last")
    columns = panel.columns(list(zone_ids))
    grid = panel.values[target].copy()
    clean = panel.values[target][:, columns]
    spread = np.nanstd(clean, axis=0)
    rng = np.random.default_rng(seed)
    for begin, end in episodes:
        grid[begin:end, columns] = _told(disturbance, clean, begin, end, spread, panel.step_s, rng)
    return replace(panel, values={**panel.values, target: grid})


def apart(panel: Panel, zone_ids: Sequence[str], *, seed: int, most: int | None = None) -> tuple[str, ...]:
    """Zones of which no two are neighbours, in random order of choice: each keeps sound sensors around it."""
    columns = panel.columns(list(zone_ids))
    rng = np.random.default_rng(seed)
    linked = (panel.neighbours > 0) | (panel.neighbours.T > 0)
    chosen: list[int] = []
    for place in rng.permutation(columns.size):
        if not linked[columns[place], columns[chosen]].any() if chosen else True:
            chosen.append(int(place))
        if most is not None and len(chosen) == most:
            break
    return tuple(zone_ids[k] for k in sorted(chosen))


def _told(
    fault: Disturbance, clean: np.ndarray, begin: int, end: int, spread: np.ndarray, step_s: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """What sensors say from `begin` to `end`, shape (end - begin, n), where `clean` (T, n) was so."""
    true, strength = clean[begin:end], fault.strength
    n = len(true)
    hours = np.arange(1, n + 1)[:, None] * step_s / 3600
    if fault.kind == "noise":
        return np.maximum(true + rng.standard_normal(true.shape) * spread * 10 ** (-strength / 20), 0.0)
    if fault.kind == "gaps":
        return np.where(rng.random(true.shape) < strength, np.nan, true)
    if fault.kind == "blocks":
        turn = hours + rng.random(true.shape[1]) * 2 * strength
        return np.where(turn % (2 * strength) < strength, np.nan, true)
    if fault.kind == "silent":
        return np.where(hours > strength, np.nan, true)
    if fault.kind == "stuck":
        held = np.clip(begin + int(strength * 3600 // step_s) - 1, 0, end - 1)
        heard = np.where(np.isfinite(clean[: held + 1]), np.arange(held + 1)[:, None], 0).max(axis=0)
        last = np.take_along_axis(clean, heard[None], axis=0)
        return np.where(np.arange(begin, end)[:, None] > held, last, true)
    if fault.kind == "bias":
        return np.maximum(true + strength * spread, 0.0)
    if fault.kind == "drift":
        return np.maximum(true + strength * hours / 24 * spread, 0.0)
    if fault.kind == "factor":
        return true * strength
    back = round(strength * 86_400 / step_s) if fault.kind == "replay" else round(strength * 60 / step_s)
    return clean[np.maximum(np.arange(begin, end) - back, 0)]
