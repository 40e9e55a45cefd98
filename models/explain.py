"""Explanations: what adds up to one forecast, in words that a planner reads.

Contributions say what a model used, counted from its usual value; they are never causes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.units import DISPLAY
from models.errors import SettingsError
from models.horizons import between
from models.scale import from_scale

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel

_WEATHER = {
    "wind_speed_mps": "wind speed", "wind_east": "wind towards the east", "wind_north": "wind towards the north",
    "mixing_height_m": "mixing height", "temperature_c": "temperature", "radiation_w_per_m2": "sunshine",
    "precipitation_mm_per_h": "rain", "pressure_hpa": "air pressure", "dew_point_c": "dew point",
}  # fmt: skip
_PLAIN = {
    "usual": "Usual value at that time", "intercept": "Model's own level",
    "own_change_1h": "Change here over the last hour", "own_gap_1h": "Readings missing in the last hour",
    "ahead_day": "Same time yesterday", "ahead_day_mean": "Around the same time yesterday",
    "ahead_week": "Same time last week", "ahead_weekend": "Weekend or holiday",
    "now_weekend": "Weekend or holiday today", "line": "What the linear part expects",
    "horizon": "How far ahead", "other_usual": "The models' usual values differ",
    "correction": "What the models together miss at such moments", "last_value": "Last reading",
    "own_usual": "What is usual now", "ahead_usual": "What is usual then",
    "ahead_change": "The usual change until then",
    "seasonal_naive": "Same time last week or yesterday", "historical_average": "Nothing but the usual value",
    "zone_lon": "Where the zone lies, east", "zone_lat": "Where the zone lies, north",
    "zone_level": "The zone's usual level", "zone_scale_share": "How much the zone varies",
    "zone_lasting": "How long deviations last in the zone", "zone_weekend_share": "The zone's weekends",
    "rest": "Everything else",
}  # fmt: skip


def plain_label(feature: str, *, step_s: int, target: str) -> str:
    """Plain words for a feature, e.g. "Neighbours, 15 min before the last reading"."""
    if feature in _PLAIN:
        return _PLAIN[feature]
    what = DISPLAY.get(target, ("", 1.0, 1, target))[3]
    if match := re.fullmatch(r"(own|neighbours|hop2|near(\d+))_lag_(\d+)", feature):
        who = {
            "own": f"{what} here",
            "neighbours": f"{what} of the neighbours",
            "hop2": f"{what} of the neighbours' neighbours",
        }.get(match[1], f"{what} of neighbour {match[2]}")
        lag = int(match[3]) * step_s
        return f"{who}, {'last reading' if lag == 0 else _span(lag) + ' before the last reading'}"
    if match := re.fullmatch(r"(own|neighbours)_mean_(\d+)h", feature):
        who = f"{what} here" if match[1] == "own" else f"{what} of the neighbours"
        return f"{who}, mean of the last {_span(int(match[2]) * 3600)}"
    if match := re.fullmatch(r"weather_(.+?)(_change_3h)?", feature):
        name = _WEATHER.get(match[1], match[1].replace("_", " "))
        return f"Change of {name} over three hours" if match[2] else name[0].upper() + name[1:] + " now"
    if feature.startswith(("ahead_sin", "ahead_cos", "now_sin", "now_cos")):
        return "Time of day"
    if feature.startswith("now_year"):
        return "Time of the year"
    if feature.startswith("own_x_"):
        return f"How long a deviation lasts {'at weekends' if feature.endswith('weekend') else 'at that time of day'}"
    if match := re.fullmatch(r"zone_(.+)", feature):
        return f"The zone's {match[1].replace('_m2', '').replace('_m', '').replace('_', ' ')}"
    for other, (_, _, _, name) in DISPLAY.items():
        if feature.startswith(f"{other}_"):
            when = {"lag_0": "last reading", "lag_1": "reading before the last"}
            return f"{name} here, {when.get(feature[len(other) + 1 :], 'mean of the last hours')}"
    return feature.replace("_", " ")


def contributions_table(
    model: Forecaster, panel: Panel, known: np.ndarray, places: np.ndarray, step: int
) -> pd.DataFrame:
    """The table that `Forecaster.explain` returns; see there."""
    assert model.profile is not None
    if model.exact_between:
        weighed = [(step, 1.0)]
    else:
        below, above, share = between(model.anchors, (step,))
        pair = [(model.anchors[below[0]], 1.0 - share[0]), (model.anchors[above[0]], float(share[0]))]
        weighed = [(anchor, weight) for anchor, weight in pair if weight > 0]
    place = int(places[0])
    total: dict[str, float] = {}
    values: dict[str, float] = {}
    for anchor, weight in weighed:
        for name, value, contribution in model._contributions(panel, known, place, anchor):
            total[name] = total.get(name, 0.0) + weight * contribution
            values.setdefault(name, value)
    aim = known[:, None] + step
    level = float(model.profile.usual(panel.calendar, aim)[0, 0, place])
    moved = sum(total.values())
    usual, point = (float(from_scale(model.target, np.array(v))) for v in (level, level + moved))
    # contributions are made on the model's scale; each takes its share of the change in the target's unit
    nudge = 1e-6 * (1.0 + abs(level))
    slope = float(from_scale(model.target, np.array(level + nudge)) - usual) / nudge
    unit = (point - usual) / moved if abs(moved) > nudge else slope
    total = {name: contribution * unit for name, contribution in total.items()}
    ranked = sorted(total, key=lambda name: -abs(total[name]))
    names = ["usual", *(name for name in ranked if total[name] != 0.0)]
    return pd.DataFrame(
        {
            "feature": names,
            "label": [plain_label(name, step_s=model.step_s, target=model.target) for name in names],
            "value": [usual, *(values[name] for name in names[1:])],
            "contribution": [usual, *(total[name] for name in names[1:])],
        }
    )


def importance(model: Forecaster, panel: Panel, *, zone_id: str, origins: pd.DatetimeIndex, step: int) -> pd.DataFrame:
    """Mean absolute contribution of each feature over some origins, in the target's unit, largest first.

    Returns
    -------
    DataFrame
        `feature`, `label`, `mean_contribution`.
    """
    parts = [model.explain(panel, origin=origin, zone_id=zone_id, step=step) for origin in origins]
    every = pd.concat(parts)
    every = every[~every["feature"].isin(["usual", "intercept"])]
    mean = every.assign(mean_contribution=every["contribution"].abs()).groupby(["feature", "label"], as_index=False)
    table = mean["mean_contribution"].sum()
    table["mean_contribution"] /= len(origins)
    return table.sort_values(["mean_contribution", "feature"], ascending=[False, True], ignore_index=True)


def rules(model: Forecaster, *, step: int) -> list[str]:
    """Leaves of a zone's decision tree in words, those furthest from the usual first: "If ..., 3.2 km/h less".

    Raises
    ------
    SettingsError
        If the model is no decision tree, or `step` is no anchor.
    """
    from models.families.decision_tree import DecisionTree
    from models.forecasting import LearnedForecaster

    if not isinstance(model, LearnedForecaster) or not isinstance(model.learner, DecisionTree):
        raise SettingsError(f"a model of family {model.family!r} has no rules; a tree does")
    horizon = _horizon(model, step)
    found = []
    for rule in model.learner.rules(0):
        change = _amount(model, rule.forecast[horizon])
        when = " and ".join(_condition(model, *bounds) for bounds in rule.conditions)
        found.append((-abs(change), f"If {when or 'always'}: {_moved(model, change)}"))
    return [text for _, text in sorted(found)]


def decision_trace(model: Forecaster, panel: Panel, *, origin: pd.Timestamp, zone_id: str, step: int) -> list[str]:
    """The questions that a zone's decision tree asked for one forecast, their answers, and what came of them, in words.

    Parameters
    ----------
    model : Forecaster
        Of a decision tree.
    panel : Panel
    origin : Timestamp
        UTC.
    zone_id : str
    step : int
        One of the model's anchors.

    Raises
    ------
    SettingsError
        If the model is no decision tree, or `step` is no anchor.
    """
    from models.families.decision_tree import DecisionTree
    from models.forecasting import LearnedForecaster

    if not isinstance(model, LearnedForecaster) or not isinstance(model.learner, DecisionTree):
        raise SettingsError(f"a model of family {model.family!r} asks no questions; a tree does")
    horizon = _horizon(model, step)
    places = model.places([zone_id])
    assert model.featuriser is not None
    rows = model.featuriser.rows(panel, model._known(panel, pd.DatetimeIndex([origin])), (step,), places)
    told, at = [], int(places[0])
    path = model.learner.path(rows, at)
    for asked in path:
        label = plain_label(asked.feature, step_s=model.step_s, target=model.target)
        edge, value = (_edge(model, asked.feature, float(v), at) for v in (asked.threshold, asked.value))
        told.append(f"{label}: above {edge}? {'Yes' if asked.above else 'No'}, it was {value}.")
    only = next(iter(model.learner.rules(at)), None)
    change = path[-1].after if path else only.forecast[horizon] if only is not None else 0.0
    end = _moved(model, _amount(model, change, at))
    return [*told, f"So: {end}." if path else f"No question helped on days left out, so always: {end}."]


def line_weights(model: Forecaster, *, zone_id: str, step: int) -> pd.DataFrame:
    """Coefficients of a line in units: what moves the forecast, by how much, when it is one usual swing above usual.

    Parameters
    ----------
    model : Forecaster
        Of a family of lines.
    zone_id : str
    step : int
        One of the model's anchors.

    Returns
    -------
    DataFrame
        `feature`, `label`, `coefficient` (on the zone's own scale), `move` (in the target's unit, at the zone's mean
        level); the largest first, without those that are nil, the constant last.

    Raises
    ------
    SettingsError
        If the model is no line, or `step` is no anchor.
    """
    from models.forecasting import LearnedForecaster

    told = getattr(getattr(model, "learner", None), "coefficients", None)
    if not isinstance(model, LearnedForecaster) or told is None:
        raise SettingsError(f"a model of family {model.family!r} has no coefficients; a line does, e.g. ridge")
    horizon, place = _horizon(model, step), int(model.places([zone_id])[0])
    assert model.learner.layout is not None
    line = np.array(told(place, horizon), dtype=float)
    if model.start != "usual":
        line[0] += float(model.share[place, horizon])
    names = (*model.learner.layout.names, "intercept")
    factor = DISPLAY.get(model.target, ("", 1.0, 1, ""))[1]
    order = sorted((k for k in range(len(names) - 1) if line[k] != 0.0), key=lambda k: -abs(line[k]))
    order.append(len(names) - 1)
    return pd.DataFrame(
        {
            "feature": [names[k] for k in order],
            "label": [plain_label(names[k], step_s=model.step_s, target=model.target) for k in order],
            "coefficient": [float(line[k]) for k in order],
            "move": [_amount(model, float(line[k]), place) / factor for k in order],
        }
    )


def usual_swing(model: Forecaster, zone_id: str) -> float:
    """Standard deviation of a zone's readings around their usual values, in the target's unit, at its mean level."""
    place = int(model.places([zone_id])[0])
    return _amount(model, 1.0, place) / DISPLAY.get(model.target, ("", 1.0, 1, ""))[1]


_BASES = {"none": "usual", "own": "the share of the present deviation that usually lasts", "all": "the line expects"}


def _horizon(model: Forecaster, step: int) -> int:
    if step not in model.anchors:
        raise SettingsError(f"step {step} is no anchor of this model; they are {list(model.anchors)}")
    return model.anchors.index(step)


def _amount(model: Forecaster, deviation: float, place: int = 0) -> float:
    """A scaled deviation in shown units, at the zone's mean level."""
    assert model.profile is not None
    factor = DISPLAY.get(model.target, ("", 1.0, 1, ""))[1]
    level, width = float(model.profile.mean[place].mean()), float(model.profile.scale[place])
    ends = from_scale(model.target, np.array([level + deviation * width, level]))
    return float(ends[0] - ends[1]) * factor


