"""One zone's model: why it serves, how good it is, what drives a forecast, how it decides, limits and versions."""

from __future__ import annotations

import html as escaping
from typing import Any

from dash import dcc, html

from app.components.parts import badge
from app.display import DISPLAY
from app.figures.candidates import candidates
from app.figures.coverage import coverage
from app.figures.drivers import drivers
from app.figures.responses import responses
from app.layers import is_measured
from app.model_inside import rules, shares, trace, weights
from app.model_lists import HORIZONS_S, about, candidate_errors, model_table, reliability
from app.model_views import card, explain, plain_reason, told
from app.pages.models_versions import versions
from app.queries import Queries
from app.responses import curves
from app.texts import ahead, model_name, signed, t

#: Weights of a line that are shown; the others are counted.
LINE_ITEMS = 10


def detail(queries: Queries, target: str, zone: str, moment: int, theme: str | None) -> list[Any]:
    """All about one zone at a moment, `moment` steps ahead of now."""
    what = DISPLAY[target][3]
    name = queries.zone_names()[zone]
    choice = queries.choice(zone, target)
    head = html.Div(
        [html.H2(f"{zone} {name}"), badge(str(choice.get("model_in_use", "")))], className="third-head panel-head"
    )
    if not choice:
        return [head, html.Div(html.P(t("panel.none", name=what), className="notice"), className="pad")]
    return [
        head, _why(queries, zone, target, moment, choice), *_competed(queries, zone, target, theme),
        *_forecast(queries, zone, target, moment, theme), *_curves(queries, zone, target, moment, theme),
        *_inside(queries, zone, target, moment), *_held(queries, zone, target, theme),
        html.Div(
            [html.H2(t("models.limits")), html.Ul([html.Li(x) for x in limits(queries, zone, target)])], className="pad"
        ),
        *versions(queries, zone, target),
    ]  # fmt: skip


def graph(figure: Any, label: str) -> html.Div:
    """A chart with its words for those who do not see it."""
    return html.Div(
        dcc.Graph(
            figure=figure, config={"displayModeBar": False}, responsive=True, style={"height": figure.layout.height}
        ),
        role="img", **{"aria-label": label},
    )  # fmt: skip


def _headed(title: str, words: str) -> html.Div:
    return html.Div([html.H2(title), html.P(words, className="quiet")], className="third-head")


def _why(queries: Queries, zone: str, target: str, moment: int, choice: dict[str, Any]) -> html.Div:
    """Family and reason, the guard's word, and the shares of a mix."""
    own = card(queries, zone, target)
    family, step_s = str(own.get("family") or choice.get("family", "")), queries.info().step_s
    said = [html.P([html.Strong(f"{model_name(family)}. "), about(family)])]
    mixed = shares(queries, zone, target, moment)
    if mixed is not None:
        more = t("models.weights", ahead=ahead(mixed[1] * step_s), shares=mixed[0])
        said.append(html.P([html.Strong(f"{model_name('mix')}. "), about("mix"), " ", more]))
    reason = str(own.get("reason") or choice["reason"]) if own.get("created_by") else str(choice["reason"])
    said.append(html.P(plain_reason(reason), className="notice", lang="en"))
    if own.get("guard"):
        look = "notice warn" if own.get("fell_from") else "quiet"
        guard = html.Span(plain_reason(str(own["guard"])), lang="en")
        said.append(html.P([html.Strong(t("models.guard")), guard], className=look))
    return html.Div([html.H2(t("models.why")), *said], className="pad")


def _competed(queries: Queries, zone: str, target: str, theme: str | None) -> list[Any]:
    """Errors of the candidates as small bars."""
    rows, on = candidate_errors(queries, zone, target)
    if rows.empty:
        return []
    chart = candidates(rows, unit=DISPLAY[target][0], theme=theme)
    title = t("models.candidates")
    return [_headed(title, t(f"models.candidates.{on}")), graph(chart, title)]


def _forecast(queries: Queries, zone: str, target: str, moment: int, theme: str | None) -> list[Any]:
    """The forecast of a moment in words, and what adds up to it."""
    unit, _, digits, what = DISPLAY[target]
    info, choice = queries.info(), queries.choice(zone, target)
    clock = queries.clock(info.now_step + moment - 1)
    parts: list[Any] = []
    words = told(queries, zone, target, moment, t("models.told.when", time=clock))
    if words:
        parts.append(
            html.Div([html.H2(t("models.told")), html.P(words, className="notice", lang="en")], className="pad")
        )
    found = explain(queries, zone, target, moment)
    if found is None:
        return [*parts, html.Div(html.P(t("models.none"), className="notice"), className="pad")]
    rows, model = found
    rows = rows.assign(label=[escaping.escape(str(x), quote=False) for x in rows["label"]])
    chart = drivers(rows, unit=unit, digits=max(1, digits), theme=theme)
    origin = info.now.tz_convert(info.timezone).strftime("%H:%M")
    words = t("models.drivers.sub", zone=zone, what=what, time=clock, origin=origin)
    if choice["model_in_use"] == "mix" and model != "mix":
        words += t("models.drivers.mix")
    return [
        *parts, _headed(t("models.drivers"), words), graph(chart, f"{t('models.drivers')}: {t('model.' + model)}"),
    ]  # fmt: skip


