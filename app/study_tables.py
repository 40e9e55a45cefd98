"""Further view tables of a study: by hour, who gains and loses, chances, streets cut off, and two studies compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.jobs import DONE, Jobs
from app.queries import Queries
from app.study_views import MAPS, SHOWN, study_effects, tone, zone_change
from app.texts import number, signed, spoken, t
from data.errors import ZonewiseError

KINDS = ("scenario", "preview", "recommend")
_RISKS = {"no2_ug_per_m3": ("no2", "µg/m³"), "pm25_ug_per_m3": ("pm25", "µg/m³"), "travel_time_index": ("slow", "")}


def hourly(queries: Queries, run: str, quantity: str) -> pd.DataFrame:
    """Effect on the city by hour of day: `hour`, `effect`, `lower`, `upper`; empty where no run tells it."""
    rows = study_effects(queries, run)
    rows = rows[(rows["scope"] == "city") & (rows["quantity"] == quantity) & (rows["hour"] >= 0)]
    return rows.sort_values("hour")[["hour", "effect", "lower", "upper"]].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Zones that surely gain or lose, the largest change first."""

    better: tuple[str, ...]
    worse: tuple[str, ...]


def gain_and_loss(queries: Queries, run: str, quantity: str, count: int = 4) -> Side:
    """Zones in which a quantity of `MAPS` surely changes for the better or the worse, in words."""
    shown = MAPS[quantity]
    values = zone_change(queries, run, quantity, sure=True)
    names = queries.zone_names()
    order = sorted((k for k in values if values[k]), key=lambda k: -abs(values[k]))

    def words(good: bool) -> tuple[str, ...]:
        chosen = [k for k in order if (values[k] * shown.good > 0) == good]
        return tuple(
            t("gain.zone", zone=names.get(k, k), value=signed(values[k], shown.digits), unit=shown.unit)
            for k in chosen[:count]
        )

    return Side(better=words(True), worse=words(False))


def equity_rows(queries: Queries, run: str) -> list[dict[str, str]]:
    """Shares of residents in zones that surely gain or lose."""
    if not queries.has_table(run, "study_equity"):
        return []
    table = queries.table(run, "study_equity")
    return [
        {
            "name": t(f"equity.{row.quantity}"),
            "better": f"{100 * row.share_better:.0f} %",
            "worse": f"{100 * row.share_worse:.0f} %",
            "rest": f"{100 * (row.share_same + row.share_unsure):.0f} %",
        }
        for row in table.itertuples()
        if f"equity.{row.quantity}" in spoken()
    ]


def risk_rows(queries: Queries, run: str, count: int = 5) -> list[dict[str, str]]:
    """Zones whose chance of passing a limit in any hour of the run changes most."""
    if not queries.has_table(run, "study_risk"):
        return []
    table = queries.table(run, "study_risk")
    table = table[(table["hour"] == -1) & table["chance_base"].notna()]
    moved = table.assign(change=table["chance"] - table["chance_base"])
    moved = moved[moved["change"] != 0]
    moved = moved.reindex(moved["change"].abs().sort_values(ascending=False, kind="stable").index)
    names = queries.zone_names()
    rows = []
    for row in moved.head(count).itertuples():
        key, unit = _RISKS.get(str(row.quantity), (str(row.quantity), ""))
        what = t(f"risk.{key}", limit=f"{row.limit:g} {unit}".strip()) if f"risk.{key}" in spoken() else key
        rows.append(
            {
                "name": f"{names.get(str(row.zone_id), row.zone_id)}: {what}",
                "before": f"{100 * row.chance_base:.0f} %",
                "after": f"{100 * row.chance:.0f} %",
                "range": f"{100 * row.lower:.0f}–{100 * row.upper:.0f} %",
            }
        )
    return rows


def access_rows(queries: Queries, run: str, count: int = 5) -> list[dict[str, str]]:
    """Streets that residents or emergency vehicles reach later, or no longer; worst first."""
    if not queries.has_table(run, "study_access"):
        return []
    rows = []
    for row in queries.table(run, "study_access").head(count).itertuples():
        street = row.name if isinstance(row.name, str) and row.name else t("map.tip.unnamed")
        own, siren = _later(row.residents_detour_s), _later(row.emergency_detour_s)
        rows.append({"name": f"{street} ({row.link_id})", "own": own, "siren": siren})
    return rows


def _later(seconds: Any) -> str:
    value = float(seconds)
    if np.isnan(value):
        return "–"
    return t("access.never") if np.isinf(value) else f"{signed(value, 0)} s"


