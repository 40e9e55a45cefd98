"""What the registry knows: cards of stored models, and what drives one forecast."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from app.queries import Queries
from data.errors import ZonewiseError
from data.units import DISPLAY

log = logging.getLogger(__name__)
_HISTORY_DAYS = 16  # enough for the longest lag (two weeks) and its neighbours


def panel(queries: Queries) -> Any:
    """The panel at `now`: the last days of the simulation and the live day as far as it is known."""
    info = queries.info()

    def make() -> Any:
        from models.panel import Panel

        since = (info.now - pd.Timedelta(days=_HISTORY_DAYS)).to_pydatetime()
        until = (info.now - pd.Timedelta(seconds=info.step_s)).to_pydatetime()

        def joined(table: str) -> pd.DataFrame:
            parts = [
                queries.sql("SELECT * FROM {t} WHERE time >= ? AND time <= ?", since, until, t=(info.runs[kind], table))
                for kind in ("simulation", "live")
                if kind in info.runs and queries.has_table(info.runs[kind], table)
            ]
            whole = pd.concat(parts, ignore_index=True)
            whole["time"] = pd.to_datetime(whole["time"], utc=True)
            keys = [k for k in ("zone_id", "time") if k in whole]
            return whole.drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)

        city = info.runs["city"]
        return Panel.from_table(
            joined("zone_state"),
            zones=queries.table(city, "zones"),
            adjacency=queries.table(city, "adjacency") if queries.has_table(city, "adjacency") else None,
            weather=joined("weather") if queries.has_table(info.runs["live"], "weather") else None,
            timezone=info.timezone,
            country=queries.workspace.describe().get("country"),
            step_s=int(info.step_s),
        )

    return queries.keep(("panel", info.runs["live"], info.runs.get("simulation"), info.now), make)


def explain(queries: Queries, zone_id: str, target: str, step: int) -> tuple[pd.DataFrame, str] | None:
    """Contributions in shown units that add up to the median, and the model they are of; None where none is stored.

    Parameters
    ----------
    step : int
        Steps ahead of `now`, 1 the next interval. A mix is explained by its micromodel.
    """
    info = queries.info()
    choice = queries.choice(zone_id, target)
    if not choice:
        return None
    model = "macromodel" if choice["model_in_use"] == "macromodel" else "micromodel"
    key = ("explain", info.runs["live"], info.runs.get("training"), info.now, zone_id, target, step, model)

    def make() -> tuple[pd.DataFrame, str] | None:
        try:
            forecaster = load(queries, zone_id if model == "micromodel" else "_city", target)
            if forecaster is None:
                return None
            origin = pd.Timestamp(info.now).as_unit("us")
            rows = forecaster.explain(panel(queries), origin=origin, zone_id=zone_id, step=step)
        except (ZonewiseError, NotImplementedError) as error:
            log.warning("no explanation of %s in %s: %s", target, zone_id, error)
            return None
        return rows.assign(contribution=rows["contribution"] * DISPLAY[target][1]), model

    return queries.keep(key, make)


def load(queries: Queries, zone_id: str, target: str) -> Any:
    """A stored model in force; None where there is none."""
    from models.errors import RegistryError
    from models.registry import Registry

    try:
        return queries.keep(
            ("model", queries.info().runs.get("training"), zone_id, target),
            lambda: Registry(queries.workspace.models).load(zone_id, target),
        )
    except RegistryError:
        return None


def card(queries: Queries, zone_id: str, target: str) -> dict[str, Any]:
    """Card of the version in force; empty where there is none."""
    from models.errors import RegistryError
    from models.registry import Registry

    try:
        return dict(Registry(queries.workspace.models).show(zone_id, target))
    except RegistryError:
        return {}


def main_driver(queries: Queries, zone_id: str, target: str, step: int) -> tuple[str, float] | None:
    """Label and contribution of what moves a forecast most away from its base."""
    found = explain(queries, zone_id, target, step)
    if found is None:
        return None
    rows = found[0]
    rows = rows[~rows["feature"].isin(["base", "usual", "intercept", "calibration", "rest"])]
    if rows.empty:
        return None
    top = rows.loc[rows["contribution"].abs().idxmax()]
    return str(top["label"]), float(top["contribution"])


def rules(queries: Queries, zone_id: str, target: str, step: int) -> list[str]:
    """How a tree decides, in words; empty for other families."""
    from models.explain import rules as tree_rules

    try:
        model = load(queries, zone_id, target)
        if model is None or model.family != "tree":
            return []
        return [str(line) for line in tree_rules(model, step=step)][:14]
    except ZonewiseError as error:  # a stored model that cannot be read must not take the page with it
        log.warning("no rules of %s in %s: %s", target, zone_id, error)
        return []


def model_table(queries: Queries, target: str) -> pd.DataFrame:
    """One row a zone that senses `target`: family, version, errors by horizon, coverage, bytes, use, reason."""
    info = queries.info()
    names = queries.zone_names()
    choices = queries.choices()
    choices = choices[choices["target"].astype(str) == target]
    scores = pd.DataFrame(columns=["model", "zone_id", "target", "metric", "horizon_s", "value"])
    for kind in ("comparison", "training"):
        if kind in info.runs and queries.has_table(info.runs[kind], "scores"):
            scores = queries.table(info.runs[kind], "scores")
            break
    scores = scores[scores["target"].astype(str) == target]
    factor = DISPLAY[target][1]

    def score(zone: str, model: str, metric: str, horizon_s: float) -> float:
        hit = scores[
            (scores["zone_id"] == zone)
            & (scores["model"] == model)
            & (scores["metric"] == metric)
            & (scores["horizon_s"] == horizon_s)
        ]
        return float(hit["value"].iloc[0]) if len(hit) else float("nan")

    rows = []
    for choice in choices.itertuples():
        zone = str(choice.zone_id)
        told = card(queries, zone, target)
        row = {
            "zone_id": zone,
            "name": names.get(zone, zone),
            "family": str(choice.family),
            "version": str(told.get("version", "–")),
            "model_in_use": str(choice.model_in_use),
            "reason": str(choice.reason),
            "is_task": bool(choice.is_task),
            "fit_seconds": float(told.get("fit_seconds", np.nan) or np.nan),
            "bytes": float(dict(told.get("complexity", {})).get("bytes", np.nan) or np.nan),
        }
        for horizon_s in (900.0, 3600.0, 86400.0):
            for model in ("micromodel", "macromodel", "seasonal_naive"):
                row[f"{model}_{int(horizon_s)}"] = score(zone, model, "mae", horizon_s) * factor
        row["coverage_90"] = score(zone, "micromodel", "coverage_90", 3600.0)
        rows.append(row)
    return pd.DataFrame(rows)
