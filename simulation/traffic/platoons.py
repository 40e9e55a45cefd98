"""Platoons between signals: how vehicles leave a green, spread on their way, and queue at the next signal.

Cyclic flow profiles as in TRANSYT (Robertson 1969, TRANSYT: a traffic network study tool, Road Research Laboratory
Report LR 253): the flow in each bin of a cycle that repeats. A bin lasts about a second. With a profile of arrivals
and a green, the mean queue follows for every offset of that green at once.
"""

from __future__ import annotations

import numpy as np

#: Smoothing of platoons, per unit of travel time, and the travel time of a platoon's head as a share of the mean
#: (0.35 and 0.8 in TRANSYT-7F and the Highway Capacity Manual 2000, chapter 15).
DISPERSION, HEAD_SHARE = 0.35, 0.8
#: Arrivals above this share of what a green serves are cut to it: a queue that grows without end has no best offset.
MOST_SERVED = 0.95
_FINE = 10  # samples a bin in which a light is seen red or green


def shown(
    cycle_s: np.ndarray | float,
    start_s: np.ndarray | float,
    green_s: np.ndarray | float,
    *,
    common_cycle_s: float,
    bins: int,
) -> np.ndarray:
    """Share of each bin of the common cycle in which lights are green. Shape (m, bins), or (bins,) for one light.

    Parameters
    ----------
    cycle_s : float or ndarray, shape (m,)
        The signal's own cycle, s: the common one or a whole part of it.
    start_s, green_s : float or ndarray, shape (m,)
        Its green, s.
    common_cycle_s : float
        s.
    bins : int
        Bins in the common cycle.
    """
    cycle, start, green = (np.asarray(value, dtype=float)[..., None] for value in (cycle_s, start_s, green_s))
    at = (np.arange(bins * _FINE) + 0.5) * (common_cycle_s / (bins * _FINE))
    on = ((at - start) % cycle) < green
    return np.asarray(on.reshape(*on.shape[:-1], bins, _FINE).mean(axis=-1))


def departures(
    green: np.ndarray, *, flow: np.ndarray | float, saturation: np.ndarray | float, bin_s: float
) -> np.ndarray:
    """Flow over the stop line when vehicles arrive evenly: at saturation until the queue has gone, then as they come.

    Parameters
    ----------
    green : ndarray, shape (m, bins) or (bins,)
        As `shown`.
    flow, saturation : float or ndarray, shape (m,)
        veh/s; a flow above what the green serves is cut to that.
    bin_s : float
        s.

    Returns
    -------
    ndarray, shape of `green`
        veh/s.
    """
    served = np.asarray(saturation, dtype=float)[..., None] * green
    coming = np.asarray(np.minimum(flow, served.mean(axis=-1)))
    queue, out = np.zeros(coming.shape), np.zeros(served.shape)
    for _ in range(2):  # the second time round the queue is that of every cycle
        for k in range(served.shape[-1]):
            there = queue + coming * bin_s
            left = np.minimum(there, served[..., k] * bin_s)
            out[..., k], queue = left / bin_s, there - left
    return out


def downstream(
    profile: np.ndarray, *, travel_s: np.ndarray | float, bin_s: float, dispersion: float = 0.0
) -> np.ndarray:
    """The profile `travel_s` further on, spread as it went.

    Parameters
    ----------
    profile : ndarray, shape (m, bins) or (bins,)
        veh/s, cyclic.
    travel_s : float or ndarray, shape (m,)
        Mean travel time, s.
    bin_s : float
        s.
    dispersion : float
        Robertson's factor: 0 for vehicles that all drive alike, `DISPERSION` on a street.

    Returns
    -------
    ndarray, shape of `profile`
        veh/s; its mean is that of `profile`.

    References
    ----------
    Robertson (1969), Road Research Laboratory Report LR 253: q'(i + t) = F q(i) + (1 - F) q'(i + t - 1) with
    F = 1 / (1 + dispersion x t), t = 0.8 x travel time.
    """
    bins = profile.shape[-1]
    travel = np.asarray(travel_s, dtype=float)[..., None] / bin_s
    if dispersion <= 0:
        return _shifted(profile, travel)
    head = HEAD_SHARE * travel
    keep = 1.0 / (1.0 + dispersion * head * bin_s)
    rest = np.maximum(1.0 - keep, 1e-12)
    kernel = keep * rest ** np.arange(bins) / (1.0 - rest**bins)  # the geometric tail, wound round the cycle
    spread = np.fft.irfft(np.fft.rfft(profile) * np.fft.rfft(kernel), bins)
    return _shifted(np.maximum(spread, 0.0), head)


def queue_by_offset(arrivals: np.ndarray, served: np.ndarray, *, bin_s: float) -> np.ndarray:
    """Mean queue at a signal for each offset of its green, veh: by Little's law, delay per second.

    Parameters
    ----------
    arrivals : ndarray, shape (m, bins)
        veh/s at m stop lines.
    served : ndarray, shape (m, bins)
        What the green lets through, veh/s, at offset 0.
    bin_s : float
        s.

    Returns
    -------
    ndarray, shape (m, bins)
        Queue if the green comes 0, 1, ... bins later than in `served`.
    """
    bins = arrivals.shape[1]
    most = MOST_SERVED * served.mean(axis=1)
    mean = arrivals.mean(axis=1)
    scale = np.where(mean > most, most / np.maximum(mean, 1e-12), 1.0)
    offset = np.arange(bins)
    queue, total = np.zeros_like(arrivals), np.zeros_like(arrivals)
    for step in range(3 * bins):
        k = step % bins
        coming = (arrivals[:, k] * scale)[:, None]
        queue = np.maximum(queue + (coming - served[:, (k - offset) % bins]) * bin_s, 0.0)
        if step >= 2 * bins:
            total += queue
    return total / bins


def _shifted(profile: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Cyclic profiles some bins later; parts of a bin are shared between two."""
    bins = profile.shape[-1]
    whole = np.floor(by).astype(np.int64)
    part = by - whole
    at = (np.arange(bins) - whole) % bins
    return np.asarray(
        (1.0 - part) * np.take_along_axis(profile, at, -1) + part * np.take_along_axis(profile, (at - 1) % bins, -1)
    )
