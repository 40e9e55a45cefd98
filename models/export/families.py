"""Families: each family's micromodel as a `Program`."""

from __future__ import annotations

import json

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.export.program import BentLines, Curves, Lines, Network, Part, Program, Range, Regimes, Trees
from models.families.additive import Additive
from models.families.boosted_xgboost import XGBoost, step_feature
from models.families.first_line import FirstLine
from models.families.forest import Forest, ForestLearner
from models.families.lines import LineLearner
from models.families.mlp import ZoneMLP
from models.families.model_tree import ModelTree
from models.families.network import _CLIP
from models.families.pooled_ridge import PooledRidge
from models.families.read_boosters import breadth_first
from models.families.regime import RegimeLearner, bent_features, state_map
from models.forecasting import LearnedForecaster
from models.learner import Learner
from models.rows import Layout

#: Families that can be exported, with all that are lines.
EXPORTABLE = (
    "additive", "bagged_trees", "boosted_trees", "elastic_net", "graph", "lasso", "mlp", "model_tree",
    "quantile_linear", "regime", "ridge", "tree", "xgboost",
)  # fmt: skip


def program_of(model: LearnedForecaster, zone_id: str | None = None) -> Program:
    """What a zone's micromodel computes.

    Parameters
    ----------
    model : LearnedForecaster
        Fitted or loaded, of scope "zone".
    zone_id : str or None
        None where it serves one zone.

    Raises
    ------
    SettingsError
        For a model that learns a city at a time, an ensemble or a baseline: distil it first.
    NotFittedError
        If it was not fitted.
    """
    if not isinstance(model, LearnedForecaster) or model.family not in EXPORTABLE:
        raise SettingsError(
            f"{model.name!r} cannot be exported: only one zone's micromodel of {', '.join(EXPORTABLE)} can; teach it to"
            " one of these first (models.distillation.distil)"
        )
    if model.featuriser is None or model.profile is None or model.intervals is None:
        raise NotFittedError(f"{model.name!r} has not been fitted; there is nothing to export")
    if zone_id is None and len(model.zone_ids) != 1:
        raise SettingsError(f"{model!r} serves {len(model.zone_ids)} zones; name the one to export")
    one = model if zone_id is None or model.zone_ids == (zone_id,) else model.one(zone_id)
    assert one.featuriser is not None and one.profile is not None and one.intervals is not None
    layout = one.featuriser.layout(one.anchors)
    return Program(
        family=model.family,
        names=layout.names,
        n_common=len(layout.common),
        steps=one.anchors,
        parts=tuple(_parts(one.learner, layout)),
        start=(np.zeros(len(one.anchors)) if one.start == "usual" else one.share[0]).astype(np.float32),
        scale=float(one.profile.scale[0]),
        offsets=one.intervals.offsets[0],
    )


def _parts(learner: Learner, layout: Layout) -> list[Part]:
    if isinstance(learner, Additive):
        return _additive(learner, layout)
    if isinstance(learner, LineLearner):
        return [_line(learner, layout)]
    if isinstance(learner, ForestLearner):
        assert learner.forest is not None
        found = [] if learner.line is None else [_first(learner.line, layout)]
        return [*found, _forest(learner.forest, layout)]
    if isinstance(learner, XGBoost):
        return _xgboost(learner, layout)
    if isinstance(learner, ModelTree):
        return _model_tree(learner, layout)
    if isinstance(learner, RegimeLearner):
        return _regime(learner, layout)
    if isinstance(learner, ZoneMLP):
        return _mlp(learner, layout)
    raise SettingsError(f"{learner.family} cannot be exported; there are {', '.join(EXPORTABLE)}")


def _ranges(low: np.ndarray, high: np.ndarray, layout: Layout) -> Range:
    """Ranges by horizon from those of `Rows.flat` (F1 + S * F2,)."""
    f1, f2, horizons = len(layout.common), len(layout.ahead), len(layout.steps)

    def wide(flat: np.ndarray) -> np.ndarray:
        common = np.broadcast_to(flat[:f1], (horizons, f1))
        return np.concatenate([common, flat[f1:].reshape(horizons, f2)], axis=1).astype(np.float32)

    return Range(wide(low), wide(high))


def _line(learner: LineLearner, layout: Layout) -> Lines:
    line = learner.lines()[0]
    return Lines(line[:, 1:], line[:, 0], _ranges(learner.low[0], learner.high[0], layout))


def _first(line: FirstLine, layout: Layout) -> Lines:
    """A line before trees, on some of the common features or on all."""
    ridge = line.ridge
    if isinstance(ridge, PooledRidge):
        raise SettingsError("a line that all zones share cannot be exported")
    if line.columns is None:
        return _line(ridge, layout)
    horizons, width = len(layout.steps), len(layout.names)
    weight = np.zeros((horizons, width), np.float32)
    low, high = (np.full((horizons, width), edge, np.float32) for edge in (-np.inf, np.inf))
    weight[:, line.columns] = ridge.lines()[0][:, 1:]
    low[:, line.columns], high[:, line.columns] = ridge.low[0], ridge.high[0]
    return Lines(weight, ridge.lines()[0][:, 0], Range(low, high))


