"""The city in five figures: what it is like at `now`, held against the same time of a usual day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app import live_views, zone_views
from app.display import DISPLAY
from app.limits import EU_2030
from app.queries import Queries
from app.texts import language, number, signed, t
from data.units import KMH_PER_MPS, SECONDS_PER_HOUR

LIKELY, POSSIBLE = 0.5, 0.1  # chances from which a zone counts as likely, as possibly over a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the strip; `tone` is good, bad or nothing; `day_note` says what the day after now is."""

    label: str
    value: str
    unit: str
    note: str
    change: str = ""
    tone: str = ""
    day: tuple[float | None, ...] = ()  # by step, observed and then what is expected
    day_note: str = ""


def city_figures(queries: Queries) -> list[Figure]:
    """Network speed, delay, mean NO2, zones likely over the limit, error of the forecasts."""
    info = queries.info()
    if not queries.has_table(info.runs["live"], "zone_truth"):
        from app.measured_now import measured_figures

        return measured_figures(queries)
    key = ("figures", language(), info.runs["live"], info.runs.get("comparison"), info.runs.get("training"), info.now)
    return queries.keep(key, lambda: [*_traffic(queries), _no2(queries), _over(queries), _error(queries)])


def _against(queries: Queries, value: float, usual: float, *, more_is_good: bool) -> tuple[str, str, str]:
    """Change in per cent, its tone, and the words that follow."""
    if not np.isfinite(usual) or usual == 0 or not np.isfinite(value):
        return "", "", t("kpi.nousual")
    info = queries.info()
    change = 100 * (value / usual - 1)
    day = t("day.weekend" if info.day[0].tz_convert(info.timezone).dayofweek >= 5 else "day.weekday")
    tone = "" if abs(change) < 2 else "good" if (change > 0) == more_is_good else "bad"
    return f"{signed(change, 0)} %", tone, t("kpi.usual", day=day)


def _traffic(queries: Queries) -> list[Figure]:
    """Edie's speed and the delay of all zones in the last known interval."""
    info = queries.info()
    step = info.now_step - 1
    run = info.runs["live"]
    nothing = np.full(1, np.nan)
    seen: dict[str, np.ndarray] = {}
    usual: dict[str, np.ndarray] = {}
    for column in ("vehicle_distance_m", "vehicle_time_s", "delay_s_per_km"):
        there = step >= 0 and queries.has_table(run, "zone_truth")
        grid = live_views.truth(queries, column) if there else None
        seen[column] = grid[:, step] if grid is not None else nothing
        usual[column] = live_views.usual(queries, column)[:, step] if there else nothing

    def speed(v: dict[str, np.ndarray]) -> float:
        time = np.nansum(v["vehicle_time_s"])
        return float(np.nansum(v["vehicle_distance_m"]) / time * KMH_PER_MPS) if time > 0 else float("nan")

    def delay(v: dict[str, np.ndarray]) -> float:
        if not np.isfinite(v["delay_s_per_km"]).any():
            return float("nan")
        lost = np.nansum(v["delay_s_per_km"] * v["vehicle_distance_m"] / 1000.0)
        return float(lost / info.step_s)  # vehicle-seconds lost a second = vehicle-hours an hour

    days = {"kpi.speed": live_views.network_speed(queries) * KMH_PER_MPS, "kpi.delay": live_views.lost_time(queries)}
    out = []
    for label, unit, of, good in (("kpi.speed", "km/h", speed, True), ("kpi.delay", t("kpi.delay.unit"), delay, False)):
        value = of(seen)
        change, tone, note = _against(queries, value, of(usual), more_is_good=good)
        out.append(
            Figure(
                label=t(label), value=_text(value, 0), unit=unit, note=note, change=change, tone=tone,
                day=_line(days[label]), day_note=t("spark.usual", name=t(label)),
            )
        )  # fmt: skip
    return out


def _no2(queries: Queries) -> Figure:
    step = queries.info().now_step - 1
    column = "no2_ug_per_m3"
    seen, usual = live_views.observed(queries, column)[:, step], live_views.usual(queries, column)[:, step]
    both = np.isfinite(seen) & np.isfinite(usual)
    value = float(np.nanmean(seen)) if np.isfinite(seen).any() else float("nan")
    change, tone, note = "", "", t("kpi.nousual")
    if both.any():
        change, tone, note = _against(queries, seen[both].mean(), usual[both].mean(), more_is_good=False)
    return Figure(
        label=t("kpi.no2"), value=_text(value, 0), unit=DISPLAY[column][0], note=note, change=change, tone=tone,
        day=_line(_mean(live_views.series(queries, column))), day_note=t("spark.forecast", name=t("kpi.no2")),
    )  # fmt: skip


def _over(queries: Queries) -> Figure:
    column = "no2_ug_per_m3"
    chance = zone_views.zone_table(queries, column)["chance"].dropna()
    likely, possible = int((chance >= LIKELY).sum()), int(((chance >= POSSIBLE) & (chance < LIKELY)).sum())
    label = t("kpi.over", limit=f"{EU_2030[column].value:g} {DISPLAY[column][0]}")
    return Figure(
        label=label, value=str(likely), unit=t("kpi.of", n=len(chance)), note=t("kpi.more"), change=str(possible)
    )


def _error(queries: Queries) -> Figure:
    """NO2 an hour ahead on the test days, best stored blend of what is in use, against the macromodel alone."""
    run = queries.info().runs.get("comparison")
    label, column = t("kpi.error"), "no2_ug_per_m3"
    if run is None or not queries.has_table(run, "scores"):
        return Figure(label=label, value="–", unit="", note=t("kpi.noerror"))
    scores = queries.table(run, "scores")
    rows = scores[
        (scores["target"] == column) & (scores["metric"] == "mae") & (scores["zone_id"] == "")
        & (scores["horizon_s"] == SECONDS_PER_HOUR)
    ].drop_duplicates("model").set_index("model")["value"]  # fmt: skip
    name = next((m for m in ("micromodel", "mix") if m in rows.index), None)
    if name is None:
        return Figure(label=label, value="–", unit="", note=t("kpi.noerror"))
    value, macro = float(rows[name]), float(rows.get("macromodel", np.nan))
    change, tone, note = "", "", DISPLAY[column][3]
    if np.isfinite(macro) and macro > 0:
        gap = 100 * (value / macro - 1)
        change = f"{abs(gap):.0f} %"
        note = t("kpi.lower" if gap < -0.5 else "kpi.higher" if gap > 0.5 else "kpi.same")
        tone = "good" if gap < -0.5 else "bad" if gap > 0.5 else ""
        change = "" if not tone else change
    return Figure(
        label=label,
        value=number(value, 1),
        unit=t("kpi.mae", unit=DISPLAY[column][0]),
        note=note,
        change=change,
        tone=tone,
    )


def _text(value: float, digits: int) -> str:
    return "–" if not np.isfinite(value) else number(value, digits)


def _mean(grid: np.ndarray) -> np.ndarray:
    """Mean of the zones that have a value, by step; `nan` where none has."""
    known = np.isfinite(grid)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, grid, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _line(values: np.ndarray) -> tuple[float | None, ...]:
    """Four significant digits, for the browser."""
    return tuple(float(f"{v:.4g}") if np.isfinite(v) else None for v in values.tolist())
