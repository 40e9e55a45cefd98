"""The comparison by another metric or for a part of the test days, and what models lose in new zones and periods.

The paired test was made for the mean absolute error alone. By another metric a zone is a tie where the 90 % intervals
of both models overlap, or the difference is under 1 % (one percentage point of coverage): a careful rule.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from app import comparison_views as views
from app.display import DISPLAY
from app.queries import Queries
from app.texts import ahead, spoken, t

#: Metrics that the page offers where they were stored, in order; less is better but for coverage, which has an aim.
METRICS = ("mae", "rmse", "pinball", "coverage_90")
ALL = "all"
AIM = 0.9  # of `coverage_90`
TIE_SHARE, TIE_POINTS = 0.01, 0.01
_PAIRED = ("zone_id", "target", "horizon_s", "n", "micro_mae", "macro_mae", "difference", "lower", "upper", "verdict")


def metrics(queries: Queries, target: str) -> list[str]:
    """Metrics that were stored for a target."""
    scores = queries.table(views.comparison_run(queries), "scores")
    there = set(scores.loc[scores["target"].astype(str) == target, "metric"].astype(str))
    return [name for name in METRICS if name in there]


def periods(queries: Queries, target: str, horizon_s: float) -> list[str]:
    """All test days, and the situations that both models met on them."""
    rows = views.regimes(queries, target, horizon_s)
    return [ALL, *(str(r) for r in rows["regime"] if str(r) != ALL and f"regime.{r}" in spoken())]


def factor_of(target: str, metric: str) -> float:
    """From stored to shown values: coverage in %, all else in the target's shown unit."""
    return 100.0 if metric.startswith("coverage") else DISPLAY[target][1]


def unit_of(target: str, metric: str) -> str:
    """Unit in which a metric is shown."""
    return "%" if metric.startswith("coverage") else DISPLAY[target][0]


def zone_rows(queries: Queries, target: str, metric: str, horizon_s: float) -> pd.DataFrame:
    """Zones as in `comparison_views.paired`, largest gain of the micromodel first, by any metric.

    `micro_mae` and `macro_mae` then hold that metric, in shown units; `difference` is that of the loss (of coverage:
    of the distance from 90 %), negative where the micromodel is better; `lower` and `upper` are of the paired test and
    missing for other metrics.
    """
    if metric == "mae":
        return views.paired(queries, target, horizon_s)
    scores = queries.table(views.comparison_run(queries), "scores")
    scores = scores[
        (scores["target"].astype(str) == target) & (scores["metric"].astype(str) == metric)
        & (scores["horizon_s"] == horizon_s) & (scores["zone_id"].astype(str) != "")
    ]  # fmt: skip
    sides = {
        side: scores[scores["model"].astype(str) == model].drop_duplicates("zone_id").set_index("zone_id")
        for side, model in (("micro", "micromodel"), ("macro", "macromodel"))
    }
    joined = sides["micro"].join(sides["macro"], how="inner", lsuffix="_micro", rsuffix="_macro").reset_index()
    if joined.empty:
        return pd.DataFrame(columns=[*_PAIRED, "label"])
    factor, names = factor_of(target, metric), queries.zone_names()
    loss = {side: distance(joined[f"value_{side}"].to_numpy(dtype=float), metric) for side in sides}
    rows = pd.DataFrame(
        {
            "zone_id": joined["zone_id"].astype(str), "target": target, "horizon_s": horizon_s,
            "n": joined["n_micro"], "micro_mae": joined["value_micro"] * factor,
            "macro_mae": joined["value_macro"] * factor, "difference": (loss["micro"] - loss["macro"]) * factor,
            "lower": np.nan, "upper": np.nan, "verdict": _verdicts(joined, loss, metric),
        }
    )  # fmt: skip
    rows["label"] = [f"{z} {views.short(names.get(z, z))}" for z in rows["zone_id"]]
    return rows.sort_values(["difference", "zone_id"], ignore_index=True)


def distance(values: np.ndarray, metric: str) -> np.ndarray:
    """What counts as loss: the value itself, or how far coverage lies from what was promised."""
    return np.abs(values - AIM) if metric.startswith("coverage") else values


def _verdicts(joined: pd.DataFrame, loss: dict[str, np.ndarray], metric: str) -> list[str]:
    gap = loss["micro"] - loss["macro"]
    least = np.full(gap.size, TIE_POINTS) if metric.startswith("coverage") else TIE_SHARE * loss["macro"]
    apart = (joined["lower_micro"] > joined["upper_macro"]) | (joined["upper_micro"] < joined["lower_macro"])
    clear = apart.to_numpy() & (np.abs(gap) >= least)
    return [("micromodel" if g < 0 else "macromodel") if c else "tie" for g, c in zip(gap, clear)]