def _curves(queries: Queries, zone: str, target: str, moment: int, theme: str | None) -> list[Any]:
    """Response curves of the zone's own micromodel."""
    found = curves(queries, zone, target, moment)
    if found is None:
        return []
    rows, at = found
    unit, _, digits, what = DISPLAY[target]
    chart = responses(rows, unit=unit, digits=max(1, digits), theme=theme)
    words = t("models.curves.sub", what=what, ahead=ahead(at * queries.info().step_s))
    ranges = "; ".join(
        t("models.curves.range", what=label, low=f"{part.min():.{max(1, digits)}f}",
          high=f"{part.max():.{max(1, digits)}f}", unit=unit)
        for label, part in rows.groupby("label", sort=False)["forecast"]
    )  # fmt: skip
    return [_headed(t("models.curves"), words), graph(chart, f"{t('models.curves')}. {ranges}")]


def _inside(queries: Queries, zone: str, target: str, moment: int) -> list[Any]:
    """What can be read of the zone's own micromodel: a tree's questions and rules, a line's weights."""
    step_s = queries.info().step_s
    parts: list[Any] = []
    asked, at = trace(queries, zone, target, moment)
    if asked:
        sub = html.P(t("models.trace.sub", ahead=ahead(at * step_s)), className="quiet")
        questions = html.Ol([html.Li(x) for x in asked], lang="en")
        parts.append(html.Div([html.H2(t("models.trace")), sub, questions], className="pad"))
    lines, at = rules(queries, zone, target, moment)
    if lines:
        sub = html.P(t("models.rules.sub", ahead=ahead(at * step_s)), className="quiet")
        every = html.Ul([html.Li(x) for x in lines], lang="en")
        parts.append(html.Div([html.H2(t("models.rules")), sub, every], className="pad"))
    line = weights(queries, zone, target, moment)
    return [*parts, _line(line, target, step_s)] if line is not None else parts


def _line(line: tuple[Any, float, int], target: str, step_s: float) -> html.Div:
    """Weights of a line, the largest first."""
    unit, _, digits, what = DISPLAY[target]
    rows, swing, at = line
    rows = rows[rows["feature"] != "intercept"]
    shown = rows.head(LINE_ITEMS)
    note = t("models.line.sub", ahead=ahead(at * step_s), what=what, swing=f"{swing:.{max(1, digits)}f}", unit=unit)
    head = html.Tr(
        [html.Th(t("models.line.item"), scope="col"),
         html.Th(t("models.line.move", unit=unit), scope="col", className="number")]
    )  # fmt: skip
    body = [
        html.Tr([html.Th(r.label, scope="row"), html.Td(signed(r.move, digits + 1), className="number")])
        for r in shown.itertuples()
    ]
    caption = html.Caption(t("models.line"), className="unseen")
    found = [html.H2(t("models.line")), html.P(note, className="quiet")]
    found.append(html.Table([caption, html.Thead(head), html.Tbody(body)], className="costs"))
    if len(rows) > len(shown):
        found.append(html.P(t("models.line.more", n=len(rows) - len(shown)), className="fine"))
    return html.Div(found, className="pad")


def _held(queries: Queries, zone: str, target: str, theme: str | None) -> list[Any]:
    """How often intervals held, by horizon."""
    rows = reliability(queries, zone, target)
    if rows.empty:
        return []
    words = "; ".join(
        t(
            "models.reliability.point",
            ahead=ahead(r.horizon_s),
            p=f"{100 * r.nominal:.0f}",
            held=f"{100 * r.coverage:.0f}",
        )
        for r in rows.itertuples()
    )
    title = t("models.reliability")
    return [_headed(title, t("models.reliability.sub")), graph(coverage(rows, theme=theme), f"{title}. {words}")]


def limits(queries: Queries, zone: str, target: str) -> list[str]:
    """What this model cannot do, as far as its card and its scores say."""
    own = card(queries, zone, target)
    out = []
    if own.get("train_end"):
        out.append(t("models.limit.train", time=str(own["train_end"])[:16].replace("T", " ")))
    rows = model_table(queries, target)
    rows = rows[rows["zone_id"] == zone]
    if len(rows):
        row = rows.iloc[0]
        for s in HORIZONS_S:
            if row[f"micromodel_{s}"] >= row[f"seasonal_naive_{s}"]:
                out.append(t("models.limit.naive", ahead=ahead(s)))
        if row["coverage_90"] == row["coverage_90"]:
            out.append(t("models.limit.cover", p=f"{100 * row['coverage_90']:.0f}"))
    out += [str(limit) for limit in own.get("limits") or []]
    out.append(t("models.limit.weather"))
    out.append(t("models.limit.measured" if is_measured(queries) else "models.limit.sensors"))
    return list(dict.fromkeys(out))
