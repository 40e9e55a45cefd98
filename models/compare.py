"""The honest comparison: micromodels, macromodel, mixes, families and baselines on the same rows of a test part.

Same origins, same readings, same information for all; uncertainty from resampling whole days, since errors within a
day go together. A zone's verdict is corrected for the number of zones and may be "tie". `outcome` says it in words,
`regimes` where models are easy or hard put, `costs` what they take, `transfer` what they lose where they are new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from data.schemas import SCORES, validate
from data.work import spread
from models.backtest import LEAST_DAYS, METRICS, DailySums, TestRows, bootstrap_weights, bounds
from models.choosing import SCORED_HORIZONS_S
from models.costs import cost_table, latency_ms
from models.errors import ShortHistoryError
from models.horizons import horizon_steps
from models.intervals import QUANTILES
from models.metrics import mase_scale
from models.outcome import outcome
from models.panel import Panel
from models.regimes import UsualDays, regime_pairs, regime_sums, regime_table
from models.significance import PairedTest, PairSums, paired_test
from models.training import Training
from models.transfer import NEW_PERIOD, NEW_ZONES, new_period, new_zones
from models.verdicts import verdicts

__all__ = ["Comparison", "compare", "latency_ms", "model_forecasts", "model_levels"]
DRAWS = 999
FIRST = ("in_use", "micromodel", "macromodel", "mix")
TIE_SHARE = 0.01  # of the macromodel's error: what a planner would not notice (assumed)
CORRECTION = "holm"  # the chance of any false verdict in the city, at one target and horizon, stays below ALPHA
ALPHA = 0.1
MAX_BYTES = 800_000_000  # of quantile forecasts held at once; zones beyond it are scored in turns
_MEDIAN = QUANTILES.index(0.5)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the comparison found.

    Attributes
    ----------
    scores : DataFrame
        Table `scores`, period "test"; zone_id "" holds all zones; lower and upper are 90 % bootstrap bounds.
    paired : DataFrame
        zone_id, target, horizon_s, n, micro_mae, macro_mae, difference (micro less macro), lower, upper (90 %, not
        corrected), verdict ("micromodel", "macromodel" or "tie": no difference that the test could tell), p,
        p_corrected (for the number of zones, Holm), visible (smallest difference, as a share of the macromodel's error,
        that would probably have been told), words.
    costs : DataFrame
        See `costs.cost_table`.
    hourly : DataFrame
        model, target, horizon_s, hour (local), mae, n.
    regimes : DataFrame
        model, target, horizon_s, regime (see `models.regimes`), mae, n, lower, upper.
    regime_pairs : DataFrame
        Micromodel against macromodel by regime, corrected for the number of regimes, with words.
    new_zones, new_period : DataFrame
        See `models.transfer`; empty unless the comparison was thorough.
    horizons_s : tuple of int
    test_days : int
        Days of the test part.
    tests, pooled : dict of str to PairedTest
        Micromodel against macromodel by target: of each zone, and of all zones as one.
    """

    scores: pd.DataFrame
    paired: pd.DataFrame
    costs: pd.DataFrame
    hourly: pd.DataFrame
    horizons_s: tuple[int, ...]
    regimes: pd.DataFrame = field(default_factory=pd.DataFrame)
    regime_pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    new_zones: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(NEW_ZONES)))
    new_period: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(NEW_PERIOD)))
    test_days: int = LEAST_DAYS
    tests: dict[str, PairedTest] = field(default_factory=dict)
    pooled: dict[str, PairedTest] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables by name, those without columns left out."""
        names = ("scores", "paired", "costs", "hourly", "regimes", "regime_pairs", "new_zones", "new_period")
        found = {name: getattr(self, name) for name in names}
        return {name: table for name, table in found.items() if len(table) or name in names[:4]}

    def verdict(self) -> str:
        """The outcome in words: who wins where, by how much, and at what cost."""
        return outcome(self)


def compare(
    panel: Panel,
    training: Training,
    *,
    test_from: pd.Timestamp | None = None,
    test_to: pd.Timestamp | None = None,
    horizons_s: Sequence[int] = SCORED_HORIZONS_S,
    seed: int = 0,
    draws: int = DRAWS,
    thorough: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Score every model of a training on a test part that none has seen.

    Parameters
    ----------
    panel : Panel
        With the readings of the training and of the test part.
    training : Training
    test_from, test_to : Timestamp or None
        UTC; None takes the training's own start of the test and the panel's end.
    horizons_s : sequence of int
        Horizons, s.
    seed : int
        Of the bootstrap.
    draws : int
        Resamples of the days.
    thorough : bool
        Also refit with zones and with periods left out, and retrain every candidate to tell what that costs: several
        times the work of the training.

    Raises
    ------
    ShortHistoryError
        If the test part holds no origins, or begins before the training part ended.
    """
    test_from = training.test_from if test_from is None else test_from
    test_to = panel.origin(len(panel) - 1) if test_to is None else test_to
    if test_from < training.train_end:
        raise ShortHistoryError(
            f"the test part begins {test_from}, before the training part ended {training.train_end}"
        )
    horizons_s = tuple(h for h in horizons_s if h % panel.step_s == 0)
    steps = horizon_steps(horizons_s, panel.step_s)
    tables: dict[str, list[pd.DataFrame]] = {}
    tests, pooled, days = {}, {}, LEAST_DAYS
    targets = list(dict.fromkeys(target for _, target in training.micromodels))
    calls = [
        (panel, training, target, (test_from, test_to), horizons_s, steps, {"draws": draws, "seed": seed}, thorough)
        for target in targets
    ]
    for k, (target, (found, test, whole, span)) in enumerate(zip(targets, spread(_of_target, calls))):
        days = span
        if test is not None and whole is not None:
            tests[target], pooled[target] = test, whole
        for name, table in found.items():
            tables.setdefault(name, []).append(table)
        if progress is not None:
            progress(k + 1, len(targets), "Comparing on the test week")
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    joined.setdefault("paired", pd.DataFrame(columns=list(_PAIRED)))
    joined["scores"] = validate(joined["scores"], SCORES)
    return Comparison(**joined, horizons_s=horizons_s, test_days=days, tests=tests, pooled=pooled)


