"""Memory: how long a daily value remembers the day before, which decides how sure a trend or a step can be."""

from __future__ import annotations

import numpy as np

MOST_MEMORY = 0.9  # correlation from day to day beyond which a slow wave and a trend cannot be told apart (assumed)
GRID = np.linspace(0.0, MOST_MEMORY, 37)
_WILD = 4.0  # robust standard deviations beyond which a value is held (assumed)
_NORMAL = 1.4826
_REACH = (10, 30)  # least and most days to either side of a moving median (assumed)


def held(value: np.ndarray) -> np.ndarray:
    """Values with wild ones, of steps between days, brought back to the edge of what is usual; gaps stay."""
    known = np.isfinite(value)
    if known.sum() < 8:
        return value
    smooth = np.array(value)
    at = np.flatnonzero(known)
    third = at.size // 3
    rise = np.median(value[at[-third:]]) - np.median(value[at[:third]])
    line = rise / max(float(np.median(at[-third:]) - np.median(at[:third])), 1.0) * at
    flat = value[at] - line
    near = line + np.array([np.median(flat[max(0, k - 3) : k + 4]) for k in range(at.size)])
    left = value[at] - near
    width = max(_WILD * _NORMAL * float(np.median(np.abs(left))), 1e-12)
    smooth[at] = near + np.clip(left, -width, width)
    return smooth


def whitened(columns: np.ndarray, day: np.ndarray, memory: float) -> np.ndarray:
    """Columns (n, p) of known days as innovations of an order-1 autoregression with gaps, each of variance 1."""
    carry = memory ** np.diff(day).astype(float)
    out = np.array(columns, dtype=float)
    out[1:] = (columns[1:] - carry[:, None] * columns[:-1]) / np.sqrt(np.maximum(1 - carry**2, 1e-9))[:, None]
    return out


def fitted(design: np.ndarray, value: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Generalised least squares with the memory that is likeliest (restricted likelihood, on a grid).

    Parameters
    ----------
    design : ndarray, shape (n, p)
    value : ndarray, shape (n,)
        Without gaps.
    day : ndarray of int, shape (n,)

    Returns
    -------
    coefficients (p,), covariance (p, p), memory, innovation's sum of squares at that memory

    References
    ----------
    Harville (1974), doi:10.2307/2334370 (restricted likelihood)
    """
    n, p = design.shape
    best: tuple[float, np.ndarray, np.ndarray, float, float] | None = None
    both = np.column_stack([design, value])
    gap = np.diff(day).astype(float)
    for memory in GRID:
        moved = whitened(both, day, float(memory))
        x, y = moved[:, :p], moved[:, p]
        gram = x.T @ x
        inverse = np.linalg.pinv(gram)
        beta = inverse @ (x.T @ y)
        rest = float(((y - x @ beta) ** 2).sum())
        spread = np.log(np.maximum(1 - memory ** (2 * gap), 1e-9)).sum()
        sign, size = np.linalg.slogdet(gram)
        score = (n - p) * np.log(max(rest, 1e-300)) + spread + (size if sign > 0 else 0.0)
        if best is None or score < best[0]:
            best = score, beta, inverse * rest / max(n - p, 1), float(memory), rest
    assert best is not None
    return best[1], best[2], best[3], best[4]


def noise(value: np.ndarray) -> tuple[float, float]:
    """Memory and long-run standard deviation of a series with gaps, little moved by steps in its level.

    Told twice, and the smaller is taken. From differences: those of an order-1 autoregression have variance
    2 s2 (1 - m) and lag-1 covariance -s2 (1 - m)^2, so that memory m is 1 + 2 r1 of them; a step spoils one difference
    alone, but waves of a few days look like a long memory. From what is left of a moving median: waves are told
    rightly, but a step leaves something. The long-run variance s2 (1 + m) / (1 - m) is what a mean over many days
    scatters by. Memory is raised by its usual shortfall in short series, (1 + 4 m) / n (Kendall 1954,
    doi:10.1093/biomet/41.3-4.403).
    """
    calm = held(value)
    known = np.isfinite(calm)
    if known.sum() < 8 or np.isfinite(np.diff(calm)).sum() < 6:
        return 0.0, float("nan")
    return min(_of_differences(np.diff(calm)), _of_rest(calm), key=lambda found: found[1])


def _of_differences(step: np.ndarray) -> tuple[float, float]:
    known = np.isfinite(step)
    middle = _NORMAL * np.median(np.abs(step[known]))
    step = np.clip(step, -_WILD * middle, _WILD * middle) if middle > 0 else step
    variance = float(np.mean(step[known] ** 2))
    if variance <= 0:
        return 0.0, 0.0
    memory = _raised(1 + 2 * _lagged(step) / variance, int(known.sum()))
    own = variance / (2 * (1 - memory))
    return memory, float(np.sqrt(own * (1 + memory) / (1 - memory)))


def _of_rest(value: np.ndarray) -> tuple[float, float]:
    """From the series less the median of some weeks around each day."""
    reach = int(np.clip(value.size // 6, *_REACH))
    left = value - np.array([_median(value[max(0, k - reach) : k + reach + 1]) for k in range(value.size)])
    variance = float(np.nanmean(left**2))
    if variance <= 0:
        return 0.0, 0.0
    memory = _raised(_lagged(left) / variance, 2 * reach + 1)
    return memory, float(np.sqrt(variance * (1 + memory) / (1 - memory)))


def _median(part: np.ndarray) -> float:
    known = part[np.isfinite(part)]
    return float(np.median(known)) if known.size else 0.0


def _lagged(series: np.ndarray) -> float:
    """Mean product of each value and the one before, gaps left out."""
    pair = np.isfinite(series[1:]) & np.isfinite(series[:-1])
    return float(np.mean(series[1:][pair] * series[:-1][pair])) if pair.any() else 0.0


def _raised(memory: float, n: int) -> float:
    memory = float(np.clip(memory, 0.0, MOST_MEMORY))
    return min(memory + (1 + 4 * memory) / max(n, 1), MOST_MEMORY)
