"""R-LINE: the plume of a road, from a similarity theory of the surface layer. Full form and fast form.

Each point of a line emits a plume, partly carried by the mean wind and partly spread to all sides by slow meanders:

    C = (1 - f) V(X) exp(-y^2 / 2 sy^2) / (sqrt(2 pi) sy)  [X > 0]   +   f V(r) / (2 pi r)
    V(s) = [exp(-(z - h)^2 / 2 sz^2) + exp(-(z + h)^2 / 2 sz^2)] / (sqrt(2 pi) Ue sz)
    f = 2 sigma_v^2 / Ue^2,  Ue^2 = 2 sigma_v^2 + U(mean plume height)^2

    stable:   sz = a (u*/Ue) X / (1 + bs (u*/Ue) (X / L)^(2/3)),   sy = c (sigma_v/u*) sz (1 + ds sz / L)
    unstable: sz = a (u*/Ue) X (1 + bu (u*/Ue) X / |L|),           sy = c (sigma_v/u*) sz (1 + du sz / |L|)^(-1/2)

with sz^2 + sz0^2 in V, and X and r not below 1 m. sz and Ue need each other; the root is found to 1e-6.

Where f is taken has changed: R-LINE 1.2 takes it at X for both terms (at r where X <= 0), so that abreast of a source,
where X is small, everything meanders; AERMOD since 2023 takes it at r. `full_line` does either, integrating along the
link to better than 1e-3 (1e-6 but for the kink of the wind at d + z0). `fast_line` takes f at r (the meander then does
not depend on the wind's direction, and what one term loses the other gains at every point) and has 4 to 10 nodes an
integral, placed where it is smooth (see `rline_kernels`); a link along the wind is no special case.

Ratio of the fast to the full form: 31,000 pairs of a link (median 80 m) and a receptor 10 to 500 m from it, all angles
to the wind, six stability classes, z0 0.1, 0.5 and 1 m (`zonewise benchmark air forms`). Percentiles 1, 5, 50, 95, 99,
and the range of the ratio of sums by class and roughness:

    full form with f at r    0.976  0.995  1.000  1.001  1.007    sums 0.998 to 1.001
    with f at X (R-LINE 1.2) 0.293  0.555  1.000  1.030  1.090    sums 0.972 to 1.005   (low ones: abreast of a link)

Source: Snyder et al. (2013), doi:10.1016/j.atmosenv.2013.05.074; constants and the place of f as in the statements and
comments of `src/rline.f90` of US EPA's AERMOD (GitHub `juliowerner/AERMOD-ern` @0cce2e5).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.air.dispersion.rline_kernels import links_one_by_one, spread
from simulation.air.dispersion.wind_profile import SurfaceLayer
from simulation.air.errors import AirError

Array = NDArray[np.float64]

#: Nearest distance of source and receptor, m (R-LINE).
NEAREST_M = 1.0
#: Relative tolerance of sigma_z and Ue.
TOLERANCE = 1e-6
#: Places of a plume's table per unit of ln(distance): linear interpolation is good to 1e-4.
TABLE_PER_LOG = 40.0
#: Farthest distance of a plume's table, m; beyond it the plume is that of its end.
TABLE_END_M = 30_000.0


@dataclass(frozen=True, slots=True)
class RlineConstants:
    """The six constants of the plume's spread, dimensionless: a, bs, bu (vertical), c, ds, du (lateral)."""

    a: float
    bs: float
    bu: float
    c: float
    ds: float
    du: float


