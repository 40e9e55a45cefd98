"""OSPM over many streets (Numba). Arrays in, arrays out; callers check ranges."""

from __future__ import annotations

import numpy as np
from numba import njit

H0_M = 2.0  # initial mixing height behind vehicles
Z0_M = 0.6  # roughness length of the street
TURBULENCE = 0.1  # of the wind, standard deviation over mean
TOP_EXCHANGE = 0.4  # share of the traffic turbulence's variance that reaches the roof
SLANT = 0.2  # how much a wind across the street is slower at its bottom than one along it
VORTEX_M_PER_M = 2.0  # length of the vortex over the height of the building
STEADY_MPS = 2.0  # below this roof wind the vortex shrinks
SECTOR_RAD = 0.5  # half-width of the wind's meander
_PLUME = np.sqrt(2.0 / np.pi)


@njit(cache=True, error_model="numpy")
def _side(from_m, to_m, mixed_m, spread, rise, decay, above_m):
    """Integral of a street-level plume over the path from one distance to another: its rising part and its lost part.

    Without `s_w`: the caller multiplies by `sqrt(2/pi) / (W s_w)`. Up to `mixed_m` the plume grows from h0 to the roof,
    beyond it it loses air through the roof. `rise` is s_w / s_wt, `decay` is s_wt / (u_b H), both of them 1/m or 1.
    """
    near, far = min(from_m, mixed_m), min(to_m, mixed_m)
    total = 0.0
    if far > near:
        top = H0_M + spread * far
        total = np.log(top / min(top, max(H0_M + spread * near, above_m)))
    if to_m > mixed_m:
        before = 1.0 if from_m <= mixed_m else np.exp(-decay * (from_m - mixed_m))
        total += rise * (before - np.exp(-decay * (to_m - mixed_m)))
    return total


@njit(cache=True, error_model="numpy")
def unit_concentrations(
    height,  # (k,) m
    width,  # (k,) m
    axis,  # (k,) rad, bearing of the street's axis, clockwise from north
    end,  # (k,) m from the receptor to the nearest end of the street
    roof_wind,  # (k,) m/s at roof height, above 0
    wind_from,  # (k,) rad, where it comes from, clockwise from north
    traffic,  # (k,) m/s, turbulence made by vehicles
    receptor,  # (k,) m above ground
    sector,  # half-width of the wind sector over 0.5 rad: 1, or 0 for a single direction
    n_sector,  # directions in a radian
    out,  # (3, k) s/m2 out: left of the axis, right of it, what recirculates in both of them
):
    """Concentration over emission per metre, averaged over the directions from which the wind meanders."""
    for k in range(height.size):
        h, w, u, s_w0, z = height[k], width[k], roof_wind[k], traffic[k], receptor[k]
        r = 1.0 if u > STEADY_MPS else np.sqrt(u / STEADY_MPS)
        s_wt = np.sqrt((TURBULENCE * u) ** 2 + TOP_EXCHANGE * s_w0 * s_w0)
        rest = 1.0 / s_wt
        vortex = VORTEX_M_PER_M * h * r
        bottom = u * np.log(H0_M / Z0_M) / np.log(h / Z0_M)
        diagonal = np.sqrt(h * h + 0.25 * vortex * vortex)
        half = min(SECTOR_RAD * sector / min(u, 1.0), np.pi)
        n = 1 if half == 0.0 else int(np.ceil(n_sector * 2.0 * half - 1e-9))
        step = 2.0 * half / n
        theta = wind_from[k] - axis[k] - half + 0.5 * step
        left, right, both = 0.0, 0.0, 0.0
        sine, cosine, turn_sine, turn_cosine = np.sin(theta), np.cos(theta), np.sin(step), np.cos(step)
        for _ in range(n):
            across, along = max(abs(sine), 1e-10), abs(cosine)
            u_b = bottom * (1.0 - SLANT * across * across)
            s_w = np.sqrt((TURBULENCE * u_b) ** 2 + s_w0 * s_w0)
            path = w / across  # across the street
            longest = min(path, end[k] / max(along, 1e-10))
            mixed = u_b * (h - H0_M) / s_w
            spread, rise, decay = s_w / u_b, s_w * rest, s_wt / (u_b * h)
            lee = _side(0.0, min(vortex, longest), mixed, spread, rise, decay, z)
            if vortex < longest:
                # cos(2 r phi), which needs no arc tangent in winds above 2 m/s
                kept = along * along - across * across if r == 1.0 else np.cos(2.0 * r * np.arctan2(across, along))
                if kept > 0.0:
                    lee += kept * _side(vortex, longest, mixed, spread, rise, decay, z)
            wind_side = 0.0
            if vortex < path:
                wind_side = _side(0.0, min(longest, path - vortex), mixed, spread, rise, decay, z)
            plume = _PLUME / (w * s_w)
            lee, wind_side = lee * plume, wind_side * plume
            again = 0.0
            if z <= h:
                inside = min(path, vortex)
                leaves = s_wt * min(path, 0.5 * vortex)
                if inside > 0.5 * vortex:  # the vortex ends before the wall: air flows out at its edge as well
                    open_edge = diagonal * (2.0 * inside / vortex - 1.0)
                    u_d = np.sqrt(u_b * u_b + s_w0 * s_w0)
                    leaves += open_edge * (open_edge * u_d + diagonal * u) / (open_edge + diagonal)
                again = inside * across / (w * leaves)
            if sine < 0.0:  # the wind comes from the left: the left wall is upwind
                left += lee
                right += wind_side
            elif sine > 0.0:
                left += wind_side
                right += lee
            else:
                left += lee
                right += lee
            both += again
            sine, cosine = sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine
        out[0, k] = (left + both) / n
        out[1, k] = (right + both) / n
        out[2, k] = both / n
