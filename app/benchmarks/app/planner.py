"""A simulated planner: asks for pages and calls callbacks over HTTP with what a browser would send, and draws nothing.

It keeps the components of the page that is open, as the browser does: what a callback gives changes them, and a change
calls the callbacks that listen. Those that run in the browser alone are left out.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from app.serving.controls import named_parts

#: What a browser knows without the server.
_BROWSER: dict[str, dict[str, Any]] = {"theme": {"data": "light"}, "theme-choice": {"data": None}}
_MOST_CALLS = 40  # of one action: a page that calls itself without end is a fault


class Planner:
    """One open browser window.

    Parameters
    ----------
    address : str
        Of the app, e.g. `http://127.0.0.1:8050`.
    told : callable
        `told(kind, seconds, fault)` for every request; `kind` is page, data or callback, `fault` empty where it went.
    """

    def __init__(self, address: str, told: Callable[[str, float, str], None]) -> None:
        self.host = urlsplit(address).netloc
        self.told = told
        self.parts: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []
        self._line: http.client.HTTPConnection | None = None
        self._tags: dict[str, str] = {}

    # ------------------------------------------------------------------ what a planner does

    def open(self, path: str) -> None:
        """Open a page: the document, its layout, what listens to what, the page itself, and what it calls at first."""
        began = time.perf_counter()
        body, fault = self._ask("GET", path)
        layout, other = self._ask("GET", "/_dash-layout")
        needs, third = self._ask("GET", "/_dash-dependencies")
        fault = fault or other or third
        if fault or not body:
            self.told("page", time.perf_counter() - began, fault or "empty page")
            return
        self.calls = [call for call in json.loads(needs) if not call.get("clientside_function")]
        self.parts = {name: dict(props) for name, props in _BROWSER.items()}
        self._learn(json.loads(layout))
        self.parts["url"] |= {"pathname": path.partition("?")[0], "search": "", "href": path}
        page = next(call for call in self.calls if call["output"] == "page.children")
        fault = self._call(page, ["url.pathname"], quiet=True)
        self.told("page", time.perf_counter() - began, fault)
        for props in list(self.parts.values()):
            for name in ("geoUrl", "dayUrl", "linksUrl"):
                if props.get(name):
                    self._fetch(str(props[name]))
            if "geoUrl" in props:
                props["painted"] = True
        first = [call for call in self.calls if call is not page and call.get("prevent_initial_call") is not True]
        for call in first:
            if self._stands(call):
                self._call(call, [])
        for name, props in list(self.parts.items()):
            if props.get("painted"):
                self._spread([f"{name}.painted"])

    def change(self, ident: str, prop: str, value: Any) -> bool:
        """Set a property as a click or a key would, and let what listens be called; False where it is not there."""
        if ident not in self.parts:
            return False
        self.parts[ident][prop] = value
        self._spread([f"{ident}.{prop}"])
        return True

    def click(self, ident: str) -> bool:
        """Press a button."""
        return self.change(ident, "n_clicks", int(self.parts.get(ident, {}).get("n_clicks") or 0) + 1)

    def options(self, ident: str) -> list[Any]:
        """Values that a choice offers."""
        data = self.parts.get(ident, {}).get("data") or []
        return [
            one["value"] if isinstance(one, dict) else one
            for one in data
            if not isinstance(one, dict) or "value" in one
        ]

    # ------------------------------------------------------------------ what its browser does

    def _spread(self, changed: list[str]) -> None:
        done: set[str] = set()
        while changed and len(done) < _MOST_CALLS:
            waiting, changed = changed, []
            for call in self.calls:
                hit = [name for name in waiting if name in self._names(call)]
                if hit and call["output"] not in done and self._stands(call):
                    done.add(call["output"])
                    before = {name: json.dumps(props, default=str) for name, props in self.parts.items()}
                    self._call(call, hit)
                    changed += self._moved(before)

    def _moved(self, before: Mapping[str, str]) -> list[str]:
        out = []
        for name, props in self.parts.items():
            text = json.dumps(props, default=str)
            if name in before and before[name] != text:
                was = json.loads(before[name])
                out += [f"{name}.{key}" for key, value in props.items() if was.get(key) != value]
        return out

    def _names(self, call: Mapping[str, Any]) -> list[str]:
        return [f"{one['id']}.{one['property']}" for kind in ("inputs",) for one in call[kind]]

    def _stands(self, call: Mapping[str, Any]) -> bool:
        """Whether everything that the call reads is on the page."""
        needs = [one["id"] for kind in ("inputs", "state") for one in call[kind]]
        return all("ALL" in name or name in self.parts for name in needs)

    def _call(self, call: Mapping[str, Any], changed: list[str], *, quiet: bool = False) -> str:
        body = {
            "output": call["output"],
            "outputs": _outputs(call["output"]),
            "inputs": [self._value(one) for one in call["inputs"]],
            "changedPropIds": changed,
            "parsedChangedPropsIds": changed,
        }
        if call["state"]:
            body["state"] = [self._value(one) for one in call["state"]]
        began = time.perf_counter()
        answer, fault = self._ask("POST", "/_dash-update-component", json.dumps(body))
        if not quiet:
            self.told("callback", time.perf_counter() - began, fault and f"{call['output'][:80]}: {fault}")
        if fault or not answer:
            return fault
        for name, props in json.loads(answer).get("response", {}).items():
            for key, value in props.items():
                self.parts.setdefault(name, {})[key] = value
                self._learn(value)
        return ""

    def _value(self, one: Mapping[str, Any]) -> Any:
        ident, prop = one["id"], one["property"]
        if not ident.startswith("{"):
            return {"id": ident, "property": prop, "value": self.parts.get(ident, {}).get(prop)}
        wanted = json.loads(ident)
        if not any(value == ["ALL"] for value in wanted.values()):
            return {"id": wanted, "property": prop, "value": self.parts.get(ident, {}).get(prop)}
        found = []
        for name, props in self.parts.items():
            told = json.loads(name) if name.startswith("{") else {}
            if told.keys() == wanted.keys():
                found.append({"id": told, "property": prop, "value": props.get(prop)})
        return found

    def _learn(self, tree: Any) -> None:
        """Take up the components of a tree."""
        for part in named_parts(tree):
            ident = part["props"]["id"]
            name = json.dumps(ident, sort_keys=True, separators=(",", ":")) if isinstance(ident, dict) else ident
            self.parts[str(name)] = {key: value for key, value in part["props"].items() if key != "children"}

    def _fetch(self, path: str) -> None:
        began = time.perf_counter()
        if path not in self._tags:  # a browser keeps what says that it never changes
            _, fault = self._ask("GET", path)
            self._tags[path] = path
            self.told("data", time.perf_counter() - began, fault)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[bytes, str]:
        headers = {"Accept-Encoding": "identity", "Accept": "text/html,application/json", "Host": self.host}
        if body is not None:
            headers |= {
                "Content-Type": "application/json", "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin",
            }  # fmt: skip
        for again in (True, False):
            if self._line is None:
                self._line = http.client.HTTPConnection(self.host, timeout=30)
            try:
                self._line.request(method, path, body=body, headers=headers)
                answer = self._line.getresponse()
                read = answer.read()
                return read, "" if answer.status < 400 else f"status {answer.status} {read[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                self._line.close()
                self._line = None
                if not again or isinstance(error, TimeoutError):
                    return b"", f"{type(error).__name__}: {error}"
        return b"", "not reached"


def _outputs(output: str) -> Any:
    """The outputs as the browser names them."""
    several = output.startswith("..")
    names = output[2:-2].split("...") if several else [output]
    told = []
    for name in names:
        ident, _, prop = name.rpartition(".")
        told.append({"id": json.loads(ident) if ident.startswith("{") else ident, "property": prop})
    return told if several else told[0]
