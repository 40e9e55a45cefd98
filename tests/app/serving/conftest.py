"""A served copy of the small workspace with three people, and browsers of theirs that send what a page would."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from app.server import create_app
from app.serving.changes import name_of
from app.serving.settings import Settings
from app.serving.users import Users
from data.store.workspace import Workspace

ORIGIN = {"Origin": "http://localhost"}
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def space(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy for a file of tests, which may add jobs to it."""
    root = tmp_path_factory.mktemp("served") / "town"
    shutil.copytree(workspace.root, root)
    return Workspace(root)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a viewer, a planner and an admin; their hashes are cheap ones."""
    path = tmp_path_factory.mktemp("people") / "users.json"
    users = Users(path, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for name, role in (("vera", "viewer"), ("paul", "planner"), ("ada", "admin")):
        users.add(name, role, PASSWORD)
    return path


class Caller:
    """An app, and a client of it that sends what a page sends."""

    def __init__(self, app: Any, name: str = "") -> None:
        self.app, self.client = app, app.server.test_client()
        self.answer = self.sign_in(name) if name else None

    def sign_in(self, name: str, password: str = PASSWORD, after: str = "/") -> Any:
        """Open the page, fill it in, send it."""
        page = self.client.get(f"/sign-in?next={after}").get_data(as_text=True)
        token = re.search(r'name="token" value="([^"]+)"', page)
        form = {"token": token[1] if token else "", "name": name, "password": password, "next": after}
        return self.client.post("/sign-in", data=form, headers=ORIGIN)

    def body(self, name: str, changed: list[str] | None = None, **values: Any) -> dict[str, Any]:
        """What a page sends for the callback of that name; `values` by id, with `__` for `-`."""
        call = next(c for c in self.app._callback_list if not c.get("clientside_function") and name_of(c) == name)
        given = {key.replace("__", "-"): value for key, value in values.items()}

        def entry(one: dict[str, Any]) -> Any:
            if one["id"].startswith("{"):
                key = next(iter(json.loads(one["id"])))
                return [{"id": {key: 0}, "property": one["property"], "value": given.get(key)}]
            return {"id": one["id"], "property": one["property"], "value": given.get(one["id"])}

        states = {"state": [entry(one) for one in call["state"]]} if call["state"] else {}
        names = call["output"].strip(".").split("...")
        outputs = [dict(zip(("id", "property"), part.split("@")[0].rsplit(".", 1))) for part in names]
        return {
            "output": call["output"], "outputs": outputs if call["output"].startswith("..") else outputs[0],
            "inputs": [entry(one) for one in call["inputs"]], "changedPropIds": changed or [], **states,
        }  # fmt: skip

    def call(self, name: str, changed: list[str] | None = None, **values: Any) -> Any:
        """Call a callback directly, whatever the page would show."""
        return self.client.post("/_dash-update-component", json=self.body(name, changed, **values), headers=ORIGIN)


@pytest.fixture(scope="module")
def signed(space: Workspace, people: Path) -> Callable[[str], Caller]:
    """Callers by name over one served copy with sign-in; no name for somebody who has not signed in."""
    app = create_app(space, settings=Settings(users=people))
    return lambda name="": Caller(app, name)


@pytest.fixture(scope="module")
def opened(space: Workspace) -> Caller:
    """A caller where nobody signs in."""
    return Caller(create_app(space))


@pytest.fixture(scope="session")
def served() -> type[Caller]:
    """Makes a caller of an app of the test's own."""
    return Caller
