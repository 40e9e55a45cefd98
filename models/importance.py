"""Importance: how much a model's accuracy rests on a group of features, and what its forecast does along one of them.

All of it says what a model uses, never what causes what: the answer to "what if" comes from scenarios. Errors of
neighbouring hours are alike, so features are shuffled, and doubt is told, by whole blocks of time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import SettingsError
from models.learner import Learner
from models.rows import Rows

#: Groups in the order in which they are told; a group that the rows do not have is left out.
GROUPS = ("own past", "neighbours", "other targets", "weather", "calendar", "zone")
SURE = 1.96  # standard errors either side of a mean for about 95 %
PLAIN = {
    "own past": "the zone's own readings", "neighbours": "the neighbours' readings",
    "other targets": "the zone's other measurements", "weather": "the weather",
    "calendar": "the clock and the calendar", "zone": "what the zone is like",
}  # fmt: skip
_PATTERNS = (
    ("neighbours", r"(neighbours|near\d+|hop\d+)_"), ("own past", r"own_|ahead_(day|week)(_mean)?$"),
    ("weather", r"weather_"), ("calendar", r"(ahead|now)_"), ("zone", r"zone_"), ("other targets", r""),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Importance:
    """How much the mean error grows without a group of features, with doubt over blocks of time.

    Attributes
    ----------
    groups : tuple of str, length G
    steps : tuple of int, length S
    base : ndarray, shape (S,)
        Mean error of the model as it is.
    mean, low, high : ndarray, shape (G, S)
        Growth of the mean error and its interval of about 95 %; below 0 the group did harm on these rows.
    by_zone : ndarray, shape (G, Z, S)
        Growth in each zone; `nan` for a zone without outcomes.
    how : {"shuffled", "left out"}
        Whether the group was shuffled in time, or the model fitted again without it.
    """

    groups: tuple[str, ...]
    steps: tuple[int, ...]
    base: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    by_zone: np.ndarray
    how: str

    def sentences(self, horizon: int = 0) -> list[str]:
        """What was found for one horizon (by place), the group that matters most first."""
        found = []
        with np.errstate(invalid="ignore", divide="ignore"):
            share, low, high = (100 * v[:, horizon] / self.base[horizon] for v in (self.mean, self.low, self.high))
        for k in np.argsort(-self.mean[:, horizon], kind="stable"):
            name = PLAIN.get(self.groups[k], self.groups[k])
            done = f"shuffling {name} in time" if self.how == "shuffled" else f"fitting again without {name}"
            if not np.isfinite(share[k]):
                found.append(f"For {name} nothing can be said: no outcomes are known.")
            elif low[k] > 0:
                found.append(f"The model leans on {name}: {done} makes its error {share[k]:.1f} % larger"
                             f" ({low[k]:.1f} to {high[k]:.1f} %).")  # fmt: skip
            elif high[k] < 0:
                found.append(f"The model did not profit from {name}: {done} makes its error {-share[k]:.1f} % smaller"
                             f" ({-high[k]:.1f} to {-low[k]:.1f} %).")  # fmt: skip
            else:
                found.append(f"The model hardly leans on {name}: {done} changes its error by {share[k]:+.1f} %"
                             f" ({low[k]:+.1f} to {high[k]:+.1f} %), no clear difference.")  # fmt: skip
        return found


def feature_groups(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Places of the features of each of `GROUPS`, by their names; groups without any are left out.

    Examples
    --------
    >>> {group: at.tolist() for group, at in feature_groups(["own_lag_0", "near1_lag_0", "ahead_sin1"]).items()}
    {'own past': [0], 'neighbours': [1], 'calendar': [2]}
    """
    found: dict[str, list[int]] = {group: [] for group in GROUPS}
    for place, name in enumerate(names):
        found[next(group for group, pattern in _PATTERNS if re.match(pattern, name))].append(place)
    return {group: np.array(places) for group, places in found.items() if places}


