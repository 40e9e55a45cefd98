"""Names of a model's inputs in the language that is spoken. English ones come from the models; others are made here."""

from __future__ import annotations

import re

import pandas as pd

from app.display import DISPLAY
from app.texts import language, spoken, t

_READING = re.compile(r"(own|neighbours|hop2|near(\d+))_lag_(\d+)")
_MEAN = re.compile(r"(own|neighbours)_mean_(\d+)h")
_WEATHER = re.compile(r"weather_(.+?)(_change_3h)?")


def spoken_labels(rows: pd.DataFrame, *, step_s: float, target: str) -> pd.DataFrame:
    """Rows with columns `feature` and `label`, the labels in the language that is spoken."""
    if language() == "en" or rows.empty:
        return rows
    labels = [
        label_of(str(f), str(known), step_s=step_s, target=target) for f, known in zip(rows["feature"], rows["label"])
    ]
    return rows.assign(label=labels)


def label_of(feature: str, known: str, *, step_s: float, target: str) -> str:
    """An input in plain words; `known`, the models' own name of it, where the language has no other."""
    words = spoken()
    what = DISPLAY[target][3] if target in DISPLAY else target
    if f"input.{feature}" in words:
        return words[f"input.{feature}"]
    if match := _READING.fullmatch(feature):
        lag = round(int(match[3]) * step_s / 60)
        when = t("input.last") if lag == 0 else t("input.before", minutes=lag)
        return t(f"input.{'near' if match[2] else match[1]}", what=what, n=match[2] or "", when=when)
    if match := _MEAN.fullmatch(feature):
        return t(f"input.{match[1]}", what=what, n="", when=t("input.mean", hours=match[2]))
    if match := _WEATHER.fullmatch(feature):
        name = words.get(f"input.weather.{match[1]}", match[1].replace("_", " "))
        return t("input.weather.change" if match[2] else "input.weather.now", name=name)
    if feature.startswith(("ahead_sin", "ahead_cos", "now_sin", "now_cos")):
        return t("input.clock")
    if feature.startswith("now_year"):
        return t("input.season")
    if feature.startswith("own_x_"):
        return t("input.lasting.weekend" if feature.endswith("weekend") else "input.lasting")
    for other in DISPLAY:
        if feature.startswith(f"{other}_"):
            return t("input.own", what=DISPLAY[other][3], n="", when=t("input.recent"))
    return known
