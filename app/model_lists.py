"""Tables of the models page: all zones' micromodels, the candidates that competed, versions, and how intervals held."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.family_list import about_own
from app.model_views import card, standing
from app.queries import Queries
from app.texts import spoken, t

HORIZONS_S = (900, 3600, 86400)  # that the list shows errors at
_RIVALS = ("micromodel", "macromodel", "seasonal_naive")
_NOT_CANDIDATES = ("in_use", "micromodel", "macromodel", "mix", "last_value", "seasonal_naive")


def about(family: str) -> str:
    """What a family is, in a sentence; of one that another package brings, what it says of itself; empty for others."""
    return spoken().get(f"about.{family}", "") or about_own(family)


def test_scores(queries: Queries, target: str) -> pd.DataFrame:
    """Scores by zone on the test days; of the validation where nothing was compared yet; empty where neither is."""
    info = queries.info()
    for kind in ("comparison", "training"):
        if kind in info.runs and queries.has_table(info.runs[kind], "scores"):
            run = info.runs[kind]

            def read(run: str = run) -> pd.DataFrame:
                rows = queries.table(run, "scores")
                rows = rows[(rows["target"].astype(str) == target) & (rows["zone_id"].astype(str) != "")]
                return rows.astype({"model": str, "zone_id": str, "metric": str})

            return queries.keep(("zone scores", run, target), read)
    return pd.DataFrame(columns=["model", "zone_id", "target", "metric", "horizon_s", "value"])


def state_of(found: Any, told: dict[str, Any]) -> tuple[str, str]:
    """State of a zone's micromodel, and the reason in words: `none`, `pinned`, `fell` (back by the guard) or `force`.

    Parameters
    ----------
    found : Standing or None
    told : mapping
        Card of the version in force.
    """
    if found is None or not found.version:
        return "none", t("models.state.none.why")
    if found.pin:
        why = str(found.pin.get("why") or "")
        return "pinned", t("models.state.pinned.why", by=found.pin.get("by") or "–", why=f": {why}" if why else "")
    if told.get("fell_from"):
        return "fell", str(told.get("guard") or "")
    return "force", str(found.why or "")


def model_table(queries: Queries, target: str) -> pd.DataFrame:
    """One row a zone that senses `target`: family, version, state, errors by horizon, coverage, bytes, use, reason."""
    names, factor = queries.zone_names(), DISPLAY[target][1]
    choices = queries.choices()
    choices = choices[choices["target"].astype(str) == target]
    scores = test_scores(queries, target)
    mae = scores[scores["metric"] == "mae"]
    errors = mae.set_index(["zone_id", "model", "horizon_s"])["value"].to_dict()
    cover = scores[(scores["metric"] == "coverage_90") & (scores["model"] == "micromodel")]
    held = cover[cover["horizon_s"] == 3600.0].set_index("zone_id")["value"].to_dict()
    rows = []
    for choice in choices.itertuples():
        zone = str(choice.zone_id)
        told, found = card(queries, zone, target), standing(queries, zone, target)
        state, why = state_of(found, told)
        row = {
            "zone_id": zone, "name": names.get(zone, zone), "family": str(told.get("family") or choice.family),
            "version": str(told.get("version", "–")), "state": state, "state_why": why,
            "model_in_use": str(choice.model_in_use), "reason": str(choice.reason), "is_task": bool(choice.is_task),
            "fit_seconds": float(told.get("fit_seconds", np.nan) or np.nan),
            "bytes": float(dict(told.get("complexity", {})).get("bytes", np.nan) or np.nan),
            "coverage_90": float(held.get(zone, np.nan)),
        }  # fmt: skip
        for horizon_s in HORIZONS_S:
            for model in _RIVALS:
                row[f"{model}_{horizon_s}"] = float(errors.get((zone, model, float(horizon_s)), np.nan)) * factor
        rows.append(row)
    return pd.DataFrame(rows)


def candidate_errors(queries: Queries, zone_id: str, target: str) -> tuple[pd.DataFrame, str]:
    """Mean error of every candidate in a zone, least first, in shown units, and on which days: a key of the words.

    Returns
    -------
    DataFrame
        `model`, `error` (mean over the horizons), `chosen`.
    str
        `validation` (days left out, on which the choice was made) or `test`; empty where neither is known.
    """
    told, run = card(queries, zone_id, target), queries.info().runs.get("training")
    rows, on = pd.DataFrame(told.get("candidates") or []), "validation"
    if rows.empty and run and queries.has_table(run, "candidates"):
        table = queries.table(run, "candidates")
        table = table[(table["target"].astype(str) == target) & (table["zone_id"].astype(str) == zone_id)]
        rows = table[["model", "horizon_s", "value"]].rename(columns={"value": "mae"})
    if rows.empty:
        table = test_scores(queries, target)
        table = table[(table["zone_id"] == zone_id) & (table["metric"] == "mae")]
        table = table[~table["model"].isin(_NOT_CANDIDATES)]
        rows, on = table[["model", "horizon_s", "value"]].rename(columns={"value": "mae"}), "test"
    if rows.empty:
        return pd.DataFrame(columns=["model", "error", "chosen"]), ""
    return mean_errors(rows, target, str(told.get("family", ""))), on


def mean_errors(rows: pd.DataFrame, target: str, chosen: str) -> pd.DataFrame:
    """Mean over the horizons by model, least first: `model`, `error` (shown unit), `chosen`."""
    mean = rows.assign(model=rows["model"].astype(str)).groupby("model")["mae"].mean() * DISPLAY[target][1]
    found = mean.rename("error").reset_index().sort_values(["error", "model"], ignore_index=True)
    return found.assign(chosen=found["model"] == chosen)


def reliability(queries: Queries, zone_id: str, target: str) -> pd.DataFrame:
    """How often the micromodel's intervals held: `nominal`, `horizon_s`, `coverage`, `n`; of the test days."""
    scores = test_scores(queries, target)
    scores = scores[(scores["zone_id"] == zone_id) & (scores["model"] == "micromodel")]
    parts = [
        scores[scores["metric"] == f"coverage_{level}"].assign(nominal=level / 100, coverage=lambda x: x["value"])
        for level in (80, 90)
    ]
    found = pd.concat(parts)
    if found.empty:
        measured = (card(queries, zone_id, target).get("intervals") or {}).get("measured", [])
        found = pd.DataFrame(
            [{"nominal": 0.9, "n": np.nan, **row} for row in measured if row.get("coverage") is not None],
            columns=["nominal", "horizon_s", "coverage", "n"],
        )
    return found[["nominal", "horizon_s", "coverage", "n"]].sort_values(["nominal", "horizon_s"], ignore_index=True)


