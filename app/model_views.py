"""What the registry knows: cards of stored models, what drives one forecast, and what it comes to in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.feature_words import spoken_labels
from app.limits import EU_2030
from app.live_views import forecast_paths
from app.measured import MEASURED_TARGETS
from app.queries import Queries
from app.texts import ahead, plain_models, spoken, t
from data.errors import ZonewiseError

log = logging.getLogger(__name__)
_HISTORY_DAYS = 16  # enough for the longest lag (two weeks) and its neighbours


def panel(queries: Queries, days: float = _HISTORY_DAYS) -> Any:
    """The panel at `now`: the last `days` of the simulation and the live day as far as it is known."""
    info = queries.info()

    def make() -> Any:
        from models.panel import Panel

        since = (info.now - pd.Timedelta(days=days)).to_pydatetime()
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

        city, state = info.runs["city"], joined("zone_state")
        return Panel.from_table(
            state,
            zones=queries.table(city, "zones"),
            adjacency=queries.table(city, "adjacency") if queries.has_table(city, "adjacency") else None,
            weather=joined("weather") if queries.has_table(info.runs["live"], "weather") else None,
            timezone=info.timezone,
            country=queries.workspace.describe().get("country"),
            step_s=int(info.step_s),
            targets=[name for name in MEASURED_TARGETS if name in state and state[name].notna().any()],
        )

    return queries.keep(("panel", info.runs["live"], info.runs.get("simulation"), info.now, days), make)


def explain(queries: Queries, zone_id: str, target: str, step: int) -> tuple[pd.DataFrame, str] | None:
    """Contributions in shown units that add up to the median, and the model they are of; None where none is stored.

    Parameters
    ----------
    step : int
        Steps ahead of `now`, 1 the next interval. A mix that was not stored is explained by its micromodel.
    """
    info = queries.info()
    versions = (version(queries, place, target) for place in (zone_id, "_city", "_mix"))
    key = ("explain", info.runs["live"], info.runs.get("training"), info.now, zone_id, target, step, *versions)

    def make() -> tuple[pd.DataFrame, str] | None:
        found = in_use(queries, zone_id, target)
        if found is None:
            return None
        model, kind = found
        rows = or_none(
            lambda: model.explain(panel(queries), origin=origin(queries), zone_id=zone_id, step=step), zone_id, target
        )
        return None if rows is None else (rows.assign(contribution=rows["contribution"] * DISPLAY[target][1]), kind)

    kept: tuple[pd.DataFrame, str] | None = queries.keep(key, make)
    if kept is None:
        return None
    return spoken_labels(kept[0], step_s=info.step_s, target=target), kept[1]


def in_use(queries: Queries, zone_id: str, target: str) -> tuple[Any, str] | None:
    """The stored model that serves a zone, and which it is: `micromodel`, `macromodel` or `mix`."""
    used = str(queries.choice(zone_id, target).get("model_in_use", ""))
    for kind, place in (("mix", "_mix"), ("macromodel", "_city"), ("micromodel", zone_id)):
        if kind == used or (kind == "micromodel" and used == "mix"):
            model = load(queries, place, target)
            if model is not None and zone_id in model.zone_ids:
                return model, kind
    return None


def origin(queries: Queries) -> pd.Timestamp:
    return pd.Timestamp(queries.info().now).as_unit("us")


def or_none(make: Callable[[], Any], zone_id: str, target: str) -> Any:
    """What a stored model says; None where it cannot: a model that cannot be read must not take the page with it."""
    try:
        return make()
    except (ZonewiseError, NotImplementedError) as error:
        log.warning("no explanation of %s in %s: %s", target, zone_id, error)
        return None


def anchor(model: Any, step: int) -> int:
    """The model's own horizon nearest to a step, in steps."""
    return int(min(model.anchors, key=lambda a: (abs(a - step), a)))


def load(queries: Queries, zone_id: str, target: str) -> Any:
    """A stored model in force; None where there is none, or where it cannot be read (which is logged)."""
    from models.errors import ModelFileError, RegistryError
    from models.registry import Registry

    def read() -> Any:
        try:
            return Registry(queries.workspace.models).load(zone_id, target)
        except ModelFileError as error:
            log.warning("no model of %s in %s: %s", target, zone_id, error)
        except RegistryError:
            pass
        return None

    return queries.keep(("model", zone_id, target, version(queries, zone_id, target)), read)


