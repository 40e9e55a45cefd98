"""Compiled loops of the R-LINE plume: its spread over distance, and the fast integrals of a finite link.

Ranges are checked by the callers (`rline`, `source_receptor`). Lengths in m, speeds in m/s.

A *table* of a plume is an array (n, 4) over distances of equal ratio from 1 m: sigma_y (m), 1 / (sqrt(2 pi) Ue sigma_z)
(s/m2), the share f of the meander, and sigma_z (m).
"""

from __future__ import annotations

import math

import numba
import numpy as np

_jit = numba.njit(cache=True, error_model="numpy")

_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
#: Half-width of a plume, in sigma_y, within which it is integrated: 0.05 % of a Gaussian lies outside.
_REACH = 3.5
#: Largest tangent from the wind's axis under which a source is seen; matters only within 1 m of a link.
_WIDEST = 8.0
#: Nearest distance of source and receptor, m (R-LINE).
_NEAREST_M = 1.0


@_jit
def _wind(z: float, layer: np.ndarray) -> float:
    """Mean wind at z; the same profile as `wind_profile.wind_speed`, for one height."""
    length, z0 = layer[1], layer[3]
    above = z - layer[4]
    if above <= z0:
        return 0.0
    if math.isinf(length):
        correction = 0.0
    elif length > 0.0:
        correction = 17.0 * (math.exp(-0.29 * z0 / length) - math.exp(-0.29 * above / length))
    else:
        a = (1.0 - 16.0 * above / length) ** 0.25
        b = (1.0 - 16.0 * z0 / length) ** 0.25
        correction = -(2.0 * math.log((1.0 + a) / (1.0 + b)) + math.log((1.0 + a * a) / (1.0 + b * b)))
        correction += 2.0 * (math.atan(a) - math.atan(b))
    return layer[5] * layer[0] / 0.4 * (math.log(above / z0) + correction)


@_jit
def _effective_wind(sigma_z: float, height: float, layer: np.ndarray) -> float:
    """Wind at the plume's mean height, with the turbulence that carries it when there is none."""
    mean = math.sqrt(2.0 / math.pi) * sigma_z * math.exp(-0.5 * (height / sigma_z) ** 2)
    mean += height * math.erf(height / (_SQRT2 * sigma_z))
    speed = _wind(mean, layer)
    return max(math.sqrt(2.0 * layer[2] ** 2 + speed * speed), 1e-6 * layer[0])


@_jit
def _own_sigma_z(x: float, effective: float, layer: np.ndarray, coefficients: np.ndarray) -> float:
    """Spread by the way travelled alone, without the initial one."""
    ratio = layer[0] / effective
    length = abs(layer[1])
    sigma = coefficients[0] * ratio * x
    if math.isinf(length):
        return sigma
    if layer[1] > 0.0:
        return sigma / (1.0 + coefficients[1] * ratio * (x / length) ** (2.0 / 3.0))
    return sigma * (1.0 + coefficients[2] * ratio * x / length)


@_jit
def spread(
    x: np.ndarray,  # (N,) distances, m; below 1 m as at 1 m
    height: np.ndarray,  # (N,) release heights, m
    sigma_z0: np.ndarray,  # (N,) initial vertical spreads, m
    layer: np.ndarray,  # (6,) u*, Obukhov length, sigma_v, z0, displacement, factor on the wind
    coefficients: np.ndarray,  # (6,) a, bs, bu, c, ds, du
    tolerance: float,  # relative, of sigma_z
) -> np.ndarray:  # (N, 4) sigma_z (total), sigma_y, effective wind, share of meander
    """Spread and effective wind, each of which needs the other: the one root of a falling function, by bisection.

    Bisection, since plain iteration swings for ever where the wind rises steeply with height (rough ground).
    """
    result = np.empty((x.size, 4))
    for i in range(x.size):
        distance = max(x[i], _NEAREST_M)
        start = sigma_z0[i] * sigma_z0[i]
        slowest = max(math.sqrt(2.0 * layer[2] ** 2 + _wind(height[i], layer) ** 2), 1e-6 * layer[0])
        upper = math.sqrt(_own_sigma_z(distance, slowest, layer, coefficients) ** 2 + start)
        effective = _effective_wind(upper, height[i], layer)
        lower = math.sqrt(_own_sigma_z(distance, effective, layer, coefficients) ** 2 + start)
        while upper > lower * (1.0 + tolerance):
            middle = math.sqrt(lower * upper)
            effective = _effective_wind(middle, height[i], layer)
            if math.sqrt(_own_sigma_z(distance, effective, layer, coefficients) ** 2 + start) > middle:
                lower = middle
            else:
                upper = middle
        sigma = math.sqrt(lower * upper)
        effective = _effective_wind(sigma, height[i], layer)
        own = _own_sigma_z(distance, effective, layer, coefficients)
        across = coefficients[3] * layer[2] / layer[0] * own
        if not math.isinf(layer[1]):
            if layer[1] > 0.0:
                across *= 1.0 + coefficients[4] * own / layer[1]
            else:
                across /= math.sqrt(1.0 - coefficients[5] * own / layer[1])
        result[i, 0] = math.sqrt(own * own + start)
        result[i, 1] = across
        result[i, 2] = effective
        result[i, 3] = min(2.0 * layer[2] ** 2 / (effective * effective), 1.0)
    return result


