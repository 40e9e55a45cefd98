"""Dispersion: what a street's emission becomes on its way to a receptor.

Read `wind_profile` (wind over height), `gaussian` and `briggs` (the textbook kernels, which the tests lean on), `rline`
(the similarity plume of R-LINE: its full numerical form and the closed oblique-line form), `line_sources` (a road
network as straight segments) and `source_receptor` (sparse matrices of the closed form: an hour of a city costs one
product). Files named `*_kernels` hold the compiled loops.
"""

from simulation.air.dispersion.line_sources import LineSources
from simulation.air.dispersion.rline import Pairs, fast_line, full_line
from simulation.air.dispersion.source_receptor import SourceReceptor
from simulation.air.dispersion.wind_profile import SurfaceLayer, u_star_from, wind_speed

__all__ = [
    "LineSources", "Pairs", "SourceReceptor", "SurfaceLayer", "fast_line", "full_line", "u_star_from", "wind_speed",
]  # fmt: skip