def _of_target(
    panel: Panel, training: Training, target: str, test: tuple[pd.Timestamp, pd.Timestamp], horizons_s: tuple[int, ...],
    steps: Sequence[int], given: dict[str, int], thorough: bool,
) -> tuple[dict[str, pd.DataFrame], PairedTest | None, PairedTest | None, int]:  # fmt: skip
    """Tables of one target, micromodel against macromodel by zone and over all zones, and the days of the test."""
    zones = list(training.zones(target))
    part = _Scored.of(panel, training, target, zones, test, horizons_s, steps)
    found = {"scores": part.scores(**given), "hourly": part.hourly(), "regimes": part.regimes(**given)}
    of_zones = of_all = None
    if part.pairs is not None:
        of_zones, of_all = paired_test(part.pairs, **given), paired_test(part.pairs.pooled(), **given)
        found["paired"] = paired_table(target, zones, horizons_s, of_zones)
        found["regime_pairs"] = regime_pairs(target, horizons_s, part.regime_errors, part.regime_counts, **given)
    found["costs"] = cost_table(panel, training, target, zones, part.rows.known, thorough=thorough)
    if thorough:
        found["new_zones"] = new_zones(panel, training, target, zones, part.rows.known, steps, **given)
        found["new_period"] = new_period(panel, training, target, zones, steps, **given)
    return found, of_zones, of_all, part.rows.days


