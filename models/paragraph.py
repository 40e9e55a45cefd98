"""A forecast in plain sentences: what is expected, what the model looked at, how sure, and how it did so far.

What a model looked at is no cause: the sentences say that it "leaned on" a reading. What would happen if something
were changed is for scenarios to answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.units import DISPLAY
from models.errors import SettingsError
from models.importance import PLAIN, feature_groups

WORTH_TELLING = 0.12  # a group is told when it moves the forecast by this share of all that moved it; assumption
MOST_GROUPS = 3  # told at most; assumption
OFF_BY = 0.03  # a range that held this much less than intended is called too narrow; assumption
FEW_CASES = 20  # a record of fewer earlier forecasts is called short; assumption
_LEVELS = {
    0.5: "Half of the time", 0.8: "Eight times out of ten", 0.9: "Nine times out of ten", 0.95: "19 times out of 20"
}  # fmt: skip
_COUNTS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class TrackRecord:
    """How a model did so far, for one zone and horizon, on readings that it had not seen.

    Attributes
    ----------
    cases : int
        Forecasts compared with a reading.
    error : float
        Mean absolute error, in the target's stored unit.
    usual_error : float or None
        The same of forecasting the usual value.
    coverage : float or None
        Share of the readings that lay within the range.
    """

    cases: int
    error: float
    usual_error: float | None = None
    coverage: float | None = None


@dataclass(frozen=True)
class Chance:
    """Chance of passing a limit; `p` is `nan` where none can be given, and `note` says why.

    Attributes
    ----------
    limit : float
        In the target's stored unit.
    p : float
    note : str
        E.g. of `ExceedanceClassifier.note`.
    below : bool
        Whether falling below the limit is meant, as for a speed.
    """

    limit: float
    p: float
    note: str = ""
    below: bool = False


def paragraph(
    table: pd.DataFrame,
    *,
    target: str,
    zone: str,
    when: str,
    interval: tuple[float, float] | None = None,
    level: float = 0.9,
    record: TrackRecord | None = None,
    chance: Chance | None = None,
) -> str:
    """One forecast, told to a planner in short plain sentences.

    Parameters
    ----------
    table : DataFrame
        Of `Forecaster.explain`: reads `feature`, `label`, `contribution` (stored unit); the row `usual` first.
    target : str
        Column forecast, e.g. `speed_mps`; says the unit shown (see `data.units.DISPLAY`).
    zone, when : str
        In words: "Old Town", "today at 17:30".
    interval : (float, float) or None
        Ends of the range that should hold the reading with `level`, stored unit; `nan` counts as None.
    level : float
    record : TrackRecord or None
    chance : Chance or None

    Returns
    -------
    str

    Raises
    ------
    SettingsError
        If the table lacks a column or the row `usual`.

    Examples
    --------
    >>> table = pd.DataFrame({"feature": ["usual", "own_lag_0"], "label": ["Usual value", "Speed here, last reading"],
    ...                       "contribution": [10.0, -2.5]})
    >>> paragraph(table, target="speed_mps", zone="Old Town", when="at 17:30")[:81]
    'Old Town, at 17:30: speed is expected to be about 27 km/h, 9 km/h less than usual'
    """
    lacking = [name for name in ("feature", "label", "contribution") if name not in table]
    if lacking or "usual" not in set(table["feature"]):
        found = f"columns {list(table.columns)}"
        raise SettingsError(f"an explanation needs feature, label, contribution and a row 'usual'; found {found}")
    told = [_expected(table, target, zone, when), *_leaned_on(table, target)]
    if interval is not None and np.isfinite(interval).all():
        low, high = interval
        told.append(f"{_often(level)} the reading should lie between {_shown(low, target, unit=False)} and"
                    f" {_shown(high, target)}.")  # fmt: skip
    if chance is not None:
        told.append(_chance(chance, target))
    if record is not None:
        told.extend(_record(record, target, level))
    told.append("This tells what the model looked at; what a measure would change is a question for a scenario.")
    return " ".join(told)


def grouped(table: pd.DataFrame) -> pd.Series:
    """Contributions summed by where the features come from, the largest first; `usual` and the constant left out."""
    parts = table[~table["feature"].isin(["usual", "intercept"])]
    names = parts["feature"].tolist()
    sums = {group: float(parts["contribution"].iloc[at].sum()) for group, at in feature_groups(names).items()}
    return pd.Series(sums, dtype=float).sort_values(key=lambda s: -s.abs(), kind="stable")


def _expected(table: pd.DataFrame, target: str, zone: str, when: str) -> str:
    usual = float(table.loc[table["feature"] == "usual", "contribution"].iloc[0])
    point = float(table["contribution"].sum())
    _, factor, digits, name = _display(target)
    name = name if name[1:2].isupper() or not name[1:2].isalpha() else name[0].lower() + name[1:]
    head = f"{zone}, {when}: {name} is expected to be about {_shown(point, target)}"
    if round(abs(point - usual) * factor, digits) == 0:
        return f"{head}, as usual at that time."
    way = "more" if point > usual else "less"
    return f"{head}, {_shown(abs(point - usual), target)} {way} than usual at that time ({_shown(usual, target)})."


def _leaned_on(table: pd.DataFrame, target: str) -> list[str]:
    """Which groups moved the forecast away from the usual, and the largest single reading among them."""
    sums = grouped(table)
    _, factor, digits, _ = _display(target)
    moved = float(sums.abs().sum())
    sums = sums[(sums.abs() >= WORTH_TELLING * moved) & (sums.abs() * factor >= 0.5 * 10.0**-digits)][:MOST_GROUPS]
    if sums.empty:
        return ["Nothing that it looked at moved the model far from the usual value."]
    parts = [f"{PLAIN[str(group)]} ({_shown(abs(v), target)} {'up' if v > 0 else 'down'})" for group, v in sums.items()]
    listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    told = [f"The model leaned most on {listed}."]
    single = table[~table["feature"].isin(["usual", "intercept"])]
    top = single.loc[single["contribution"].abs().idxmax()]
    told.append(f"The largest single item was “{top['label']}”.")
    return told


def _chance(chance: Chance, target: str) -> str:
    way = "falls below" if chance.below else "passes"
    limit = _shown(chance.limit, target)
    if not np.isfinite(chance.p):
        return f"How likely it {way} {limit} cannot be told. {chance.note}".strip()
    p = 100 * chance.p
    amount = "below 1 %" if p < 1 else "above 99 %" if p > 99 else f"about {p:.0f} %"
    return f"The chance that it {way} {limit} is {amount}. {chance.note}".strip()


def _record(record: TrackRecord, target: str, level: float) -> list[str]:
    if record.cases == 0 or not np.isfinite(record.error):
        return ["There are no earlier forecasts of this zone to judge it by yet."]
    few = record.cases < FEW_CASES
    many = f"{_COUNTS[record.cases] if record.cases <= 10 else record.cases} earlier forecast"
    many += "" if record.cases == 1 else "s"
    head = f"Over {many}{', which is a short record,' if few else ''} it was off by {_shown(record.error, target)}"
    told = []
    if record.usual_error is None or not np.isfinite(record.usual_error):
        told.append(f"{head} on average.")
    elif record.error < record.usual_error:
        told.append(f"{head} on average, against {_shown(record.usual_error, target)} for the usual value alone.")
    else:
        told.append(f"{head} on average, no better than the usual value alone"
                    f" ({_shown(record.usual_error, target)}): treat it with care.")  # fmt: skip
    if record.coverage is not None and np.isfinite(record.coverage):
        held = f"Its ranges held {100 * record.coverage:.0f} % of the readings ({100 * level:.0f} % intended)"
        narrow = not few and record.coverage < level - OFF_BY
        told.append(f"{held}, so take them as somewhat too narrow." if narrow else f"{held}.")
    return told


def _often(level: float) -> str:
    return _LEVELS.get(round(level, 3), f"{100 * level:g} times out of 100")


def _display(target: str) -> tuple[str, float, int, str]:
    return DISPLAY.get(target, ("", 1.0, 2, target.replace("_", " ")))


def _shown(value: float, target: str, *, unit: bool = True) -> str:
    """A value in the unit that people are shown."""
    text, factor, digits, _ = _display(target)
    number = f"{value * factor:,.{digits}f}"
    number = number[1:] if float(number.replace(",", "")) == 0 and number.startswith("-") else number
    return f"{number} {text}" if unit and text else number
