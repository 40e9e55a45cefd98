"""Part `detectors`: the monitor beside River's drift detectors, on the same errors and with the same false alarms.

Quarter-hour errors of SCATS, standardised by the monitor's reference. A detector of River watches one number a step:
the error for a shift of the mean, the logarithm of its size for a change of spread. Its setting is the most sensitive
of a grid that stays within the allowed false alarms on the reference, whose zone-days are put in random order; then it
is asked what the monitor is asked in part `drift`: how often it calls on held-out zone-days where nothing changes, and
how many clear changes it finds within a day. River's KSWIN is left out: a test of two samples at every step takes it
half a millisecond, hours for as many zone-years.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.life.drift import SHIFTS, Watched, found_share, pooled_days, shifted, shuffled_days, watch
from app.benchmarks.models.panels import load
from data.errors import InputError
from models.monitoring import Series

Array = np.ndarray
Make = Callable[[float], Any]
MOST_FALSE = 0.5
ZONES, DAYS = 60, 180  # of each made series: thirty zone-years
REPEATS = 3
ASKED = ("mean +2 SD for a day", "variance x 3 for a day")
_CLIP, _LEAST = 4.0, 0.05  # standardised errors count at most and at least so much


def _detectors() -> dict[str, tuple[Make, Sequence[float]]]:
    """What makes a detector from its setting, and the settings from sensitive to patient."""
    try:
        from river import drift
    except ImportError as error:
        raise InputError("River is not installed: pip install river") from error
    return {
        "ADWIN": (lambda delta: drift.ADWIN(delta=delta, clock=4), tuple(10.0 ** -np.arange(2, 40, 2))),
        "Page-Hinkley": (
            lambda threshold: drift.PageHinkley(
                min_instances=96, delta=0.25, threshold=threshold, alpha=0.9999, mode="both"
            ),
            (10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0, 160.0, 240.0),
        ),
    }


def measure(*, seed: int) -> dict[str, Any]:
    """Detection and false alarms of each detector with the setting that its reference asks for."""
    detectors = _detectors()
    bench = load("scats")
    one = watch(bench, bench.target, seed=seed)
    rng = np.random.default_rng(seed)
    calm = {"reference": _calm(one, one.before, rng), "held-out": _calm(one, one.after, rng)}
    years = ZONES * DAYS / 365.25
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"zone_years": years, "settings": {}}
    for asked in ASKED:
        kind = SHIFTS[asked][0]
        monitor = [found_share(one, *SHIFTS[asked], seed=seed * 100 + k) for k in range(REPEATS)]
        delay = np.concatenate([found["delay"][~found["before"]] for found in monitor])
        figures += _figures(f"detectors: {asked}, the monitor (all its kinds)", delay, None, seed)
        for name, (make, grid) in detectors.items():
            setting = next(
                (s for s in grid if _calls(make, s, calm["reference"], kind) <= MOST_FALSE * years), grid[-1]
            )
            false = _calls(make, setting, calm["held-out"], kind) / years
            delay = np.concatenate([_delays(make, setting, one, asked, seed * 100 + k) for k in range(REPEATS)])
            figures += _figures(f"detectors: {asked}, {name} of River", delay, false, seed)
            told["settings"][f"{name}, {kind}"] = setting
    return {"figures": figures, **told}


def _figures(head: str, delay: Array, false: float | None, seed: int) -> list[dict[str, Any]]:
    known = delay[np.isfinite(delay)]
    made = [
        figure(f"{head}, found within 24 h", float((delay <= 24).mean()), "1", n=delay.size, seed=seed),
        figure(f"{head}, median delay", float(np.median(known)) if known.size else float("nan"), "h"),
    ]
    if false is not None:
        made.append(figure(f"{head}, false alarms per zone-year", false, "1/a", n=round(ZONES * DAYS / 365.25)))
    return made


def _calm(one: Watched, series: Series, rng: np.random.Generator) -> Array:
    """Standardised errors (n, ZONES) of a series' zone-days in random order."""
    made = pooled_days(_with(one, series), DAYS, rng)
    return one.reference.standardised(made, _CLIP)[0][:, :ZONES]


def _with(one: Watched, series: Series) -> Watched:
    """The same with another held-out part."""
    return Watched(one.name, one.target, one.zone_ids, one.reference, one.before, series)


def _told(z: Array, kind: str) -> Array:
    """What a detector watches, a gap as the usual."""
    size = np.clip(np.abs(z), _LEAST, _CLIP)
    seen = z if kind == "mean" else np.log(size)
    return np.where(np.isfinite(seen), seen, np.nanmean(seen, axis=0))


def _calls(make: Make, setting: float, z: Array, kind: str) -> int:
    """Alarms of all zones together; a detector begins anew after each."""
    seen, count = _told(z, kind), 0
    for zone in range(seen.shape[1]):
        detector = make(setting)
        for value in seen[:, zone].tolist():
            detector.update(value)
            count += detector.drift_detected
    return count


def _delays(make: Make, setting: float, one: Watched, asked: str, seed: int) -> Array:
    """Hours from a change to the first alarm after it, `nan` where none came; zones as in part `drift`."""
    kind, size, days = SHIFTS[asked]
    rng = np.random.default_rng(seed)
    per_day = 86_400 // one.after.step_s
    series = shuffled_days(one.after, 13, rng)
    start = 8 * per_day + rng.integers(0, per_day, len(one.zone_ids))
    sd = np.nanstd(np.clip(one.after.error, -50, 50), axis=0)
    changed = shifted(series, kind, size, start, round(days * per_day), sd)
    seen = _told(one.reference.standardised(changed, _CLIP)[0], kind)
    found = np.full(len(one.zone_ids), np.nan)
    for zone in range(len(one.zone_ids)):
        detector = make(setting)
        for step, value in enumerate(seen[:, zone].tolist()):
            detector.update(value)
            if detector.drift_detected and step >= start[zone]:
                found[zone] = (step - start[zone] + 1) * series.step_s / 3600
                break
    return found