@_jit
def _place(x: float, per_log: float, last: int) -> float:
    """Place in a table of distances of equal ratio from 1 m."""
    return min(math.log(max(x, _NEAREST_M)) * per_log, last - 1e-9)


@_jit
def _vertical(z: float, height: float, sigma_z: float) -> float:
    """Source and its image in the ground."""
    scale = -0.5 / (sigma_z * sigma_z)
    return math.exp(scale * (z - height) ** 2) + math.exp(scale * (z + height) ** 2)


@_jit
def plume_integral(
    x0: float,  # receptor's distance downwind of the link's first end, m
    y0: float,  # and across the wind
    x1: float,  # the same from its second end
    y1: float,
    z: float,  # receptor's height
    height: float,  # source's height
    table: np.ndarray,  # (n, 4) of the plume
    per_log: float,  # places of the table per unit of ln(distance)
    nodes: np.ndarray,  # (3, m) Gauss-Legendre nodes on [-1, 1] of three orders
    weights: np.ndarray,  # (3, m)
    orders: np.ndarray,  # (3,) numbers of nodes
) -> float:  # s/m2 per g/m/s: the direct plume of the link
    """Integrate the direct plume of a link over the tangent y / x under which the receptor sees its points.

    With D the distance to the link's line, dl = x^2 / D dy/x: where sigma_y and sigma_z grow in proportion to x the
    integrand is a plain Gaussian of the tangent, whatever the angle of wind and link, so few nodes serve, and a wind
    along the link is no special case.
    """
    if x0 <= 0.0 and x1 <= 0.0:
        return 0.0
    along_x, along_y = x1 - x0, y1 - y0
    length = math.sqrt(along_x * along_x + along_y * along_y)
    if length <= 0.0:
        return 0.0
    side = 1.0 if along_y >= 0.0 else -1.0
    normal_x, normal_y = side * along_y / length, -side * along_x / length
    apart = x0 * normal_x + y0 * normal_y
    if -_NEAREST_M < apart < _NEAREST_M:  # on the link: 1 m beside it, downwind where it is exactly on
        target = _NEAREST_M if apart >= 0.0 else -_NEAREST_M
        shift_x, shift_y = (target - apart) * normal_x, (target - apart) * normal_y
        x0, x1, y0, y1 = x0 + shift_x, x1 + shift_x, y0 + shift_y, y1 + shift_y
        apart = target
        if x0 <= 0.0 and x1 <= 0.0:
            return 0.0
    tangent0 = y0 / x0 if x0 > 0.0 else math.copysign(1e9, y0 - along_y * x0 / along_x)
    tangent1 = y1 / x1 if x1 > 0.0 else math.copysign(1e9, y0 - along_y * x0 / along_x)
    low = max(min(tangent0, tangent1), -_WIDEST)
    high = min(max(tangent0, tangent1), _WIDEST)
    last = table.shape[0] - 1
    width = 0.0
    for _ in range(3):  # narrow down to where the plume is, from outside
        if not low < high:
            return 0.0
        width = 0.0
        for tangent in (low, high):
            x = apart / (normal_x + normal_y * tangent)
            place = _place(x, per_log, last)
            k = int(place)
            sigma_y = table[k, 0] + (place - k) * (table[k + 1, 0] - table[k, 0])
            width = max(width, sigma_y / x)
        low = max(low, -_REACH * width)
        high = min(high, _REACH * width)
    if not low < high:
        return 0.0
    span = (high - low) / width
    order = 0 if span < 1.0 else (1 if span < 3.0 else 2)
    half, middle = 0.5 * (high - low), 0.5 * (high + low)
    total = 0.0
    for i in range(orders[order]):
        tangent = middle + half * nodes[order, i]
        x = apart / (normal_x + normal_y * tangent)
        place = _place(x, per_log, last)
        k = int(place)
        part = place - k
        sigma_y = table[k, 0] + part * (table[k + 1, 0] - table[k, 0])
        weight = weights[order, i] * (table[k, 1] + part * (table[k + 1, 1] - table[k, 1]))
        sigma_z = table[k, 3] + part * (table[k + 1, 3] - table[k, 3])
        off = tangent * x / sigma_y
        place = _place(x * math.sqrt(1.0 + tangent * tangent), per_log, last)
        k = int(place)
        weight *= 1.0 - (table[k, 2] + (place - k) * (table[k + 1, 2] - table[k, 2]))
        total += weight * _vertical(z, height, sigma_z) * x * x / sigma_y * math.exp(-0.5 * off * off)
    return total * half / (abs(apart) * _SQRT_2PI)