#: R-LINE 1.2 of November 2013 (Snyder et al. 2013).
RLINE_V12 = RlineConstants(a=0.57, bs=3.0, bu=1.5, c=1.6, ds=2.5, du=1.0)
#: The fit of 2023 that AERMOD carries. (Its Ue is the mean wind alone; here Ue stays that of R-LINE 1.2.)
AERMOD_2023 = RlineConstants(a=0.70, bs=1.5, bu=1.0, c=1.4, ds=1.5, du=2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plume:
    """A plume at distances: sigma_z (initial spread included), sigma_y, m; effective wind, m/s; share of meander."""

    sigma_z_m: Array
    sigma_y_m: Array
    wind_mps: Array
    meander: Array


def plume(
    x_m: ArrayLike,
    layer: SurfaceLayer,
    *,
    height_m: ArrayLike = 0.0,
    sigma_z0_m: ArrayLike = 0.0,
    constants: RlineConstants = RLINE_V12,
) -> Plume:
    """Spread, effective wind and meander of the plume of a point of a road.

    Parameters
    ----------
    x_m : array_like
        Distance from the source, m; below 1 m as at 1 m.
    layer : SurfaceLayer
    height_m, sigma_z0_m : array_like
        Height of release and initial vertical spread, m, 0 or more.
    constants : RlineConstants

    Returns
    -------
    Plume, arrays in the common shape of `x_m`, `height_m` and `sigma_z0_m`
    """
    x, height, start = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (x_m, height_m, sigma_z0_m)))
    flat = spread(x.ravel(), height.ravel(), start.ravel(), _layer(layer), np.array(astuple(constants)), TOLERANCE)
    sigma_z, sigma_y, wind, meander = (flat[:, i].reshape(x.shape) for i in range(4))
    return Plume(sigma_z_m=sigma_z, sigma_y_m=sigma_y, wind_mps=wind, meander=meander)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """N pairs of a straight link and a receptor; what is given once holds for all. Metres, x east, y north.

    Raises
    ------
    AirError
        If anything is missing, or a height or initial spread is negative; all faults are named.
    """

    x0_m: ArrayLike
    y0_m: ArrayLike
    x1_m: ArrayLike
    y1_m: ArrayLike
    receptor_x_m: ArrayLike
    receptor_y_m: ArrayLike
    receptor_z_m: ArrayLike
    height_m: ArrayLike = 0.0
    sigma_z0_m: ArrayLike = 0.0

    def arrays(self) -> list[Array]:
        """The nine, in order, one-dimensional and of one length, (N,) each."""
        arrays = np.broadcast_arrays(
            *(np.asarray(a, dtype=float) for a in (getattr(self, name) for name in self.__dataclass_fields__))
        )
        faults = [
            f"{name} {what}"
            for name, values in zip(self.__dataclass_fields__, arrays, strict=True)
            for what, bad in (
                ("is missing or infinite", not np.isfinite(values).all()),
                ("is below 0 m", name in ("receptor_z_m", "height_m", "sigma_z0_m") and bool((values < 0.0).any())),
            )
            if bad
        ]
        if faults:
            raise AirError("links and receptors: " + "; ".join(faults))
        return [np.atleast_1d(a).ravel() for a in arrays]

    def along_wind(self, wind_dir_deg: float) -> tuple[Array, Array]:
        """Receptor minus first and minus second end, (N, 2) each: downwind and across, m."""
        x0, y0, x1, y1, x, y, *_ = self.arrays()
        return rotate(x - x0, y - y0, wind_dir_deg), rotate(x - x1, y - y1, wind_dir_deg)


def rotate(east: Array, north: Array, wind_dir_deg: float) -> Array:
    """Components downwind and across, (N, 2), of vectors east and north; the wind comes from `wind_dir_deg`."""
    angle = np.radians(wind_dir_deg)
    sin, cos = np.sin(angle), np.cos(angle)
    return np.stack([-east * sin - north * cos, east * cos - north * sin], axis=-1)


def full_line(
    pairs: Pairs,
    layer: SurfaceLayer,
    *,
    wind_dir_deg: float,
    constants: RlineConstants = RLINE_V12,
    meander: Literal["downwind", "radial", "none"] = "downwind",
) -> Array:
    """Concentration per unit of line emission by numerical integration: the reference of the fast form.

    Parameters
    ----------
    pairs : Pairs
        N links and receptors.
    layer : SurfaceLayer
        With sigma_v above 0.
    wind_dir_deg : float
        Where the wind comes from, degrees clockwise from north.
    constants : RlineConstants
    meander : {"downwind", "radial", "none"}
        Where its share f is taken: at X as in R-LINE 1.2, at r as in AERMOD and the fast form, or f = 0.

    Returns
    -------
    ndarray, shape (N,)
        g/m3 for 1 g/m/s, that is s/m2.

    Raises
    ------
    AirError
        If sigma_v is 0 (the plume would have no width).
    """
    _need_width(layer)
    *_, z, height, start = pairs.arrays()
    first, second = pairs.along_wind(wind_dir_deg)
    step = second - first
    length = np.hypot(step[:, 0], step[:, 1])
    unit = step / np.maximum(length, 1e-12)[:, None]
    points, weights = _double_exponential()
    with np.errstate(divide="ignore", invalid="ignore"):
        upwind = np.nan_to_num(-first[:, 1] / unit[:, 1], nan=0.0, posinf=0.0, neginf=0.0)  # straight upwind of it
        x = np.clip(first[:, 0] + upwind * unit[:, 0], NEAREST_M, TABLE_END_M)
        width = plume(x, layer, height_m=height, sigma_z0_m=start, constants=constants).sigma_y_m / np.abs(unit[:, 1])
        breaks = np.stack(
            [
                np.zeros_like(length),
                length,
                -first[:, 0] / unit[:, 0],  # abreast of the receptor
                (NEAREST_M - first[:, 0]) / unit[:, 0],
                upwind - 7.0 * width,
                upwind,
                upwind + 7.0 * width,
                -(first * unit).sum(axis=1),  # nearest to it
            ]
        )
    breaks = np.sort(np.clip(np.nan_to_num(breaks, nan=0.0, posinf=0.0, neginf=0.0), 0.0, length), axis=0)
    total = np.zeros_like(length)
    for low, high in pairwise(breaks):
        half = 0.5 * (high - low)
        some = np.flatnonzero(half > 0.0)
        if some.size:
            at = low[some, None] + half[some, None] * (1.0 + points)
            x, y = (first[some, i, None] + at * unit[some, i, None] for i in (0, 1))
            own = (z[some, None], height[some, None], start[some, None])
            value = _point(x, y, own, layer, constants, meander)
            total[some] += half[some] * (value @ weights)
    return total


