"""Instant preview: what a scenario would change in every zone, within a tenth of a second, before it is simulated.

Read `sampling` (which scenarios are simulated), `ensemble` (base and scenarios under shared luck), `network_change`
(what a scenario makes of the streets), `redistribution` (where trips would drive then), `features` (what that is for a
zone), `surrogates` (micromodels a zone and macromodels), `intervals` (how sure), `scope` (whether the question lies
within what was seen) and `preview`, which puts them together.
"""

from simulation.preview.ensemble import QUANTITIES, Ensemble, simulate
from simulation.preview.errors import PreviewError
from simulation.preview.preview import Answer, Preview
from simulation.preview.sampling import Design, draw
from simulation.preview.scope import Verdict
from simulation.preview.window import Window

__all__ = [
    "QUANTITIES",
    "Answer",
    "Design",
    "Ensemble",
    "Preview",
    "PreviewError",
    "Verdict",
    "Window",
    "draw",
    "simulate",
]