@_jit
def meander_integral(
    x0: float,  # receptor from the link's first end, m, in any axes
    y0: float,
    x1: float,
    y1: float,
    z: float,
    height: float,
    table: np.ndarray,  # (n, 4)
    per_log: float,
    nodes: np.ndarray,  # (m,) Gauss-Legendre nodes on [-1, 1]
    weights: np.ndarray,  # (m,)
) -> float:  # s/m2 per g/m/s
    """Integrate f V(r) / (2 pi r) over a link, by the angle under which the receptor sees it (V r changes slowly)."""
    along_x, along_y = x1 - x0, y1 - y0
    length = math.sqrt(along_x * along_x + along_y * along_y)
    if length <= 0.0:
        return 0.0
    apart = max(abs(x0 * along_y - y0 * along_x) / length, _NEAREST_M)
    first = (x0 * along_x + y0 * along_y) / length
    angle0, angle1 = math.atan(first / apart), math.atan((first + length) / apart)
    half, middle = 0.5 * (angle1 - angle0), 0.5 * (angle1 + angle0)
    last = table.shape[0] - 1
    total = 0.0
    for i in range(nodes.size):
        stretch = 1.0 / math.cos(middle + half * nodes[i])
        place = _place(apart * stretch, per_log, last)
        k = int(place)
        part = place - k
        weight = table[k, 1] + part * (table[k + 1, 1] - table[k, 1])
        weight *= table[k, 2] + part * (table[k + 1, 2] - table[k, 2])
        sigma_z = table[k, 3] + part * (table[k + 1, 3] - table[k, 3])
        total += weights[i] * weight * _vertical(z, height, sigma_z) * stretch
    return total * half / (2.0 * math.pi)


@_jit
def links_one_by_one(
    from0: np.ndarray,  # (N, 2) receptor minus the link's first end: downwind, across, m
    from1: np.ndarray,  # (N, 2) and minus its second end
    z: np.ndarray,  # (N,) receptors' heights
    height: np.ndarray,  # (N,) sources' heights
    which: np.ndarray,  # (N,) table of each
    tables: np.ndarray,  # (T, n, 4)
    per_log: float,
    nodes: np.ndarray,  # (3, m)
    weights: np.ndarray,
    orders: np.ndarray,
) -> np.ndarray:  # (N, 2) direct plume and meander, s/m2
    """Give each pair of a link and a receptor its direct plume and its meander."""
    result = np.empty((z.size, 2))
    mid = orders[1]
    for i in range(z.size):
        table = tables[which[i]]
        a, b, c, d = from0[i, 0], from0[i, 1], from1[i, 0], from1[i, 1]
        result[i, 0] = plume_integral(a, b, c, d, z[i], height[i], table, per_log, nodes, weights, orders)
        result[i, 1] = meander_integral(a, b, c, d, z[i], height[i], table, per_log, nodes[1, :mid], weights[1, :mid])
    return result
