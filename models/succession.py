"""Succession: whether a newer version may take the place of the one in force, on readings that neither has seen.

The newer one goes into force where its error on days left out is not above that of the one in force. Errors of a few
days are partly luck, so that zones judged together are drawn to what all of them say, as far as the days cannot tell
them apart (see `promotion`). Where the version in force has itself seen those days, its recipe (family and settings) is
learned again without them and scored in its place: to compare a forecast with a memory would be no comparison.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from data.errors import ZonewiseError
from data.units import DISPLAY
from models.contract import Forecaster
from models.errors import ModelFileError, RegistryError
from models.horizons import followed
from models.intervals import QUANTILES
from models.panel import Panel
from models.promotion import LEAST_SKILL, drawn
from models.registry import Registry
from models.registry_files import Key
from models.significance import PairSums, paired_test

TOLERANCE = LEAST_SKILL  # errors nearer than this are the same, and the newer version goes first
LEAST_DAYS = 2.0  # of readings left out, below which nothing is compared (assumed)
MOST_ORIGINS = 672  # scored at most, evenly spread (a week of 15-minute steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a newer version goes into force.

    Attributes
    ----------
    promote : bool
    reason : str
        In a sentence, for the card and the log.
    figures : dict
        `days`, `forecasts`, `newer_mae`, `in_force_mae` (the target's unit), `change` (share by which the newer one's
        error is above that of the one in force), `change_drawn` (drawn to all zones'), `low`, `high` (90 % interval of
        `change`), `p` (two-sided, of no difference), `version`, `relearned` (whether the recipe was learned again);
        empty where nothing was compared.
    """

    promote: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def succeed(
    registry: Registry,
    models: Mapping[Key, Forecaster],
    panel: Panel,
    *,
    left_out_from: pd.Timestamp,
    judged: Mapping[Key, Forecaster] | None = None,
    cards: Mapping[Key, Mapping[str, Any]] | None = None,
    place: str = "",
    seed: int = 0,
) -> tuple[dict[Key, str], dict[Key, Decision]]:
    """Store new versions, and put those in force that are not worse than the ones there.

    Parameters
    ----------
    registry : Registry
    models : dict of (zone_id, target) to Forecaster
        What is stored, e.g. learned again from all readings.
    panel : Panel
        With the readings left out.
    left_out_from : Timestamp
        UTC; nothing from here on has taught the judged models.
    judged : dict or None
        What is scored in place of `models`: the same before they were learned again.
    cards : dict or None
        For the cards, see `cards.describe`.
    place : str
        Names the city and its zones, e.g. the id of the city's run. A version in force that was learned for another
        place does not forecast this one, whatever its zones are called, and gives way.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        Numbers of the new versions.
    dict
        Decision by (zone, target); a pinned model's version stays, whatever the figures.
    """
    judged, cards = judged or {}, cards or {}
    decisions: dict[Key, Decision] = {}
    rivals: dict[Key, Forecaster] = {}
    numbers: dict[Key, str] = {}
    for key in models:
        found = _in_force(registry, key, place)
        if isinstance(found, Decision):
            decisions[key] = found
        else:
            numbers[key], rivals[key] = found
    newer = {key: judged.get(key, models[key]) for key in rivals}
    decisions |= judge(panel, newer, rivals, left_out_from=left_out_from, numbers=numbers, seed=seed)
    told = {
        key: {
            **cards.get(key, {}), "place": place,
            "decision": {"promoted": d.promote, "reason": d.reason, **d.figures},
        }
        for key, d in decisions.items()
    }  # fmt: skip
    made = registry.save_many(
        models, told, promote={key: d.promote for key, d in decisions.items()},
        why={key: d.reason for key, d in decisions.items()},
    )  # fmt: skip
    return made, decisions


def judge(
    panel: Panel,
    newer: Mapping[Key, Forecaster],
    in_force: Mapping[Key, Forecaster],
    *,
    left_out_from: pd.Timestamp,
    numbers: Mapping[Key, str] | None = None,
    seed: int = 0,
) -> dict[Key, Decision]:
    """Compare each newer model with the one in force, on the same forecasts of days left out; nothing is stored.

    Parameters
    ----------
    newer, in_force : dict of (zone_id, target) to Forecaster
        With the same keys. Of a model of several zones, the mean error over the zones that both know counts.
    numbers : dict or None
        Versions in force, for the words.
    """
    decisions: dict[Key, Decision] = {}
    scored: dict[tuple[str, int], list[tuple[Key, np.ndarray, np.ndarray, np.ndarray, bool]]] = {}
    for key, model in newer.items():
        name = (numbers or {}).get(key, "the one in force")
        try:
            start, rival, again = _pairing(panel, model, in_force[key], left_out_from)
            if start is None:
                decisions[key] = Decision(
                    promote=False,
                    reason=f"{name} stays: fewer than {LEAST_DAYS:g} days of readings are left out to compare on",
                )
                continue
            at = _origins(panel, start)
            losses = _losses(panel, model, rival, at)
        except ZonewiseError as error:
            decisions[key] = Decision(promote=True, reason=f"{name} cannot forecast these readings: {error}")
            continue
        if not np.isfinite(losses[0]).any():
            decisions[key] = Decision(
                promote=False, reason=f"{name} stays: nothing was read on the days left out to compare on"
            )
            continue
        scored.setdefault((model.target, start), []).append((key, *losses, panel.calendar.day[at + 1], again))
    for (target, _), rows in scored.items():
        decisions |= _decided(target, rows, numbers or {}, seed)
    return decisions


