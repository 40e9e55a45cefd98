"""Loops that look readings up: bridged lags, moving means and neighbours' sums, for many origins and zones at once."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def bridge(deviation, reach):  # type: ignore[no-untyped-def]
    """Deviations (t, C) with gaps of up to `reach` steps filled by the last reading, else 0; and where they are known.

    Returns
    -------
    ndarray of float32, shape (t, C); ndarray of bool, shape (t, C)
    """
    t, width = deviation.shape
    out = np.zeros((t, width), dtype=np.float32)
    heard = np.zeros((t, width), dtype=np.bool_)
    since = np.full(width, reach + 1, dtype=np.int64)
    last = np.zeros(width, dtype=np.float32)
    for i in range(t):
        for c in range(width):
            value = deviation[i, c]
            if np.isfinite(value):
                last[c] = value
                since[c] = 0
            else:
                since[c] += 1
            if since[c] <= reach:
                out[i, c] = last[c]
                heard[i, c] = True
    return out, heard


@njit(cache=True)
def totals(deviation):  # type: ignore[no-untyped-def]
    """Running sums and counts of what is known: two arrays of shape (t + 1, C), float64 and int32."""
    t, width = deviation.shape
    total = np.zeros((t + 1, width))
    count = np.zeros((t + 1, width), dtype=np.int32)
    for i in range(t):
        for c in range(width):
            value = deviation[i, c]
            if np.isfinite(value):
                total[i + 1, c] = total[i, c] + value
                count[i + 1, c] = count[i, c] + 1
            else:
                total[i + 1, c] = total[i, c]
                count[i + 1, c] = count[i, c]
    return total, count


@njit(cache=True)
def put_lags(out, at, bridged, rel, lags, columns):  # type: ignore[no-untyped-def]
    """Write `bridged[rel - lag, column]` to `out[:, z, at + k]`; 0 before the series began and for column -1."""
    for i in range(rel.size):
        for z in range(columns.size):
            c = columns[z]
            for k in range(lags.size):
                place = rel[i] - lags[k]
                out[i, z, at + k] = bridged[place, c] if c >= 0 and place >= 0 else np.float32(0.0)


@njit(cache=True)
def put_single(out, at, bridged, rel, lags, members):  # type: ignore[no-untyped-def]
    """As `put_lags` for each of the members (Z, m) of every zone, one after another."""
    for i in range(rel.size):
        for z in range(members.shape[0]):
            for j in range(members.shape[1]):
                c = members[z, j]
                for k in range(lags.size):
                    place = rel[i] - lags[k]
                    value = bridged[place, c] if c >= 0 and place >= 0 else np.float32(0.0)
                    out[i, z, at + j * lags.size + k] = value


@njit(cache=True)
def put_means(out, at, total, count, rel, widths, columns):  # type: ignore[no-untyped-def]
    """Write means of the known among the last `width` readings to `out[:, z, at + k]`; 0 where none is known."""
    for i in range(rel.size):
        end = rel[i] + 1
        for z in range(columns.size):
            c = columns[z]
            for k in range(widths.size):
                start = max(end - widths[k], 0)
                n = count[end, c] - count[start, c] if end > start else 0
                out[i, z, at + k] = (total[end, c] - total[start, c]) / n if n > 0 else np.float32(0.0)


@njit(cache=True)
def put_gap(out, at, count, rel, width, columns):  # type: ignore[no-untyped-def]
    """Write the share of the last `width` readings that are missing to `out[:, z, at]`."""
    for i in range(rel.size):
        end = rel[i] + 1
        start = max(end - width, 0)
        for z in range(columns.size):
            c = columns[z]
            out[i, z, at] = 1.0 - (count[end, c] - count[start, c]) / width


@njit(cache=True)
def put_neighbours(out, at, bridged, heard, rel, lags, members, weights):  # type: ignore[no-untyped-def]
    """Write weighted means of the members that were heard to `out[:, z, at + k]`; 0 where none was.

    `members` (Z, m) are columns of `bridged`, -1 beyond the last, and `weights` (Z, m) belong to them.
    """
    for i in range(rel.size):
        for z in range(members.shape[0]):
            for k in range(lags.size):
                place = rel[i] - lags[k]
                total = 0.0
                mass = 0.0
                if place >= 0:
                    for j in range(members.shape[1]):
                        c = members[z, j]
                        if c < 0:
                            break
                        if heard[place, c]:
                            total += weights[z, j] * bridged[place, c]
                            mass += weights[z, j]
                out[i, z, at + k] = total / mass if mass > 0.0 else np.float32(0.0)


@njit(cache=True)
def put_ahead(out, deviation, total, count, rel, day, week, now, own_usual, usual, clock):  # type: ignore[no-untyped-def]
    """Write the features of the interval forecast for, `featuriser.AHEAD_NAMES`, to `out` (n, Z, S, F2).

    The deviation at the same time yesterday, its mean two steps around, and a week ago; the usual value then, `usual`
    (n, S, Z), and how far it is from the usual value at the origin, `own_usual` (n, Z); `clock` (n, S, 7): three pairs
    of sine and cosine of the time of day, and whether it is a weekend; the last deviation, `now` (n, Z), times the
    first pair and the weekend.

    `day` and `week` (n, S) are places in `deviation`; what lies before the window or after the origin counts as 0.
    """
    zones = now.shape[1]
    for i in range(rel.size):
        for z in range(zones):
            last_known = now[i, z]
            for s in range(day.shape[1]):
                d, w = day[i, s], week[i, s]
                first = max(d - 2, 0)
                last = min(d + 2, rel[i]) + 1
                row, when = out[i, z, s], clock[i, s]
                value = deviation[d, z] if 0 <= d <= rel[i] else np.nan
                row[0] = value if np.isfinite(value) else np.float32(0.0)
                n = count[last, z] - count[first, z] if last > first else 0
                row[1] = (total[last, z] - total[first, z]) / n if n > 0 else np.float32(0.0)
                value = deviation[w, z] if 0 <= w <= rel[i] else np.nan
                row[2] = value if np.isfinite(value) else np.float32(0.0)
                row[3] = usual[i, s, z]
                row[4] = row[3] - own_usual[i, z]
                for k in range(7):
                    row[5 + k] = when[k]
                row[12] = last_known * row[5]
                row[13] = last_known * row[6]
                row[14] = last_known * row[11]
