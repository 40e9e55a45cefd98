"""Parts of the comparison's page: verdict and figures, the dumbbell, and the column of lines, costs and advice."""

from __future__ import annotations

import html as escaping
from typing import Any

from dash import html

from app import comparison_metrics as by
from app import comparison_views as views
from app.components.parts import figure
from app.display import DISPLAY
from app.figures.dumbbell import dumbbell
from app.figures.horizon import horizon
from app.pages.models_zone import graph
from app.queries import Queries
from app.texts import ahead, model_name, number, t

_COSTS = (("fit_seconds", 2), ("retrain_seconds", 2), ("latency_ms_p50", 2), ("latency_ms_p99", 2), ("kilobytes", 0))


def strip(queries: Queries, target: str, metric: str, h: float, period: str) -> list[Any]:
    """Verdict sentence and the four figures."""
    unit, cost = by.unit_of(target, metric), views.costs(queries, target).set_index("model")
    if period == by.ALL:
        found = views.verdict(by.zone_rows(queries, target, metric, h))
        title = found.sentence()
        said = t("compare.tally", micro=found.micro, macro=found.macro, ties=found.ties)
    else:
        title, said = by.period_sentence(queries, target, h, period)
    lines = by.lines(queries, target, metric, period)
    lines = lines[lines["horizon_s"] == h].drop_duplicates("model").set_index("model")

    def error(model: str) -> html.Div:
        name = t(f"compare.{'cover' if metric.startswith('coverage') else 'error'}.{model}")
        if model not in lines.index:
            return figure(name, "–", unit, "")
        row = lines.loc[model]
        digits = 1 if row["value"] >= 10 else 2
        if row[["lower", "upper"]].isna().any():
            return figure(name, number(row["value"], digits), unit, "")
        note = t("compare.interval", low=number(row["lower"], digits), high=number(row["upper"], digits))
        return figure(name, number(row["value"], digits), unit, note)

    train, train_note = "–", ""
    if "micromodel" in cost.index:
        train = number(cost.loc["micromodel", "fit_seconds"] / max(1, cost.loc["micromodel", "zones"]), 2)
    if "macromodel" in cost.index:
        train_note = t("compare.train.city", s=f"{cost.loc['macromodel', 'fit_seconds']:.1f}")
    cover = by.lines(queries, target, "coverage_90", by.ALL)
    percent = {str(r.model): f"{r.value:.0f}" for r in cover[cover["horizon_s"] == h].itertuples()}
    what = t("compare.what", what=DISPLAY[target][3], ahead=ahead(h))
    return [
        html.Div(
            [html.H1(title), html.P(said), html.P(f"{what}, {_within(t(f'metric.{metric}'))}")], className="kpi verdict"
        ),
        error("micromodel"), error("macromodel"),
        figure(t("compare.train"), train, t("compare.train.zone"), train_note),
        figure(
            t("compare.coverage"), percent.get("micromodel", "–"), "%",
            t("compare.coverage.macro", p=percent.get("macromodel", "–")),
        ),
    ]  # fmt: skip


def axis_of(target: str, metric: str, h: float) -> str:
    """Title of an axis of errors."""
    return t(f"metric.{metric}.axis", ahead=ahead(h), unit=by.unit_of(target, metric))


def middle(queries: Queries, target: str, metric: str, h: float, period: str, theme: str | None) -> list[Any]:
    """Dumbbell of all zones, or of all situations where one is chosen. Plotly reads labels as markup: escaped."""
    zoned = period == by.ALL
    rows = by.zone_rows(queries, target, metric, h) if zoned else by.period_rows(queries, target, h)
    title = t("compare.zones" if zoned else "compare.periods")
    said = t(("compare.zones.sub" if metric == "mae" else "compare.zones.other") if zoned else "compare.periods.sub")
    if rows.empty:
        return [head(title, said), html.Div(html.P(t("compare.nothing"), className="notice"), className="pad")]
    rows = rows.assign(label=[escaping.escape(x, quote=False) for x in rows["label"]])
    marked = "" if zoned else t(f"regime.{period}")
    chart = dumbbell(
        rows, unit=by.unit_of(target, metric), ahead=ahead(h), theme=theme, title=axis_of(target, metric, h),
        marked=marked,
    )  # fmt: skip
    words = "; ".join(f"{r.label}: {r.micro_mae:.2f}, {r.macro_mae:.2f}" for r in rows.head(40).itertuples())
    return [head(title, said), graph(chart, f"{title}. {words}")]


def head(title: str, words: str) -> html.Div:
    return html.Div([html.H2(title), html.P(words, className="quiet")], className="third-head")