def _in_force(registry: Registry, key: Key, place: str) -> tuple[str, Forecaster] | Decision:
    """The version in force and its model, or a decision where there is nothing to compare with."""
    try:
        standing = registry.standing(*key)
    except RegistryError:
        return Decision(promote=True, reason="the first version")
    except ModelFileError as error:
        return Decision(promote=True, reason=f"what was in force cannot be told: {error}")
    if standing.pin:
        by = standing.pin.get("by") or "somebody"
        return Decision(promote=False, reason=f"{standing.version} stays: it is pinned by {by}")
    try:
        before = str(registry.show(*key).get("place", place))
        if before and place and before != place:
            return Decision(promote=True, reason=f"{standing.version} was learned for another city or other zones")
        return standing.version, registry.load(*key)
    except (RegistryError, ModelFileError) as error:
        return Decision(promote=True, reason=f"{standing.version} is damaged: {error}")


def _pairing(
    panel: Panel, model: Forecaster, rival: Forecaster, left_out_from: pd.Timestamp
) -> tuple[int | None, Forecaster, bool]:
    """First position of the readings left out (None: too few), the model to compare with, and if it was relearned."""
    if rival.step_s != panel.step_s:
        return 0, rival, False  # it says itself why it cannot
    own = max(panel.known_by(left_out_from), panel.known_by(pd.Timestamp(model.train_end)))
    seen = panel.known_by(pd.Timestamp(rival.train_end))
    least = math.ceil(LEAST_DAYS * panel.steps_per_day)
    if len(panel) - max(own, seen) >= least:
        return max(own, seen), rival, False
    if len(panel) - own < least:
        return None, rival, False
    return own, rival.refit(panel.until(own), train_end=panel.origin(own - 1)), True


def _origins(panel: Panel, start: int) -> np.ndarray:
    """Last known positions of the origins that are scored."""
    every = np.arange(start - 1, len(panel) - 1)
    return every[:: max(1, math.ceil(every.size / MOST_ORIGINS))]


def _losses(panel: Panel, model: Forecaster, rival: Forecaster, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute errors of both by origin, (n,), over the readings that follow at horizons both forecast."""
    zones = [zone for zone in model.zone_ids if zone in rival.zone_ids]
    zones = zones or list(model.zone_ids)  # the rival says which it does not know
    steps = [step for step in model.anchors if step <= max(rival.anchors)]
    origins = panel.origins(at)
    middle = QUANTILES.index(0.5)
    actual = followed(panel.values[model.target][:, panel.columns(zones)], at[:, None] + np.asarray(steps))
    errors = [
        np.abs(actual - one.forecast(panel, origins=origins, zone_ids=zones, steps=steps)[..., middle])
        for one in (model, rival)
    ]
    both = np.isfinite(errors[0]) & np.isfinite(errors[1])
    count = both.sum(axis=(1, 2))
    first, second = (
        np.divide(np.where(both, e, 0).sum(axis=(1, 2)), count, out=np.full(count.size, np.nan), where=count > 0)
        for e in errors
    )
    return first, second


def _decided(
    target: str,
    rows: list[tuple[Key, np.ndarray, np.ndarray, np.ndarray, bool]],
    numbers: Mapping[Key, str],
    seed: int,
) -> dict[Key, Decision]:
    """Decisions of models scored at the same origins."""
    first, second = (np.stack([row[k] for row in rows], axis=1)[:, :, None] for k in (1, 2))
    sums = PairSums.of(first, second, rows[0][3])
    test, whole = paired_test(sums, seed=seed), paired_test(sums.pooled(), seed=seed)
    scale = np.where(test.mean_b > 0, test.mean_b, np.nan)[:, 0]
    change, error = test.share[:, 0], test.se[:, 0] / scale
    level = change
    city = float(whole.share[0, 0]), float(whole.se[0, 0] / whole.mean_b[0, 0])
    if len(rows) > 1 and np.isfinite(error).any() and np.isfinite(city).all():
        level = np.where(np.isfinite(change), drawn(change, error, city, blocks=test.days), change)
    out = {}
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 2, target))
    for k, (key, *_, again) in enumerate(rows):
        worse = bool(level[k] > TOLERANCE)
        figures = {
            "days": test.days, "forecasts": int(test.count[k, 0]), "newer_mae": float(test.mean_a[k, 0]),
            "in_force_mae": float(test.mean_b[k, 0]), "change": float(change[k]), "change_drawn": float(level[k]),
            "low": float(test.low[k, 0] / scale[k]), "high": float(test.high[k, 0] / scale[k]),
            "p": float(test.p[k, 0]), "version": numbers.get(key, ""), "relearned": again,
        }  # fmt: skip
        own, old = (f"{factor * float(m[k, 0]):.{digits + 1}f}" for m in (test.mean_a, test.mean_b))
        name = numbers.get(key, "the one in force")
        how = " learned again without them" if again else ""
        reason = (
            f"{name + ' stays' if worse else 'not worse than ' + name}: on {test.days} days left out the newer version"
            f" errs by {own} {unit}, {name}{how} by {old} {unit} ({100 * float(change[k]):+.1f} %"
        )
        if abs(level[k] - change[k]) > TOLERANCE / 5:
            reason += f", drawn to all zones' {100 * float(level[k]):+.1f} %"
        out[key] = Decision(promote=not worse, reason=reason + ")", figures=figures)
    return out
