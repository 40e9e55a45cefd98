"""Every word on the screen, in one catalogue: a translation is another dict with the same keys."""

from __future__ import annotations

from collections.abc import Mapping

EN: dict[str, str] = {
    "product": "Zonewise",
    "nav.map": "Map & forecast", "nav.map.short": "Map",
    "nav.compare": "Micro vs macro", "nav.compare.short": "Micro",
    "nav.scenarios": "Scenarios", "nav.scenarios.short": "Scenarios",
    "nav.models": "Models", "nav.models.short": "Models",
    "nav.label": "Pages", "skip": "Skip to the content",
    "status": "Simulated data to ", "copy": "Copy a link to this view", "theme": "Switch between light and dark",
    "attribution": "© OpenStreetMap contributors", "attribution.toy": "Invented town",
    # map
    "map.title": "Map and forecast of {city}", "map.aria": "City map. Zones are coloured by the layer chosen, streets by"
    " their speed. Press n or p for the next or previous zone; the zone table holds the same values.",
    "layer.label": "Colour zones by", "layer.no2": "NO₂", "layer.pm25": "PM2.5", "layer.speed": "Speed",
    "layer.flow": "Flow", "layer.delay": "Delay", "layer.off": "Off",
    "legend.streets": "Speed, % of free flow", "legend.none": "no sensor", "legend.over": "over 68",
    "legend.mid": "50–68", "legend.slow": "35–50", "legend.jam": "under 35",
    "legend.usual": "Streets after now show the usual speed for the time, not a forecast.",
    "legend.delay": "Delay after now is the usual one, not a forecast.",
    "time.play": "Play the day", "time.pause": "Pause", "time.slider": "Time of day", "time.observed": "observed",
    "time.forecast": "forecast",
    "kpi.label": "The city now", "kpi.speed": "Network speed", "kpi.delay": "Delay", "kpi.no2": "NO₂, mean of stations",
    "kpi.over": "Zones likely over {limit}", "kpi.error": "Forecast error, 1 h ahead",
    "kpi.usual": "against a usual {day}", "kpi.nousual": "no usual day to compare with",
    "kpi.more": "more possible (10–50 %)", "kpi.of": "of {n} with a station", "kpi.lower": "lower than the macromodel's",
    "kpi.higher": "higher than the macromodel's", "kpi.same": "same as the macromodel's",
    "kpi.noerror": "compare the models first", "day.weekday": "weekday", "day.weekend": "weekend day",
    "panel.label": "Chosen zone", "panel.zone": "Zone {zone}", "panel.at": "{name} at {time}: {value} {unit}",
    "panel.none": "No {name} sensor stands in this zone, so nothing is forecast for it. Its neighbours and the map's"
    " other layers may help.",
    "panel.driver": "Largest departure from its usual value: {driver}, {value} {unit}.",
    "panel.chance": "{chance} chance of passing {limit} {unit}", "panel.when": " at its likeliest hour, around {time}.",
    "panel.lower": " The macromodel puts the peak lower, at {value} {unit}.",
    "panel.higher": " The macromodel puts the peak higher, at {value} {unit}.",
    "panel.traffic.flow": "Busiest around {time}: {value} {unit}", "panel.traffic.speed": "Slowest around {time}: {value} {unit}",
    "panel.band": " (90 % interval {low} to {high}).",
    "panel.limit": "The limit is a daily mean; the curve shows 15-minute values, so a passing peak is a warning, not a breach."
    " {limit} ({source}); for comparison: {who} {whovalue} {unit}.",
    "panel.why": "Why this model", "use.micromodel": "Micromodel in use", "use.macromodel": "Macromodel in use",
    "use.mix": "Mix in use", "use.": "No model", "short.micromodel": "Micro", "short.macromodel": "Macro", "short.mix": "Mix",
    "table.title": "All zones", "table.zone": "Zone", "table.now": "Now", "table.peak": "Peak", "table.low": "Lowest",
    "table.band": "90 % band, {low}–{high}", "table.at": "At", "table.chance": "P > {limit}", "table.model": "Model",
    "table.caption": "Zones by chance of passing the limit in the rest of the day. Choose a zone to see its forecast.",
    "table.caption.traffic": "Zones by the rest of the day's extreme. Choose a zone to see its forecast.",
    "fan.observed": "Observed", "fan.median": "{model}", "fan.band": "50, 90 % band", "fan.now": "now", "fan.map": "map",
    # compare
    "compare.title": "Micromodels against one macromodel", "compare.target": "What", "compare.horizon": "How far ahead",
    "compare.better": "Micromodels are better in {n} of {all} zones", "compare.worse": "The macromodel is better in {n} of {all} zones",
    "compare.even": "Neither is ahead: {n} to {n}, {ties} tied",
    "compare.tally": "Micromodel {micro}, macromodel {macro}, tied {ties}.",
    "compare.fair": "Same rows, forecast origins and information. A tie: the paired 90 % interval holds 0, or the"
    " difference is under 1 %.",
    "compare.error.micro": "Error, micromodels", "compare.error.macro": "Error, macromodel", "compare.interval": "90 % interval {low}–{high}",
    "compare.train": "Time to train", "compare.train.zone": "s per zone", "compare.train.city": "macromodel: {s} s for the city",
    "compare.coverage": "Coverage of 90 % band", "compare.coverage.macro": "macromodel: {p} %",
    "compare.where": "Where each model wins", "compare.where.sub": "Difference in error per zone, {ahead} ahead",
    "compare.zones": "Zone by zone", "compare.zones.sub": "Sorted by gain; the line joins the two models; hollow: a tie",
    "compare.lines": "Error as the horizon grows", "compare.lines.sub": "All zones together, test days; bars: 90 % interval",
    "compare.costs": "What each costs", "compare.notes": "When to use which",
    "compare.csv": "Download CSV", "compare.legend": "Error of micro against macro", "compare.legend.low": "macro better",
    "compare.legend.mid": "tie", "compare.legend.high": "micro better",
    "model.micromodel": "Micromodel", "model.macromodel": "Macromodel", "model.mix": "Mix",
    "model.seasonal_naive": "Same time last week", "model.last_value": "Last value", "model.historical_average": "Usual value",
    "model.ridge": "Ridge", "model.tree": "Decision tree", "model.xgboost": "XGBoost",
    # scenarios
    "scenario.title": "Planning scenarios", "scenario.tools": "How to draw", "scenario.click": "Click", "scenario.polygon": "Polygon",
    "scenario.undo": "Undo", "scenario.clear": "Clear", "scenario.shipped": "Start from an example",
    "scenario.own": "My own", "scenario.name": "Name", "scenario.measures": "Measures", "scenario.add": "Add this measure",
    "scenario.empty": "Nothing yet: the city as it is. Click streets on the map, or add a measure below.",
    "scenario.drawn": "{n} links chosen on the map", "scenario.drawn.none": "No link chosen on the map",
    "scenario.kind": "Measure", "scenario.start": "From", "scenario.end": "Until", "scenario.street": "Street",
    "scenario.zones": "Zones", "scenario.hours": "Leave both empty for all day; local time, HH:MM.",
    "scenario.run": "Run", "scenario.run.button": "Run scenario", "scenario.stop": "Stop", "scenario.seeds": "Repetitions",
    "scenario.effects": "Effects against today (90 % interval)", "scenario.sofar": "Effect so far, against today (90 % interval)",
    "scenario.remove": "Remove {what}", "scenario.legend": "Measures in this scenario",
    "scenario.export": "Take it along", "scenario.cli": "The same run from the command line:",
    "scenario.json": "JSON", "scenario.yaml": "YAML", "scenario.show": "Show on the map", "scenario.draft": "Measures",
    "scenario.aria": "Map to draw on. Click streets to close them; with the polygon tool, click corners and press Enter. The"
    " form beside the map does the same by street name.",
    "kind.close_street": "Close streets", "kind.speed_limit": "Speed limit", "kind.lanes": "Lanes",
    "kind.low_emission_zone": "Low-emission zone", "kind.demand": "Demand",
    "amount.speed_limit": "Limit, km/h", "amount.lanes": "Change of lanes, e.g. -1", "amount.demand": "Change of trips, %",
    "amount.low_emission_zone": "Diesel stays out up to Euro", "amount.close_street": "Nothing to set",
    "job.queued": "Waiting to start", "job.running": "Simulating", "job.done": "Done", "job.failed": "Failed",
    "job.cancelled": "Stopped", "job.left": "{done:g} of {total:g}, about {left} left", "job.count": "{done:g} of {total:g}",
    "effect.better": "better", "effect.worse": "worse", "effect.none": "no clear change", "effect.changed": "changed",
    # models
    "models.title": "Models of all zones", "models.target": "What", "models.zone": "Zone", "models.moment": "Moment",
    "models.table": "One micromodel a zone", "models.caption": "Mean absolute error on the test days; lower is better.",
    "models.drivers": "What drives this forecast", "models.drivers.sub": "{zone}, {what} at {time}, forecast at {origin}."
    " Bars start at the model's base and add up to the median forecast. They say what the model used, not what causes it.",
    "models.none": "No stored model explains this zone and target.", "models.rules": "How it decides", "models.limits": "Limits",
    "models.size": "Size and settings",
    # states
    "state.empty": "Nothing to show yet", "state.error": "This could not be shown",
    "state.notrained": "No finished comparison yet. Run 'zonewise compare' (or 'zonewise demo') and reload this page.",
    "state.notrain": "No trained models yet. Run 'zonewise train' (or 'zonewise demo') and reload this page.",
    "state.missing": "There is no page at this address.", "state.home": "Back to the map",
}  # fmt: skip


def t(key: str, catalogue: Mapping[str, str] = EN, **values: object) -> str:
    """Text of a key with its values; `KeyError` for a key that the catalogue lacks, so that no test misses it."""
    text = catalogue[key]
    return text.format(**values) if values else text


def ahead(horizon_s: float) -> str:
    """A horizon in words, e.g. `15 min`, `1 h`, `24 h`."""
    minutes = round(horizon_s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:g} h"


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, with a true minus."""
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return ("+" if value > 0 else "−") + text
