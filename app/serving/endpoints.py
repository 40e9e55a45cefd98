"""What programs read: zones, runs, forecasts and effects as JSON, in pages, with the app's own roles.

`/api/v1/openapi.json` says all of it (OpenAPI 3.1). Below `/w/<name>/` stand those of another workspace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from flask import Flask, Response, request

from app.live_views import forecasts_now
from app.queries import NotReadyError, Queries
from app.serving.openapi import FILTERS, MOST_ROWS, PAGE_ROWS, description
from data.errors import InputError, RunNotFoundError, ZonewiseError

_ROOT = "/api/v1"
_RUN_FIELDS = ("id", "kind", "created", "seconds", "seed", "parents", "tables")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: filters by name, and which page."""

    filters: Mapping[str, str]
    limit: int
    offset: int


def register(server: Flask, queries: Queries) -> None:
    """Add the endpoints to an app's server."""

    def add(name: str, rows: Callable[[Queries, Asked], tuple[pd.DataFrame, dict[str, Any]]]) -> None:
        def answer() -> Response:
            try:
                asked = asked_of(name, request.args)
                table, about = rows(queries, asked)
            except (RunNotFoundError, NotReadyError):
                return _json({"error": f"{_ROOT}/{name} has nothing of that name, or nothing yet"}, 404)
            except InputError as error:
                return _json({"error": str(error)}, 400)
            except ZonewiseError:
                return _json({"error": "what is stored cannot be read; 'zonewise doctor' says why"}, 503)
            return _json(paged(table, asked, about))

        server.add_url_rule(f"{_ROOT}/{name}", f"v1-{name}", answer, methods=["GET"])

    for name, rows in (("zones", zones), ("runs", runs), ("forecasts", forecasts), ("effects", effects)):
        add(name, rows)

    @server.get(f"{_ROOT}/openapi.json")
    def described() -> Response:
        return _json(description(request.script_root))


def asked_of(name: str, given: Mapping[str, str]) -> Asked:
    """Filters and page of a request.

    Raises
    ------
    InputError
        With every parameter that is unknown or cannot be meant.
    """
    known = FILTERS[name]
    faults = [f"no parameter '{key[:50]}'" for key in given if key not in (*known, "limit", "offset")]
    numbers = {"limit": PAGE_ROWS, "offset": 0}
    for key, (least, most) in {"limit": (1, MOST_ROWS), "offset": (0, 10**9)}.items():
        text = given.get(key)
        if text is None:
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
            faults.append(f"{key}={text[:20]!r}: a whole number from {least} to {most}")
        else:
            numbers[key] = int(text)
    filters = {key: given[key] for key in known if key in given}
    faults += [f"{key}: at most 100 characters" for key, value in filters.items() if len(value) > 100]
    if faults:
        words = ", ".join((*known, "limit", "offset"))
        raise InputError(f"{'; '.join(faults)}; {_ROOT}/{name} takes {words}")
    return Asked(filters, numbers["limit"], numbers["offset"])


def paged(table: pd.DataFrame, asked: Asked, about: Mapping[str, Any]) -> dict[str, Any]:
    """A page of a table, with how many rows there are and where the next begins."""
    end = asked.offset + asked.limit
    rows = json.loads(table.iloc[asked.offset : end].to_json(orient="records", date_format="iso", double_precision=10))
    return {
        **about,
        "total": len(table),
        "offset": asked.offset,
        "next": end if end < len(table) else None,
        "rows": rows,
    }


def chosen(table: pd.DataFrame, filters: Mapping[str, str], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows whose columns have the values asked for; `columns` gives the column of each filter."""
    for name, value in filters.items():
        column = columns.get(name)
        if column is not None and column in table:
            table = table[table[column].astype(str) == value]
    return table


def zones(queries: Queries, asked: Asked) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Zones: id, name, and the middle of each in degrees."""
    table = queries.zones()
    inside = table.geometry.to_crs(4326).representative_point()
    rows = pd.DataFrame({"zone_id": table["zone_id"].astype(str), "name": table["name"].astype(str)})
    rows["lon"], rows["lat"] = inside.x.round(6).to_numpy(), inside.y.round(6).to_numpy()
    info = queries.info()
    return chosen(rows, asked.filters, {"zone": "zone_id"}), {"city": info.label, "timezone": info.timezone}


def runs(queries: Queries, asked: Asked) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Finished runs, newest first."""
    told = queries.workspace.runs.list()[::-1]
    rows = pd.DataFrame([{name: one.get(name) for name in _RUN_FIELDS} for one in told], columns=list(_RUN_FIELDS))
    return chosen(rows, asked.filters, {"kind": "kind"}), {}


def forecasts(queries: Queries, asked: Asked) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Quantiles of what was forecast at `now`, in stored units (SI), by zone, target, model and horizon."""
    info = queries.info()
    columns = {"zone": "zone_id", "target": "target", "model": "model"}
    table = chosen(forecasts_now(queries), asked.filters, columns)
    order = ["zone_id", "target", "model", "horizon_s", "quantile"]
    about = {"run": info.runs["live"], "forecast_origin": info.now.isoformat(), "timezone": info.timezone}
    return table.sort_values(order)[[*order, "value"]], about


def effects(queries: Queries, asked: Asked) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Effects of a study on the city, zones and groups, with intervals; of the newest study if none is named."""
    store = queries.workspace.runs
    study = asked.filters.get("study") or str(store.latest("study")["id"])
    if store.manifest(study)["kind"] != "study":
        raise RunNotFoundError(f"run '{study}' is no study")
    columns = {"zone": "zone_id", "quantity": "quantity", "scope": "scope"}
    table = chosen(queries.table(study, "effects"), asked.filters, columns)
    return table, {"study": study}


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, separators=(",", ":"), allow_nan=False, default=str)
    answer = Response(body, status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
