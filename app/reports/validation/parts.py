"""What the validation report is made of: for each part, the benchmarks that measure it, in full and quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_INTERVAL = "90 % interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One part.

    Attributes
    ----------
    name, title, about : str
        For scripts; for people; what is held against what.
    full, quick : tuple of tuple of str
        Benchmarks: case and arguments. An empty `quick` leaves the part out of a quick report, for `slow`'s reason.
    keeps : callable
        Which figures of these benchmarks belong here, by name.
    slow : str
    """

    name: str
    title: str
    about: str
    full: tuple[tuple[str, ...], ...]
    quick: tuple[tuple[str, ...], ...] = ()
    keeps: Callable[[str], bool] = lambda name: True
    slow: str = ""


_MODELS_QUICK = (("models", "--only", "accuracy", "--data", "pm25", "--effort", "quick"),)
_MODELS_FULL = (("models", "--only", "accuracy", "peers"),)

PARTS = (
    Measured(
        name="closed_forms",
        title="Traffic against closed forms",
        about="Five small networks whose answer follows from kinematic-wave theory: free flow, a bottleneck, the queue"
        " before it, the speed of the queue's tail, a merge. The tests hold many more; these are told in a line each.",
        full=(("closed_forms",),),
        quick=(("closed_forms",),),
    ),
    Measured(
        name="peers",
        title="Traffic beside UXsim and SUMO",
        about="The same network and trips in each engine. UXsim renews routes by the same rule; SUMO drives fixed"
        " routes. Where results differ, the page on peers says why.",
        full=(("traffic", "--peers", "siouxfalls_dyn", "chicago_10th"),),
        quick=(("traffic", "--peers", "siouxfalls_dyn", "--runs", "1"),),
    ),
    Measured(
        name="equilibrium",
        title="User equilibrium",
        about="Static: the published flows of Sioux Falls, Anaheim and Chicago Sketch, and Braess's network by hand."
        " Dynamic: the share of travel time by which the best route is missed.",
        full=(("traffic", "static", "equilibrium"),),
        quick=(("traffic", "static"),),
    ),
    Measured(
        name="idaho",
        title="Air against a tracer experiment",
        about="Idaho Falls 2008: SF6 from a line source in open ground. Both forms of the line-source model against 217"
        " values of R-LINE 1.2 and 212 measurements; statistics of Chang and Hanna (2004).",
        full=(("air", "idaho"),),
        quick=(("air", "idaho"),),
    ),
    Measured(
        name="forecasts",
        title="Forecasts of real readings",
        about="Panels of real sensors, split by time before any model is seen; families and weights are chosen inside"
        " the training part. The error is that of the automatic choice as it serves, following its late errors, and as"
        " it was learned, beside the best micromodel and macromodel.",
        full=_MODELS_FULL,
        quick=_MODELS_QUICK,
        keeps=lambda name: _INTERVAL not in name,
    ),
    Measured(
        name="forecast_intervals",
        title="Coverage of forecast intervals",
        about="Share of real readings of the test part that lie within the 90 % intervals, over all zones and in the"
        " zone at the 5th percentile.",
        full=_MODELS_FULL,
        quick=_MODELS_QUICK,
        keeps=lambda name: _INTERVAL in name,
    ),
    Measured(
        name="study_intervals",
        title="Coverage of the effects of plans",
        about="300 studies of five pairs of runs each: how often their 90 % interval holds the effect that 1,000 other"
        " pairs tell.",
        full=(("scenarios", "--only", "coverage"),),
        slow="it runs 5,000 hours of a town, some 25 minutes; leave --quick out",
    ),
)
