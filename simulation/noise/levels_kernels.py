"""Kernel of sound power: what each link radiates in each octave over a run of intervals."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy")
def line_power(
    flow: np.ndarray,  # (n_times, n_links, n_classes) veh/h
    speed: np.ndarray,  # (n_times, n_links, n_classes) km/h, anything where flow is 0
    rolling: np.ndarray,  # (n_classes, n_speeds, n_octaves) A-weighted power of 1 veh/h at 20 deg C, pW/m
    propulsion: np.ndarray,  # (n_classes, n_speeds, n_octaves) the same
    warmth: np.ndarray,  # (n_times, n_classes) factor on rolling
    gain: np.ndarray,  # (2, n_links, n_classes) factors on rolling and propulsion
    lowest: float,  # speed of the tables' first row, km/h
    step: float,  # between rows, km/h
) -> np.ndarray:  # (n_links * n_octaves, n_times) float32, pW/m
    """Power a metre by linear interpolation in the tables, speeds held within them."""
    n_times, n_links, n_classes = flow.shape
    n_speeds, n_octaves = rolling.shape[1], rolling.shape[2]
    power = np.zeros((n_links * n_octaves, n_times), dtype=np.float32)
    total = np.empty(n_octaves)
    for link in range(n_links):
        for t in range(n_times):
            total[:] = 0.0
            for c in range(n_classes):
                q = flow[t, link, c]
                if q <= 0.0:
                    continue
                place = min(max((speed[t, link, c] - lowest) / step, 0.0), n_speeds - 1.0)
                row = min(int(place), n_speeds - 2)
                part = place - row
                roll, push = q * warmth[t, c] * gain[0, link, c], q * gain[1, link, c]
                for o in range(n_octaves):
                    below = roll * rolling[c, row, o] + push * propulsion[c, row, o]
                    above = roll * rolling[c, row + 1, o] + push * propulsion[c, row + 1, o]
                    total[o] += below + part * (above - below)
            for o in range(n_octaves):
                power[link * n_octaves + o, t] = total[o]
    return power


@numba.njit(cache=True, error_model="numpy")
def heard(
    starts: np.ndarray,  # (n_receptors + 1,) first pair of each receptor
    links: np.ndarray,  # (n_pairs,) int32
    transfer: np.ndarray,  # (n_pairs, 8) float32, by octave
    power: np.ndarray,  # (n_links, 8) float32, pW/m
) -> np.ndarray:  # (n_receptors,) float32, squared pressure over that of 0 dB
    """Sum over pairs and octaves for one interval."""
    result = np.empty(starts.size - 1, dtype=np.float32)
    total = np.empty(8, dtype=np.float32)
    for i in range(starts.size - 1):
        total[:] = np.float32(0.0)
        for k in range(starts[i], starts[i + 1]):
            link = links[k]
            for o in range(8):
                total[o] += transfer[k, o] * power[link, o]
        result[i] = total.sum()
    return result
