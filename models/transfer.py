"""Transfer: what the chosen families lose in zones and in periods that taught them nothing, as tables.

Both refit several times and so are asked for, not made by default. Errors are in each zone's standard deviation on the
model's scale, so that zones and targets can be set side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.design import Design, Workbench
from models.forecasting import LearnedForecaster
from models.horizons import followed
from models.panel import Panel
from models.shift import leave_period_out, leave_zones_out
from models.significance import PairedTest, PairSums, paired_test
from models.training import Training
from models.verdicts import verdicts

ORIGINS = 1_500  # test origins at most that new zones are scored on, evenly spread
PARTS = 5  # groups of zones left out in turn
PERIODS = 4  # stretches of whole days left out in turn
NEW_ZONES = (
    "model", "family", "zone_id", "target", "horizon_s", "n", "mae_sd", "known_mae_sd", "usual_mae_sd", "price",
    "lower", "upper", "p", "p_corrected", "words",
)  # fmt: skip
NEW_PERIOD = (
    "model", "family", "target", "horizon_s", "begins", "ends", "learned", "n", "mae_sd", "usual_mae_sd", "skill",
    "lower", "upper", "p",
)  # fmt: skip


def contenders(training: Training, target: str) -> dict[str, LearnedForecaster]:
    """The family that serves most zones as micromodel, and the macromodel; those that learn."""
    count = Counter(training.micromodels[zone, target].name for zone in training.zones(target))
    found = {}
    for name, _ in count.most_common():
        model = training.candidates.get((name, target))
        if isinstance(model, LearnedForecaster):
            found["micromodel"] = model
            break
    macro = training.macromodels.get(target)
    if isinstance(macro, LearnedForecaster):
        found["macromodel"] = macro
    return found


def new_zones(
    panel: Panel,
    training: Training,
    target: str,
    zones: Sequence[str],
    known: np.ndarray,
    steps: Sequence[int],
    *,
    draws: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Errors on the test part in zones whose outcomes taught nothing, against the same family that knew them.

    Returns
    -------
    DataFrame
        Columns `NEW_ZONES`; zone_id "" holds all zones. `price` is the share by which the error exceeds that of a
        known zone, `lower` and `upper` its 90 % interval by days, `p_corrected` Holm's for the number of zones.
    """
    at = known[:: max(1, -(-known.size // ORIGINS))]
    day = panel.calendar.day[at + 1]
    parts = []
    for model, forecaster in contenders(training, target).items():
        if len(zones) < 2:
            break
        design = _design(panel, training, target, zones, steps, forecaster)
        test = design.featuriser.rows(panel, at, steps)
        found = leave_zones_out(
            forecaster.family, design.rows, design.outcome, test, _outcome(panel, design, at, steps),
            zone_features=design.zone_features, parts=min(PARTS, len(zones)), settings=forecaster.learner.settings,
            seed=training.seed,
        )  # fmt: skip
        sums = PairSums.of(found.loss, found.known, day)
        for names, pair, usual in (
            ([""], sums.pooled(), np.nanmean(found.usual, axis=(0, 1))[None]),
            (list(zones), sums, np.nanmean(found.usual, axis=0)),
        ):
            result = paired_test(pair, draws=draws, seed=seed)
            verdict = verdicts(result, names=("new zone's forecast", "known zone's forecast"))
            told = [verdict.words(z, h) for z in range(len(names)) for h in range(len(steps))]
            table = _frame(
                names, panel.step_s * np.asarray(steps), result,
                {"mae_sd": result.mean_a, "known_mae_sd": result.mean_b, "usual_mae_sd": usual, "price": result.share,
                 "lower": _share(result, result.low), "upper": _share(result, result.high), "p": result.p,
                 "p_corrected": verdict.p},
            )  # fmt: skip
            parts.append(table.assign(model=model, family=forecaster.family, target=target, words=told))
    return _joined(parts, NEW_ZONES)


def new_period(
    panel: Panel,
    training: Training,
    target: str,
    zones: Sequence[str],
    steps: Sequence[int],
    *,
    periods: int = PERIODS,
    draws: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Skill in stretches of the training part that were left out in turn, learned from all the others.

    Returns
    -------
    DataFrame
        Columns `NEW_PERIOD`; `begins` and `ends` are the first and last origin (UTC), `learned` the origins learned
        from, `skill` the share of the usual value's error that is saved, `lower` and `upper` its 90 % interval by days.
        The usual day is that of the whole training part: what is left out is what a learner takes from outcomes.
    """
    parts = []
    for model, forecaster in contenders(training, target).items():
        design = _design(panel, training, target, zones, steps, forecaster)
        day = panel.calendar.day[design.known + 1]
        period = (day - day[0]) * periods // (day[-1] - day[0] + 1)
        for k in np.unique(period):
            found = leave_period_out(
                forecaster.family, design.rows, design.outcome, period=period, leave=(int(k),),
                settings=forecaster.learner.settings, seed=training.seed, zone_features=design.zone_features,
            )  # fmt: skip
            result = paired_test(PairSums.of(found.loss, found.usual, day[found.rows]).pooled(), draws=draws, seed=seed)
            table = _frame(
                [""], panel.step_s * np.asarray(steps), result,
                {"mae_sd": result.mean_a, "usual_mae_sd": result.mean_b, "skill": -result.share,
                 "lower": -_share(result, result.high), "upper": -_share(result, result.low), "p": result.p},
            )  # fmt: skip
            first, last = (panel.origin(int(design.known[row])) for row in (found.rows[0], found.rows[-1]))
            told = {"model": model, "family": forecaster.family, "target": target, "begins": first, "ends": last}
            parts.append(table.assign(**told, learned=found.learned))
    return _joined(parts, NEW_PERIOD)


def _design(
    panel: Panel, training: Training, target: str, zones: Sequence[str], steps: Sequence[int], like: LearnedForecaster
) -> Design:
    """Rows of the training part alone."""
    end = panel.known_by(training.train_end)
    bench = Workbench(panel.until(end), target=target, zone_ids=tuple(zones), steps=tuple(steps))
    return bench.design(end, like.reference)


def _outcome(panel: Panel, design: Design, known: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """What followed each origin, (n, Z, S), in the zones' scale; `nan` beyond the panel."""
    first = int(known[0])
    grid = design.featuriser.deviation(
        panel, slice(first, len(panel)), np.arange(len(design.featuriser.zone_ids))
    )  # fmt: skip
    return followed(grid, known[:, None] + np.asarray(steps) - first).astype(np.float32)


def _share(test: PairedTest, edge: np.ndarray) -> np.ndarray:
    return np.asarray(edge / np.where(test.mean_b > 0, test.mean_b, np.nan))


def _frame(
    names: Sequence[str], horizons_s: np.ndarray, test: PairedTest, columns: dict[str, np.ndarray]
) -> pd.DataFrame:
    z, h = (axis.ravel() for axis in np.indices(test.count.shape))
    head = {
        "zone_id": np.asarray(names, dtype=object)[z], "horizon_s": horizons_s.astype(float)[h],
        "n": test.count.ravel().astype(np.int64),
    }  # fmt: skip
    return pd.DataFrame({**head, **{name: np.ravel(column) for name, column in columns.items()}})


def _joined(parts: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(columns)] if parts else pd.DataFrame(columns=list(columns))
