"""What a monitor watches for, and how many false alarms a year its owner will put up with."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.errors import SettingsError

#: Kinds of alarm that tell of the forecaster or its world, and of the readings it is given.
WORLD_KINDS = ("mean", "variance", "pattern", "coverage", "drift")
INPUT_KINDS = ("missing", "stuck", "range")
KINDS = (*WORLD_KINDS, *INPUT_KINDS)

#: Windows in hours over which each kind is summed: a short one for large changes, a long one for small (assumed).
WINDOWS_H: dict[str, tuple[float, ...]] = {
    "mean": (6.0, 24.0), "variance": (18.0,), "pattern": (24.0, 72.0), "coverage": (72.0,),
    "drift": (24.0, 72.0),
}  # fmt: skip
PATTERN_BINS = 8  # stretches of three hours in which a day's pattern is told


@dataclass(frozen=True, kw_only=True)
class MonitorSettings:
    """How a monitor judges. Nothing here was chosen on data that is scored; what is assumed says so.

    Attributes
    ----------
    false_alarms_per_year : float
        Of all kinds together, in one zone for one target, as long as nothing changes.
    least : dict of str to float
        Change that is worth an alarm, by kind: `mean` in usual standard deviations of the error, `variance` as a ratio
        of variances, `pattern` as the standard deviation between stretches of the day in usual standard deviations,
        `coverage` as a share lost, `drift` as the readings' distance from the usual day in its standard deviations
        (assumed: about half of what anyone would call a clear change). The shorter windows of a kind need more, by
        the square root of the hours.
    release : float
        An alarm ends once its statistic has stayed below this share of its threshold for `quiet_h` hours (assumed).
    quiet_h : float
    clip : float
        An error counts as at most so many standard deviations, lest one broken reading ring the bell (assumed).
    missing_h, stuck_h : float
        Hours without a reading, or of the very same reading, that are never an alarm (assumed).
    range_share : float
        A reading is out of range this share of the reference's span beyond it (assumed).
    """

    false_alarms_per_year: float = 0.5
    least: dict[str, float] = field(
        default_factory=lambda: {"mean": 0.8, "variance": 1.8, "pattern": 0.7, "coverage": 0.15, "drift": 0.8}
    )
    release: float = 0.6
    quiet_h: float = 24.0
    clip: float = 4.0
    missing_h: float = 3.0
    stuck_h: float = 3.0
    range_share: float = 0.5

    def __post_init__(self) -> None:
        faults = []
        if not 0 < self.false_alarms_per_year <= 365:
            faults.append(f"false_alarms_per_year={self.false_alarms_per_year} must lie above 0 and at most at 365")
        if set(self.least) != set(WORLD_KINDS):
            faults.append(f"least must name {WORLD_KINDS}; found {tuple(self.least)}")
        elif self.least["variance"] <= 1 or min(self.least.values()) <= 0:
            faults.append(f"least={self.least}: all above 0, the ratio of variances above 1")
        if not 0 < self.release < 1:
            faults.append(f"release={self.release} must lie between 0 and 1")
        if self.clip < 2:
            faults.append(f"clip={self.clip} standard deviations must be at least 2")
        if min(self.quiet_h, self.missing_h, self.stuck_h) <= 0 or self.range_share < 0:
            faults.append("quiet_h, missing_h and stuck_h must be above 0, range_share not below")
        if faults:
            raise SettingsError("; ".join(faults))
