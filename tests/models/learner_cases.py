"""Rows that every learner is tried on: a linear signal, noise, gaps, few rows."""

from __future__ import annotations

import numpy as np

from models.rows import Layout, Rows

STEPS = (1, 4, 8)


def layout(lags: int = 4, near: int = 2, extra: int = 2, ahead: int = 3) -> Layout:
    common = [f"own_lag_{k}" for k in range(lags)]
    common += [f"near{j + 1}_lag_{k}" for j in range(near) for k in range(2)]
    common += [f"own_mean_{k + 1}h" for k in range(extra)]
    return Layout(tuple(common), tuple(f"ahead_{name}" for name in ("day", "usual", "weekend")[:ahead]), STEPS)


def rows(n: int = 400, zones: int = 3, seed: int = 0, **sizes: int) -> Rows:
    """Independent features, standard normal."""
    rng = np.random.default_rng(seed)
    names = layout(**sizes)
    common = rng.standard_normal((n, zones, len(names.common))).astype(np.float32)
    ahead = rng.standard_normal((n, zones, len(STEPS), len(names.ahead))).astype(np.float32)
    return Rows(common, ahead, names)


def linear(made: Rows, *, noise: float = 0.3, seed: int = 1) -> np.ndarray:
    """0.8 times the last reading plus 0.4 times the same time yesterday plus noise; the same in every zone."""
    rng = np.random.default_rng(seed)
    signal = 0.8 * made.common[:, :, :1] + 0.4 * made.ahead[..., 0]
    return (signal + noise * rng.standard_normal(signal.shape)).astype(np.float32)


def noise(made: Rows, seed: int = 2) -> np.ndarray:
    """Outcomes that have nothing to do with the features."""
    return np.random.default_rng(seed).standard_normal(made.shape).astype(np.float32)
