"""The endpoints for programs, described as OpenAPI 3.1: what each takes and gives."""

from __future__ import annotations

from typing import Any

PAGE_ROWS, MOST_ROWS = 1000, 10_000
#: Filters of each endpoint, with what they mean.
FILTERS: dict[str, dict[str, str]] = {
    "zones": {"zone": "Id of a zone"},
    "runs": {"kind": "Kind of run, e.g. study, training or comparison"},
    "forecasts": {
        "zone": "Id of a zone",
        "target": "Quantity, e.g. speed_mps, flow_veh_per_h, no2_ug_per_m3 or pm25_ug_per_m3",
        "model": "micromodel, macromodel or a baseline",
    },
    "effects": {
        "study": "Id of a study; the newest if left out",
        "scope": "city, zone, inside, outside, class, group or line",
        "zone": "Id of a zone",
        "quantity": "Quantity, e.g. no2, travel_time_s or co2_kg",
    },
}
_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": ["number", "null"]}, {"type": "integer"}
_TELLS = {
    "zones": "Zones of the city with a point inside each, in degrees (WGS 84).",
    "runs": "Finished runs, newest first.",
    "forecasts": "Quantiles forecast at the present moment, in stored units: m/s, veh/h, µg/m³; horizon in s.",
    "effects": "Effects of a planning study against today: mean over paired runs, with the interval's bounds.",
}
_ROWS: dict[str, dict[str, Any]] = {
    "zones": {"zone_id": _TEXT, "name": _TEXT, "lon": _NUMBER, "lat": _NUMBER},
    "runs": {
        "id": _TEXT, "kind": _TEXT, "created": _TEXT, "seconds": _NUMBER, "seed": {"type": ["integer", "null"]},
        "parents": {"type": ["array", "null"], "items": _TEXT}, "tables": {"type": ["object", "null"]},
    },
    "forecasts": {
        "zone_id": _TEXT, "target": _TEXT, "model": _TEXT, "horizon_s": _NUMBER, "quantile": _NUMBER, "value": _NUMBER,
    },
    "effects": {
        "scenario": _TEXT, "quantity": _TEXT, "scope": _TEXT, "zone_id": _TEXT, "hour": _WHOLE, "base": _NUMBER,
        "scenario_value": _NUMBER, "effect": _NUMBER, "lower": _NUMBER, "upper": _NUMBER, "unit": _TEXT, "n": _WHOLE,
    },
}  # fmt: skip


def description(root: str = "") -> dict[str, Any]:
    """The description; `root` is where the workspace is mounted, empty for the first."""
    error = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zonewise",
            "version": "1",
            "description": "What the app shows, to read. Every role may; sign in by the session cookie, or name and"
            " password in the header Authorization (Basic). Tables come in pages: follow `next` as the next `offset`.",
        },
        "servers": [{"url": f"{root}/api/v1"}],
        "security": [{"session": []}, {"password": []}],
        "paths": {f"/{name}": {"get": _operation(name)} for name in FILTERS},
        "components": {
            "schemas": {"Error": error},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "zonewise"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(name: str) -> dict[str, Any]:
    filters = [
        {"name": key, "in": "query", "description": words, "schema": {**_TEXT, "maxLength": 100}}
        for key, words in FILTERS[name].items()
    ]
    pages = [
        {"name": "limit", "in": "query", "description": "Most rows of the page",
         "schema": {**_WHOLE, "minimum": 1, "maximum": MOST_ROWS, "default": PAGE_ROWS}},
        {"name": "offset", "in": "query", "description": "First row of the page",
         "schema": {**_WHOLE, "minimum": 0, "default": 0}},
    ]  # fmt: skip
    page = {
        "type": "object",
        "required": ["total", "offset", "next", "rows"],
        "properties": {
            "total": _WHOLE, "offset": _WHOLE, "next": {"type": ["integer", "null"]},
            "rows": {"type": "array", "items": {"type": "object", "properties": _ROWS[name]}},
        },
    }  # fmt: skip
    failed = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    words = {"400": "A parameter is unknown or out of range", "401": "Not signed in", "404": "Nothing of that name"}
    return {
        "operationId": name,
        "summary": _TELLS[name],
        "parameters": [*filters, *pages],
        "responses": {
            "200": {"description": "A page of rows", "content": {"application/json": {"schema": page}}},
            **{code: {"description": said, **failed} for code, said in words.items()},
        },
    }
