"""Parts of the scenario page: how far a job is, tables of effects, what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from dash import html

from app import study_views as views
from app.components.parts import DIVERGING, legend_keys, legend_ramp
from app.jobs import CANCELLED, DONE, FAILED, Job
from app.start_views import form_words
from app.texts import t


def progress_view(job: Job | None) -> list[Any]:
    """How far a job is, with the time left, and the effects so far."""
    if job is None:
        return []
    words = t(f"job.{job.state}")
    if job.state == FAILED:
        imported = job.kind == "import"
        reason = form_words(job.message) if imported else job.message
        return [
            html.P([html.Strong(words + ": "), reason], className="fault"),
            html.P(t("job.failed.do.import" if imported else "job.failed.do"), className="quiet"),
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


def legend(show: str, edits: dict[str, list[Any]], note: str = "") -> Any:
    """What the colours mean: measures, or a difference, with a note on whose it is."""
    if show in views.MAPS:
        shown = views.MAPS[show]
        title = t(f"show.{shown.by}", name=shown.label, unit=shown.unit)
        ends = [
            f"{'−' if shown.good > 0 else '+'}{shown.limit:g}",
            "0",
            f"{'+' if shown.good > 0 else '−'}{shown.limit:g}",
        ]
        left, right = shown.ends()
        ramp = legend_ramp(title, DIVERGING, ends, words=[left, t("show.same"), right])
        return [ramp, html.Div(note, className="legend-note")] if note else ramp
    keys = [
        ("#be123c", t("scenario.closed", links=views.links_words(len(edits["closed"])))),
        ("#d97706", t("scenario.changed", links=views.links_words(len(edits["changed"])))),
        ("#207350", t("scenario.marked", n=len(edits["zones"]))),
    ]
    return legend_keys(t("scenario.legend"), keys)


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> html.Table:
    """A small table: the first column names the row, the others are figures."""
    head = html.Tr([html.Th(one, scope="col", className="number" if k else "") for k, one in enumerate(columns)])
    body = [
        html.Tr([html.Th(cells[0], scope="row"), *(html.Td(one, className="number") for one in cells[1:])])
        for cells in rows
    ]
    return html.Table(
        [html.Caption(caption, className="unseen"), html.Thead(head), html.Tbody(body)], className="effects"
    )


def fold(title: str, parts: Sequence[Any], *, ident: str = "", open_: bool = False) -> html.Details:
    """Something to open."""
    own = {"id": ident} if ident else {}
    return html.Details([html.Summary(title), *parts], className="why", open=open_, **own)
