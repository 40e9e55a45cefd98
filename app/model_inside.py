"""What can be read of a zone's own model: shares of a mix, a tree's questions and rules, a line's weights."""

from __future__ import annotations

import pandas as pd

from app.display import DISPLAY
from app.feature_words import spoken_labels
from app.model_views import anchor, in_use, load, or_none, origin, panel
from app.queries import Queries
from app.texts import model_name, t

MOST_RULES = 14  # leaves of a tree that are told


def shares(queries: Queries, zone_id: str, target: str, step: int) -> tuple[str, int] | None:
    """Shares of a mix in words, and their horizon in steps; None where no mix serves the zone."""
    found = in_use(queries, zone_id, target)
    if found is None or found[1] != "mix":
        return None
    model, at = found[0], anchor(found[0], step)
    horizon = model.anchors.index(at)
    weights = model.weights[:, int(model.places([zone_id])[0]), horizon]
    named = sorted(zip(weights, (member.name for member in model.members)), key=lambda pair: -pair[0])
    parts = [f"{model_name(name)} {100 * w:.0f} %" for w, name in named if round(100 * w) > 0]
    corrected = [t("models.corrected")] if horizon in model.correction.corrected else []
    return ", ".join(parts + corrected), at


def rules(queries: Queries, zone_id: str, target: str, step: int) -> tuple[list[str], int]:
    """How a zone's tree decides, in words, and for which horizon in steps; empty for other families."""
    from models.explain import rules as tree_rules

    model = load(queries, zone_id, target)
    if model is None or not hasattr(getattr(model, "learner", None), "rules"):
        return [], step
    at = anchor(model, step)
    lines = or_none(lambda: tree_rules(model, step=at), zone_id, target) or []
    return ([str(line) for line in lines[:MOST_RULES]] if len(lines) > 1 else []), at


def trace(queries: Queries, zone_id: str, target: str, step: int) -> tuple[list[str], int]:
    """The questions that a zone's tree asked now, and for which horizon in steps; empty for other families."""
    from models.explain import decision_trace

    model = load(queries, zone_id, target)
    if model is None or not hasattr(getattr(model, "learner", None), "path"):
        return [], step
    at = anchor(model, step)
    key = ("trace", queries.info().runs["live"], queries.info().now, zone_id, target, at)
    lines = queries.keep(
        key,
        lambda: or_none(
            lambda: decision_trace(model, panel(queries), origin=origin(queries), zone_id=zone_id, step=at),
            zone_id, target,
        ),
    )  # fmt: skip
    return lines or [], at


def weights(queries: Queries, zone_id: str, target: str, step: int) -> tuple[pd.DataFrame, float, int] | None:
    """Coefficients of a zone's line and a usual swing in shown units, and the horizon in steps; None for no line."""
    from models.explain import line_weights, usual_swing

    model = load(queries, zone_id, target)
    if model is None or not hasattr(getattr(model, "learner", None), "coefficients"):
        return None
    at, factor = anchor(model, step), DISPLAY[target][1]
    rows = or_none(lambda: line_weights(model, zone_id=zone_id, step=at), zone_id, target)
    if rows is None:
        return None
    rows = spoken_labels(rows, step_s=queries.info().step_s, target=target)
    return rows.assign(move=rows["move"] * factor), usual_swing(model, zone_id) * factor, at