def _additive(learner: Additive, layout: Layout) -> list[Part]:
    f1, curved = len(layout.common), learner._curved()
    count = int(learner.settings["knots"])
    bends = np.arange(f1, f1 + curved.size * count)
    line, low, high = learner.inner.lines()[0], learner.inner.low[0], learner.inner.high[0]
    assert learner.knot is not None
    weight = np.delete(line[:, 1:], bends, axis=1)
    lines = Lines(weight, line[:, 0], _ranges(np.delete(low, bends), np.delete(high, bends), layout))
    curves = Curves(
        line[:, 1 + bends], np.repeat(curved, count), learner.knot[0].ravel(), np.repeat(learner.spread[0], count),
        learner.offset[0].ravel(), low[bends], high[bends], len(layout.names),
    )  # fmt: skip
    return [lines, curves]


def _forest(forest: Forest, layout: Layout) -> Trees:
    horizons = len(layout.steps)
    roots = []
    for s in range(horizons):
        owner = 0 if forest.per_zone == 1 else s
        roots.append(forest.tree[forest.owner[owner] : forest.owner[owner + 1]].astype(np.int64))
    empty = np.zeros(horizons, np.float32)
    return Trees(
        forest.feature.astype(np.int64), forest.threshold, forest.left.astype(np.int64), forest.value, tuple(roots),
        empty, empty, len(layout.names),
    )  # fmt: skip


def _xgboost(learner: XGBoost, layout: Layout) -> list[Part]:
    parts: list[Part] = [] if learner.line is None else [_first(learner.line, layout)]
    booster = learner._boosters[0]
    if booster is None:
        return parts
    told = json.loads(bytes(booster.save_raw("json")))["learner"]
    trees = [breadth_first(tree) for tree in told["gradient_booster"]["model"]["trees"]]
    horizons, roots = len(layout.steps), np.cumsum([0, *(len(tree[0]) for tree in trees)])[:-1]
    base = float(str(told["learner_model_param"]["base_score"]).strip("[]").split(",")[0])
    feature, threshold, left, value = (np.concatenate([tree[k] for tree in trees]) for k in range(4))
    parts.append(
        Trees(
            feature.astype(np.int64),
            threshold.astype(np.float32),
            left.astype(np.int64),
            value.astype(np.float32)[:, None],
            tuple(roots for _ in range(horizons)),
            np.full(horizons, base, np.float32),
            step_feature(layout),
            len(layout.names),
            reaching=True,
        )
    )
    return parts


def _model_tree(learner: ModelTree, layout: Layout) -> list[Part]:
    assert learner.line is not None
    root = _first(learner.line, layout)
    if not (learner.feature >= 0).any() and not learner.lines.any():
        return [root]
    tree = BentLines(
        learner.feature.astype(np.int64), learner.threshold, learner.left.astype(np.int64), learner.lines,
        learner.chosen[0], root.range,
    )  # fmt: skip
    return [root, tree]


def _regime(learner: RegimeLearner, layout: Layout) -> list[Part]:
    a, horizons = {name: value[0] for name, value in learner.arrays.items()}, len(layout.steps)
    ends = Range(*(np.broadcast_to(a["ends"][:, k], (horizons, len(layout.names))) for k in (0, 1)))
    parts: list[Part] = [Lines(a["lines"][:, :-1], a["lines"][:, -1], ends)]
    there = np.isfinite(a["offsets"])
    if a["bends"].any():
        move = a["whiten"].astype(float) @ a["slopes"][there].T
        gate = state_map(layout)[1].astype(float) @ move
        offset = a["offsets"][there] - a["middle"].astype(float) @ move
        bent = bent_features(layout, a["bends"].shape[2] - 1)
        parts.append(Regimes(gate.astype(np.float32), offset.astype(np.float32), a["bends"][:, there], bent, ends))
    return parts


def _mlp(learner: ZoneMLP, layout: Layout) -> list[Part]:
    assert learner.line is not None
    line, horizons, f1 = learner.line, len(layout.steps), len(layout.common)
    centre = np.concatenate([line.centre[0], line.ahead_centre[0]])
    scale = np.concatenate([line.scale[0], line.ahead_scale[0]])
    weight, constant = line.weights[0, :, 1:].astype(float), line.weights[0, :, 0].astype(float)
    share = learner._spread[0].astype(float) / len(learner._flat)
    networks: list[Part] = []
    shape = _Shape(layout)
    for flat in learner._flat:
        p = learner._parameters(shape, 0).like(flat[:1])  # type: ignore[arg-type]
        weight[:, :f1] += share[:, None] * p["line_common"][0].T
        weight[:, f1:] += share[:, None] * p["line_ahead"][0]
        constant += share * p["constant"][0]
        deep = {"deep": p["deep"][0], "deep_threshold": p["deep_threshold"][0]} if "deep" in p.shapes else {}
        inner = np.concatenate([p["common"][0], p["ahead"][0]])
        out = (share[:, None] * p["out"][0]).astype(np.float32)
        networks.append(Network(centre, scale, _CLIP, inner, p["threshold"][0], out, **deep))
    raw = (weight / scale).astype(np.float32)
    level = (constant - (weight / scale * centre).sum(axis=1)).astype(np.float32)
    low, high = (np.broadcast_to(centre + sign * _CLIP * scale, (horizons, scale.size)) for sign in (-1, 1))
    return [Lines(raw, level, Range(low, high)), *networks]


class _Shape:
    """As much of `Rows` as the shapes of a network follow from."""

    def __init__(self, layout: Layout) -> None:
        self.common = np.zeros((0, 1, len(layout.common)))
        self.ahead = np.zeros((0, 1, len(layout.steps), len(layout.ahead)))
