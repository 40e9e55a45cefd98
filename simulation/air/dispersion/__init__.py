"""Dispersion: what a street's emission becomes on its way to a receptor.

Read `wind_profile` (wind over height), `gaussian` and `briggs` (the textbook kernels, which the tests lean on), `rline`
(the similarity plume of R-LINE: its full numerical form and the closed oblique-line form), `line_sources` (a road
network as straight segments) and `source_receptor` (sparse matrices of the closed form: an hour of a city costs one
product). Files named `*_kernels` hold the compiled loops.
"""

from simulation.air.dispersion.wind_profile import SurfaceLayer, u_star_from, wind_speed

__all__ = ["SurfaceLayer", "u_star_from", "wind_speed"]
