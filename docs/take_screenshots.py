"""Take the README's picture, or one of every page: `python docs/take_screenshots.py [WORKSPACE] [--all FOLDER]`.

Needs the `dev` extra and Chromium (`/usr/bin/chromium`, or `CHROMIUM=/path`).
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from app.server import create_app
from data.store.workspace import open_workspace

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = {
    "map": "/", "micro-macro": "/micro-macro", "scenarios": "/scenarios", "models": "/models", "monitor": "/monitor",
    "start": "/start",
}  # fmt: skip
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


def take(browser: Browser, address: str, target: Path, *, size: tuple[int, int], theme: str) -> None:
    """One page as PNG, after its map or table has been drawn."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, device_scale_factor=1)
    page.goto(address)
    page.wait_for_selector(".citymap[data-drawn-ms], table, .page-start, .page-monitor", timeout=60_000)
    if theme == "dark":
        page.locator("#theme-button").click()
    page.wait_for_selector("#map-panel .skeleton", state="detached")
    page.wait_for_timeout(1500)
    page.screenshot(path=target)
    page.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", nargs="?")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, wide and narrow, light and dark")
    given = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, create_app(open_workspace(given.workspace)).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS)
        if given.all is None:
            take(browser, base, Path(__file__).with_name("map.png"), size=SIZES["wide"], theme="light")
        else:
            given.all.mkdir(parents=True, exist_ok=True)
            for name, path in PAGES.items():
                for width, size in SIZES.items():
                    for theme in ("light", "dark"):
                        take(browser, base + path, given.all / f"{name}-{width}-{theme}.png", size=size, theme=theme)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
