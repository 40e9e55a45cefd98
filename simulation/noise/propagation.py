"""How sound gets from streets to receptors: divergence, air, hard ground, rows of houses, and nothing else.

The transfer of a link to a receptor is the sound energy at the receptor for 1 W a metre along the whole link, in each
octave: `sum over segments of integral g a(r) b(r) / (4 pi r^2) ds`. Divergence is that of a line of point sources; g is
the ground's mirror image, 3 dB (hard ground everywhere: too loud over parks); a is absorption by air (ISO 9613-1); b is
what houses beyond the receptor's own street take, by their density (`houses_db`); of its own street a receptor hears
the other side's reflection. Diffraction over single roofs, wind and temperature gradients are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from simulation.noise.cnossos import N_OCTAVES
from simulation.noise.errors import NoiseError
from simulation.noise.propagation_kernels import count_pairs, fill_pairs

#: Sources lie this high above the road, m (Directive (EU) 2015/996, 2.2.1).
SOURCE_HEIGHT_M = 0.05
#: Gain of hard ground, dB: the directive's A_ground = -3 for G = 0 in homogeneous air (2.5.6).
GROUND_GAIN_DB = 3.0
#: A receptor is never taken to be nearer to a line of vehicles than this, m; assumption: half a lane and a footway.
MIN_DISTANCE_M = 3.0
#: Of its own street with buildings on both sides a receptor hears this much more, dB; assumption, after the correction
#: for an opposite facade in Calculation of Road Traffic Noise (1988).
STREET_REFLECTION_DB = 1.5
#: Free way before the first row of houses, m; assumption: from the middle of one street across it.
OPEN_M = 20.0
#: What a metre of way through houses of density 1 takes, and the most that houses take, dB: after ISO 9613-2:1996,
#: annex A.3, which could not be checked against its text: assumptions, as is the first row's -10 lg(1 - p).
HOUSES_DB_PER_M, HOUSES_MOST_DB = 0.1, 10.0


class Segments(Protocol):
    """Straight pieces of street; `LineSources` of the dispersion model is one."""

    @property
    def x0_m(self) -> np.ndarray: ...
    @property
    def y0_m(self) -> np.ndarray: ...
    @property
    def x1_m(self) -> np.ndarray: ...
    @property
    def y1_m(self) -> np.ndarray: ...
    @property
    def link(self) -> np.ndarray: ...


def air_absorption(*, temperature_c: float = 10.0, humidity_percent: float = 70.0) -> np.ndarray:
    """Absorption of pure tones at the exact octave midbands at one atmosphere.

    Parameters
    ----------
    temperature_c : float
        -20..50 deg C.
    humidity_percent : float
        Relative, 10..100 %.

    Returns
    -------
    ndarray, shape (8,)
        dB/m.

    Raises
    ------
    NoiseError
        Outside the ranges of the standard's tables.

    References
    ----------
    ISO 9613-1:1993, equations 3 to 5.
    """
    if not (-20.0 <= temperature_c <= 50.0 and 10.0 <= humidity_percent <= 100.0):
        raise NoiseError(
            f"air of {temperature_c:g} deg C and {humidity_percent:g} % is outside of -20..50 deg C and 10..100 %"
        )
    f = 1000.0 * 10.0 ** (0.3 * np.arange(-4, 4))
    t = temperature_c + 273.15
    ratio = t / 293.15
    h = humidity_percent * 10.0 ** (-6.8346 * (273.16 / t) ** 1.261 + 4.6151)
    oxygen = 24.0 + 4.04e4 * h * (0.02 + h) / (0.391 + h)
    nitrogen = ratio**-0.5 * (9.0 + 280.0 * h * np.exp(-4.170 * (ratio ** (-1.0 / 3.0) - 1.0)))
    vibration = 0.01275 * np.exp(-2239.1 / t) / (oxygen + f**2 / oxygen)
    vibration = vibration + 0.1068 * np.exp(-3352.0 / t) / (nitrogen + f**2 / nitrogen)
    return 8.686 * f**2 * (1.84e-11 * np.sqrt(ratio) + ratio**-2.5 * vibration)


def houses_db(
    distance_m: np.ndarray | float, density: np.ndarray | float, frontage: np.ndarray | float = 0.0
) -> np.ndarray:
    """What houses on the way take: `min(0.1 B (r - 20 m) - 10 lg(1 - p), 10)` beyond 20 m, dB.

    Parameters
    ----------
    distance_m : ndarray or float
        Length r of the way.
    density : ndarray or float
        B, share of the ground covered by buildings around the receptor, 0..1; 0.3 takes 10 dB from 353 m on.
    frontage : ndarray or float
        p, share of the streets' length along which houses stand, 0..1: how closed the first row is.
    """
    through = np.asarray(distance_m, dtype=float) - OPEN_M
    taken = _row_db(np.asarray(frontage, dtype=float)) + HOUSES_DB_PER_M * np.asarray(density) * through
    return np.where(through > 0, np.minimum(taken, HOUSES_MOST_DB), 0.0)


def _row_db(frontage: np.ndarray) -> np.ndarray:
    return -10.0 * np.log10(np.maximum(1.0 - frontage, 10.0 ** (-HOUSES_MOST_DB / 10.0)))


@dataclass(frozen=True, slots=True)
class Transfer:
    """Sparse transfer of links to receptors.

    `matrix` : (n_receptors, n_links * 8) float32 CSR, 1/m2 times m, columns link by link, octaves within.
    """

    matrix: sparse.csr_array
    n_links: int

    @property
    def nbytes(self) -> int:
        """Memory of the matrix, bytes."""
        return int(self.matrix.data.nbytes + self.matrix.indices.nbytes + self.matrix.indptr.nbytes)

    @property
    def n_pairs(self) -> int:
        """Pairs of a receptor and a link within the cut-off."""
        return int(self.matrix.nnz // N_OCTAVES)


def transfer(
    segments: Segments,
    n_links: int,
    receptors: np.ndarray,
    *,
    cutoff_m: float = 500.0,
    temperature_c: float = 10.0,
    humidity_percent: float = 70.0,
    building_density: np.ndarray | float = 0.0,
    frontage_share: np.ndarray | float = 0.0,
    segment_street: np.ndarray | None = None,
    receptor_street: np.ndarray | None = None,
) -> Transfer:
    """Transfer of every link to every receptor within the cut-off.

    Cost grows with receptors times segments for the search (some ns each) and with the pairs within the cut-off.

    Parameters
    ----------
    segments : Segments
        Straight pieces, m; `link` says whose.
    n_links : int
    receptors : ndarray, shape (n_receptors, 3)
        x, y and height above ground, m. 4 m is the height of strategic noise maps (Directive 2002/49/EC, annex I).
    cutoff_m : float
        What lies beyond of a segment is left out. A straight road at distance d loses the share
        `2/pi arcsin(d / cutoff)` of its energy: 0.06 dB at 10 m and 0.6 dB at 100 m of 500 m. In a grid of equally
        busy streets 100 m apart, 8 km wide, 500 m reads 0.6 dB (10 m off a street) to 0.9 dB (between streets) too
        low in a free field, 0.1 to 0.2 dB with building densities of 0.2 to 0.35.
    temperature_c, humidity_percent : float
        Of the air between; the default is the mean year of north-western Europe (assumption).
    building_density : ndarray, shape (n_receptors,), or float
        Ground covered by buildings around each receptor, 0..1; 0 for a free field.
    frontage_share : ndarray, shape (n_receptors,), or float
        Share of the streets around each receptor that is lined by houses, 0..1.
    segment_street, receptor_street : ndarray of int, shapes (n_segments,) and (n_receptors,)
        Street with buildings on both sides that each is in, -1 for none. In the same street there is a reflection and
        no house between.

    Returns
    -------
    Transfer

    Raises
    ------
    NoiseError
        If shapes do not fit, a coordinate is not finite, a receptor is below ground, a link is unknown, the cut-off is
        too short or a density is not a share: all faults are named at once.
    """
    x0, y0, x1, y1 = (np.asarray(getattr(segments, n), dtype=float) for n in ("x0_m", "y0_m", "x1_m", "y1_m"))
    link = np.asarray(segments.link, dtype=np.int64)
    at = np.asarray(receptors, dtype=float)
    n = at.shape[0]
    shares = [np.asarray(x, dtype=float) for x in (building_density, frontage_share)]
    density, front = (np.full(n, float(x)) if x.ndim == 0 else np.ascontiguousarray(x) for x in shares)
    s_street = np.full(link.size, -1) if segment_street is None else np.asarray(segment_street)
    r_street = np.full(n, -1) if receptor_street is None else np.asarray(receptor_street)
    _check(np.stack([x0, y0, x1, y1]), link, n_links, at, cutoff_m, (density, front), s_street, r_street)
    street = (s_street.astype(np.int64), r_street.astype(np.int64))
    lines = np.ascontiguousarray(np.stack([x0, y0, x1, y1], axis=1))
    at = np.ascontiguousarray(at)
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(count_pairs(lines, link, n_links, at, SOURCE_HEIGHT_M, MIN_DISTANCE_M, cutoff_m), out=start[1:])
    nepers = np.log(10.0) / 10.0
    columns, values = fill_pairs(
        lines, link, n_links, at, start, SOURCE_HEIGHT_M, MIN_DISTANCE_M, cutoff_m,
        nepers * air_absorption(temperature_c=temperature_c, humidity_percent=humidity_percent),
        nepers * HOUSES_DB_PER_M * density, nepers * HOUSES_MOST_DB, OPEN_M, nepers * _row_db(front), street[0],
        street[1], 10.0 ** (GROUND_GAIN_DB / 10.0), 10.0 ** (STREET_REFLECTION_DB / 10.0),
    )  # fmt: skip
    wide = (columns[:, None] * N_OCTAVES + np.arange(N_OCTAVES)).ravel()
    pointer = start * N_OCTAVES
    small = np.int32 if max(pointer[-1], n_links * N_OCTAVES) < np.iinfo(np.int32).max else np.int64
    matrix = sparse.csr_array(
        (values.ravel(), wide.astype(small), pointer.astype(small)), shape=(n, n_links * N_OCTAVES)
    )
    return Transfer(matrix=matrix, n_links=n_links)


def _check(
    lines: np.ndarray, link: np.ndarray, n_links: int, at: np.ndarray, cutoff_m: float, shares: tuple[np.ndarray, ...],
    s_street: np.ndarray, r_street: np.ndarray,
) -> None:  # fmt: skip
    wrong = []
    if at.ndim != 2 or at.shape[1] != 3:
        raise NoiseError(f"receptors need the shape (n, 3): x, y, height in m; found {at.shape}")
    if not np.isfinite(lines).all():
        wrong.append(f"{int((~np.isfinite(lines)).any(axis=0).sum())} segments have coordinates that are not finite")
    if link.size and (link.min() < 0 or link.max() >= n_links):
        wrong.append(f"links of segments run {link.min()}..{link.max()}, allowed are 0..{n_links - 1}")
    if not np.isfinite(at).all():
        wrong.append(f"{int((~np.isfinite(at)).any(axis=1).sum())} receptors have coordinates that are not finite")
    elif (at[:, 2] < 0).any():
        wrong.append(f"{int((at[:, 2] < 0).sum())} receptors are below ground (lowest {at[:, 2].min():g} m)")
    if not cutoff_m > MIN_DISTANCE_M:
        wrong.append(f"cut-off is {cutoff_m} m, must be above {MIN_DISTANCE_M:g} m")
    for name, share in zip(("building_density", "frontage_share"), shares):
        if share.shape != (at.shape[0],) or not ((share >= 0) & (share <= 1)).all():
            wrong.append(f"{name} must be one share of 0..1 a receptor")
    if s_street.shape != link.shape or r_street.shape != (at.shape[0],):
        wrong.append("streets need one number a segment and one a receptor")
    if wrong:
        raise NoiseError(f"no sound transfer: {'; '.join(wrong)}")