def standing(queries: Queries, zone_id: str, target: str) -> Any:
    """What is in force (`models.standing.Standing`), read anew each time; None where nothing is, or it is damaged."""
    from models.errors import ModelFileError, RegistryError
    from models.registry import Registry

    try:
        return Registry(queries.workspace.models).standing(zone_id, target)
    except (RegistryError, ModelFileError):
        return None


def version(queries: Queries, zone_id: str, target: str) -> str:
    """Number of the version in force; empty where there is none."""
    found = standing(queries, zone_id, target)
    return found.version if found is not None else ""


def card(queries: Queries, zone_id: str, target: str, number: str | None = None) -> dict[str, Any]:
    """Card of a version, or of the one in force; empty where there is none, or it is damaged."""
    from models.errors import ModelFileError, RegistryError
    from models.registry import Registry

    at = number or version(queries, zone_id, target)

    def read() -> dict[str, Any]:
        try:
            return dict(Registry(queries.workspace.models).show(zone_id, target, at))
        except (RegistryError, ModelFileError):
            return {}

    return queries.keep(("card", zone_id, target, at), read) if at else {}


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


def told(queries: Queries, zone_id: str, target: str, step: int, when: str) -> str | None:
    """The forecast of the model in use as a paragraph: usual, what it leaned on, range, chance, record; None for none.

    Parameters
    ----------
    when : str
        The moment forecast, in words.
    """
    from models.exceedance import from_quantiles
    from models.paragraph import Chance, paragraph

    found = explain(queries, zone_id, target, step)
    if found is None:
        return None
    info, factor = queries.info(), DISPLAY[target][1]
    rows = found[0].assign(contribution=found[0]["contribution"] / factor)
    levels, paths = forecast_paths(queries, zone_id, target, "in_use")
    interval, chance = None, None
    if len(levels) and step <= len(paths):
        row = paths[step - 1]
        low, high = (int(np.argmin(np.abs(levels - level))) for level in (0.05, 0.95))
        interval = (float(row[low]), float(row[high]))
        if (limit := EU_2030.get(target)) is not None:
            note = t("models.told.limit", minutes=f"{info.step_s / 60:g}")
            p = float(from_quantiles(levels, row * factor, limit.value))
            chance = Chance(limit.value / factor, p, note)
    record, horizon_s = track_record(queries, zone_id, target, step)
    words = or_none(
        lambda: paragraph(
            rows, target=target, zone=queries.zone_names()[zone_id], when=when, interval=interval, record=record,
            chance=chance,
        ),
        zone_id, target,
    )  # fmt: skip
    if words is not None and found[1] != queries.choice(zone_id, target).get("model_in_use"):
        words += t("models.drivers.mix")
    if words is None or horizon_s is None:
        return words
    return f"{words} {t('models.told.record', ahead=ahead(horizon_s))}"


def track_record(queries: Queries, zone_id: str, target: str, step: int) -> tuple[Any, float | None]:
    """How the model in use did on the test days at the scored horizon next to `step`, and that horizon, s."""
    from models.paragraph import TrackRecord

    info = queries.info()
    if "comparison" not in info.runs or not queries.has_table(info.runs["comparison"], "scores"):
        return None, None
    scores = queries.table(info.runs["comparison"], "scores")
    scores = scores[(scores["zone_id"].astype(str) == zone_id) & (scores["target"].astype(str) == target)]
    names = set(scores["model"].astype(str))
    used = str(queries.choice(zone_id, target).get("model_in_use", ""))
    name = next((n for n in ("in_use", used) if n in names), None)
    if name is None:
        return None, None
    horizons = sorted(scores["horizon_s"].astype(float).unique())
    horizon_s = min(horizons, key=lambda h: (abs(h - step * info.step_s), h))
    scores = scores[scores["horizon_s"] == horizon_s]
    table = {(str(r.model), str(r.metric)): r for r in scores.itertuples()}
    if (name, "mae") not in table:
        return None, None

    def value(model: str, metric: str) -> float | None:
        return float(table[model, metric].value) if (model, metric) in table else None

    mae = table[name, "mae"]
    record = TrackRecord(int(mae.n), float(mae.value), value("historical_average", "mae"), value(name, "coverage_90"))
    return record, horizon_s


def plain_reason(reason: str) -> str:
    """A reason of the table `choices` with families by their plain names."""
    names = [key.split(".", 1)[1] for key in spoken() if key.startswith("about.")]
    return plain_models(reason, [name for name in names if name != "mix"])