def permutation_importance(
    learner: Learner,
    rows: Rows,
    y: np.ndarray,
    *,
    block: int,
    groups: Mapping[str, np.ndarray] | None = None,
    places: np.ndarray | None = None,
    repeats: int = 5,
    squared: bool = False,
    seed: int = 0,
) -> Importance:
    """How much the error grows when a group of features is shuffled in time, by whole blocks.

    Parameters
    ----------
    learner : Learner
        Fitted, on other rows than these.
    rows : Rows
        n origins in order of time, of the zones at `places`.
    y : ndarray, shape (n, Z, S)
        What followed; `nan` where unknown.
    block : int
        Origins that stay together, e.g. those of a day; also the unit over which doubt is measured.
    groups : mapping of str to ndarray of int, or None
        Places in `rows.layout.names` of each group; None takes `feature_groups`.
    places : ndarray of int or None
        Places of the zones among those fitted on.
    repeats : int
        Shuffles, averaged.
    squared : bool
        Squared error in place of the absolute one.
    seed : int

    Raises
    ------
    SettingsError
        If there are fewer than two blocks, or a group names a feature that is not there.

    Notes
    -----
    A group's columns are turned round by a random number of origins and then shuffled in blocks, one order for all
    zones: within a block they stay plausible, but no longer belong to the moment (Breiman 2001,
    doi:10.1023/A:1010933404324). Groups that tell the same share their importance; what a new fit without the group
    would lose is told by `ablation`.
    """
    groups = feature_groups(rows.layout.names) if groups is None else groups
    n = _checked(rows, block, groups)
    truth = learner.predict(rows, places)
    base = _errors(y, truth, squared)
    worse = []
    for number, group in enumerate(groups):
        rng = np.random.default_rng((seed, number))
        total = np.zeros_like(base)
        for _ in range(repeats):
            order = shuffled_blocks(n, block, rng)
            total += _errors(y, learner.predict(_mixed(rows, groups[group], order), places), squared) - base
        worse.append(total / repeats)
    return _told(groups, rows, base, np.stack(worse), block, "shuffled")


def ablation(
    make: Callable[[], Learner],
    rows: Rows,
    y: np.ndarray,
    test: Rows,
    y_test: np.ndarray,
    *,
    block: int,
    groups: Mapping[str, np.ndarray] | None = None,
    zone_features: np.ndarray | None = None,
    squared: bool = False,
) -> Importance:
    """What each group of features is worth: the error of a model fitted without it, less that of the full model.

    Parameters
    ----------
    make : callable
        A new, unfitted learner each time.
    rows, y : Rows, ndarray
        To learn from.
    test, y_test : Rows, ndarray
        Later rows to be judged on, in order of time.
    block, groups, squared
        As in `permutation_importance`; `groups={"neighbours": ...}` alone tells what the wider view is worth.
    zone_features : ndarray or None
        As for `Learner.fit`.
    """
    groups = feature_groups(rows.layout.names) if groups is None else groups
    _checked(test, block, groups)
    full = make().fit(rows, y, zone_features=zone_features).predict(test)
    base = _errors(y_test, full, squared)
    worse = []
    for group in groups:
        part = make().fit(without(rows, groups[group]), y, zone_features=zone_features)
        worse.append(_errors(y_test, part.predict(without(test, groups[group])), squared) - base)
    return _told(groups, test, base, np.stack(worse), block, "left out")


