"""A setting for each zone, among a few that all zones try: the shared best, unless a zone's own is clear of chance."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import SettingsError
from models.learner import Learner
from models.rows import Rows
from models.tuning.choice import Try, choose_try, spell
from models.tuning.folds import rolling_folds
from models.tuning.scoring import DaySums, as_class, check_loss, longest, standard_error
from models.tuning.search import Places
from models.tuning.trials import Bench, TuningResult

CLEAR = 1.64  # standard errors by which a zone's own setting must be better, one-sided 5 % (assumption: a usual level)


@dataclass(frozen=True, eq=False)
class EachResult:
    """Settings by zone.

    Attributes
    ----------
    family : str
    settings : tuple of dict, length J
        The settings tried by all zones.
    shared : int
        Place in `settings` of the best for all zones together.
    chosen : ndarray of int, shape (Z,)
        Place in `settings` for each zone.
    gain : ndarray, shape (Z,)
        Share of the shared best's loss that the zone's own is expected to save, shrunk; 0 where it takes the shared.
    losses : ndarray, shape (J, Z)
        Mean losses; 1 is what "as usual" loses on average.
    reason : str
    cpu_s : float
    """

    family: str
    settings: tuple[dict[str, Any], ...]
    shared: int
    chosen: np.ndarray
    gain: np.ndarray
    losses: np.ndarray
    reason: str
    cpu_s: float

    def zones(self, place: int) -> np.ndarray:
        """Places of the zones that take a setting."""
        return np.flatnonzero(self.chosen == place)


def tune_each(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    candidates: Sequence[Mapping[str, Any]] | TuningResult,
    most: int = 6,
    folds: int = 3,
    seed: int = 0,
    loss: str | float = "absolute",
    day: np.ndarray | None = None,
    clear: float = CLEAR,
    gap: int | None = None,
) -> EachResult:
    """Choose among a few settings for each zone.

    Parameters
    ----------
    family : str or class of Learner
        Of scope "zone".
    rows, y, folds, seed, loss, day, gap
        As for `tune`.
    candidates : sequence of mappings, or TuningResult
        Settings from simple to complex; of a result, the `most` with the least loss among those scored in full.
    most : int
        At most so many settings are tried.
    clear : float
        Standard errors by which a zone's own setting must be better than the shared one, after shrinking.

    Raises
    ------
    SettingsError
        If the family learns one model for the city, or there is nothing to choose among.

    Notes
    -----
    A zone's loss less its loss under the shared best is noise over few days plus what the zone is really like. For each
    setting both variances are estimated over zones (moments), and each zone's difference is shrunk to the mean over
    zones in proportion (Efron & Morris 1975, doi:10.1080/01621459.1975.10479864). The least shrunk difference wins
    where it is below 0 by `clear` of its remaining standard errors; all other zones take the shared best.
    """
    kind = as_class(family)
    tried = _candidates(candidates, most)
    faults = []
    if kind.scope != "zone":
        faults.append(f"{kind.family} is one model for the city, so that zones cannot differ; tune it with tune()")
    if not tried:
        faults.append("no candidates; give at least one mapping of settings ({} is the defaults)")
    if y.shape != rows.shape:
        faults.append(f"y has shape {y.shape}; the rows have {rows.shape} (origins, zones, horizons)")
    if faults:
        raise SettingsError("cannot tune each zone: " + "; ".join(faults))
    check_loss(loss)
    began = time.process_time()
    parts = rolling_folds(rows.shape[0], folds=folds, gap=longest(rows) if gap is None else gap, day=day)
    bench = Bench(kind, rows, y, parts, day=day, loss=loss, seed=seed, zone_features=None)
    tries = []
    for k, settings in enumerate(tried):
        sums = [bench.score(settings, fold) for fold in range(len(parts))]
        tries.append(Try(settings, (k,), tuple(s.mean() for s in sums), DaySums.joined(sums), 0.0))
    shared, _ = choose_try(tries)
    chosen, gain = choose_zones([t.sums for t in tries], shared, clear=clear)
    own = int((chosen != shared).sum())
    reason = (
        f"{spell(tried[shared]) if tried[shared] else 'the defaults'} for {chosen.size - own} of {chosen.size} zones;"
        f" {own} take a setting of their own, clear of chance, and are expected to lose"
        f" {100 * float(gain[chosen != shared].mean()) if own else 0.0:.1f} % less by it"
    )
    losses = np.stack([t.sums.by_zone() for t in tries])
    return EachResult(
        kind.family, tuple(tried), shared, chosen, gain, losses, reason, time.process_time() - began
    )  # fmt: skip


def choose_zones(sums: Sequence[DaySums], shared: int, *, clear: float = CLEAR) -> tuple[np.ndarray, np.ndarray]:
    """Choice of each zone among tries scored on the same blocks, and the gain expected, as in `tune_each`."""
    rates = [np.divide(s.total, s.count, out=np.full(s.total.shape, np.nan), where=s.count > 0) for s in sums]
    zones = rates[0].shape[1]
    chosen, gain = np.full(zones, shared), np.zeros(zones)
    if zones == 0:
        return chosen, gain
    level = sums[shared].by_zone()
    best = np.zeros(zones)
    for k in range(len(sums)):
        if k == shared:
            continue
        daily = rates[k] - rates[shared]
        known = np.isfinite(daily)
        n = known.sum(axis=0)
        gap = np.where(known, daily, 0).sum(axis=0) / np.maximum(n, 1)
        noise = standard_error(daily) ** 2
        usable = (n > 1) & np.isfinite(noise)
        if usable.sum() < 2:
            continue
        middle = max(float(gap[usable].mean()), 0.0)  # the shared best is taken to be no worse on the whole
        real = max(float(gap[usable].var(ddof=1) - noise[usable].mean()), 0.0)
        keep = np.where(usable, real / np.maximum(real + np.where(usable, noise, 1.0), 1e-300), 0.0)
        shrunk = middle + keep * (gap - middle)
        better = usable & (shrunk < best) & (shrunk < -clear * np.sqrt(real * (1 - keep)))
        chosen[better] = k
        best[better] = shrunk[better]
    moved = chosen != shared
    gain[moved] = -best[moved] / np.maximum(level[moved], 1e-12)
    return chosen, gain


def _candidates(candidates: Sequence[Mapping[str, Any]] | TuningResult, most: int) -> list[dict[str, Any]]:
    """Settings to try, simple first."""
    if not isinstance(candidates, TuningResult):
        return [dict(settings) for settings in candidates][:most]
    full = [t for t in candidates.tries if not t.pruned]
    extra = {name: value for name, value in candidates.best.items() if name not in full[0].settings}
    kept: list[tuple[Places, dict[str, Any]]] = [
        (t.places, {**extra, **t.settings}) for t in sorted(full, key=lambda t: t.loss)[:most]
    ]
    if all(settings != candidates.best for _, settings in kept):
        kept[-1] = (candidates.tries[candidates.chosen].places, dict(candidates.best))
    return [settings for _, settings in sorted(kept, key=lambda pair: (sum(pair[0]), pair[0]))]
