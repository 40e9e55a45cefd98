"""What the six steps towards a new micromodel show: what a zone senses, its readings, families, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.jobs import Job, Jobs
from app.model_lists import about, test_scores
from app.model_views import card, panel
from app.queries import Queries, targets_of

#: The steps, in order; each has words under `create.step.<name>`.
STEPS = ("objective", "data", "technique", "validation", "deployment", "monitoring")
HORIZONS_S = (900, 3600, 10_800, 21_600, 86_400)
EFFORTS = ("quick", "standard", "thorough")
MOST_DAYS = 366
_SECONDS_A_ZONE = 0.15  # of a family whose cost was never measured here (assumed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has been chosen so far, as it stands in the address."""

    step: int
    zone: str
    target: str
    horizon_s: float
    days: int
    families: tuple[str, ...]
    job: str

    @property
    def address(self) -> dict[str, str]:
        """The same as texts."""
        return {
            "step": str(self.step), "zone": self.zone, "target": self.target, "horizon": f"{self.horizon_s:g}",
            "days": str(self.days), "families": ",".join(self.families), "job": self.job,
        }  # fmt: skip


def plan_of(queries: Queries, said: dict[str, Any]) -> Plan:
    """A plan from an address or from fields; what is missing or makes no sense takes a default."""
    choices, names = queries.choices(), queries.zone_names()
    sensing = {str(z) for z in choices["zone_id"]}
    zone = str(said.get("zone") or "")
    zone = zone if zone in sensing else next((str(z) for z in names if z in sensing), "")
    targets = targets_of_zone(queries, zone)
    target = str(said.get("target") or "")
    family_names = said.get("families") or ()
    if isinstance(family_names, str):
        family_names = [name for name in family_names.split(",") if name]
    known = {row["family"] for row in family_rows()}
    families = tuple(dict.fromkeys(str(n) for n in family_names if n in known)) or effort_families("quick")
    horizon = _number(said.get("horizon"), 3600)
    return Plan(
        step=int(np.clip(_number(said.get("step"), 1), 1, len(STEPS))), zone=zone,
        target=target if target in targets else (targets[0] if targets else ""),
        horizon_s=float(min(HORIZONS_S, key=lambda h: abs(h - horizon))),
        days=int(np.clip(_number(said.get("days"), 28), 5, MOST_DAYS)), families=families,
        job=str(said.get("job") or ""),
    )  # fmt: skip


def _number(value: Any, otherwise: float) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return otherwise
    return found if np.isfinite(found) else otherwise


def targets_of_zone(queries: Queries, zone: str) -> list[str]:
    """What a zone senses."""
    choices = queries.choices()
    return targets_of(choices[choices["zone_id"].astype(str) == zone])


def now_serving(queries: Queries, plan: Plan) -> dict[str, Any]:
    """What serves the zone: `model_in_use`, `family`, `version` and `error` at the horizon of interest (shown unit)."""
    choice, told = queries.choice(plan.zone, plan.target), card(queries, plan.zone, plan.target)
    rows = test_scores(queries, plan.target)
    rows = rows[(rows["zone_id"] == plan.zone) & (rows["metric"] == "mae") & (rows["model"] == "micromodel")]
    near = rows.iloc[(rows["horizon_s"] - plan.horizon_s).abs().argsort()[:1]]
    return {
        "model_in_use": str(choice.get("model_in_use", "")), "family": str(told.get("family", "")),
        "version": str(told.get("version", "")),
        "error": float(near["value"].iloc[0]) * DISPLAY[plan.target][1] if len(near) else float("nan"),
        "horizon_s": float(near["horizon_s"].iloc[0]) if len(near) else float("nan"),
    }  # fmt: skip


