"""A visitor: a headless browser that opens pages with nothing kept, and tells how long things took, and how heavy.

Times to pixels are taken in the page: from the event to the first task after the frame that shows its effect. The main
thread's time is the processor time of its tasks in a trace of the browser.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.errors import InputError

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-precise-memory-info",
)  # fmt: skip
#: Figures of `memory_mb`.
MEMORY, WHOLE_MEMORY = "browser memory", "browser memory, all processes"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
READY = ".citymap[data-drawn-ms]"
STEPS, ZONES = 24, 5

#: Moves the slider step by step; milliseconds from each input event until the map's new frame has been shown.
_SLIDE = """
async (n) => {
  const map = document.querySelector(".citymap"), input = document.querySelector(".timebar input");
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const shown = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  }));
  const first = Math.max(0, Math.floor((Number(input.max) - n) / 2)), took = [];
  for (let k = 0; k < n; k += 1) {
    const frames = map.zonewise.frames(), wanted = String(first + k), begun = performance.now();
    set.call(input, wanted);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    while (map.dataset.step !== wanted || map.zonewise.frames() === frames) {
      await shown();
      if (performance.now() - begun > 10000) throw new Error("the map did not follow the slider");
    }
    await shown();
    took.push(performance.now() - begun);
    await new Promise((done) => setTimeout(done, 60));
  }
  return took;
}
"""
#: Notes when the mouse goes down, and when the last change in the zone's panel has been shown.
_WATCH_PANEL = """
() => {
  const panel = document.querySelector("#map-panel");
  document.addEventListener("pointerdown", () => {
    window.clicked = performance.now();
    window.shown = null;
    window.named = panel.querySelector("h2").textContent;
  }, true);
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => { window.shown = performance.now(); })))
    .observe(panel, { childList: true, subtree: true, attributes: true, characterData: true });
}
"""
#: Whether the panel is another zone's and has stood still for half a second.
_SETTLED = """
() => window.shown !== null && performance.now() - window.shown > 500
  && document.querySelector("#map-panel h2").textContent !== window.named
"""
#: Middles of zones that nothing floats over, and that are not the chosen one, as points of the window.
_FREE_ZONES = """
() => {
  const map = document.querySelector(".citymap"), box = map.getBoundingClientRect(), free = [];
  for (let k = 0; k < map.zonewise.zones(); k += 1) {
    const [x, y] = map.zonewise.zonePoint(k), at = document.elementFromPoint(box.x + x, box.y + y);
    if (at && map.contains(at)) free.push([box.x + x, box.y + y]);
  }
  return free;
}
"""


@contextmanager
def visitor() -> Iterator[Visitor]:
    """A visitor with a browser of its own.

    Raises
    ------
    InputError
        Without Playwright or Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("the case 'app' needs Playwright; install the extra 'dev'") from None
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(path).exists():
        raise InputError(f"the case 'app' needs Chromium, and there is none at {path}; name it by CHROMIUM=/path")
    with sync_playwright() as play:
        yield Visitor(play, path)


def browser_faults() -> tuple[type[Exception], ...]:
    """What a browser that cannot go on raises."""
    from playwright.sync_api import Error

    return (Error,)


