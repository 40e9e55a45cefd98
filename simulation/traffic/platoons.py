"""Platoons between signals: how vehicles leave a green, spread on their way, and queue at the next signal.

Cyclic flow profiles as in TRANSYT (Robertson 1969, TRANSYT: a traffic network study tool, Road Research Laboratory
Report LR 253): the flow in each bin of a cycle that repeats. A bin lasts about a second. With a profile of arrivals
and a green, the mean queue follows for every offset of that green at once.
"""

from __future__ import annotations

import numpy as np

#: Smoothing of platoons, per unit of travel time, and the travel time of a platoon's head as a share of the mean
#: (Robertson 1969: 0.5 and 0.8; 0.35 and 0.8 in TRANSYT-7F and the Highway Capacity Manual).
DISPERSION, HEAD_SHARE = 0.35, 0.8
#: Arrivals above this share of what a green serves are cut to it: a queue that grows without end has no best offset.
MOST_SERVED = 0.95
_FINE = 20  # samples a bin in which a light is seen red or green


def shown(cycle_s: float, start_s: float, green_s: float, *, common_cycle_s: float, bins: int) -> np.ndarray:
    """Share of each bin of the common cycle in which a light is green. Shape (bins,).

    Parameters
    ----------
    cycle_s : float
        The signal's own cycle, s: the common one or a whole part of it.
    start_s, green_s : float
        Its green, s.
    common_cycle_s : float
        s.
    bins : int
        Bins in the common cycle.
    """
    at = (np.arange(bins * _FINE) + 0.5) * (common_cycle_s / (bins * _FINE))
    return np.asarray((((at - start_s) % cycle_s) < green_s).reshape(bins, _FINE).mean(axis=1))


def departures(green: np.ndarray, *, flow: float, saturation: float, bin_s: float) -> np.ndarray:
    """Flow over the stop line when vehicles arrive evenly: at saturation until the queue has gone, then as they come.

    Parameters
    ----------
    green : ndarray, shape (bins,)
        As `shown`.
    flow, saturation : float
        veh/s; a flow above what the green serves is cut to that.
    bin_s : float
        s.

    Returns
    -------
    ndarray, shape (bins,)
        veh/s.
    """
    served = saturation * green
    flow = min(flow, float(served.mean()))
    queue, out = 0.0, np.zeros(green.size)
    for _ in range(2):  # the second time round the queue is that of every cycle
        for k in range(green.size):
            there = queue + flow * bin_s
            left = min(there, served[k] * bin_s)
            out[k], queue = left / bin_s, there - left
    return out


def downstream(profile: np.ndarray, *, travel_s: float, bin_s: float, dispersion: float = 0.0) -> np.ndarray:
    """The profile `travel_s` further on, spread as it went.

    Parameters
    ----------
    profile : ndarray, shape (bins,)
        veh/s, cyclic.
    travel_s : float
        Mean travel time, s.
    bin_s : float
        s.
    dispersion : float
        Robertson's factor; 0 for vehicles that all drive alike, as those of the engine do, `DISPERSION` on a street.

    Returns
    -------
    ndarray, shape (bins,)
        veh/s; its mean is that of `profile`.

    References
    ----------
    Robertson (1969), Road Research Laboratory Report LR 253: q'(i + t) = F q(i) + (1 - F) q'(i + t - 1) with
    F = 1 / (1 + dispersion x t), t = 0.8 x travel time.
    """
    if dispersion <= 0:
        return _shifted(profile, travel_s / bin_s)
    head = HEAD_SHARE * travel_s / bin_s
    keep = 1.0 / (1.0 + dispersion * head)
    lag = (1.0 - keep) ** np.arange(profile.size)
    kernel = keep * lag / (1.0 - (1.0 - keep) ** profile.size)  # the geometric tail, wound round the cycle
    spread = np.fft.irfft(np.fft.rfft(profile) * np.fft.rfft(kernel), profile.size)
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


def _shifted(profile: np.ndarray, bins: float) -> np.ndarray:
    """A cyclic profile some bins later; parts of a bin are shared between two."""
    whole = int(np.floor(bins))
    part = bins - whole
    return np.asarray((1.0 - part) * np.roll(profile, whole) + part * np.roll(profile, whole + 1))