def _point(
    x: Array, y: Array, heights: tuple[Array, Array, Array], layer: SurfaceLayer, constants: RlineConstants,
    meander: str,
) -> Array:  # fmt: skip
    """Concentration of points of a line at their receptors, s/m3; heights are those of receptor, source and wake."""
    z, height, start = heights
    r = np.maximum(np.hypot(x, y), NEAREST_M)
    downwind = x > 0.0
    at_x, at_r = (
        plume(s, layer, height_m=height, sigma_z0_m=start, constants=constants) for s in (np.where(downwind, x, r), r)
    )
    share = {"downwind": at_x.meander, "radial": at_r.meander, "none": np.zeros_like(r)}[meander]
    direct = _layer_term(z, height, at_x) * np.exp(-0.5 * (y / at_x.sigma_y_m) ** 2)
    direct = np.where(downwind, direct / (np.sqrt(2.0 * np.pi) * at_x.sigma_y_m), 0.0)
    return (1.0 - share) * direct + share * _layer_term(z, height, at_r) / (2.0 * np.pi * r)


def _layer_term(z: Array, height: Array, at: Plume) -> Array:
    """V: a unit line's concentration as if the wind blew across it, s/m2."""
    scale = -0.5 / np.square(at.sigma_z_m)
    both = np.exp(scale * (z - height) ** 2) + np.exp(scale * (z + height) ** 2)
    return both / (np.sqrt(2.0 * np.pi) * at.wind_mps * at.sigma_z_m)


def _double_exponential() -> tuple[Array, Array]:
    """Nodes and weights of tanh-sinh integration on [-1, 1], good for peaks at the ends (Takahasi and Mori 1974)."""
    at = np.arange(-34, 35) * 0.09
    inner = 0.5 * np.pi * np.sinh(at)
    return np.tanh(inner), 0.09 * 0.5 * np.pi * np.cosh(at) / np.cosh(inner) ** 2


def fast_line(
    pairs: Pairs, layer: SurfaceLayer, *, wind_dir_deg: float, constants: RlineConstants = RLINE_V12
) -> Array:  # fmt: skip
    """Concentration per unit of line emission by the fast form, which the source-receptor matrices hold.

    Parameters, return value and errors as of `full_line`. A receptor nearer than 1 m to the link's line counts as 1 m
    from it (exactly on it: on the downwind side).
    """
    _need_width(layer)
    *_, z, height, start = pairs.arrays()
    first, second = pairs.along_wind(wind_dir_deg)
    kinds, which = np.unique(np.stack([height, start], axis=1), axis=0, return_inverse=True)
    tables = plume_tables(layer, height_m=kinds[:, 0], sigma_z0_m=kinds[:, 1], constants=constants)
    parts = links_one_by_one(first, second, z, height, which.ravel(), tables, TABLE_PER_LOG, *quadrature())
    total: Array = parts.sum(axis=1)
    return total


def plume_tables(
    layer: SurfaceLayer, *, height_m: Array, sigma_z0_m: Array, constants: RlineConstants = RLINE_V12
) -> Array:  # fmt: skip
    """Tables that the kernels read: sigma_y, 1 / (sqrt(2 pi) Ue sigma_z), f, sigma_z, over ln(distance).

    Parameters
    ----------
    layer : SurfaceLayer
    height_m, sigma_z0_m : ndarray, shape (T,)
        Release height and initial spread of each kind of source, m.
    constants : RlineConstants

    Returns
    -------
    ndarray, shape (T, n, 4)
        At exp(i / TABLE_PER_LOG) m, i = 0, 1, ...
    """
    x = np.exp(np.arange(int(np.log(TABLE_END_M) * TABLE_PER_LOG) + 2) / TABLE_PER_LOG)
    at = plume(x[None, :], layer, height_m=height_m[:, None], sigma_z0_m=sigma_z0_m[:, None], constants=constants)
    scale = 1.0 / (np.sqrt(2.0 * np.pi) * at.wind_mps * at.sigma_z_m)
    return np.stack([at.sigma_y_m, scale, at.meander, at.sigma_z_m], axis=-1)


def quadrature() -> tuple[Array, Array, NDArray[np.int64]]:
    """Gauss-Legendre nodes and weights (3, 10) on [-1, 1] for narrow, middling and whole plumes, and their numbers."""
    orders = np.array([4, 6, 10])
    nodes, weights = np.zeros((2, 3, orders.max()))
    for i, order in enumerate(orders):
        nodes[i, :order], weights[i, :order] = np.polynomial.legendre.leggauss(int(order))
    return nodes, weights, orders


def _layer(layer: SurfaceLayer) -> Array:
    return np.array(astuple(layer), dtype=float)


def _need_width(layer: SurfaceLayer) -> None:
    if not layer.sigma_v_mps > 0.0:
        raise AirError("sigma_v_mps=0: the plume would have no width; give the crosswind turbulence, e.g. 1.9 u*")