def reliability_rows(queries: Queries, run: str) -> list[dict[str, str]]:
    """How much times of journeys differ from day to day, citywide."""
    if not queries.has_table(run, "study_reliability"):
        return []
    table = queries.table(run, "study_reliability")
    rows = []
    for row in table[table["scope"] == "city"].itertuples():
        if f"reliability.{row.quantity}" not in spoken() or not np.isfinite(row.effect):
            continue
        digits = 1 if row.quantity.endswith("_s") else 3
        known = np.isfinite(row.lower) and np.isfinite(row.upper)
        rows.append(
            {
                "name": t(f"reliability.{row.quantity}"),
                "value": number(row.scenario_value, digits),
                "effect": signed(row.effect, digits),
                "interval": t("effect.interval", low=signed(row.lower, digits), high=signed(row.upper, digits))
                if known
                else t("effect.unknown"),
            }
        )
    return rows


def compare_rows(queries: Queries, one: str, two: str, scope: str = "city") -> list[dict[str, Any]]:
    """Effects of two studies side by side, and their difference.

    The interval of the difference is as wide as both together: two effects never differ by more luck than that,
    whether the studies share their seeds or not (the standard deviation of a difference is at most the sum of both).
    """
    tables = []
    for run in (one, two):
        rows = study_effects(queries, run)
        rows = rows[(rows["scope"] == scope) & (rows["hour"] == -1)]
        tables.append(rows.drop_duplicates("quantity").set_index("quantity"))
    out = []
    for name, (words, unit, digits, _) in SHOWN.items():
        if any(name not in table.index for table in tables):
            continue
        a, b = (table.loc[name] for table in tables)
        digits = max(digits, 1)
        gap = float(a["effect"] - b["effect"])
        half = sum(float(row["upper"] - row["lower"]) / 2 for row in (a, b))
        low, high = (None, None) if half != half else (gap - half, gap + half)
        out.append(
            {
                "name": words,
                "unit": unit,
                "a": signed(a["effect"], digits),
                "b": signed(b["effect"], digits),
                "difference": signed(gap, digits),
                "interval": t("effect.one")
                if low is None or high is None
                else t("effect.interval", low=signed(low, digits), high=signed(high, digits)),
                "tone": tone(name, gap, low, high),
            }
        )
    return out


def zone_gap(queries: Queries, one: str, two: str, quantity: str, *, sure: bool = False) -> dict[str, float]:
    """Effect of the first study less that of the second, by zone; `sure` as in `zone_values`, with both intervals."""
    shown = MAPS[quantity]
    sides = []
    for run in (one, two):
        rows = study_effects(queries, run)
        rows = rows[(rows["scope"] == "zone") & (rows["hour"] == -1) & (rows["quantity"] == shown.quantity)]
        sides.append(rows.drop_duplicates("zone_id").set_index("zone_id"))
    both = sides[0].join(sides[1], lsuffix="_a", rsuffix="_b", how="inner")
    gap = both["effect_a"] - both["effect_b"]
    if sure:
        half = sum((both[f"upper_{k}"] - both[f"lower_{k}"]) / 2 for k in ("a", "b"))
        gap = gap[(gap.abs() > half) | ((gap == 0) & (half == 0))]
    if shown.share:
        gap = 100 * gap / both["base_a"].where(both["base_a"] != 0)
    return {str(zone): round(float(v), 3) for zone, v in gap.items() if np.isfinite(v)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A run of the workspace to open again: `query` is what stands in the address."""

    label: str
    note: str
    query: str
    study: str = ""


def earlier(queries: Queries, count: int = 25) -> list[Past]:
    """Runs of the job table, newest first, and studies that were made without it, e.g. by the command line."""
    found, seen = [], set()
    clock = queries.info().timezone
    path = queries.workspace.jobs_path
    for job in Jobs(path).list(2 * count) if path.is_file() else []:
        if job.kind not in KINDS or (job.state == DONE and job.result in seen):
            continue
        seen.add(job.result)
        form = job.params.get("scenario") or job.params.get("question") or {}
        label = form.get("label") or form.get("name") or t(f"earlier.{job.kind}")
        when = pd.Timestamp(job.created, unit="s", tz="UTC").tz_convert(clock)
        note = f"{t(f'job.{job.state}')}, {when:%d.%m. %H:%M}"
        study = job.result if job.kind == "scenario" and job.state == DONE else ""
        found.append(Past(label=label, note=note, query=f"job={job.id}", study=study))
    for run in reversed(queries.workspace.runs.list("study")):
        if run["id"] in seen or queries.info().runs.get("city") not in run.get("parents", ()):
            continue
        form = run["spec"].get("scenario", {})
        when = pd.Timestamp(run["created"]).tz_convert(clock)
        label = form.get("label") or form.get("name") or run["id"]
        found.append(Past(label=label, note=f"{when:%d.%m. %H:%M}", query=f"study={run['id']}", study=run["id"]))
    return found[:count]


def study_title(queries: Queries, run: str) -> str:
    """What a stored study is called."""
    try:
        told = queries.keep(("study", run), lambda: queries.workspace.runs.read_json(run, "study"))
    except ZonewiseError:
        return run
    return str(told.get("label") or told.get("scenario") or run)