def notes(queries: Queries, target: str, metric: str, h: float, period: str, theme: str | None) -> list[Any]:
    """Score over the horizon, costs, situations, new zones and periods, advice."""
    unit = by.unit_of(target, metric)
    covers = metric.startswith("coverage")
    title = t(f"metric.{metric}.short", unit=unit)
    lines = by.lines(queries, target, metric, period)
    chart = horizon(lines, unit=unit, theme=theme, title=title, aim=100 * by.AIM if covers else None)
    over = t("compare.lines.cover" if covers else "compare.lines")
    when = t("compare.period.all") if period == by.ALL else t(f"regime.{period}")
    advice = views.advice(queries, target)
    if words := by.period_advice(queries, target, h):
        advice.append((t("advice.situations"), words))
    return [
        head(over, t("compare.lines.sub", when=_within(when))), graph(chart, over),
        html.Div(
            [
                html.H2(t("compare.costs")), cost_table(queries, target), html.P(t("cost.note"), className="fine"),
                *regime_table(queries, target, h), *shift(queries, target),
                html.H2(t("compare.notes"), className="spaced"),
                *(x for name, words in advice for x in (html.H3(name), html.P(words))),
            ],
            className="notes",
        ),
    ]  # fmt: skip


def table(caption: str, heads: list[str], body: list[tuple[str, list[Any]]]) -> html.Table:
    """A table with names on the left and numbers on the right; all but the caption is said as given."""
    top = [html.Th(words, scope="col", className="number" if k else "") for k, words in enumerate(heads)]
    rows = [
        html.Tr([html.Th(name, scope="row"), *(html.Td(cell, className="number") for cell in cells)])
        for name, cells in body
    ]
    words = html.Caption(caption, className="unseen")
    return html.Table([words, html.Thead(html.Tr(top)), html.Tbody(rows)], className="costs")


def cost_table(queries: Queries, target: str) -> html.Table:
    """What each kind of model costs; what was not measured is a dash."""
    cost = views.costs(queries, target)
    cost = cost[cost["model"] != "in_use"].assign(kilobytes=cost["bytes"] / 1000)
    columns = [(name, digits) for name, digits in _COSTS if name in cost]
    heads = [t("cost.model"), *(t(f"cost.{name}") for name, _ in columns)]
    body = [
        (model_name(str(row["model"])), [number(float(row[name]), digits) for name, digits in columns])
        for row in cost.to_dict("records")
    ]
    return table(t("compare.costs"), heads, body)


def regime_table(queries: Queries, target: str, h: float) -> list[Any]:
    """When each model errs how much, or nothing where the run does not tell."""
    rows = by.period_rows(queries, target, h)
    if rows.empty:
        return []
    digits = 1 if rows["macro_mae"].median() >= 10 else 2
    body = []
    for r in rows.itertuples():
        pairs = (("micromodel", r.micro_mae), ("macromodel", r.macro_mae))
        cells = [html.B(number(v, digits)) if r.verdict == model else number(v, digits) for model, v in pairs]
        body.append((r.label, cells))
    heads = [t("regime.when"), t("short.micromodel"), t("short.macromodel")]
    return [
        html.H2(t("regime.title"), className="spaced"), table(t("regime.title"), heads, body),
        html.P(t("regime.note", unit=DISPLAY[target][0], ahead=ahead(h)), className="fine"),
    ]  # fmt: skip


def shift(queries: Queries, target: str) -> list[Any]:
    """What models lose where they are new; how to find out where nobody has."""
    zones, periods = by.new_zone_rows(queries, target), by.new_period_rows(queries, target)
    parts: list[Any] = [html.H2(t("compare.shift"), className="spaced")]
    if zones.empty and periods.empty:
        return [
            *parts,
            html.P([t("compare.shift.none"), " ", html.Code(t("compare.shift.command"))], className="notice"),
        ]
    if not zones.empty:
        cells = {
            (str(r.model), float(r.horizon_s)): t(
                "compare.shift.price",
                p=f"{100 * r.price:+.1f}",
                low=f"{100 * r.lower:+.1f}",
                high=f"{100 * r.upper:+.1f}",
            )
            for r in zones.itertuples()
        }
        title = t("compare.shift.zones")
        parts += [html.H3(title), html.P(t("compare.shift.zones.sub"), className="quiet"), _by_horizon(title, cells)]
    if not periods.empty:
        cells = {
            (str(r.model), float(r.horizon_s)): t(
                "compare.shift.skill", low=f"{100 * r.least:.0f}", high=f"{100 * r.most:.0f}"
            )
            for r in periods.itertuples()
        }
        title = t("compare.shift.periods")
        parts += [html.H3(title), html.P(t("compare.shift.periods.sub"), className="quiet"), _by_horizon(title, cells)]
    return parts


def _by_horizon(title: str, cells: dict[tuple[str, float], str]) -> html.Table:
    models = list(dict.fromkeys(model for model, _ in cells))
    body = [
        (ahead(h), [cells.get((m, h), "–") for m in models]) for h in sorted({h for _, h in cells})
    ]  # fmt: skip
    return table(title, [t("compare.horizon"), *(model_name(m) for m in models)], body)


def _within(words: str) -> str:
    """A name within a sentence."""
    return words[:1].lower() + words[1:]