def version_rows(queries: Queries, zone_id: str, target: str) -> pd.DataFrame:
    """All versions, newest first: `version`, `state`, `saved`, `family`, `error` (an hour ahead, shown unit), `why`.

    The state is `pinned`, `force`, `before` (what a roll back brings), `damaged` or empty.
    """
    from models.registry import Registry

    found = standing(queries, zone_id, target)
    rows = []
    for number in reversed(Registry(queries.workspace.models).versions(zone_id, target)):
        told = card(queries, zone_id, target, number)
        state = ""
        if found is not None and number == found.version:
            state = "pinned" if found.pin else "force"
        elif found is not None and number == found.previous:
            state = "before"
        validation = pd.DataFrame(told.get("validation") or [], columns=["horizon_s", "mae"])
        near = validation.iloc[(validation["horizon_s"] - 3600).abs().argsort()[:1]]
        why = str((told.get("decision") or {}).get("reason") or told.get("reason") or "")
        rows.append(
            {
                "version": number, "state": state if told else "damaged", "saved": str(told.get("saved", "")),
                "family": str(told.get("family", "")), "why": why,
                "error": float(near["mae"].iloc[0]) * DISPLAY[target][1] if len(near) else float("nan"),
                "by": str(told.get("created_by") or ""),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["version", "state", "saved", "family", "error", "why", "by"])
