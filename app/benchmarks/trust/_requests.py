"""Requests of the fuzz: every callback with forged values, every address with forged queries, damaged bodies."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from app.benchmarks.trust._mutations import damaged, forged, odd
from data.store.workspace import Workspace

Try = Callable[[np.random.Generator], None]
#: What pages send where a component holds more than a field; such values get whole, with a part forged, or odd.
_WHOLE: dict[tuple[str, str], list[Any]] = {
    ("scenario-draft", "data"): [
        {"name": "a", "label": "A", "measures": []},
        {"name": "b", "label": "B", "measures": [{"measure": "close_street", "links": [3], "start": "06:00"}]},
        {"name": "c", "label": "C", "drawn": {"links": [1, 2], "line": [[24.94, 60.17], [24.95, 60.18]]}, "measures": [
            {"measure": "zone_30", "zones": ["Z01"]}, {"measure": "speed_limit", "links": [2], "limit_kmh": 30}]},
    ],
    ("scenario-edit", "data"): [None, 0, 1],
    ("create-plan", "data"): [{"step": "3", "zone": "Z01", "target": "speed_mps", "horizon": "3600", "days": "7",
                               "families": "ridge", "job": ""}],
    ("models-asked", "data"): [{"zone": "Z01", "target": "speed_mps", "action": "promote", "version": "1"}],
    ("start-job", "data"): [{"space": "town", "job": "0"}],
    ("map-city", "selectedZone"): ["Z01", "Z02"],
    ("map-layer", "value"): ["speed_mps", "no2_ug_per_m3", "off"],
    ("scenario-map", "clickedLink"): [{"link": 3, "name": "x", "n": 1}],
    ("scenario-map", "drawn"): [{"kind": "line", "ring": [[24.94, 60.17], [24.95, 60.18]], "links": []},
                                {"kind": "polygon", "ring": [[24.94, 60.17]], "links": [1, 2]}],
}  # fmt: skip


def requests(space: Workspace, work: Path) -> list[tuple[str, Try]]:
    """Forged callbacks and addresses, and damaged bodies, by name; a fault is an AssertionError."""
    from app.server import create_app

    app = create_app(space)
    client = app.server.test_client()
    callbacks = client.get("/_dash-dependencies").get_json()
    addresses = sorted({rule.rule for rule in app.server.url_map.iter_rules() if "GET" in (rule.methods or ())})
    pages = ["/", "/micro-macro", "/scenarios", "/models", "/monitor", "/start", "/w/town/", "/assets/../../etc/passwd"]

    def answered(response: Any, what: str) -> None:
        body = response.get_data()
        if response.status_code >= 500:
            raise AssertionError(f"{what}: {response.status_code} {body[:120]!r}")
        if b"Traceback (most recent call last)" in body:
            raise AssertionError(f"{what}: a traceback in the answer")

    def callback(rng: np.random.Generator) -> None:
        one = callbacks[int(rng.integers(0, len(callbacks)))]
        payload = {
            "output": one["output"], "outputs": _outputs(one["output"]),
            "inputs": [_given(part, rng) for part in one["inputs"]],
            "state": [_given(part, rng) for part in one["state"]],
        }  # fmt: skip
        names = [f"{_ident(part['id'])}.{part['property']}" for part in one["inputs"]]
        payload["changedPropIds"] = [names[int(rng.integers(0, len(names)))]] if names else []
        if rng.random() < 0.2:
            payload = forged(payload, rng)
        response = client.post("/_dash-update-component", data=json.dumps(payload), content_type="application/json")
        answered(response, f"callback {one['output'][:60]}")

    def address(rng: np.random.Generator) -> None:
        rule = [*addresses, *pages][int(rng.integers(0, len(addresses) + len(pages)))]
        path = re.sub(r"<[^>]*>", lambda _: quote(str(odd(rng))[:200], safe=""), rule)
        names = ("zone", "target", "form", "job", "study", "at", "run", "x", "horizon", "family", "space")
        query = "&".join(
            f"{names[int(rng.integers(0, len(names)))]}={quote(str(odd(rng))[:2000], safe='')}"
            for _ in range(int(rng.integers(0, 4)))
        )
        method = ("get", "get", "get", "post", "put", "delete", "options")[int(rng.integers(0, 7))]
        more: dict[str, Any] = {} if method == "get" else {"data": damaged(b'{"a": [1, 2, {"b": null}]}', rng)}
        answered(getattr(client, method)(f"{path}?{query}", **more), f"{method} {rule}")

    def body(rng: np.random.Generator) -> None:
        one = callbacks[int(rng.integers(0, len(callbacks)))]
        whole = json.dumps({"output": one["output"], "inputs": one["inputs"], "state": one["state"]}).encode()
        response = client.post(
            "/_dash-update-component", data=damaged(whole, rng), content_type="application/json",
            headers={"X-Forwarded-For": "1.2.3.4"} if rng.random() < 0.2 else {},
        )  # fmt: skip
        answered(response, "damaged body")

    return [("callback", callback), ("callback", callback), ("address", address), ("body", body)]


def _outputs(output: str) -> Any:
    """The outputs of a callback as a browser sends them."""
    several = output.startswith("..")
    parts = [part.rsplit(".", 1) for part in output.strip(".").split("...")] if several else [output.rsplit(".", 1)]
    told: list[Any] = []
    for ident, prop in parts:
        one = {"id": _keys(ident) if ident.startswith("{") else ident, "property": prop.split("@")[0]}
        told.append([one] if "ALL" in ident else one)
    return told if several else told[0]


def _given(part: dict[str, Any], rng: np.random.Generator) -> Any:
    """An input of a callback: what a page sends in most cases, else what no page does."""
    ident, prop = part["id"], part["property"]
    if (ident, prop) in _WHOLE:
        whole = _WHOLE[ident, prop]
        whole = copy.deepcopy(whole[int(rng.integers(0, len(whole)))])
        value = odd(rng) if rng.random() < 0.2 else forged(whole, rng) if rng.random() < 0.6 else whole
        return {"id": ident, "property": prop, "value": value}
    usual: dict[str, tuple[Any, ...]] = {
        "n_clicks": (None, 0, 1, 2), "n_intervals": (None, 1), "pathname": ("/", "/models", "/monitor"),
        "search": ("", "?zone=Z01", "?target=speed_mps"), "filename": (None, "a.csv"), "hidden": (True, False),
        "contents": (None, "data:text/csv;base64,YSxiCjEsMg=="), "data": (None, {}, [], "x"),
        "value": (None, "speed_mps", "Z01", 1, [], "2"),
    }  # fmt: skip
    choice = usual.get(prop, (None, "", 0))
    value = choice[int(rng.integers(0, len(choice)))] if rng.random() < 0.5 else odd(rng)
    if isinstance(ident, str) and ident.startswith("{"):
        one = {"id": _keys(ident), "property": prop, "value": value}
        return [one] if "ALL" in ident else one
    return {"id": ident, "property": prop, "value": value}


def _ident(ident: str) -> str:
    """An id as the browser names it among what changed."""
    return json.dumps(_keys(ident), separators=(",", ":")) if ident.startswith("{") else ident


def _keys(ident: str) -> dict[str, Any]:
    """An id of several keys, one of those that its pattern means."""
    return {key: "x" if isinstance(wild, list) else wild for key, wild in json.loads(ident).items()}
