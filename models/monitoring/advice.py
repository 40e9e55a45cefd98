"""What an alarm says to a person: how large, why, and what to do about it."""

from __future__ import annotations

from data.units import DISPLAY
from models.monitoring.settings import INPUT_KINDS, PATTERN_BINS

ADVICES = ("check the sensor", "retrain", "wait")
#: Other zones that are disturbed at the same time and make a fault of one sensor unlikely (assumed).
_TOGETHER = 2
#: A change must have lasted this long before there is something new to learn from, h (assumed).
LEARNABLE_H = 24.0


def size_text(kind: str, target: str, size: float, *, part: int = 0) -> str:
    """The size of a change in plain units, e.g. `12.3 km/h lower than forecast`."""
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 2, target))
    if kind in ("mean", "pattern"):
        way = "higher" if size > 0 else "lower"
        text = f"{abs(size) * factor:.{digits + 1}f} {unit} {way} than forecast"
        if kind == "pattern":
            hours = 24 // PATTERN_BINS
            text += f" from {part * hours:02d} to {(part + 1) * hours:02d} h"
        return text
    if kind == "drift":
        return f"readings {abs(size):.1f} times their usual scatter {'above' if size > 0 else 'below'} the usual day"
    if kind == "variance":
        return f"errors {size:.1f} times as large as usual"
    if kind == "coverage":
        return f"{100 * size:.0f} % of readings within the 90 % interval"
    return {"missing": f"no reading for {size:.1f} h", "stuck": f"the same reading for {size:.1f} h",
            "range": f"readings never seen before for {size:.1f} h"}[kind]  # fmt: skip


def told(kind: str, target: str, *, size_text: str, hours: float, others: int, zones: int) -> tuple[str, str]:
    """The reason in a sentence, and one of `ADVICES`.

    Parameters
    ----------
    kind, target : str
    size_text : str
    hours : float
        Since when the change stands.
    others : int
        Other zones that are disturbed at the same time, of those that are watched together.
    zones : int
        Zones watched together.

    Notes
    -----
    A fault of the readings calls for a look at the sensor. A change of level or pattern that several zones share is the
    world's: train again once it has lasted for a day. The same in one zone alone may be either; errors that scatter
    more without leaning to a side are a noisy sensor's before they are the world's.
    """
    name = DISPLAY[target][3] if target in DISPLAY else target
    begin = f"{name}: {size_text}"
    if kind in INPUT_KINDS:
        also = f"; {others} other zones too, so look at what they share (power, network)" if others >= _TOGETHER else ""
        return f"{begin}. The readings are at fault, not the model{also}.", "check the sensor"
    if others >= _TOGETHER:
        why = f"{others} of {zones - 1} other zones changed at the same time, so the world did, not one sensor"
        return f"{begin}. {why}.", "retrain" if hours >= LEARNABLE_H else "wait"
    if kind == "variance":
        return f"{begin}, on both sides, in this zone alone: a noisy sensor does that.", "check the sensor"
    alone = "no other zone shows it" if zones > 1 else "only this zone is watched here"
    if kind == "coverage":
        return f"{begin}: intervals are too narrow for what happens now; {alone}.", "retrain"
    if hours >= LEARNABLE_H:
        return f"{begin}, for a day and more; {alone}: if the sensor is sound, train again.", "retrain"
    return f"{begin}; {alone}. It began {hours:.0f} h ago: if it lasts, train again.", "wait"
