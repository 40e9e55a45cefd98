"""Gain: how much the splits of trees on each feature have lowered the squared error, as a share of all splits.

XGBoost keeps the gain of its splits from training and tells it; our own trees keep the values of their nodes, and the
gain follows from how many of the rows given go through each. A feature with many values is split on more often (Strobl
et al. 2007, doi:10.1186/1471-2105-8-25), so that permutation and contributions should be asked, too. Gain says what
trees used, never what causes what.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.errors import SettingsError
from models.explain import plain_label
from models.families.boosted_xgboost import XGBoost
from models.families.forest import Forest, ForestLearner
from models.families.pooled_boosting import PooledXGBoost
from models.forecasting import LearnedForecaster
from models.panel import Panel

HORIZON, ZONE = "horizon", "what the zone is like"


def gain_importance(
    model: LearnedForecaster, panel: Panel, *, zone_id: str, origins: pd.DatetimeIndex, step: int
) -> pd.DataFrame:
    """Share of the gain by feature, largest first.

    Parameters
    ----------
    model : LearnedForecaster
        Of a family of trees.
    panel : Panel
    zone_id : str
    origins : DatetimeIndex
        Forecast origins whose rows go through our own trees; XGBoost's gain is of its training.
    step : int
        One of the model's anchors.

    Returns
    -------
    DataFrame
        `feature`, `label`, `gain` (shares that sum to one), `splits`; empty where there is no split.

    Raises
    ------
    SettingsError
        For a family without trees, or a step that is no anchor.
    """
    if step not in model.anchors:
        raise SettingsError(f"step {step} was not learned; there are {model.anchors}")
    place, horizon = int(model.places([zone_id])[0]), model.anchors.index(step)
    learner = model.learner.pick(np.array([place]))
    assert model.featuriser is not None
    names = model.featuriser.layout(model.anchors).names
    if isinstance(learner, XGBoost):
        gain, splits = _of_booster(learner._boosters[0], len(names) + 1)
        names = (*names, HORIZON)
    elif isinstance(learner, PooledXGBoost):
        layout = model.featuriser.layout((step,))
        rows = model.featuriser.rows(panel, panel.known(origins[-1:]), (step,), np.array([place]))
        assert rows.layout == layout
        booster = learner._boosters[int(learner._group_of(rows)[0])] if learner._boosters else None
        traits = learner.extra.shape[1]
        gain, splits = _of_booster(booster, len(names) + 1 + traits)
        names = (*names, HORIZON, *[ZONE] * traits)
    elif isinstance(learner, ForestLearner) and learner.forest is not None:
        rows = model.featuriser.rows(panel, panel.known(origins), (step,), np.array([place]))
        gain, splits = forest_gain(learner.forest, rows.at(0)[:, 0], horizon)
    else:
        raise SettingsError(f"{model.family} has no trees whose splits could gain anything; ask for its contributions")
    table = pd.DataFrame({"feature": names, "gain": gain, "splits": splits})
    table = table.groupby("feature", as_index=False, sort=False)[["gain", "splits"]].sum()
    table = table[table["splits"] > 0]
    table["gain"] /= max(float(table["gain"].sum()), 1e-300)
    own = [HORIZON, ZONE]
    labels = [n if n in own else plain_label(n, step_s=model.step_s, target=model.target) for n in table["feature"]]
    table.insert(1, "label", labels)
    return table.sort_values(["gain", "feature"], ascending=[False, True], ignore_index=True)


def forest_gain(forest: Forest, x: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Gain and number of splits by feature, (F,), of the first zone's trees for one horizon, over rows x (n, F).

    A split of n rows with value v into n1 with v1 and n2 with v2 lowers the squared error by
    n1 (v1 - v)^2 + n2 (v2 - v)^2, where values are means.
    """
    gain, splits = np.zeros(x.shape[1]), np.zeros(x.shape[1], np.int64)
    owner, column = (0, horizon) if forest.per_zone == 1 else (horizon, 0)
    for tree in forest.trees_of(owner):
        value = tree.value[:, column].astype(float)
        at = np.zeros(len(x), np.int64)
        inner = np.flatnonzero(tree.feature >= 0)
        np.add.at(splits, tree.feature[inner], 1)
        for node in inner:  # parents precede their children
            here = at == node
            child = tree.left[node] + (x[here, tree.feature[node]] > tree.threshold[node])
            gain[tree.feature[node]] += float(((value[child] - value[node]) ** 2).sum())
            at[here] = child
    return gain, splits


def _of_booster(booster: object, width: int) -> tuple[np.ndarray, np.ndarray]:
    gain, splits = np.zeros(width), np.zeros(width, np.int64)
    if booster is None:
        return gain, splits
    for kind, into in (("total_gain", gain), ("weight", splits)):
        for name, value in booster.get_score(importance_type=kind).items():  # type: ignore[attr-defined]
            into[int(name[1:])] = value
    return gain, splits