def _moved(model, change):  # type: ignore[no-untyped-def]
    """How far a leaf leads away from what the tree corrects, in words."""
    unit, _, digits, _ = DISPLAY.get(model.target, ("", 1.0, 1, model.target))
    base = _BASES[str(model.learner.settings["first_line"])]
    if model.start != "usual":
        base = {"last": "the last reading", "lasting": _BASES["own"]}[model.start]
    amount = f"{abs(change):.{max(digits, 1)}f} {unit}".rstrip()
    if round(abs(change), max(digits, 1)) == 0:
        return f"no different from {base}"
    return f"{amount} {'more' if change >= 0 else 'less'} than {base}"


def _condition(model, name, low, high):  # type: ignore[no-untyped-def]
    """A feature's range in words."""
    label = plain_label(name, step_s=model.step_s, target=model.target)
    if low is not None and high is not None:
        return f"{label} is between {_edge(model, name, low)} and {_edge(model, name, high)}"
    if low is None:
        return f"{label} is at most {_edge(model, name, high)}"
    return f"{label} is above {_edge(model, name, low)}"


def _edge(model, name, value, place=0):  # type: ignore[no-untyped-def]
    """A feature's value in words."""
    unit = DISPLAY.get(model.target, ("", 1.0, 1, ""))[0]
    side = "above" if value >= 0 else "below"
    if name.startswith(("own_lag", "own_mean")):
        return f"{abs(_amount(model, value, place)):.1f} {unit} {side} usual"
    if name.startswith(("neighbours", "near", "hop2")) or "_lag_" in name or "_mean_" in name:
        return f"{abs(value):.1f} usual swings {side} usual"
    return f"{value:.2f}"


def _span(seconds: int) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:g} days"
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
