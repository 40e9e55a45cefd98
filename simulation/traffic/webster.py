"""Timings of one signal from its flows, and the delay that theory expects of them.

Optimal cycle and greens follow Webster (1958), Traffic Signal Settings, Road Research Technical Paper 39. His delay
formula holds below saturation; the control delay of the Highway Capacity Manual (HCM 2000, equations 16-9 to 16-12,
unchanged in HCM 2010, chapter 18) holds above it too. All times are in s and all flows in veh/s; `saturation` is the
flow while the light is green. An effective green is what is shown less start-up loss plus the part of yellow that is
used; here it is what the engine shows, and `lost_s` is the rest of the cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulation.errors import NetworkError

#: Time that a change of phase costs, s (SUMO tlsCycleAdaptation default; HCM 2000, chapter 10, has 4 s as well).
LOST_S_PER_PHASE = 4.0
#: Bounds of a cycle, s (SUMO tlsCycleAdaptation defaults).
MIN_CYCLE_S, MAX_CYCLE_S = 20.0, 120.0
#: Shortest green, s; assumption: time for a pedestrian to cross 12 m at 1 m/s.
MIN_GREEN_S = 12.0
#: Analysis period of the HCM delay, s: a quarter of an hour (HCM 2000, chapter 16).
PERIOD_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A cycle and the green of each of its phases, s; between two greens all lights are red for `lost_s` / phases."""

    cycle_s: float
    green_s: tuple[float, ...]
    lost_s: float  # in a cycle

    @property
    def start_s(self) -> tuple[float, ...]:
        """When the green of each phase begins, s into the cycle; the first begins at 0."""
        between = self.lost_s / len(self.green_s)
        starts = np.concatenate([[0.0], np.cumsum(np.asarray(self.green_s) + between)[:-1]])
        return tuple(starts.tolist())


def optimal_cycle(
    flow_ratios: Sequence[float] | np.ndarray,
    *,
    lost_s: float,
    min_cycle_s: float = MIN_CYCLE_S,
    max_cycle_s: float = MAX_CYCLE_S,
) -> float:
    """Cycle of least delay, C0 = (1.5 L + 5) / (1 - Y), held within bounds.

    Parameters
    ----------
    flow_ratios : sequence of float, shape (phases,)
        Critical flow over saturation flow of each phase, y.
    lost_s : float
        Lost time in a cycle, L, s.
    min_cycle_s, max_cycle_s : float
        Bounds, s.

    Returns
    -------
    float
        s; `max_cycle_s` where Y = sum(y) is 1 or more: no cycle serves such flows, the longest serves most of them.

    Raises
    ------
    NetworkError
        If a ratio, the lost time or a bound is impossible.

    References
    ----------
    Webster (1958), Road Research Technical Paper 39, HMSO, London.

    Examples
    --------
    >>> round(optimal_cycle([0.35, 0.25], lost_s=8.0), 2)
    42.5
    """
    y = _ratios(flow_ratios)
    if not 0 <= lost_s < min_cycle_s <= max_cycle_s:
        raise NetworkError(
            f"a cycle needs 0 <= lost_s < min_cycle_s <= max_cycle_s; found {lost_s:g}, {min_cycle_s:g}"
            f" and {max_cycle_s:g} s"
        )
    total = float(y.sum())
    if total >= 1.0:
        return float(max_cycle_s)
    return float(np.clip((1.5 * lost_s + 5.0) / (1.0 - total), min_cycle_s, max_cycle_s))


def green_times(
    flow_ratios: Sequence[float] | np.ndarray,
    *,
    cycle_s: float,
    lost_s: float,
    min_green_s: float = 0.0,
) -> np.ndarray:
    """Greens in proportion to the critical flow ratios, g = (C - L) y / Y, none below `min_green_s`.

    What a phase gains by the minimum is taken from the others in proportion to theirs. Above saturation the same
    rule gives every phase the same degree of saturation.

    Parameters
    ----------
    flow_ratios : sequence of float, shape (phases,)
        Critical flow over saturation flow; equal greens if all are 0.
    cycle_s, lost_s, min_green_s : float
        s.

    Returns
    -------
    ndarray, shape (phases,)
        s; their sum is `cycle_s - lost_s`.

    Raises
    ------
    NetworkError
        If the minimum greens and the lost time do not fit into the cycle.

    References
    ----------
    Webster (1958), Road Research Technical Paper 39, HMSO, London.

    Examples
    --------
    >>> green_times([0.35, 0.25], cycle_s=42.5, lost_s=8.0).tolist()
    [20.125, 14.375]
    """
    y = _ratios(flow_ratios)
    available = cycle_s - lost_s
    if available < y.size * min_green_s - 1e-9 or available <= 0:
        raise NetworkError(
            f"a cycle of {cycle_s:g} s cannot hold {lost_s:g} s of lost time and {y.size} greens of at least"
            f" {min_green_s:g} s; lengthen the cycle or shorten the minimum green"
        )
    y = np.ones_like(y) if y.sum() <= 0 else y
    green = np.full(y.size, float(min_green_s))
    free = np.ones(y.size, dtype=bool)
    while free.any():
        rest = available - min_green_s * (~free).sum()
        share = rest * (y / y[free].sum()) if y[free].sum() > 0 else np.full(y.size, rest / free.sum())
        short = free & (share < min_green_s - 1e-12)
        if not short.any():
            green[free] = share[free]
            break
        free &= ~short
    return green


