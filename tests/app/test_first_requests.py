"""The first requests of a process, all at once, as a browser asks for a page's scripts while another page is made."""

from __future__ import annotations

import re
import threading
import time

from dash import Dash

from app.server import create_app


def scripts(app) -> list[str]:
    """Addresses of the scripts of components that a page asks for."""
    page = app.server.test_client().get("/").get_data(as_text=True)
    return re.findall(r'src="(/_dash-component-suites/[^"]+)"', page)


def test_scripts_asked_for_while_the_first_page_is_made_are_served(workspace, monkeypatch):
    """Making it takes half a second here; what is asked for after a tenth waits, and is there."""
    wanted = scripts(create_app(workspace))
    assert len(wanted) > 3
    whole = Dash._generate_scripts_html

    def slow(self):
        time.sleep(0.5)
        return whole(self)

    app = create_app(workspace)
    monkeypatch.setattr(Dash, "_generate_scripts_html", slow)
    client = app.server.test_client
    first = threading.Thread(target=lambda: client().get("/"))
    first.start()
    time.sleep(0.1)
    found: dict[str, int] = {}

    def ask(address: str) -> None:
        found[address] = client().get(address).status_code

    asking = [threading.Thread(target=ask, args=(address,)) for address in wanted]
    for thread in asking:
        thread.start()
    for thread in [first, *asking]:
        thread.join()
    assert found == dict.fromkeys(wanted, 200)


def test_a_first_page_that_fails_does_not_spoil_the_next(workspace, monkeypatch):
    """The layout breaks once; the next request sets the process up."""
    wanted = scripts(create_app(workspace))
    app = create_app(workspace)
    app.server.config["PROPAGATE_EXCEPTIONS"] = False
    whole = app._layout_value
    broken = [True]

    def layout():
        if broken and broken.pop():
            raise OSError("the disk is away")
        return whole()

    monkeypatch.setattr(app, "_layout_value", layout)
    assert app.server.test_client().get(wanted[0]).status_code == 500
    assert app.server.test_client().get(wanted[0]).status_code == 200
