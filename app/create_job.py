"""What a job of kind `create` does: one zone's micromodel is trained on what is known now, judged, and stored aside.

Families compete as in `zonewise train`, on days left out inside the training part, and the guard against overfitting
speaks. The newest days stay out of all of it: on them the new model meets the version in force. What is stored has
learned from all readings; a person puts it in force, or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.code_version import code_version
from app.layers import is_measured
from app.model_saving import place_of
from app.model_views import panel
from app.queries import Queries
from app.simulate_job import Stopped
from app.texts import t
from data.errors import InputError
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel
    from models.training import Training

RIVAL = "macro_ridge"  # the macromodel that competes: the cheapest, so that a new micromodel is a matter of seconds
LEAST_DAYS, MOST_DAYS = 5, 366
TEST_SHARE, MOST_TEST_DAYS = 0.2, 7.0  # of the window, kept out of training (as `zonewise demo` does)
PARTS = 6.0  # of progress: four for training, one to judge, one to store
_SHOWN = ("micromodel", "macromodel", "historical_average", "seasonal_naive")


def run_job(
    workspace: Workspace, params: dict[str, Any], report: Callable[..., None], cancelled: Callable[[], bool]
) -> str:
    """Train, judge and store a new version that is not in force.

    Parameters
    ----------
    params : dict
        `zone`, `target`, `families` (that learn a zone at a time), `days` (of the window), `horizon_s` (of interest,
        for the card), `by` and `seed`.

    Returns
    -------
    str
        Number of the new version.

    Raises
    ------
    InputError
        Naming everything that is wrong with the parameters at once, or if the job was stopped.
    ShortHistoryError
        If the window is too short to learn from.
    """
    from threadpoolctl import threadpool_limits

    queries = Queries(workspace)
    zone, target, families = checked(queries, params)

    def tell(done: float, message: str) -> None:
        if cancelled():
            raise Stopped(t("job.stopped"))
        report(done, PARTS, message)

    tell(0.0, t("create.job.reading"))
    with threadpool_limits(limits=1):
        readings = panel(queries, float(params["days"]))
        return _create(queries, readings, zone, target, families, params, tell)


def checked(queries: Queries, params: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Zone, target and families.

    Raises
    ------
    InputError
    """
    from models.learner import families

    zone, target = str(params.get("zone", "")), str(params.get("target", ""))
    wanted = tuple(dict.fromkeys(str(name) for name in params.get("families") or ()))
    faults = []
    if zone not in queries.zone_names():
        faults.append(t("create.error.zone", zone=zone))
    elif not queries.choice(zone, target):
        faults.append(t("create.error.target", zone=zone, target=target))
    known = families("zone")
    if not wanted:
        faults.append(t("create.error.none"))
    if strange := [name for name in wanted if name not in known]:
        faults.append(t("create.error.families", names=", ".join(strange), allowed=", ".join(known)))
    days = params.get("days")
    if isinstance(days, bool) or not isinstance(days, int | float) or not LEAST_DAYS <= days <= MOST_DAYS:
        faults.append(t("create.error.days", days=days, low=LEAST_DAYS, high=MOST_DAYS))
    if faults:
        raise InputError("; ".join(faults))
    return zone, target, wanted


def _create(
    queries: Queries, readings: Panel, zone: str, target: str, families: tuple[str, ...], params: Mapping[str, Any],
    tell: Callable[[float, str], None],
) -> str:  # fmt: skip
    from models.cards import describe
    from models.registry import Registry
    from models.training import train

    now = readings.origin(len(readings) - 1)
    days = len(readings) / readings.steps_per_day
    test_from = now - pd.Timedelta(days=float(np.clip(round(TEST_SHARE * days), 1, MOST_TEST_DAYS)))
    seed = int(params.get("seed", 1))
    training = train(
        readings, targets=[target], train_end=test_from, test_from=test_from, families=(*families, RIVAL), seed=seed,
        progress=lambda done, total, _: tell(4.0 * done / total, t("create.job.training", done=done, total=total)),
    )  # fmt: skip
    key = (zone, target)
    judged = training.newcomers.get(key) or training.micromodels.get(key)
    if judged is None:
        raise InputError(t("create.error.target", zone=zone, target=target))
    tell(4.0, t("create.job.judging"))
    registry = Registry(queries.workspace.models, by=str(params.get("by") or "app"))
    decision = _against_force(registry, readings, judged, key, test_from, seed)
    tell(5.0, t("create.job.storing"))
    final = judged.refit(readings, train_end=now)
    source = "measured" if is_measured(queries) else "simulated"
    card = describe(
        final, panel=readings, judged=judged, code_version=code_version()["models"], source=source,
        lineage={"learned_again_from": judged.train_end},
    )  # fmt: skip
    told = {**_told(training, judged, key), **card, "created_by": str(params.get("by") or ""), "decision": decision}
    told |= {"place": place_of(readings), "horizon_of_interest_s": float(params.get("horizon_s") or 3600.0)}
    number = registry.save(zone, target, final, told, promote=False, why=t("create.kept"))
    tell(PARTS, t("create.job.stored", version=number))
    return number


def _against_force(
    registry: Any, readings: Panel, judged: Forecaster, key: tuple[str, str], test_from: pd.Timestamp, seed: int
) -> dict[str, Any]:
    """The new model against the version in force on days that neither has seen, for the card; no decision is taken."""
    from models.errors import ModelFileError, RegistryError
    from models.succession import judge

    try:
        number, rival = registry.current(*key), registry.load(*key)
    except (RegistryError, ModelFileError) as error:
        return {"promoted": False, "better": True, "reason": t("create.noforce", error=error)}
    found = judge(readings, {key: judged}, {key: rival}, left_out_from=test_from, numbers={key: number}, seed=seed)[key]
    return {"promoted": False, "better": found.promote, "reason": found.reason, **found.figures}


def _told(training: Training, judged: Forecaster, key: tuple[str, str]) -> dict[str, Any]:
    """Of a training, what the card of one zone's model says: the choice, the guard, and everybody's errors."""
    from models.choosing import validation_scores

    zone, target = key
    row = training.choices[(training.choices["zone_id"] == zone) & (training.choices["target"] == target)].iloc[0]
    told = {name: row[name] for name in ("reason", "micro_mae", "macro_mae", "naive_mae") if name in row}
    watched = training.guard
    watched = watched[(watched["zone_id"] == zone) & (watched["target"] == target)] if len(watched) else watched
    if len(watched):
        guard = watched.iloc[0]
        told |= {"guard": str(guard["words"]), "fell_from": str(guard["chosen"]) if guard["fell_back"] else ""}
    every = {name: model for (name, of), model in training.candidates.items() if of == target}
    tried = validation_scores(every.items(), judged.step_s, training.seed)
    told["candidates"] = _rows(tried[tried["zone_id"] == zone])
    scores = training.scores
    told["out_of_fold"] = _rows(scores[(scores["zone_id"] == zone) & scores["model"].isin(_SHOWN)])
    told["fit_seconds"] = sum(training.seconds.values()) / max(1, len(training.zones(target)))
    return told


def _rows(scores: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"model": str(r.model), "horizon_s": float(r.horizon_s), "mae": float(r.value), "n": int(r.n)}
        for r in scores.itertuples() if np.isfinite(r.value)
    ]  # fmt: skip
