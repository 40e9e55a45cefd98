"""Words: what all pages share: navigation, status, states. A sentence stands on one line, however long."""

from __future__ import annotations

EN: dict[str, str] = {
    "product": "Zonewise",
    "nav.map": "Map & forecast",
    "nav.map.short": "Map",
    "nav.compare": "Micro vs macro",
    "nav.compare.short": "Micro",
    "nav.scenarios": "Scenarios",
    "nav.scenarios.short": "Scenarios",
    "nav.models": "Models",
    "nav.models.short": "Models",
    "nav.label": "Pages",
    "skip": "Skip to the content",
    "status": "Simulated data to ",
    "status.measured": "Measured data to ",
    "copy": "Copy a link to this view",
    "copy.done": "Link copied",
    "theme": "Switch between light and dark",
    "attribution.none": "No street map: zones lie around the sensors",
    "attribution": "© OpenStreetMap contributors",
    "state.empty": "Nothing to show yet",
    "state.error": "This could not be shown",
    "state.notrained": "No finished comparison yet. Run 'zonewise compare' (or 'zonewise demo') and reload this page.",
    "state.notrain": "No trained models yet. Run 'zonewise train' (or 'zonewise demo') and reload this page.",
    "state.missing": "There is no page at this address.",
    "state.home": "Back to the map",
}
