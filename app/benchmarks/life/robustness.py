"""Part `robustness`: how errors grow when readings are bad, by family, and what the defence saves.

Some sensors, no two of them neighbours, are at fault on every other day of the test part; forecasts of their zones from
within these days are held against what was truly read, with and without the defence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.altered import made_city
from app.benchmarks.models.cut import around_test
from app.benchmarks.models.panels import load
from data.errors import InputError
from models.contract import Forecaster
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.panel import Panel
from models.robustness import Defence, Disturbance, Fallback, apart, disturbed, error_growth, worst_within
from models.robustness.growth import losses
from models.robustness.guarded import guarded_forecast

FAMILIES = ("ridge", "boosted_trees", "macro_ridge")
STEPS = {"scats": (1, 4), "pm25": (1, 6), "made city": (1, 4)}
MOST_ZONES = 40
TRAIN_DAYS, TEST_DAYS = 120, 28  # of long panels
MOST_HARM = 1.005
DISTURBANCES: dict[str, tuple[float, ...]] = {
    "noise": (20.0, 10.0, 0.0), "gaps": (0.1, 0.5), "blocks": (1.0, 6.0), "silent": (0.0,), "stuck": (0.0,),
    "bias": (0.5, 1.0, 2.0), "drift": (1.0, 2.0), "replay": (1.0,), "late": (15.0, 60.0),
    "factor": (0.621, 1.609, 3.6),
}  # fmt: skip
TOLERANCES = (0.02, 0.05, 0.1)
_JAM_H, _JAM_SHARE = 3, 0.5  # a made event: readings halved for three hours
_APART_STEPS = 13  # between origins of the adversary, so that no reading serves two of them
_HIGH, _LOW = QUANTILES.index(0.95), QUANTILES.index(0.05)


@dataclass(frozen=True, eq=False)
class Setting:
    """A panel, where its test part begins, its zones and those whose sensors are at fault."""

    name: str
    panel: Panel
    target: str
    start: int
    zones: tuple[str, ...]
    bad: tuple[str, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """Horizons, in steps."""
        return STEPS[self.name]

    @property
    def episodes(self) -> list[tuple[int, int]]:
        """From noon to noon on every other day."""
        spd = self.panel.steps_per_day
        return [
            (s, min(s + spd, len(self.panel)))
            for s in range(self.start + spd // 2, len(self.panel) - spd // 2, 2 * spd)
        ]

    def origins(self, *, all_days: bool = False, every_h: float = 1.0) -> np.ndarray:
        """Last known positions, every hour, within episodes or on all test days."""
        last = len(self.panel) - max(self.steps) - 1
        inside = [np.arange(self.start, last)] if all_days else [np.arange(a + 1, e) for a, e in self.episodes]
        known = np.concatenate(inside)
        return known[known < last][:: max(1, round(every_h * 3600 / self.panel.step_s))]


def settings(seed: int) -> tuple[list[Setting], list[str]]:
    """Real panels where their data is there, and the made city."""
    found, notes = [], []
    for name in STEPS:
        try:
            panel, target, start = _made(seed) if name == "made city" else _real(name)
        except InputError as error:
            notes.append(str(error))
            continue
        zones = panel.sensed(target)
        found.append(Setting(name, panel, target, start, zones, apart(panel, zones, seed=seed, most=12)))
    return found, notes


def measure(*, seed: int) -> dict[str, Any]:
    """Ratios of mean absolute errors to those on clean readings, before and after the defence."""
    figures: list[dict[str, Any]] = []
    table: list[dict[str, Any]] = []
    given, notes = settings(seed)
    for setting in given:
        end = setting.panel.origin(setting.start - 1)
        defence = Defence.fit(setting.panel, [setting.target], train_end=end)
        models = {
            family: LearnedForecaster(family, seed=seed).fit(
                setting.panel, target=setting.target, zone_ids=setting.zones, train_end=end, steps=setting.steps
            )
            for family in FAMILIES
        }
        figures += _harm(setting, defence, models, seed)
        figures += _events(setting, defence, models["ridge"], seed)
        rows = _grown(setting, defence, models, seed) + _attacked(setting, defence, models, seed)
        figures += [
            figure(f"{setting.name}: {row['family']}, {row['disturbance']} {row['strength']:g}, {when}, MAE over clean",
                   row[when].ratio, "1", n=row[when].n, seed=seed, lower=row[when].low, upper=row[when].high)
            for row in rows for when in ("before", "after")
        ]  # fmt: skip
        table += [
            {**row, "panel": setting.name, "before": row["before"].ratio, "after": row["after"].ratio} for row in rows
        ]
        figures += _coverage(setting, defence, models["ridge"], seed)
    grown = [row for row in table if row["before"] > 1.1]
    if grown:
        saved = [(row["before"] - row["after"]) / (row["before"] - 1) for row in grown]
        figures.append(
            figure("share of the error's growth saved by the defence, median of faults that cost over 10 %",
                   float(np.median(saved)), "1", n=len(saved), seed=seed)
        )  # fmt: skip
    return {"figures": figures, "table": table, "notes": notes}


def _harm(setting: Setting, defence: Defence, models: dict[str, Forecaster], seed: int) -> list[dict[str, Any]]:
    """What the defence costs where nothing was done to the readings."""
    known = setting.origins(all_days=True)
    cleaned = defence.clean(setting.panel, start=setting.start)
    day = setting.panel.calendar.day[known]
    score = partial(losses, truth=setting.panel, known=known, zone_ids=setting.zones, steps=setting.steps)
    found = []
    for family, model in models.items():
        growth = error_growth(score(model, cleaned.panel), score(model, setting.panel), day, seed=seed)
        found.append(
            figure(f"{setting.name}: {family}, defended over not, on clean readings, MAE", growth.ratio, "1",
                   target=MOST_HARM, n=growth.n, seed=seed, lower=growth.low, upper=growth.high)
        )  # fmt: skip
    columns = setting.panel.columns(setting.zones)
    changed = cleaned.refused(setting.target)[setting.start :, columns]
    heard = np.isfinite(setting.panel.values[setting.target][setting.start :, columns])
    share = float((changed & heard).sum() / max(heard.sum(), 1))
    return [*found, figure(f"{setting.name}: clean readings refused", share, "1", n=int(heard.sum()), seed=seed)]


def _events(setting: Setting, defence: Defence, model: Forecaster, seed: int) -> list[dict[str, Any]]:
    """Whether an event that companions share passes, and one that a zone has alone; and what that does to forecasts."""
    panel, target = setting.panel, setting.target
    spd, rows = panel.steps_per_day, _JAM_H * 3600 // panel.step_s
    habit = defence.habits[target]
    found = []
    starts = range(setting.start + spd // 3, len(panel) - spd // 2, spd)
    columns = panel.columns(setting.bad)
    for shared in (True, False):
        grid = panel.values[target].copy()
        hit = np.zeros(grid.shape, dtype=bool)
        for place, start in enumerate(starts):
            column = columns[place % columns.size]
            near = np.append(habit.companions[column][habit.companions[column] >= 0], column) if shared else column
            grid[start : start + rows, near] *= _JAM_SHARE
            hit[start : start + rows, column] = True
        told = replace(panel, values={**panel.values, target: grid})
        cleaned = defence.clean(told, start=setting.start)
        hit &= np.isfinite(grid)
        passed = float(1 - cleaned.refused(target)[hit].mean())
        name = "that companions share" if shared else "of one zone alone"
        found.append(figure(f"{setting.name}: readings of an event {name} that pass", passed, "1",
                            target=0.95 if shared else None, at_most=False, n=int(hit.sum()), seed=seed))  # fmt: skip
        if shared:
            known = np.unique(np.concatenate([np.arange(s, s + rows) for s in starts]))
            known = known[known < len(panel) - max(setting.steps)]
            score = partial(losses, truth=told, known=known, zone_ids=setting.bad, steps=setting.steps)
            mine = hit[known][:, columns][..., None]
            a, b = (np.where(mine, score(model, p), np.nan) for p in (cleaned.panel, told))
            growth = error_growth(a, b, panel.calendar.day[known], seed=seed)
            found.append(figure(f"{setting.name}: ridge, defended over not, during shared events, MAE", growth.ratio,
                                "1", n=growth.n, seed=seed, lower=growth.low, upper=growth.high))  # fmt: skip
    return found


def _grown(setting: Setting, defence: Defence, models: dict[str, Forecaster], seed: int) -> list[dict[str, Any]]:
    """A row each family, disturbance and strength."""
    known = setting.origins()
    day = setting.panel.calendar.day[known]
    score = partial(losses, truth=setting.panel, known=known, zone_ids=setting.bad, steps=setting.steps)
    clean = {family: score(model, setting.panel) for family, model in models.items()}
    rows = []
    for kind, strengths in DISTURBANCES.items():
        for strength in strengths:
            bad = disturbed(
                setting.panel, setting.target, Disturbance(kind=kind, strength=strength), zone_ids=setting.bad,
                episodes=setting.episodes, seed=seed,
            )  # fmt: skip
            good = defence.clean(bad, start=setting.start).panel
            for family, model in models.items():
                rows.append(
                    {
                        "family": family, "disturbance": kind, "strength": strength,
                        "before": error_growth(score(model, bad), clean[family], day, seed=seed),
                        "after": error_growth(score(model, good), clean[family], day, seed=seed),
                    }
                )  # fmt: skip
    return rows


def _attacked(setting: Setting, defence: Defence, models: dict[str, Forecaster], seed: int) -> list[dict[str, Any]]:
    """The same for the worst readings within a tolerance; the first horizon is attacked and scored."""
    known = setting.origins()
    spaced = [known[0]]
    for position in known:
        if position - spaced[-1] >= _APART_STEPS:
            spaced.append(position)
    known, step = np.array(spaced), setting.steps[0]
    day = setting.panel.calendar.day[known]
    score = partial(losses, truth=setting.panel, known=known, zone_ids=setting.bad, steps=(step,))
    rows = []
    for tolerance in TOLERANCES:
        for family, model in models.items():
            bad = worst_within(model, setting.panel, known, zone_ids=setting.bad, step=step, tolerance=tolerance)
            good = defence.clean(bad, start=setting.start).panel
            clean = score(model, setting.panel)
            rows.append(
                {
                    "family": family, "disturbance": "adversary, share of a reading", "strength": tolerance,
                    "before": error_growth(score(model, bad), clean, day, seed=seed),
                    "after": error_growth(score(model, good), clean, day, seed=seed),
                }
            )  # fmt: skip
    return rows


def _coverage(setting: Setting, defence: Defence, model: Forecaster, seed: int) -> list[dict[str, Any]]:
    """Share of readings within the 90 % interval while sensors are stuck: as stored, defended, and widened."""
    panel, target = setting.panel, setting.target
    known = setting.origins()
    origins = panel.origins(known)
    bad = disturbed(panel, target, Disturbance(kind="stuck", strength=0.0), zone_ids=setting.bad,
                    episodes=setting.episodes, seed=seed)  # fmt: skip
    aim = known[:, None] + np.asarray(setting.steps)
    actual = panel.values[target][aim][:, :, panel.columns(setting.bad)].transpose(0, 2, 1)
    fallback = Fallback.fit(model, panel, defence, seed=seed)
    fans = {
        "as stored": model.forecast(bad, origins=origins, zone_ids=setting.bad),
        "defended": guarded_forecast(model, bad, defence, origins=origins, zone_ids=setting.bad)[0],
        "defended and widened": guarded_forecast(
            model, bad, defence, origins=origins, zone_ids=setting.bad, fallback=fallback
        )[0],
    }
    heard = np.isfinite(actual)
    return [
        figure(f"{setting.name}: ridge, stuck sensors, readings within the 90 % interval, {name}",
               float(((fan[..., _LOW] <= actual) & (actual <= fan[..., _HIGH]))[heard].mean()), "1",
               n=int(heard.sum()), seed=seed)
        for name, fan in fans.items()
    ]  # fmt: skip


def _real(name: str) -> tuple[Panel, str, int]:
    """The part of a real panel around its test days; of many zones the first ones."""
    bench = load(name)
    panel, start = around_test(bench, train_days=TRAIN_DAYS, test_days=TEST_DAYS)
    return picked(panel, panel.sensed(bench.target)[:MOST_ZONES], (bench.target,)), bench.target, start


def picked(panel: Panel, zone_ids: Sequence[str], targets: Sequence[str] | None = None) -> Panel:
    """Some zones and targets of a panel; the weights of the neighbours left sum to 1 again."""
    columns = panel.columns(list(zone_ids))
    near = panel.neighbours[np.ix_(columns, columns)]
    total = near.sum(axis=1, keepdims=True)
    return replace(
        panel, zone_ids=tuple(zone_ids), zones=None if panel.zones is None else panel.zones.iloc[columns],
        values={k: v[:, columns] for k, v in panel.values.items() if targets is None or k in targets},
        neighbours=np.divide(near, total, out=np.zeros_like(near), where=total > 0),
    )  # fmt: skip


def _made(seed: int) -> tuple[Panel, str, int]:
    """Four weeks of a made city and one for testing."""
    panel = made_city(zones=20, days=35, seed=seed)
    return panel, "speed_mps", 28 * panel.steps_per_day
