"""The map, the time bar and the small line as Dash components; their JavaScript is in `assets/`, one file each."""

from __future__ import annotations

from typing import Any, ClassVar

from dash.development.base_component import Component

from app.texts import language, spoken


class Plain(Component):
    """A component whose script is already on the page, so that no build step is needed."""

    _children_props: ClassVar[list[str]] = []  # type: ignore[misc]
    _base_nodes: ClassVar[list[str]] = ["children"]  # type: ignore[misc]
    _namespace = "zonewise"
    _names: ClassVar[list[str]] = []

    def __init__(self, id: str | None = None, **props: Any) -> None:
        self._prop_names = ["id", *self._names]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        super().__init__(**({"id": id} if id else {}), **props)


class CityMap(Plain):
    """A city on a canvas.

    `geoUrl`, `dayUrl`, `linksUrl`, `airUrl`: see `app.api`. `layer`, `step`, `theme`, `selectedZone`: what is shown.
    `streets` draws the raster of `airUrl`, fetched only then, where layer and step have one; `hour` tells which it is.
    `mode="edit"` lets links be clicked (`clickedLink`) or, with `drawMode="polygon"`, surrounded (`drawn`); `edits`
    (closed, changed: link ids; zones: zone ids) are then drawn. `painted` turns true when the first
    frame has been shown. `zoneValues`, `linkValues` (by id) with `scale`
    (limit, unit, digits, sign: 1 where more is purple, -1 where less is) show differences instead of a layer.
    """

    _type = "CityMap"
    _names: ClassVar[list[str]] = [
        "geoUrl",
        "dayUrl",
        "linksUrl",
        "airUrl",
        "streets",
        "hour",
        "layer",
        "step",
        "theme",
        "selectedZone",
        "mode",
        "edits",
        "clickedLink",
        "drawMode",
        "drawn",
        "zoneValues",
        "linkValues",
        "scale",
        "ariaLabel",
        "words",
        "painted",
    ]

    def __init__(self, id: str | None = None, **props: Any) -> None:
        super().__init__(id, **{"words": map_words(), **props})


def map_words() -> dict[str, str]:
    """What the map says by itself, and the language that it writes numbers in."""
    told = {key.removeprefix("map.tip."): text for key, text in spoken().items() if key.startswith("map.tip.")}
    return {**told, "failed": spoken()["map.failed"], "language": language()}


class TimeBar(Plain):
    """The day: `steps` of `minutes` from `first` (minutes after midnight); `now`: first unknown; `step`: shown."""

    _type = "TimeBar"
    _names: ClassVar[list[str]] = ["step", "steps", "now", "minutes", "first", "profile", "words"]


class Pulse(Plain):
    """Asks `url` for the newest readings every so many milliseconds, and says so; `seen`: the key that is shown."""

    _type = "Pulse"
    _names: ClassVar[list[str]] = ["url", "every", "seen", "words"]


class Spark(Plain):
    """A day as a small line: `values` by step (None: a gap), solid before `now` (first unknown step), dotted after."""

    _type = "Spark"
    _names: ClassVar[list[str]] = ["values", "now", "label"]
