"""Parts of the scenario page: cards of measures, how far a job is, what a study found, what the colours mean."""

from __future__ import annotations

from typing import Any

import pandas as pd
from dash import html

from app import study_views as views
from app.components.parts import DIVERGING, icon, legend_keys, legend_ramp
from app.jobs import CANCELLED, DONE, FAILED, Job
from app.queries import Queries
from app.scenario_draft import with_drawing
from app.texts import signed, t

ICONS = {
    "close_street": "barrier-block",
    "speed_limit": "gauge",
    "lanes": "road",
    "low_emission_zone": "leaf",
    "demand": "users",
}


def measure_list(draft: dict[str, Any], drawn: list[int], names: dict[str, str]) -> list[Any]:
    """Cards of the measures; the drawing is the last."""
    shown = with_drawing(draft, drawn)["measures"]
    if not shown:
        return [html.P(t("scenario.empty"), className="quiet")]
    cards = []
    for k, entry in enumerate(shown):
        kind = str(entry.get("measure"))
        what, where = views.measure_words(entry, names)
        cards.append(
            html.Div(
                [
                    html.Span(icon(ICONS.get(kind, "road")), className="measure-icon"),
                    html.Div([html.Strong(what), html.Span(where, className="what")]),
                    html.Button(
                        icon("trash"),
                        id={"measure": k},
                        n_clicks=0,
                        type="button",
                        **{"aria-label": t("scenario.remove", what=what)},
                    ),
                ],
                className=f"measure measure-{kind}",
            )
        )
    return cards


def progress_view(job: Job | None) -> list[Any]:
    """How far a job is, with the time left, and the effects so far."""
    if job is None:
        return []
    words = t(f"job.{job.state}")
    if job.state == FAILED:
        return [
            html.P([html.Strong(words + ": "), job.message], className="fault"),
            html.P(t("job.failed.do"), className="quiet"),
        ]
    if job.state == CANCELLED:
        return [html.P([html.Strong(words + ". "), t("job.stopped.do")], className="quiet")]
    if job.state == DONE or not job.open:
        return [html.P(html.Strong(words), className="quiet")]
    left = job.seconds_left()
    count = ""
    if job.total:
        count = t("job.count", done=job.done, total=job.total)
        if left is not None:
            count = t(
                "job.left",
                done=job.done,
                total=job.total,
                left=t("job.seconds", s=left) if left < 90 else t("job.minutes", min=left / 60),
            )
    share = 100 * job.done / job.total if job.total else 0
    bar = html.Div(
        html.Div(style={"width": f"{share:.0f}%"}),
        className="progress",
        role="progressbar",
        **{"aria-label": words, "aria-valuenow": f"{share:.0f}", "aria-valuemin": "0", "aria-valuemax": "100"},
    )
    parts: list[Any] = [
        html.Div([html.Strong(f"{words}. {job.message}"), html.Span(count, className="quiet")], className="between"),
        bar,
    ]
    if job.partial:
        parts += [html.H2(t("scenario.sofar")), effects_table(views.effect_rows(pd.DataFrame(job.partial)))]
    return parts


def effects_table(rows: list[dict[str, Any]]) -> html.Table:
    """Effects with intervals; tones are said in words too."""
    tones = {"better": "tone-good", "worse": "tone-bad"}
    body = [
        html.Tr(
            [
                html.Th([r["name"], html.Span(r["unit"], className="interval")], scope="row"),
                html.Td(r["value"], className="number"),
                html.Td(
                    [
                        html.Strong(
                            f"{r['effect']} ({r['share']})" if r["share"] else r["effect"],
                            className=tones.get(r["tone"], ""),
                        ),
                        html.Span(f"{r['interval']}; {t('effect.' + r['tone'])}", className="interval"),
                    ],
                    className="number",
                ),
            ]
        )
        for r in rows
    ]
    head = html.Tr(
        [
            html.Th(t("effect.what"), scope="col"),
            html.Th(t("effect.with"), scope="col", className="number"),
            html.Th(t("effect.change"), scope="col", className="number"),
        ]
    )
    return html.Table([html.Thead(head), html.Tbody(body)], className="effects")


def result_view(queries: Queries, run: str) -> list[Any]:
    """Effects of a study on the city, inside and outside its place, and the streets that gain most."""
    effects = views.study_effects(queries, run)
    parts: list[Any] = [html.H2(t("scenario.effects")), effects_table(views.effect_rows(effects))]
    streets = views.worst_streets(queries, run)
    if streets:
        words = "; ".join(t("effect.street", name=name, gain=signed(v, 0)) for name, v in streets)
        parts.append(html.P([html.Strong(t("effect.streets")), words + "."], className="notice warn"))
    for scope, title in (("inside", t("effect.inside")), ("outside", t("effect.outside"))):
        rows = views.effect_rows(effects, scope)
        if rows:
            parts.append(html.Details([html.Summary(title), effects_table(rows)], className="why"))
    return parts


def legend(show: str, edits: dict[str, list[Any]]) -> Any:
    """What the colours mean: measures, or a difference."""
    if show in views.MAPS:
        shown = views.MAPS[show]
        title = t(f"show.{shown.by}", name=shown.label, unit=shown.unit)
        ends = [
            f"{'−' if shown.good > 0 else '+'}{shown.limit:g}",
            "0",
            f"{'+' if shown.good > 0 else '−'}{shown.limit:g}",
        ]
        left, right = shown.ends()
        return legend_ramp(title, DIVERGING, ends, words=[left, t("show.same"), right])
    keys = [
        ("#be123c", t("scenario.closed", links=views.links_words(len(edits["closed"])))),
        ("#d97706", t("scenario.changed", links=views.links_words(len(edits["changed"])))),
        ("#207350", t("scenario.marked", n=len(edits["zones"]))),
    ]
    return legend_keys(t("scenario.legend"), keys)