@dataclass(eq=False)
class _Scored:
    """Sums of scores of all models of one target: all that tables and bootstraps need, zones taken in turns."""

    target: str
    zones: list[str]
    horizons_s: tuple[int, ...]
    rows: TestRows
    sums: dict[str, DailySums]
    hours: dict[str, np.ndarray]
    hour_counts: np.ndarray
    regime_errors: dict[str, np.ndarray]
    regime_counts: np.ndarray
    pairs: PairSums | None

    @classmethod
    def of(cls, panel, training, target, zones, test, horizons_s, steps):  # type: ignore[no-untyped-def]
        """Score zones in turns that keep the forecasts held at once below `MAX_BYTES`."""
        past = panel.until(panel.known_by(training.train_end))
        usual = UsualDays.fit(past, target=target, zone_ids=zones)
        scale = mase_scale(past.values[target][:, panel.columns(zones)], season=panel.steps_per_day)
        models = 4 + sum(of == target for _, of in (*training.candidates, *training.baselines))
        n = int(panel.known(test[1])[0]) - int(panel.known(test[0])[0]) + 1
        width = max(1, MAX_BYTES // max(8 * models * len(QUANTILES) * len(steps) * n, 1))
        sums: dict[str, list[DailySums]] = {}
        pairs: list[PairSums] = []
        hours: dict[str, np.ndarray] = {}
        errors: dict[str, np.ndarray] = {}
        hour_counts, counts = np.zeros(()), np.zeros(())
        for first in range(0, len(zones), width):
            places = np.arange(first, min(first + width, len(zones)))
            some = zones[first : first + width]
            rows = TestRows.of(panel, target=target, zone_ids=some, test_from=test[0], test_to=test[1], steps=steps)
            regimes = usual.pick(places).regimes(panel, rows, zone_ids=some, steps=steps)
            known = np.isfinite(rows.actual)
            hour_counts = hour_counts + _by_hour(known, rows.hour)
            counts = counts + regime_sums(known, regimes, rows.block)
            loss = {}
            for model, forecast in model_forecasts(panel, training, target, some, rows.known, steps).items():
                sums.setdefault(model, []).append(DailySums.of(rows, forecast, scale[places]))
                error = np.abs(rows.actual - forecast[..., _MEDIAN])
                hours[model] = hours.get(model, 0) + _by_hour(error, rows.hour)
                errors[model] = errors.get(model, 0) + regime_sums(error, regimes, rows.block)
                if model in ("micromodel", "macromodel"):
                    loss[model] = error
            if len(loss) == 2:
                pairs.append(PairSums.of(loss["micromodel"], loss["macromodel"], rows.block))
        beside = None
        if pairs:
            beside = PairSums(*(np.concatenate([getattr(p, x) for p in pairs], axis=1) for x in ("a", "b", "count")))
        joined = {model: DailySums.beside(parts) for model, parts in sums.items()}
        return cls(target, list(zones), horizons_s, rows, joined, hours, hour_counts, errors, counts, beside)

    def scores(self, *, draws: int, seed: int) -> pd.DataFrame:
        """Rows of the table `scores`."""
        weights = bootstrap_weights(self.rows.days, draws=draws, seed=seed)
        return pd.concat(
            [
                _score_table(model, self.target, ["", *self.zones], self.horizons_s, sums.pooled(), weights, seed)
                for model, sums in self.sums.items()
            ],
            ignore_index=True,
        )

    def hourly(self) -> pd.DataFrame:
        """Rows of the table `hourly`."""
        h, hour = (axis.ravel() for axis in np.indices(self.hour_counts.shape))
        n = self.hour_counts.ravel()
        table = {"target": self.target, "horizon_s": np.asarray(self.horizons_s, dtype=float)[h], "hour": hour}
        parts = []
        for model, total in self.hours.items():
            mae = np.where(n > 0, total.ravel() / np.maximum(n, 1), np.nan)
            parts.append(pd.DataFrame({"model": model, **table, "mae": mae, "n": n.astype(np.int64)}))
        return pd.concat(parts, ignore_index=True)

    def regimes(self, *, draws: int, seed: int) -> pd.DataFrame:
        """Rows of the table `regimes`."""
        return pd.concat(
            [
                regime_table(model, self.target, self.horizons_s, total, self.regime_counts, draws=draws, seed=seed)
                for model, total in self.regime_errors.items()
            ],
            ignore_index=True,
        )


def _by_hour(values: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """Sums of (n, Z, H) over zones and origins by local hour of the interval forecast for, shape (H, 24)."""
    total = np.where(np.isfinite(values), values, 0.0).sum(axis=1)
    return np.stack([np.bincount(hour[:, k], total[:, k], 24) for k in range(hour.shape[1])])


def model_levels(
    panel: Panel, training: Training, target: str, zones: Sequence[str], known: np.ndarray, steps: Sequence[int]
) -> dict[str, np.ndarray]:
    """Point forecasts of every model at the same origins, (n, Z, S) on the model's scale: `in_use`, `micromodel`,
    `macromodel`, `mix`, then every candidate and baseline by name."""
    found: dict[str, np.ndarray] = {}
    points: dict[int, np.ndarray] = {}  # by the model's `id`
    for (name, of), model in {**training.baselines, **training.candidates}.items():
        if of == target:
            points[id(model)] = found[name] = model._point(panel, known, model.places(zones), steps)
    if target in training.macromodels:
        found["macromodel"] = points[id(training.macromodels[target])]
    if target in training.mixes:
        found["mix"] = training.mixes[target].point_of(panel, known, zones, steps, points)
    found |= _of_zones(training, target, zones, found)
    return {name: found[name] for name in (*FIRST, *(n for n in found if n not in FIRST)) if name in found}


def model_forecasts(
    panel: Panel, training: Training, target: str, zones: Sequence[str], known: np.ndarray, steps: Sequence[int]
) -> dict[str, np.ndarray]:
    """Quantiles of every model at the same origins: name to (n, Z, S, Q)."""
    levels = model_levels(panel, training, target, zones, known, steps)
    models = training.named(target)
    found = {
        name: model.around(panel, levels[name], known, model.places(zones), steps) for name, model in models.items()
    }
    found |= _of_zones(training, target, zones, found)
    return {name: found[name] for name in levels}


def _of_zones(
    training: Training, target: str, zones: Sequence[str], found: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Forecasts (n, Z, ...) of each zone's own micromodel, and of whichever model serves it: the automatic choice."""
    own = [training.micromodels[zone, target].name for zone in zones]
    micro = np.stack([found[name][:, k] for k, name in enumerate(own)], axis=1)
    used = training.names_in_use(target, zones)
    return {"micromodel": micro, "in_use": np.stack([found[name][:, k] for k, name in enumerate(used)], axis=1)}


def _score_table(
    model: str,
    target: str,
    zones: Sequence[str],
    horizons_s: Sequence[int],
    sums: DailySums,
    weights: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """One model's rows of the `scores` table."""
    shape = (len(METRICS), len(zones), len(horizons_s))
    value, lower, upper = (np.empty(shape) for _ in range(3))
    for k, metric in enumerate(METRICS):
        value[k] = sums.value(metric)
        lower[k], upper[k] = bounds(sums.value(metric, weights))
    m, z, h = (axis.ravel() for axis in np.indices(shape))
    return pd.DataFrame(
        {
            "model": model,
            "zone_id": np.asarray(zones, dtype=object)[z],
            "target": target,
            "horizon_s": np.asarray(horizons_s, dtype=float)[h],
            "metric": np.asarray(METRICS, dtype=object)[m],
            "period": "test",
            "seed": seed,
            "value": value.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
            "n": np.broadcast_to(sums.count.sum(axis=0), shape).ravel().astype(np.int64),
        }
    )


_PAIRED = (
    "zone_id", "target", "horizon_s", "n", "micro_mae", "macro_mae", "difference", "lower", "upper", "verdict", "p",
    "p_corrected", "visible", "words",
)  # fmt: skip


def paired_table(target: str, zones: Sequence[str], horizons_s: Sequence[int], test: PairedTest) -> pd.DataFrame:
    """Rows of the table `paired`: micromodel (first) against macromodel by zone and horizon, corrected for the zones.

    A zone is won where the corrected p is at most `ALPHA`, the interval excludes 0 and the difference is at least
    `TIE_SHARE` of the macromodel's error.
    """
    found = verdicts(test, method=CORRECTION, alpha=ALPHA, least=TIE_SHARE)
    clear = (test.low > 0) | (test.high < 0)
    found = replace(found, winner=np.where(clear, found.winner, 0).astype(np.int8))
    names = np.array(["micromodel", "tie", "macromodel"], dtype=object)
    z, h = (axis.ravel() for axis in np.indices(test.count.shape))
    columns = (
        np.asarray(zones, dtype=object)[z], target, np.asarray(horizons_s, dtype=float)[h],
        test.count.ravel().astype(np.int64), test.mean_a.ravel(), test.mean_b.ravel(), test.difference.ravel(),
        test.low.ravel(), test.high.ravel(), names[found.winner.ravel() + 1], test.p.ravel(), found.p.ravel(),
        found.visible.ravel(), [found.words(int(i), int(j)) for i, j in zip(z, h)],
    )  # fmt: skip
    return pd.DataFrame(dict(zip(_PAIRED, columns, strict=True)))
