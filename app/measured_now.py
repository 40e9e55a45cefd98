"""A measured city in a few figures: what its sensors say at `now`, against a usual day, and how well it is forecast."""

from __future__ import annotations

import numpy as np

from app import live_views
from app.city_now import Figure
from app.display import DISPLAY
from app.layers import layers_of
from app.queries import Queries
from app.texts import language, number, signed, t
from data.units import SECONDS_PER_HOUR

_MOST = 2  # quantities that get a figure of their own and one of their errors


def measured_figures(queries: Queries) -> list[Figure]:
    """Means of zones, zones that report, and the error of the forecasts an hour ahead."""
    info = queries.info()
    columns = [column for column, _, _ in layers_of(queries).values()][:_MOST]
    key = ("measured figures", language(), info.runs["live"], info.runs.get("comparison"), info.now)
    return queries.keep(
        key,
        lambda: [
            *(_mean_of(queries, column) for column in columns),
            _reporting(queries, columns),
            *(_error(queries, column) for column in columns),
        ],
    )


def _mean_of(queries: Queries, column: str) -> Figure:
    unit, factor, digits, name = DISPLAY[column]
    step = max(queries.info().now_step - 1, 0)
    seen, usual = live_views.observed(queries, column)[:, step], live_views.usual(queries, column)[:, step]
    both = np.isfinite(seen) & np.isfinite(usual)
    value = float(np.nanmean(seen)) * factor if np.isfinite(seen).any() else float("nan")
    change, note = "", t("kpi.nousual")
    if both.any() and usual[both].mean() > 0:
        weekend = queries.info().day[0].tz_convert(queries.info().timezone).dayofweek >= 5
        change = f"{signed(100 * (seen[both].mean() / usual[both].mean() - 1), 0)} %"
        note = t("kpi.usual", day=t("day.weekend" if weekend else "day.weekday"))
    series = live_views.series(queries, column) * factor
    known = np.isfinite(series)
    day = np.where(known.any(axis=0), np.where(known, series, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)
    return Figure(
        label=t("kpi.mean", name=name), value="–" if not np.isfinite(value) else f"{value:,.{digits}f}", unit=unit,
        note=note, change=change, day=tuple(float(f"{v:.4g}") if np.isfinite(v) else None for v in day.tolist()),
        day_note=t("spark.forecast", name=name),
    )  # fmt: skip


def _reporting(queries: Queries, columns: list[str]) -> Figure:
    step = max(queries.info().now_step - 1, 0)
    known = [np.isfinite(live_views.observed(queries, column)[:, step]) for column in columns]
    heard = int(np.any(known, axis=0).sum()) if known else 0
    zones = len(queries.zone_names())
    return Figure(label=t("kpi.reporting"), value=str(heard), unit=t("kpi.ofzones", n=zones), note=t("kpi.last"))


def _error(queries: Queries, column: str) -> Figure:
    """Error an hour ahead of what micromodels say, against repeating the day before."""
    unit, factor, digits, name = DISPLAY[column]
    run = queries.info().runs.get("comparison")
    label = t("kpi.error.of", name=name)
    nothing = Figure(label=label, value="–", unit="", note=t("kpi.noerror"))
    if run is None or not queries.has_table(run, "scores"):
        return nothing
    scores = queries.table(run, "scores")
    rows = scores[
        (scores["target"] == column) & (scores["metric"] == "mae") & (scores["zone_id"] == "")
        & (scores["horizon_s"] == SECONDS_PER_HOUR)
    ].drop_duplicates("model").set_index("model")["value"]  # fmt: skip
    if "micromodel" not in rows.index:
        return nothing
    value, change, tone, note = float(rows["micromodel"]), "", "", name
    if "seasonal_naive" in rows.index and rows["seasonal_naive"] > 0:
        gap = 100 * (value / float(rows["seasonal_naive"]) - 1)
        change, tone, note = (
            f"{abs(gap):.0f} %",
            "good" if gap < 0 else "bad",
            t("kpi.naive.low" if gap < 0 else "kpi.naive.high"),
        )
    return Figure(
        label=label, value=number(value * factor, max(1, digits)), unit=t("kpi.mae", unit=unit), note=note,
        change=change, tone=tone,
    )  # fmt: skip