def period_rows(queries: Queries, target: str, horizon_s: float) -> pd.DataFrame:
    """Situations as rows of a dumbbell: `label`, `micro_mae`, `macro_mae`, `difference`, `verdict`, `regime`, `n`."""
    rows = views.regimes(queries, target, horizon_s)
    rows = rows[np.array([f"regime.{r}" in spoken() for r in rows["regime"]], dtype=bool)]
    label = [t(f"regime.{r}") for r in rows["regime"]]
    return rows.assign(label=label, difference=rows["micro_mae"] - rows["macro_mae"]).reset_index(drop=True)


def lines(queries: Queries, target: str, metric: str, period: str) -> pd.DataFrame:
    """Score by model and horizon, `model`, `horizon_s`, `value`, `lower`, `upper`, of all zones, in shown units."""
    run, factor = views.comparison_run(queries), factor_of(target, metric)
    if period == ALL:
        rows = queries.table(run, "scores")
        rows = rows[(rows["metric"].astype(str) == metric) & (rows["zone_id"].astype(str) == "")]
    elif queries.has_table(run, "regimes"):
        rows = queries.table(run, "regimes").rename(columns={"mae": "value"})
        rows = rows[rows["regime"].astype(str) == period]
    else:
        rows = pd.DataFrame(columns=["model", "target", "horizon_s", "value", "lower", "upper"])
    rows = rows[rows["target"].astype(str) == target]
    columns = ["value", "lower", "upper"]
    found = rows.assign(model=rows["model"].astype(str), **{c: rows[c].astype(float) * factor for c in columns})
    return found[["model", "horizon_s", *columns]].reset_index(drop=True)


def period_sentence(queries: Queries, target: str, horizon_s: float, period: str) -> tuple[str, str]:
    """Outcome of a situation, over all zones together, and what it rests on."""
    rows = period_rows(queries, target, horizon_s)
    rows = rows[rows["regime"].astype(str) == period]
    if rows.empty:
        return t("compare.period.none", when=t(f"regime.{period}")), ""
    row, unit = rows.iloc[0], DISPLAY[target][0]
    verdict = str(row["verdict"])
    words = t(f"compare.period.{verdict}", when=t(f"regime.{period}"))
    digits = 1 if row["macro_mae"] >= 10 else 2
    micro, macro = f"{row['micro_mae']:.{digits}f}", f"{row['macro_mae']:.{digits}f}"
    return words, t("compare.period.sub", micro=micro, macro=macro, unit=unit, n=f"{int(row['n']):,}")


def new_zone_rows(queries: Queries, target: str) -> pd.DataFrame:
    """What it costs to be a zone that nobody learned, all zones together: `model`, `horizon_s`, `price`, `lower`,
    `upper` (shares of a known zone's error); empty unless the comparison was thorough."""
    return _stored(queries, target, "new_zones", ["model", "horizon_s", "price", "lower", "upper"])


def new_period_rows(queries: Queries, target: str) -> pd.DataFrame:
    """What is saved of the usual value's error in periods left out: `model`, `horizon_s`, `least`, `most` (shares)."""
    rows = _stored(queries, target, "new_period", ["model", "horizon_s", "skill"])
    if rows.empty:
        return pd.DataFrame(columns=["model", "horizon_s", "least", "most"])
    grouped = rows.groupby(["model", "horizon_s"], sort=False)["skill"]
    return grouped.agg(least="min", most="max").reset_index()


def _stored(queries: Queries, target: str, table: str, columns: list[str]) -> pd.DataFrame:
    run = views.comparison_run(queries)
    if not queries.has_table(run, table):
        return pd.DataFrame(columns=columns)
    rows = queries.table(run, table)
    rows = rows[rows["target"].astype(str) == target]
    if "zone_id" in rows:
        rows = rows[rows["zone_id"].astype(str) == ""]
    return rows.astype({"model": str})[columns].reset_index(drop=True)


def period_advice(queries: Queries, target: str, horizon_s: float) -> str:
    """Situations in which one side is clearly better, in a sentence; empty where there is none."""
    rows = period_rows(queries, target, horizon_s)
    rows = rows[rows["regime"].astype(str) != ALL]
    parts = [
        t(f"advice.when.{side}", where=", ".join(found))
        for side in ("micromodel", "macromodel")
        if (found := [str(r.label).lower() for r in rows.itertuples() if r.verdict == side])
    ]
    return " ".join([t("advice.when", ahead=ahead(horizon_s)), *parts]) if parts else ""
