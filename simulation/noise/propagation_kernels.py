"""Kernels of sound propagation: which links a receptor hears, and how much of each."""

from __future__ import annotations

import numba
import numpy as np

# Nodes and weights of three-point Gauss-Legendre integration on -1..1.
_NODE, _OUTER, _INNER = np.sqrt(0.6), 5.0 / 9.0, 8.0 / 9.0


@numba.njit(cache=True, error_model="numpy")
def reach(
    line: np.ndarray,  # (4,) x0, y0, x1, y1, m
    at: np.ndarray,  # (3,) receptor, m
    source_z: float,  # m
    floor: float,  # least distance, m
    cutoff: float,  # m
) -> tuple[float, float, float]:
    """Distance d of the line through a segment, and the segment's ends along it from the foot, cut off; m.

    A segment is out of reach if the ends come back equal.
    """
    dx, dy = line[2] - line[0], line[3] - line[1]
    length = np.sqrt(dx * dx + dy * dy)
    if length <= 0.0:
        return floor, 0.0, 0.0
    ux, uy = dx / length, dy / length
    foot = (at[0] - line[0]) * ux + (at[1] - line[1]) * uy
    across = (at[0] - line[0]) * uy - (at[1] - line[1]) * ux
    d = max(np.sqrt(across * across + (at[2] - source_z) ** 2), floor)
    if d >= cutoff:
        return d, 0.0, 0.0
    chord = np.sqrt(cutoff * cutoff - d * d)
    low, high = max(-foot, -chord), min(length - foot, chord)
    return d, low, max(high, low)


@numba.njit(cache=True, error_model="numpy")
def count_pairs(
    lines: np.ndarray,  # (n_segments, 4) m
    link: np.ndarray,  # (n_segments,)
    n_links: int,
    receptors: np.ndarray,  # (n_receptors, 3) m
    source_z: float,
    floor: float,
    cutoff: float,
) -> np.ndarray:  # (n_receptors,) links within the cut-off
    """How many links each receptor hears."""
    count = np.zeros(receptors.shape[0], dtype=np.int64)
    seen = np.full(n_links, -1, dtype=np.int64)
    for r in range(receptors.shape[0]):
        for s in range(lines.shape[0]):
            if seen[link[s]] == r:
                continue
            _, low, high = reach(lines[s], receptors[r], source_z, floor, cutoff)
            if high > low:
                seen[link[s]] = r
                count[r] += 1
    return count


@numba.njit(cache=True, error_model="numpy")
def fill_pairs(
    lines: np.ndarray,  # (n_segments, 4) m
    link: np.ndarray,  # (n_segments,)
    n_links: int,
    receptors: np.ndarray,  # (n_receptors, 3) m
    start: np.ndarray,  # (n_receptors + 1,) first pair of each receptor
    source_z: float,
    floor: float,
    cutoff: float,
    alpha: np.ndarray,  # (n_octaves,) absorption by air, Np of energy a metre
    houses: np.ndarray,  # (n_receptors,) the same of houses
    houses_most: float,  # most that houses take, Np of energy
    open_way: float,  # way before the first house, m
    front: np.ndarray,  # (n_receptors,) what the first row of houses takes, Np of energy
    segment_street: np.ndarray,  # (n_segments,) -1 for none
    receptor_street: np.ndarray,  # (n_receptors,)
    ground: float,  # factor on energy
    reflection: float,  # factor on energy within the same street
) -> tuple[np.ndarray, np.ndarray]:  # (n_pairs,) links and (n_pairs, n_octaves) float32
    """Transfer of each pair: with s = d tan(angle) the integral of ds / (4 pi r^2) is that of d(angle) / (4 pi d).

    Pieces end where houses begin, where they take the most and where the distance doubles; each is integrated over the
    angle by three points.
    """
    n_octaves = alpha.size
    columns = np.empty(start[-1], dtype=np.int64)
    values = np.zeros((start[-1], n_octaves))
    slot = np.full(n_links, -1, dtype=np.int64)
    for r in range(receptors.shape[0]):
        first = start[r]
        used = first
        for s in range(lines.shape[0]):
            d, low, high = reach(lines[s], receptors[r], source_z, floor, cutoff)
            if not high > low:
                continue
            k = slot[link[s]]
            if k < first or k >= used or columns[k] != link[s]:
                k = used
                slot[link[s]] = k
                columns[k] = link[s]
                used += 1
            same = receptor_street[r] >= 0 and receptor_street[r] == segment_street[s]
            factor = ground / (4.0 * np.pi * d) * (reflection if same else 1.0)
            loss, row = (0.0, 0.0) if same else (houses[r], front[r])
            # Along the line: to the first house, and to where houses take the most.
            gate = np.sqrt(max(open_way * open_way - d * d, 0.0))
            full = open_way + (houses_most - row) / loss if loss > 0.0 else 0.0
            last = np.sqrt(max(full * full - d * d, 0.0))
            for side in range(2):  # behind the foot and ahead of it
                a = max(low, 0.0) if side else max(-high, 0.0)
                b = high if side else -low
                if b <= a:
                    continue
                edge = d
                while edge * edge <= a * a + d * d:
                    edge *= 2.0
                while a < b:
                    end = min(b, np.sqrt(edge * edge - d * d))
                    if a < gate < end:
                        end = gate
                    elif a < last < end:
                        end = last
                    else:
                        edge *= 2.0
                    from_angle, to_angle = np.arctan(a / d), np.arctan(end / d)
                    middle, half = 0.5 * (from_angle + to_angle), 0.5 * (to_angle - from_angle)
                    for q in range(3):
                        way = d / np.cos(middle + (q - 1) * _NODE * half)
                        through = way - open_way
                        blocked = min(row + loss * through, houses_most) if through > 0.0 else 0.0
                        weight = factor * half * (_INNER if q == 1 else _OUTER)
                        for o in range(n_octaves):
                            values[k, o] += weight * np.exp(-alpha[o] * way - blocked)
                    a = end
    return columns, values.astype(np.float32)
