"""Several seeds: how far a comparison depends on the luck of training, beside how far it depends on the days.

A bootstrap resamples days and knows one training alone; a family with random starts may win with one seed and lose
with the next. Both spreads are told side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.compare import Comparison, compare
from models.errors import SettingsError
from models.outcome import ahead, name_of
from models.panel import Panel
from models.significance import between_seeds
from models.training import Training


@dataclass(frozen=True, eq=False)
class SeedComparison:
    """The same comparison of trainings that differ by seed alone.

    Attributes
    ----------
    comparisons : tuple of Comparison
    scores : DataFrame
        model, target, horizon_s, seeds, mae (mean over seeds), between_sd (standard deviation between seeds; `nan` for
        a model that some seeds lack), lowest, highest, lower, upper (mean 90 % bounds by days).
    paired : DataFrame
        zone_id ("": all zones), target, horizon_s, seeds, share (mean difference micro less macro, as a share of the
        macromodel's error), between_sd, agree (share of seeds whose difference has the sign of the mean), half_width
        (mean half width of the 90 % interval by days, same unit), micromodel, macromodel, tie (seeds with that verdict;
        of single zones), verdict (what every seed says, else "tie").
    """

    comparisons: tuple[Comparison, ...]
    scores: pd.DataFrame
    paired: pd.DataFrame

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> SeedComparison:
        """From comparisons of trainings that differ by seed alone, made with one seed of the bootstrap."""
        return cls(tuple(comparisons), _scores(comparisons), _paired(comparisons))

    def verdict(self) -> str:
        """Per target and horizon: the difference, its spread between seeds and by days, and zones that all agree on."""
        lines = []
        for (target, horizon), part in self.paired.groupby(["target", "horizon_s"], sort=False):
            whole, zones = part[part["zone_id"] == ""].iloc[0], part[part["zone_id"] != ""]
            wins = zones["verdict"].value_counts()
            split = int(((zones["tie"] < zones["seeds"]) & (zones["verdict"] == "tie")).sum())
            share, days = 100 * whole["share"], 100 * whole["half_width"]
            lines.append(
                f"{name_of(str(target))}, {ahead(float(horizon))} ahead, {whole['seeds']} seeds: the micromodels have"
                f" {abs(share):.1f} % {'less' if share < 0 else 'more'} error, give or take"
                f" {100 * whole['between_sd']:.1f} % between seeds and {days:.1f} % by days; all seeds give"
                f" {wins.get('micromodel', 0)} zones to the micromodel and {wins.get('macromodel', 0)} to the"
                f" macromodel, {split} depend on the seed."
            )
        return "\n".join(lines)


def compare_seeds(panel: Panel, trainings: Sequence[Training], **given: Any) -> SeedComparison:
    """Compare on the same test part what several seeds trained.

    Parameters
    ----------
    panel : Panel
    trainings : sequence of Training
        At least two, of different seeds and the same zones, targets and periods; three or more tell something.
    **given
        For `compare`; its `seed` is that of the bootstrap, the same for all.

    Raises
    ------
    SettingsError
        Naming all that stands in the way.
    """
    faults = []
    if len(trainings) < 2:
        faults.append(f"{len(trainings)} training(s); at least two")
    seeds = [training.seed for training in trainings]
    if len(set(seeds)) < len(seeds):
        faults.append(f"seeds {seeds} repeat")
    if len({tuple(training.micromodels) for training in trainings}) > 1:
        faults.append("zones or targets differ")
    if len({(training.train_end, training.test_from) for training in trainings}) > 1:
        faults.append("periods differ")
    if faults:
        raise SettingsError("seeds cannot be compared: " + "; ".join(faults))
    return SeedComparison.of([compare(panel, training, **given) for training in trainings])


def _scores(found: Sequence[Comparison]) -> pd.DataFrame:
    rows = pd.concat([c.scores.assign(run=k) for k, c in enumerate(found)], ignore_index=True)
    rows = rows[(rows["metric"] == "mae") & (rows["zone_id"] == "")]
    keys = ["model", "target", "horizon_s"]
    table = rows.groupby(keys, sort=False).agg(
        seeds=("run", "nunique"), mae=("value", "mean"), between_sd=("value", "std"), lowest=("value", "min"),
        highest=("value", "max"), lower=("lower", "mean"), upper=("upper", "mean"),
    )  # fmt: skip
    table["between_sd"] = table["between_sd"].where(table["seeds"] == len(found))
    return table.reset_index()


def _paired(found: Sequence[Comparison]) -> pd.DataFrame:
    parts = []
    for target in found[0].tests:
        tables = [c.paired[c.paired["target"] == target].reset_index(drop=True) for c in found]
        said = np.stack([table["verdict"].to_numpy(dtype=object) for table in tables])
        count = {name: (said == name).sum(axis=0) for name in ("micromodel", "macromodel", "tie")}
        agreed = np.where((said == said[0]).all(axis=0), said[0], "tie")
        zones = tables[0][["zone_id", "target", "horizon_s"]]
        whole = pd.DataFrame({"zone_id": "", "target": target, "horizon_s": zones["horizon_s"].unique()})
        parts.append(_spread(whole, [c.pooled[target] for c in found]).assign(verdict=""))
        parts.append(_spread(zones, [c.tests[target] for c in found]).assign(**count, verdict=agreed))
    columns = ["zone_id", "target", "horizon_s", "seeds", "share", "between_sd", "agree", "half_width"]
    columns += ["micromodel", "macromodel", "tie", "verdict"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _spread(rows: pd.DataFrame, tests):  # type: ignore[no-untyped-def]
    """Rows (zone by zone, horizons within) with the spread of what the tests found."""
    spread = between_seeds(tests)
    half = np.mean([0.5 * (test.high - test.low) / np.where(test.mean_b > 0, test.mean_b, np.nan) for test in tests], 0)
    return rows.assign(
        seeds=len(tests), share=spread.mean.ravel(), between_sd=spread.sd.ravel(), agree=spread.agree.ravel(),
        half_width=half.ravel(),
    )  # fmt: skip
