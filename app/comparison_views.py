"""What the comparison run says about micromodels and the macromodel, as view tables and counted sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.queries import NotReadyError, Queries, targets_of
from app.texts import ahead, t


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Zones won by each side, and ties."""

    micro: int
    macro: int
    ties: int

    @property
    def zones(self) -> int:
        """Zones compared."""
        return self.micro + self.macro + self.ties

    def sentence(self) -> str:
        """The outcome, as counted."""
        if self.micro > self.macro:
            return t("compare.better", n=self.micro, all=self.zones)
        if self.macro > self.micro:
            return t("compare.worse", n=self.macro, all=self.zones)
        return t("compare.even", n=self.micro, ties=self.ties)


def comparison_run(queries: Queries) -> str:
    """Id of the comparison run; `NotReadyError` where there is none."""
    run = queries.info().runs.get("comparison")
    if run is None or not queries.has_table(run, "paired"):
        raise NotReadyError(t("state.notrained"))
    return run


def options(queries: Queries) -> tuple[list[str], list[float]]:
    """Targets and horizons that were compared."""
    paired = queries.table(comparison_run(queries), "paired")
    return targets_of(paired), sorted(float(h) for h in paired["horizon_s"].unique())


def paired(queries: Queries, target: str, horizon_s: float) -> pd.DataFrame:
    """Zones of one target and horizon, largest gain of the micromodel first, in shown units, with labels."""
    rows = queries.table(comparison_run(queries), "paired")
    rows = rows[(rows["target"].astype(str) == target) & (rows["horizon_s"] == horizon_s)]
    factor = DISPLAY[target][1]
    names = queries.zone_names()
    columns = ["micro_mae", "macro_mae", "difference", "lower", "upper"]
    rows = rows.assign(**{c: rows[c] * factor for c in columns}, zone_id=rows["zone_id"].astype(str))
    label = [f"{z} {short(names.get(z, z))}" for z in rows["zone_id"]]
    return rows.assign(label=label).sort_values("difference", ignore_index=True)


def verdict(rows: pd.DataFrame) -> Verdict:
    """Count the verdicts of `paired`."""
    count = rows["verdict"].value_counts()
    return Verdict(
        micro=int(count.get("micromodel", 0)), macro=int(count.get("macromodel", 0)), ties=int(count.get("tie", 0))
    )


def scores(queries: Queries, target: str, metric: str) -> pd.DataFrame:
    """City-wide scores by model and horizon; errors in shown units."""
    rows = queries.table(comparison_run(queries), "scores")
    rows = rows[(rows["target"].astype(str) == target) & (rows["metric"] == metric) & (rows["zone_id"] == "")]
    factor = DISPLAY[target][1] if metric == "mae" else 1.0
    return rows.assign(**{c: rows[c] * factor for c in ("value", "lower", "upper")})


def costs(queries: Queries, target: str) -> pd.DataFrame:
    """Rows of `costs` of a target; empty where the run has none."""
    run = comparison_run(queries)
    if not queries.has_table(run, "costs"):
        return pd.DataFrame(
            columns=["model", "target", "zones", "fit_seconds", "latency_ms_p50", "latency_ms_p99", "bytes"]
        )
    rows = queries.table(run, "costs")
    return rows[rows["target"].astype(str) == target]


def regimes(queries: Queries, target: str, horizon_s: float) -> pd.DataFrame:
    """Micromodels against the macromodel by regime, in shown units; empty where the run has none."""
    run = comparison_run(queries)
    if not queries.has_table(run, "regime_pairs"):
        return pd.DataFrame(columns=["regime", "n", "micro_mae", "macro_mae", "verdict"])
    rows = queries.table(run, "regime_pairs")
    rows = rows[(rows["target"].astype(str) == target) & (rows["horizon_s"] == horizon_s)]
    factor = DISPLAY[target][1]
    return rows.assign(**{c: rows[c] * factor for c in ("micro_mae", "macro_mae")}).reset_index(drop=True)


def advice(queries: Queries, target: str) -> list[tuple[str, str]]:
    """When to use which, read off the tables: wins by horizon, cost of training, coverage."""
    all_rows = queries.table(comparison_run(queries), "paired")
    all_rows = all_rows[all_rows["target"].astype(str) == target]
    tally = {h: verdict(part) for h, part in all_rows.groupby("horizon_s")}
    cost = costs(queries, target).set_index("model")
    mae = scores(queries, target, "mae").pivot_table(index="horizon_s", columns="model", values="value")

    def where(better: Callable[[Verdict], bool]) -> str:
        found = [
            t("advice.tally", ahead=ahead(float(str(h))), micro=v.micro, macro=v.macro, ties=v.ties)
            for h, v in tally.items()
            if better(v)
        ]
        return ", ".join(found)

    micro, macro, even = (
        where(lambda v: v.micro > v.macro),
        where(lambda v: v.macro > v.micro),
        where(lambda v: v.micro == v.macro),
    )
    first = t("advice.leads", where=micro) if micro else t("advice.never")
    second = t("advice.leads", where=macro) if macro else t("advice.never")
    if {"micromodel", "macromodel"} <= set(cost.index):
        a, b = cost.loc["micromodel"], cost.loc["macromodel"]
        one = max(a["zones"], 1)
        first += " " + t("advice.micro.cost", s=f"{a['fit_seconds'] / one:.2f}", size=_size(a["bytes"] / one))
        second += " " + t("advice.macro.cost", s=f"{b['fit_seconds']:.1f}", size=_size(b["bytes"]))
    out = [(t("model.micromodel"), first), (t("model.macromodel"), second)]
    if even:
        out.append((t("advice.either"), t("advice.level", where=even)))
    if {"mix", "micromodel", "macromodel"} <= set(mae.columns):
        best = mae[["micromodel", "macromodel"]].min(axis=1)
        wins = [ahead(float(h)) for h in mae.index if mae.loc[h, "mix"] < best.loc[h]]
        words = t("advice.mix", where=", ".join(wins)) if wins else t("advice.mix.never")
        out.append((t("model.mix"), words))
    if {"seasonal_naive", "micromodel"} <= set(mae.columns):
        worse = [
            ahead(float(h))
            for h in mae.index
            if mae.loc[h, "seasonal_naive"] <= mae.loc[h, ["micromodel", "macromodel"]].min()
        ]
        words = t("advice.naive", where=", ".join(worse)) if worse else t("advice.naive.never")
        out.append((t("model.seasonal_naive"), words))
    return out


def short(name: str, length: int = 22) -> str:
    """A name that fits beside a chart."""
    return name if len(name) <= length else name[: length - 1] + "…"


def _size(value: float) -> str:
    if not np.isfinite(value):
        return t("advice.nosize")
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"