def partial_dependence(
    learner: Learner, rows: Rows, feature: str, grid: np.ndarray, place: int, *, block: int, most: int = 2000
) -> dict[str, np.ndarray]:
    """A zone's mean forecast when one feature is given each value of a grid and the others stay as they were.

    Parameters
    ----------
    learner : Learner
    rows : Rows
        Of that zone alone, in order of time.
    feature : str
        One of `rows.layout.names`.
    grid : ndarray, shape (k,)
        In the rows' units: usual swings for readings.
    place : int
        Of the zone.
    block : int
        Origins to a block of time, over which doubt is measured.
    most : int
        Origins used at most, evenly spread.

    Returns
    -------
    dict of ndarray
        `grid` (k,), `mean`, `low`, `high` (k, S): mean forecast, and an interval of about 95 % for it over blocks;
        `share` (k,): share of the origins whose own value lies nearest to that of the grid. Where it is small the
        model was asked about what it has hardly seen.

    Raises
    ------
    SettingsError
        If there is no such feature.

    References
    ----------
    Friedman (2001), doi:10.1214/aos/1013203451
    """
    names = rows.layout.names
    if feature not in names:
        raise SettingsError(f"there is no feature {feature!r} to vary; there are {list(names)}")
    if rows.shape[1] != 1:
        raise SettingsError(f"partial dependence is of one zone; the rows are of {rows.shape[1]}: rows.pick([place])")
    grid = np.asarray(grid, dtype=np.float32)
    every = max(1, -(-rows.shape[0] // most))
    rows = rows.take(slice(None, None, every))
    at, f1 = names.index(feature), rows.common.shape[2]
    own = rows.common[:, 0, at] if at < f1 else rows.ahead[:, 0, :, at - f1].mean(axis=1)
    blocks = _blocks(rows.shape[0], max(1, block // every))
    mean, doubt = np.zeros((len(grid), rows.shape[2])), np.zeros((len(grid), rows.shape[2]))
    for k, value in enumerate(grid):
        common, ahead = rows.common, rows.ahead
        if at < f1:
            common = common.copy()
            common[:, :, at] = value
        else:
            ahead = ahead.copy()
            ahead[..., at - f1] = value
        out = learner.predict(Rows(common, ahead, rows.layout), np.array([place]))[:, 0].astype(np.float64)
        mean[k], doubt[k] = _mean_and_doubt(out, blocks)
    nearest = np.abs(own[:, None] - grid).argmin(axis=1)
    share = np.bincount(nearest, minlength=len(grid)) / max(len(own), 1)
    return {"grid": grid, "mean": mean, "low": mean - SURE * doubt, "high": mean + SURE * doubt, "share": share}


def without(rows: Rows, features: np.ndarray) -> Rows:
    """The rows without some features (places in `rows.layout.names`)."""
    keep = np.setdiff1d(np.arange(rows.width), features)
    f1 = rows.common.shape[2]
    common, ahead = keep[keep < f1], keep[keep >= f1] - f1
    layout = replace(
        rows.layout,
        common=tuple(rows.layout.common[k] for k in common),
        ahead=tuple(rows.layout.ahead[k] for k in ahead),
    )
    return Rows(rows.common[:, :, common], rows.ahead[..., ahead], layout)


def shuffled_blocks(n: int, block: int, rng: np.random.Generator) -> np.ndarray:
    """An order of n origins: turned round by a random number, then whole blocks of `block` shuffled."""
    turned = np.roll(np.arange(n), int(rng.integers(n)))
    parts = [turned[k : k + block] for k in range(0, n, block)]
    return np.concatenate([parts[k] for k in rng.permutation(len(parts))])


def _checked(rows: Rows, block: int, groups: Mapping[str, np.ndarray]) -> int:
    n = rows.shape[0]
    faults = [
        f"group {group!r} names features {np.asarray(at).tolist()}, but places run from 0 to {rows.width - 1}"
        for group, at in groups.items()
        if len(at) == 0 or np.min(at) < 0 or np.max(at) >= rows.width
    ]
    if block < 1 or n < 2 * block:
        faults.append(f"block={block} of {n} origins: at least two blocks of at least one origin are needed")
    if faults:
        raise SettingsError("importance: " + "; ".join(faults))
    return n


def _mixed(rows: Rows, features: np.ndarray, order: np.ndarray) -> Rows:
    """The rows with some features taken from other moments."""
    f1 = rows.common.shape[2]
    common, ahead = features[features < f1], features[features >= f1] - f1
    mixed_common, mixed_ahead = rows.common, rows.ahead
    if common.size:
        mixed_common = rows.common.copy()
        mixed_common[:, :, common] = rows.common[order][:, :, common]
    if ahead.size:
        mixed_ahead = rows.ahead.copy()
        mixed_ahead[..., ahead] = rows.ahead[order][..., ahead]
    return Rows(mixed_common, mixed_ahead, rows.layout)


def _errors(y: np.ndarray, forecast: np.ndarray, squared: bool) -> np.ndarray:
    gap = y.astype(np.float64) - forecast
    return gap**2 if squared else np.abs(gap)


def _blocks(n: int, block: int) -> np.ndarray:
    """Block of each origin; a last part of less than half a block joins the one before."""
    of = np.arange(n) // block
    if n % block and n % block < block / 2 and of[-1] > 0:
        of[of == of[-1]] -= 1
    return of


def _mean_and_doubt(values: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over origins of (n, S), gaps left out, and its standard error from the scatter of the blocks."""
    known = np.isfinite(values)
    count = max(int(blocks[-1]) + 1, 1) if len(blocks) else 1
    total = np.zeros((count, values.shape[1]))
    seen = np.zeros_like(total)
    np.add.at(total, blocks, np.where(known, values, 0.0))
    np.add.at(seen, blocks, known)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total.sum(axis=0) / seen.sum(axis=0)
        heard = (seen > 0).sum(axis=0)
        # ratio estimate: a block counts by how many origins it knows
        spread = ((total - seen * mean) ** 2).sum(axis=0) / seen.sum(axis=0) ** 2
        doubt = np.sqrt(spread * heard / (heard - 1))
    return mean, doubt


def _told(
    groups: Mapping[str, np.ndarray], rows: Rows, base: np.ndarray, worse: np.ndarray, block: int, how: str
) -> Importance:
    blocks = _blocks(rows.shape[0], block)
    known = np.isfinite(base)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_zone = np.where(known, worse, 0.0).sum(axis=1) / known.sum(axis=0)
        level = np.where(known, base, 0.0).sum(axis=(0, 1)) / known.sum(axis=(0, 1))
    # zones of one block are not independent: their sum over the city is what a block tells
    mean, doubt = np.zeros((len(worse), rows.shape[2])), np.zeros((len(worse), rows.shape[2]))
    stacked = np.repeat(blocks, rows.shape[1])
    for k, each in enumerate(worse):
        mean[k], doubt[k] = _mean_and_doubt(each.reshape(-1, rows.shape[2]), stacked)
    return Importance(
        tuple(groups), rows.layout.steps, level, mean, mean - SURE * doubt, mean + SURE * doubt, by_zone, how
    )