def readings_of(queries: Queries, plan: Plan) -> dict[str, Any]:
    """What the window holds: `first`, `last` (local), `days`, `readings`, `missing` (share), `longest_gap_h`, `low`,
    `high` (shown unit), `neighbours` (that sense the same) and `daily` (`day`, `share`)."""
    history = panel(queries, float(plan.days))
    values = history.values[plan.target][:, history.columns([plan.zone])[0]]
    there = np.isfinite(values)
    local = history.times.tz_convert(queries.info().timezone)
    if there.any():
        first = int(there.argmax())
        values, there, local = values[first:], there[first:], local[first:]
    gaps = np.diff(np.flatnonzero(np.concatenate([[True], there, [True]]))) - 1
    daily = pd.Series(there.astype(float)).groupby(local.tz_localize(None).normalize()).mean()
    factor = DISPLAY[plan.target][1]
    others = [z for z in history.zone_ids if z != plan.zone]
    sensing = [z for z in others if np.isfinite(history.values[plan.target][:, history.columns([z])[0]]).any()]
    return {
        "first": local[0], "last": local[-1], "days": len(there) / history.steps_per_day, "readings": int(there.sum()),
        "missing": float(1 - there.mean()), "longest_gap_h": float(gaps.max() * history.step_s / 3600),
        "low": factor * float(np.nanmin(values)) if there.any() else float("nan"),
        "high": factor * float(np.nanmax(values)) if there.any() else float("nan"), "others": len(sensing),
        "daily": pd.DataFrame({"day": daily.index, "share": daily.to_numpy()}),
    }  # fmt: skip


def family_rows() -> list[dict[str, Any]]:
    """Families that learn a zone at a time, simplest first: `family`, `rank`, `about`."""
    from models.learner import families, learner_class

    rows = [
        {"family": name, "rank": float(learner_class(name).rank), "about": about(name)} for name in families("zone")
    ]
    return sorted(rows, key=lambda row: (row["rank"], row["family"]))


def effort_families(effort: str) -> tuple[str, ...]:
    """Families of an effort that learn a zone at a time."""
    from models.candidates import candidates

    return tuple(dict.fromkeys(c.family for c in candidates(effort) if c.learner.scope == "zone"))


def effort_of(families: tuple[str, ...]) -> str:
    """The effort whose families these are; `own` where it is none."""
    return next((effort for effort in EFFORTS if set(effort_families(effort)) == set(families)), "own")


def seconds_of(queries: Queries, plan: Plan) -> float:
    """About how long training will take, s of one processor: what it took at the last training, by days of readings."""
    info = queries.info()
    zones = int((queries.choices()["target"].astype(str) == plan.target).sum())
    run = info.runs.get("comparison")
    cost: dict[str, float] = {}
    if run and queries.has_table(run, "costs"):
        table = queries.table(run, "costs")
        table = table[table["target"].astype(str) == plan.target]
        cost = dict(zip(table["model"].astype(str), table["fit_seconds"].astype(float)))
    return sum(cost.get(name) or _SECONDS_A_ZONE * zones for name in (*plan.families, "macro_ridge"))


def job_of(queries: Queries, plan: Plan) -> Job | None:
    """The job that the address names; None where there is none."""
    if not plan.job or not queries.workspace.jobs_path.is_file():
        return None
    found = Jobs(queries.workspace.jobs_path).read(plan.job)
    return found if found is not None and found.kind == "create" else None


def made(queries: Queries, plan: Plan) -> dict[str, Any]:
    """Card of the version that the job made; empty before."""
    job = job_of(queries, plan)
    if job is None or not job.result:
        return {}
    return card(queries, str(job.params["zone"]), str(job.params["target"]), job.result)


def out_of_fold(told: dict[str, Any], target: str) -> pd.DataFrame:
    """Errors of a new micromodel and of its rivals, `model`, `horizon_s`, `value`, in shown units."""
    rows = pd.DataFrame(told.get("out_of_fold") or [], columns=["model", "horizon_s", "mae", "n"])
    return rows.assign(value=rows["mae"] * DISPLAY[target][1]).drop(columns="mae")