def webster_timing(
    flow_ratios: Sequence[float] | np.ndarray,
    *,
    cycle_s: float | None = None,
    lost_s_per_phase: float = LOST_S_PER_PHASE,
    min_green_s: float = MIN_GREEN_S,
    min_cycle_s: float = MIN_CYCLE_S,
    max_cycle_s: float = MAX_CYCLE_S,
) -> Timing:
    """Cycle and greens of one intersection; `cycle_s` given: greens only.

    The cycle is never so short that a minimum green does not fit.

    Parameters
    ----------
    flow_ratios : sequence of float, shape (phases,)
    cycle_s : float, optional
        A cycle that is common to several intersections, s.
    lost_s_per_phase, min_green_s, min_cycle_s, max_cycle_s : float
        s.

    Raises
    ------
    NetworkError
        If the ratios are impossible or the phases do not fit into the longest cycle.
    """
    y = _ratios(flow_ratios)
    lost = lost_s_per_phase * y.size
    needed = lost + min_green_s * y.size
    if needed > max_cycle_s:
        raise NetworkError(
            f"{y.size} phases need at least {needed:g} s, more than the longest cycle of {max_cycle_s:g} s"
        )
    if cycle_s is None:
        cycle_s = optimal_cycle(y, lost_s=lost, min_cycle_s=max(min_cycle_s, needed), max_cycle_s=max_cycle_s)
    green = green_times(y, cycle_s=cycle_s, lost_s=lost, min_green_s=min_green_s)
    return Timing(cycle_s=float(cycle_s), green_s=tuple(green.tolist()), lost_s=lost)


def uniform_delay(cycle_s: np.ndarray, green_s: np.ndarray, degree: np.ndarray) -> np.ndarray:
    """Mean delay if vehicles came at equal headways, s: C (1 - u)^2 / (2 (1 - u min(1, x))) with u = g / C.

    First term of Webster (1958) and of HCM 2000, equation 16-11. Arguments broadcast; `degree` is the degree of
    saturation x, flow over capacity.
    """
    share = np.asarray(green_s) / np.asarray(cycle_s)
    return np.asarray(cycle_s * (1.0 - share) ** 2 / (2.0 * np.maximum(1.0 - share * np.minimum(degree, 1.0), 1e-12)))


def webster_delay(
    cycle_s: np.ndarray | float,
    green_s: np.ndarray | float,
    flow: np.ndarray | float,
    saturation: np.ndarray | float,
) -> np.ndarray:
    """Mean delay of a vehicle with Poisson arrivals at a fixed-time signal, s.

    d = C (1 - u)^2 / (2 (1 - u x)) + x^2 / (2 q (1 - x)) - 0.65 (C / q^2)^(1/3) x^(2 + 5 u)

    Webster fitted the last term to a simulation; it takes off 5 to 15 % of the delay, so the formula is held to be
    good to some 10 %. The delay does not contain the time at free flow, and no acceleration.

    Parameters
    ----------
    cycle_s, green_s : float or ndarray
        s.
    flow, saturation : float or ndarray
        q and s, veh/s.

    Returns
    -------
    ndarray
        s; `inf` where the flow reaches the capacity s g / C; the uniform term alone where there is no flow.

    References
    ----------
    Webster (1958), Road Research Technical Paper 39, HMSO, London.

    Examples
    --------
    >>> float(webster_delay(42.5, 20.125, 0.175, 0.5).round(2))
    13.11
    """
    cycle, green, q, s = np.broadcast_arrays(*(np.asarray(a, float) for a in (cycle_s, green_s, flow, saturation)))
    share = green / cycle
    x = q / (s * share)
    busy = np.where((q > 0) & (x < 1), q, 1.0)
    below = np.where(x < 1, x, 0.0)
    random = below**2 / (2.0 * busy * (1.0 - below)) - 0.65 * np.cbrt(cycle / busy**2) * below ** (2.0 + 5.0 * share)
    delay = uniform_delay(cycle, green, x) + np.where(q > 0, random, 0.0)
    return np.asarray(np.where(x < 1, delay, np.inf))


def hcm_delay(
    cycle_s: np.ndarray | float,
    green_s: np.ndarray | float,
    flow: np.ndarray | float,
    saturation: np.ndarray | float,
    *,
    period_s: float = PERIOD_S,
    incremental: float = 0.5,
    upstream: float = 1.0,
) -> np.ndarray:
    """Mean control delay of those who arrive in a period that begins without a queue, s; below and above saturation.

    d = d1 + d2; d1 as `uniform_delay`; d2 = T/4 ((X - 1) + sqrt((X - 1)^2 + 8 k I X / (c T))), which is the manual's
    900 T in s instead of h.

    Parameters
    ----------
    cycle_s, green_s : float or ndarray
        s.
    flow, saturation : float or ndarray
        veh/s.
    period_s : float
        Length of the period, T, s.
    incremental : float
        k: 0.5 for fixed-time signals.
    upstream : float
        I: 1 for an isolated intersection.

    Returns
    -------
    ndarray
        s.

    References
    ----------
    TRB (2000), Highway Capacity Manual, equations 16-9 to 16-12; HCM 2010, chapter 18.
    """
    cycle, green, q, s = np.broadcast_arrays(*(np.asarray(a, float) for a in (cycle_s, green_s, flow, saturation)))
    capacity = s * green / cycle
    x = q / capacity
    beyond = x - 1.0
    root = np.sqrt(beyond**2 + 8.0 * incremental * upstream * x / (capacity * period_s))
    return np.asarray(uniform_delay(cycle, green, x) + 0.25 * period_s * (beyond + root))


def _ratios(flow_ratios: Sequence[float] | np.ndarray) -> np.ndarray:
    y = np.asarray(flow_ratios, dtype=float)
    if y.ndim != 1 or y.size == 0 or not (np.isfinite(y) & (y >= 0)).all():
        raise NetworkError(f"flow ratios must be finite and at least 0, one a phase; found {np.round(y, 4).tolist()}")
    return y