class Visitor:
    """See the module."""

    def __init__(self, play: Any, path: str) -> None:
        self.play, self.path = play, path

    @contextmanager
    def page(self, size: dict[str, int] | None = None, **more: Any) -> Iterator[Any]:
        """A page of a browser that keeps nothing from before."""
        browser = self.play.chromium.launch(executable_path=self.path, args=list(FLAGS))
        try:
            page = browser.new_page(viewport=size or WIDE, **{"bypass_csp": True, **more})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()

    def empty_memory(self) -> dict[str, float]:
        """`memory_mb` of a browser that shows nothing: what no page can save."""
        with self.page() as page:
            page.goto("about:blank")
            page.wait_for_timeout(500)
            return memory_mb(page)

    def map_visit(self, address: str) -> dict[str, float]:
        """One cold visit to the map: first drawn map, steps of the slider, clicks on zones, memory at the end."""
        with self.page() as page:
            page.goto(address)
            page.wait_for_selector(READY)
            page.wait_for_selector("#map-panel .js-plotly-plot, #map-panel .notice")
            page.wait_for_load_state("networkidle")
            first = float(page.evaluate("Number(document.querySelector('.citymap').dataset.drawnMs)"))
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            steps = sorted(page.evaluate(_SLIDE, STEPS))
            browser = page.context.browser
            browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
            page.evaluate(_SLIDE, STEPS)
            busy = main_thread_ms(browser.stop_tracing()) / STEPS
            requests = len(asked)
            clicks = self._clicks(page)
            return {
                "first drawn map, whole page": first,
                "slider step to pixels": steps[len(steps) // 2],
                "main thread a step": busy,
                "requests a step": float(requests),
                "zone click to chart": clicks,
                **memory_mb(page),
            }

    def _clicks(self, page: Any) -> float:
        """Median of some clicks on zones far from each other, ms to their chart."""
        page.evaluate(_WATCH_PANEL)
        free = page.evaluate(_FREE_ZONES)
        took = []
        for k in range(ZONES):
            page.mouse.click(*free[(k + 1) * len(free) // (ZONES + 1)])
            page.wait_for_function(_SETTLED)
            took.append(page.evaluate("window.shown - window.clicked"))
        return float(sorted(took)[len(took) // 2])

    def weights(self, address: str) -> dict[str, float]:
        """What the map's page and its day weigh on the way, KB; Plotly is told apart."""
        kinds: dict[str, str] = {}
        sizes: dict[str, float] = {}
        with self.page() as page:
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            urls: dict[str, str] = {}

            def came(event: dict[str, Any]) -> None:
                urls[event["requestId"]] = event["response"]["url"]
                kinds[event["response"]["url"]] = event["type"]

            def ended(event: dict[str, Any]) -> None:
                if event["requestId"] in urls:
                    sizes[urls[event["requestId"]]] = event["encodedDataLength"] / 1000.0

            session.on("Network.responseReceived", came)
            session.on("Network.loadingFinished", ended)
            page.goto(address)
            page.wait_for_selector(READY)
            page.wait_for_load_state("networkidle")
            urls_of_day = page.evaluate(
                "performance.getEntriesByType('resource').map((e) => e.name)"
                ".filter((n) => /day\\.json|links\\.bin/.test(n))"
            )
        own = {url: size for url, size in sizes.items() if kinds[url] in ("Script", "Stylesheet", "Font")}
        plotly = sum(size for url, size in own.items() if re.search(r"plotly", url, re.I))
        return {
            "whole-day data, gzip": sum(_gzipped(url) for url in urls_of_day) / 1000.0,
            "script, style, font without Plotly, gzip": sum(own.values()) - plotly,
            "plotly_kb": plotly,
        }

    def job_visit(self, address: str) -> dict[str, float]:
        """A closure of one link is run and stopped: seconds to its first progress, and until it has stopped."""
        with self.page() as page:
            page.goto(address + "/scenarios")
            page.wait_for_selector(".citymap[data-ready]")
            page.wait_for_load_state("networkidle")
            box = page.locator(".citymap").bounding_box()
            for link in range(40):
                x, y = page.evaluate(f"document.querySelector('.citymap').zonewise.linkPoint({link})")
                page.mouse.click(box["x"] + x, box["y"] + y)
                page.wait_for_timeout(200)
                if page.locator(".measure-close_street").count():
                    break
            begun = time.perf_counter()
            page.click("#scenario-run")
            page.wait_for_selector("#scenario-progress progress, #scenario-progress [role=progressbar]")
            first = time.perf_counter() - begun
            page.wait_for_timeout(3000)  # amid a repetition
            begun = time.perf_counter()
            page.click("#scenario-stop")
            page.wait_for_selector("#scenario-run:not([disabled])")
            return {"first progress of a run": first, "cancel takes effect": time.perf_counter() - begun}


def memory_mb(page: Any) -> dict[str, float]:
    """Memory of the page's process and of the whole browser after the page's garbage is collected, MB.

    Returns
    -------
    dict of str to float
        `browser memory`: resident memory of the process that shows the page (the renderer with the most pages of its
        own), shared pages in full; `browser memory, all processes`: proportional set sizes of all processes of the
        browser, so that a page shared by several counts once.
    """
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    page.wait_for_timeout(1000)
    session = page.context.browser.new_browser_cdp_session()
    whole, renderers = 0.0, []
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        try:
            text = Path(f"/proc/{process['id']}/smaps_rollup").read_text()
        except OSError:  # ended meanwhile
            continue
        held = {what: float(kb) * 1024 / 1e6 for what, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
        whole += held["Pss"]
        if process["type"] == "renderer":
            renderers.append((held["Private_Dirty"] + held["Private_Clean"], held["Rss"]))
    return {MEMORY: max(renderers)[1], WHOLE_MEMORY: whole}


def main_thread_ms(trace: bytes) -> float:
    """Processor time of the tasks of the page's main thread in a trace, ms: of the busiest such thread."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    busy: dict[tuple[int, int], float] = {}
    for e in events:
        thread = e["pid"], e["tid"]
        if thread in main and e.get("ph") == "X" and str(e.get("name")).endswith("RunTask"):
            busy[thread] = busy.get(thread, 0.0) + float(e.get("tdur", e.get("dur", 0.0))) / 1000.0
    return max(busy.values(), default=float("nan"))


def _gzipped(url: str) -> int:
    """Bytes of an answer, as it comes when gzip is asked for."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
        return len(body) if answer.headers.get("Content-Encoding") == "gzip" else len(gzip.compress(body))
